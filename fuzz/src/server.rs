//! The real server in memory, asked by an application that may do everything: whatever is sent, it answers as documented,
//! within its limits, and never with a fault.

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use testkit::{Answer, CONTOSO, Setup, World};
use tokio::runtime::Runtime;

/// Requests in a batch at most.
const BATCH: usize = 20;
/// Inputs after which a world is made anew, so that what they leave does not slow the next ones.
const INPUTS: u32 = 2_000;

/// Writes that are tried, by the first byte of an input; the rest is the body.
const WRITES: &[(&str, &str)] = &[
    ("POST", "/v1.0/users"),
    ("PATCH", "/v1.0/users/{user}"),
    ("POST", "/v1.0/invitations"),
    ("PATCH", "/v1.0/organization/{tenant}"),
    ("PATCH", "/v1.0/organization/{tenant}/branding"),
    ("POST", "/v1.0/applications"),
    ("PATCH", "/v1.0/applications/{application}"),
    ("POST", "/v1.0/applications/{application}/addPassword"),
    ("POST", "/v1.0/applications/{application}/removePassword"),
    ("POST", "/v1.0/servicePrincipals"),
    ("PATCH", "/v1.0/servicePrincipals/{instance}"),
    ("POST", "/v1.0/servicePrincipals/{instance}/appRoleAssignedTo"),
    ("POST", "/v1.0/groups"),
    ("PATCH", "/v1.0/groups/{group}"),
    ("POST", "/v1.0/groups/{group}/members/$ref"),
    ("POST", "/v1.0/users/{user}/checkMemberGroups"),
    ("POST", "/v1.0/users/{user}/getMemberGroups"),
];

/// Addresses that take forms, by the first byte.
const FORMS: &[&str] = &[
    "/contoso.test/oauth2/v2.0/token",
    "/contoso.test/oauth2/v2.0/authorize",
    "/contoso.test/oauth2/v2.0/devicecode",
    "/contoso.test/oauth2/token",
    "/contoso.test/oauth2/authorize",
    "/contoso.test/login",
    "/device",
];

/// A world with one thing of every kind, and the ids of its applications for forms.
struct Scene {
    runtime: Runtime,
    world: World,
    token: String,
    things: BTreeMap<&'static str, String>,
    left: u32,
}

thread_local! {
    static SCENE: RefCell<Option<Scene>> = const { RefCell::new(None) };
}

impl Scene {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (world, token, things) = runtime.block_on(async {
            let world = World::with(Setup::default()).await;
            let token = world.daemon_token(CONTOSO).await;
            let mut things = BTreeMap::new();
            things.insert("tenant", world.tenant_id(CONTOSO).to_string());
            things.insert("user", world.user("dave@contoso.test").id.unwrap().to_string());
            for kind in ["web", "spa", "daemon"] {
                things.insert(kind, world.app(CONTOSO, kind).app_id.unwrap().to_string());
            }
            let group = json!({ "displayName": "G", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true });
            let application = json!({ "displayName": "A" });
            for (name, address, body) in
                [("group", "/v1.0/groups", group), ("application", "/v1.0/applications", application)]
            {
                let made = world.graph(&token, "POST", address, Some(body)).await;
                assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
                let made = made.json();
                things.insert(name, made["id"].as_str().unwrap().to_owned());
                if name == "application" {
                    let body = json!({ "appId": made["appId"] });
                    let made = world.graph(&token, "POST", "/v1.0/servicePrincipals", Some(body)).await.json();
                    things.insert("instance", made["id"].as_str().unwrap().to_owned());
                }
            }
            (world, token, things)
        });
        Self { runtime, world, token, things, left: INPUTS }
    }

    fn fill(&self, text: &str) -> String {
        self.things
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

/// Sends to the world of this thread. No answer is a fault, and a success of Graph has Graph's types (the world checks).
fn send(make: impl Fn(&Scene) -> Request<Body>) -> Answer {
    SCENE.with_borrow_mut(|kept| {
        let mut scene = kept.take().filter(|scene| scene.left > 0).unwrap_or_else(Scene::new);
        let request = make(&scene);
        let asked = format!("{} {}", request.method(), request.uri());
        let answer = scene.runtime.block_on(scene.world.send(request));
        assert!(answer.status.as_u16() < 500, "{asked}: {} {}", answer.status, answer.text);
        scene.left -= 1;
        *kept = Some(scene);
        answer
    })
}

fn json_request(scene: &Scene, method: &str, address: &str, body: &[u8]) -> Request<Body> {
    // `{names}` of things may stand in inputs, whose ids differ from world to world.
    let body = match std::str::from_utf8(body) {
        Ok(text) => scene.fill(text).into_bytes(),
        Err(_) => body.to_vec(),
    };
    Request::builder()
        .method(method)
        .uri(scene.fill(address))
        .header(header::AUTHORIZATION, format!("Bearer {}", scene.token))
        .header(header::CONTENT_TYPE, "application/json")
        .header("ConsistencyLevel", "eventual")
        .body(Body::from(body))
        .unwrap()
}

pub(crate) fn graph(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let (method, address) = WRITES[usize::from(*first) % WRITES.len()];
    let answer = send(|scene| json_request(scene, method, address, body));
    check_error(&answer);
    if serde_json::from_slice::<Value>(body).is_err() && !body.is_empty() {
        assert!(!answer.status.is_success(), "{method} {address} took what is no JSON");
    }
}

pub(crate) fn batch(data: &[u8]) {
    let answer = send(|scene| json_request(scene, "POST", "/v1.0/$batch", data));
    check_error(&answer);
    if answer.status != StatusCode::OK {
        return;
    }
    let asked: Value = serde_json::from_slice(data).expect("a batch that was answered is JSON");
    let asked = asked["requests"].as_array().expect("and has requests");
    let answer = answer.json();
    let responses = answer["responses"].as_array().expect("responses");
    assert!(asked.len() <= BATCH && responses.len() == asked.len());
    for request in asked {
        let answered = responses.iter().filter(|response| response["id"] == request["id"]).count();
        assert_eq!(answered, 1, "{request} has {answered} answers");
    }
    for response in responses {
        let status = response["status"].as_u64().expect("a status");
        assert!((200..500).contains(&status), "{response}");
    }
}

/// Whether a group of those that fit a rule is made; its members are looked for at once.
pub(crate) fn takes_rule(text: &str) -> bool {
    let group = json!({
        "displayName": "R", "mailEnabled": false, "mailNickname": "r", "securityEnabled": true,
        "groupTypes": ["DynamicMembership"], "membershipRule": text, "membershipRuleProcessingState": "On",
    });
    let body = group.to_string();
    let answer = send(|scene| json_request(scene, "POST", "/v1.0/groups", body.as_bytes()));
    check_error(&answer);
    answer.status.is_success()
}

/// An error says what it is.
fn check_error(answer: &Answer) {
    if answer.status.as_u16() >= 400 {
        let error = &answer.json()["error"];
        assert!(error["code"].is_string() && error["message"].is_string(), "{}", answer.text);
    }
}

pub(crate) fn form(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let address = FORMS[usize::from(*first) % FORMS.len()];
    let answer = send(|scene| {
        let body = match std::str::from_utf8(body) {
            Ok(text) => scene.fill(text).into_bytes(),
            Err(_) => body.to_vec(),
        };
        Request::post(address)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap()
    });
    // Nothing is handed out to who proved nothing. What redirects goes to a registered address or our own.
    assert!(!answer.text.contains("access_token"), "{address}: {}", answer.text);
    if let Some(location) = answer.location() {
        let is_known = location.starts_with('/') || location.starts_with("https://localhost");
        assert!(is_known || location.starts_with("http://localhost"), "{address} leads to {location}");
    }
}

/// A bearer token that nobody here signed opens nothing.
pub(crate) fn bearer(token: &str) {
    let Ok(value) = http::HeaderValue::try_from(format!("Bearer {token}")) else { return };
    for address in ["/v1.0/me", "/oidc/userinfo"] {
        let answer = send(|_| {
            Request::get(address).header(header::AUTHORIZATION, &value).body(Body::empty()).unwrap()
        });
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{address}: {}", answer.text);
    }
}
