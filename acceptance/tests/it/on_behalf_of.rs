//! A service that was called with a user's token acts for that user (facts: protocol §3).

use domain::time::Span;
use serde_json::{Value, json};
use service::seed::WorldApplication;
use testkit::{Answer, CONTOSO, FABRIKAM, World, claims};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE: &str = "openid offline_access User.Read";

/// Contoso's API, with a secret and an address of its own.
async fn service_app(world: &World) -> WorldApplication {
    let admin = world.daemon_token(CONTOSO).await;
    let api = world.app(CONTOSO, "api").clone();
    let path = format!("/v1.0/applications(appId='{}')", api.app_id.unwrap());
    let web = json!({ "web": { "redirectUris": ["https://api.test/cb"] } });
    assert_eq!(world.graph(&admin, "PATCH", &path, Some(web)).await.status, 204);
    let secret = world.graph(&admin, "POST", &format!("{path}/addPassword"), Some(json!({}))).await;
    assert_eq!(secret.status, 200, "{}", secret.text);
    let secret = secret.json()["secretText"].as_str().map(str::to_owned);
    WorldApplication { secret, redirect_uris: vec!["https://api.test/cb".to_owned()], ..api }
}

/// A token for the API, as a web application of the tenant calls it.
async fn call(world: &World, api: &WorldApplication, name: &str) -> String {
    let scope = format!("api://{}/access_as_user", api.app_id.unwrap());
    let tokens = world.sign_in(CONTOSO, "web", name, &scope).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

async fn act(world: &World, api: &WorldApplication, assertion: &str, more: &[(&str, &str)]) -> Answer {
    let id = api.app_id.unwrap().to_string();
    let mut fields = vec![
        ("grant_type", GRANT),
        ("client_id", id.as_str()),
        ("client_secret", api.secret.as_deref().unwrap()),
        ("assertion", assertion),
        ("requested_token_use", "on_behalf_of"),
        ("scope", SCOPE),
    ];
    fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    fields.extend(more);
    world.token(CONTOSO, &fields).await
}

/// The user agrees to what the service does for them.
async fn agree(world: &World, api: &WorldApplication, name: &str) {
    world.browser().code_for(CONTOSO, api, name, SCOPE).await;
}

#[tokio::test]
async fn a_service_acts_for_its_caller_after_the_caller_agreed() {
    let world = World::new().await;
    let api = service_app(&world).await;
    let token = call(&world, &api, "carol@contoso.test").await;
    let refused = act(&world, &api, &token, &[]).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, 65_001));
    assert_eq!(refused.json()["suberror"], "consent_required");

    agree(&world, &api, "carol@contoso.test").await;
    let answer = act(&world, &api, &token, &[("client_info", "1")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens = answer.json();
    let access = claims(tokens["access_token"].as_str().unwrap());
    let carol = world.user("carol@contoso.test").id.unwrap().to_string();
    assert_eq!((&access["oid"], &access["scp"]), (&json!(carol), &json!("openid User.Read")));
    assert_eq!(access["appid"], json!(api.app_id.unwrap().to_string()));
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["oid"], json!(carol));
    assert!(tokens["client_info"].is_string());
    let me = world.graph(tokens["access_token"].as_str().unwrap(), "GET", "/v1.0/me", None).await;
    assert_eq!(me.status, 200, "{}", me.text);

    // Its refresh token is the service's, and lives on when the caller's token is old.
    world.advance(Span::hours(2));
    assert_eq!(act(&world, &api, &token, &[]).await.code(), 500_133);
    let refresh = |client: &WorldApplication| {
        [
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", client.app_id.unwrap().to_string()),
            ("client_secret", client.secret.clone().unwrap()),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap().to_owned()),
        ]
    };
    for (client, status) in [(&api, 200), (world.app(CONTOSO, "web"), 400)] {
        let fields = refresh(client);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(world.token(CONTOSO, &fields).await.status, status);
    }
}

#[tokio::test]
async fn a_guests_call_is_acted_on_too() {
    let world = World::new().await;
    let api = service_app(&world).await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let token = call(&world, &api, "bob@fabrikam.test").await;
    agree(&world, &api, "bob@fabrikam.test").await;
    let answer = act(&world, &api, &token, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(claims(answer.json()["access_token"].as_str().unwrap())["oid"], json!(guest));
}

#[tokio::test]
async fn r30_only_the_audience_of_a_token_acts_with_it() {
    let world = World::new().await;
    let api = service_app(&world).await;
    agree(&world, &api, "carol@contoso.test").await;
    let token = call(&world, &api, "carol@contoso.test").await;
    let web = world.app(CONTOSO, "web");
    let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
    // Another service with the API's token; the API with Graph's token; with an application's; with none of ours.
    let other = act(&world, &api, &token, &[("client_id", &id), ("client_secret", &secret)]).await;
    assert_eq!((other.status.as_u16(), other.code()), (400, 500_131));
    let graph = world.sign_in(CONTOSO, "web", "carol@contoso.test", "openid User.Read").await;
    let graph = graph["access_token"].as_str().unwrap();
    assert_eq!(act(&world, &api, graph, &[]).await.code(), 500_131);
    let daemon = world.app(CONTOSO, "daemon");
    let fields = [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", daemon.app_id.unwrap().to_string()),
        ("client_secret", daemon.secret.clone().unwrap()),
        ("scope", format!("api://{}/.default", api.app_id.unwrap())),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app_only = world.token(CONTOSO, &fields).await.json();
    let refused = act(&world, &api, app_only["access_token"].as_str().unwrap(), &[]).await;
    assert_eq!((refused.code(), &refused.json()["error"]), (7_000_114, &json!("unauthorized_client")));
    for broken in ["x", token.get(..token.len() - 4).unwrap(), &format!("{token}.")] {
        assert_eq!(act(&world, &api, broken, &[]).await.code(), 50_013);
    }
    assert_eq!(act(&world, &api, &token, &[("client_secret", "wrong")]).await.code(), 7_000_215);
    assert_eq!(act(&world, &api, &token, &[("client_secret", "")]).await.code(), 7_000_218);
    assert_eq!(act(&world, &api, &token, &[("requested_token_use", "x")]).await.code(), 90_023);
    // Another tenant knows neither the service nor the sign-in.
    let id = api.app_id.unwrap().to_string();
    let fields = [
        ("grant_type", GRANT),
        ("client_id", id.as_str()),
        ("client_secret", api.secret.as_deref().unwrap()),
        ("assertion", token.as_str()),
        ("requested_token_use", "on_behalf_of"),
        ("scope", SCOPE),
    ];
    assert_eq!(world.token(FABRIKAM, &fields).await.code(), 700_016);
    assert_eq!(act(&world, &api, &token, &[]).await.status, 200);
}

#[tokio::test]
async fn r38_what_ends_the_callers_sign_in_ends_acting_for_them() {
    let world = World::new().await;
    let api = service_app(&world).await;
    agree(&world, &api, "carol@contoso.test").await;
    let token = call(&world, &api, "carol@contoso.test").await;
    let acted = act(&world, &api, &token, &[]).await.json();
    let admin = world.daemon_token(CONTOSO).await;
    let carol = format!("/v1.0/users/{}", world.user("carol@contoso.test").id.unwrap());
    let set = |is_enabled: bool| Some(json!({ "accountEnabled": is_enabled }));
    assert_eq!(world.graph(&admin, "PATCH", &carol, set(false)).await.status, 204);
    assert_eq!(act(&world, &api, &token, &[]).await.code(), 50_057);
    // Switched on again, the sign-in stays ended, and what came of it too.
    assert_eq!(world.graph(&admin, "PATCH", &carol, set(true)).await.status, 204);
    assert_eq!(act(&world, &api, &token, &[]).await.code(), 50_173);
    let me = world.graph(acted["access_token"].as_str().unwrap_or_default(), "GET", "/v1.0/me", None).await;
    assert_eq!(me.status, 401);
    assert_ne!(acted, Value::Null);
}

#[tokio::test]
async fn r14_a_replayed_code_ends_what_a_service_got_on_its_strength() {
    let world = World::new().await;
    let api = service_app(&world).await;
    agree(&world, &api, "carol@contoso.test").await;
    let web = world.app(CONTOSO, "web");
    let scope = format!("api://{}/access_as_user", api.app_id.unwrap());
    let code = world.browser().code_for(CONTOSO, web, "carol@contoso.test", &scope).await;
    let called = world.redeem(CONTOSO, web, &code).await.json();
    let acted = act(&world, &api, called["access_token"].as_str().unwrap(), &[]).await.json();
    let id = api.app_id.unwrap().to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", api.secret.as_deref().unwrap()),
        ("refresh_token", acted["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(world.token(CONTOSO, &fields).await.status, 200);
    assert_eq!(world.redeem(CONTOSO, web, &code).await.code(), 54_005);
    let refused = world.token(CONTOSO, &fields).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, 50_173));
    let me = world.graph(acted["access_token"].as_str().unwrap(), "GET", "/v1.0/me", None).await;
    assert_eq!(me.status, 401);
}
