//! R26 PKCE is remembered, R27 redirects are exact, R28 the request is fixed at the first step.

use testkit::{BASE, CONTOSO, World};

#[tokio::test]
async fn r26_the_verifier_is_demanded_where_a_challenge_was_and_refused_where_none_was() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    let (id, secret) = (web.app_id.unwrap().to_string(), web.secret.clone().unwrap());
    let redirect = web.redirect_uris[0].clone();
    let base = [
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("redirect_uri", redirect.as_str()),
    ];
    for (verifier, expected) in [
        (None, 50_147),
        (Some("another-verifier-of-forty-three-characters-1234"), 501_481),
        (Some("short"), 501_481),
    ] {
        let code = world.browser().code_for(CONTOSO, web, "carol@contoso.test", "openid").await;
        let mut fields = base.to_vec();
        fields.push(("code", &code));
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        assert_eq!(world.token(CONTOSO, &fields).await.code(), expected);
    }
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, web, "openid", &[]);
    let plain = url.split("&code_challenge=").next().unwrap().to_owned();
    let page = browser.get(&plain).await;
    let page = browser.sign_in(page, "carol@contoso.test").await;
    let page =
        if page.text.contains("\"accept\"") { browser.press(&page, "accept", &[]).await } else { page };
    let page = if page.text.contains("stay_no") { browser.press(&page, "stay_no", &[]).await } else { page };
    let code = page.parameter("code").unwrap();
    assert_eq!(world.redeem(CONTOSO, web, &code).await.code(), 50_147);
}

#[tokio::test]
async fn r26_public_clients_must_send_a_challenge() {
    let world = World::new().await;
    let native = world.app(CONTOSO, "native");
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, native, "openid", &[]);
    let plain = url.split("&code_challenge=").next().unwrap().to_owned();
    let page = browser.get(&plain).await;
    let page = browser.sign_in(page, "carol@contoso.test").await;
    let page =
        if page.text.contains("\"accept\"") { browser.press(&page, "accept", &[]).await } else { page };
    let page = if page.text.contains("stay_no") { browser.press(&page, "stay_no", &[]).await } else { page };
    assert_eq!(page.parameter("code"), None);
    assert_eq!(page.parameter("error").as_deref(), Some("invalid_request"), "{page:?}");
}

#[tokio::test]
async fn r26_a_public_clients_challenge_is_a_hash() {
    let world = World::new().await;
    let native = world.app(CONTOSO, "native");
    let verifier = "a-verifier-of-forty-three-characters-or-more-0";
    for method in ["", "&code_challenge_method=plain"] {
        let mut browser = world.browser();
        let url = browser.authorize_url(CONTOSO, native, "openid", &[]);
        let plain =
            format!("{}&code_challenge={verifier}{method}", url.split("&code_challenge=").next().unwrap());
        let page = browser.get(&plain).await;
        let page = browser.sign_in(page, "carol@contoso.test").await;
        let page =
            if page.text.contains("\"accept\"") { browser.press(&page, "accept", &[]).await } else { page };
        let page = browser.sign_in(page, "carol@contoso.test").await;
        assert_eq!(page.parameter("code"), None);
        assert_eq!(page.parameter("error").as_deref(), Some("invalid_request"), "{page:?}");
    }
}

#[tokio::test]
async fn r27_an_unregistered_redirect_gets_a_page_and_no_redirect() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web");
    let id = web.app_id.unwrap();
    for redirect in [
        "http://localhost:5000/callback/",
        "http://localhost:5000/callback?x=1",
        "http://localhost:5001/callback",
        "http://localhost:5000@evil.test/callback",
        "https://evil.test/",
        "javascript:alert(1)",
        "",
    ] {
        let mut url =
            format!("/{CONTOSO}/oauth2/v2.0/authorize?client_id={id}&response_type=code&scope=openid");
        url.push_str(&format!("&redirect_uri={}", redirect.replace('@', "%40").replace('?', "%3F")));
        let answer = world.get(&url).await;
        assert_eq!(answer.status, 400, "{redirect}");
        assert_eq!(answer.location(), None, "{redirect}");
        assert!(answer.text.contains("AADSTS50011"), "{redirect}");
    }
    let doubled = format!(
        "/{CONTOSO}/oauth2/v2.0/authorize?client_id={id}&client_id={id}&response_type=code&scope=openid"
    );
    let answer = world.get(&doubled).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (400, None));
}

#[tokio::test]
async fn r27_after_signing_out_only_a_registered_address_is_followed() {
    let world = World::new().await;
    let logout = |uri: &str| format!("/{CONTOSO}/oauth2/v2.0/logout?post_logout_redirect_uri={uri}&state=s");
    let fine = world.get(&logout("http://localhost:5000/callback")).await;
    assert_eq!(fine.location(), Some("http://localhost:5000/callback?state=s"));
    for bad in ["https://evil.test/", "http://localhost:5000/callback/x", "//evil.test"] {
        assert_eq!(world.get(&logout(bad)).await.location(), None, "{bad}");
    }
}

#[tokio::test]
async fn r28_nothing_the_browser_carries_changes_the_request() {
    let world = World::new().await;
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid User.Read", &[]);
    let page = browser.get(&url).await;
    let tampered = [
        ("login", "carol@contoso.test"),
        ("redirect_uri", "https://evil.test/"),
        ("scope", "Directory.ReadWrite.All"),
        ("state", "x"),
    ];
    let page = browser.press(&page, "next", &tampered).await;
    let password = world.user("carol@contoso.test").password.clone().unwrap();
    let page = browser
        .press(&page, "signin", &[("password", &password), ("redirect_uri", "https://evil.test/")])
        .await;
    let page =
        if page.text.contains("\"accept\"") { browser.press(&page, "accept", &[]).await } else { page };
    let page = browser.press(&page, "stay_no", &[]).await;
    assert!(page.left_to.as_deref().unwrap().starts_with("http://localhost:5000/callback?"), "{page:?}");
    assert_eq!(page.parameter("state").as_deref(), Some("a|state"));
}

#[tokio::test]
async fn r28_a_form_of_another_browser_or_with_a_changed_proof_is_refused() {
    let world = World::new().await;
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid", &[]);
    let page = browser.get(&url).await;
    let (attempt, proof) = (page.field("attempt").unwrap(), page.field("proof").unwrap());
    let login = format!("{BASE}/{}/login", world.tenant_id(CONTOSO));
    let mut stranger = world.browser();
    stranger.get(&url).await;
    let fields = [
        ("attempt", attempt.as_str()),
        ("proof", proof.as_str()),
        ("action", "next"),
        ("login", "carol@contoso.test"),
    ];
    assert!(stranger.post(&login, &fields).await.text.contains("AADSTS50089"));
    let changed = [
        ("attempt", attempt.as_str()),
        ("proof", "AAAA"),
        ("action", "next"),
        ("login", "carol@contoso.test"),
    ];
    assert!(browser.post(&login, &changed).await.text.contains("AADSTS50089"));
}
