//! The whole way of a guest: invited, redeemed, signed in, refreshed, signed out.

use domain::time::Span;
use serde_json::Value;
use testkit::{BASE, Browser, CONTOSO, FABRIKAM, Page, World, claims};

#[tokio::test]
async fn a_guest_is_invited_redeems_and_signs_in_with_their_own_identity() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let tokens =
        world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "openid profile offline_access User.Read").await;
    let id = claims(tokens["id_token"].as_str().unwrap());
    assert_eq!(id["tid"], world.tenant_id(CONTOSO).to_string());
    assert_eq!(id["oid"], guest);
    assert_eq!(id["idp"], format!("{BASE}/{}/", world.tenant_id(FABRIKAM)));
    assert_eq!(id["nonce"], "a-nonce");
    assert_eq!(id["preferred_username"], "bob@fabrikam.test");
    let info = standards::b64::decode(tokens["client_info"].as_str().unwrap()).unwrap();
    let info: Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info["utid"], world.tenant_id(FABRIKAM).to_string());
    assert_eq!(info["uid"], world.user("bob@fabrikam.test").id.unwrap().to_string());

    let me = world
        .graph(tokens["access_token"].as_str().unwrap(), "GET", "/v1.0/me?$select=id,userType", None)
        .await;
    assert_eq!(
        (me.json()["id"].as_str(), me.json()["userType"].as_str()),
        (Some(guest.as_str()), Some("Guest"))
    );
}

#[tokio::test]
async fn a_deleted_guest_is_invited_again_and_comes_as_a_new_one() {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    let old = world.make_guest("bob@fabrikam.test").await;
    assert_eq!(world.graph(&admin, "DELETE", &format!("/v1.0/users/{old}"), None).await.status, 204);
    let new = world.make_guest("bob@fabrikam.test").await;
    assert_ne!(old, new);
    let tokens = world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "openid User.Read").await;
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["oid"], new);
    // The old one cannot come back beside the new one.
    let restore = format!("/v1.0/directory/deletedItems/{old}/restore");
    for _ in 0..2 {
        let answer = world.graph(&admin, "POST", &restore, None).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains("invited again since"), "{}", answer.text);
        world.graph(&admin, "DELETE", &format!("/v1.0/users/{new}"), None).await;
    }
}

#[tokio::test]
async fn idp_names_who_authenticated_where_that_is_not_the_issuer() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let (contoso, fabrikam) = (world.tenant_id(CONTOSO), world.tenant_id(FABRIKAM));
    let idp = |token: &str| claims(token).get("idp").cloned();
    let member = world.sign_in(CONTOSO, "web", "carol@contoso.test", "openid User.Read").await;
    assert_eq!(idp(member["access_token"].as_str().unwrap()), None);
    let guest = world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "openid User.Read").await;
    let home = Some(Value::from(format!("{BASE}/{fabrikam}/")));
    assert_eq!(idp(guest["access_token"].as_str().unwrap()), home);
    // As recorded: a token of an application names its own tenant.
    assert_eq!(idp(&world.daemon_token(CONTOSO).await), Some(Value::from(format!("{BASE}/{contoso}/"))));
}

#[tokio::test]
async fn both_tenants_have_the_sign_in_in_their_log() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let (contoso, fabrikam) = (world.sign_in_counts(CONTOSO).0, world.sign_in_counts(FABRIKAM).0);
    world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "openid User.Read").await;
    assert!(world.sign_in_counts(CONTOSO).0 > contoso);
    assert!(world.sign_in_counts(FABRIKAM).0 > fabrikam);
}

/// Posts a form to a token endpoint as a page of the single-page app does.
async fn token_from_page(world: &World, segment: &str, fields: &[(&str, &str)]) -> Value {
    let mut url = url::Url::parse("https://form/").unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    let request = http::Request::post(format!("/{segment}/oauth2/v2.0/token"))
        .header("origin", "http://localhost:5001")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(axum::body::Body::from(url.query().unwrap().to_owned()))
        .unwrap();
    world.send(request).await.json()
}

#[tokio::test]
async fn a_refresh_token_of_home_works_where_the_person_is_a_guest() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let spa = world.app(CONTOSO, "spa");
    let (id, scope) = (spa.app_id.unwrap().to_string(), "openid profile offline_access User.Read");
    let mut browser = world.browser();
    // Signed in at home; and once in the resource tenant, where consent is its own.
    let code = browser.code_for(FABRIKAM, spa, "bob@fabrikam.test", scope).await;
    browser.code_for(CONTOSO, spa, "bob@fabrikam.test", scope).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", spa.redirect_uris[0].as_str()),
        ("code_verifier", "a-verifier-of-forty-three-characters-or-more-0"),
    ];
    let home = token_from_page(&world, FABRIKAM, &redeem).await;
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("refresh_token", home["refresh_token"].as_str().unwrap()),
        ("scope", scope),
    ];
    let tokens = token_from_page(&world, CONTOSO, &refresh).await;
    let token = claims(tokens["id_token"].as_str().unwrap_or_else(|| panic!("{tokens}")));
    assert_eq!(token["tid"], world.tenant_id(CONTOSO).to_string());
    assert_eq!(token["oid"], guest);
    // Somebody who is no guest there gets nothing by it.
    let code = world.browser().code_for(FABRIKAM, spa, "eve@fabrikam.test", scope).await;
    let redeem = redeem.map(|(name, value)| (name, if name == "code" { code.as_str() } else { value }));
    let eve = token_from_page(&world, FABRIKAM, &redeem).await;
    let refresh = refresh.map(|(name, value)| {
        (name, if name == "refresh_token" { eve["refresh_token"].as_str().unwrap() } else { value })
    });
    assert_eq!(token_from_page(&world, CONTOSO, &refresh).await["error_codes"][0], 50_020);
}

#[tokio::test]
async fn r38_a_sign_in_at_home_before_the_invitation_counts_until_something_is_revoked() {
    let world = World::new().await;
    let spa = world.app(CONTOSO, "spa");
    let (id, scope) = (spa.app_id.unwrap().to_string(), "openid profile offline_access User.Read");
    let mut browser = world.browser();
    let code = browser.code_for(FABRIKAM, spa, "bob@fabrikam.test", scope).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", spa.redirect_uris[0].as_str()),
        ("code_verifier", "a-verifier-of-forty-three-characters-or-more-0"),
    ];
    let home = token_from_page(&world, FABRIKAM, &redeem).await;
    world.advance(Span::hours(1));
    let guest = world.make_guest("bob@fabrikam.test").await;
    world.browser().code_for(CONTOSO, spa, "bob@fabrikam.test", scope).await;
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("refresh_token", home["refresh_token"].as_str().unwrap()),
        ("scope", scope),
    ];
    let tokens = token_from_page(&world, CONTOSO, &refresh).await;
    let token = claims(tokens["id_token"].as_str().unwrap_or_else(|| panic!("{tokens}")));
    assert_eq!(token["oid"], guest);
    // Disabled and enabled again, the guest has to sign in afresh, whatever they hold.
    let admin = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/users/{guest}");
    for is_enabled in [false, true] {
        let body = serde_json::json!({ "accountEnabled": is_enabled });
        assert_eq!(world.graph(&admin, "PATCH", &path, Some(body)).await.status, 204);
    }
    assert_eq!(token_from_page(&world, CONTOSO, &refresh).await["error_codes"][0], 50_173);
}

#[tokio::test]
async fn at_common_the_typed_name_leads_home() {
    let world = World::new().await;
    let mut browser = world.browser();
    let url = browser.authorize_url("organizations", world.app(CONTOSO, "spa"), "openid User.Read", &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "bob@fabrikam.test").await;
    let page = browser.press(&page, "accept", &[]).await;
    let page = if page.text.contains("stay_no") { browser.press(&page, "stay_no", &[]).await } else { page };
    assert!(page.parameter("code").is_some(), "{page:?}");
    // The next time nobody is asked.
    let again = browser.get(&url).await;
    assert!(again.parameter("code").is_some(), "{again:?}");
}

#[tokio::test]
async fn a_password_that_is_valid_once_is_changed_first() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let body = serde_json::json!({ "accountEnabled": true, "displayName": "New", "mailNickname": "new",
        "userPrincipalName": "new@contoso.test", "passwordProfile": { "password": "Once-Only-1" } });
    assert_eq!(world.graph(&token, "POST", "/v1.0/users", Some(body)).await.status, 201);
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid", &[]);
    let page = browser.get(&url).await;
    let page = browser.press(&page, "next", &[("login", "new@contoso.test")]).await;
    let page = browser.press(&page, "signin", &[("password", "Once-Only-1")]).await;
    assert!(page.asks_for("new_password"), "{}", page.text);
    let weak = [("new_password", "short"), ("confirm_password", "short")];
    let page = browser.press(&page, "change", &weak).await;
    assert!(page.asks_for("new_password") && page.text.contains("role=\"alert\""));
    let fine = [("new_password", "Much-Better-2"), ("confirm_password", "Much-Better-2")];
    let page = browser.press(&page, "change", &fine).await;
    assert!(!page.asks_for("new_password"), "{}", page.text);
}

#[tokio::test]
async fn signing_out_ends_the_sessions_and_their_refresh_tokens() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    let mut browser = world.browser();
    let code = browser.code_for(CONTOSO, web, "carol@contoso.test", "openid offline_access User.Read").await;
    let tokens = world.redeem(CONTOSO, web, &code).await.json();
    let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(world.token(CONTOSO, &refresh).await.status, 200);
    // The old one stays valid: clients share it.
    assert_eq!(world.token(CONTOSO, &refresh).await.status, 200);
    browser.get(&format!("{BASE}/{CONTOSO}/oauth2/v2.0/logout")).await;
    assert_eq!(world.token(CONTOSO, &refresh).await.code(), 50_173);
    let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &[("prompt", "none")]);
    assert_eq!(browser.get(&url).await.parameter("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn signing_out_in_one_tenant_ends_the_persons_sessions_in_all_of_them_and_nobody_elses() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let web = world.app(CONTOSO, "web");
    let scope = "openid offline_access User.Read";
    for signed_out_in in [FABRIKAM, CONTOSO] {
        let mut browser = world.browser();
        let code = browser.code_for(CONTOSO, web, "bob@fabrikam.test", scope).await;
        let tokens = world.redeem(CONTOSO, web, &code).await.json();
        let page = browser.get(&format!("{BASE}/myapps?tenant={FABRIKAM}")).await;
        assert!(!page.asks_for("login"), "{page:?}");
        // Carol uses the same browser.
        let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &[("prompt", "login")]);
        let page = browser.get(&url).await;
        let page = browser.sign_in(page, "carol@contoso.test").await;
        if page.text.contains("value=\"accept\"") {
            let page = browser.press(&page, "accept", &[]).await;
            browser.sign_in(page, "carol@contoso.test").await;
        }

        let logout = format!("{BASE}/{signed_out_in}/oauth2/v2.0/logout?logout_hint=bob@fabrikam.test");
        browser.get(&logout).await;
        for (name, is_in) in [("bob@fabrikam.test", false), ("carol@contoso.test", true)] {
            let extra = [("prompt", "none"), ("login_hint", name)];
            let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &extra);
            let page = browser.get(&url).await;
            assert_eq!(page.parameter("code").is_some(), is_in, "{signed_out_in} {name}: {page:?}");
        }
        let page = browser.get(&format!("{BASE}/myapps?tenant={FABRIKAM}")).await;
        assert!(page.asks_for("login"), "{signed_out_in}: {page:?}");
        let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
        let refresh = [
            ("grant_type", "refresh_token"),
            ("client_id", id.as_str()),
            ("client_secret", secret.as_str()),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ];
        assert_eq!(world.token(CONTOSO, &refresh).await.code(), 50_173, "{signed_out_in}");
    }
}

#[tokio::test]
async fn signing_out_at_home_ends_a_guests_session_though_the_one_at_home_is_over() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let (web, bob) = (world.app(CONTOSO, "web"), world.user("bob@fabrikam.test").id.unwrap());
    let mut browser = world.browser();
    browser.code_for(CONTOSO, web, "bob@fabrikam.test", "openid User.Read").await;
    let (home, now) = (world.service.store().tenant(world.tenant_id(FABRIKAM)), world.moment().now);
    let cookie = service::signin::Browser::parse(&browser.cookies[0].1).unwrap();
    let sessions = world.service.portal_session(world.tenant_id(FABRIKAM), cookie, now).unwrap();
    let session = sessions.filter(|session| session.user.id.uuid() == bob).unwrap().id;
    let end = move |tx: &store::WriteTx<'_>| {
        tx.end_session(session, now)?;
        Ok(store::Recorded::chore(store::Chore::Progress, ()))
    };
    home.write(end).await.unwrap();
    browser.get(&format!("{BASE}/{FABRIKAM}/oauth2/v2.0/logout")).await;
    let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &[("prompt", "none")]);
    assert_eq!(browser.get(&url).await.parameter("error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn an_application_that_wants_a_fresh_sign_in_gets_one_from_the_home() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let mut browser = world.browser();
    let web = world.app(CONTOSO, "web");
    browser.code_for(CONTOSO, web, "bob@fabrikam.test", "openid User.Read").await;
    // Signed in at both tenants; still the password is asked, at home.
    let extra = [("prompt", "login"), ("login_hint", "bob@fabrikam.test")];
    let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &extra);
    let page = browser.get(&url).await;
    assert!(page.asks_for("password"), "{page:?}");
}

#[tokio::test]
async fn a_partners_question_without_a_challenge_is_refused() {
    let world = World::new().await;
    let (home, partner) = (world.tenant_id(FABRIKAM), world.tenant_id(CONTOSO));
    let url = format!(
        "{BASE}/{home}/oauth2/v2.0/authorize?client_id={partner}&response_type=code&scope=openid&state=x&nonce=y\
         &redirect_uri={BASE}/federation/{partner}/oidc&login_hint=bob@fabrikam.test"
    );
    let mut browser = world.browser();
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "bob@fabrikam.test").await;
    assert!(page.left_to.is_none() && page.text.contains("AADSTS50147"), "{page:?}");
}

/// Carol signs in at My Apps and answers whether she stays signed in.
async fn sign_in_at_my_apps(browser: &mut Browser<'_>, world: &World, stay: &str) -> Page {
    let password = world.user("carol@contoso.test").password.clone().unwrap();
    let page = browser.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    let page = browser.press(&page, "next", &[("login", "carol@contoso.test")]).await;
    let page = browser.press(&page, "signin", &[("password", &password)]).await;
    browser.press(&page, stay, &[]).await
}

#[tokio::test]
async fn who_stays_signed_in_is_signed_in_after_the_browser_was_closed_whatever_was_visited_between() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    let mut browser = world.browser();
    let page = sign_in_at_my_apps(&mut browser, &world, "stay_yes").await;
    assert!(page.text.contains("carol@contoso.test"), "{page:?}");
    // Other answers of a sign-in: a silent one that fails, My Apps of a tenant she is not in, a page that is left.
    let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &[("prompt", "none")]);
    assert!(browser.get(&url).await.left_to.is_some());
    browser.get(&format!("{BASE}/myapps?tenant={FABRIKAM}")).await;
    let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &[("prompt", "login")]);
    assert!(browser.get(&url).await.asks_for("login"));
    browser.restart();
    let page = browser.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    assert!(page.text.contains("carol@contoso.test") && !page.asks_for("login"), "{page:?}");
}

#[tokio::test]
async fn who_does_not_stay_signed_in_is_signed_out_when_the_browser_is_closed() {
    let world = World::new().await;
    let mut browser = world.browser();
    let page = sign_in_at_my_apps(&mut browser, &world, "stay_no").await;
    assert!(page.text.contains("carol@contoso.test"), "{page:?}");
    browser.restart();
    assert!(browser.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await.asks_for("login"));
}

#[tokio::test]
async fn a_session_that_lasts_renews_the_cookie_it_hangs_on_and_no_other_answer_touches_it() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    for (stay, renewed) in [("stay_yes", 1), ("stay_no", 0)] {
        let mut browser = world.browser();
        sign_in_at_my_apps(&mut browser, &world, stay).await;
        browser.code_for(CONTOSO, web, "carol@contoso.test", "openid User.Read").await;
        let (name, value) = browser.cookies[0].clone();
        let ask = |path: String| {
            let request = http::Request::get(path).header("cookie", format!("{name}={value}"));
            world.send(request.body(axum::body::Body::empty()).unwrap())
        };
        let url = browser.authorize_url(CONTOSO, web, "openid User.Read", &[]);
        let answer = ask(url).await;
        assert!(answer.location().is_some_and(|to| to.contains("code=")), "{answer:?}");
        let set: Vec<&str> =
            answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(set.len(), renewed, "{set:?}");
        assert!(set.iter().all(|cookie| cookie.contains("Max-Age=7776000")), "{set:?}");
        let page = ask(format!("/myapps?tenant={CONTOSO}")).await;
        assert!(!page.headers.contains_key("set-cookie"), "{page:?}");
    }
}
