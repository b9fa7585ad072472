//! Token lifetime policies: written through Graph, obeyed by the next token (Graph: tokenLifetimePolicy; facts: protocol §6).

use domain::time::Span;
use serde_json::{Value, json};
use testkit::{Answer, BASE, CONTOSO, FABRIKAM, World, claims};

const POLICIES: &str = "/v1.0/policies/tokenLifetimePolicies";
const GRAPH: &str =
    "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')/tokenLifetimePolicies";

struct Scene {
    world: World,
    token: String,
}

fn policy(name: &str, lifetime: &str) -> Value {
    let definition =
        json!({ "TokenLifetimePolicy": { "Version": 1, "AccessTokenLifetime": lifetime } }).to_string();
    json!({ "displayName": name, "definition": [definition] })
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let token = world.daemon_token(CONTOSO).await;
        Self { world, token }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        self.world.graph(&self.token, method, path, (!body.is_null()).then_some(body)).await
    }

    async fn status(&self, method: &str, path: &str, body: Value) -> u16 {
        self.ask(method, path, body).await.status.as_u16()
    }

    /// Makes a policy; answers its id.
    async fn make(&self, name: &str, lifetime: &str) -> String {
        let made = self.ask("POST", POLICIES, policy(name, lifetime)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["id"].as_str().unwrap().to_owned()
    }

    async fn give(&self, holder: &str, policy: &str) -> u16 {
        let body = json!({ "@odata.id": format!("{BASE}{POLICIES}/{policy}") });
        self.status("POST", &format!("{holder}/$ref"), body).await
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let found = self.ask("GET", path, Value::Null).await;
        assert_eq!(found.status, 200, "{}", found.text);
        found.json()["value"].as_array().unwrap().clone()
    }

    /// How long the daemon's next token for Graph lives, as the answer and the token agree on it.
    async fn lifetime(&self) -> i64 {
        let app = self.world.app(CONTOSO, "daemon");
        let id = app.app_id.unwrap().to_string();
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_secret", app.secret.as_deref().unwrap()),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let answer = self.world.token(CONTOSO, &fields).await.json();
        assert_eq!(answer["expires_in"], answer["ext_expires_in"]);
        let lifetime = lives(&answer["access_token"]);
        assert_eq!(answer["expires_in"], lifetime - 1);
        lifetime
    }
}

/// How long a token lives.
fn lives(token: &Value) -> i64 {
    let claims = claims(token.as_str().unwrap());
    claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
}

#[tokio::test]
async fn r38_tokens_live_as_long_as_the_policy_says_from_the_next_one_on() {
    let scene = Scene::new().await;
    let drawn = 3_600..=5_400;
    assert!(drawn.contains(&scene.lifetime().await));
    let short = scene.make("Short", "00:10:00").await;
    assert!(drawn.contains(&scene.lifetime().await), "nothing has it yet");
    assert_eq!(scene.give(GRAPH, &short).await, 204);
    assert_eq!(scene.lifetime().await, 600);
    let longer = json!({ "definition": policy("", "23:59:59")["definition"] });
    assert_eq!(scene.status("PATCH", &format!("{POLICIES}/{short}"), longer).await, 204);
    assert_eq!(scene.lifetime().await, 86_399);
    assert_eq!(scene.status("DELETE", &format!("{GRAPH}/{short}/$ref"), Value::Null).await, 204);
    assert!(drawn.contains(&scene.lifetime().await));
    assert_eq!(scene.give(GRAPH, &short).await, 204);
    assert_eq!(scene.status("DELETE", &format!("{POLICIES}/{short}"), Value::Null).await, 204);
    assert!(drawn.contains(&scene.lifetime().await));
    assert!(scene.list(GRAPH).await.is_empty());
}

#[tokio::test]
async fn a_short_token_ends_when_it_says() {
    let scene = Scene::new().await;
    let short = scene.make("Short", "00:10:00").await;
    assert_eq!(scene.give(GRAPH, &short).await, 204);
    let token = scene.world.daemon_token(CONTOSO).await;
    scene.world.advance(Span::minutes(9));
    assert_eq!(scene.world.graph(&token, "GET", POLICIES, None).await.status, 200);
    scene.world.advance(Span::minutes(1));
    assert_eq!(scene.world.graph(&token, "GET", POLICIES, None).await.status, 401);
}

#[tokio::test]
async fn the_organizations_policy_counts_for_all_and_a_service_principals_before_it() {
    let scene = Scene::new().await;
    let mut for_all = policy("For all", "2:00:00");
    for_all["isOrganizationDefault"] = true.into();
    let made = scene.ask("POST", POLICIES, for_all.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(scene.lifetime().await, 7_200);
    // Only one can be.
    assert_eq!(scene.status("POST", POLICIES, for_all).await, 400);
    let own = scene.make("Own", "3:00:00").await;
    let is_default = json!({ "isOrganizationDefault": true });
    assert_eq!(scene.status("PATCH", &format!("{POLICIES}/{own}"), is_default.clone()).await, 400);
    assert_eq!(scene.give(GRAPH, &own).await, 204);
    assert_eq!(scene.lifetime().await, 10_800);

    // ID tokens follow the client: the organisation's policy here, before that of its registration.
    let web = format!(
        "/v1.0/applications(appId='{}')/tokenLifetimePolicies",
        scene.world.app(CONTOSO, "web").app_id.unwrap()
    );
    let of_app = scene.make("Of the application", "4:00:00").await;
    assert_eq!(scene.give(&web, &of_app).await, 204);
    let sign_in = || scene.world.sign_in(CONTOSO, "web", "carol@contoso.test", "openid User.Read");
    let tokens = sign_in().await;
    assert_eq!((lives(&tokens["id_token"]), lives(&tokens["access_token"])), (7_200, 10_800));
    let first = made.json()["id"].as_str().unwrap().to_owned();
    let no_default = json!({ "isOrganizationDefault": false });
    assert_eq!(scene.status("PATCH", &format!("{POLICIES}/{first}"), no_default).await, 204);
    assert_eq!(lives(&sign_in().await["id_token"]), 14_400);
    assert_eq!(scene.status("PATCH", &format!("{POLICIES}/{own}"), is_default).await, 204);
    // Fabrikam's tokens are none of Contoso's business.
    let theirs = lives(&scene.world.daemon_token(FABRIKAM).await.into());
    assert!((3_600..=5_400).contains(&theirs));
}

#[tokio::test]
async fn an_object_has_one_policy_and_both_ends_show_it() {
    let scene = Scene::new().await;
    let (one, two) = (scene.make("One", "1:00:00").await, scene.make("Two", "2:00:00").await);
    let app_id = scene.world.app(CONTOSO, "web").app_id.unwrap();
    let app = scene.ask("GET", &format!("/v1.0/applications(appId='{app_id}')"), Value::Null).await.json();
    let by_id = format!("/v1.0/applications/{}/tokenLifetimePolicies", app["id"].as_str().unwrap());
    let by_app_id = format!("/v1.0/applications(appId='{app_id}')/tokenLifetimePolicies");
    let instance = format!("/v1.0/servicePrincipals(appId='{app_id}')/tokenLifetimePolicies");
    assert!(scene.list(&by_id).await.is_empty());
    for holder in [&by_app_id, &instance] {
        assert_eq!(scene.give(holder, &one).await, 204);
        assert_eq!(scene.give(holder, &one).await, 400);
        assert_eq!(scene.give(holder, &two).await, 400);
    }
    let found = scene.list(&by_id).await;
    assert_eq!((found.len(), &found[0]["displayName"]), (1, &json!("One")));
    let address = format!("{BASE}{POLICIES}/{one}");
    assert_eq!(scene.list(&format!("{instance}/$ref")).await, [json!({ "@odata.id": address })]);
    let objects = scene.list(&format!("{POLICIES}/{one}/appliesTo")).await;
    let mut kinds: Vec<_> = objects.iter().map(|object| object["@odata.type"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["#microsoft.graph.application", "#microsoft.graph.servicePrincipal"]);
    assert!(scene.list(&format!("{POLICIES}/{two}/appliesTo")).await.is_empty());

    let gone = format!("{by_id}/{two}/$ref");
    assert_eq!(scene.status("DELETE", &gone, Value::Null).await, 404);
    assert_eq!(scene.status("DELETE", &format!("{by_id}/{one}/$ref"), Value::Null).await, 204);
    assert!(scene.list(&by_app_id).await.is_empty());
    assert_eq!(scene.give(&by_id, "00000000-0000-0000-0000-000000000001").await, 404);
    let user = json!({ "@odata.id": format!("/v1.0/users/{one}") });
    assert_eq!(scene.status("POST", &format!("{by_id}/$ref"), user).await, 400);
}

#[tokio::test]
async fn r21_another_tenants_policy_is_not_there() {
    let scene = Scene::new().await;
    let ours = scene.make("Ours", "1:00:00").await;
    let token = scene.world.daemon_token(FABRIKAM).await;
    let theirs = scene.world.graph(&token, "POST", POLICIES, Some(policy("Theirs", "2:00:00"))).await.json();
    let theirs = theirs["id"].as_str().unwrap();
    assert_eq!(scene.give(GRAPH, theirs).await, 404);
    for method in ["GET", "DELETE"] {
        let address = format!("{POLICIES}/{ours}");
        assert_eq!(scene.world.graph(&token, method, &address, None).await.status, 404);
    }
    let listed = scene.list(POLICIES).await;
    assert_eq!((listed.len(), listed[0]["id"].as_str().unwrap()), (1, ours.as_str()));
}

#[tokio::test]
async fn policies_are_found_by_name_and_page_by_page() {
    let scene = Scene::new().await;
    for name in ["One", "Two", "Three"] {
        scene.make(name, "1:00:00").await;
    }
    let named = scene.list(&format!("{POLICIES}?$filter=displayName%20eq%20'two'&$select=displayName")).await;
    assert_eq!(named, [json!({ "displayName": "Two" })]);
    assert!(scene.list(&format!("{POLICIES}?$filter=isOrganizationDefault%20eq%20true")).await.is_empty());
    let first = scene.ask("GET", &format!("{POLICIES}?$top=2"), Value::Null).await.json();
    let next = first["@odata.nextLink"].as_str().unwrap().strip_prefix(BASE).unwrap();
    assert_eq!((first["value"].as_array().unwrap().len(), scene.list(next).await.len()), (2, 1));
    for bad in
        ["$filter=definition%20eq%20'x'", "$filter=isOrganizationDefault%20eq%20'x'", "$orderby=displayName"]
    {
        assert_eq!(scene.status("GET", &format!("{POLICIES}?{bad}"), Value::Null).await, 400, "{bad}");
    }
}

#[tokio::test]
async fn what_is_no_policy_is_refused_by_name() {
    let scene = Scene::new().await;
    let with = |name: &str, value: Value| {
        let mut body = policy("Policy", "1:00:00");
        body[name] = value;
        body
    };
    for (body, property) in [
        (with("definition", json!([])), "definition"),
        (with("definition", json!(["{}"])), "definition"),
        (with("definition", policy("", "00:09:59")["definition"].clone()), "definition"),
        (with("definition", policy("", "1.00:00:00")["definition"].clone()), "definition"),
        (with("definition", json!("x")), "definition"),
        (with("displayName", Value::Null), "displayName"),
        (with("isOrganizationDefault", json!("yes")), "isOrganizationDefault"),
        (with("id", json!("x")), "id"),
        (with("magic", json!("x")), "magic"),
    ] {
        let before = scene.world.directory_refusals(CONTOSO);
        let answer = scene.ask("POST", POLICIES, body).await;
        assert_eq!(answer.status, 400, "{property}: {}", answer.text);
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(property), "{}", answer.text);
        assert!(scene.world.directory_refusals(CONTOSO) > before, "{property} left no record");
    }
}

/// The tenant's administrators decide; owning an application is not enough to see or make policies, but to choose one.
#[tokio::test]
async fn r24_only_administrators_of_applications_write_policies() {
    let scene = Scene::new().await;
    let made = scene.make("Policy", "1:00:00").await;
    let scope = "Policy.ReadWrite.ApplicationConfiguration Application.ReadWrite.All";
    let url = |browser: &testkit::Browser<'_>| {
        browser.authorize_url(CONTOSO, scene.world.app(CONTOSO, "web"), scope, &[])
    };
    let mut browser = scene.world.browser();
    let page = browser.get(&url(&browser)).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
    let carol = scene.world.sign_in(CONTOSO, "web", "carol@contoso.test", scope).await;
    let carol = carol["access_token"].as_str().unwrap();
    let ask = |method: &'static str, path: String, body: Option<Value>| {
        let world = &scene.world;
        async move { world.graph(carol, method, &path, body).await }
    };
    assert_eq!(ask("GET", POLICIES.to_owned(), None).await.status, 200);
    assert_eq!(ask("POST", POLICIES.to_owned(), Some(policy("Mine", "1:00:00"))).await.status, 403);
    for method in ["PATCH", "DELETE"] {
        let body = (method == "PATCH").then(|| json!({ "displayName": "Mine" }));
        assert_eq!(ask(method, format!("{POLICIES}/{made}"), body).await.status, 403);
    }
    let reference = json!({ "@odata.id": format!("{BASE}{POLICIES}/{made}") });
    assert_eq!(ask("POST", format!("{GRAPH}/$ref"), Some(reference.clone())).await.status, 403);
    let app =
        ask("POST", "/v1.0/applications".to_owned(), Some(json!({ "displayName": "Mine" }))).await.json();
    let own = format!("/v1.0/applications/{}/tokenLifetimePolicies", app["id"].as_str().unwrap());
    assert_eq!(ask("POST", format!("{own}/$ref"), Some(reference)).await.status, 204);
    assert_eq!(scene.list(&own).await.len(), 1);
}
