//! `/organization` and `/domains`.

use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::permission::Visibility;
use domain::tenancy::tenant::{Tenant, TenantDomain};
use http::StatusCode;
use serde_json::{Map, Value, json};
use standards::odata::path::Key;

fn value(tenant: &Tenant, visibility: Visibility, select: Option<&[String]>) -> Value {
    let domains: Vec<Value> = tenant
        .domains
        .iter()
        .filter(|domain| domain.is_verified)
        .map(|domain| {
            json!({
                "capabilities": "Email, OfficeCommunicationsOnline",
                "isDefault": domain.is_default,
                "isInitial": domain.is_initial,
                "name": domain.name.as_str(),
                "type": "Managed",
            })
        })
        .collect();
    let mut body = Map::new();
    body.insert("id".to_owned(), tenant.id.to_string().into());
    body.insert("displayName".to_owned(), tenant.display_name.clone().into());
    body.insert("verifiedDomains".to_owned(), domains.into());
    if visibility == Visibility::Full {
        let settings = &tenant.settings;
        body.insert("deletedDateTime".to_owned(), Value::Null);
        body.insert("createdDateTime".to_owned(), render::time(tenant.created_at).into());
        body.insert("tenantType".to_owned(), "AAD".into());
        body.insert("countryLetterCode".to_owned(), settings.country.clone().into());
        body.insert("preferredLanguage".to_owned(), settings.preferred_language.clone().into());
        body.insert(
            "technicalNotificationMails".to_owned(),
            settings.technical_notification_mails.clone().into(),
        );
        let privacy = settings.privacy_statement_url.as_ref();
        let privacy = privacy.map_or(Value::Null, |url| json!({ "contactEmail": null, "statementUrl": url }));
        body.insert("privacyProfile".to_owned(), privacy);
        body.insert("onPremisesSyncEnabled".to_owned(), Value::Null);
        body.insert("businessPhones".to_owned(), json!([]));
    }
    selected(body, select)
}

/// Keeps the selected properties; all of them without a selection.
pub(super) fn selected(body: Map<String, Value>, select: Option<&[String]>) -> Value {
    let is_wanted =
        |name: &str| select.is_none_or(|names| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)));
    Value::Object(body.into_iter().filter(|(name, _)| name.starts_with('@') || is_wanted(name)).collect())
}

pub(super) fn list(ask: &Ask<'_>) -> Handled {
    let (tenant, visibility) = ask.app.service.organization(ask.viewer)??;
    let values = vec![value(&tenant, visibility, ask.query.select.as_deref())];
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "organization", values, None, None)))
}

/// Another organisation's id is plainly not found (R21).
pub(super) fn is_own(ask: &Ask<'_>, key: &Key) -> Result<(), GraphError> {
    match key {
        Key::Single(id) if id.eq_ignore_ascii_case(&ask.viewer.tenant.to_string()) => Ok(()),
        Key::None | Key::Named(..) | Key::Single(_) => Err(GraphError::NotFound),
    }
}

pub(super) fn get(ask: &Ask<'_>, key: &Key) -> Handled {
    let (tenant, visibility) = ask.app.service.organization(ask.viewer)??;
    is_own(ask, key)?;
    let Value::Object(found) = value(&tenant, visibility, ask.query.select.as_deref()) else {
        return Err(GraphError::NotFound);
    };
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(ask, "organization", true).into());
    body.extend(found);
    Ok(Answer::Json(StatusCode::OK, body.into()))
}

pub(super) async fn patch(ask: Ask<'_>, key: &Key) -> Handled {
    let reader = Reader::new(
        &ask.body,
        &["displayName", "privacyProfile", "technicalNotificationMails", "preferredLanguage"],
    )?;
    let name = reader.text("displayName")?;
    if name.as_ref().is_some_and(|name| name.trim().is_empty() || name.chars().count() > 256) {
        return Err(ChangeRefusal::Invalid("displayName".to_owned()).into());
    }
    let mails = reader.texts("technicalNotificationMails")?;
    let language = reader.text("preferredLanguage")?;
    let privacy = match reader.object("privacyProfile")? {
        None => None,
        Some(profile) => Some(Reader::new(profile, &["contactEmail", "statementUrl"])?.text("statementUrl")?),
    };
    let is_web = |url: &String| {
        url.len() <= 255 && url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
    };
    if privacy.as_ref().and_then(Option::as_ref).is_some_and(|url| !is_web(url)) {
        return Err(ChangeRefusal::Invalid("privacyProfile".to_owned()).into());
    }
    is_own(&ask, key)?;
    let change = move |tenant: &mut Tenant| {
        if let Some(name) = &name {
            tenant.display_name.clone_from(name);
        }
        if let Some(mails) = &mails {
            tenant.settings.technical_notification_mails.clone_from(mails);
        }
        if let Some(language) = &language {
            tenant.settings.preferred_language = Some(language.clone());
        }
        if let Some(url) = &privacy {
            tenant.settings.privacy_statement_url.clone_from(url);
        }
        Ok(())
    };
    ask.app.service.update_organization(ask.viewer, change, ask.moment).await??;
    Ok(Answer::NoContent)
}

fn domain(domain: &TenantDomain) -> Map<String, Value> {
    let Value::Object(body) = json!({
        "authenticationType": "Managed",
        "availabilityStatus": null,
        "id": domain.name.as_str(),
        "isAdminManaged": true,
        "isDefault": domain.is_default,
        "isInitial": domain.is_initial,
        "isRoot": true,
        "isVerified": domain.is_verified,
        "supportedServices": ["Email"],
        "passwordValidityPeriodInDays": null,
        "passwordNotificationWindowInDays": null,
        "state": null,
    }) else {
        return Map::new();
    };
    body
}

pub(super) fn list_domains(ask: &Ask<'_>) -> Handled {
    let tenant = ask.app.service.domains(ask.viewer)??;
    let values =
        tenant.domains.iter().map(|found| selected(domain(found), ask.query.select.as_deref())).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "domains", values, None, None)))
}

pub(super) fn get_domain(ask: &Ask<'_>, key: &Key) -> Handled {
    let tenant = ask.app.service.domains(ask.viewer)??;
    let Key::Single(name) = key else { return Err(GraphError::NotFound) };
    let found = tenant.domains.iter().find(|domain| domain.name.as_str().eq_ignore_ascii_case(name));
    let found = found.ok_or(GraphError::NotFound)?;
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(ask, "domains", true).into());
    body.extend(domain(found));
    Ok(Answer::Json(StatusCode::OK, selected(body, ask.query.select.as_deref())))
}
