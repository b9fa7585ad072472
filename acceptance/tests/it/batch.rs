//! `/$batch` (facts: graph §1.1).

use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, FABRIKAM, World};

async fn batch(world: &World, token: &str, requests: Value) -> Answer {
    world.graph(token, "POST", "/v1.0/$batch", Some(json!({ "requests": requests }))).await
}

fn of<'a>(answer: &'a Value, id: &str) -> &'a Value {
    answer["responses"].as_array().unwrap().iter().find(|response| response["id"] == id).unwrap()
}

#[tokio::test]
async fn requests_run_in_the_order_of_their_dependencies() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let profile = json!({ "password": "A long and good passw0rd", "forceChangePasswordNextSignIn": false });
    let user = json!({
        "accountEnabled": true, "displayName": "Batch", "mailNickname": "batch",
        "userPrincipalName": "batch@contoso.test", "passwordProfile": profile,
    });
    let answer = batch(&world, &token, json!([
        { "id": "read", "method": "GET", "url": "/users/batch@contoso.test?$select=displayName", "dependsOn": ["make"] },
        { "id": "count", "method": "GET", "url": "users/$count", "headers": { "ConsistencyLevel": "eventual" } },
        { "id": "make", "method": "post", "url": "/v1.0/users", "headers": { "content-type": "application/json" }, "body": user },
        { "id": "change", "method": "PATCH", "url": "https://localhost:8443/v1.0/users/batch@contoso.test",
          "headers": { "Content-Type": "application/json" }, "body": { "jobTitle": "Tester" }, "depends_on": ["read"] },
    ]))
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(of(&answer, "make")["status"], 201, "{answer}");
    assert_eq!(of(&answer, "read")["body"]["displayName"], "Batch");
    assert_eq!(of(&answer, "change")["status"], 204);
    assert!(of(&answer, "change").get("body").is_none());
    assert!(of(&answer, "count")["body"].as_str().unwrap().parse::<i64>().is_ok(), "{answer}");
    assert_eq!(of(&answer, "count")["headers"]["Content-Type"], "text/plain");
    assert_eq!(of(&answer, "read")["headers"]["Content-Type"], "application/json");
}

#[tokio::test]
async fn what_depends_on_a_failure_is_not_done() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let carol = world.user("carol@contoso.test").id.unwrap();
    let answer = batch(
        &world,
        &token,
        json!([
            { "id": "1", "method": "GET", "url": "/users/nobody@contoso.test" },
            { "id": "2", "method": "DELETE", "url": format!("/users/{carol}"), "dependsOn": ["1"] },
            { "id": "3", "method": "GET", "url": "/organization", "dependsOn": ["2"] },
            { "id": "4", "method": "GET", "url": "/organization" },
        ]),
    )
    .await
    .json();
    assert_eq!(of(&answer, "1")["status"], 404);
    assert_eq!(of(&answer, "1")["body"]["error"]["code"], "Request_ResourceNotFound");
    assert_eq!((&of(&answer, "2")["status"], &of(&answer, "3")["status"]), (&json!(424), &json!(424)));
    assert_eq!(of(&answer, "4")["status"], 200);
    assert_eq!(world.graph(&token, "GET", &format!("/v1.0/users/{carol}"), None).await.status, 200);
}

#[tokio::test]
async fn r35_a_request_in_a_batch_names_no_other_caller_and_gets_no_other_rights() {
    let world = World::new().await;
    let (contoso, fabrikam) = (world.daemon_token(CONTOSO).await, world.daemon_token(FABRIKAM).await);
    let alice = world.user("alice@contoso.test").id.unwrap();
    let before = world.directory_refusals(FABRIKAM);
    let answer = batch(&world, &fabrikam, json!([
        { "id": "1", "method": "GET", "url": format!("/users/{alice}"), "headers": { "Authorization": format!("Bearer {contoso}") } },
        { "id": "2", "method": "GET", "url": "/organization" },
    ]))
    .await
    .json();
    assert_eq!(of(&answer, "1")["status"], 404);
    assert_eq!(of(&answer, "2")["body"]["value"][0]["displayName"], "Fabrikam");
    assert_eq!(world.directory_refusals(FABRIKAM), before + 1, "recorded as if it had come alone");

    world.make_guest("bob@fabrikam.test").await;
    let guest = world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "openid User.Read").await;
    let answer = batch(
        &world,
        guest["access_token"].as_str().unwrap(),
        json!([
            { "id": "1", "method": "GET", "url": "/users" },
            { "id": "2", "method": "GET", "url": "/me" },
        ]),
    )
    .await
    .json();
    assert_eq!((&of(&answer, "1")["status"], &of(&answer, "2")["status"]), (&json!(403), &json!(200)));
}

#[tokio::test]
async fn r38_a_caller_who_is_switched_off_midway_is_off_for_the_rest() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let daemon = world.app(CONTOSO, "daemon").app_id.unwrap();
    let answer = batch(
        &world,
        &token,
        json!([
            { "id": "1", "method": "PATCH", "url": format!("/servicePrincipals(appId='{daemon}')"),
              "headers": { "Content-Type": "application/json" }, "body": { "accountEnabled": false } },
            { "id": "2", "method": "GET", "url": "/users", "dependsOn": ["1"] },
        ]),
    )
    .await
    .json();
    assert_eq!((&of(&answer, "1")["status"], &of(&answer, "2")["status"]), (&json!(204), &json!(401)));
}

#[tokio::test]
async fn a_batch_that_is_wrong_is_refused_whole_and_recorded() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let get = |id: i32| json!({ "id": id.to_string(), "method": "GET", "url": "/organization" });
    let cycle = json!([
        { "id": "1", "method": "GET", "url": "/organization", "dependsOn": ["2"] },
        { "id": "2", "method": "GET", "url": "/organization", "dependsOn": ["1"] },
    ]);
    let nested = json!([{ "id": "1", "method": "POST", "url": "/$batch", "body": { "requests": [] } }]);
    for requests in [(0..21).map(get).collect::<Value>(), json!([get(1), get(1)]), cycle, nested, json!("x")]
    {
        let before = world.directory_refusals(CONTOSO);
        let answer = batch(&world, &token, requests).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert_eq!(answer.json()["error"]["code"], "Request_BadRequest");
        assert_eq!(world.directory_refusals(CONTOSO), before + 1);
    }
    assert_eq!(batch(&world, &token, (0..20).map(get).collect()).await.status, 200);
}
