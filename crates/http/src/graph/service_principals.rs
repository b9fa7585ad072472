//! `/servicePrincipals` and the app roles they hold (Graph: servicePrincipal).

use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, applications, organization, render};
use domain::directory::application::Platform;
use domain::id::{AppId, PartId, ServicePrincipalId};
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::applications::{ApplicationRefusal, Assignment, InstanceEdit, InstanceKey, InstanceRow};
use standards::odata::path::Key;

fn invalid(property: &'static str, problem: &str) -> GraphError {
    ApplicationRefusal::Invalid { property, problem: problem.to_owned() }.into()
}

fn key(key: &Key) -> Result<InstanceKey, GraphError> {
    let not_found = || GraphError::from(ApplicationRefusal::NotFound);
    match key {
        Key::Single(text) => text.parse().map(InstanceKey::Id).map_err(|_| not_found()),
        Key::Named(name, text) if name == "appId" => {
            text.parse().map(InstanceKey::AppId).map_err(|_| not_found())
        }
        Key::Named(..) | Key::None => Err(not_found()),
    }
}

fn body(row: &InstanceRow) -> Map<String, Value> {
    let (instance, app) = (&row.instance, &row.registration);
    let mut names = vec![app.app_id.to_string()];
    names.extend(app.identifier_uris.iter().cloned());
    let replies: Vec<&str> = app
        .redirect_uris
        .iter()
        .filter(|uri| uri.platform != Platform::Native)
        .map(|uri| uri.uri.as_str())
        .collect();
    let value = json!({
        "id": instance.id.to_string(),
        "deletedDateTime": instance.deleted_at.map(render::time),
        "accountEnabled": instance.is_enabled,
        "alternativeNames": [],
        "appDisplayName": app.display_name,
        "appDescription": app.description,
        "appId": app.app_id.to_string(),
        "appOwnerOrganizationId": app.owner.map(|owner| owner.to_string()),
        "appRoleAssignmentRequired": instance.is_assignment_required,
        "appRoles": applications::roles(&app.roles),
        "description": null,
        "displayName": app.display_name,
        "homepage": app.home_page_url,
        "keyCredentials": [],
        "loginUrl": null,
        "logoutUrl": app.logout_url,
        "notes": null,
        "oauth2PermissionScopes": applications::scopes(&app.scopes),
        "passwordCredentials": [],
        "preferredSingleSignOnMode": null,
        "replyUrls": replies,
        "servicePrincipalNames": names,
        "servicePrincipalType": "Application",
        "signInAudience": app.audience.as_str(),
        "tags": app.tags,
    });
    match value {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

fn entity(ask: &Ask<'_>, row: &InstanceRow) -> Value {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, "servicePrincipals", true).into());
    entity.extend(body(row));
    organization::selected(entity, ask.query.select.as_deref())
}

pub(super) fn list(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let (rows, next) = ask.app.service.list_service_principals(&ask.viewer, &ask.query, after)??;
    let select = ask.query.select.as_deref();
    let values = rows.iter().map(|row| organization::selected(body(row), select)).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "servicePrincipals", values, next, None)))
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let row = ask.app.service.find_service_principal(&ask.viewer, key(at)?)??;
    Ok(Answer::Json(StatusCode::OK, entity(ask, &row)))
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let reader = Reader::new(&ask.body, &["appId", "accountEnabled", "displayName", "tags"])?;
    let app_id = reader.text("appId")?.and_then(|id| id.parse::<AppId>().ok());
    let app_id = app_id.ok_or_else(|| invalid("appId", "Give the appId of an application."))?;
    let row = ask.app.service.create_service_principal(&ask.viewer, app_id, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &row)))
}

pub(super) async fn patch(ask: Ask<'_>, at: &Key) -> Handled {
    let reader = Reader::new(&ask.body, &["accountEnabled", "appRoleAssignmentRequired"])?;
    let edit = InstanceEdit {
        is_enabled: reader.flag("accountEnabled")?,
        is_assignment_required: reader.flag("appRoleAssignmentRequired")?,
        delete: false,
    };
    ask.app.service.update_service_principal(&ask.viewer, key(at)?, edit, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    let edit = InstanceEdit { delete: true, ..InstanceEdit::default() };
    ask.app.service.update_service_principal(&ask.viewer, key(at)?, edit, ask.moment).await??;
    Ok(Answer::NoContent)
}

fn assignment(found: &Assignment) -> Value {
    json!({
        "id": found.id.to_string(),
        "deletedDateTime": null,
        "appRoleId": found.role.to_string(),
        "createdDateTime": render::time(found.created_at),
        "principalDisplayName": found.principal_name,
        "principalId": found.principal.to_string(),
        "principalType": "ServicePrincipal",
        "resourceDisplayName": found.resource_name,
        "resourceId": found.resource.to_string(),
    })
}

pub(super) fn assignments(ask: &Ask<'_>, at: &Key) -> Handled {
    let found = ask.app.service.list_assignments(&ask.viewer, key(at)?)??;
    let values = found.iter().map(assignment).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "appRoleAssignments", values, None, None)))
}

pub(super) async fn assign(ask: Ask<'_>, at: &Key) -> Handled {
    let reader = Reader::new(&ask.body, &["principalId", "resourceId", "appRoleId", "principalType"])?;
    let needed = |property: &'static str| invalid(property, "Give an id.");
    let principal = reader.text("principalId")?.and_then(|id| id.parse::<ServicePrincipalId>().ok());
    let principal = principal.ok_or_else(|| needed("principalId"))?;
    let resource = reader.text("resourceId")?.and_then(|id| id.parse::<ServicePrincipalId>().ok());
    let resource = resource.ok_or_else(|| needed("resourceId"))?;
    let role = reader
        .text("appRoleId")?
        .and_then(|id| id.parse::<PartId>().ok())
        .ok_or_else(|| needed("appRoleId"))?;
    // The address names the principal; a body that names another is a mistake.
    let row = ask.app.service.find_service_principal(&ask.viewer, key(at)?)??;
    if row.instance.id != principal {
        return Err(invalid("principalId", "It must be the service principal of the address."));
    }
    let made = ask.app.service.assign_app_role(&ask.viewer, principal, resource, role, ask.moment).await??;
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(&ask, "appRoleAssignments", true).into());
    if let Value::Object(found) = assignment(&made) {
        body.extend(found);
    }
    Ok(Answer::Json(StatusCode::CREATED, body.into()))
}
