//! Agreeing to what an application asks for.

use domain::directory::first_party;
use serde_json::json;
use testkit::{Browser, CONTOSO, Page, World, claims};

const DEFAULT: &str = "openid https://graph.microsoft.com/.default";

/// Contoso's web application registers permissions of Graph.
async fn register(world: &World, permissions: &[&str]) {
    let admin = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/applications(appId='{}')", world.app(CONTOSO, "web").app_id.unwrap());
    let offered = &first_party::graph().scopes;
    let access: Vec<_> = permissions
        .iter()
        .map(|name| {
            let scope = offered.iter().find(|scope| scope.value == **name).unwrap();
            json!({ "id": scope.id.to_string(), "type": "Scope" })
        })
        .collect();
    let body = json!({ "requiredResourceAccess": [
        { "resourceAppId": first_party::GRAPH_APP_ID.to_string(), "resourceAccess": access }
    ] });
    let answer = world.graph(&admin, "PATCH", &path, Some(body)).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

/// As far as the consent page, or what comes instead.
async fn ask(world: &World, browser: &mut Browser<'_>, name: &str, extra: &[(&str, &str)]) -> Page {
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), DEFAULT, extra);
    let page = browser.get(&url).await;
    browser.sign_in(page, name).await
}

#[tokio::test]
async fn what_only_an_administrator_gives_no_user_gives_by_asking_for_everything() {
    let world = World::new().await;
    register(&world, &["User.Read", "Directory.Read.All"]).await;
    for extra in [&[][..], &[("prompt", "consent")][..]] {
        let page = ask(&world, &mut world.browser(), "carol@contoso.test", extra).await;
        assert!(page.text.contains("AADSTS90094"), "{extra:?}: {page:?}");
    }
    // An administrator gives it to everybody.
    let mut browser = world.browser();
    let page = ask(&world, &mut browser, "alice@contoso.test", &[]).await;
    assert!(page.asks_for("for_organization"), "{}", page.text);
    let page = browser.press(&page, "accept", &[("for_organization", "1")]).await;
    // Kept with the sign-in that it was given in.
    let page = browser.sign_in(page, "alice@contoso.test").await;
    assert!(page.parameter("code").is_some(), "{page:?}");
    let tokens = world.sign_in(CONTOSO, "web", "carol@contoso.test", DEFAULT).await;
    let scopes = claims(tokens["access_token"].as_str().unwrap())["scp"].as_str().unwrap().to_owned();
    assert!(scopes.contains("Directory.Read.All"), "{scopes}");
}

#[tokio::test]
async fn a_user_gives_the_rest_by_asking_for_everything() {
    let world = World::new().await;
    register(&world, &["User.Read", "User.ReadBasic.All"]).await;
    let mut browser = world.browser();
    let page = ask(&world, &mut browser, "carol@contoso.test", &[]).await;
    assert!(!page.asks_for("for_organization"), "{}", page.text);
    let page = browser.press(&page, "accept", &[]).await;
    let page = browser.sign_in(page, "carol@contoso.test").await;
    assert!(page.parameter("code").is_some(), "{page:?}");
    let tokens = world.sign_in(CONTOSO, "web", "carol@contoso.test", DEFAULT).await;
    assert_eq!(
        claims(tokens["access_token"].as_str().unwrap())["scp"],
        json!("openid User.Read User.ReadBasic.All")
    );
}

#[tokio::test]
async fn r28_a_list_that_changed_while_it_was_read_is_shown_again() {
    let world = World::new().await;
    register(&world, &["User.Read"]).await;
    let mut browser = world.browser();
    let page = ask(&world, &mut browser, "carol@contoso.test", &[]).await;
    assert!(!page.text.contains("has changed"), "{}", page.text);
    register(&world, &["User.Read", "User.ReadBasic.All"]).await;
    let basic =
        &first_party::graph().scopes.iter().find(|scope| scope.value == "User.ReadBasic.All").unwrap().title;
    let basic = basic.split('\'').next().unwrap();
    assert!(!page.text.contains(basic));
    let page = browser.press(&page, "accept", &[]).await;
    assert!(page.text.contains("has changed") && page.text.contains(basic), "{}", page.text);
    // Not what was shown, and not anything made up.
    let forged = page.text.replace(&page.field("shown").unwrap(), "made-up");
    let forged = Page { status: page.status, text: forged, left_to: None };
    let page = browser.press(&forged, "accept", &[]).await;
    assert!(page.text.contains("has changed"), "{}", page.text);
    let page = browser.press(&page, "accept", &[]).await;
    let page = browser.sign_in(page, "carol@contoso.test").await;
    assert!(page.parameter("code").is_some(), "{page:?}");
}

#[tokio::test]
async fn a_sign_in_that_is_not_finished_leaves_no_agreement() {
    let world = World::new().await;
    register(&world, &["User.Read"]).await;
    let mut browser = world.browser();
    let page = ask(&world, &mut browser, "carol@contoso.test", &[]).await;
    let page = browser.press(&page, "accept", &[]).await;
    assert!(page.text.contains("stay_no"), "{}", page.text);
    let page = ask(&world, &mut world.browser(), "carol@contoso.test", &[]).await;
    assert!(page.asks_for("shown"), "{}", page.text);
}
