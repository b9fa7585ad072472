//! `/policies/tokenLifetimePolicies`, and the policies of applications and service principals (Graph: tokenLifetimePolicy).

use super::applications::{object, selected};
use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, conditions, groups, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::token_lifetime_policy::{PolicyChange, TokenLifetimePolicy};
use domain::id::PolicyId;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::owners::Owned;
use service::token_lifetime_policies::PolicyFilter;
use standards::odata::path::Key;

const SET: &str = "policies/tokenLifetimePolicies";

fn id(key: &Key) -> Result<PolicyId, GraphError> {
    match key {
        Key::Single(text) => text.parse().map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

fn body(policy: &TokenLifetimePolicy) -> Map<String, Value> {
    object(json!({
        "id": policy.id.to_string(),
        "deletedDateTime": null,
        "definition": [policy.definition],
        "description": policy.description,
        "displayName": policy.display_name,
        "isOrganizationDefault": policy.is_organization_default,
    }))
}

fn entity(ask: &Ask<'_>, policy: &TokenLifetimePolicy) -> Result<Value, GraphError> {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, SET, true).into());
    entity.extend(body(policy));
    selected(ask, entity)
}

fn read(ask: &Ask<'_>) -> Result<PolicyChange, GraphError> {
    const READ_ONLY: [&str; 3] = ["appliesTo", "deletedDateTime", "id"];
    let written = ["definition", "description", "displayName", "isOrganizationDefault"];
    let reader = Reader::new(&ask.body, &[&READ_ONLY[..], &written].concat())?;
    if let Some(name) = READ_ONLY.iter().find(|name| reader.has(name)) {
        return Err(ChangeRefusal::ReadOnly((*name).to_owned()).into());
    }
    let description = match ask.body.contains_key("description") {
        true => Some(reader.text("description")?),
        false => None,
    };
    Ok(PolicyChange {
        display_name: reader.text("displayName")?,
        description,
        definition: reader.texts("definition")?,
        is_organization_default: reader.flag("isOrganizationDefault")?,
    })
}

fn filter(ask: &Ask<'_>) -> Result<PolicyFilter, GraphError> {
    let mut filter = PolicyFilter::default();
    for condition in conditions::read(ask)? {
        match condition.name {
            "displayName" => condition.put(&mut filter.display_name, condition.text()?.to_owned())?,
            "isOrganizationDefault" => {
                condition.put(&mut filter.is_organization_default, condition.flag()?)?;
            }
            _ => return Err(condition.unsupported()),
        }
    }
    Ok(filter)
}

pub(super) fn list(ask: &Ask<'_>) -> Handled {
    let (after, filter, service) = (render::after(ask)?, filter(ask)?, &ask.app.service);
    let found =
        service.list_token_lifetime_policies(ask.viewer, &filter, ask.query.top, after.as_ref())??;
    ask.serves(&["$filter", "$select", "$skiptoken", "$top"])?;
    let values = found.items.iter().map(|one| selected(ask, body(one))).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, SET, values, found.next, None)))
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let found = ask.app.service.find_token_lifetime_policy(ask.viewer, id(at)?)??;
    ask.serves(&["$select"])?;
    Ok(Answer::Json(StatusCode::OK, entity(ask, &found)?))
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let new = read(&ask)?;
    let made = ask.app.service.create_token_lifetime_policy(ask.viewer, new, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &made)?))
}

pub(super) async fn patch(ask: Ask<'_>, at: &Key) -> Handled {
    let change = read(&ask)?;
    ask.app.service.update_token_lifetime_policy(ask.viewer, id(at)?, change, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    ask.app.service.delete_token_lifetime_policy(ask.viewer, id(at)?, ask.moment).await??;
    Ok(Answer::NoContent)
}

/// `appliesTo`
pub(super) fn objects(ask: &Ask<'_>, at: &Key) -> Handled {
    let (after, service) = (render::after(ask)?, &ask.app.service);
    let seen =
        service.objects_of_token_lifetime_policy(ask.viewer, id(at)?, ask.query.top, after.as_ref())??;
    ask.serves(&["$select", "$skiptoken", "$top"])?;
    groups::objects(ask, seen, None)
}

/// The policy of an application or a service principal, as the list of one that it is.
pub(super) fn of(ask: &Ask<'_>, holder: Owned) -> Handled {
    let found = ask.app.service.token_lifetime_policy_of(ask.viewer, holder)??;
    ask.serves(&["$select"])?;
    let values = found.iter().map(|one| selected(ask, body(one))).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, SET, values, None, None)))
}

/// The same as addresses.
pub(super) fn references(ask: &Ask<'_>, holder: Owned) -> Handled {
    let found = ask.app.service.token_lifetime_policy_of(ask.viewer, holder)??;
    ask.serves(&[])?;
    let base = &ask.app.service.settings().base;
    let address =
        |policy: &TokenLifetimePolicy| json!({ "@odata.id": format!("{base}/v1.0/{SET}/{}", policy.id) });
    let values = found.iter().map(address).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "Collection($ref)", values, None, None)))
}

pub(super) async fn assign(ask: Ask<'_>, holder: Owned) -> Handled {
    let policy = groups::reference_among(&ask, &["directoryObjects", "tokenLifetimePolicies"])?;
    let service = &ask.app.service;
    service.assign_token_lifetime_policy(ask.viewer, holder, PolicyId::new(policy), ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn unassign(ask: Ask<'_>, holder: Owned, part: Option<&str>) -> Handled {
    let policy = PolicyId::new(groups::object(part)?);
    ask.app.service.unassign_token_lifetime_policy(ask.viewer, holder, policy, ask.moment).await??;
    Ok(Answer::NoContent)
}
