//! Sign-in for a device without a browser (RFC 8628; facts: protocol §3).

use domain::tenancy::tenant::OptionalGrants;
use domain::time::Span;
use serde_json::{Value, json};
use service::seed::WorldApplication;
use testkit::{Answer, BASE, Browser, CONTOSO, FABRIKAM, Page, Setup, World, claims};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SCOPE: &str = "openid profile offline_access User.Read";

async fn world() -> World {
    World::with(Setup {
        grants: OptionalGrants { device_code: true, ..OptionalGrants::default() },
        ..Setup::default()
    })
    .await
}

async fn ask(world: &World, segment: &str, app: &WorldApplication) -> Answer {
    let id = app.app_id.unwrap().to_string();
    let path = format!("/{segment}/oauth2/v2.0/devicecode");
    world.post(&path, &[("client_id", id.as_str()), ("scope", SCOPE)]).await
}

/// The codes for Contoso's desktop application.
async fn codes(world: &World) -> Value {
    let answer = ask(world, CONTOSO, world.app(CONTOSO, "native")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn poll(world: &World, segment: &str, app: &WorldApplication, codes: &Value) -> Answer {
    let (id, code) = (app.app_id.unwrap().to_string(), codes["device_code"].as_str().unwrap());
    let mut fields = vec![
        ("grant_type", GRANT),
        ("client_id", id.as_str()),
        ("device_code", code),
        // As MSAL for Python does.
        ("code", code),
        ("client_info", "1"),
    ];
    if let Some(secret) = &app.secret {
        fields.push(("client_secret", secret));
    }
    world.token(segment, &fields).await
}

async fn poll_native(world: &World, codes: &Value) -> Answer {
    poll(world, CONTOSO, world.app(CONTOSO, "native"), codes).await
}

async fn enter(browser: &mut Browser<'_>, code: &str) -> Page {
    let page = browser.get(&format!("{BASE}/device")).await;
    browser.press(&page, "enter", &[("user_code", code)]).await
}

/// Types the code and signs in, up to the question whether this is one's own device.
async fn confirm_page(browser: &mut Browser<'_>, codes: &Value, name: &str) -> Page {
    let page = enter(browser, codes["user_code"].as_str().unwrap()).await;
    browser.sign_in(page, name).await
}

/// Says yes to everything.
async fn let_in(browser: &mut Browser<'_>, codes: &Value, name: &str) -> Page {
    let page = confirm_page(browser, codes, name).await;
    let mut page = browser.press(&page, "device_yes", &[]).await;
    if page.text.contains("value=\"accept\"") {
        page = browser.press(&page, "accept", &[]).await;
    }
    page
}

#[tokio::test]
async fn a_device_is_let_in() {
    let world = world().await;
    let codes = codes(&world).await;
    assert_eq!((&codes["expires_in"], &codes["interval"]), (&json!(900), &json!(5)));
    assert_eq!(codes["verification_uri"], json!(format!("{BASE}/device")));
    assert!(codes["message"].as_str().unwrap().contains(codes["user_code"].as_str().unwrap()));
    assert!(codes.get("verification_uri_complete").is_none());

    let waiting = poll_native(&world, &codes).await;
    assert_eq!((waiting.status.as_u16(), waiting.code()), (400, 70_016));
    assert_eq!(waiting.json()["error"], "authorization_pending");

    let page = let_in(&mut world.browser(), &codes, "carol@contoso.test").await;
    assert!(page.text.contains("<h1>Your device is signed in</h1>"), "{}", page.text);

    let answer = poll_native(&world, &codes).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens = answer.json();
    let carol = json!(world.user("carol@contoso.test").id.unwrap().to_string());
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!((&id["oid"], id.get("nonce")), (&carol, None));
    assert!(tokens["client_info"].is_string() && tokens["refresh_token"].is_string());
    let me = world.graph(tokens["access_token"].as_str().unwrap(), "GET", "/v1.0/me", None).await;
    assert_eq!((me.status.as_u16(), &me.json()["id"]), (200, &carol));
    let refreshed = refresh(&world, &tokens).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
}

async fn refresh(world: &World, tokens: &Value) -> Answer {
    let id = world.app(CONTOSO, "native").app_id.unwrap().to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    world.token(CONTOSO, &fields).await
}

#[tokio::test]
async fn at_common_the_tokens_come_from_the_tenant_of_whoever_signs_in() {
    let world = world().await;
    let spa = world.app(CONTOSO, "spa");
    let daemon = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/applications(appId='{}')", spa.app_id.unwrap());
    let public = Some(json!({ "isFallbackPublicClient": true }));
    assert_eq!(world.graph(&daemon, "PATCH", &path, public).await.status, 204);
    for (segment, domain, name) in
        [("common", FABRIKAM, "bob@fabrikam.test"), ("organizations", CONTOSO, "carol@contoso.test")]
    {
        let codes = ask(&world, segment, spa).await.json();
        assert_eq!(poll(&world, segment, spa, &codes).await.code(), 70_016);
        let page = let_in(&mut world.browser(), &codes, name).await;
        assert!(page.text.contains("<h1>Your device is signed in</h1>"), "{}", page.text);
        // It asks where it got the code, and nowhere else.
        assert_eq!(poll(&world, domain, spa, &codes).await.code(), 70_018);
        let answer = poll(&world, segment, spa, &codes).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let id = claims(answer.json()["id_token"].as_str().unwrap());
        assert_eq!(id["tid"], json!(world.tenant_id(domain).to_string()));
        assert_eq!(poll(&world, segment, spa, &codes).await.code(), 54_005);
    }
    let single = ask(&world, "common", world.app(CONTOSO, "native")).await;
    assert_eq!((single.status.as_u16(), single.code()), (400, 50_194));
    let foreign = ask(&world, FABRIKAM, world.app(CONTOSO, "native")).await;
    assert_eq!((foreign.status.as_u16(), foreign.code()), (400, 700_016));
}

#[tokio::test]
async fn whoever_says_no_ends_the_waiting() {
    let world = world().await;
    let codes = codes(&world).await;
    let mut browser = world.browser();
    let page = confirm_page(&mut browser, &codes, "carol@contoso.test").await;
    let page = browser.press(&page, "device_no", &[]).await;
    assert!(page.text.contains("AADSTS65004"), "{}", page.text);
    let answer = poll_native(&world, &codes).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("authorization_declined")));
    let page = enter(&mut world.browser(), codes["user_code"].as_str().unwrap()).await;
    assert!(page.text.contains("This code is not valid"), "{}", page.text);
}

#[tokio::test]
async fn r33_nobody_gets_a_device_code_unless_the_organisation_wants_it() {
    let world = World::new().await;
    let before = world.sign_in_counts(CONTOSO);
    let answer = ask(&world, CONTOSO, world.app(CONTOSO, "native")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, 53_003));
    assert_eq!(answer.json()["error"], "access_denied");
    assert_eq!(world.sign_in_counts(CONTOSO), (before.0, before.1 + 1));

    // At `common` the tenant is known late; it says no all the same.
    let daemon = world.daemon_token(CONTOSO).await;
    let spa = world.app(CONTOSO, "spa");
    let path = format!("/v1.0/applications(appId='{}')", spa.app_id.unwrap());
    let public = Some(json!({ "isFallbackPublicClient": true }));
    assert_eq!(world.graph(&daemon, "PATCH", &path, public).await.status, 204);
    let codes = ask(&world, "common", spa).await.json();
    let mut browser = world.browser();
    let page = enter(&mut browser, codes["user_code"].as_str().unwrap()).await;
    let page = browser.press(&page, "next", &[("login", "carol@contoso.test")]).await;
    assert!(page.text.contains("AADSTS53003"), "{}", page.text);
    assert_eq!(poll(&world, "common", spa, &codes).await.code(), 70_016);
}

#[tokio::test]
async fn r33_a_session_alone_lets_no_device_in_and_the_page_says_who_asks() {
    let world = world().await;
    let mut browser = world.browser();
    browser.code_for(CONTOSO, world.app(CONTOSO, "native"), "carol@contoso.test", SCOPE).await;
    let codes = codes(&world).await;
    // The address brings no code along, and a form of somebody else's is not taken.
    let user_code = codes["user_code"].as_str().unwrap();
    let page = browser.get(&format!("{BASE}/device?user_code={user_code}")).await;
    assert!(!page.text.contains(user_code));
    let page = browser.post(&format!("{BASE}/device"), &[("user_code", user_code)]).await;
    assert!(page.text.contains("AADSTS50089"), "{}", page.text);

    let page = enter(&mut browser, &user_code.to_lowercase()).await;
    for said in ["Is this your device?", "Contoso Desktop", "contoso.test", "carol@contoso.test", "network"] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert_eq!(poll_native(&world, &codes).await.code(), 70_016);
    browser.press(&page, "device_yes", &[]).await;
    assert_eq!(poll_native(&world, &codes).await.status, 200);
}

#[tokio::test]
async fn r33_guests_let_no_device_in() {
    let world = world().await;
    world.make_guest("bob@fabrikam.test").await;
    let codes = codes(&world).await;
    let page = let_in(&mut world.browser(), &codes, "bob@fabrikam.test").await;
    assert!(page.text.contains("AADSTS53003") && page.text.contains("Guests cannot"), "{}", page.text);
    assert_eq!(poll_native(&world, &codes).await.code(), 70_016);
}

#[tokio::test]
async fn r38_a_guest_s_device_gets_tokens_while_the_home_vouches() {
    let grants = OptionalGrants { device_code: true, ..OptionalGrants::default() };
    let world = World::with(Setup { grants, allows_device_code_for_guests: true, ..Setup::default() }).await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let (fetched, waiting) = (codes(&world).await, codes(&world).await);
    for codes in [&fetched, &waiting] {
        let page = let_in(&mut world.browser(), codes, "bob@fabrikam.test").await;
        assert!(page.text.contains("<h1>Your device is signed in</h1>"), "{}", page.text);
    }
    let before = (world.sign_in_counts(CONTOSO), world.sign_in_counts(FABRIKAM));
    let answer = poll_native(&world, &fetched).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let tokens = answer.json();
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["oid"], json!(guest));
    let after = (world.sign_in_counts(CONTOSO), world.sign_in_counts(FABRIKAM));
    assert_eq!(after.0, (before.0.0 + 1, before.0.1), "one record here");
    assert_eq!(after.1, (before.1.0 + 1, before.1.1), "and one at home, which was asked");
    assert_eq!(refresh(&world, &tokens).await.status, 200);

    let admin = world.daemon_token(FABRIKAM).await;
    let bob = format!("/v1.0/users/{}", world.user("bob@fabrikam.test").id.unwrap());
    let disabled = Some(json!({ "accountEnabled": false }));
    assert_eq!(world.graph(&admin, "PATCH", &bob, disabled).await.status, 204);
    assert_eq!(poll_native(&world, &waiting).await.code(), 50_057);
    assert_eq!(refresh(&world, &tokens).await.code(), 50_057);
    // What the home refused has ended here, too: nobody asks there again.
    let enabled = Some(json!({ "accountEnabled": true }));
    assert_eq!(world.graph(&admin, "PATCH", &bob, enabled).await.status, 204);
    assert_eq!(poll_native(&world, &waiting).await.code(), 50_173);
    assert_eq!(refresh(&world, &tokens).await.code(), 50_173);
}

#[tokio::test]
async fn r33_wrong_codes_are_counted_and_then_nothing_is_looked_up() {
    let world = world().await;
    let codes = codes(&world).await;
    let right = codes["user_code"].as_str().unwrap();
    let mut browser = world.browser();
    let before = world.stray_refusals();
    for wrong in ["", "123456789", "BCDFGHJKL", &format!("{right}B"), "' OR 1=1"] {
        for _ in 0..4 {
            let page = enter(&mut browser, wrong).await;
            assert!(page.text.contains("This code is not valid"), "{wrong}: {}", page.text);
        }
    }
    let page = enter(&mut browser, right).await;
    assert!(page.text.contains("too many wrong codes"), "{}", page.text);
    assert_eq!(world.stray_refusals(), before + 21);
    world.advance(Span::minutes(14));
    assert!(enter(&mut browser, right).await.text.contains("too many wrong codes"));
    world.advance(Span::seconds(59));
    assert!(enter(&mut browser, right).await.text.contains("too many wrong codes"));
    world.advance(Span::seconds(1));
    // The pause is over, and so is the code's quarter of an hour.
    assert!(enter(&mut browser, right).await.text.contains("This code is not valid"));
}

#[tokio::test]
async fn r04_a_code_is_worth_nothing_after_a_quarter_of_an_hour() {
    let world = world().await;
    let (unanswered, approved) = (codes(&world).await, codes(&world).await);
    let_in(&mut world.browser(), &approved, "carol@contoso.test").await;
    let mut late = world.browser();
    let page = confirm_page(&mut late, &unanswered, "dave@contoso.test").await;
    world.advance(Span::minutes(15));
    for codes in [&unanswered, &approved] {
        let answer = poll_native(&world, codes).await;
        assert_eq!((answer.code(), &answer.json()["error"]), (70_019, &json!("expired_token")));
    }
    let page = late.press(&page, "device_yes", &[]).await;
    let page = late.press(&page, "accept", &[]).await;
    assert!(page.text.contains("This code is not valid any more"), "{}", page.text);
}

#[tokio::test]
async fn r14_a_second_use_takes_back_what_the_first_one_gave() {
    let world = world().await;
    let codes = codes(&world).await;
    let_in(&mut world.browser(), &codes, "carol@contoso.test").await;
    let tokens = poll_native(&world, &codes).await.json();
    assert_eq!(refresh(&world, &tokens).await.status, 200);
    assert_eq!(poll_native(&world, &codes).await.code(), 54_005);
    assert_eq!(refresh(&world, &tokens).await.code(), 50_173);
    let me = world.graph(tokens["access_token"].as_str().unwrap(), "GET", "/v1.0/me", None).await;
    assert_eq!(me.status, 401);
}

#[tokio::test]
async fn r14_of_two_people_who_answer_one_is_heard() {
    let world = world().await;
    let codes = codes(&world).await;
    let (mut first, mut second) = (world.browser(), world.browser());
    let page = confirm_page(&mut first, &codes, "carol@contoso.test").await;
    let_in(&mut second, &codes, "dave@contoso.test").await;
    let page = first.press(&page, "device_yes", &[]).await;
    let page = first.press(&page, "accept", &[]).await;
    assert!(page.text.contains("This code is not valid any more"), "{}", page.text);
    let tokens = poll_native(&world, &codes).await.json();
    let dave = json!(world.user("dave@contoso.test").id.unwrap().to_string());
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["oid"], dave);
}

#[tokio::test]
async fn r10_no_code_passes_for_another() {
    let world = world().await;
    let codes = codes(&world).await;
    let_in(&mut world.browser(), &codes, "carol@contoso.test").await;
    let native = world.app(CONTOSO, "native");
    let id = native.app_id.unwrap().to_string();
    let code = codes["device_code"].as_str().unwrap();
    let redirect = native.redirect_uris.first().unwrap();
    let as_code = [
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("code", code),
        ("redirect_uri", redirect.as_str()),
    ];
    assert_eq!(world.token(CONTOSO, &as_code).await.code(), 70_000);
    let as_refresh = [("grant_type", "refresh_token"), ("client_id", id.as_str()), ("refresh_token", code)];
    assert_eq!(world.token(CONTOSO, &as_refresh).await.code(), 70_000);
    // R40: and no other text passes for a device code; another client's device code is an unknown one.
    for broken in
        ["x", code.get(..code.len() - 1).unwrap(), &format!("{code}A"), codes["user_code"].as_str().unwrap()]
    {
        let answer = poll_native(&world, &json!({ "device_code": broken })).await;
        assert_eq!((answer.code(), &answer.json()["error"]), (70_018, &json!("bad_verification_code")));
    }
    assert_eq!(poll(&world, CONTOSO, world.app(CONTOSO, "web"), &codes).await.code(), 70_018);
    assert_eq!(poll_native(&world, &codes).await.status, 200);
}

#[tokio::test]
async fn r30_the_grant_has_one_shape() {
    let world = world().await;
    let codes = codes(&world).await;
    let id = world.app(CONTOSO, "native").app_id.unwrap().to_string();
    let code = codes["device_code"].as_str().unwrap();
    let base = [("grant_type", GRANT), ("client_id", id.as_str())];
    for (more, number) in [
        (vec![], 900_144),
        (vec![("code", code)], 900_144),
        (vec![("device_code", code), ("code", "other")], 90_023),
        (vec![("device_code", code), ("refresh_token", "x")], 90_023),
        (vec![("device_code", code), ("username", "x"), ("password", "y")], 90_023),
        (vec![("device_code", code), ("resource", "x")], 901_002),
        (vec![("device_code", code), ("client_secret", "x")], 70_016),
        (vec![("device_code", code)], 70_016),
    ] {
        let fields: Vec<(&str, &str)> = base.into_iter().chain(more).collect();
        assert_eq!(world.token(CONTOSO, &fields).await.code(), number, "{fields:?}");
    }
    let ask = |fields: Vec<(&'static str, String)>| {
        let world = &world;
        async move {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            world.post(&format!("/{CONTOSO}/oauth2/v2.0/devicecode"), &fields).await.code()
        }
    };
    assert_eq!(ask(vec![("client_id", id.clone())]).await, 900_144);
    assert_eq!(ask(vec![("scope", "openid".to_owned())]).await, 900_144);
    assert_eq!(
        ask(vec![("client_id", id.clone()), ("scope", "User.Read api://x/y".to_owned())]).await,
        70_011
    );
}

#[tokio::test]
async fn a_confidential_client_proves_itself_at_the_poll() {
    let world = world().await;
    let web = world.app(CONTOSO, "web");
    let codes = ask(&world, CONTOSO, web).await.json();
    let_in(&mut world.browser(), &codes, "carol@contoso.test").await;
    let bare = WorldApplication { secret: None, ..web.clone() };
    let answer = poll(&world, CONTOSO, &bare, &codes).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, 7_000_218));
    let wrong = WorldApplication { secret: Some("wrong".to_owned()), ..web.clone() };
    assert_eq!(poll(&world, CONTOSO, &wrong, &codes).await.code(), 7_000_215);
    assert_eq!(poll(&world, CONTOSO, web, &codes).await.status, 200);
}

#[tokio::test]
async fn r38_everything_is_looked_at_again_when_the_device_asks() {
    let world = world().await;
    let admin = world.daemon_token(CONTOSO).await;
    let carol = format!("/v1.0/users/{}", world.user("carol@contoso.test").id.unwrap());
    let codes = codes(&world).await;
    let_in(&mut world.browser(), &codes, "carol@contoso.test").await;
    let off = Some(json!({ "accountEnabled": false }));
    assert_eq!(world.graph(&admin, "PATCH", &carol, off).await.status, 204);
    assert_eq!(poll_native(&world, &codes).await.code(), 50_057);
    let on = Some(json!({ "accountEnabled": true }));
    assert_eq!(world.graph(&admin, "PATCH", &carol, on).await.status, 204);
    // Switched off and on again, the sign-in is an old one.
    assert_eq!(poll_native(&world, &codes).await.code(), 50_173);
}

#[tokio::test]
async fn a_device_stays_signed_in_when_the_browser_signs_out() {
    let world = world().await;
    let codes = codes(&world).await;
    let mut browser = world.browser();
    let_in(&mut browser, &codes, "carol@contoso.test").await;
    let tokens = poll_native(&world, &codes).await.json();
    // Nor does the device leave a session in the browser.
    let page = browser.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    assert!(page.asks_for("login"), "{}", page.text);
    browser.get(&format!("{BASE}/{CONTOSO}/oauth2/v2.0/logout")).await;
    assert_eq!(refresh(&world, &tokens).await.status, 200);
}

#[tokio::test]
async fn r38_switching_codes_off_ends_what_came_by_them() {
    let world = world().await;
    let codes = codes(&world).await;
    let_in(&mut world.browser(), &codes, "carol@contoso.test").await;
    let tokens = poll_native(&world, &codes).await.json();
    let by_browser = world.sign_in(CONTOSO, "native", "carol@contoso.test", SCOPE).await;
    world.set(CONTOSO, |settings| settings.allows_device_code = Some(false)).await;
    let refused = refresh(&world, &tokens).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (400, 53_003));
    // The same person's sign-in in a browser is none of it.
    assert_eq!(refresh(&world, &by_browser).await.status, 200);
    world.set(CONTOSO, |settings| settings.allows_device_code = Some(true)).await;
    assert_eq!(refresh(&world, &tokens).await.status, 200);
}

#[tokio::test]
async fn a_device_that_somebody_else_let_in_meanwhile_leaves_no_agreement() {
    let world = world().await;
    let codes = codes(&world).await;
    let (mut alices, mut carols) = (world.browser(), world.browser());
    let page = confirm_page(&mut carols, &codes, "carol@contoso.test").await;
    let page = carols.press(&page, "device_yes", &[]).await;
    assert!(page.asks_for("shown"), "{}", page.text);
    let done = let_in(&mut alices, &codes, "alice@contoso.test").await;
    assert!(done.text.contains("Your device is signed in"), "{}", done.text);
    let refused = carols.press(&page, "accept", &[]).await;
    assert!(refused.text.contains("AADSTS70019"), "{}", refused.text);
    // Asked anew, because nothing was kept.
    let codes = self::codes(&world).await;
    let mut browser = world.browser();
    let page = confirm_page(&mut browser, &codes, "carol@contoso.test").await;
    let page = browser.press(&page, "device_yes", &[]).await;
    assert!(page.asks_for("shown"), "{}", page.text);
}
