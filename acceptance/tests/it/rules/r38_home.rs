//! R14, R38 across tenants: what a guest holds is worth something while the home vouches.

use axum::body::Body;
use domain::time::Span;
use http::{Request, header};
use serde_json::{Value, json};
use service::seed::{self, WorldApplication, WorldTenant};
use testkit::{Answer, BASE, CONTOSO, FABRIKAM, World, claims};

const BOB: &str = "bob@fabrikam.test";
const SCOPE: &str = "openid profile offline_access User.Read";

/// A request to a token endpoint, as a page of the single-page app makes it.
async fn post(world: &World, segment: &str, fields: &[(&str, &str)]) -> Answer {
    let mut url = url::Url::parse("https://form/").unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    let request = Request::post(format!("/{segment}/oauth2/v2.0/token"))
        .header(header::ORIGIN, "http://localhost:5001")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(url.query().unwrap().to_owned()));
    world.send(request.unwrap()).await
}

async fn redeem(world: &World, segment: &str, code: &str) -> Answer {
    let spa = world.app(CONTOSO, "spa");
    let id = spa.app_id.unwrap().to_string();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("code", code),
        ("redirect_uri", spa.redirect_uris[0].as_str()),
        ("code_verifier", "a-verifier-of-forty-three-characters-or-more-0"),
    ];
    post(world, segment, &fields).await
}

async fn refresh(world: &World, segment: &str, token: &str) -> Answer {
    let id = world.app(CONTOSO, "spa").app_id.unwrap().to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("refresh_token", token),
        ("scope", SCOPE),
    ];
    post(world, segment, &fields).await
}

fn refresh_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["refresh_token"].as_str().unwrap().to_owned()
}

fn who(answer: &Answer) -> (Value, Value) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let id = claims(answer.json()["id_token"].as_str().unwrap());
    (id["tid"].clone(), id["oid"].clone())
}

/// What ends a sign-in of Bob at home.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Delete,
    Disable,
    NewPassword,
    SignOut,
}

impl End {
    const ALL: [Self; 4] = [Self::Delete, Self::Disable, Self::NewPassword, Self::SignOut];

    async fn happens(self, world: &World, browser: &mut testkit::Browser<'_>) {
        let admin = world.daemon_token(FABRIKAM).await;
        let path = format!("/v1.0/users/{}", world.user(BOB).id.unwrap());
        let (method, body) = match self {
            Self::Delete => ("DELETE", None),
            Self::Disable => ("PATCH", Some(json!({ "accountEnabled": false }))),
            Self::NewPassword => (
                "PATCH",
                Some(
                    json!({ "passwordProfile": { "password": "Another-1-Word", "forceChangePasswordNextSignIn": false } }),
                ),
            ),
            Self::SignOut => {
                browser.get(&format!("{BASE}/{FABRIKAM}/oauth2/v2.0/logout")).await;
                return;
            }
        };
        assert_eq!(world.graph(&admin, method, &path, body).await.status, 204, "{self:?}");
    }

    fn code(self) -> u64 {
        match self {
            Self::Delete => 50_034,
            Self::Disable => 50_057,
            Self::NewPassword | Self::SignOut => 50_173,
        }
    }
}

#[tokio::test]
async fn r38_what_ends_at_home_ends_where_the_person_is_a_guest() {
    for end in End::ALL {
        let world = World::new().await;
        world.make_guest(BOB).await;
        let spa = world.app(CONTOSO, "spa");
        let mut browser = world.browser();
        let code = browser.code_for(CONTOSO, spa, BOB, SCOPE).await;
        let tokens = redeem(&world, CONTOSO, &code).await;
        let renewed = refresh(&world, CONTOSO, &refresh_token(&tokens)).await;
        let waiting = browser.code_for(CONTOSO, spa, BOB, SCOPE).await;

        end.happens(&world, &mut browser).await;
        let before = (world.sign_in_counts(CONTOSO), world.sign_in_counts(FABRIKAM));
        // Deleted at home, the sign-in's session is gone with its user.
        let expected = if end == End::Delete { 50_173 } else { end.code() };
        assert_eq!(redeem(&world, CONTOSO, &waiting).await.code(), expected, "{end:?}");
        let after = (world.sign_in_counts(CONTOSO), world.sign_in_counts(FABRIKAM));
        // Signing out in a browser ends its guest sessions, too: nobody needs to ask at home any more.
        let is_home_asked = i64::from(end != End::SignOut);
        assert_eq!(
            (after.0.1, after.1.1),
            (before.0.1 + 1, before.1.1 + is_home_asked),
            "{end:?}: both tenants know"
        );
        // The guest's session has ended with it: the next request goes home, and does not come back with another code.
        for token in [refresh_token(&tokens), refresh_token(&renewed)] {
            assert_eq!(refresh(&world, CONTOSO, &token).await.code(), 50_173, "{end:?}");
        }
        let silent = browser.authorize_url(CONTOSO, spa, SCOPE, &[("prompt", "none")]);
        assert_eq!(browser.get(&silent).await.parameter("code"), None, "{end:?}");
    }
}

#[tokio::test]
async fn r38_switched_on_again_at_home_the_old_sign_in_stays_ended() {
    let world = World::new().await;
    world.make_guest(BOB).await;
    let mut browser = world.browser();
    let code = browser.code_for(CONTOSO, world.app(CONTOSO, "spa"), BOB, SCOPE).await;
    let token = refresh_token(&redeem(&world, CONTOSO, &code).await);
    End::Disable.happens(&world, &mut browser).await;
    assert_eq!(refresh(&world, CONTOSO, &token).await.code(), 50_057);
    let admin = world.daemon_token(FABRIKAM).await;
    let path = format!("/v1.0/users/{}", world.user(BOB).id.unwrap());
    world.graph(&admin, "PATCH", &path, Some(json!({ "accountEnabled": true }))).await;
    assert_eq!(refresh(&world, CONTOSO, &token).await.code(), 50_173);
    // A fresh sign-in is another matter.
    world.advance(Span::seconds(2));
    let code = world.browser().code_for(CONTOSO, world.app(CONTOSO, "spa"), BOB, SCOPE).await;
    refresh_token(&redeem(&world, CONTOSO, &code).await);
}

#[tokio::test]
async fn a_fresh_sign_in_at_home_ends_nothing_where_the_person_is_a_guest() {
    let world = World::new().await;
    world.make_guest(BOB).await;
    let spa = world.app(CONTOSO, "spa");
    let mut browser = world.browser();
    let code = browser.code_for(CONTOSO, spa, BOB, SCOPE).await;
    let token = refresh_token(&redeem(&world, CONTOSO, &code).await);
    let url = browser.authorize_url(FABRIKAM, spa, "openid", &[("prompt", "login")]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, BOB).await;
    let page =
        if page.text.contains("\"accept\"") { browser.press(&page, "accept", &[]).await } else { page };
    let page = browser.sign_in(page, BOB).await;
    assert!(page.parameter("code").is_some(), "{page:?}");
    refresh_token(&refresh(&world, CONTOSO, &token).await);
}

#[tokio::test]
async fn r14_what_came_of_a_refresh_token_of_home_ends_with_the_sign_in_at_home() {
    for end in End::ALL {
        let world = World::new().await;
        let guest = world.make_guest(BOB).await;
        let spa = world.app(CONTOSO, "spa");
        let mut browser = world.browser();
        let code = browser.code_for(FABRIKAM, spa, BOB, SCOPE).await;
        world.browser().code_for(CONTOSO, spa, BOB, SCOPE).await;
        let home = refresh_token(&redeem(&world, FABRIKAM, &code).await);
        let first = refresh(&world, CONTOSO, &home).await;
        assert_eq!(who(&first), (json!(world.tenant_id(CONTOSO).to_string()), json!(guest)));
        let derived = refresh_token(&first);
        let second = refresh_token(&refresh(&world, CONTOSO, &derived).await);

        end.happens(&world, &mut browser).await;
        let refused = refresh(&world, CONTOSO, &home).await.code();
        assert_eq!(refused, if end == End::Delete { 50_173 } else { end.code() }, "{end:?}");
        for token in [derived, second] {
            let refused = refresh(&world, CONTOSO, &token).await;
            assert_eq!(refused.status, 400, "{end:?}: {}", refused.text);
        }
    }
}

#[tokio::test]
async fn r14_a_replayed_code_of_home_revokes_what_came_of_it_elsewhere() {
    let world = World::new().await;
    world.make_guest(BOB).await;
    let spa = world.app(CONTOSO, "spa");
    let code = world.browser().code_for(FABRIKAM, spa, BOB, SCOPE).await;
    world.browser().code_for(CONTOSO, spa, BOB, SCOPE).await;
    let home = refresh_token(&redeem(&world, FABRIKAM, &code).await);
    let derived = refresh_token(&refresh(&world, CONTOSO, &home).await);
    assert_eq!(redeem(&world, FABRIKAM, &code).await.code(), 54_005);
    assert_eq!(refresh(&world, CONTOSO, &derived).await.code(), 50_173);
}

#[tokio::test]
async fn a_guests_refresh_token_works_at_home_and_wherever_else_the_person_is_a_guest() {
    let world = World::new().await;
    world.make_guest(BOB).await;
    let woodgrove = seed_third(&world).await;
    let spa = world.app(CONTOSO, "spa");
    // Consent is each tenant's own.
    for tenant in [FABRIKAM, woodgrove] {
        world.browser().code_for(tenant, spa, BOB, SCOPE).await;
    }
    let mut browser = world.browser();
    let code = browser.code_for(CONTOSO, spa, BOB, SCOPE).await;
    let guests = refresh_token(&redeem(&world, CONTOSO, &code).await);
    let at_home = refresh(&world, FABRIKAM, &guests).await;
    let bob = world.user(BOB).id.unwrap().to_string();
    assert_eq!(who(&at_home), (json!(world.tenant_id(FABRIKAM).to_string()), json!(bob)));
    let elsewhere = refresh(&world, woodgrove, &guests).await;
    assert_ne!(who(&elsewhere).0, json!(world.tenant_id(CONTOSO).to_string()));
    assert_eq!(who(&refresh(&world, woodgrove, &refresh_token(&elsewhere)).await), who(&elsewhere));
    // Another client gets nothing by it, nor does a token that ended where it was given.
    let web = world.app(FABRIKAM, "web");
    let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("refresh_token", guests.as_str()),
    ];
    assert_eq!(world.token(FABRIKAM, &fields).await.code(), 70_000);
    End::SignOut.happens(&world, &mut browser).await;
    for (tenant, token) in [
        (FABRIKAM, &guests),
        (woodgrove, &guests),
        (FABRIKAM, &refresh_token(&at_home)),
        (woodgrove, &refresh_token(&elsewhere)),
    ] {
        assert_eq!(refresh(&world, tenant, token).await.code(), 50_173, "{tenant}");
    }
}

/// A third tenant that Bob is a guest of.
async fn seed_third(world: &World) -> &'static str {
    let tenant = WorldTenant {
        domain: "woodgrove.test".to_owned(),
        display_name: "Woodgrove".to_owned(),
        applications: vec![WorldApplication {
            display_name: "Woodgrove Daemon".to_owned(),
            kind: "daemon".to_owned(),
            ..WorldApplication::default()
        }],
        ..WorldTenant::default()
    };
    let moment = world.moment();
    let third = seed::complete(seed::World { tenants: vec![tenant] }, BASE, &moment.entropy).unwrap();
    world.service.seed(&third, &world.moment()).await.unwrap();
    let daemon = &third.tenants[0].applications[0];
    let (id, secret) = (daemon.app_id.unwrap().to_string(), daemon.secret.clone().unwrap());
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let token = world.token("woodgrove.test", &fields).await.json();
    let body = json!({ "invitedUserEmailAddress": BOB, "inviteRedirectUrl": format!("{BASE}/myapps") });
    let token = token["access_token"].as_str().unwrap();
    let invitation = world.graph(token, "POST", "/v1.0/invitations", Some(body)).await.json();
    let mut browser = world.browser();
    let page = browser.get(invitation["inviteRedeemUrl"].as_str().unwrap()).await;
    let page = browser.sign_in(page, BOB).await;
    browser.press(&page, "accept", &[]).await;
    "woodgrove.test"
}
