//! Asking an administrator to approve an application (Graph: adminConsentRequestPolicy, userConsentRequest).

use domain::time::Span;
use serde_json::{Value, json};
use testkit::{BASE, Browser, CONTOSO, Page, World};

const POLICY: &str = "/v1.0/policies/adminConsentRequestPolicy";
const REQUESTS: &str = "/v1.0/identityGovernance/appConsent/appConsentRequests";
const CAROL: &str = "carol@contoso.test";
const DAVE: &str = "dave@contoso.test";
const SCOPE: &str = "openid Directory.Read.All";

/// Dave reviews.
async fn world() -> World {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    let dave = format!("/users/{}", world.user(DAVE).id.unwrap());
    let body = json!({ "isEnabled": true, "notifyReviewers": true, "remindersEnabled": true, "requestDurationInDays": 5,
        "reviewers": [{ "query": dave, "queryType": "MicrosoftGraph" }] });
    let answer = world.graph(&admin, "PUT", POLICY, Some(body)).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    world
}

async fn open(world: &World, browser: &mut Browser<'_>, name: &str) -> Page {
    let url = browser.authorize_url(CONTOSO, world.app(CONTOSO, "web"), SCOPE, &[]);
    let page = browser.get(&url).await;
    browser.sign_in(page, name).await
}

async fn request(world: &World, name: &str, reason: &str) -> Page {
    let mut browser = world.browser();
    let page = open(world, &mut browser, name).await;
    browser.press(&page, "request", &[("reason", reason)]).await
}

/// Of Contoso's web application, as Graph shows them.
async fn requests(world: &World) -> Vec<Value> {
    let admin = world.daemon_token(CONTOSO).await;
    let app = world.app(CONTOSO, "web").app_id.unwrap();
    let path = format!("{REQUESTS}/{app}/userConsentRequests");
    let found = world.graph(&admin, "GET", &path, None).await;
    found.json()["value"].as_array().unwrap().clone()
}

/// The reviewers' page of somebody who signs in for it.
async fn review(world: &World, browser: &mut Browser<'_>, name: &str) -> Page {
    let url = format!("{BASE}/myapps/requests?tenant={}", world.tenant_id(CONTOSO));
    let page = browser.get(&url).await;
    browser.sign_in(page, name).await;
    browser.get(&url).await
}

fn mails(world: &World, to: &str) -> Vec<domain::mail::Mail> {
    let all = world.service.recent_mail(50).unwrap();
    all.into_iter().map(|sent| sent.mail).filter(|mail| mail.to == to).collect()
}

async fn decline(world: &World, browser: &mut Browser<'_>, page: &Page, action: &str, id: &str) -> Page {
    let tenant = world.tenant_id(CONTOSO).to_string();
    let fields = [("tenant", tenant.as_str()), ("request", id), ("reason", "Use the other one")];
    browser.press(page, action, &fields).await
}

#[tokio::test]
async fn a_request_is_sent_reviewed_and_approved() {
    let world = world().await;
    let mut browser = world.browser();
    let page = open(&world, &mut browser, CAROL).await;
    assert!(page.text.contains("AADSTS90095") && page.asks_for("reason"), "{}", page.text);
    for wrong in ["", "   ", &"x".repeat(501)] {
        let again = browser.press(&page, "request", &[("reason", wrong)]).await;
        assert!(again.text.contains("1 to 500 characters"), "{}", again.text);
    }
    let reason = "For the budget.\nSee https://evil.test/ <b>now</b>";
    let sent = browser.press(&page, "request", &[("reason", reason)]).await;
    assert!(sent.text.contains("Request sent"), "{}", sent.text);
    // Once is enough, and the application hears of it when the person goes back.
    let page = open(&world, &mut browser, CAROL).await;
    assert!(page.text.contains("You asked for this application already") && !page.asks_for("reason"));
    let back = browser.press(&page, "cancel", &[]).await;
    assert_eq!(back.parameter("error").as_deref(), Some("interaction_required"));
    assert!(back.parameter("error_description").unwrap().starts_with("AADSTS90095"));

    // The mail is ours: fixed words, one link, and the reason as harmless lines (R07).
    let mail = mails(&world, DAVE).pop().unwrap();
    assert!(mail.text.contains("> For the budget. See"), "{}", mail.text);
    assert!(!mail.text.contains("evil") && !mail.html.contains("evil"), "{}", mail.text);
    let link = mail.text.lines().find(|line| line.starts_with(BASE)).unwrap();
    assert!(link.starts_with(&format!("{BASE}/myapps/requests?tenant=")), "{link}");

    let mut daves = world.browser();
    let page = review(&world, &mut daves, DAVE).await;
    assert!(
        page.text.contains("Directory.Read.All") && page.text.contains("You can deny or block"),
        "{page:?}"
    );
    assert!(!page.text.contains("adminconsent") && !page.text.contains("<b>now"), "{}", page.text);
    let portal = daves.get(&format!("{BASE}/myapps?tenant={}", world.tenant_id(CONTOSO))).await;
    assert!(portal.text.contains("Requests (1)"), "{}", portal.text);

    let mut alices = world.browser();
    let page = review(&world, &mut alices, "alice@contoso.test").await;
    let address = page.text.split("href=\"").find(|part| part.contains("/v2.0/adminconsent?")).unwrap();
    let address = address.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let page = alices.get(&address).await;
    let page = alices.press(&page, "accept", &[]).await;
    assert!(page.text.contains("Permissions granted"), "{page:?}");
    let found = requests(&world).await;
    assert_eq!((found.len(), &found[0]["status"]), (1, &json!("Completed")), "{found:?}");
    assert_eq!(found[0]["createdBy"]["user"]["displayName"], "Carol Clark", "{found:?}");
    assert!(mails(&world, CAROL)[0].text.contains("Your request was approved"));
    let page = open(&world, &mut world.browser(), CAROL).await;
    assert!(page.text.contains("value=\"accept\"") || page.parameter("code").is_some(), "{page:?}");
    // The link in the mail is older than the answer.
    let page = daves.get(link).await;
    assert!(page.text.contains("That request was approved already"), "{}", page.text);
}

#[tokio::test]
async fn r04_a_no_counts_once_and_in_time() {
    let world = world().await;
    request(&world, CAROL, "I need it").await;
    let id = requests(&world).await[0]["id"].as_str().unwrap().to_owned();
    let mut daves = world.browser();
    let page = review(&world, &mut daves, DAVE).await;
    // Somebody else's form is none.
    let mut carols = world.browser();
    let hers = review(&world, &mut carols, CAROL).await;
    assert!(hers.text.contains("You review no requests here"), "{}", hers.text);
    let done = decline(&world, &mut daves, &page, "deny", &id).await;
    assert!(done.text.contains("The request was denied"), "{}", done.text);
    let again = decline(&world, &mut daves, &page, "deny", &id).await;
    assert!(again.text.contains("answered already"), "{}", again.text);
    let mail = &mails(&world, CAROL)[0];
    assert!(
        mail.text.contains("was not approved") && mail.text.contains("> Use the other one"),
        "{}",
        mail.text
    );

    // A new request is another one; nobody answers it after its days.
    assert!(request(&world, CAROL, "I still need it").await.text.contains("Request sent"));
    let found = requests(&world).await;
    let open = found.iter().find(|request| request["status"] == "InProgress").unwrap();
    let id = open["id"].as_str().unwrap().to_owned();
    world.advance(Span::days(5));
    let page = review(&world, &mut daves, DAVE).await;
    assert!(page.text.contains("Nothing waits"), "{}", page.text);
    let proof = review(&world, &mut daves, DAVE).await;
    assert_eq!(proof.field("proof"), None, "there is no form without a request");
    assert!(
        requests(&world).await.iter().any(|request| request["id"] == id && request["status"] == "Expired")
    );
    let page =
        daves.get(&format!("{BASE}/myapps/requests?tenant={}&request={id}", world.tenant_id(CONTOSO))).await;
    assert!(page.text.contains("has expired"), "{}", page.text);
}

#[tokio::test]
async fn a_blocked_application_is_not_asked_for_again() {
    let world = world().await;
    request(&world, CAROL, "I need it").await;
    let id = requests(&world).await[0]["id"].as_str().unwrap().to_owned();
    let mut daves = world.browser();
    let page = review(&world, &mut daves, DAVE).await;
    decline(&world, &mut daves, &page, "block", &id).await;
    let page = open(&world, &mut world.browser(), CAROL).await;
    assert!(page.text.contains("blocked this application") && !page.asks_for("reason"), "{}", page.text);
    // Not even by who had the page open.
    let mut browser = world.browser();
    let page = open(&world, &mut browser, DAVE).await;
    let page = browser.press(&page, "request", &[("reason", "please")]).await;
    assert!(page.text.contains("blocked this application"), "{}", page.text);
    assert_eq!(requests(&world).await.len(), 1);
}

#[tokio::test]
async fn the_policy_is_replaced_as_a_whole() {
    let world = world().await;
    let admin = world.daemon_token(CONTOSO).await;
    let policy = async || world.graph(&admin, "GET", POLICY, None).await.json();
    let before = policy().await;
    assert_eq!((&before["requestDurationInDays"], &before["version"]), (&json!(5), &json!(1)));
    for (name, value) in [
        ("isEnabled", json!("yes")),
        ("requestDurationInDays", json!(0)),
        ("requestDurationInDays", json!(61)),
        ("reviewers", json!([{ "query": "/users/nobody", "queryType": "MicrosoftGraph" }])),
        ("reviewers", json!([{ "query": format!("/users/{}", uuid::Uuid::from_u128(7)) }])),
        ("reviewers", json!([{ "query": "/users/x", "queryType": "ARM" }])),
        ("surprise", json!(1)),
    ] {
        let mut body = json!({ "isEnabled": true });
        body[name] = value;
        let answer = world.graph(&admin, "PUT", POLICY, Some(body)).await;
        assert_eq!(answer.status, 400, "{name}: {}", answer.text);
    }
    assert_eq!(policy().await, before);
    // What was read may be sent back.
    let mut same = before.clone();
    same.as_object_mut().unwrap().remove("@odata.context");
    assert_eq!(world.graph(&admin, "PUT", POLICY, Some(same)).await.status, 204);
    assert_eq!(policy().await["version"], 2);
    assert_eq!(world.graph(&admin, "PUT", POLICY, Some(json!({ "isEnabled": false }))).await.status, 204);
    assert_eq!(policy().await["reviewers"], json!([]));
    let page = open(&world, &mut world.browser(), CAROL).await;
    assert!(page.text.contains("AADSTS90094"), "{}", page.text);
}
