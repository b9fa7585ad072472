//! `/roleManagement/directory`: definitions of roles and who holds them (Graph: unifiedRoleDefinition,
//! unifiedRoleAssignment). Definitions are the built-in ones; assignments hold in the whole tenant.

use super::body::Reader;
use super::directory_roles::{chosen, entity};
use super::error::GraphError;
use super::groups::Shown;
use super::{Answer, Ask, Handled, applications, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::query;
use domain::directory::role::{self, RoleAssignment, RoleTemplate};
use domain::directory::role_query;
use domain::id::RoleTemplateId;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::directory::DirectoryRefusal;
use service::roles::AssignmentPage;
use standards::odata::path::Key;
use uuid::Uuid;

const DEFINITIONS: &str = "roleManagement/directory/roleDefinitions";
const ASSIGNMENTS: &str = "roleManagement/directory/roleAssignments";

/// The scope of every assignment: the tenant.
const TENANT: &str = "/";

fn definition(role: &RoleTemplate) -> Map<String, Value> {
    applications::object(json!({
        "id": role.id.to_string(),
        "description": role.description,
        "displayName": role.name,
        "isBuiltIn": true,
        "isEnabled": true,
        "resourceScopes": [TENANT],
        // What a role permits here is not put into Microsoft's names of actions.
        "rolePermissions": [],
        "templateId": role.id.to_string(),
        "version": "1",
    }))
}

pub(super) fn list_definitions(ask: &Ask<'_>) -> Handled {
    ask.app.service.may_read_roles(ask.viewer)?;
    ask.serves(&["$filter", "$select", "$top"])?;
    let mut values = chosen(ask, role::ALL, definition)?;
    values.truncate(ask.query.top.and_then(|top| usize::try_from(top).ok()).unwrap_or(usize::MAX));
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, DEFINITIONS, values, None, None)))
}

pub(super) fn get_definition(ask: &Ask<'_>, at: &Key) -> Handled {
    ask.app.service.may_read_roles(ask.viewer)?;
    ask.serves(&["$select"])?;
    let Key::Single(id) = at else { return Err(GraphError::NotFound) };
    let found = id.parse().ok().and_then(role::find).ok_or(GraphError::NotFound)?;
    Ok(Answer::Json(StatusCode::OK, entity(ask, DEFINITIONS, definition(&found))?))
}

/// What is asked to stand in each assignment.
#[derive(Clone, Copy, Default)]
struct Expanded {
    principal: bool,
    definition: bool,
}

fn expanded(ask: &Ask<'_>) -> Result<Expanded, GraphError> {
    let mut expanded = Expanded::default();
    for name in ask.query.expand.iter().flat_map(|names| names.split(',')) {
        match name.trim() {
            "principal" => expanded.principal = true,
            "roleDefinition" => expanded.definition = true,
            _ => {
                return Err(GraphError::Query(
                    "Role assignments expand 'principal' and 'roleDefinition', without options.".to_owned(),
                ));
            }
        }
    }
    Ok(expanded)
}

fn assignment(assignment: &RoleAssignment) -> Map<String, Value> {
    applications::object(json!({
        "id": assignment.id(),
        "principalId": assignment.principal.to_string(),
        "directoryScopeId": TENANT,
        "roleDefinitionId": assignment.role.to_string(),
    }))
}

/// The assignments of a page with what is expanded in them.
fn values(ask: &Ask<'_>, page: &AssignmentPage, expanded: Expanded) -> Result<Vec<Value>, GraphError> {
    let shown = Shown::new(page.seen, &page.tenant, None)?;
    let one = |(held, principal): &(RoleAssignment, Option<_>)| {
        let mut body = applications::object(applications::selected(ask, assignment(held))?);
        if let Some(principal) = principal {
            body.insert("principal".to_owned(), shown.value(principal));
        }
        if let Some(role) = role::find(held.role).filter(|_| expanded.definition) {
            body.insert("roleDefinition".to_owned(), definition(&role).into());
        }
        Ok(Value::Object(body))
    };
    page.items.iter().map(one).collect()
}

pub(super) fn list(ask: &Ask<'_>) -> Handled {
    let service = &ask.app.service;
    service.may_read_roles(ask.viewer)?;
    ask.serves(&["$expand", "$filter", "$select", "$skiptoken", "$top"])?;
    let (expanded, after) = (expanded(ask)?, render::after(ask)?);
    let wanted = role_query::assignments(ask.query.filter.as_ref()).map_err(DirectoryRefusal::Query)?;
    let top = ask.query.top.unwrap_or(query::PAGE);
    let page =
        service.list_role_assignments(ask.viewer, &wanted, expanded.principal, top, after.as_ref())??;
    let values = values(ask, &page, expanded)?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, ASSIGNMENTS, values, page.next, None)))
}

/// The id that an address names.
fn id(at: &Key) -> Result<&str, GraphError> {
    match at {
        Key::Single(id) => Ok(id),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let expanded = expanded(ask)?;
    let page = ask.app.service.find_role_assignment(ask.viewer, id(at)?, expanded.principal)??;
    ask.serves(&["$expand", "$select"])?;
    let found = values(ask, &page, expanded)?.pop().map(applications::object).ok_or(GraphError::NotFound)?;
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(ask, ASSIGNMENTS, true).into());
    body.extend(found);
    Ok(Answer::Json(StatusCode::OK, body.into()))
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let known = ["appScopeId", "condition", "directoryScopeId", "principalId", "roleDefinitionId"];
    let reader = Reader::new(&ask.body, &known)?;
    let uuid = |name: &'static str| -> Result<Uuid, GraphError> {
        let text = reader.text(name)?.ok_or(ChangeRefusal::Missing(name))?;
        Uuid::parse_str(&text).map_err(|_| ChangeRefusal::Invalid(name.to_owned()).into())
    };
    let (principal, role) = (uuid("principalId")?, RoleTemplateId::new(uuid("roleDefinitionId")?));
    for name in ["appScopeId", "condition"] {
        if reader.has(name) {
            return Err(applications::invalid(name, "It is not supported here yet."));
        }
    }
    let scope = reader.text("directoryScopeId")?.ok_or(ChangeRefusal::Missing("directoryScopeId"))?;
    if scope != TENANT {
        return Err(applications::invalid(
            "directoryScopeId",
            "Only '/' is supported here yet: a role holds in the whole tenant.",
        ));
    }
    ask.serves(&[])?;
    let given = ask.app.service.assign_role(ask.viewer, role, principal, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, ASSIGNMENTS, assignment(&given))?))
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    ask.app.service.unassign_role(ask.viewer, id(at)?, ask.moment).await??;
    Ok(Answer::NoContent)
}
