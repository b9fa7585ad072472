//! R10 typed one-time objects, R11 explicit steps, R12 no other path lowers what is required, R14 one success, R17 the key
//! decides.

use domain::time::Span;
use std::sync::Arc;
use testkit::{BASE, CONTOSO, World};

#[tokio::test]
async fn r10_every_one_time_object_is_refused_in_every_other_place() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    let mut browser = world.browser();
    let code = browser.code_for(CONTOSO, web, "carol@contoso.test", "openid offline_access User.Read").await;
    let second =
        browser.code_for(CONTOSO, web, "carol@contoso.test", "openid offline_access User.Read").await;
    let tokens = world.redeem(CONTOSO, web, &second).await.json();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let invitation = world.invite(CONTOSO, "bob@fabrikam.test").await;
    let url = invitation["inviteRedeemUrl"].as_str().unwrap();
    let ticket = url.split("ticket=").nth(1).unwrap().split('&').next().unwrap();
    let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
    for foreign in [code.as_str(), ticket, tokens["access_token"].as_str().unwrap()] {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", &id),
            ("client_secret", &secret),
            ("refresh_token", foreign),
        ];
        assert_eq!(world.token(CONTOSO, &fields).await.code(), 70_000);
    }
    for foreign in [refresh, ticket] {
        assert_eq!(world.redeem(CONTOSO, web, foreign).await.code(), 70_000);
    }
    for foreign in [refresh, code.as_str()] {
        let page = world.browser().get(&url.replace(ticket, foreign)).await;
        assert!(page.text.contains("no such invitation"));
    }
}

/// The account that was picked is too old for what the application asked: its password is asked, and nobody else's.
#[tokio::test]
async fn r12_a_picked_session_that_is_too_old_asks_that_person_again() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    let mut browser = world.browser();
    for name in ["alice@contoso.test", "carol@contoso.test"] {
        let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &[("prompt", "login")]);
        let page = browser.get(&url).await;
        let page = browser.sign_in(page, name).await;
        let page = browser.press(&page, "accept", &[]).await;
        browser.press(&page, "stay_no", &[]).await;
    }
    world.advance(Span::minutes(10));
    let page =
        browser.get(&browser.authorize_url(CONTOSO, web, "openid User.Read", &[("max_age", "60")])).await;
    let carol =
        page.text.split("name=\"account\" value=\"").skip(1).find(|tile| tile.contains("carol@contoso.test"));
    let account = carol.unwrap().split('"').next().unwrap().to_owned();
    let page = browser.press(&page, "", &[("account", &account)]).await;
    assert!(page.asks_for("password") && page.text.contains("carol@contoso.test"), "{}", page.text);
    let page = browser.sign_in(page, "carol@contoso.test").await;
    assert!(page.parameter("code").is_some(), "{page:?}");
}

#[tokio::test]
async fn r11_an_answer_to_a_step_that_is_not_asked_changes_nothing() {
    let world = World::new().await;
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid User.Read", &[]);
    let page = browser.get(&url).await;
    for action in ["accept", "stay_yes", "change", "cancel"] {
        let next = browser
            .press(
                &page,
                action,
                &[("redemption", "1"), ("new_password", "Passw0rd-1"), ("confirm_password", "Passw0rd-1")],
            )
            .await;
        assert!(next.asks_for("login") && next.left_to.is_none(), "{action}: {next:?}");
    }
    // A password without a name is nobody's.
    let next = browser
        .press(&page, "signin", &[("password", world.user("alice@contoso.test").password.as_ref().unwrap())])
        .await;
    assert!(next.left_to.is_none());
}

#[tokio::test]
async fn r14_a_replayed_code_is_refused_and_revokes_what_it_issued() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    let code =
        world.browser().code_for(CONTOSO, web, "carol@contoso.test", "openid offline_access User.Read").await;
    let tokens = world.redeem(CONTOSO, web, &code).await.json();
    assert_eq!(world.redeem(CONTOSO, web, &code).await.code(), 54_005);
    let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", &id),
        ("client_secret", &secret),
        ("refresh_token", refresh),
    ];
    assert_eq!(world.token(CONTOSO, &fields).await.code(), 50_173);
    // The access token dies for our own APIs, too.
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(world.graph(access, "GET", "/v1.0/me", None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r14_a_hundred_parallel_redemptions_have_one_success() {
    let world = Arc::new(World::new().await);
    let web = world.app(CONTOSO, "web").clone();
    let code = world.browser().code_for(CONTOSO, &web, "carol@contoso.test", "openid User.Read").await;
    let mut tries = Vec::new();
    for _ in 0..100 {
        let (world, web, code) = (Arc::clone(&world), web.clone(), code.clone());
        tries.push(tokio::spawn(async move { world.redeem(CONTOSO, &web, &code).await.status.as_u16() }));
    }
    let mut granted = 0;
    for attempt in tries {
        granted += u32::from(attempt.await.unwrap() == 200);
    }
    assert_eq!(granted, 1);
}

#[tokio::test]
async fn r14_an_invitation_is_accepted_once() {
    let world = World::new().await;
    let invitation = world.invite(CONTOSO, "bob@fabrikam.test").await;
    let url = invitation["inviteRedeemUrl"].as_str().unwrap();
    let (mut first, mut second) = (world.browser(), world.browser());
    let page = first.get(url).await;
    let one = first.sign_in(page, "bob@fabrikam.test").await;
    let page = second.get(url).await;
    let two = second.sign_in(page, "bob@fabrikam.test").await;
    assert!(one.asks_for("redemption") && two.asks_for("redemption"));
    first.press(&one, "accept", &[]).await;
    // The second browser's consent comes too late; the person is a guest already and simply goes on.
    let late = second.press(&two, "accept", &[]).await;
    assert_eq!(late.status, 200, "{}", late.text);
    let token = world.daemon_token(CONTOSO).await;
    let users = world.graph(&token, "GET", "/v1.0/users?$filter=userType%20eq%20'Guest'", None).await.json();
    assert_eq!(users["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn r17_published_keys_carry_their_algorithm_and_tokens_name_one_of_them() {
    let world = World::new().await;
    let keys = world.get(&format!("/{CONTOSO}/discovery/v2.0/keys")).await.json();
    let token = world.daemon_token(CONTOSO).await;
    let header: serde_json::Value =
        serde_json::from_slice(&standards::b64::decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!((header["alg"].as_str(), key["kty"].as_str()), (Some("RS256"), Some("RSA")));
    assert_eq!(key["issuer"], format!("{BASE}/{{tenantid}}/v2.0"));
}

#[tokio::test]
async fn r12_at_common_a_hint_at_somebody_else_does_not_let_the_only_account_in() {
    let world = World::new().await;
    let spa = world.app(CONTOSO, "spa");
    let mut browser = world.browser();
    browser.code_for(CONTOSO, spa, "carol@contoso.test", "openid User.Read").await;
    let url = browser.authorize_url("organizations", spa, "openid User.Read", &[]);
    assert!(browser.get(&url).await.parameter("code").is_some());
    for hint in [("login_hint", "eve@nobody.test"), ("sid", "6731de76-14a6-49ae-97bc-6eba6914391e")] {
        let url =
            browser.authorize_url("organizations", spa, "openid User.Read", &[hint, ("prompt", "none")]);
        let page = browser.get(&url).await;
        assert_eq!(page.parameter("error").as_deref(), Some("login_required"), "{page:?}");
        let url = browser.authorize_url("organizations", spa, "openid User.Read", &[hint]);
        let page = browser.get(&url).await;
        assert!(page.left_to.is_none() && page.field("proof").is_some(), "{page:?}");
    }
}
