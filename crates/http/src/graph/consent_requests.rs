//! `/policies/adminConsentRequestPolicy` and `/identityGovernance/appConsent`: who may be asked for approval, and who asked
//! (Graph: adminConsentRequestPolicy, appConsentRequest, userConsentRequest).

use super::applications::{invalid, object, selected};
use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, render};
use domain::id::AppId;
use domain::issuance::consent_request::{Policy, REVIEWERS, Reviewer};
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::consent_requests::{AskedApp, AskedBy};
use standards::odata::path::Key;
use uuid::Uuid;

const POLICY: &str = "policies/adminConsentRequestPolicy";
const APPS: &str = "identityGovernance/appConsent/appConsentRequests";
const NAMES: [&str; 6] =
    ["isEnabled", "notifyReviewers", "remindersEnabled", "requestDurationInDays", "reviewers", "version"];

fn policy(policy: &Policy) -> Map<String, Value> {
    let scope = |reviewer: &Reviewer| json!({ "query": reviewer.query(), "queryRoot": null, "queryType": "MicrosoftGraph" });
    object(json!({
        "id": "adminConsentRequestPolicy",
        "isEnabled": policy.is_enabled,
        "notifyReviewers": policy.notify_reviewers,
        "remindersEnabled": policy.reminders_enabled,
        "requestDurationInDays": policy.request_days,
        "reviewers": policy.reviewers.iter().map(scope).collect::<Vec<_>>(),
        "version": policy.version,
    }))
}

fn entity(ask: &Ask<'_>, set: &str, body: Map<String, Value>) -> Handled {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, set, true).into());
    entity.extend(body);
    Ok(Answer::Json(StatusCode::OK, selected(ask, entity)?))
}

pub(super) fn get_policy(ask: &Ask<'_>) -> Handled {
    let tenant = ask.app.service.consent_request_policy(ask.viewer)??;
    ask.serves(&["$select"])?;
    entity(ask, POLICY, policy(&tenant.settings.consent_requests))
}

pub(super) async fn put_policy(ask: Ask<'_>) -> Handled {
    let policy = read(&ask.body)?;
    ask.app.service.update_consent_request_policy(ask.viewer, policy, ask.moment).await??;
    Ok(Answer::NoContent)
}

/// The whole policy: what is not named is as it is by default. `id` and `version` may be sent back as they were read.
fn read(body: &Map<String, Value>) -> Result<Policy, GraphError> {
    let reader = Reader::new(body, &[&NAMES[..], &["id"]].concat())?;
    let before = Policy::default();
    let is_enabled = reader.flag("isEnabled")?;
    let days = reader.number("requestDurationInDays")?.unwrap_or(before.request_days);
    if !(1..=60).contains(&days) {
        return Err(invalid("requestDurationInDays", "Give a number from 1 to 60."));
    }
    reader.number("version")?;
    let mut reviewers = Vec::new();
    for scope in reader.objects("reviewers")?.unwrap_or_default() {
        let scope = Reader::new(scope, &["query", "queryRoot", "queryType", "reviewerId", "scopeType"])?;
        if scope.text("queryType")?.is_some_and(|kind| kind != "MicrosoftGraph") {
            return Err(invalid("queryType", "Give 'MicrosoftGraph'."));
        }
        let reviewer = scope.text("query")?.and_then(|query| Reviewer::parse(&query));
        let reviewer = reviewer.ok_or_else(|| {
            invalid(
                "query",
                "Give '/users/{id}', '/groups/{id}/transitiveMembers/microsoft.graph.user' or \
                 '/roleManagement/directory/roleAssignments?$filter=roleDefinitionId eq '{id}''.",
            )
        })?;
        if !reviewers.contains(&reviewer) {
            reviewers.push(reviewer);
        }
    }
    if reviewers.len() > REVIEWERS {
        return Err(invalid("reviewers", "Give at most 50."));
    }
    Ok(Policy {
        is_enabled: is_enabled.ok_or_else(|| invalid("isEnabled", "A value is required."))?,
        notify_reviewers: reader.flag("notifyReviewers")?.unwrap_or(before.notify_reviewers),
        reminders_enabled: reader.flag("remindersEnabled")?.unwrap_or(before.reminders_enabled),
        request_days: days,
        reviewers,
        version: 0,
    })
}

fn app(asked: &AskedApp) -> Map<String, Value> {
    object(json!({
        "id": asked.app.to_string(),
        "appDisplayName": asked.name,
        "appId": asked.app.to_string(),
        "pendingScopes": asked.pending.iter().map(|name| json!({ "displayName": name })).collect::<Vec<_>>(),
    }))
}

fn request(ask: &Ask<'_>, asked: &AskedBy) -> Map<String, Value> {
    let AskedBy { request, display_name } = asked;
    let body = object(json!({
        "id": request.id.to_string(),
        "approvalId": null,
        "completedDateTime": request.decision.as_ref().map(|decision| render::time(decision.at)),
        "createdBy": { "user": { "id": request.user.to_string(), "displayName": display_name } },
        "createdDateTime": render::time(request.created_at),
        "customData": null,
        "reason": request.reason,
        "status": request.status(ask.moment.now).as_str(),
    }));
    render::typed("userConsentRequest", body)
}

fn key(key: &Key) -> Result<AppId, GraphError> {
    match key {
        Key::Single(text) => text.parse().map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

pub(super) fn list_apps(ask: &Ask<'_>) -> Handled {
    let after = render::after(ask)?;
    let found =
        ask.app.service.list_asked_apps(ask.viewer, ask.query.top, after.as_ref(), ask.moment.now)??;
    ask.serves(&["$select", "$skiptoken", "$top"])?;
    let values = found.items.iter().map(|asked| selected(ask, app(asked))).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, APPS, values, found.next, None)))
}

pub(super) fn get_app(ask: &Ask<'_>, at: &Key) -> Handled {
    let found = ask.app.service.find_asked_app(ask.viewer, key(at)?, ask.moment.now)??;
    ask.serves(&["$select"])?;
    entity(ask, APPS, app(&found))
}

pub(super) fn list_requests(ask: &Ask<'_>, at: &Key) -> Handled {
    let (after, app) = (render::after(ask)?, key(at)?);
    let found = ask.app.service.list_consent_requests(ask.viewer, app, ask.query.top, after.as_ref())??;
    ask.serves(&["$select", "$skiptoken", "$top"])?;
    let values =
        found.items.iter().map(|asked| selected(ask, request(ask, asked))).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, &set(app), values, found.next, None)))
}

pub(super) fn get_request(ask: &Ask<'_>, at: &Key, part: Option<&str>) -> Handled {
    let (app, id) = (key(at)?, part.and_then(|id| Uuid::parse_str(id).ok()).ok_or(GraphError::NotFound)?);
    let found = ask.app.service.find_consent_request(ask.viewer, app, id)??;
    ask.serves(&["$select"])?;
    entity(ask, &set(app), request(ask, &found))
}

fn set(app: AppId) -> String {
    format!("{APPS}('{app}')/userConsentRequests")
}
