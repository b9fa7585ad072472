//! Signing out reaches the applications that were used (OIDC Front-Channel Logout; facts: protocol §7).

use axum::body::Body;
use http::{Request, header};
use serde_json::json;
use testkit::{Answer, BASE, Browser, CONTOSO, FABRIKAM, World, claims};

const SCOPE: &str = "openid profile User.Read";

async fn set_logout_url(world: &World, domain: &str, kind: &str, url: &str) -> Answer {
    let admin = world.daemon_token(domain).await;
    let path = format!("/v1.0/applications(appId='{}')", world.app(domain, kind).app_id.unwrap());
    world.graph(&admin, "PATCH", &path, Some(json!({ "web": { "logoutUrl": url } }))).await
}

/// Signs in and redeems the code; answers the session as the ID token says it.
async fn sign_in(world: &World, browser: &mut Browser<'_>, domain: &str, name: &str) -> String {
    let app = world.app(domain, "web");
    let code = browser.code_for(domain, app, name, SCOPE).await;
    let tokens = world.redeem(domain, app, &code).await.json();
    claims(tokens["id_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned()
}

/// Signs out and answers as it came, headers and all.
async fn sign_out(world: &World, browser: &Browser<'_>, domain: &str, query: &str) -> Answer {
    let request = Request::get(format!("{BASE}/{domain}/oauth2/v2.0/logout?{query}"));
    world.send(request.header(header::COOKIE, browser.cookie_line()).body(Body::empty()).unwrap()).await
}

/// Addresses of the frames, as a browser would read them.
fn frames(answer: &Answer) -> Vec<String> {
    let parts = answer.text.split("<iframe ").skip(1);
    let source = |part: &str| part.split_once("src=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    parts.map(|part| source(part).replace("&#38;", "&").replace("&amp;", "&")).collect()
}

fn policy(answer: &Answer) -> &str {
    answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap()
}

#[tokio::test]
async fn applications_that_were_used_hear_that_the_session_is_over() {
    let world = World::new().await;
    assert_eq!(set_logout_url(&world, CONTOSO, "web", "https://web.test:4000/out?x=1").await.status, 204);
    // Another application with an address, which nobody used.
    assert_eq!(set_logout_url(&world, CONTOSO, "spa", "https://spa.test/out").await.status, 204);
    let mut browser = world.browser();
    let sid = sign_in(&world, &mut browser, CONTOSO, "carol@contoso.test").await;
    let answer = sign_out(&world, &browser, CONTOSO, "").await;
    let found = frames(&answer);
    assert_eq!(found.len(), 1, "{}", answer.text);
    let url = url::Url::parse(&found[0]).unwrap();
    assert_eq!(url.origin().ascii_serialization(), "https://web.test:4000");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let issuer = format!("{BASE}/{}/v2.0", world.tenant_id(CONTOSO));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs, [pair("x", "1"), pair("iss", &issuer), pair("sid", &sid)]);
    // Frames of that origin and no other; nobody frames this page.
    assert!(policy(&answer).ends_with("; frame-src https://web.test:4000"), "{}", policy(&answer));
    assert!(policy(&answer).contains("frame-ancestors 'none'"));
    assert!(!answer.headers.contains_key(header::REFRESH));
    // It is over: the second time there is nobody to tell.
    let again = sign_out(&world, &browser, CONTOSO, "").await;
    assert!(frames(&again).is_empty() && !policy(&again).contains("frame-src"), "{}", again.text);
}

#[tokio::test]
async fn r27_the_way_back_leads_to_registered_addresses_only_and_waits_for_the_frames() {
    let world = World::new().await;
    let back = world.app(CONTOSO, "web").redirect_uris[0].clone();
    let back_query = |url: &str| format!("post_logout_redirect_uri={url}&state=a%3Bb");
    // Without an address there is nothing to wait for.
    let mut browser = world.browser();
    sign_in(&world, &mut browser, CONTOSO, "carol@contoso.test").await;
    let answer = sign_out(&world, &browser, CONTOSO, &back_query(&back)).await;
    assert_eq!(answer.location(), Some(format!("{back}?state=a%3Bb").as_str()));
    set_logout_url(&world, CONTOSO, "web", "https://web.test/out").await;
    sign_in(&world, &mut browser, CONTOSO, "carol@contoso.test").await;
    let answer = sign_out(&world, &browser, CONTOSO, &back_query(&back)).await;
    assert_eq!((answer.location(), frames(&answer).len()), (None, 1));
    let refresh = answer.headers[header::REFRESH].to_str().unwrap();
    assert_eq!(refresh, format!("3;url={back}?state=a%3Bb"));
    // The same by hand.
    assert!(answer.text.contains(&format!("href=\"{back}?state=a%3Bb\"")), "{}", answer.text);
    sign_in(&world, &mut browser, CONTOSO, "carol@contoso.test").await;
    let answer = sign_out(&world, &browser, CONTOSO, &back_query("https://evil.test/")).await;
    assert!(!answer.headers.contains_key(header::REFRESH) && !answer.text.contains("evil.test"));
    assert_eq!(frames(&answer).len(), 1);
}

#[tokio::test]
async fn signing_out_at_home_reaches_the_applications_where_the_person_is_a_guest() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    set_logout_url(&world, CONTOSO, "web", "https://web.test/out").await;
    let mut browser = world.browser();
    let sid = sign_in(&world, &mut browser, CONTOSO, "bob@fabrikam.test").await;
    let answer = sign_out(&world, &browser, FABRIKAM, "").await;
    let found = frames(&answer);
    assert_eq!(found.len(), 1, "{}", answer.text);
    assert!(found[0].contains(&sid) && found[0].contains(&world.tenant_id(CONTOSO).to_string()));
}

#[tokio::test]
async fn an_application_that_got_its_id_token_at_once_hears_of_it_too() {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/applications(appId='{}')", world.app(CONTOSO, "web").app_id.unwrap());
    let web = json!({ "web": { "logoutUrl": "https://web.test/out",
        "implicitGrantSettings": { "enableIdTokenIssuance": true } } });
    assert_eq!(world.graph(&admin, "PATCH", &path, Some(web)).await.status, 204);
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), "openid", &[]);
    let page = browser.get(&url.replace("response_type=code", "response_type=id_token")).await;
    let mut page = browser.sign_in(page, "carol@contoso.test").await;
    for button in ["accept", "stay_no"] {
        if page.text.contains(&format!("value=\"{button}\"")) {
            page = browser.press(&page, button, &[]).await;
        }
    }
    assert!(page.left_to.unwrap().contains("id_token="));
    assert_eq!(frames(&sign_out(&world, &browser, CONTOSO, "").await).len(), 1);
}

#[tokio::test]
async fn an_address_that_must_not_stand_in_a_frame_is_refused() {
    let world = World::new().await;
    let long = format!("https://web.test/{}", "x".repeat(255));
    for url in ["http://web.test/out", "javascript:alert(1)", "https://user@web.test/", "/out", long.as_str()]
    {
        let answer = set_logout_url(&world, CONTOSO, "web", url).await;
        assert_eq!(answer.status, 400, "{url}");
        assert!(answer.text.contains("logoutUrl"), "{}", answer.text);
    }
}
