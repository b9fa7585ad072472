//! Secrets of a service principal: they prove an application in its own tenant, and nowhere else.

use domain::time::Span;
use serde_json::{Value, json};
use testkit::{Answer, CONTOSO, FABRIKAM, World};

/// A multi-tenant application of Contoso with an instance in both tenants: its public id, and the instance in Contoso.
async fn application(world: &World, admins: [&str; 2]) -> (String, String) {
    let body = json!({ "displayName": "Shared", "signInAudience": "AzureADMultipleOrgs" });
    let app = world.graph(admins[0], "POST", "/v1.0/applications", Some(body)).await.json();
    let app_id = app["appId"].as_str().unwrap().to_owned();
    let mut instances = Vec::new();
    for admin in admins {
        let body = json!({ "appId": app_id });
        let made = world.graph(admin, "POST", "/v1.0/servicePrincipals", Some(body)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        instances.push(made.json()["id"].as_str().unwrap().to_owned());
    }
    (app_id, instances.remove(0))
}

async fn present(world: &World, domain: &str, app_id: &str, secret: &str) -> Answer {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", app_id),
        ("client_secret", secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    world.token(domain, &fields).await
}

async fn shown(world: &World, admin: &str, instance: &str) -> Value {
    let address = format!("/v1.0/servicePrincipals/{instance}?$select=passwordCredentials");
    world.graph(admin, "GET", &address, None).await.json()["passwordCredentials"].clone()
}

#[tokio::test]
async fn a_secret_of_an_instance_works_in_its_tenant_until_it_is_removed() {
    let world = World::new().await;
    let admins = [world.daemon_token(CONTOSO).await, world.daemon_token(FABRIKAM).await];
    let (app_id, instance) = application(&world, [&admins[0], &admins[1]]).await;
    let address = format!("/v1.0/servicePrincipals(appId='{app_id}')");
    let ask = json!({ "passwordCredential": { "displayName": "robot" } });
    let made = world.graph(&admins[0], "POST", &format!("{address}/addPassword"), Some(ask)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let made = made.json();
    let secret = made["secretText"].as_str().unwrap();
    assert_eq!(present(&world, CONTOSO, &app_id, secret).await.status, 200);
    let elsewhere = present(&world, FABRIKAM, &app_id, secret).await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.code()), (401, 7_000_215), "{}", elsewhere.text);

    let held = shown(&world, &admins[0], &instance).await;
    assert_eq!((&held[0]["keyId"], &held[0]["secretText"]), (&made["keyId"], &Value::Null));
    assert_eq!(held[0]["displayName"], "robot");
    // The registration has secrets of its own, and its owner does not see those of other tenants' instances.
    let registration = format!("/v1.0/applications(appId='{app_id}')?$select=passwordCredentials");
    let registration = world.graph(&admins[0], "GET", &registration, None).await.json();
    assert_eq!(registration["passwordCredentials"], json!([]));

    let remove = format!("{address}/removePassword");
    let id = json!({ "keyId": made["keyId"] });
    assert_eq!(world.graph(&admins[0], "POST", &remove, Some(id.clone())).await.status, 204);
    assert_eq!(present(&world, CONTOSO, &app_id, secret).await.code(), 7_000_215);
    assert_eq!(world.graph(&admins[0], "POST", &remove, Some(id)).await.status, 400);
}

#[tokio::test]
async fn r24_an_application_that_comes_with_the_product_gets_no_secret_of_a_tenant() {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    let graph = "/v1.0/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')/addPassword";
    let answer = world.graph(&admin, "POST", graph, None).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("come with the product"), "{}", answer.text);
}

#[tokio::test]
async fn a_secret_ends_with_its_time_and_with_its_instance() {
    let world = World::new().await;
    let admins = [world.daemon_token(CONTOSO).await, world.daemon_token(FABRIKAM).await];
    let (app_id, instance) = application(&world, [&admins[0], &admins[1]]).await;
    let address = format!("/v1.0/servicePrincipals/{instance}");
    let add = format!("{address}/addPassword");
    let end = standards::time::rfc3339((world.moment().now + Span::minutes(10)).millis());
    let short = json!({ "passwordCredential": { "endDateTime": end } });
    let short = world.graph(&admins[0], "POST", &add, Some(short)).await.json();
    let long = world.graph(&admins[0], "POST", &add, None).await.json();
    let text = |made: &Value| made["secretText"].as_str().unwrap().to_owned();
    world.advance(Span::minutes(11));
    assert_eq!(present(&world, CONTOSO, &app_id, &text(&short)).await.code(), 7_000_222);
    assert_eq!(present(&world, CONTOSO, &app_id, &text(&long)).await.status, 200);

    assert_eq!(world.graph(&admins[0], "DELETE", &address, None).await.status, 204);
    let body = json!({ "appId": app_id });
    assert_eq!(world.graph(&admins[0], "POST", "/v1.0/servicePrincipals", Some(body)).await.status, 201);
    assert_eq!(present(&world, CONTOSO, &app_id, &text(&long)).await.code(), 7_000_215);
}
