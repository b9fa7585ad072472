//! `/oauth2PermissionGrants`: agreements to delegated permissions (Graph: oAuth2PermissionGrant).

use super::applications::{invalid, object, selected};
use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, conditions, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::consent_change;
use domain::id::UserId;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::applications::ApplicationRefusal;
use service::consents::{ConsentFilter, ConsentRow, NewConsent, Whose};
use standards::odata::path::Key;
use uuid::Uuid;

const SET: &str = "oauth2PermissionGrants";

fn key(key: &Key) -> Result<Uuid, GraphError> {
    match key {
        Key::Single(text) => Uuid::parse_str(text).map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

fn body(row: &ConsentRow) -> Map<String, Value> {
    object(json!({
        "clientId": row.client.to_string(),
        "consentType": if row.principal.is_some() { "Principal" } else { "AllPrincipals" },
        "id": row.id.to_string(),
        "principalId": row.principal.map(|user| user.to_string()),
        "resourceId": row.resource.to_string(),
        "scope": row.scopes.join(" "),
    }))
}

fn entity(ask: &Ask<'_>, row: &ConsentRow) -> Result<Value, GraphError> {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, SET, true).into());
    entity.extend(body(row));
    selected(ask, entity)
}

fn filter(ask: &Ask<'_>) -> Result<ConsentFilter, GraphError> {
    let mut filter = ConsentFilter::default();
    let mut consent_type = None;
    for condition in conditions::read(ask)? {
        match condition.name {
            "clientId" => condition.put(&mut filter.client, condition.id()?)?,
            "consentType" => condition.put(&mut consent_type, condition.text()?)?,
            "principalId" => condition.put(&mut filter.principal, Some(UserId::new(condition.id()?)))?,
            "resourceId" => condition.put(&mut filter.resource, condition.id()?)?,
            _ => return Err(condition.unsupported()),
        }
    }
    match consent_type {
        None => {}
        Some("Principal") => filter.is_of_users = true,
        // Those cover everybody, so beside a user's id the condition fits nothing.
        Some("AllPrincipals") if filter.principal.is_none() => filter.principal = Some(None),
        Some(_) => filter.client = Some(Uuid::nil()),
    }
    Ok(filter)
}

pub(super) fn list(ask: &Ask<'_>, whose: &Whose) -> Handled {
    let (after, filter) = (render::after(ask)?, filter(ask)?);
    let found = ask.app.service.list_consents(ask.viewer, whose, filter, ask.query.top, after.as_ref())??;
    ask.serves(&["$filter", "$select", "$skiptoken", "$top"])?;
    let values = found.items.iter().map(|row| selected(ask, body(row))).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, SET, values, found.next, None)))
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let row = ask.app.service.find_consent(ask.viewer, key(at)?)??;
    ask.serves(&["$select"])?;
    Ok(Answer::Json(StatusCode::OK, entity(ask, &row)?))
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    const NAMES: [&str; 5] = ["clientId", "consentType", "principalId", "resourceId", "scope"];
    let reader = Reader::new(&ask.body, &NAMES)?;
    let id = |name: &'static str| -> Result<Uuid, GraphError> {
        let id = reader.text(name)?.and_then(|id| Uuid::parse_str(&id).ok());
        id.ok_or_else(|| invalid(name, "Give the id of a service principal."))
    };
    let (consent_type, principal) = (reader.text("consentType")?, reader.text("principalId")?);
    let principal = consent_change::principal(consent_type.as_deref(), principal.as_deref());
    let new = NewConsent {
        client: id("clientId")?,
        principal: principal.map_err(problem)?,
        resource: id("resourceId")?,
        scope: reader.text("scope")?.unwrap_or_default(),
    };
    let row = ask.app.service.create_consent(ask.viewer, new, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &row)?))
}

/// A body that the service never saw: the refusal is recorded here.
fn problem(refusal: ApplicationRefusal) -> GraphError {
    match refusal {
        ApplicationRefusal::Invalid { property, problem } => invalid(property, problem),
        other => other.into(),
    }
}

pub(super) async fn patch(ask: Ask<'_>, at: &Key) -> Handled {
    const FIXED: [&str; 5] = ["clientId", "consentType", "id", "principalId", "resourceId"];
    let reader = Reader::new(&ask.body, &[&FIXED[..], &["scope"]].concat())?;
    if let Some(name) = FIXED.iter().find(|name| reader.has(name)) {
        return Err(ChangeRefusal::ReadOnly((*name).to_owned()).into());
    }
    let scope = reader.text("scope")?.ok_or_else(|| invalid("scope", "A value is required."))?;
    ask.app.service.update_consent(ask.viewer, key(at)?, scope, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    ask.app.service.delete_consent(ask.viewer, key(at)?, ask.moment).await??;
    Ok(Answer::NoContent)
}
