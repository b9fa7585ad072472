//! `/directoryRoleTemplates`, `/directoryRoles` and the roles of users, groups and service principals (Graph: directoryRole).

use super::body::Reader;
use super::error::GraphError;
use super::groups::{Who, holder, object, objects, reference_of};
use super::{Answer, Ask, Handled, applications, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::group::LinkedKind;
use domain::directory::role::{self, RoleTemplate};
use domain::directory::role_query;
use domain::id::{RoleTemplateId, TenantId};
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::directory::DirectoryRefusal;
use service::roles::RoleKey;
use standards::odata::path::Key;

/// The role that an address names: by its object, or by `roleTemplateId`.
fn key(key: &Key) -> Result<RoleKey, GraphError> {
    match key {
        Key::Single(text) => object(Some(text)).map(RoleKey::Object),
        Key::Named(name, value) if name == "roleTemplateId" => {
            value.parse().map(RoleKey::Template).map_err(|_| GraphError::NotFound)
        }
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

fn template(role: &RoleTemplate) -> Map<String, Value> {
    applications::object(json!({
        "id": role.id.to_string(),
        "deletedDateTime": null,
        "description": role.description,
        "displayName": role.name,
    }))
}

/// A role's object in a tenant.
pub(super) fn body(tenant: TenantId, role: &RoleTemplate) -> Map<String, Value> {
    applications::object(json!({
        "id": role::object_id(tenant, role.id).to_string(),
        "deletedDateTime": null,
        "description": role.description,
        "displayName": role.name,
        "roleTemplateId": role.id.to_string(),
    }))
}

/// One object with its context and the selected properties.
pub(super) fn entity(ask: &Ask<'_>, set: &str, body: Map<String, Value>) -> Result<Value, GraphError> {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, set, true).into());
    entity.extend(applications::object(applications::selected(ask, body)?));
    Ok(entity.into())
}

pub(super) fn list_templates(ask: &Ask<'_>) -> Handled {
    ask.app.service.may_read_roles(ask.viewer)?;
    ask.serves(&["$select"])?;
    let values = role::ALL.iter().map(|role| applications::selected(ask, template(role)));
    let values = values.collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "directoryRoleTemplates", values, None, None)))
}

pub(super) fn get_template(ask: &Ask<'_>, at: &Key) -> Handled {
    ask.app.service.may_read_roles(ask.viewer)?;
    ask.serves(&["$select"])?;
    let Key::Single(id) = at else { return Err(GraphError::NotFound) };
    let found = id.parse().ok().and_then(role::find).ok_or(GraphError::NotFound)?;
    Ok(Answer::Json(StatusCode::OK, entity(ask, "directoryRoleTemplates", template(&found))?))
}

/// The roles that fit the filter, as `make` shows them.
pub(super) fn chosen(
    ask: &Ask<'_>,
    roles: &[RoleTemplate],
    make: impl Fn(&RoleTemplate) -> Map<String, Value>,
) -> Result<Vec<Value>, GraphError> {
    let mut values = Vec::new();
    for role in roles {
        let is_wanted = match &ask.query.filter {
            None => true,
            Some(filter) => role_query::fits(role, filter).map_err(DirectoryRefusal::Query)?,
        };
        if is_wanted {
            values.push(applications::selected(ask, make(role))?);
        }
    }
    Ok(values)
}

/// All activated roles: this list has no pages (facts: graph §1).
pub(super) fn list(ask: &Ask<'_>) -> Handled {
    let roles = ask.app.service.activated_roles(ask.viewer)??;
    ask.serves(&["$filter", "$select"])?;
    let values = chosen(ask, &roles, |role| body(ask.viewer.tenant, role))?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "directoryRoles", values, None, None)))
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let found = ask.app.service.find_activated_role(ask.viewer, key(at)?)??;
    ask.serves(&["$select"])?;
    Ok(Answer::Json(StatusCode::OK, entity(ask, "directoryRoles", body(ask.viewer.tenant, &found))?))
}

pub(super) async fn activate(ask: Ask<'_>) -> Handled {
    let reader = Reader::new(&ask.body, &["roleTemplateId"])?;
    let id = reader.text("roleTemplateId")?.ok_or(ChangeRefusal::Missing("roleTemplateId"))?;
    let id: RoleTemplateId = id.parse().map_err(|_| ChangeRefusal::Invalid("roleTemplateId".to_owned()))?;
    ask.serves(&[])?;
    let role = ask.app.service.activate_role(ask.viewer, id, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, "directoryRoles", body(ask.viewer.tenant, &role))?))
}

pub(super) fn members(ask: Ask<'_>, at: &Key, cast: Option<LinkedKind>) -> Handled {
    let (role, after) = (key(at)?, render::after(&ask)?);
    let Ask { app, viewer, query, is_advanced, .. } = &ask;
    let seen = app.service.list_role_members(viewer, role, cast, query, *is_advanced, after.as_ref())??;
    objects(&ask, seen, cast)
}

pub(super) async fn add(ask: Ask<'_>, at: &Key) -> Handled {
    let principal = reference_of(&ask)?;
    ask.app.service.add_role_member(ask.viewer, key(at)?, principal, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn remove(ask: Ask<'_>, at: &Key, part: Option<&str>) -> Handled {
    ask.app.service.remove_role_member(ask.viewer, key(at)?, object(part)?, ask.moment).await??;
    Ok(Answer::NoContent)
}

/// The directory roles among what an object is a member of.
pub(super) fn held(ask: &Ask<'_>, at: &Key, who: Who, is_transitive: bool) -> Handled {
    let roles = ask.app.service.list_held_roles(ask.viewer, &holder(ask, who, at)?, is_transitive)??;
    ask.serves(&["$select"])?;
    let values = roles.iter().map(|role| applications::selected(ask, body(ask.viewer.tenant, role)));
    let values = values.collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "directoryRoles", values, None, None)))
}
