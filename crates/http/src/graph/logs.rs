//! `/auditLogs`: who signed in and what was changed, in Graph's words (Graph: signIn, directoryAudit).

use super::applications::{object, selected};
use super::conditions::{self, Condition};
use super::error::GraphError;
use super::{Answer, Ask, Handled, render};
use domain::time::{Span, Timestamp};
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::logs::{
    DirectoryFilter, DirectoryRow, During, Names, Order, RecordActorFilter, SignInFilter, SignInRow,
};
use standards::odata::filter::{Expr, Operator};
use standards::odata::path::Key;
use std::collections::BTreeMap;
use uuid::Uuid;

const SIGN_INS: &str = "auditLogs/signIns";
const AUDITS: &str = "auditLogs/directoryAudits";
const OPTIONS: &[&str] = &["$filter", "$orderby", "$select", "$skiptoken", "$top"];

fn key(key: &Key) -> Result<Uuid, GraphError> {
    match key {
        Key::Single(text) => Uuid::parse_str(text).map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

/// Only time orders a log; the newest comes first.
fn is_descending(ask: &Ask<'_>, time: &'static str) -> Result<bool, GraphError> {
    match ask.query.orderby.as_slice() {
        [] => Ok(true),
        [order] if order.path == time => Ok(order.is_descending),
        _ => Err(GraphError::Query(format!("Only '{time}' orders this list."))),
    }
}

fn put_time(condition: &Condition<'_>, during: &mut During) -> Result<(), GraphError> {
    let at = condition.time()?;
    let (from, until) = match condition.operator {
        Operator::Eq => (Some(at), Some(at)),
        Operator::Ge => (Some(at), None),
        Operator::Gt => (Some(at + Span::millis(1)), None),
        Operator::Le => (None, Some(at)),
        Operator::Lt => (None, Some(at - Span::millis(1))),
        Operator::Ne => return Err(condition.unsupported()),
    };
    during.from = during.from.max(from);
    during.until = match (during.until, until) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    Ok(())
}

fn name(names: &BTreeMap<Uuid, String>, id: Option<Uuid>) -> Option<&String> {
    id.and_then(|id| names.get(&id))
}

fn sign_in(ask: &Ask<'_>, row: &SignInRow, names: &Names) -> Map<String, Value> {
    let user = row.user.and_then(|id| names.users.get(&id));
    let tenant = ask.viewer.tenant.uuid();
    let is_interactive = row.kind == "interactiveUser";
    let is_of_application = row.kind == "servicePrincipal";
    // The home's own log: its user went to the partner, which is the resource there, or the client itself.
    let partner = row.resource.or(row.app).filter(|_| row.kind == "partner");
    let resource = row.resource.filter(|_| partner.is_none());
    let id = |id: Option<Uuid>| id.map(|id| id.to_string());
    object(json!({
        "id": row.id.to_string(),
        "createdDateTime": render::time(row.at),
        "userDisplayName": user.map(|(name, _)| name),
        "userPrincipalName": user.map(|(_, name)| name).or(row.user_name.as_ref()),
        // Of nobody known, as on Graph: never null.
        "userId": row.user.unwrap_or_default().to_string(),
        "appId": id(row.app),
        "appDisplayName": name(&names.apps, row.app),
        "ipAddress": row.address,
        "clientAppUsed": is_interactive.then_some("Browser"),
        "userAgent": row.user_agent,
        "correlationId": row.correlation.to_string(),
        "conditionalAccessStatus": "notApplied",
        "appliedConditionalAccessPolicies": [],
        "isInteractive": is_interactive,
        "deviceDetail": null,
        "location": null,
        "riskDetail": "none",
        "riskEventTypes_v2": [],
        "riskLevelAggregated": "none",
        "riskLevelDuringSignIn": "none",
        "riskState": "none",
        "homeTenantId": row.home_tenant.unwrap_or(tenant).to_string(),
        "resourceTenantId": partner.unwrap_or(tenant).to_string(),
        "resourceId": id(resource),
        "resourceDisplayName": name(&names.apps, resource),
        "servicePrincipalId": id(row.service_principal),
        "servicePrincipalName": name(&names.apps, row.app).filter(|_| is_of_application),
        "status": {
            "errorCode": row.error_code,
            "failureReason": match row.error_code {
                0 => "Other.".to_owned(),
                code => format!("AADSTS{code}"),
            },
            "additionalDetails": row.reasons,
        },
    }))
}

fn sign_in_filter(ask: &Ask<'_>) -> Result<SignInFilter, GraphError> {
    let mut filter = SignInFilter::default();
    for condition in conditions::read(ask)? {
        match condition.name {
            "appId" => condition.put(&mut filter.app, condition.id()?)?,
            "correlationId" => condition.put(&mut filter.correlation, condition.id()?)?,
            "createdDateTime" => put_time(&condition, &mut filter.during)?,
            "status/errorCode" => condition.put(&mut filter.error_code, condition.number()?)?,
            "userId" => condition.put(&mut filter.user, condition.id()?)?,
            _ => return Err(condition.unsupported()),
        }
    }
    Ok(filter)
}

pub(super) fn list_sign_ins(ask: &Ask<'_>) -> Handled {
    let (after, filter) = (render::after(ask)?, sign_in_filter(ask)?);
    let is_descending = is_descending(ask, "createdDateTime")?;
    let order = Order { is_descending, after: after.as_ref(), top: ask.query.top };
    let found = ask.app.service.list_sign_ins(ask.viewer, &filter, order)??;
    ask.serves(OPTIONS)?;
    let one = |row| selected(ask, sign_in(ask, row, &found.names));
    let values = found.page.items.iter().map(one).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, SIGN_INS, values, found.page.next, None)))
}

pub(super) fn get_sign_in(ask: &Ask<'_>, at: &Key) -> Handled {
    let (row, names) = ask.app.service.find_sign_in(ask.viewer, key(at)?)??;
    entity(ask, SIGN_INS, sign_in(ask, &row, &names))
}

fn entity(ask: &Ask<'_>, set: &str, body: Map<String, Value>) -> Handled {
    ask.serves(&["$select"])?;
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, set, true).into());
    entity.extend(body);
    Ok(Answer::Json(StatusCode::OK, selected(ask, entity)?))
}

/// What the activity did, in Graph's few words.
fn operation(activity: &str) -> &'static str {
    match activity.split(' ').next().unwrap_or_default() {
        "Add" | "Invite" => "Add",
        "Delete" | "Hard" | "Remove" => "Delete",
        "Redeem" | "Restore" | "Set" | "Update" => "Update",
        _ => "Other",
    }
}

fn target_type(row: &DirectoryRow, is_user: bool) -> &'static str {
    match row.category.as_str() {
        _ if is_user => "User",
        "ApplicationManagement" if row.activity.contains("service principal") => "ServicePrincipal",
        "ApplicationManagement" => "Application",
        "DirectoryManagement" => "Directory",
        "GroupManagement" => "Group",
        _ => "Other",
    }
}

fn audit(row: &DirectoryRow, names: &Names) -> Map<String, Value> {
    let user_of = |id: Option<Uuid>| id.and_then(|id| names.users.get(&id));
    let user = user_of(row.actor);
    let initiated_by = match row.actor_kind.as_str() {
        "application" => json!({ "user": null, "app": {
            "appId": row.actor.map(|id| id.to_string()),
            "displayName": name(&names.apps, row.actor),
            "servicePrincipalId": null,
            "servicePrincipalName": null,
        } }),
        kind @ ("operator" | "service") => json!({ "user": null, "app": {
            "appId": null,
            "displayName": if kind == "service" { "Hospes" } else { "Operator" },
            "servicePrincipalId": null,
            "servicePrincipalName": null,
        } }),
        _ => json!({ "app": null, "user": {
            "id": row.actor.map(|id| id.to_string()),
            "displayName": user.map(|(name, _)| name),
            "userPrincipalName": user.map(|(_, name)| name),
            "ipAddress": row.address,
        } }),
    };
    let target_user = user_of(row.target);
    let has_target = row.target.is_some() || row.target_name.is_some();
    let modified = row.modified.iter().map(|modified| {
        json!({ "displayName": modified.property, "oldValue": modified.before, "newValue": modified.after })
    });
    let target = json!({
        "id": row.target.map(|id| id.to_string()),
        "displayName": row.target_name,
        "type": target_type(row, target_user.is_some()),
        "userPrincipalName": target_user.map(|(_, name)| name),
        "groupType": null,
        "modifiedProperties": modified.collect::<Vec<_>>(),
    });
    let reason = row.refusal.as_ref().map(|refusal| match row.reasons.as_str() {
        "" => refusal.clone(),
        reasons => format!("{refusal}: {reasons}"),
    });
    let agent = row.user_agent.iter().map(|agent| json!({ "key": "User-Agent", "value": agent }));
    object(json!({
        "id": row.id.to_string(),
        "category": row.category,
        "correlationId": row.correlation.to_string(),
        "result": if row.refusal.is_some() { "failure" } else { "success" },
        "resultReason": reason.unwrap_or_default(),
        "activityDisplayName": row.activity,
        "activityDateTime": render::time(row.at),
        "loggedByService": "Core Directory",
        "operationType": operation(&row.activity),
        "initiatedBy": initiated_by,
        "targetResources": if has_target { vec![target] } else { Vec::new() },
        "additionalDetails": agent.collect::<Vec<_>>(),
    }))
}

/// Takes `targetResources/any(t:t/id eq '…')` out of the conditions; the rest are comparisons.
fn audit_filter(ask: &Ask<'_>) -> Result<DirectoryFilter, GraphError> {
    let mut filter = DirectoryFilter::default();
    let mut left: Vec<&Expr> = ask.query.filter.iter().collect();
    while let Some(expr) = left.pop() {
        match expr {
            Expr::And(one, other) => left.extend([&**one, &**other]),
            Expr::Any { path, variable, body: Some(body) } if path == "targetResources" => {
                for condition in conditions::of(body)? {
                    if condition.name != format!("{variable}/id") {
                        return Err(condition.unsupported());
                    }
                    condition.put(&mut filter.target, condition.id()?)?;
                }
            }
            expr => {
                for condition in conditions::of(expr)? {
                    put_audit(&condition, &mut filter)?;
                }
            }
        }
    }
    Ok(filter)
}

fn put_audit(condition: &Condition<'_>, filter: &mut DirectoryFilter) -> Result<(), GraphError> {
    match condition.name {
        "activityDateTime" => put_time(condition, &mut filter.during),
        "activityDisplayName" => condition.put(&mut filter.activity, condition.text()?.to_owned()),
        "category" => condition.put(&mut filter.category, condition.text()?.to_owned()),
        "correlationId" => condition.put(&mut filter.correlation, condition.id()?),
        "initiatedBy/app/appId" => {
            condition.put(&mut filter.actor, RecordActorFilter::Application(condition.id()?))
        }
        "initiatedBy/user/id" => condition.put(&mut filter.actor, RecordActorFilter::User(condition.id()?)),
        "result" => {
            let is_refused = match condition.text()? {
                "failure" => true,
                "success" => false,
                _ => return Err(condition.wrong()),
            };
            condition.put(&mut filter.is_refused, is_refused)
        }
        _ => Err(condition.unsupported()),
    }
}

pub(super) fn list_audits(ask: &Ask<'_>) -> Handled {
    let (after, filter) = (render::after(ask)?, audit_filter(ask)?);
    let is_descending = is_descending(ask, "activityDateTime")?;
    let order = Order { is_descending, after: after.as_ref(), top: ask.query.top };
    let found = ask.app.service.list_changes(ask.viewer, &filter, order)??;
    ask.serves(OPTIONS)?;
    let one = |row| selected(ask, audit(row, &found.names));
    let values = found.page.items.iter().map(one).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, AUDITS, values, found.page.next, None)))
}

pub(super) fn get_audit(ask: &Ask<'_>, at: &Key) -> Handled {
    let (row, names) = ask.app.service.find_change(ask.viewer, key(at)?)??;
    entity(ask, AUDITS, audit(&row, &names))
}

/// A time, as a bare word or quoted.
impl Condition<'_> {
    fn time(&self) -> Result<Timestamp, GraphError> {
        let millis = self.word().and_then(standards::time::parse_rfc3339);
        millis.map(Timestamp::from_millis).ok_or_else(|| self.wrong())
    }

    fn number(&self) -> Result<i64, GraphError> {
        if self.operator != Operator::Eq {
            return Err(self.unsupported());
        }
        self.word().and_then(|word| word.parse().ok()).ok_or_else(|| self.wrong())
    }
}
