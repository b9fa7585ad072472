//! Throttling of Graph, at one percent of the documented limits and with a clock that stands still: 35 resource units in ten
//! seconds, 20 requests in one, and 30 writes in 150 for an application in a small tenant (facts: limits §7).

use domain::time::Span;
use http::StatusCode;
use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, FABRIKAM, Setup, World};

async fn world() -> World {
    World::with(Setup { throttling_percent: Some(1), ..Setup::default() }).await
}

async fn get(world: &World, token: &str, path: &str) -> Answer {
    world.graph(token, "GET", path, None).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn who_asks_too_much_is_told_when_to_come_back() {
    let world = world().await;
    let token = world.daemon_token(CONTOSO).await;
    for _ in 0..17 {
        assert_eq!(get(&world, &token, "/v1.0/users").await.status, StatusCode::OK);
    }
    // A list of users costs two, and one is left.
    let answer = get(&world, &token, "/v1.0/users").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json()["error"]["code"], "TooManyRequests");
    assert_eq!(header(&answer, "retry-after"), "1");
    let app = world.app(CONTOSO, "daemon").app_id.unwrap();
    let scope = format!("Tenant_Application/ReadWrite/{app}/{}", world.tenant_id(CONTOSO));
    assert_eq!(header(&answer, "x-ms-throttle-scope"), scope);
    assert_eq!(header(&answer, "x-ms-throttle-information"), "ResourceUnitLimitExceeded");
    // A selection makes it cheaper.
    assert_eq!(get(&world, &token, "/v1.0/users?$select=id").await.status, StatusCode::OK);
    assert_eq!(get(&world, &token, "/v1.0/users?$select=id").await.status, StatusCode::TOO_MANY_REQUESTS);
    // Whoever waits as long as they were told is let in; after ten seconds everything is there again.
    world.advance(Span::seconds(1));
    assert_eq!(get(&world, &token, "/v1.0/users?$select=id").await.status, StatusCode::OK);
    world.advance(Span::seconds(10));
    // Requests are counted, too: 20 a second, in all tenants together.
    for _ in 0..20 {
        assert_eq!(get(&world, &token, "/v1.0/organization").await.status, StatusCode::OK);
    }
    let answer = get(&world, &token, "/v1.0/organization").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(header(&answer, "x-ms-throttle-scope").starts_with("Application/ReadWrite/"));
}

#[tokio::test]
async fn one_application_uses_up_nothing_of_another() {
    let world = world().await;
    let (contoso, fabrikam) = (world.daemon_token(CONTOSO).await, world.daemon_token(FABRIKAM).await);
    let alice = world.sign_in(CONTOSO, "web", "alice@contoso.test", "openid User.Read").await;
    let alice = alice["access_token"].as_str().unwrap();
    while get(&world, &contoso, "/v1.0/organization").await.status == StatusCode::OK {}
    assert_eq!(get(&world, &fabrikam, "/v1.0/organization").await.status, StatusCode::OK);
    assert_eq!(get(&world, alice, "/v1.0/me").await.status, StatusCode::OK);
    // Tokens are never throttled: libraries would keep the refusal for a minute.
    for _ in 0..50 {
        world.daemon_token(CONTOSO).await;
    }
}

#[tokio::test]
async fn writes_have_a_quota_of_their_own_and_what_is_throttled_changes_nothing() {
    let world = world().await;
    let token = world.daemon_token(CONTOSO).await;
    let user = format!("/v1.0/users/{}", world.user("dave@contoso.test").id.unwrap());
    let write =
        async |title: &str| world.graph(&token, "PATCH", &user, Some(json!({ "jobTitle": title }))).await;
    for _ in 0..30 {
        world.advance(Span::millis(100));
        assert_eq!(write("Chief").await.status, StatusCode::NO_CONTENT);
    }
    let refused = write("Other").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(&refused, "x-ms-throttle-information"), "WriteLimitExceeded");
    assert_eq!(header(&refused, "retry-after"), "3");
    let seen = get(&world, &token, &format!("{user}?$select=jobTitle")).await;
    assert_eq!(seen.json()["jobTitle"], "Chief");
    world.advance(Span::seconds(3));
    assert_eq!(write("Other").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn r32_the_first_refusal_of_a_quota_leaves_a_record_and_a_flood_does_not() {
    let world = world().await;
    let token = world.daemon_token(CONTOSO).await;
    while get(&world, &token, "/v1.0/users").await.status == StatusCode::OK {}
    assert_eq!(world.directory_refusals(CONTOSO), 1);
    for _ in 0..10 {
        assert_eq!(get(&world, &token, "/v1.0/users").await.status, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(world.directory_refusals(CONTOSO), 1, "the record stands for them, too");
    // A flood that goes on is recorded again.
    world.advance(Span::minutes(5));
    while get(&world, &token, "/v1.0/users").await.status == StatusCode::OK {}
    assert_eq!(world.directory_refusals(CONTOSO), 2);
    assert_eq!(world.directory_refusals(FABRIKAM), 0);
}

#[tokio::test]
async fn each_request_of_a_batch_is_throttled_alone() {
    let world = world().await;
    let token = world.daemon_token(CONTOSO).await;
    let request = |id: usize| json!({ "id": id.to_string(), "method": "GET", "url": "/users" });
    let requests: Vec<Value> = (0..20).map(request).collect();
    let answer = world.graph(&token, "POST", "/v1.0/$batch", Some(json!({ "requests": requests }))).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer.json();
    let responses = answer["responses"].as_array().unwrap();
    let (served, throttled) = responses.split_at(17);
    assert!(served.iter().all(|response| response["status"] == 200));
    for response in throttled {
        assert_eq!(response["status"], 429);
        assert_eq!(response["headers"]["Retry-After"], "1");
        assert_eq!(response["body"]["error"]["code"], "TooManyRequests");
    }
}

#[tokio::test]
async fn nobody_is_throttled_where_it_is_off() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    for _ in 0..100 {
        assert_eq!(get(&world, &token, "/v1.0/organization").await.status, StatusCode::OK);
    }
}
