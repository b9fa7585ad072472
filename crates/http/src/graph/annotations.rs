//! What a body says about itself: `@odata.type` must fit the address, and `…@odata.bind` must be one that is acted on.

use super::error::GraphError;
use domain::directory::change::ChangeRefusal;
use serde_json::{Map, Value};

/// The types of bodies by address.
const TYPES: &[(&str, &str)] = &[
    ("/v1.0/applications", "application"),
    ("/v1.0/applications/{id}", "application"),
    ("/v1.0/groups", "group"),
    ("/v1.0/groups/{id}", "group"),
    ("/v1.0/invitations", "invitation"),
    ("/v1.0/me", "user"),
    ("/v1.0/organization/{id}", "organization"),
    ("/v1.0/policies/tokenLifetimePolicies", "tokenLifetimePolicy"),
    ("/v1.0/policies/tokenLifetimePolicies/{id}", "tokenLifetimePolicy"),
    ("/v1.0/servicePrincipals", "servicePrincipal"),
    ("/v1.0/servicePrincipals/{id}", "servicePrincipal"),
    ("/v1.0/users", "user"),
    ("/v1.0/users/{id}", "user"),
];

/// Relations that are written with the object.
const BOUND: &[(&str, &str)] = &[
    ("/v1.0/groups", "members@odata.bind"),
    ("/v1.0/groups", "owners@odata.bind"),
    ("/v1.0/groups/{id}", "members@odata.bind"),
    ("/v1.0/groups/{id}", "owners@odata.bind"),
    ("/v1.0/users", "manager@odata.bind"),
    ("/v1.0/users/{id}", "manager@odata.bind"),
];

/// Refuses a body of another type, and a link that would be forgotten in silence.
pub(super) fn check(template: &str, body: &Map<String, Value>) -> Result<(), GraphError> {
    let expected = TYPES.iter().find(|(address, _)| *address == template).map(|(_, kind)| *kind);
    if let (Some(expected), Some(given)) = (expected, body.get("@odata.type")) {
        let given = given.as_str().unwrap_or_default();
        let kind =
            given.trim_start_matches('#').trim_start_matches("microsoft.").trim_start_matches("graph.");
        if !kind.eq_ignore_ascii_case(expected) {
            let text = format!("The '@odata.type' of this body must be '#microsoft.graph.{expected}'.");
            return Err(GraphError::Body(text));
        }
    }
    let is_lost =
        |name: &&String| name.ends_with("@odata.bind") && !BOUND.contains(&(template, name.as_str()));
    match body.keys().find(is_lost) {
        Some(name) if expected.is_some() => {
            Err(ChangeRefusal::Unknown(name.chars().take(64).collect()).into())
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn is_let_pass(template: &str, body: Value) -> bool {
        let Value::Object(body) = body else { panic!() };
        check(template, &body).is_ok()
    }

    #[test]
    fn a_body_says_what_it_is_or_nothing() {
        for kind in ["#microsoft.graph.user", "microsoft.graph.user", "#graph.user"] {
            assert!(is_let_pass("/v1.0/users", json!({ "@odata.type": kind })), "{kind}");
        }
        for bad in [json!("#microsoft.graph.group"), json!(""), json!(7), json!(null)] {
            assert!(!is_let_pass("/v1.0/me", json!({ "@odata.type": bad })), "{bad}");
        }
        assert!(is_let_pass("/v1.0/$batch", json!({ "@odata.type": "#microsoft.graph.group" })));
    }

    #[test]
    fn a_link_is_made_or_refused() {
        let link = json!(["/v1.0/users/x"]);
        assert!(is_let_pass("/v1.0/groups", json!({ "members@odata.bind": link })));
        assert!(is_let_pass("/v1.0/users/{id}", json!({ "manager@odata.bind": "/v1.0/users/x" })));
        assert!(!is_let_pass("/v1.0/me", json!({ "manager@odata.bind": "/v1.0/users/x" })));
        assert!(!is_let_pass("/v1.0/users", json!({ "magic@odata.bind": link })));
        assert!(!is_let_pass("/v1.0/groups", json!({ "acceptedSenders@odata.bind": link })));
    }
}
