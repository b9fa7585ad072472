//! What Azure CLI and Terraform ask before they sign in.

use serde_json::json;
use testkit::{BASE, World};

#[tokio::test]
async fn a_cloud_is_registered_by_one_address() {
    let world = World::new().await;
    let answer = world.get("/metadata/endpoints?api-version=2022-09-01").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let cloud = answer.json();
    assert_eq!(cloud["authentication"]["loginEndpoint"], BASE);
    assert_eq!(cloud["authentication"]["audiences"], json!([BASE]));
    for endpoint in ["resourceManager", "graphAudience", "microsoftGraphResourceId"] {
        assert_eq!(cloud[endpoint], BASE, "{endpoint}");
    }
    // Older versions of the question were answered with all clouds there are.
    let older = world.get("/metadata/endpoints?api-version=2019-05-01").await.json();
    assert_eq!(older, json!([cloud]));
    assert_eq!(world.get("/metadata/endpoints").await.json(), cloud);
}

#[tokio::test]
async fn a_directory_has_no_subscriptions() {
    let world = World::new().await;
    assert_eq!(world.get("/subscriptions?api-version=2022-12-01").await.json(), json!({ "value": [] }));
}
