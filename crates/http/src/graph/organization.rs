//! `/organization` and `/domains`.

use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, applications, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::permission::Visibility;
use domain::tenancy::tenant::{Tenant, TenantDomain};
use http::StatusCode;
use serde_json::{Map, Value, json};
use standards::odata::path::Key;

/// What every caller sees; the rest is for readers of the directory.
const BASIC: &[&str] = &["displayName", "id", "verifiedDomains"];

const SIZE: &str = "directorySizeQuota";

/// Selected from all properties, so that one that this caller may not see is left out like on a user, and one that there
/// is not is refused.
pub(super) fn value(
    ask: &Ask<'_>,
    tenant: &Tenant,
    visibility: Visibility,
) -> Result<Map<String, Value>, GraphError> {
    let domain = |domain: &TenantDomain| {
        json!({
            "capabilities": "Email, OfficeCommunicationsOnline",
            "isDefault": domain.is_default,
            "isInitial": domain.is_initial,
            "name": domain.name.as_str(),
            "type": "Managed",
        })
    };
    let domains = tenant.domains.iter().filter(|domain| domain.is_verified).map(domain);
    let settings = &tenant.settings;
    let privacy = settings.privacy_statement_url.as_ref();
    let all = applications::object(json!({
        "id": tenant.id.to_string(),
        "deletedDateTime": null,
        "assignedPlans": [],
        "businessPhones": [],
        "city": null,
        "country": null,
        "countryLetterCode": settings.country,
        "createdDateTime": render::time(tenant.created_at),
        "defaultUsageLocation": null,
        "displayName": tenant.display_name,
        "marketingNotificationEmails": [],
        "onPremisesLastSyncDateTime": null,
        "onPremisesSyncEnabled": null,
        "partnerTenantType": null,
        "postalCode": null,
        "preferredLanguage": settings.preferred_language,
        "privacyProfile": privacy.map(|url| json!({ "contactEmail": null, "statementUrl": url })),
        "provisionedPlans": [],
        "securityComplianceNotificationMails": [],
        "securityComplianceNotificationPhones": [],
        "state": null,
        "street": null,
        "technicalNotificationMails": settings.technical_notification_mails,
        "tenantType": "AAD",
        "verifiedDomains": domains.collect::<Vec<_>>(),
    }));
    // Only where it is asked for, as on Graph: it is counted, not kept with the rest.
    let mut all = all;
    let asks_size = |name: &String| name.eq_ignore_ascii_case(SIZE);
    if ask.query.select.as_ref().is_some_and(|names| names.iter().any(asks_size)) {
        let (used, total) = ask.app.service.directory_size(tenant.id, ask.moment.now)?;
        all.insert(SIZE.to_owned(), json!({ "used": used, "total": total }));
    }
    let mut seen = applications::object(applications::selected(ask, all)?);
    seen.retain(|name, _| visibility == Visibility::Full || BASIC.contains(&name.as_str()));
    Ok(seen)
}

/// Keeps the selected properties; all of them without a selection.
pub(super) fn selected(body: Map<String, Value>, select: Option<&[String]>) -> Value {
    let is_wanted =
        |name: &str| select.is_none_or(|names| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)));
    Value::Object(body.into_iter().filter(|(name, _)| name.starts_with('@') || is_wanted(name)).collect())
}

pub(super) fn list(ask: &Ask<'_>) -> Handled {
    let (tenant, visibility) = ask.app.service.organization(ask.viewer)??;
    ask.serves(&["$select"])?;
    let values = vec![value(ask, &tenant, visibility)?.into()];
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
    ask.serves(&["$select"])?;
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(ask, "organization", true).into());
    body.extend(value(ask, &tenant, visibility)?);
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
    applications::object(json!({
        "authenticationType": "Managed",
        "availabilityStatus": null,
        "id": domain.name.as_str(),
        "isAdminManaged": true,
        "isDefault": domain.is_default,
        "isInitial": domain.is_initial,
        "isRoot": true,
        "isVerified": domain.is_verified,
        "manufacturer": null,
        "model": null,
        "supportedServices": ["Email"],
        "passwordValidityPeriodInDays": null,
        "passwordNotificationWindowInDays": null,
        "state": null,
    }))
}

pub(super) fn list_domains(ask: &Ask<'_>) -> Handled {
    let tenant = ask.app.service.domains(ask.viewer)??;
    ask.serves(&["$select"])?;
    let found = tenant.domains.iter().map(|found| applications::selected(ask, domain(found)));
    let values = found.collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, "domains", values, None, None)))
}

pub(super) fn get_domain(ask: &Ask<'_>, key: &Key) -> Handled {
    let tenant = ask.app.service.domains(ask.viewer)??;
    ask.serves(&["$select"])?;
    let Key::Single(name) = key else { return Err(GraphError::NotFound) };
    let found = tenant.domains.iter().find(|domain| domain.name.as_str().eq_ignore_ascii_case(name));
    let found = found.ok_or(GraphError::NotFound)?;
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(ask, "domains", true).into());
    body.extend(domain(found));
    Ok(Answer::Json(StatusCode::OK, applications::selected(ask, body)?))
}
