//! What is served of Graph v1.0: every property and relation of every resource that an answer shows is there with a value,
//! or stands in `reasons.rs` with the reason why not. Nothing here lists what is served: the routes of `routes.rs` are
//! asked, and their answers say it. Two files are made of that, `docs/graph-coverage.md` and `$metadata`:
//! `cargo xtask coverage` writes them, and this test compares.

mod csdl;
mod document;
mod reasons;

use crate::routes::{ROWS, Row, Scene};
use hospes_http::routes;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use testkit::contract;

/// Sent by the administrator before anything is asked, so that whatever can have a value has one: properties that nobody
/// wrote are not served by being empty. `{names}` are things of the scene, `{made}` what was made last. A new resource with optional properties is a
/// line here.
const FILLED: &[(&str, &str, &str)] = &[
    (
        "PATCH",
        "/v1.0/users/{user}",
        r#"{"ageGroup":"Minor","businessPhones":["+1"],"city":"Bonn","companyName":"Contoso","consentProvidedForMinor":"Granted",
            "country":"Germany","department":"IT","employeeHireDate":"2026-01-01T00:00:00Z","employeeId":"1",
            "employeeType":"Employee","faxNumber":"+1","givenName":"Dave","jobTitle":"Chief","mail":"dave@contoso.test",
            "mobilePhone":"+1","officeLocation":"1","otherMails":["dave@example.test"],"postalCode":"1",
            "preferredLanguage":"de","state":"NRW","streetAddress":"1","surname":"Doe","usageLocation":"DE"}"#,
    ),
    (
        "PUT",
        "/v1.0/policies/adminConsentRequestPolicy",
        r#"{"isEnabled":true,"reviewers":[{"query":"/users/{admin}","queryType":"MicrosoftGraph"}]}"#,
    ),
    (
        "PATCH",
        "/v1.0/applications/{application}",
        r#"{"description":"d","groupMembershipClaims":"SecurityGroup","identifierUris":["https://contoso.test/app"],"isFallbackPublicClient":true,
            "keyCredentials":[{"type":"AsymmetricX509Cert","usage":"Verify","displayName":"CN=Test","key":"{certificate}"}],
            "info":{"marketingUrl":"https://a.test/1","privacyStatementUrl":"https://a.test/2",
                "supportUrl":"https://a.test/3","termsOfServiceUrl":"https://a.test/4"},
            "optionalClaims":{"idToken":[{"name":"upn","essential":true,"additionalProperties":["include_externally_authenticated_upn"]}],
                "accessToken":[{"name":"email"}]},
            "notes":"n","serviceManagementReference":"r","tags":["t"],
            "api":{"requestedAccessTokenVersion":2,"knownClientApplications":["00000000-0000-0000-0000-00000000000a"],
                "preAuthorizedApplications":[{"appId":"00000000-0000-0000-0000-00000000000a",
                    "delegatedPermissionIds":["00000000-0000-0000-0000-000000000009"]}],
                "oauth2PermissionScopes":[{"id":"00000000-0000-0000-0000-000000000009",
                "value":"Read","type":"User","isEnabled":true,"adminConsentDisplayName":"Read",
                "adminConsentDescription":"Reads"}]},
            "publicClient":{"redirectUris":["http://localhost/native"]},
            "requiredResourceAccess":[{"resourceAppId":"00000003-0000-0000-c000-000000000000",
                "resourceAccess":[{"id":"e1fe6dd8-ba31-4d61-89e7-88639da4683d","type":"Scope"}]}],
            "spa":{"redirectUris":["https://a.test/spa"]},
            "web":{"homePageUrl":"https://a.test/","logoutUrl":"https://a.test/out","redirectUris":["https://a.test/web"],
                "implicitGrantSettings":{"enableIdTokenIssuance":true}}}"#,
    ),
    (
        "PATCH",
        "/v1.0/organization/{tenant}",
        r#"{"marketingNotificationEmails":["a@contoso.test"],"preferredLanguage":"de",
            "securityComplianceNotificationMails":["a@contoso.test"],"securityComplianceNotificationPhones":["+1"],
            "technicalNotificationMails":["a@contoso.test"],
            "privacyProfile":{"contactEmail":"a@contoso.test","statementUrl":"https://a.test/privacy"}}"#,
    ),
    (
        "PATCH",
        "/v1.0/organization/{tenant}/branding",
        r##"{"backgroundColor":"#112233","signInPageText":"Hi"}"##,
    ),
    (
        "PATCH",
        "/v1.0/servicePrincipals/{instance}",
        r#"{"alternativeNames":["a"],"description":"d","loginUrl":"https://a.test/","notes":"n"}"#,
    ),
    ("PATCH", "/v1.0/groups/{group}", r#"{"description":"d"}"#),
    ("PATCH", "/v1.0/policies/tokenLifetimePolicies/{policy}", r#"{"description":"d"}"#),
    // Before so much is asked that changes stand on a later page.
    ("GET", "/v1.0/auditLogs/directoryAudits?$filter=activityDisplayName%20eq%20'Update%20application'", ""),
    (
        "PATCH",
        "/v1.0/applications/{application}/federatedIdentityCredentials/{federated}",
        r#"{"description":"d"}"#,
    ),
    (
        "POST",
        "/v1.0/groups",
        r#"{"displayName":"Team","mailEnabled":true,"mailNickname":"team","securityEnabled":true,"groupTypes":["Unified"],
            "visibility":"Private"}"#,
    ),
    (
        "POST",
        "/v1.0/groups",
        r#"{"displayName":"Roles","mailEnabled":false,"mailNickname":"roles","securityEnabled":true,
            "isAssignableToRole":true}"#,
    ),
    ("DELETE", "/v1.0/groups/{made}", ""),
    (
        "POST",
        "/v1.0/groups",
        r#"{"displayName":"Sales","mailEnabled":false,"mailNickname":"sales","securityEnabled":true,
            "groupTypes":["DynamicMembership"],"membershipRule":"user.department -eq \"Sales\"",
            "membershipRuleProcessingState":"On"}"#,
    ),
    (
        "POST",
        "/v1.0/invitations",
        r#"{"invitedUserEmailAddress":"eve@example.test","inviteRedirectUrl":"https://app.contoso.test/",
            "invitedUserDisplayName":"Eve","invitedUserType":"Guest","sendInvitationMessage":true,
            "invitedUserMessageInfo":{"customizedMessageBody":"Hello","messageLanguage":"de-DE",
                "ccRecipients":[{"emailAddress":{"address":"dave@contoso.test"}}]}}"#,
    ),
];

/// What the answers show.
#[derive(Default)]
struct Served {
    /// Type, property, and whether some answer has a value there.
    types: BTreeMap<String, BTreeMap<String, bool>>,
    /// A set that contexts name: the type of what it holds, and whether it is one thing only.
    sets: BTreeMap<String, (String, bool)>,
    /// Addresses of collections and what they hold.
    collections: BTreeMap<String, String>,
    /// Addresses of one thing and what it is.
    singles: BTreeMap<String, String>,
    /// Everything that contexts name.
    contexts: BTreeSet<String>,
}

impl Served {
    /// Reads an answer of Graph; says the type of what it holds, if it holds objects.
    fn absorb(&mut self, template: &str, body: &Value) -> Option<String> {
        let body = body.as_object()?;
        let context = body.get("@odata.context").and_then(Value::as_str);
        let context = context.and_then(|context| context.split_once("/$metadata#"));
        let Some((_, context)) = context else {
            let kind = contract::own_type(body)?.to_owned();
            self.object(body, &kind);
            return Some(kind);
        };
        self.contexts.insert(context.to_owned());
        let (set, is_entity) = match context.strip_suffix("/$entity") {
            Some(set) => (set, true),
            None => (context, false),
        };
        if set.starts_with("Edm.") || set.starts_with("Collection(") {
            return None;
        }
        let set = without_selection(set);
        let kind = contract::type_of_set(set).unwrap();
        let items = body.get("value").and_then(Value::as_array).filter(|_| !is_entity);
        if !set.starts_with("microsoft.graph.") {
            self.sets.insert(set.to_owned(), (kind.clone(), items.is_none() && !is_entity));
        }
        match items {
            Some(items) => {
                self.collections.insert(template.to_owned(), kind.clone());
                for item in items.iter().filter_map(Value::as_object) {
                    self.object(item, contract::own_type(item).unwrap_or(&kind));
                }
            }
            None => {
                if !template.contains('{') {
                    self.singles.insert(template.to_owned(), kind.clone());
                }
                self.object(body, contract::own_type(body).unwrap_or(&kind));
            }
        }
        Some(kind)
    }

    /// Whether some answer has a value there.
    fn has(&self, kind: &str, name: &str) -> bool {
        self.types.get(kind).and_then(|properties| properties.get(name)).copied().unwrap_or_default()
    }

    fn object(&mut self, object: &Map<String, Value>, kind: &str) {
        self.types.entry(kind.to_owned()).or_default();
        for (name, value) in object.iter().filter(|(name, _)| !name.contains('@')) {
            let is_value = has_value(value);
            let properties = self.types.entry(kind.to_owned()).or_default();
            *properties.entry(name.clone()).or_default() |= is_value;
            let Some(item) = contract::property(kind, name).map(item_type) else { continue };
            if !contract::types().contains_key(item) {
                continue;
            }
            let inner = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for object in inner.iter().filter_map(Value::as_object) {
                self.object(object, item);
            }
        }
    }
}

fn without_selection(set: &str) -> &str {
    set.split('(').next().unwrap_or(set)
}

fn has_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().any(has_value),
        Value::Object(fields) => fields.values().any(has_value),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A contract's type without nullability, containment and collection.
fn item_type(kind: &str) -> &str {
    let kind = kind.strip_suffix(" contained").unwrap_or(kind);
    let kind = kind.strip_suffix(" !").unwrap_or(kind);
    kind.strip_prefix("Collection(").and_then(|kind| kind.strip_suffix(')')).unwrap_or(kind)
}

/// Names and types of a kind of member, of a type and of what it is derived from.
fn members(kind: &str, group: &str) -> Vec<(String, String)> {
    let definition = &contract::types()[kind];
    let mut found = definition["base"].as_str().map(|base| members(base, group)).unwrap_or_default();
    let own = definition[group].as_object().into_iter().flatten();
    found.extend(own.map(|(name, kind)| (name.clone(), kind.as_str().unwrap().to_owned())));
    found
}

/// A certificate as a registration takes it.
fn certificate() -> String {
    let pair = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap();
    standards::b64::encode_std(certificate.der())
}

/// Asks every route that answers with objects.
async fn look() -> Served {
    let (mut scene, mut served) = (Scene::new().await, Served::default());
    scene.put("certificate", certificate());
    for (method, address, body) in FILLED {
        let answer = scene.ask(method, address, body, Some(&scene.admin)).await;
        assert!(answer.status.is_success(), "{method} {address}: {}", answer.text);
        if let Ok(body) = serde_json::from_str::<Value>(&answer.text) {
            if let Some(id) = body["id"].as_str() {
                scene.put("made", id.to_owned());
            }
            served.absorb(address, &body);
        }
    }
    let asks = |row: &&Row| row.is_graph() && row.address != "/v1.0/$batch";
    for row in ROWS.iter().filter(asks).filter(|row| row.method == "GET") {
        let answer = scene.ask("GET", row.address, "", Some(&scene.admin)).await;
        let Ok(body) = serde_json::from_str(&answer.text) else { continue };
        let Some(kind) = served.absorb(&row.template(), &body) else { continue };
        // Lists below an object show what its own address shows.
        let is_list_below = row.address.contains('{') && !row.address.ends_with('}');
        if is_list_below || !contract::types().contains_key(&kind) {
            continue;
        }
        // Some properties come only where they are asked for.
        for (name, _) in members(&kind, "properties") {
            if served.has(&kind, &name) {
                continue;
            }
            let address = format!("{}?$select={name}", row.address);
            let answer = scene.ask("GET", &address, "", Some(&scene.admin)).await;
            if answer.status.is_success() {
                served.absorb(&row.template(), &answer.json());
            }
        }
    }
    // What only a write answers with; what is refused because another took the thing shows nothing and is no matter.
    for row in ROWS.iter().filter(asks).filter(|row| row.method == "POST") {
        let answer = scene.ask("POST", row.address, row.body, Some(&scene.admin)).await;
        if let (true, Ok(body)) = (answer.status.is_success(), serde_json::from_str(&answer.text)) {
            served.absorb(&row.template(), &body);
        }
    }
    served
}

/// The templates of Graph's routes.
fn templates() -> Vec<(&'static str, &'static str)> {
    let graph = routes().into_iter().filter(|route| route.path.starts_with("/v1.0/"));
    graph.map(|route| (route.method, route.path)).collect()
}

/// Whether a relation of a type has an address, below any set that holds the type.
fn is_relation_served(served: &Served, kind: &str, name: &str) -> bool {
    let roots = roots(served);
    templates().iter().any(|(_, path)| {
        let mut segments = path.trim_start_matches("/v1.0/").split('/');
        let root = segments.next().unwrap_or_default();
        let is_kind = roots.get(root).is_some_and(|(known, _)| known == kind);
        let mut segments = segments.skip_while(|segment| *segment == "{id}");
        is_kind && segments.next() == Some(name)
    })
}

/// First segments of addresses: what they hold, and whether it is one thing only.
fn roots(served: &Served) -> BTreeMap<String, (String, bool)> {
    let mut roots = BTreeMap::from([("me".to_owned(), ("user".to_owned(), true))]);
    for (_, path) in templates() {
        let root = path.trim_start_matches("/v1.0/").split('/').next().unwrap_or_default();
        if let Some((kind, is_one)) = served.sets.get(root) {
            roots.insert(root.to_owned(), (kind.clone(), *is_one));
        }
    }
    roots
}

/// Compares a made file with the committed one, or writes it where that is asked for.
fn keep(path: &str, text: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("HOSPES_COVERAGE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    match committed == text {
        true => Ok(()),
        false => Err(format!("{} is not what is served: run `cargo xtask coverage`", path.display())),
    }
}

#[tokio::test]
async fn what_is_served_of_graph_is_written_down_and_the_rest_has_reasons() {
    let served = look().await;
    let (document, problems) = document::write(&served);
    assert_eq!(
        problems,
        Vec::<String>::new(),
        "implement it, give it a value in FILLED, or a reason in reasons.rs"
    );
    let metadata = csdl::write(&served);
    let kept =
        [keep("docs/graph-coverage.md", &document), keep("crates/http/src/graph/metadata.xml", &metadata)];
    assert_eq!(kept, [Ok(()), Ok(())]);
}

#[tokio::test]
async fn every_context_names_a_set_of_the_metadata() {
    let (served, scene) = (look().await, Scene::new().await);
    for address in ["/v1.0/$metadata", "/beta/$metadata", "/graph/v1.0/$metadata"] {
        let answer = scene.ask("GET", address, "", None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/xml");
        assert_eq!(answer.headers["odata-version"], "4.0");
        for context in &served.contexts {
            let set = without_selection(context.strip_suffix("/$entity").unwrap_or(context));
            if set.starts_with("Edm.") || set == "Collection" {
                continue;
            }
            let (name, kinds) = match set.strip_prefix("microsoft.graph.") {
                Some(kind) => (kind, ["EntityType", "ComplexType"]),
                None => (set.split('/').next().unwrap_or(set), ["EntitySet", "Singleton"]),
            };
            let is_there = kinds.iter().any(|kind| answer.text.contains(&format!("<{kind} Name=\"{name}\"")));
            assert!(is_there, "{context} names nothing in {address}");
        }
    }
}
