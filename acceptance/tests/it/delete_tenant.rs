//! A tenant is deleted by who made it, or by the operator, once it is empty; from then on it is as if there never was one.

use domain::id::TenantId;
use domain::tenancy::limits::{Limit, Limits};
use domain::time::Span;
use serde_json::{Value, json};
use service::seed::{self, WorldTenant, WorldUser};
use testkit::{BASE, Browser, CONTOSO, Page, Setup, World};
use uuid::Uuid;

const CAROL: &str = "carol@contoso.test";
const LITWARE: &str = "litware.onhospes.test";

/// Carol's browser, signed in at home.
async fn carols<'a>(world: &'a World) -> Browser<'a> {
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    browser.sign_in(page, CAROL).await;
    browser
}

async fn make(browser: &mut Browser<'_>, name: &str) -> Page {
    let form = browser.get(&format!("{BASE}/myapps/new")).await;
    let fields = [("organization", name), ("name", name), ("tenant", &form.field("tenant").unwrap())];
    browser.press(&form, "create", &fields).await
}

fn litware(world: &World) -> TenantId {
    let service::TenantSegment::One(tenant) = world.service.find_tenant(LITWARE).unwrap() else {
        panic!("there is no Litware")
    };
    tenant.id
}

fn delete_url(tenant: TenantId) -> String {
    format!("{BASE}/myapps/organizations/delete?tenant={tenant}")
}

async fn delete(browser: &mut Browser<'_>, page: &Page) -> Page {
    browser.press(page, "delete", &[("tenant", &page.field("tenant").unwrap())]).await
}

/// What everybody may ask about a tenant, with the tenant's own words taken out.
async fn said_of(world: &World, named: &str) -> Vec<(u16, String)> {
    let app = world.app(CONTOSO, "web").app_id.unwrap().to_string();
    let authorize =
        format!("client_id={app}&response_type=code&redirect_uri=http://localhost:5000/x&scope=openid");
    let mut said = Vec::new();
    for path in [
        "v2.0/.well-known/openid-configuration".to_owned(),
        ".well-known/openid-configuration".to_owned(),
        "discovery/v2.0/keys".to_owned(),
        format!("oauth2/v2.0/authorize?{authorize}"),
        format!("v2.0/adminconsent?{authorize}"),
    ] {
        let answer = world.get(&format!("/{named}/{path}")).await;
        said.push((answer.status.as_u16(), answer.text));
    }
    let token =
        [("grant_type", "client_credentials"), ("client_id", &app), ("client_secret", "x"), ("scope", "y")];
    let answer = world.token(named, &token).await;
    said.push((answer.status.as_u16(), answer.text));
    let daemon = world.daemon_token(CONTOSO).await;
    let (function, key) = match named.parse::<Uuid>() {
        Ok(_) => ("findTenantInformationByTenantId", "tenantId"),
        Err(_) => ("findTenantInformationByDomainName", "domainName"),
    };
    let path = format!("/v1.0/tenantRelationships/{function}({key}='{named}')");
    let answer = world.graph(&daemon, "GET", &path, None).await;
    said.push((answer.status.as_u16(), answer.text));
    // Ids and times of the request differ every time.
    let plain = |text: String| {
        let text = text.replace(named, "NAMED");
        let is_own = |word: &&str| !word.contains(|c: char| c.is_ascii_digit()) || word.contains("AADSTS");
        text.split(|c: char| !(c.is_alphanumeric() || c == '-' || c == ':'))
            .filter(is_own)
            .collect::<Vec<_>>()
            .join(" ")
    };
    said.into_iter().map(|(status, text)| (status, plain(text))).collect()
}

#[tokio::test]
async fn r22_a_deleted_organisation_is_as_if_there_never_was_one() {
    let limits = Limits::default().with(Limit::DirectoriesOfPerson, 2);
    let world = World::with(Setup { limits, ..Setup::default() }).await;
    let mut browser = carols(&world).await;
    make(&mut browser, "litware").await;
    let id = litware(&world);
    let refused = make(&mut browser, "second").await;
    assert!(refused.text.contains("as many organisations as one person can"), "{}", refused.text);
    let there = browser.get(&format!("{BASE}/myapps?tenant={id}")).await;
    let there = browser.sign_in(there, CAROL).await;
    assert!(there.text.contains("litware") && there.text.contains("<h1>My Apps</h1>"), "{}", there.text);
    assert_eq!(said_of(&world, LITWARE).await[0].0, 200);

    let ask = browser.get(&delete_url(id)).await;
    assert!(ask.text.contains("<h1>Delete litware?</h1>") && ask.text.contains(LITWARE), "{}", ask.text);
    let gone = delete(&mut browser, &ask).await;
    assert!(gone.text.contains("The organisation is deleted") && gone.text.contains("No others"), "{gone:?}");

    let (never, nowhere) = (Uuid::from_u128(0xdead_beef).to_string(), "nowhere.onhospes.test");
    assert_eq!(said_of(&world, &id.to_string()).await, said_of(&world, &never).await);
    let by_name = said_of(&world, LITWARE).await;
    assert_eq!(by_name, said_of(&world, nowhere).await);
    assert!(by_name[0].0 == 400 && by_name[0].1.contains("AADSTS90002"), "{by_name:?}");
    // The session there opens nothing, and nobody is led there.
    for address in [format!("{BASE}/myapps?tenant={id}"), format!("{BASE}/myapps")] {
        let page = browser.get(&address).await;
        assert!(!page.text.contains("litware"), "{}", page.text);
    }
    let again = delete(&mut browser, &ask).await;
    assert!(again.text.contains("There is no such organisation"), "{}", again.text);
    let daemon = world.daemon_token(CONTOSO).await;
    let log = "/v1.0/auditLogs/directoryAudits?$filter=activityDisplayName%20eq%20'Delete%20tenant'";
    let log = world.graph(&daemon, "GET", log, None).await.json();
    let (refused, done) = (&log["value"][0], &log["value"][1]);
    let carol = world.user(CAROL).id.unwrap().to_string();
    assert_eq!((&refused["result"], &done["result"]), (&json!("failure"), &json!("success")), "{log}");
    assert_eq!(done["initiatedBy"]["user"]["id"], json!(carol), "{done}");

    // Emptied, it is no more gone than before. Its place is free, its name not yet.
    while world.service.empty_deleted_tenants(&world.moment()).await.unwrap() > 0 {}
    assert_eq!(said_of(&world, LITWARE).await, by_name);
    let taken = make(&mut browser, "litware").await;
    assert!(taken.text.contains("or had it lately"), "{}", taken.text);
    make(&mut browser, "second").await;
    assert!(matches!(world.service.find_tenant("second.onhospes.test"), Ok(service::TenantSegment::One(_))));
    world.advance(Span::days(30));
    let mut daves = world.browser();
    let page = daves.get(&format!("{BASE}/myapps")).await;
    daves.sign_in(page, "dave@contoso.test").await;
    make(&mut daves, "litware").await;
    assert_ne!(litware(&world), id);
}

#[tokio::test]
async fn whoever_deletes_made_it_administers_it_and_emptied_it() {
    let world = World::new().await;
    let daemon = world.daemon_token(CONTOSO).await;
    let web = world.app(CONTOSO, "web");
    let path = format!("/v1.0/applications(appId='{}')", web.app_id.unwrap());
    let shared = json!({ "signInAudience": "AzureADMultipleOrgs" });
    assert_eq!(world.graph(&daemon, "PATCH", &path, Some(shared)).await.status, 204);
    let mut browser = carols(&world).await;
    make(&mut browser, "litware").await;
    let id = litware(&world);
    let early = browser.get(&delete_url(id)).await;

    // Contoso's application comes with its first use, and makes things.
    let scopes = "openid User.ReadWrite.All Group.ReadWrite.All Application.ReadWrite.All RoleManagement.ReadWrite.Directory";
    let code = world.browser().code_for(LITWARE, web, CAROL, scopes).await;
    let tokens = world.redeem(LITWARE, web, &code).await.json();
    let token = tokens["access_token"].as_str().unwrap();
    let post = async |path: &str, body: Value| {
        let answer = world.graph(token, "POST", path, Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["id"].as_str().unwrap().to_owned()
    };
    let lee = post(
        "/v1.0/users",
        json!({ "accountEnabled": true, "displayName": "Lee", "mailNickname": "lee",
            "userPrincipalName": format!("lee@{LITWARE}"), "passwordProfile": { "password": "Passw0rd-1" } }),
    )
    .await;
    let group =
        json!({ "displayName": "G", "mailEnabled": false, "mailNickname": "g", "securityEnabled": true });
    let group = post("/v1.0/groups", group).await;
    let app = post("/v1.0/applications", json!({ "displayName": "App" })).await;
    let expected = "Delete first what is still there: other users (1), groups (1), application registrations (1), \
                    enterprise applications (1).";
    let asked = browser.get(&delete_url(id)).await;
    assert!(asked.text.contains(expected) && asked.field("proof").is_none(), "{}", asked.text);
    let before = world.directory_refusals(CONTOSO);
    let refused = delete(&mut browser, &early).await;
    assert!(refused.text.contains(expected), "{}", refused.text);
    assert_eq!(world.directory_refusals(CONTOSO), before + 1);
    let operator = world.service.delete_tenant(id, &world.moment()).await.unwrap();
    assert!(hospes_http::deletion_words(operator.unwrap_err()).contains(expected));

    // Without the role nobody deletes, whoever made it.
    let me = world.graph(token, "GET", "/v1.0/me", None).await.json()["id"].as_str().unwrap().to_owned();
    let role = domain::directory::role::GLOBAL_ADMINISTRATOR.id;
    let given = json!({ "principalId": lee, "roleDefinitionId": role.to_string(), "directoryScopeId": "/" });
    post("/v1.0/roleManagement/directory/roleAssignments", given).await;
    let path = format!("/v1.0/roleManagement/directory/roleAssignments?$filter=principalId%20eq%20'{me}'");
    let held = world.graph(token, "GET", &path, None).await.json();
    let path = format!(
        "/v1.0/roleManagement/directory/roleAssignments/{}",
        held["value"][0]["id"].as_str().unwrap()
    );
    assert_eq!(world.graph(token, "DELETE", &path, None).await.status, 204);
    let list = browser.get(&format!("{BASE}/myapps/organizations")).await;
    assert!(!list.text.contains("/delete?tenant="), "{}", list.text);
    let refused = delete(&mut browser, &early).await;
    assert!(refused.text.contains("Only a Global Administrator"), "{}", refused.text);

    // Nobody else's form, and no other tenant.
    let mut alices = world.browser();
    let page = alices.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    alices.sign_in(page, "alice@contoso.test").await;
    assert_eq!(delete(&mut alices, &early).await.status, 400);
    let home = alices.get(&delete_url(world.tenant_id(CONTOSO))).await;
    assert!(home.text.contains("You do not belong to that organisation"), "{}", home.text);
    for path in [format!("users/{lee}"), format!("groups/{group}"), format!("applications/{app}")] {
        let answer = world.graph(token, "GET", &format!("/v1.0/{path}"), None).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
async fn r38_what_an_organisations_people_hold_elsewhere_ends_with_it() {
    let mut world = World::new().await;
    let password = "Passw0rd-of-many".to_owned();
    let zoe = WorldUser {
        user_principal_name: "zoe@woodgrove.test".to_owned(),
        display_name: "Zoe".to_owned(),
        password: Some(password),
        roles: vec!["Global Administrator".to_owned()],
        ..WorldUser::default()
    };
    let tenant = WorldTenant {
        domain: "woodgrove.test".to_owned(),
        display_name: "Woodgrove".to_owned(),
        users: vec![zoe],
        ..WorldTenant::default()
    };
    let moment = world.moment();
    let completed = seed::complete(seed::World { tenants: vec![tenant] }, BASE, &moment.entropy).unwrap();
    world.service.seed(&completed, &moment).await.unwrap();
    world.description.tenants.extend(completed.tenants);
    let name = "zoe@woodgrove.test";
    world.make_guest(name).await;
    let scope = "openid offline_access User.Read";
    let tokens = world.sign_in(CONTOSO, "web", name, scope).await;
    let refresh = async || {
        let app = world.app(CONTOSO, "web");
        let id = app.app_id.unwrap().to_string();
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", id.as_str()),
            ("client_secret", app.secret.as_deref().unwrap()),
            ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
            ("scope", scope),
        ];
        world.token(CONTOSO, &fields).await
    };
    assert_eq!(refresh().await.status, 200);
    let id = world.tenant_id("woodgrove.test");
    assert_eq!(world.service.delete_tenant(id, &world.moment()).await.unwrap(), Ok(()));
    let refused = refresh().await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    // The operator's names are free at once, and the id is not.
    let again = world.service.delete_tenant(id, &world.moment()).await.unwrap();
    assert!(again.is_err());
    let mut described = seed::World { tenants: vec![world.tenant("woodgrove.test").clone()] };
    described.tenants[0].users.clear();
    let moment = world.moment();
    assert!(world.service.seed(&described, &moment).await.is_err(), "an id came back");
    described.tenants[0].id = None;
    let described = seed::complete(described, BASE, &moment.entropy).unwrap();
    world.service.seed(&described, &moment).await.unwrap();
    // Another organisation of that name does not vouch for the guest.
    let refused = refresh().await;
    assert_eq!(refused.status, 400, "{}", refused.text);
}
