//! Limits hold exactly, whoever comes at once and by whatever way: at one below the limit, one of 64 gets in; after a
//! deletion, exactly one more (facts: limits §1).

use domain::tenancy::limits::{Limit, Limits};
use domain::time::Span;
use serde_json::{Value, json};
use service::Fault;
use service::seed::{self, WorldApplication, WorldTenant};
use std::pin::Pin;
use std::sync::Barrier;
use testkit::{Answer, BASE, Browser, CONTOSO, FABRIKAM, NewPerson, Page, Setup, World};
use tokio::runtime::Handle;

/// What an attempt came to: the id of what it made, or that the limit refused it.
pub(crate) type Outcome = Option<String>;
pub(crate) type Attempt<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

pub(crate) const AT_ONCE: usize = 64;

/// Runs every attempt on a thread of its own, all let go at once. Answers what was made.
pub(crate) fn all_at_once(attempts: Vec<Attempt<'_>>) -> Vec<String> {
    assert_eq!(attempts.len(), AT_ONCE);
    let (gate, handle) = (Barrier::new(AT_ONCE), Handle::current());
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = attempts
                .into_iter()
                .map(|attempt| {
                    scope.spawn(|| {
                        gate.wait();
                        handle.block_on(attempt)
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        })
    })
}

pub(crate) async fn limited(limits: &[(Limit, i64)]) -> World {
    let limits = limits
        .iter()
        .fold(Limits::default(), |limits, (limit, most)| limits.with(*limit, u32::try_from(*most).unwrap()));
    World::with(Setup { limits, ..Setup::default() }).await
}

/// `used` and `total` of Contoso, as its daemon reads them.
async fn size(world: &World) -> (i64, i64) {
    let token = world.daemon_token(CONTOSO).await;
    let answer =
        world.graph(&token, "GET", "/v1.0/organization?$select=id,directorySizeQuota", None).await.json();
    let quota = &answer["value"][0]["directorySizeQuota"];
    (quota["used"].as_i64().unwrap(), quota["total"].as_i64().unwrap())
}

/// The id of what was made, or `None` for the refusal of a quota; anything else fails the test.
fn made(answer: &Answer) -> Outcome {
    let body = answer.json();
    if answer.status == 201 || answer.status == 200 {
        let made = if body["invitedUser"].is_object() { &body["invitedUser"] } else { &body };
        return Some(made["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(
        (answer.status.as_u16(), &body["error"]["code"]),
        (403, &json!("Directory_QuotaExceeded")),
        "{body}"
    );
    None
}

/// Ways to make an object; the number keeps names apart.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Application,
    Group,
    Invitation,
    Operator,
    User,
}

pub(crate) async fn make(world: &World, token: &str, way: Way, number: String) -> Outcome {
    let post = async |path: &str, body: Value| loop {
        let answer = world.graph(token, "POST", path, Some(body.clone())).await;
        // So many passwords at once are more than are hashed; whoever hears so asks again.
        if answer.status != 503 {
            return made(&answer);
        }
        tokio::task::yield_now().await;
    };
    match way {
        Way::Application => post("/v1.0/applications", json!({ "displayName": number })).await,
        Way::Group => {
            let body = json!({ "displayName": number, "mailEnabled": false, "mailNickname": number,
                "securityEnabled": true });
            post("/v1.0/groups", body).await
        }
        Way::Invitation => {
            let body = json!({ "invitedUserEmailAddress": format!("{number}@elsewhere.test"),
                "inviteRedirectUrl": format!("{BASE}/myapps") });
            post("/v1.0/invitations", body).await
        }
        Way::Operator => {
            let person = NewPerson {
                id: None,
                sign_in_name: format!("{number}@contoso.test"),
                display_name: number,
                password: "Passw0rd-of-many".to_owned(),
                roles: Vec::new(),
                profile: Default::default(),
            };
            let tenant = world.tenant_id(CONTOSO);
            let outcome = loop {
                match world.service.create_person(tenant, person.clone(), &world.moment()).await {
                    Err(Fault::Busy) => tokio::task::yield_now().await,
                    outcome => break outcome.unwrap(),
                }
            };
            outcome
                .map_err(|refusal| assert!(refusal.as_str().contains("as many objects")))
                .ok()
                .map(|id| id.to_string())
        }
        Way::User => {
            let body = json!({ "accountEnabled": true, "displayName": number, "mailNickname": number,
                "userPrincipalName": format!("{number}@contoso.test"),
                "passwordProfile": { "password": "Passw0rd-of-many" } });
            post("/v1.0/users", body).await
        }
    }
}

fn attempts<'a>(world: &'a World, token: &'a str, ways: &[Way], round: &str) -> Vec<Attempt<'a>> {
    let attempt = |number: usize| -> Attempt<'a> {
        let way = ways[number % ways.len()];
        Box::pin(make(world, token, way, format!("{round}{number}")))
    };
    (0..AT_ONCE).map(attempt).collect()
}

/// Deletes a user, group or application, whichever it is.
async fn delete(world: &World, token: &str, id: &str) {
    let mut is_gone = false;
    for kind in ["users", "groups", "applications"] {
        if is_gone {
            break;
        }
        let answer = world.graph(token, "DELETE", &format!("/v1.0/{kind}/{id}"), None).await;
        is_gone = answer.status == 204;
        assert!(is_gone || answer.status == 404, "{}", answer.text);
    }
    assert!(is_gone, "nobody knows {id}");
}

async fn purge(world: &World, token: &str, id: &str) {
    let answer = world.graph(token, "DELETE", &format!("/v1.0/directory/deletedItems/{id}"), None).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_gets_the_last_place_in_a_directory() {
    let (used, _) = size(&World::new().await).await;
    let world = limited(&[(Limit::Objects, used + 1)]).await;
    let token = world.daemon_token(CONTOSO).await;
    let ways = [Way::User, Way::Invitation, Way::Group, Way::Application, Way::Operator];
    let first = all_at_once(attempts(&world, &token, &ways, "a"));
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(size(&world).await, (used + 1, used + 1));

    // What can be restored still takes its place, and comes back into a full directory.
    delete(&world, &token, &first[0]).await;
    assert_eq!(make(&world, &token, Way::Group, "b".to_owned()).await, None);
    let restore = format!("/v1.0/directory/deletedItems/{}/restore", first[0]);
    assert_eq!(world.graph(&token, "POST", &restore, None).await.status, 200);
    assert_eq!(size(&world).await, (used + 1, used + 1));

    // Gone for good, it weighs a quarter for a month, which is not a whole object yet.
    delete(&world, &token, &first[0]).await;
    purge(&world, &token, &first[0]).await;
    // Passwords take their time to hash; once is enough.
    let ways = &ways[1..4];
    let second = all_at_once(attempts(&world, &token, ways, "c"));
    assert_eq!(second.len(), 1, "{second:?}");
    assert_eq!(size(&world).await, (used + 1, used + 1));

    // Left in the bin, it goes by itself.
    delete(&world, &token, &second[0]).await;
    world.advance(Span::millis(Span::days(30).as_millis() + 1));
    let token = world.daemon_token(CONTOSO).await;
    let third = all_at_once(attempts(&world, &token, ways, "d"));
    assert_eq!(third.len(), 1, "{third:?}");
}

#[tokio::test]
async fn an_instance_of_an_application_takes_a_place_too() {
    let (used, _) = size(&World::new().await).await;
    let world = limited(&[(Limit::Objects, used + 2)]).await;
    let token = world.daemon_token(CONTOSO).await;
    let app = make(&world, &token, Way::Application, "App".to_owned()).await.unwrap();
    let app = world.graph(&token, "GET", &format!("/v1.0/applications/{app}"), None).await.json();
    let ask = |app: &Value| json!({ "appId": app["appId"] });
    let instance =
        made(&world.graph(&token, "POST", "/v1.0/servicePrincipals", Some(ask(&app))).await).unwrap();
    assert_eq!(size(&world).await, (used + 2, used + 2));
    assert_eq!(make(&world, &token, Way::Application, "Other".to_owned()).await, None);
    // While it can be restored it keeps its place; gone for good, a quarter is left of it, and nothing in the end.
    let path = format!("/v1.0/servicePrincipals/{instance}");
    assert_eq!(world.graph(&token, "DELETE", &path, None).await.status, 204);
    assert_eq!(size(&world).await, (used + 2, used + 2));
    assert_eq!(make(&world, &token, Way::Application, "Other".to_owned()).await, None);
    purge(&world, &token, &instance).await;
    assert_eq!(size(&world).await, (used + 1, used + 2));
    let other = make(&world, &token, Way::Application, "Other".to_owned()).await.unwrap();
    delete(&world, &token, &other).await;
    assert_eq!(size(&world).await, (used + 2, used + 2));

    // It is the same whether time or somebody takes it away: the job weighs nothing twice.
    let quarters = |world: &World| {
        let now = world.moment().now;
        let contoso = world.service.store().tenant(world.tenant_id(CONTOSO));
        contoso.read(|tx| tx.room(None, now)).unwrap().tenant.0 - 4 * (used + 1)
    };
    world.advance(Span::millis(Span::days(30).as_millis() + 1));
    assert_eq!(quarters(&world), 1);
    assert_eq!(world.service.empty_bins(&world.moment()).await.unwrap(), 1);
    assert_eq!(quarters(&world), 1);
    world.advance(Span::days(30));
    assert_eq!(quarters(&world), 0);
}

/// A token of somebody in Contoso; an administrator agreed for all.
async fn token_of(world: &World, name: &str) -> String {
    let scopes = "openid Group.ReadWrite.All Application.ReadWrite.All User.Invite.All";
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), scopes, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    if page.text.contains("value=\"accept\"") {
        browser.press(&page, "accept", &[("for_organization", "1")]).await;
    }
    let tokens = world.sign_in(CONTOSO, "web", name, scopes).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_is_the_last_that_somebody_without_a_role_makes() {
    let world = limited(&[(Limit::ObjectsOfNonAdmin, 2)]).await;
    let (carol, daemon) = (token_of(&world, "carol@contoso.test").await, world.daemon_token(CONTOSO).await);
    let ways = [Way::Group, Way::Application, Way::Invitation];
    assert!(make(&world, &carol, Way::Group, "first".to_owned()).await.is_some());
    let first = all_at_once(attempts(&world, &carol, &ways, "a"));
    assert_eq!(first.len(), 1, "{first:?}");

    // Nobody else's: an administrator, a colleague, an application.
    let dave = token_of(&world, "dave@contoso.test").await;
    let alice = token_of(&world, "alice@contoso.test").await;
    for (number, token) in [&dave, &alice, &alice, &alice, &daemon].into_iter().enumerate() {
        assert!(make(&world, token, Way::Group, format!("other{number}")).await.is_some());
    }
    let refused =
        json!({ "displayName": "x", "mailEnabled": false, "mailNickname": "x", "securityEnabled": true });
    let refused = world.graph(&carol, "POST", "/v1.0/groups", Some(refused)).await.json();
    let text = refused["error"]["message"].as_str().unwrap();
    assert!(text.contains("quota limit for the Principal") && text.ends_with("Used: 2 of 2."), "{text}");

    delete(&world, &daemon, &first[0]).await;
    assert_eq!(make(&world, &carol, Way::Group, "b".to_owned()).await, None);
    purge(&world, &daemon, &first[0]).await;
    let second = all_at_once(attempts(&world, &carol, &ways, "c"));
    assert_eq!(second.len(), 1, "{second:?}");
}

/// Tenants with nothing but a daemon, for a person to be a guest of.
async fn many_tenants(world: &World, count: usize) -> seed::World {
    let tenant = |number: usize| WorldTenant {
        domain: format!("t{number}.test"),
        display_name: format!("Tenant {number}"),
        applications: vec![WorldApplication {
            display_name: "Daemon".to_owned(),
            kind: "daemon".to_owned(),
            ..WorldApplication::default()
        }],
        ..WorldTenant::default()
    };
    let described = seed::World { tenants: (0..count).map(tenant).collect() };
    let moment = world.moment();
    let completed = seed::complete(described, BASE, &moment.entropy).unwrap();
    world.service.seed(&completed, &moment).await.unwrap();
    completed
}

async fn token_in(world: &World, tenant: &WorldTenant) -> String {
    let app = &tenant.applications[0];
    let (id, secret) = (app.app_id.unwrap().to_string(), app.secret.clone().unwrap());
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    world.token(&tenant.domain, &fields).await.json()["access_token"].as_str().unwrap().to_owned()
}

fn invite<'a>(
    world: &'a World,
    token: &'a str,
    address: &str,
) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
    let body = json!({ "invitedUserEmailAddress": address, "inviteRedirectUrl": format!("{BASE}/myapps") });
    Box::pin(async move { world.graph(token, "POST", "/v1.0/invitations", Some(body)).await })
}

const BOB: &str = "bob@fabrikam.test";
/// An address of Bob's that nobody knows to be his when it is invited.
const ALIAS: &str = "robert@fabrikam.test";

/// Opens an invitation to the alias, and signs in under the name that the home knows. What is left is to accept.
async fn come_as_bob<'a>(world: &'a World, link: &str) -> (Browser<'a>, Page) {
    let mut browser = world.browser();
    let page = browser.get(link).await;
    let page = browser.press(&page, "back", &[]).await;
    let page = browser.sign_in(page, BOB).await;
    assert!(page.text.contains("value=\"accept\""), "{}", page.text);
    (browser, page)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_is_the_last_directory_that_a_person_comes_to() {
    // The home, Contoso, and one more.
    let world = limited(&[(Limit::DirectoriesOfPerson, 3)]).await;
    let tenants = many_tenants(&world, AT_ONCE).await.tenants;
    let mut tokens = Vec::new();
    for tenant in &tenants {
        tokens.push(token_in(&world, tenant).await);
    }
    let (restoring, redeeming) = (8, 8);

    // Some invited Bob and removed him again; he may be restored.
    let mut deleted = Vec::new();
    for token in &tokens[..restoring] {
        let guest = made(&invite(&world, token, BOB).await).unwrap();
        delete(&world, token, &guest).await;
        deleted.push(guest);
    }
    // Some invited an address that turns out to be his.
    let mut links = Vec::new();
    for token in &tokens[restoring..restoring + redeeming] {
        let invited = invite(&world, token, ALIAS).await.json();
        links.push(invited["inviteRedeemUrl"].as_str().unwrap().to_owned());
    }
    let fabrikam = world.daemon_token(FABRIKAM).await;
    let renamed = json!({ "mail": ALIAS });
    let answer = world.graph(&fabrikam, "PATCH", &format!("/v1.0/users/{BOB}"), Some(renamed)).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    world.invite(CONTOSO, BOB).await;

    let mut waiting = Vec::new();
    for link in &links {
        waiting.push(come_as_bob(&world, link).await);
    }
    let mut all: Vec<Attempt<'_>> = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        if let Some(guest) = deleted.get(number) {
            let path = format!("/v1.0/directory/deletedItems/{guest}/restore");
            let world = &world;
            all.push(Box::pin(async move {
                made(&world.graph(token, "POST", &path, None).await).map(|_| number.to_string())
            }));
        } else if number >= restoring + redeeming {
            let asked = invite(&world, token, BOB);
            all.push(Box::pin(async move { made(&asked.await).map(|_| number.to_string()) }));
        }
    }
    for (number, (mut browser, page)) in waiting.into_iter().enumerate() {
        all.push(Box::pin(async move {
            let page = browser.press(&page, "accept", &[]).await;
            let is_refused = page.text.contains("You belong to too many organisations");
            assert_eq!(is_refused, page.status != 200, "{}", page.text);
            (!is_refused).then(|| (restoring + number).to_string())
        }));
    }
    let first = all_at_once(all);
    assert_eq!(first.len(), 1, "{first:?}");

    // Whoever is a guest already is invited again, and takes no second place.
    world.invite(CONTOSO, BOB).await;
    let winner: usize = first[0].parse().unwrap();
    let others: Vec<&String> =
        tokens.iter().enumerate().filter(|(at, _)| *at != winner).map(|(_, token)| token).collect();
    assert_eq!(made(&invite(&world, others[0], BOB).await), None);

    // Away from one, Bob may come to exactly one more.
    let contoso = world.daemon_token(CONTOSO).await;
    let guests =
        world.graph(&contoso, "GET", "/v1.0/users?$filter=userType%20eq%20'Guest'", None).await.json();
    delete(&world, &contoso, guests["value"][0]["id"].as_str().unwrap()).await;
    let again = (0..AT_ONCE).map(|at| -> Attempt<'_> {
        // One asks twice, and invites the same guest again if it was the first.
        let asked = invite(&world, others[at % others.len()], BOB);
        Box::pin(async move { made(&asked.await) })
    });
    let mut second = all_at_once(again.collect());
    second.dedup();
    assert_eq!(second.len(), 1, "{second:?}");
}

#[tokio::test]
async fn r21_an_inviter_learns_no_number_and_a_refused_guest_keeps_the_invitation() {
    let world = limited(&[(Limit::DirectoriesOfPerson, 2)]).await;
    let tenants = many_tenants(&world, 2).await.tenants;
    let (one, other) = (token_in(&world, &tenants[0]).await, token_in(&world, &tenants[1]).await);
    let invited = invite(&world, &one, ALIAS).await.json();
    let link = invited["inviteRedeemUrl"].as_str().unwrap();
    let fabrikam = world.daemon_token(FABRIKAM).await;
    let renamed = json!({ "mail": ALIAS });
    world.graph(&fabrikam, "PATCH", &format!("/v1.0/users/{BOB}"), Some(renamed)).await;
    let guest = world.make_guest(BOB).await;

    let refused = invite(&world, &other, BOB).await;
    assert_eq!(made(&refused), None);
    let refused = refused.json();
    assert!(!refused["error"]["message"].as_str().unwrap().contains(char::is_numeric), "{refused}");
    let users = world.graph(&other, "GET", "/v1.0/users", None).await.json();
    assert_eq!(users["value"], json!([]), "a guest was half made");

    let (mut browser, page) = come_as_bob(&world, link).await;
    let page = browser.press(&page, "accept", &[]).await;
    assert!(page.text.contains("You belong to too many organisations"), "{}", page.text);
    let pending = world.graph(&one, "GET", "/v1.0/users?$select=externalUserState", None).await.json();
    assert_eq!(pending["value"][0]["externalUserState"], "PendingAcceptance");

    // As the page says.
    let contoso = world.daemon_token(CONTOSO).await;
    delete(&world, &contoso, &guest).await;
    let (mut browser, page) = come_as_bob(&world, link).await;
    let page = browser.press(&page, "accept", &[]).await;
    assert_eq!(page.status, 200, "{}", page.text);
}

/// A token of Carol's that makes organisations.
async fn makers_token(world: &World) -> String {
    let scopes = "openid Organization.ReadWrite.All";
    let mut browser = world.browser();
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), scopes, &[]);
    let page = browser.get(&url).await;
    let page = browser.sign_in(page, "alice@contoso.test").await;
    browser.press(&page, "accept", &[("for_organization", "1")]).await;
    let tokens = world.sign_in(CONTOSO, "web", "carol@contoso.test", scopes).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_sixty_four_is_the_last_organisation_that_a_person_makes() {
    let world = limited(&[(Limit::TenantsOfCreator, 2)]).await;
    let token = makers_token(&world).await;
    let mut carols = world.browser();
    let page = carols.get(&format!("{BASE}/myapps")).await;
    carols.sign_in(page, "carol@contoso.test").await;
    let form = carols.get(&format!("{BASE}/myapps/new")).await;
    let by_api = async |name: &str| {
        let body = json!({ "displayName": name, "initialDomainName": name });
        made(&world.graph(&token, "POST", "/v1.0/directory/tenants", Some(body)).await)
    };
    assert!(by_api("first").await.is_some());
    let (home, cookies) = (form.field("tenant").unwrap(), carols.cookies.clone());
    let attempts = |round: &str| {
        let attempt = |number: usize| -> Attempt<'_> {
            let (by_api, world, form, home) = (&by_api, &world, &form, &home);
            let (name, cookies) = (format!("{round}{number}"), cookies.clone());
            Box::pin(async move {
                if number.is_multiple_of(2) {
                    return by_api(&name).await;
                }
                let mut browser = world.browser();
                browser.cookies = cookies;
                let fields = [("organization", name.as_str()), ("name", &name), ("tenant", home)];
                let page = browser.press(form, "create", &fields).await;
                let is_full = page.text.contains("You created 2 organisations, as many as one person can");
                assert!(is_full || page.text.contains(&name), "{}", page.text);
                (!is_full).then_some(name)
            })
        };
        (0..AT_ONCE).map(attempt).collect::<Vec<_>>()
    };
    let first = all_at_once(attempts("a"));
    assert_eq!(first.len(), 1, "{first:?}");

    // One is deleted: there is room for exactly one more.
    let list = carols.get(&format!("{BASE}/myapps/organizations")).await;
    assert_eq!(list.text.matches("/delete?tenant=").count(), 2, "{}", list.text);
    let way = list.text.split("href=\"").find(|part| part.contains("/delete?tenant=")).unwrap();
    let page = carols.get(&format!("{BASE}{}", way.split('"').next().unwrap())).await;
    let gone = carols.press(&page, "delete", &[("tenant", &page.field("tenant").unwrap())]).await;
    assert!(gone.text.contains("The organisation is deleted"), "{}", gone.text);
    let second = all_at_once(attempts("b"));
    assert_eq!(second.len(), 1, "{second:?}");
    assert_eq!(by_api("last").await, None);
}
