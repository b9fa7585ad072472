//! The app roles that service principals, users and groups hold (Graph: appRoleAssignment).

use super::applications::{invalid, object, selected};
use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, conditions, render};
use domain::id::PartId;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::assignments::{AssignmentFilter, NewAssignment, Place, SeenAssignment};
use uuid::Uuid;

pub(super) fn body(found: &SeenAssignment) -> Map<String, Value> {
    object(json!({
        "id": found.id.to_string(),
        "deletedDateTime": null,
        "appRoleId": found.role.to_string(),
        "createdDateTime": render::time(found.created_at),
        "principalDisplayName": found.principal_name,
        "principalId": found.principal.to_string(),
        "principalType": found.principal_kind.as_str(),
        "resourceDisplayName": found.resource_name,
        "resourceId": found.resource.to_string(),
    }))
}

fn filter(ask: &Ask<'_>) -> Result<AssignmentFilter, GraphError> {
    let mut filter = AssignmentFilter::default();
    for condition in conditions::read(ask)? {
        let slot = match condition.name {
            "appRoleId" => &mut filter.role,
            "principalId" => &mut filter.principal,
            "resourceId" => &mut filter.resource,
            _ => return Err(condition.unsupported()),
        };
        condition.put(slot, condition.id()?)?;
    }
    Ok(filter)
}

pub(super) fn list(ask: &Ask<'_>, place: &Place) -> Handled {
    let (after, filter) = (render::after(ask)?, filter(ask)?);
    let found =
        ask.app.service.list_assignments(ask.viewer, place, &filter, ask.query.top, after.as_ref())??;
    ask.serves(&["$filter", "$select", "$skiptoken", "$top"])?;
    let values = found.items.iter().map(|found| selected(ask, body(found))).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "appRoleAssignments", values, found.next, None)))
}

pub(super) async fn create(ask: Ask<'_>, place: Place) -> Handled {
    let reader = Reader::new(&ask.body, &["principalId", "resourceId", "appRoleId"])?;
    let id = |name: &'static str| -> Result<PartId, GraphError> {
        let id = reader.text(name)?.and_then(|id| id.parse().ok());
        id.ok_or_else(|| invalid(name, "Give an id."))
    };
    let new = NewAssignment {
        principal: id("principalId")?.uuid(),
        resource: id("resourceId")?.uuid(),
        role: id("appRoleId")?,
    };
    let made = ask.app.service.assign_app_role(ask.viewer, place, new, ask.moment).await??;
    let mut answer = Map::new();
    answer.insert("@odata.context".to_owned(), render::context(&ask, "appRoleAssignments", true).into());
    answer.extend(body(&made));
    Ok(Answer::Json(StatusCode::CREATED, answer.into()))
}

pub(super) async fn delete(ask: Ask<'_>, place: Place, part: Option<&str>) -> Handled {
    let id = part.and_then(|part| Uuid::parse_str(part).ok()).ok_or(GraphError::NotFound)?;
    ask.app.service.remove_assignment(ask.viewer, place, id, ask.moment).await??;
    Ok(Answer::NoContent)
}
