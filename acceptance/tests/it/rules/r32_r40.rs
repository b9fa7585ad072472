//! R32 no record, no token; R34 a half-finished login is nothing; R38 asked again at every use; R39 links from
//! configuration; R40 exact forms.

use axum::body::Body;
use axum::extract::ConnectInfo;
use domain::id::TenantId;
use domain::proof::{ProofKind, ProofToken};
use http::{Request, header};
use serde_json::json;
use std::net::SocketAddr;
use testkit::{BASE, CONTOSO, FABRIKAM, Setup, World};

#[tokio::test]
async fn r32_every_token_and_every_refusal_has_its_record() {
    let world = World::new().await;
    let daemon = world.app(CONTOSO, "daemon");
    let (id, secret) = (daemon.app_id.unwrap().to_string(), daemon.secret.clone().unwrap());
    let (granted, refused) = world.sign_in_counts(CONTOSO);
    let long = "x".repeat(300);
    let cases: [(&str, &str, &str, bool); 6] = [
        (&id, &secret, "https://graph.microsoft.com/.default", true),
        (&id, "wrong", "https://graph.microsoft.com/.default", false),
        (&id, &secret, "api://nothing/.default", false),
        (&id, &secret, "User.Read", false),
        (&id, &secret, &long, false),
        ("6731de76-14a6-49ae-97bc-6eba6914391e", &secret, "https://graph.microsoft.com/.default", false),
    ];
    for (client, secret, scope, is_granted) in cases {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_secret", secret),
            ("scope", scope),
        ];
        let answer = world.token(CONTOSO, &fields).await;
        assert_eq!(answer.status == 200, is_granted, "{scope}: {}", answer.text);
    }
    assert_eq!(world.sign_in_counts(CONTOSO), (granted + 1, refused + 5));
}

#[tokio::test]
async fn r32_refusals_that_belong_to_no_tenant_are_kept_too() {
    let world = World::new().await;
    let before = world.stray_refusals();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "6731de76-14a6-49ae-97bc-6eba6914391e"),
        ("scope", "x/.default"),
    ];
    assert_eq!(world.token("nobody.test", &fields).await.code(), 90_002);
    assert_eq!(world.token("common", &fields).await.code(), 9_001_023);
    assert_eq!(world.stray_refusals(), before + 2);
}

/// Requests that are refused before there is anything to decide about, and whose log has the record.
#[tokio::test]
async fn r32_requests_that_never_reach_a_decision_are_recorded_too() {
    let world = World::new().await;
    let (large, daemon) = ("x".repeat(70_000), world.app(CONTOSO, "daemon").app_id.unwrap());
    let forged = |tenant| ProofToken::new(ProofKind::RefreshToken, tenant, [1; 32]).text();
    let refresh = |tenant| {
        let token = forged(tenant);
        format!("grant_type=refresh_token&client_id={daemon}&refresh_token={token}&scope=User.Read")
    };
    let (foreign, nowhere) = (refresh(world.tenant_id(FABRIKAM)), refresh(TenantId::new(daemon)));
    let visit = format!("/federation/{}/oidc?state=x&code=x", daemon);
    let block = format!("/redeem/block?tenant={}&user={}&ticket=x", world.tenant_id(CONTOSO), daemon);
    let block_nowhere = format!("/redeem/block?tenant={0}&user={0}&ticket=x", daemon);
    for (method, path, body, is_contosos) in [
        ("GET", "/contoso.test/oauth2/v2.0/token", "", true),
        ("GET", "/nobody.test/oauth2/v2.0/token", "", false),
        ("POST", "/contoso.test/oauth2/v2.0/token", &large, true),
        ("POST", "/contoso.test/oauth2/v2.0/token", &foreign, true),
        ("POST", "/contoso.test/oauth2/v2.0/token", &nowhere, true),
        ("POST", "/contoso.test/oauth2/v2.0/authorize", &large, true),
        ("POST", "/contoso.test/login", &large, true),
        ("POST", "/contoso.test/login", "action=%ff", true),
        ("POST", "/nobody.test/login", "action=next", false),
        ("GET", "/contoso.test/oauth2/v2.0/logout?logout_hint=a&logout_hint=b", "", true),
        ("GET", "/nobody.test/oauth2/v2.0/logout", "", false),
        ("POST", "/contoso.test/oauth2/v2.0/logout", &large, true),
        ("GET", &visit, "", false),
        ("POST", &block, "", true),
        ("POST", &block_nowhere, "", false),
        ("GET", "/setup?token=x", "", false),
        ("POST", "/setup", "token=x", false),
        ("POST", "/setup", &large, false),
    ] {
        let before = (world.sign_in_counts(CONTOSO), world.stray_refusals());
        let secret = standards::b64::encode(&[7; 32]);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, format!("__Host-hospes={secret}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let answer = world.send(request).await;
        assert_eq!(answer.status, 400, "{method} {path}: {}", answer.text);
        let ((granted, refused), stray) = before;
        let expected = ((granted, refused + i64::from(is_contosos)), stray + i64::from(!is_contosos));
        assert_eq!((world.sign_in_counts(CONTOSO), world.stray_refusals()), expected, "{method} {path}");
    }
    // The set-up page's form counts from our own page only.
    let before = world.stray_refusals();
    let request = Request::post("/setup").header(header::ORIGIN, "https://evil.test");
    assert_eq!(world.send(request.body(Body::from("token=x")).unwrap()).await.status, 400);
    assert_eq!(world.stray_refusals(), before + 1);
}

#[tokio::test]
async fn r32_graph_refusals_are_recorded() {
    let world = World::new().await;
    let token = world.sign_in(CONTOSO, "web", "carol@contoso.test", "openid User.Read").await;
    let body = json!({ "accountEnabled": true, "displayName": "X", "mailNickname": "x", "userPrincipalName": "x@contoso.test" });
    let answer =
        world.graph(token["access_token"].as_str().unwrap(), "POST", "/v1.0/users", Some(body)).await;
    assert_eq!(answer.status, 403);
    let records = world
        .service
        .store()
        .tenant(world.tenant_id(CONTOSO))
        .read(|tx| tx.recent_directory_records(1))
        .unwrap();
    assert_eq!(records[0].0, "Add user");
    assert!(records[0].1.is_some());
    let body =
        json!({ "invitedUserEmailAddress": "bob@fabrikam.test", "inviteRedirectUrl": "https://x.test/" });
    let answer =
        world.graph(token["access_token"].as_str().unwrap(), "POST", "/v1.0/invitations", Some(body)).await;
    assert_eq!(answer.status, 403);
    let records = world
        .service
        .store()
        .tenant(world.tenant_id(CONTOSO))
        .read(|tx| tx.recent_directory_records(1))
        .unwrap();
    assert_eq!(records[0].0, "Invite external user");
    assert!(records[0].1.is_some());
}

#[tokio::test]
async fn r32_graph_requests_that_cannot_be_understood_are_recorded() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let long = format!("/v1.0/users/{}", "x".repeat(3_000));
    for (method, path, body, status) in [
        ("POST", "/v1.0/users", "{", 400),
        ("POST", "/v1.0/users", "{\"nonsense\": 1}", 400),
        ("PATCH", "/v1.0/users", "{}", 405),
        ("GET", "/v1.0/users?$top=0", "", 400),
        ("GET", "/v1.0/nothing", "", 404),
        ("GET", "/v1.0/users/nobody@contoso.test", "", 404),
        ("GET", long.as_str(), "", 400),
    ] {
        let before = world.directory_refusals(CONTOSO);
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let request =
            request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body)).unwrap();
        let answer = world.send(request).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert_eq!(world.directory_refusals(CONTOSO), before + 1, "{method} {path}");
    }
}

#[tokio::test]
async fn r34_the_cookie_of_an_unfinished_sign_in_opens_only_its_next_step() {
    let world = World::new().await;
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid User.Read", &[]);
    let page = browser.get(&url).await;
    browser.press(&page, "next", &[("login", "carol@contoso.test")]).await;
    let silent =
        browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid User.Read", &[("prompt", "none")]);
    assert_eq!(browser.get(&silent).await.parameter("error").as_deref(), Some("login_required"));
    let page = browser.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    assert!(page.asks_for("login"), "{}", page.text);
}

#[tokio::test]
async fn r38_what_is_switched_off_is_off_at_the_next_use() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    let daemon = world.daemon_token(CONTOSO).await;
    let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
    let mut browser = world.browser();
    let code = browser.code_for(CONTOSO, web, "carol@contoso.test", "openid offline_access User.Read").await;
    let tokens = world.redeem(CONTOSO, web, &code).await.json();
    let waiting =
        browser.code_for(CONTOSO, web, "carol@contoso.test", "openid offline_access User.Read").await;
    let carol = world.user("carol@contoso.test").id.unwrap();
    let off = json!({ "accountEnabled": false });
    assert_eq!(world.graph(&daemon, "PATCH", &format!("/v1.0/users/{carol}"), Some(off)).await.status, 204);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", &id),
        ("client_secret", &secret),
        ("refresh_token", refresh),
    ];
    assert_eq!(world.token(CONTOSO, &fields).await.code(), 50_057);
    assert_eq!(world.redeem(CONTOSO, web, &waiting).await.code(), 50_057);
    assert_eq!(
        world.graph(tokens["access_token"].as_str().unwrap(), "GET", "/v1.0/me", None).await.status,
        401
    );
    // Switched on again, the old tokens stay void.
    let on = json!({ "accountEnabled": true });
    world.graph(&daemon, "PATCH", &format!("/v1.0/users/{carol}"), Some(on)).await;
    assert_eq!(world.token(CONTOSO, &fields).await.code(), 50_173);
}

#[tokio::test]
async fn r38_a_removed_secret_and_a_disabled_application_end_at_once() {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    let body = json!({ "displayName": "Short-lived" });
    let app = world.graph(&admin, "POST", "/v1.0/applications", Some(body)).await.json();
    let (id, app_id) = (app["id"].as_str().unwrap(), app["appId"].as_str().unwrap());
    let made = world.graph(&admin, "POST", "/v1.0/servicePrincipals", Some(json!({ "appId": app_id }))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let instance = made.json()["id"].as_str().unwrap().to_owned();
    let secret = world
        .graph(&admin, "POST", &format!("/v1.0/applications/{id}/addPassword"), Some(json!({})))
        .await
        .json();
    let text = secret["secretText"].as_str().unwrap();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", app_id),
        ("client_secret", text),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    assert_eq!(world.token(CONTOSO, &fields).await.status, 200);
    let off = json!({ "accountEnabled": false });
    world.graph(&admin, "PATCH", &format!("/v1.0/servicePrincipals/{instance}"), Some(off)).await;
    assert_eq!(world.token(CONTOSO, &fields).await.code(), 7_000_112);
    let on = json!({ "accountEnabled": true });
    world.graph(&admin, "PATCH", &format!("/v1.0/servicePrincipals/{instance}"), Some(on)).await;
    let gone = json!({ "keyId": secret["keyId"] });
    assert_eq!(
        world
            .graph(&admin, "POST", &format!("/v1.0/applications/{id}/removePassword"), Some(gone))
            .await
            .status,
        204
    );
    assert_eq!(world.token(CONTOSO, &fields).await.code(), 7_000_215);
}

#[tokio::test]
async fn r39_hostile_headers_build_no_link() {
    let world = World::new().await;
    for path in [
        format!("/{CONTOSO}/v2.0/.well-known/openid-configuration"),
        format!("/{CONTOSO}/discovery/v2.0/keys"),
    ] {
        let plain = world.get(&path).await.text;
        let request = Request::get(&path)
            .header(header::HOST, "evil.test")
            .header("x-forwarded-host", "evil.test")
            .header("x-forwarded-proto", "http")
            .header("forwarded", "host=evil.test")
            .body(Body::empty())
            .unwrap();
        assert_eq!(world.send(request).await.text, plain);
        assert!(plain.contains(BASE));
    }
}

fn hostile(request: http::request::Builder) -> http::request::Builder {
    request
        .header(header::HOST, "evil.test")
        .header("x-forwarded-host", "evil.test")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-server", "evil.test")
        .header("x-original-host", "evil.test")
        .header("forwarded", "host=evil.test;proto=http")
}

#[tokio::test]
async fn r39_hostile_headers_lead_no_invitation_elsewhere() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let body = json!({ "invitedUserEmailAddress": "bob@fabrikam.test", "inviteRedirectUrl": format!("{BASE}/myapps"),
        "sendInvitationMessage": true });
    let request = hostile(Request::post("/v1.0/invitations"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/json");
    let answer = world.send(request.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let redeem = answer.json()["inviteRedeemUrl"].as_str().unwrap().to_owned();
    assert!(redeem.starts_with(&format!("{BASE}/redeem?")), "{redeem}");
    world.service.send_due_mail(world.moment().now).await.unwrap();
    let sent = world.service.mailer().sent();
    let mail = sent.last().unwrap();
    for text in [&answer.text, &mail.text, &mail.html, &mail.subject] {
        assert!(!text.contains("evil.test"), "{text}");
    }
    assert!(
        mail.text.contains(&redeem) && mail.text.contains(&format!("{BASE}/redeem/block?")),
        "{}",
        mail.text
    );
    // Nor do they lead whoever opens the link.
    let path = redeem.strip_prefix(BASE).unwrap();
    let answer = world.send(hostile(Request::get(path)).body(Body::empty()).unwrap()).await;
    assert!(answer.location().is_none_or(|location| location.starts_with(BASE)), "{answer:?}");
    assert!(!format!("{:?}{}", answer.headers, answer.text).contains("evil.test"), "{answer:?}");
}

const PROXY: &str = "10.0.0.1";

/// A request that came from `peer`, if it is known, with what it says of whom it came from before.
fn forwarded(mut request: Request<Body>, peer: Option<&str>, hops: &[&str]) -> Request<Body> {
    for hops in hops {
        request.headers_mut().append("x-forwarded-for", hops.parse().unwrap());
    }
    if let Some(peer) = peer {
        let peer = SocketAddr::new(peer.parse().unwrap(), 4_000);
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    request
}

/// Tries a wrong password, and answers which of the addresses it was counted against.
async fn counted_against(proxies: &[&str], peer: &str, hops: &[&str]) -> Vec<&'static str> {
    let trusted_proxies = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
    let world = World::with(Setup { trusted_proxies, ..Setup::default() }).await;
    let browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid", &[]);
    let send = |request: Request<Body>| world.send(forwarded(request, Some(peer), hops));
    let page = send(Request::get(&url).body(Body::empty()).unwrap()).await;
    let set = page.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    let field = |name: &str| {
        let rest = page.text.split_once(&format!("name=\"{name}\"")).unwrap().1;
        rest.split_once("value=\"").unwrap().1.split_once('"').unwrap().0.to_owned()
    };
    let (attempt, proof) = (field("attempt"), field("proof"));
    for (action, name, value) in [("next", "login", "carol@contoso.test"), ("signin", "password", "wrong")] {
        let fields = [("attempt", attempt.as_str()), ("proof", &proof), ("action", action), (name, value)];
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(format!("/{CONTOSO}/login"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, BASE)
            .header(header::COOKIE, set.split_once(';').unwrap().0);
        let answer = send(request.body(Body::from(form)).unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let tenant = world.service.store().tenant(world.tenant_id(CONTOSO));
    let count = |address: &str| tenant.read(|tx| tx.failures(&format!("address:{address}"))).unwrap().count;
    let known = ["203.0.113.9", "198.51.100.7", "192.0.2.1", PROXY, "10.0.0.2"];
    known.into_iter().filter(|address| count(address) == 1).collect()
}

#[tokio::test]
async fn r39_the_clients_address_comes_from_the_peer_or_from_listed_proxies() {
    // Without a proxy nothing that the client says of itself is believed.
    assert_eq!(counted_against(&[], "203.0.113.9", &["198.51.100.7"]).await, ["203.0.113.9"]);
    for hops in [
        &["203.0.113.9"][..],
        // Whatever the client wrote before stands to the left of what the proxy wrote.
        &["198.51.100.7, 203.0.113.9"],
        &["198.51.100.7", "192.0.2.1,203.0.113.9"],
        &["10.0.0.1, 203.0.113.9"],
        &["nonsense, 203.0.113.9"],
        &["198.51.100.7, 203.0.113.9:51234"],
        // Two proxies, the inner one listed too.
        &["198.51.100.7, 203.0.113.9, 10.0.0.2"],
    ] {
        assert_eq!(counted_against(&[PROXY, "10.0.0.2"], PROXY, hops).await, ["203.0.113.9"], "{hops:?}");
    }
    // A proxy that says nothing is all that is known; one that is not listed is the client.
    assert_eq!(counted_against(&[PROXY], PROXY, &[]).await, [PROXY]);
    assert_eq!(counted_against(&[PROXY], PROXY, &["198.51.100.7, 10.0.0.2"]).await, ["10.0.0.2"]);
    // Where the proxy wrote no address, what stands left of it is the client's own word.
    assert_eq!(counted_against(&[PROXY], PROXY, &["198.51.100.7, unknown"]).await, [PROXY]);
    assert_eq!(counted_against(&[PROXY], PROXY, &["198.51.100.7", "\u{e9}, unknown"]).await, [PROXY]);
}

#[tokio::test]
async fn r39_behind_a_proxy_nobody_else_is_answered() {
    let world =
        World::with(Setup { trusted_proxies: vec![PROXY.parse().unwrap()], ..Setup::default() }).await;
    let ask = |peer: Option<&'static str>, hops: &'static [&'static str]| {
        let path = format!("/{CONTOSO}/v2.0/.well-known/openid-configuration");
        world.send(forwarded(Request::get(path).body(Body::empty()).unwrap(), peer, hops))
    };
    assert_eq!(ask(Some(PROXY), &["203.0.113.9"]).await.status, 200);
    for (peer, hops) in [
        (Some("203.0.113.9"), &[][..]),
        (Some("203.0.113.9"), &[PROXY][..]),
        (None, &[][..]),
        (None, &[PROXY][..]),
    ] {
        let answer = ask(peer, hops).await;
        assert_eq!(answer.status, 403, "{peer:?} {hops:?}");
        assert!(!answer.text.contains(BASE), "{}", answer.text);
    }
}

#[tokio::test]
async fn r40_truncated_and_extended_tokens_are_refused() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    for broken in [
        token.get(..token.len() - 1).unwrap().to_owned(),
        format!("{token}A"),
        format!("{token}."),
        token.replace('.', ".."),
    ] {
        assert_eq!(world.graph(&broken, "GET", "/v1.0/users", None).await.status, 401);
    }
}
