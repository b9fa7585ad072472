//! Graph's answers against its own types: every property of every answer has the name and the type that Microsoft publishes
//! (`acceptance/tests/graph-contract.json`).

use crate::Answer;
use serde_json::{Map, Value};
use std::sync::LazyLock;

static CONTRACT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../acceptance/tests/graph-contract.json")).unwrap()
});

/// Types that the file does not have. This list may only shrink.
const UNKNOWN: &[&str] = &["organizationalBranding"];

/// Properties of Graph's beta that are served wherever they are selected. This list may only shrink.
const BETA: &[(&str, &str)] = &[("organization", "directorySizeQuota")];

/// Sets that are not called like their type in the plural.
const SETS: &[(&str, &str)] = &[
    ("auditLogs/directoryAudits", "directoryAudit"),
    ("auditLogs/signIns", "signIn"),
    ("identityGovernance/appConsent/appConsentRequests", "appConsentRequest"),
    ("policies/adminConsentRequestPolicy", "adminConsentRequestPolicy"),
    ("policies/tokenLifetimePolicies", "tokenLifetimePolicy"),
    ("branding", "organizationalBranding"),
    ("oauth2PermissionGrants", "oAuth2PermissionGrant"),
    ("roleManagement/directory/roleAssignments", "unifiedRoleAssignment"),
    ("roleManagement/directory/roleDefinitions", "unifiedRoleDefinition"),
];

/// What is wrong with an answer of Graph that succeeded.
pub(crate) fn check(answer: &Answer) -> Result<(), String> {
    let kind = answer.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return Ok(());
    }
    check_body(&serde_json::from_str(&answer.text).map_err(|error| error.to_string())?)
}

fn check_body(body: &Value) -> Result<(), String> {
    let body = body.as_object().ok_or("an answer is an object")?;
    if let Some(Value::Array(responses)) = body.get("responses") {
        return responses.iter().try_for_each(check_response);
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let context = text("@odata.context").and_then(|context| context.split_once("/$metadata#"));
    let Some((_, context)) = context else {
        let kind = own_type(body).ok_or("neither @odata.context nor @odata.type says what this is")?;
        return check_object(body, kind);
    };
    let (set, is_entity) = match context.strip_suffix("/$entity") {
        Some(set) => (set, true),
        None => (context, false),
    };
    // Addresses alone, as `…/$ref` answers.
    if set == "Collection($ref)" {
        let is_address = |item: &Value| {
            item.as_object().is_some_and(|item| item.len() == 1) && item["@odata.id"].is_string()
        };
        let is_right = body["value"].as_array().is_some_and(|items| items.iter().all(is_address));
        return is_right.then_some(()).ok_or_else(|| format!("{body:?} are no addresses"));
    }
    // A bare value, as actions answer: `{ "value": true }`.
    if set.starts_with("Edm.") || set.starts_with("Collection(") {
        let value = body.get("value").ok_or("a value is missing")?;
        return fits(value, set).then_some(()).ok_or_else(|| format!("{value} is not {set}"));
    }
    let kind = type_of_set(set.split('(').next().unwrap_or(set))?;
    match body.get("value") {
        Some(Value::Array(items)) if !is_entity => items.iter().try_for_each(|item| check_value(item, &kind)),
        _ => check_object(body, own_type(body).unwrap_or(&kind)),
    }
}

/// One of a batch's.
fn check_response(response: &Value) -> Result<(), String> {
    let is_success = response["status"].as_u64().is_some_and(|status| (200..300).contains(&status));
    match response.get("body") {
        Some(body @ Value::Object(_)) if is_success => check_body(body),
        _ => Ok(()),
    }
}

/// The types that Microsoft publishes.
pub fn types() -> &'static Map<String, Value> {
    CONTRACT["types"].as_object().unwrap()
}

/// The type of what a set holds, as contexts name it.
pub fn type_of_set(set: &str) -> Result<String, String> {
    if let Some(kind) = set.strip_prefix("microsoft.graph.") {
        return Ok(kind.to_owned());
    }
    let named = SETS.iter().find(|(name, _)| *name == set).map(|(_, kind)| (*kind).to_owned());
    let singular = set.strip_suffix("ies").map(|stem| format!("{stem}y"));
    let singular = singular.or_else(|| set.strip_suffix('s').map(str::to_owned));
    let is_known = |kind: &String| UNKNOWN.contains(&kind.as_str()) || CONTRACT["types"].get(kind).is_some();
    let found = [named, singular, Some(set.to_owned())].into_iter().flatten().find(is_known);
    found.ok_or_else(|| format!("the set {set} has no type that is known"))
}

/// The type that an object says it has.
pub fn own_type(object: &Map<String, Value>) -> Option<&str> {
    object.get("@odata.type").and_then(Value::as_str)?.strip_prefix("#microsoft.graph.")
}

fn check_value(value: &Value, kind: &str) -> Result<(), String> {
    let object = value.as_object().ok_or_else(|| format!("{value} is no {kind}"))?;
    check_object(object, own_type(object).unwrap_or(kind))
}

fn check_object(object: &Map<String, Value>, kind: &str) -> Result<(), String> {
    if UNKNOWN.contains(&kind) {
        return Ok(());
    }
    if CONTRACT["types"].get(kind).is_none() {
        return Err(format!("the type {kind} is not known"));
    }
    let is_checked = |name: &str| !name.contains('@') && !BETA.contains(&(kind, name));
    for (name, value) in object.iter().filter(|(name, _)| is_checked(name)) {
        let known = property(kind, name).ok_or_else(|| format!("{kind} has no property {name}"))?;
        if !fits(value, known) {
            return Err(format!("{kind}.{name} is {value}, not {known}"));
        }
    }
    Ok(())
}

/// The type of a property or a relation, of the type itself or of what it is derived from.
pub fn property<'a>(kind: &str, name: &str) -> Option<&'a str> {
    let definition = &CONTRACT["types"][kind];
    let own = definition["properties"][name].as_str().or_else(|| definition["navigation"][name].as_str());
    own.or_else(|| property(definition["base"].as_str()?, name))
}

fn fits(value: &Value, kind: &str) -> bool {
    let kind = kind.strip_suffix(" contained").unwrap_or(kind);
    let (kind, is_required) = match kind.strip_suffix(" !") {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    if value.is_null() {
        return !is_required;
    }
    if let Some(item) = kind.strip_prefix("Collection(").and_then(|kind| kind.strip_suffix(')')) {
        return value.as_array().is_some_and(|items| items.iter().all(|item_value| fits(item_value, item)));
    }
    let text = value.as_str();
    match kind {
        "Edm.Binary" => text.is_some_and(|text| standards::b64::decode_std(text).is_some()),
        "Edm.Boolean" => value.is_boolean(),
        "Edm.Date" | "Edm.Duration" | "Edm.Stream" | "Edm.String" | "Edm.TimeOfDay" => text.is_some(),
        "Edm.DateTimeOffset" => {
            text.is_some_and(|text| standards::time::parse_rfc3339(text).is_some() && text.ends_with('Z'))
        }
        "Edm.Double" | "Edm.Single" => value.is_number(),
        "Edm.Guid" => text.is_some_and(|text| uuid::Uuid::parse_str(text).is_ok()),
        "Edm.Int32" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        other => match CONTRACT["types"][other]["members"].as_array() {
            Some(members) => {
                text.is_some_and(|text| text.split(',').all(|one| members.iter().any(|member| member == one)))
            }
            None => check_value(value, other).is_ok(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_contract_does_not_say_is_found() {
        let at = |set: &str| format!("https://x.test/v1.0/$metadata#{set}");
        let users = |user: Value| json!({ "@odata.context": at("users(id,mail)"), "value": [user] });
        for right in [
            users(json!({ "id": "1", "mail": null, "businessPhones": [], "accountEnabled": true })),
            users(json!({ "@odata.type": "#microsoft.graph.group", "securityEnabled": true })),
            json!({ "@odata.context": at("users/$entity"), "createdDateTime": "2026-11-24T12:00:00Z" }),
            json!({ "@odata.type": "#microsoft.graph.application", "web": { "redirectUris": ["https://x.test/"] } }),
            json!({ "@odata.context": at("Edm.Boolean"), "value": true }),
            json!({ "@odata.context": at("Collection(Edm.String)"), "value": ["a"] }),
            json!({ "@odata.context": at("Collection($ref)"), "value": [{ "@odata.id": "https://x.test/v1.0/users/1" }] }),
            json!({ "responses": [{ "status": 200, "body": users(json!({ "id": "1" })) }, { "status": 404, "body": {} }] }),
        ] {
            assert_eq!(check_body(&right), Ok(()), "{right}");
        }
        for wrong in [
            json!([]),
            json!({ "value": [] }),
            json!({ "@odata.context": at("nothings"), "value": [] }),
            json!({ "@odata.context": at("Collection($ref)"), "value": [{ "id": "1" }] }),
            json!({ "@odata.context": at("Edm.Boolean"), "value": "true" }),
            users(json!("x")),
            users(json!({ "id": 1 })),
            users(json!({ "id": null })),
            users(json!({ "magic": 1 })),
            users(json!({ "businessPhones": "1" })),
            users(json!({ "accountEnabled": "true" })),
            users(json!({ "createdDateTime": "yesterday" })),
            users(json!({ "@odata.type": "#microsoft.graph.group", "userType": "Guest" })),
            users(json!({ "@odata.type": "#microsoft.graph.nothing" })),
            json!({ "@odata.type": "#microsoft.graph.application", "web": { "redirectUris": [1] } }),
            json!({ "@odata.type": "#microsoft.graph.application", "web": { "magic": 1 } }),
            json!({ "responses": [{ "status": 200, "body": users(json!({ "id": 1 })) }] }),
        ] {
            assert!(check_body(&wrong).is_err(), "{wrong}");
        }
    }
}
