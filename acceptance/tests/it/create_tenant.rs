//! People make organisations of their own, as far as their home and their limits let them (facts: limits §1, R24).

use domain::tenancy::limits::{Limit, Limits};
use serde_json::{Value, json};
use testkit::{Answer, BASE, Browser, CONTOSO, FABRIKAM, Page, Setup, World};

const SCOPES: &str = "openid Organization.ReadWrite.All Policy.ReadWrite.Authorization";

/// A token of somebody in Contoso; an administrator agreed for all.
async fn token_of(world: &World, name: &str) -> String {
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), SCOPES, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    if page.text.contains("value=\"accept\"") {
        browser.press(&page, "accept", &[("for_organization", "1")]).await;
    }
    world.sign_in(CONTOSO, "web", name, SCOPES).await["access_token"].as_str().unwrap().to_owned()
}

async fn create(world: &World, token: &str, name: &str) -> Answer {
    let body = json!({ "displayName": name, "initialDomainName": name });
    world.graph(token, "POST", "/v1.0/directory/tenants", Some(body)).await
}

fn code(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json()["error"]["code"].clone())
}

#[tokio::test]
async fn whoever_makes_an_organisation_administers_it_and_signs_in_at_home() {
    let world = World::new().await;
    let token = token_of(&world, "carol@contoso.test").await;
    let made = create(&world, &token, "Litware").await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    assert_eq!(
        (&made["displayName"], &made["verifiedDomains"][0]["name"]),
        (&json!("Litware"), &json!("litware.onhospes.test"))
    );
    assert_eq!(
        code(&create(&world, &token, "Litware").await),
        (409, json!("Request_MultipleObjectsWithSameKeyValue"))
    );
    for wrong in ["", "lit-ware", "2litware"] {
        assert_eq!(create(&world, &token, wrong).await.status, 400, "{wrong}");
    }

    // Contoso's application is used there by its new administrator.
    let daemon = world.daemon_token(CONTOSO).await;
    let web = world.app(CONTOSO, "web");
    let path = format!("/v1.0/applications(appId='{}')", web.app_id.unwrap());
    let shared = json!({ "signInAudience": "AzureADMultipleOrgs" });
    assert_eq!(world.graph(&daemon, "PATCH", &path, Some(shared)).await.status, 204);
    let mut browser = world.browser();
    let domain = "litware.onhospes.test";
    let code =
        browser.code_for(domain, web, "carol@contoso.test", "openid User.Read User.ReadWrite.All").await;
    let tokens = world.redeem(domain, web, &code).await.json();
    let there = tokens["access_token"].as_str().unwrap();
    let me = world
        .graph(there, "GET", "/v1.0/me?$select=userType,userPrincipalName,externalUserState", None)
        .await
        .json();
    assert_eq!(me["userType"], "Member");
    assert_eq!(me["userPrincipalName"], "carol_contoso.test#EXT#@litware.onhospes.test");
    let roles = world.graph(there, "GET", "/v1.0/me/memberOf", None).await.json();
    assert_eq!(roles["value"][0]["displayName"], "Global Administrator", "{roles}");
    // Rights there, and none more at home (R24).
    let user = json!({ "accountEnabled": true, "displayName": "Lee", "mailNickname": "lee",
        "userPrincipalName": "lee@litware.onhospes.test", "passwordProfile": { "password": "Passw0rd-1" } });
    assert_eq!(world.graph(there, "POST", "/v1.0/users", Some(user)).await.status, 201);
    let rename = json!({ "displayName": "Carol's" });
    let path = format!("/v1.0/organization/{}", world.tenant_id(CONTOSO));
    assert_eq!(world.graph(&token, "PATCH", &path, Some(rename)).await.status, 403);
}

/// Fills in the page.
async fn create_by_page(browser: &mut Browser<'_>, page: &Page, name: &str) -> Page {
    let fields = [("organization", name), ("name", name), ("tenant", &page.field("tenant").unwrap())];
    browser.press(page, "create", &fields).await
}

#[tokio::test]
async fn the_page_does_what_the_api_does_and_says_why_not() {
    let world = limited(Limit::TenantsOfCreator, 1).await;
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/myapps")).await;
    browser.sign_in(page, "carol@contoso.test").await;
    let form = browser.get(&format!("{BASE}/myapps/new")).await;
    assert!(form.text.contains("The domain ends with .onhospes.test"), "{}", form.text);
    let again = create_by_page(&mut browser, &form, "lit ware").await;
    assert!(again.text.contains("1 to 27 letters and digits"), "{}", again.text);
    let made = create_by_page(&mut browser, &again, "litware").await;
    let made = browser.sign_in(made, "carol@contoso.test").await;
    assert!(made.text.contains("litware") && made.text.contains("My Apps"), "{}", made.text);
    // The person is in the new organisation now; the page goes on from home.
    let form = browser.get(&format!("{BASE}/myapps/new")).await;
    let refused = create_by_page(&mut browser, &form, "second").await;
    assert!(
        refused.text.contains("You created 1 organisations, as many as one person can"),
        "{}",
        refused.text
    );

    // Another browser's form is nobody's.
    let mut stranger = world.browser();
    let page = stranger.get(&format!("{BASE}/myapps")).await;
    stranger.sign_in(page, "dave@contoso.test").await;
    let refused = create_by_page(&mut stranger, &form, "stolen").await;
    assert_eq!(refused.status, 400, "{}", refused.text);
}

#[tokio::test]
async fn r24_a_guest_makes_no_organisation_from_where_they_are_a_guest() {
    let world = World::new().await;
    world.make_guest("bob@fabrikam.test").await;
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/myapps?tenant={}", world.tenant_id(CONTOSO))).await;
    browser.sign_in(page, "bob@fabrikam.test").await;
    let way = "href=\"/myapps/new\"";
    let portal = browser.get(&format!("{BASE}/myapps?tenant={}", world.tenant_id(CONTOSO))).await;
    assert!(!portal.text.contains(way), "a guest makes none from here: {}", portal.text);
    let portal = browser.get(&format!("{BASE}/myapps?tenant={}", world.tenant_id(FABRIKAM))).await;
    assert!(portal.text.contains(way), "{}", portal.text);
    let form = browser.get(&format!("{BASE}/myapps/new")).await;
    let there = [("organization", "x"), ("name", "x"), ("tenant", CONTOSO)];
    let refused = browser.press(&form, "create", &there).await;
    assert!(refused.text.contains("You are a guest here"), "{}", refused.text);
    let made = create_by_page(&mut browser, &form, "bobs").await;
    assert!(made.text.contains("bobs"), "{}", made.text);
    assert_eq!(made.status, 200);
}

#[tokio::test]
async fn r24_the_home_says_who_makes_organisations() {
    let world = World::new().await;
    let (alice, carol) =
        (token_of(&world, "alice@contoso.test").await, token_of(&world, "carol@contoso.test").await);
    let path = "/v1.0/policies/authorizationPolicy";
    let policy = world.graph(&alice, "GET", path, None).await.json();
    assert_eq!(policy["defaultUserRolePermissions"]["allowedToCreateTenants"], true, "{policy}");
    let patch = async |body: Value| world.graph(&alice, "PATCH", path, Some(body)).await.status;
    // What was read may be sent back; what cannot be changed is refused by name.
    let mut same = policy.as_object().unwrap().clone();
    same.retain(|name, _| {
        name.starts_with("allow") || name == "defaultUserRolePermissions" || name == "guestUserRoleId"
    });
    assert_eq!(patch(Value::Object(same)).await, 204);
    assert_eq!(patch(json!({ "allowedToUseSSPR": true })).await, 400);
    assert_eq!(
        patch(json!({ "defaultUserRolePermissions": { "allowedToReadOtherUsers": false } })).await,
        400
    );
    assert_eq!(patch(json!({ "guestUserRoleId": "00000000-0000-0000-0000-000000000001" })).await, 400);
    let off = json!({ "defaultUserRolePermissions": { "allowedToCreateTenants": false }, "allowInvitesFrom": "none" });
    assert_eq!(patch(off).await, 204);

    let before = world.directory_refusals(CONTOSO);
    assert_eq!(code(&create(&world, &carol, "Carols").await), (403, json!("Authorization_RequestDenied")));
    assert_eq!(world.directory_refusals(CONTOSO), before + 1, "the home has a record");
    assert_eq!(world.records_of_nobody(), 0, "and a tenant that does not exist has none");
    assert_eq!(create(&world, &alice, "Alices").await.status, 201);
    let daemon = world.daemon_token(CONTOSO).await;
    assert_eq!(create(&world, &daemon, "Daemons").await.status, 403);
    let body = json!({ "invitedUserEmailAddress": "x@elsewhere.test", "inviteRedirectUrl": format!("{BASE}/myapps") });
    assert_eq!(world.graph(&daemon, "POST", "/v1.0/invitations", Some(body)).await.status, 403);
}

async fn limited(limit: Limit, most: u32) -> World {
    World::with(Setup { limits: Limits::default().with(limit, most), ..Setup::default() }).await
}

#[tokio::test]
async fn a_tenant_of_ones_own_is_one_more_directory() {
    let world = limited(Limit::DirectoriesOfPerson, 2).await;
    let carol = token_of(&world, "carol@contoso.test").await;
    assert_eq!(create(&world, &carol, "First").await.status, 201);
    assert_eq!(code(&create(&world, &carol, "Second").await), (403, json!("Directory_QuotaExceeded")));
}
