//! `/servicePrincipals` (Graph: servicePrincipal).

use super::applications::{self, check_unserved, invalid, object, selected};
use super::body::Reader;
use super::error::GraphError;
use super::expand::{self, Expansion};
use super::{Answer, Ask, Handled, render};
use domain::directory::application::Platform;
use domain::directory::change::ChangeRefusal;
use domain::id::AppId;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::applications::{Among, InstanceChange, InstanceKey, InstanceRow};
use service::expand::Reached;
use standards::odata::path::Key;

/// Properties that come from the registration, or that only the server writes.
const READ_ONLY: &[&str] =
    &["appDisplayName", "appOwnerOrganizationId", "createdDateTime", "deletedDateTime", "id"];

/// Graph's properties that nothing here acts on.
const UNSERVED: &[&str] = &[
    "addIns",
    "appRoles",
    "customSecurityAttributes",
    "displayName",
    "homepage",
    "info",
    "keyCredentials",
    "logoutUrl",
    "notificationEmailAddresses",
    "oauth2PermissionScopes",
    "passwordCredentials",
    "preferredSingleSignOnMode",
    "preferredTokenSigningKeyThumbprint",
    "replyUrls",
    "samlSingleSignOnSettings",
    "servicePrincipalNames",
    "tags",
    "tokenEncryptionKeyId",
];

pub(super) fn key(key: &Key) -> Result<InstanceKey, GraphError> {
    match key {
        Key::Single(text) => text.parse().map(InstanceKey::Id).map_err(|_| GraphError::NotFound),
        Key::Named(name, text) if name == "appId" => {
            text.parse().map(InstanceKey::AppId).map_err(|_| GraphError::NotFound)
        }
        Key::Named(..) | Key::None => Err(GraphError::NotFound),
    }
}

pub(super) fn body(row: &InstanceRow) -> Map<String, Value> {
    let (instance, app, details) = (&row.instance, &row.registration, &row.instance.details);
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
        "addIns": [],
        "alternativeNames": details.alternative_names,
        "appDescription": app.description,
        "appDisplayName": app.display_name,
        "appId": app.app_id.to_string(),
        "appOwnerOrganizationId": app.owner.map(|owner| owner.to_string()),
        "appRoleAssignmentRequired": instance.is_assignment_required,
        "appRoles": applications::roles(&app.roles),
        "applicationTemplateId": null,
        "description": details.description,
        "disabledByMicrosoftStatus": null,
        "displayName": app.display_name,
        "homepage": app.home_page_url,
        "info": applications::information(&app.info),
        "keyCredentials": [],
        "loginUrl": details.login_url,
        "logoutUrl": app.logout_url,
        "notes": details.notes,
        "notificationEmailAddresses": [],
        "oauth2PermissionScopes": applications::scopes(&app.scopes),
        "passwordCredentials": applications::secrets(&instance.secrets),
        "preferredSingleSignOnMode": null,
        "replyUrls": replies,
        "resourceSpecificApplicationPermissions": [],
        "servicePrincipalNames": names,
        "servicePrincipalType": "Application",
        "signInAudience": app.audience.as_str(),
        "tags": app.tags,
        "tokenEncryptionKeyId": null,
    });
    match value {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

fn entity(ask: &Ask<'_>, row: &InstanceRow) -> Result<Value, GraphError> {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, "servicePrincipals", true).into());
    entity.extend(body(row));
    selected(ask, entity)
}

pub(super) async fn add_password(ask: Ask<'_>, at: &Key) -> Handled {
    let new = applications::new_secret(&ask)?;
    let made = ask.app.service.add_instance_password(ask.viewer, key(at)?, new, ask.moment).await??;
    Ok(applications::made_secret(&ask, &made))
}

pub(super) async fn remove_password(ask: Ask<'_>, at: &Key) -> Handled {
    let id = applications::secret_id(&ask)?;
    ask.app.service.remove_instance_password(ask.viewer, key(at)?, id, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) fn list(ask: Ask<'_>) -> Handled {
    let (after, expansion) = (render::after(&ask)?, Expansion::of_service_principals(&ask)?);
    let Ask { app, viewer, is_advanced, .. } = &ask;
    let query = ask.query.unexpanded();
    let page = app.service.list_service_principals(
        viewer,
        &query,
        *is_advanced,
        after.as_ref(),
        Among::Living,
    )??;
    let with_id = |row: &InstanceRow| -> Result<_, GraphError> {
        Ok((row.instance.id.uuid(), object(selected(&ask, body(row))?)))
    };
    let mut rows = page.items.iter().map(with_id).collect::<Result<Vec<_>, _>>()?;
    expand::fill(&ask, expansion, Reached::ServicePrincipals, &mut rows)?;
    let values = rows.into_iter().map(|(_, row)| row.into()).collect();
    let body = render::collection(&ask, "servicePrincipals", values, page.next, page.count);
    Ok(Answer::Json(StatusCode::OK, body))
}

pub(super) fn count(ask: Ask<'_>) -> Handled {
    Ok(Answer::Count(ask.app.service.count_service_principals(ask.viewer, &ask.query, ask.is_advanced)??))
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let row = ask.app.service.find_service_principal(ask.viewer, key(at)?)??;
    ask.serves(&["$expand", "$select"])?;
    let expansion = Expansion::of_service_principals(ask)?;
    let mut found = [(row.instance.id.uuid(), object(entity(ask, &row)?))];
    expand::fill(ask, expansion, Reached::ServicePrincipals, &mut found)?;
    let [(_, body)] = found;
    Ok(Answer::Json(StatusCode::OK, body.into()))
}

/// What a tenant writes about an instance.
const WRITTEN: &[&str] =
    &["accountEnabled", "alternativeNames", "appRoleAssignmentRequired", "description", "loginUrl", "notes"];

/// Reads what a tenant decides about an instance; `named` are read by the caller.
fn change<'a>(
    body: &'a Map<String, Value>,
    named: &[&'static str],
) -> Result<(Reader<'a>, InstanceChange), GraphError> {
    let known = [named, WRITTEN, READ_ONLY, UNSERVED].concat();
    let reader = Reader::new(body, &known)?;
    if let Some(name) = READ_ONLY.iter().find(|name| reader.has(name)) {
        return Err(ChangeRefusal::ReadOnly((*name).to_owned()).into());
    }
    check_unserved(body, UNSERVED)?;
    // A null, or an empty text, takes away what was there.
    let text = |name: &'static str| -> Result<Option<Option<String>>, GraphError> {
        let text = reader.text(name)?.filter(|text| !text.is_empty());
        Ok(body.contains_key(name).then_some(text))
    };
    let change = InstanceChange {
        is_enabled: reader.flag("accountEnabled")?,
        is_assignment_required: reader.flag("appRoleAssignmentRequired")?,
        alternative_names: match body.contains_key("alternativeNames") {
            true => Some(reader.texts("alternativeNames")?.unwrap_or_default()),
            false => None,
        },
        description: text("description")?,
        login_url: text("loginUrl")?,
        notes: text("notes")?,
    };
    Ok((reader, change))
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let (reader, first) = change(&ask.body, &["appId"])?;
    let app_id = reader.text("appId")?.and_then(|id| id.parse::<AppId>().ok());
    let app_id = app_id.ok_or_else(|| invalid("appId", "Give the appId of an application."))?;
    let row = ask.app.service.create_service_principal(ask.viewer, app_id, first, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &row)?))
}

pub(super) async fn patch(ask: Ask<'_>, at: &Key) -> Handled {
    let (_, change) = change(&ask.body, &[])?;
    ask.app.service.update_service_principal(ask.viewer, key(at)?, change, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    ask.app.service.delete_service_principal(ask.viewer, key(at)?, ask.moment).await??;
    Ok(Answer::NoContent)
}
