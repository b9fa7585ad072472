//! Signing keys roll over without a token that somebody cannot verify.

use domain::time::Span;
use serde_json::Value;
use standards::jose::Algorithm;
use testkit::{CONTOSO, World};

async fn roll(world: &World) {
    world.service.keys().roll(world.service.store(), &world.moment()).await.unwrap();
}

async fn published(world: &World) -> Vec<String> {
    let keys = world.get(&format!("/{CONTOSO}/discovery/v2.0/keys")).await.json();
    let is_rsa = |key: &&Value| key["kty"] == "RSA";
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    keys["keys"].as_array().unwrap().iter().filter(is_rsa).map(kid).collect()
}

fn kid(token: &str) -> String {
    let header = standards::b64::decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_next_key_is_published_before_it_signs_and_the_last_one_after() {
    let world = World::new().await;
    let first = published(&world).await;
    assert_eq!(first.len(), 1);
    world.advance(Span::days(87));
    roll(&world).await;
    assert_eq!(published(&world).await, first, "nothing is due three days before");

    world.advance(Span::days(1));
    roll(&world).await;
    let both = published(&world).await;
    assert!(both.len() == 2 && both.contains(&first[0]));
    assert_eq!(kid(&world.daemon_token(CONTOSO).await), first[0], "published first, used later");

    world.advance(Span::minutes(2 * 24 * 60 - 30));
    let old = world.daemon_token(CONTOSO).await;
    world.advance(Span::minutes(31));
    roll(&world).await;
    let new = world.daemon_token(CONTOSO).await;
    assert!(kid(&old) == first[0] && kid(&new) != first[0] && both.contains(&kid(&new)));
    assert!(published(&world).await.contains(&first[0]), "what it signed is still out there");
    for token in [&old, &new] {
        assert_eq!(world.graph(token, "GET", "/v1.0/users", None).await.status, 200);
    }

    world.advance(Span::days(2));
    roll(&world).await;
    assert_eq!(published(&world).await, [kid(&new)]);
}

#[tokio::test]
async fn an_operators_new_key_signs_at_once() {
    let world = World::new().await;
    let old = world.daemon_token(CONTOSO).await;
    let (keys, store) = (world.service.keys(), world.service.store());
    world.advance(Span::seconds(1));
    keys.roll_now(store, Algorithm::Rs256, &world.moment()).await.unwrap();
    let new = world.daemon_token(CONTOSO).await;
    assert_ne!(kid(&old), kid(&new));
    assert_eq!(world.graph(&old, "GET", "/v1.0/users", None).await.status, 200);
    assert_eq!(published(&world).await.len(), 2);
}
