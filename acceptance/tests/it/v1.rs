//! The v1.0 endpoints: a resource instead of scopes, and ID tokens of their own form (facts: protocol §1, §3, §5).

use domain::tenancy::tenant::OptionalGrants;
use serde_json::{Value, json};
use testkit::{BASE, CONTOSO, Setup, World, claims};

const GRAPH: &str = "https://graph.microsoft.com";

async fn metadata(world: &World) -> Value {
    let answer = world.get(&format!("/{CONTOSO}/.well-known/openid-configuration")).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// Signs Carol in to the web application as a v1 library does, and redeems the code.
async fn sign_in(world: &World, resource: &str, more: &[(&str, &str)]) -> Value {
    let web = world.app(CONTOSO, "web");
    let (id, redirect) = (web.app_id.unwrap().to_string(), web.redirect_uris.first().unwrap());
    let mut url = url(world, "authorize").await;
    url.query_pairs_mut().extend_pairs([
        ("client_id", id.as_str()),
        ("response_type", "code"),
        ("redirect_uri", redirect),
        ("resource", resource),
        ("nonce", "a-nonce"),
    ]);
    let mut browser = world.browser();
    let page = browser.get(url.as_str()).await;
    let mut page = browser.sign_in(page, "carol@contoso.test").await;
    if page.text.contains("value=\"accept\"") {
        page = browser.press(&page, "accept", &[]).await;
    }
    if page.text.contains("value=\"stay_no\"") {
        page = browser.press(&page, "stay_no", &[]).await;
    }
    let code = page.parameter("code").unwrap();
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("client_secret", web.secret.as_deref().unwrap()),
        ("code", code.as_str()),
        ("redirect_uri", redirect),
    ];
    fields.extend(more);
    let answer = world.post(&format!("/{CONTOSO}/oauth2/token"), &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// An endpoint as the v1 metadata names it.
async fn url(world: &World, name: &str) -> url::Url {
    url::Url::parse(
        metadata(world).await[format!("{name}_endpoint").replace("authorize_", "authorization_")]
            .as_str()
            .unwrap(),
    )
    .unwrap()
}

#[tokio::test]
async fn the_metadata_names_v1_endpoints_that_answer() {
    let world = World::new().await;
    let document = metadata(&world).await;
    let tenant = world.tenant_id(CONTOSO);
    assert_eq!(document["issuer"], format!("{BASE}/{tenant}/"));
    for (name, path) in [
        ("authorization_endpoint", "oauth2/authorize"),
        ("token_endpoint", "oauth2/token"),
        ("end_session_endpoint", "oauth2/logout"),
        ("device_authorization_endpoint", "oauth2/devicecode"),
        ("jwks_uri", "discovery/keys"),
    ] {
        assert_eq!(document[name], format!("{BASE}/{tenant}/{path}"));
        let is_post = ["token_endpoint", "device_authorization_endpoint"].contains(&name);
        let address = document[name].as_str().unwrap();
        let answer = if is_post { world.post(address, &[]).await } else { world.get(address).await };
        assert!([200, 400].contains(&answer.status.as_u16()), "{name}: {}", answer.status);
    }
}

#[tokio::test]
async fn a_sign_in_gives_tokens_of_the_v1_form() {
    let world = World::new().await;
    let tokens = sign_in(&world, GRAPH, &[]).await;
    assert_eq!((&tokens["resource"], &tokens["token_type"]), (&json!(GRAPH), &json!("Bearer")));
    let lifetime = tokens["expires_in"].as_i64().unwrap();
    let text = |name: &str| tokens[name].as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(text("expires_on") - text("not_before"), lifetime);
    assert!(tokens["refresh_token"].is_string());
    assert!(tokens["scope"].as_str().unwrap().split(' ').any(|scope| scope == "User.Read"));

    let id = claims(tokens["id_token"].as_str().unwrap());
    let carol = world.user("carol@contoso.test");
    assert_eq!(
        (&id["ver"], &id["iss"]),
        (&json!("1.0"), &json!(format!("{BASE}/{}/", world.tenant_id(CONTOSO))))
    );
    assert_eq!((&id["oid"], &id["amr"]), (&json!(carol.id.unwrap().to_string()), &json!(["pwd"])));
    assert_eq!(
        (&id["unique_name"], &id["upn"]),
        (&json!("carol@contoso.test"), &json!("carol@contoso.test"))
    );
    assert_eq!(id["nonce"], "a-nonce");
    assert!(id.get("preferred_username").is_none());
    let me = world.graph(tokens["access_token"].as_str().unwrap(), "GET", "/v1.0/me", None).await;
    assert_eq!(me.status, 200);

    // The form follows the endpoint, not the sign-in: refreshed at v2 it is a v2 token.
    let web = world.app(CONTOSO, "web");
    let id = web.app_id.unwrap().to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", web.secret.as_deref().unwrap()),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let renewed = world.token(CONTOSO, &fields).await.json();
    assert_eq!(claims(renewed["id_token"].as_str().unwrap())["ver"], "2.0");
    assert!(renewed.get("expires_on").is_none());
    let renewed = world.post(&format!("/{CONTOSO}/oauth2/token"), &fields).await.json();
    assert_eq!(claims(renewed["id_token"].as_str().unwrap())["ver"], "1.0");
    assert_eq!(renewed["resource"], GRAPH);
}

#[tokio::test]
async fn a_guests_v1_id_token_names_the_home() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let native = world.app(CONTOSO, "native");
    let mut browser = world.browser();
    let scope = "openid profile offline_access User.Read";
    let code = browser.code_for(CONTOSO, native, "bob@fabrikam.test", scope).await;
    let tokens = world.redeem(CONTOSO, native, &code).await.json();
    let id = native.app_id.unwrap().to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("resource", GRAPH),
    ];
    let answer = world.post(&format!("/{CONTOSO}/oauth2/token"), &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id = claims(answer.json()["id_token"].as_str().unwrap());
    assert_eq!((&id["oid"], id.get("upn")), (&json!(guest), None));
    assert_eq!(id["idp"], format!("{BASE}/{}/", world.tenant_id("fabrikam.test")));
    assert_eq!(id["unique_name"], "bob@fabrikam.test");
}

#[tokio::test]
async fn an_application_names_its_resource() {
    let world = World::new().await;
    let daemon = world.app(CONTOSO, "daemon");
    let (id, secret) = (daemon.app_id.unwrap().to_string(), daemon.secret.clone().unwrap());
    let ask = |resource: &'static str| {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", id.clone().leak() as &str),
            ("client_secret", secret.clone().leak() as &str),
            ("resource", resource),
        ];
        let world = &world;
        async move { world.post(&format!("/{CONTOSO}/oauth2/token"), &fields).await }
    };
    let answer = ask("https://graph.microsoft.com/").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens = answer.json();
    assert_eq!(tokens["resource"], "https://graph.microsoft.com/");
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["idtyp"], "app");
    assert_eq!(ask("").await.code(), 900_144);
    assert_eq!(ask("https://nobody.test").await.code(), 500_011);
    assert_eq!(ask("a b").await.code(), 500_011);
    // v2 stays as it is.
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
        ("resource", GRAPH),
    ];
    assert_eq!(world.token(CONTOSO, &fields).await.code(), 901_002);
}

#[tokio::test]
async fn an_id_token_from_the_front_has_the_endpoints_form() {
    let world = World::new().await;
    let daemon = world.daemon_token(CONTOSO).await;
    let web = world.app(CONTOSO, "web");
    let id = web.app_id.unwrap().to_string();
    let path = format!("/v1.0/applications(appId='{id}')");
    let grants = json!({ "web": { "implicitGrantSettings": { "enableIdTokenIssuance": true } } });
    assert_eq!(world.graph(&daemon, "PATCH", &path, Some(grants)).await.status, 204);
    let mut url = url(&world, "authorize").await;
    url.query_pairs_mut().extend_pairs([
        ("client_id", id.as_str()),
        ("response_type", "id_token"),
        ("redirect_uri", web.redirect_uris.first().unwrap()),
        ("nonce", "n"),
    ]);
    let mut browser = world.browser();
    let page = browser.get(url.as_str()).await;
    let mut page = browser.sign_in(page, "carol@contoso.test").await;
    if page.text.contains("value=\"accept\"") {
        page = browser.press(&page, "accept", &[]).await;
    }
    if page.text.contains("value=\"stay_no\"") {
        page = browser.press(&page, "stay_no", &[]).await;
    }
    let left = page.left_to.unwrap();
    let (_, token) = left.split_once("id_token=").unwrap();
    assert_eq!(claims(token.split('&').next().unwrap())["ver"], "1.0");
}

#[tokio::test]
async fn a_device_asks_for_a_resource() {
    let world = World::with(Setup {
        grants: OptionalGrants { device_code: true, ..OptionalGrants::default() },
        ..Setup::default()
    })
    .await;
    let id = world.app(CONTOSO, "native").app_id.unwrap().to_string();
    let path = format!("/{CONTOSO}/oauth2/devicecode");
    assert_eq!(world.post(&path, &[("client_id", &id), ("scope", "openid")]).await.code(), 900_144);
    let codes = world.post(&path, &[("client_id", &id), ("resource", GRAPH)]).await.json();
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/device")).await;
    let page = browser.press(&page, "enter", &[("user_code", codes["user_code"].as_str().unwrap())]).await;
    let page = browser.sign_in(page, "carol@contoso.test").await;
    let page = browser.press(&page, "device_yes", &[]).await;
    browser.press(&page, "accept", &[]).await;
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", id.as_str()),
        ("device_code", codes["device_code"].as_str().unwrap()),
    ];
    let tokens = world.post(&format!("/{CONTOSO}/oauth2/token"), &fields).await.json();
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["ver"], "1.0");
    assert_eq!(tokens["resource"], GRAPH);
}
