//! A person's own organisations: leaving one that is not their home (facts: b2b §10).

use domain::tenancy::limits::{Limit, Limits};
use serde_json::{Value, json};
use testkit::{Answer, BASE, Browser, CONTOSO, FABRIKAM, Page, Setup, World};

const BOB: &str = "bob@fabrikam.test";
const SCOPE: &str = "openid profile offline_access User.Read";

fn leave_url(world: &World, domain: &str) -> String {
    format!("{BASE}/myapps/organizations/leave?tenant={}", world.tenant_id(domain))
}

/// Bob's browser, signed in at home.
async fn bobs<'a>(world: &'a World) -> Browser<'a> {
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/myapps?tenant={FABRIKAM}")).await;
    browser.sign_in(page, BOB).await;
    browser
}

async fn leave(browser: &mut Browser<'_>, page: &Page) -> Page {
    browser.press(page, "leave", &[("tenant", &page.field("tenant").unwrap())]).await
}

async fn refresh(world: &World, tokens: &Value) -> Answer {
    let app = world.app(CONTOSO, "web");
    let id = app.app_id.unwrap().to_string();
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", app.secret.as_deref().unwrap()),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("scope", SCOPE),
    ];
    world.token(CONTOSO, &fields).await
}

async fn guests(world: &World, path: &str) -> usize {
    let token = world.daemon_token(CONTOSO).await;
    let path = format!("{path}?$filter=userType%20eq%20'Guest'");
    world.graph(&token, "GET", &path, None).await.json()["value"].as_array().unwrap().len()
}

#[tokio::test]
async fn r38_whoever_leaves_is_out_at_once_and_can_be_brought_back() {
    let limits = Limits::default().with(Limit::DirectoriesOfPerson, 2);
    let world = World::with(Setup { limits, ..Setup::default() }).await;
    let guest = world.make_guest(BOB).await;
    let tokens = world.sign_in(CONTOSO, "web", BOB, SCOPE).await;
    let (access, contoso) = (tokens["access_token"].as_str().unwrap(), world.tenant_id(CONTOSO));
    assert_eq!(world.graph(access, "GET", "/v1.0/me", None).await.status, 200);

    let mut browser = bobs(&world).await;
    let there = browser.get(&format!("{BASE}/myapps?tenant={contoso}")).await;
    let there = browser.sign_in(there, BOB).await;
    assert!(there.text.contains("My Apps") && there.text.contains("href=\"/myapps/organizations\""));
    let page = browser.get(&format!("{BASE}/myapps/organizations")).await;
    assert!(page.text.contains("bob_fabrikam.test#EXT#@") && page.text.contains("is your home"), "{page:?}");
    assert_eq!(page.text.matches("/leave?tenant=").count(), 1, "nobody leaves home: {}", page.text);
    let ask = browser.get(&leave_url(&world, CONTOSO)).await;
    assert!(ask.text.contains("<h1>Leave Contoso?</h1>"), "{}", ask.text);
    // Looking does nothing.
    assert_eq!(guests(&world, "/v1.0/users").await, 1);
    let left = leave(&mut browser, &ask).await;
    assert!(left.text.contains("You left the organisation") && left.text.contains("No others"), "{left:?}");

    assert_eq!(world.graph(access, "GET", "/v1.0/me", None).await.status, 401);
    assert_eq!(refresh(&world, &tokens).await.status, 400);
    let portal = browser.get(&format!("{BASE}/myapps?tenant={contoso}")).await;
    assert!(!portal.text.contains("<h1>My Apps</h1>"), "{}", portal.text);
    assert_eq!(guests(&world, "/v1.0/users").await, 0);
    let deleted = "/v1.0/directory/deletedItems/microsoft.graph.user";
    assert_eq!(guests(&world, deleted).await, 1);

    // The log says who it was, and the last form does nothing a second time.
    let daemon = world.daemon_token(CONTOSO).await;
    const LOG: &str = "/v1.0/auditLogs/directoryAudits?$filter=activityDisplayName%20eq%20'Delete%20user'";
    let log = world.graph(&daemon, "GET", LOG, None).await.json();
    let entry = &log["value"][0];
    let at_home = world.daemon_token(FABRIKAM).await;
    let at_home = world.graph(&at_home, "GET", LOG, None).await.json();
    let at_home = &at_home["value"][0];
    let bob = world.user("bob@fabrikam.test").id.unwrap();
    assert_eq!(at_home["initiatedBy"]["user"]["id"], json!(bob), "{at_home}");
    assert_eq!(at_home["targetResources"][0]["id"], json!(world.tenant_id(CONTOSO).to_string()), "{at_home}");
    assert!(!at_home.to_string().contains(&guest), "what he was elsewhere is not told at home: {at_home}");
    assert_eq!((&entry["result"], &entry["initiatedBy"]["user"]["id"]), (&json!("success"), &json!(guest)));
    assert_eq!(entry["targetResources"][0]["id"], json!(guest), "{entry}");
    let again = leave(&mut browser, &ask).await;
    assert!(again.text.contains("You do not belong to that organisation"), "{}", again.text);

    // There is room for another one, until an administrator brings the account back.
    let restore = format!("/v1.0/directory/deletedItems/{guest}/restore");
    assert_eq!(world.graph(&daemon, "POST", &restore, None).await.status, 200);
    assert_eq!(guests(&world, "/v1.0/users").await, 1);
    // What ended does not come back with it.
    assert_eq!(refresh(&world, &tokens).await.status, 400);
    let page = browser.get(&format!("{BASE}/myapps/organizations")).await;
    assert_eq!(page.text.matches("/leave?tenant=").count(), 1, "{}", page.text);
}

#[tokio::test]
async fn nobody_leaves_home_or_with_somebody_elses_form_or_a_disabled_account() {
    let world = World::new().await;
    let guest = world.make_guest(BOB).await;
    let mut browser = bobs(&world).await;
    let home = browser.get(&leave_url(&world, FABRIKAM)).await;
    assert!(home.text.contains("or it is your home"), "{}", home.text);
    let ask = browser.get(&leave_url(&world, CONTOSO)).await;
    // The proof stands for one organisation.
    let (fabrikam, contoso) = (world.tenant_id(FABRIKAM).to_string(), world.tenant_id(CONTOSO).to_string());
    let refused = browser.press(&ask, "leave", &[("tenant", &fabrikam)]).await;
    assert_eq!(refused.status, 400, "{}", refused.text);

    // Another person's browser, with Bob's form.
    let mut carols = world.browser();
    let page = carols.get(&format!("{BASE}/myapps?tenant={CONTOSO}")).await;
    carols.sign_in(page, "carol@contoso.test").await;
    let refused = leave(&mut carols, &ask).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let hers = carols.get(&leave_url(&world, FABRIKAM)).await;
    assert!(hers.text.contains("You do not belong"), "{}", hers.text);

    let daemon = world.daemon_token(CONTOSO).await;
    let path = format!("/v1.0/users/{guest}");
    let disabled = json!({ "accountEnabled": false });
    assert_eq!(world.graph(&daemon, "PATCH", &path, Some(disabled)).await.status, 204);
    let before = world.directory_refusals(CONTOSO);
    let refused = leave(&mut browser, &ask).await;
    assert!(refused.text.contains("Ask the organisation&#39;s administrator"), "{}", refused.text);
    assert_eq!(world.directory_refusals(CONTOSO), before + 1);
    assert!(!refused.text.contains("/leave?tenant="), "{}", refused.text);

    // The only administrator stays.
    let enabled = json!({ "accountEnabled": true });
    assert_eq!(world.graph(&daemon, "PATCH", &path, Some(enabled)).await.status, 204);
    let administrator = domain::directory::role::GLOBAL_ADMINISTRATOR.id;
    let id: domain::id::UserId = guest.parse().unwrap();
    let alice = world.user("alice@contoso.test").id.unwrap();
    let now = world.moment().now;
    let swap = move |tx: &store::WriteTx<'_>| {
        use domain::directory::group::LinkedKind;
        use domain::directory::role::RoleAssignment;
        let given = RoleAssignment { principal: id.uuid(), kind: LinkedKind::User, role: administrator };
        tx.assign_role(&given, now)?;
        tx.unassign_role(administrator, alice, now)?;
        Ok(store::Recorded::chore(store::Chore::Progress, ()))
    };
    world.service.store().tenant(world.tenant_id(CONTOSO)).write(swap).await.unwrap();
    let ask = browser.get(&leave_url(&world, CONTOSO)).await;
    assert_eq!(ask.field("tenant").as_deref(), Some(contoso.as_str()));
    let refused = leave(&mut browser, &ask).await;
    assert!(refused.text.contains("Nobody else administers that organisation"), "{}", refused.text);
    assert_eq!(guests(&world, "/v1.0/users").await, 1);
}

#[tokio::test]
async fn a_session_elsewhere_is_not_enough() {
    let world = World::new().await;
    world.make_guest(BOB).await;
    let mut browser = world.browser();
    let page = browser.get(&format!("{BASE}/myapps?tenant={}", world.tenant_id(CONTOSO))).await;
    browser.sign_in(page, BOB).await;
    let ask = browser.get(&leave_url(&world, CONTOSO)).await;
    // Signed out at home only: what Contoso believes of Bob opens nothing here.
    let sessions = world.service.store().tenant(world.tenant_id(FABRIKAM));
    let (bob, now) = (world.user(BOB).id.unwrap(), world.moment().now);
    let revoke = move |tx: &store::WriteTx<'_>| {
        let id = domain::id::UserId::new(bob);
        let mut user = tx.find_user(id)?.unwrap();
        user.sessions_valid_from = now + domain::time::Span::millis(1);
        tx.update_user(&user, now)?;
        Ok(store::Recorded::chore(store::Chore::Progress, ()))
    };
    sessions.write(revoke).await.unwrap();
    let refused = leave(&mut browser, &ask).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let page = browser.get(&format!("{BASE}/myapps/organizations")).await;
    assert!(page.asks_for("login") || page.asks_for("password"), "{}", page.text);
    assert_eq!(guests(&world, "/v1.0/users").await, 1);
}
