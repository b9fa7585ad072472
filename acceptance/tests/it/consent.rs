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
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
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
async fn a_yes_counts_though_the_next_question_is_left_open() {
    let world = World::new().await;
    register(&world, &["User.Read"]).await;
    for extra in [&[][..], &[("prompt", "consent")][..]] {
        let mut browser = world.browser();
        let page = ask(&world, &mut browser, "carol@contoso.test", extra).await;
        let page = browser.press(&page, "accept", &[]).await;
        assert!(page.text.contains("stay_no"), "{}", page.text);
    }
    let page = ask(&world, &mut world.browser(), "carol@contoso.test", &[]).await;
    assert!(page.parameter("code").is_some(), "{page:?}");
}

/// Contoso's API offers `read` and `audit`, the latter to administrators only, and says more about its clients.
async fn offer(world: &World, more: &[(&str, serde_json::Value)]) -> String {
    let admin = world.daemon_token(CONTOSO).await;
    let api = world.app(CONTOSO, "api").app_id.unwrap().to_string();
    let path = format!("/v1.0/applications(appId='{api}')");
    let known = world.graph(&admin, "GET", &path, None).await.json()["api"]["oauth2PermissionScopes"].clone();
    let mut scopes = known.as_array().unwrap().clone();
    for (id, value, kind) in [(READ, "read", "User"), (AUDIT, "audit", "Admin")] {
        scopes.push(json!({ "id": id, "value": value, "type": kind, "isEnabled": true, "adminConsentDisplayName": value,
            "adminConsentDescription": value }));
    }
    let mut body = json!({ "api": { "oauth2PermissionScopes": scopes } });
    for (name, value) in more {
        body["api"][*name] = value.clone();
    }
    let answer = world.graph(&admin, "PATCH", &path, Some(body)).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    let read = world.graph(&admin, "GET", &path, None).await.json();
    for (name, value) in more {
        assert_eq!(&read["api"][*name], value);
    }
    api
}

const READ: &str = "5f1f8b50-9d0a-4d3c-8c3e-000000000001";
const AUDIT: &str = "5f1f8b50-9d0a-4d3c-8c3e-000000000002";

async fn ask_for(world: &World, browser: &mut Browser<'_>, scope: &str, extra: &[(&str, &str)]) -> Page {
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), scope, extra);
    let page = browser.get(&url).await;
    browser.sign_in(page, "carol@contoso.test").await
}

#[tokio::test]
async fn what_an_apis_owner_trusts_a_client_with_is_asked_of_nobody() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web").app_id.unwrap().to_string();
    let api = offer(&world, &[]).await;
    let audit = format!("openid api://{api}/audit");
    let page = ask_for(&world, &mut world.browser(), &audit, &[]).await;
    assert!(page.text.contains("AADSTS90094"), "{}", page.text);
    let trusted = json!([{ "appId": web, "delegatedPermissionIds": [AUDIT] }]);
    let admin = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/applications(appId='{api}')");
    let body = json!({ "api": { "preAuthorizedApplications": trusted } });
    assert_eq!(world.graph(&admin, "PATCH", &path, Some(body)).await.status, 204);
    let page = ask_for(&world, &mut world.browser(), &audit, &[]).await;
    assert!(page.parameter("code").is_some(), "{page:?}");
    let tokens = world.sign_in(CONTOSO, "web", "carol@contoso.test", &audit).await;
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["scp"], json!("audit"));
    // That one, and no other scope.
    let page = ask_for(&world, &mut world.browser(), &format!("openid api://{api}/read"), &[]).await;
    assert!(page.asks_for("shown"), "{}", page.text);
    // Taken back, it counts for nothing (R38).
    let body = json!({ "api": { "preAuthorizedApplications": [] } });
    assert_eq!(world.graph(&admin, "PATCH", &path, Some(body)).await.status, 204);
    let page = ask_for(&world, &mut world.browser(), &audit, &[]).await;
    assert!(page.text.contains("AADSTS90094"), "{}", page.text);
    // A scope that is not the API's own cannot be given away.
    let graphs = first_party::graph().scopes.first().unwrap().id.to_string();
    let body = json!({ "api": { "preAuthorizedApplications": [{ "appId": web, "delegatedPermissionIds": [graphs] }] } });
    let answer = world.graph(&admin, "PATCH", &path, Some(body)).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn one_page_asks_for_a_client_and_for_the_api_behind_it() {
    let world = World::new().await;
    let web = world.app(CONTOSO, "web").app_id.unwrap().to_string();
    let api = offer(&world, &[("knownClientApplications", json!([web]))]).await;
    let admin = world.daemon_token(CONTOSO).await;
    let user_read = first_party::graph().scopes.iter().find(|scope| scope.value == "User.Read").unwrap().id;
    let needs = |resource: &str, id: &str| json!({ "requiredResourceAccess": [{ "resourceAppId": resource, "resourceAccess": [{ "id": id, "type": "Scope" }] }] });
    for (app, body) in [
        (&api, needs(&first_party::GRAPH_APP_ID.to_string(), &user_read.to_string())),
        (&web, needs(&api, READ)),
    ] {
        let path = format!("/v1.0/applications(appId='{app}')");
        let answer = world.graph(&admin, "PATCH", &path, Some(body)).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
    let mut browser = world.browser();
    let scope = format!("openid api://{api}/.default");
    let page = ask_for(&world, &mut browser, &scope, &[]).await;
    assert!(page.text.contains("through") && page.text.contains("Contoso Tasks API"), "{}", page.text);
    let page = browser.press(&page, "accept", &[]).await;
    let page = browser.sign_in(page, "carol@contoso.test").await;
    assert!(page.parameter("code").is_some(), "{page:?}");
    // Everything was agreed to: nothing is asked again.
    let page = ask_for(&world, &mut world.browser(), &scope, &[]).await;
    assert!(page.parameter("code").is_some(), "{page:?}");
}

#[tokio::test]
async fn only_what_is_new_is_asked_unless_the_application_wants_it_all_shown() {
    let world = World::new().await;
    let api = offer(&world, &[]).await;
    let mut browser = world.browser();
    let page = ask_for(&world, &mut browser, "openid User.Read", &[]).await;
    let page = browser.press(&page, "accept", &[]).await;
    browser.sign_in(page, "carol@contoso.test").await;
    let basic = "openid User.Read User.ReadBasic.All";
    let title = |value: &str| {
        let scope = first_party::graph().scopes.iter().find(|scope| scope.value == value).unwrap();
        scope.description.split('\'').next().unwrap().to_owned()
    };
    let page = ask_for(&world, &mut browser, basic, &[]).await;
    assert!(page.text.contains(&title("User.ReadBasic.All")), "{}", page.text);
    assert!(!page.text.contains(&title("User.Read")), "{}", page.text);
    let page = ask_for(&world, &mut browser, basic, &[("prompt", "consent")]).await;
    assert!(page.text.contains(&title("User.ReadBasic.All")), "{}", page.text);
    assert!(page.text.contains(&title("User.Read")), "{}", page.text);
    // Another resource is another question.
    let page = ask_for(&world, &mut browser, &format!("api://{api}/read"), &[]).await;
    assert!(page.asks_for("shown"), "{}", page.text);
}

#[tokio::test]
async fn the_policy_says_what_users_may_agree_to() {
    let world = World::new().await;
    register(&world, &["User.Read", "User.ReadBasic.All"]).await;
    let scope = "openid Policy.ReadWrite.Authorization";
    let tokens = world.sign_in(CONTOSO, "web", "alice@contoso.test", scope).await;
    let admin = tokens["access_token"].as_str().unwrap().to_owned();
    let path = "/v1.0/policies/authorizationPolicy";
    let assign = async |policies: serde_json::Value| {
        let body = json!({ "defaultUserRolePermissions": { "permissionGrantPoliciesAssigned": policies } });
        world.graph(&admin, "PATCH", path, Some(body)).await
    };
    let assigned = async || {
        let policy = world.graph(&admin, "GET", path, None).await.json();
        policy["defaultUserRolePermissions"]["permissionGrantPoliciesAssigned"].clone()
    };
    let low = json!(["ManagePermissionGrantsForSelf.microsoft-user-default-low"]);
    let legacy = json!(["ManagePermissionGrantsForSelf.microsoft-user-default-legacy"]);
    assert_eq!(assigned().await, legacy);
    let sign_in = "openid https://graph.microsoft.com/User.Read";
    for (policies, allowed, refused) in
        [(low, Some(sign_in), Some(DEFAULT)), (json!([]), None, Some(sign_in)), (legacy, Some(DEFAULT), None)]
    {
        assert_eq!(assign(policies.clone()).await.status, 204);
        assert_eq!(assigned().await, policies);
        for (scope, is_allowed) in
            allowed.map(|scope| (scope, true)).into_iter().chain(refused.map(|scope| (scope, false)))
        {
            let mut browser = world.browser();
            let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), scope, &[]);
            let page = browser.get(&url).await;
            let page = browser.sign_in(page, "carol@contoso.test").await;
            assert_eq!(
                page.text.contains("value=\"accept\""),
                is_allowed,
                "{policies} {scope}: {}",
                page.text
            );
            assert_eq!(page.text.contains("AADSTS90094"), !is_allowed, "{policies} {scope}: {}", page.text);
        }
    }
    for wrong in [json!(["ManagePermissionGrantsForSelf.my-own"]), json!(["microsoft-user-default-low"])] {
        let answer = assign(wrong).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text.contains("microsoft-user-default-legacy"), "{}", answer.text);
    }
}
