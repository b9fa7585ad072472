//! An administrator agrees for everybody (facts: protocol §10). Contoso's single-page application is for several tenants.

use domain::directory::first_party;
use serde_json::{Value, json};
use testkit::{BASE, Browser, CONTOSO, FABRIKAM, Page, World};

const FRANK: &str = "frank@fabrikam.test";
const SHARED: &str = "http://localhost:5001/";

/// What the application registers of Graph: `Directory.Read.All` for somebody, `User.Read.All` by itself.
async fn register(world: &World) {
    let admin = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/applications(appId='{}')", shared(world));
    let graph = first_party::graph();
    let scope = graph.scopes.iter().find(|scope| scope.value == "Directory.Read.All").unwrap();
    let role = graph.roles.iter().find(|role| role.value == "User.Read.All").unwrap();
    let body = json!({ "requiredResourceAccess": [{ "resourceAppId": first_party::GRAPH_APP_ID.to_string(), "resourceAccess": [
        { "id": scope.id.to_string(), "type": "Scope" }, { "id": role.id.to_string(), "type": "Role" },
    ] }] });
    let answer = world.graph(&admin, "PATCH", &path, Some(body)).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

fn shared(world: &World) -> String {
    world.app(CONTOSO, "spa").app_id.unwrap().to_string()
}

fn url(path: &str, client: &str, extra: &[(&str, &str)]) -> String {
    let mut url = url::Url::parse(&format!("{BASE}/{path}")).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", client)
        .append_pair("state", "a|state")
        .extend_pairs(extra);
    url.into()
}

/// As far as the page, or what comes instead.
async fn open(
    world: &World,
    browser: &mut Browser<'_>,
    path: &str,
    name: &str,
    extra: &[(&str, &str)],
) -> Page {
    let page = browser.get(&url(path, &shared(world), extra)).await;
    browser.sign_in(page, name).await
}

async fn instance(world: &World, domain: &str) -> Option<Value> {
    let token = world.daemon_token(domain).await;
    let path = format!("/v1.0/servicePrincipals(appId='{}')", shared(world));
    let answer = world.graph(&token, "GET", &path, None).await;
    (answer.status == 200).then(|| answer.json())
}

#[tokio::test]
async fn an_administrator_lets_another_organisations_application_in_for_everybody() {
    let world = World::new().await;
    register(&world).await;
    assert_eq!(instance(&world, FABRIKAM).await, None);
    for place in ["organizations", "common", FABRIKAM] {
        let page = open(
            &world,
            &mut world.browser(),
            &format!("{place}/adminconsent"),
            FRANK,
            &[("redirect_uri", SHARED)],
        )
        .await;
        for said in ["Contoso Single Page", "contoso.test", "Fabrikam", "By itself", "For everyone"] {
            assert!(page.text.contains(said), "{place}: {said}: {}", page.text);
        }
    }
    // Looking at the page lets nobody in.
    assert_eq!(instance(&world, FABRIKAM).await, None);

    let mut browser = world.browser();
    let page =
        open(&world, &mut browser, "organizations/adminconsent", FRANK, &[("redirect_uri", SHARED)]).await;
    let page = browser.press(&page, "accept", &[]).await;
    assert!(page.left_to.as_deref().unwrap().starts_with(SHARED), "{page:?}");
    assert_eq!(page.parameter("admin_consent").as_deref(), Some("True"));
    assert_eq!(page.parameter("tenant"), Some(world.tenant_id(FABRIKAM).to_string()));
    assert_eq!(page.parameter("state").as_deref(), Some("a|state"));
    assert_eq!(page.parameter("error"), None);

    let instance = instance(&world, FABRIKAM).await.unwrap();
    let token = world.daemon_token(FABRIKAM).await;
    let path = format!("/v1.0/servicePrincipals/{}/appRoleAssignments", instance["id"].as_str().unwrap());
    let roles = world.graph(&token, "GET", &path, None).await.json();
    assert_eq!(roles["value"].as_array().unwrap().len(), 1, "{roles}");

    // Nobody else is asked, though only an administrator gives this one.
    let mut bobs = world.browser();
    let scope = "openid profile offline_access Directory.Read.All";
    let url = bobs.authorize_url(FABRIKAM, world.app(CONTOSO, "spa"), scope, &[]);
    let page = bobs.get(&url).await;
    let page = bobs.sign_in(page, "bob@fabrikam.test").await;
    assert!(page.parameter("code").is_some(), "{page:?}");
    // It is Fabrikam's agreement, not Contoso's.
    let mut carols = world.browser();
    let url = carols.authorize_url(CONTOSO, world.app(CONTOSO, "spa"), scope, &[]);
    let page = carols.get(&url).await;
    let page = carols.sign_in(page, "carol@contoso.test").await;
    assert!(page.text.contains("AADSTS90094"), "{page:?}");

    // Once more changes nothing, and needs no password.
    let page =
        open(&world, &mut browser, "organizations/adminconsent", FRANK, &[("redirect_uri", SHARED)]).await;
    let page = browser.press(&page, "accept", &[]).await;
    assert_eq!(page.parameter("admin_consent").as_deref(), Some("True"));
    let roles = world.graph(&token, "GET", &path, None).await.json();
    assert_eq!(roles["value"].as_array().unwrap().len(), 1, "{roles}");
}

#[tokio::test]
async fn v2_names_what_is_asked_and_is_told_so() {
    let world = World::new().await;
    register(&world).await;
    let mut browser = world.browser();
    let extra = [("redirect_uri", SHARED), ("scope", "https://graph.microsoft.com/User.ReadBasic.All")];
    let page =
        open(&world, &mut browser, &format!("{CONTOSO}/v2.0/adminconsent"), "alice@contoso.test", &extra)
            .await;
    assert!(!page.text.contains("By itself"), "{}", page.text);
    let page = browser.press(&page, "accept", &[]).await;
    assert_eq!(page.parameter("scope").as_deref(), Some("https://graph.microsoft.com/User.ReadBasic.All"));
    let mut carols = world.browser();
    let url = carols.authorize_url(CONTOSO, world.app(CONTOSO, "spa"), "openid User.ReadBasic.All", &[]);
    let page = carols.get(&url).await;
    let page = carols.sign_in(page, "carol@contoso.test").await;
    assert!(page.parameter("code").is_some(), "{page:?}");
    for (scope, number) in [("User.DoesNotExist", "AADSTS70011"), ("api://nowhere/read", "AADSTS500011")] {
        let extra = [("redirect_uri", SHARED), ("scope", scope)];
        let page =
            open(&world, &mut browser, &format!("{CONTOSO}/v2.0/adminconsent"), "alice@contoso.test", &extra)
                .await;
        let said = page.parameter("error_description").unwrap_or_else(|| panic!("{page:?}"));
        assert!(said.starts_with(number), "{scope}: {said}");
        assert_eq!(page.parameter("admin_consent"), None);
    }
}

#[tokio::test]
async fn who_is_no_administrator_may_become_one_by_another_account() {
    let world = World::new().await;
    register(&world).await;
    let mut browser = world.browser();
    let before = world.sign_in_counts(CONTOSO);
    let path = format!("{CONTOSO}/adminconsent");
    let page = open(&world, &mut browser, &path, "carol@contoso.test", &[("redirect_uri", SHARED)]).await;
    assert!(
        page.text.contains("An administrator is needed") && page.text.contains("AADSTS90094"),
        "{}",
        page.text
    );
    let after = world.sign_in_counts(CONTOSO);
    assert_ne!(before, after, "the refusal has its record");
    // Pressing what is not there changes nothing (R11).
    let page = browser.press(&page, "accept", &[("for_organization", "1"), ("shown", "x")]).await;
    assert!(page.text.contains("An administrator is needed"), "{}", page.text);
    let page = browser.press(&page, "other", &[]).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    let page = browser.press(&page, "accept", &[]).await;
    assert_eq!(page.parameter("admin_consent").as_deref(), Some("True"), "{page:?}");
}

#[tokio::test]
async fn who_declines_grants_nothing() {
    let world = World::new().await;
    register(&world).await;
    let mut browser = world.browser();
    let page =
        open(&world, &mut browser, "organizations/adminconsent", FRANK, &[("redirect_uri", SHARED)]).await;
    let page = browser.press(&page, "cancel", &[]).await;
    assert_eq!(page.parameter("error").as_deref(), Some("permission_denied"));
    assert_eq!(page.parameter("state").as_deref(), Some("a|state"));
    assert_eq!(page.parameter("admin_consent"), None);
    assert_eq!(instance(&world, FABRIKAM).await, None);
    // Without an address, the answer is a page.
    let page = open(&world, &mut browser, "organizations/adminconsent", FRANK, &[]).await;
    let page = browser.press(&page, "accept", &[]).await;
    assert!(page.text.contains("Permissions granted"), "{page:?}");
    assert!(instance(&world, FABRIKAM).await.is_some());
}

#[tokio::test]
async fn r27_only_a_registered_address_is_answered_and_only_where_the_application_may_be() {
    let world = World::new().await;
    let (own, everywhere) = (world.app(CONTOSO, "web").app_id.unwrap().to_string(), shared(&world));
    let evil = ("redirect_uri", "https://evil.test/");
    for (path, client, extra, number) in [
        ("organizations/adminconsent", &everywhere, &[evil][..], "AADSTS50011"),
        ("organizations/adminconsent", &own, &[][..], "AADSTS50194"),
        (&format!("{FABRIKAM}/v2.0/adminconsent"), &own, &[][..], "AADSTS700016"),
        ("consumers/adminconsent", &everywhere, &[][..], "AADSTS90002"),
        ("organizations/adminconsent", &"nobody".to_owned(), &[evil][..], "AADSTS700016"),
    ] {
        let page = world.browser().get(&url(path, client, extra)).await;
        assert!(page.left_to.is_none() && page.text.contains(number), "{path}: {page:?}");
    }
}
