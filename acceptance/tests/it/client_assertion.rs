//! Applications that prove themselves with a certificate (RFC 7523; facts: protocol §3, clients 15).

use domain::time::Span;
use serde_json::{Value, json};
use standards::b64;
use standards::jose::{Algorithm, HeaderForm, SigningKey};
use testkit::{Answer, BASE, CONTOSO, World, claims};

const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A key with its certificate, valid for years around the tests' clock.
fn key(algorithm: Algorithm) -> SigningKey {
    let pkcs8 = SigningKey::generate(algorithm).unwrap();
    let form = match algorithm {
        Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::Rs256 => &rcgen::PKCS_RSA_SHA256,
    };
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from(pkcs8.as_slice());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, form).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap();
    SigningKey::from_pkcs8(algorithm, &pkcs8, certificate.der().to_vec()).unwrap()
}

/// An application of Contoso without a secret: its id, its public id, and a certificate.
async fn application(world: &World, admin: &str, key: &SigningKey) -> (String, String) {
    let credential = json!({
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        // As the body of a PEM file, which is what Azure CLI sends.
        "key": b64::encode_std(&key.public().certificate).chars().collect::<Vec<_>>().chunks(64)
            .map(String::from_iter).collect::<Vec<_>>().join("\n"),
        "displayName": "CN=Test",
    });
    let body = json!({ "displayName": "With certificate", "keyCredentials": [credential] });
    let made = world.graph(admin, "POST", "/v1.0/applications", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    let instance = json!({ "appId": made["appId"] });
    assert_eq!(world.graph(admin, "POST", "/v1.0/servicePrincipals", Some(instance)).await.status, 201);
    (made["id"].as_str().unwrap().to_owned(), made["appId"].as_str().unwrap().to_owned())
}

fn assertion(world: &World, id: &str) -> Value {
    let now = world.moment().now.seconds();
    let aud = format!("{BASE}/{}/oauth2/v2.0/token", world.tenant_id(CONTOSO));
    json!({ "aud": aud, "iss": id, "sub": id, "jti": "1", "nbf": now, "exp": now + 600 })
}

async fn present(world: &World, id: &str, assertion: &str) -> Answer {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_assertion_type", KIND),
        ("client_assertion", assertion),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    world.token(CONTOSO, &fields).await
}

#[tokio::test]
async fn a_certificate_opens_what_a_secret_opens() {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        let key = key(algorithm);
        let (_, id) = application(&world, &admin, &key).await;
        let signed = key.sign(HeaderForm::V1, &assertion(&world, &id)).unwrap();
        let answer = present(&world, &id, &signed).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let token = claims(answer.json()["access_token"].as_str().unwrap());
        assert_eq!((&token["appid"], &token["appidacr"]), (&json!(id), &json!("2")));
        // Named by a domain of the tenant instead of its id.
        let mut named = assertion(&world, &id);
        named["aud"] = json!(format!("{BASE}/{CONTOSO}/oauth2/v2.0/token"));
        let signed = key.sign(HeaderForm::V1, &named).unwrap();
        assert_eq!(present(&world, &id, &signed).await.status, 200);
    }
}

#[tokio::test]
async fn r16_an_assertion_with_one_thing_wrong_is_refused_and_says_which() {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    let key = key(Algorithm::Es256);
    let (_, id) = application(&world, &admin, &key).await;
    let now = world.moment().now.seconds();
    let fabrikam = format!("{BASE}/fabrikam.test/oauth2/v2.0/token");
    for (name, value, code) in [
        ("aud", json!("https://elsewhere.test/token"), 50_012),
        ("aud", json!(fabrikam), 50_012),
        ("aud", json!(BASE), 50_012),
        ("aud", Value::Null, 50_012),
        ("iss", json!("6731de76-14a6-49ae-97bc-6eba6914391e"), 50_048),
        ("sub", json!("6731de76-14a6-49ae-97bc-6eba6914391e"), 50_048),
        ("exp", json!(now - 301), 700_024),
        ("exp", Value::Null, 50_012),
        ("nbf", json!(now + 301), 700_024),
    ] {
        let mut wrong = assertion(&world, &id);
        wrong[name] = value;
        let answer = present(&world, &id, &key.sign(HeaderForm::V1, &wrong).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (401, code), "{wrong}: {}", answer.text);
        assert_eq!(answer.json()["error"], "invalid_client");
    }
    // Another key under the same name; no name at all; nothing that parses.
    let good = key.sign(HeaderForm::V1, &assertion(&world, &id)).unwrap();
    let (message, _) = good.rsplit_once('.').unwrap();
    let other = self::key(Algorithm::Es256).sign(HeaderForm::V1, &assertion(&world, &id)).unwrap();
    let (_, foreign) = other.rsplit_once('.').unwrap();
    assert_eq!(present(&world, &id, &format!("{message}.{foreign}")).await.code(), 700_027);
    assert_eq!(present(&world, &id, &other).await.code(), 700_027);
    let unnamed = key.sign(HeaderForm::V2, &assertion(&world, &id)).unwrap();
    assert_eq!(present(&world, &id, &unnamed).await.code(), 700_027);
    assert_eq!(present(&world, &id, "a.b.c").await.code(), 50_012);
    assert_eq!(present(&world, &id, &good).await.status, 200);
}

#[tokio::test]
async fn r38_a_removed_or_expired_certificate_ends_at_once() {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    let (first, second) = (key(Algorithm::Es256), key(Algorithm::Es256));
    let (object, id) = application(&world, &admin, &first).await;
    let path = format!("/v1.0/applications/{object}");
    let listed = world.graph(&admin, "GET", &path, None).await.json()["keyCredentials"].clone();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["key"]), (1, &Value::Null));
    // The first stays by its id, the second comes for an hour.
    let soon = standards::time::rfc3339((world.moment().now + Span::hours(1)).millis());
    let both = json!({ "keyCredentials": [
        { "keyId": listed[0]["keyId"] },
        { "key": b64::encode_std(&second.public().certificate), "endDateTime": soon },
    ] });
    let patched = world.graph(&admin, "PATCH", &path, Some(both)).await;
    assert_eq!(patched.status, 204, "{}", patched.text);
    for key in [&first, &second] {
        let signed = key.sign(HeaderForm::V1, &assertion(&world, &id)).unwrap();
        assert_eq!(present(&world, &id, &signed).await.status, 200);
    }
    world.advance(Span::hours(1));
    let admin = world.daemon_token(CONTOSO).await;
    let signed = second.sign(HeaderForm::V1, &assertion(&world, &id)).unwrap();
    assert_eq!(present(&world, &id, &signed).await.code(), 1_000_502);
    let none = json!({ "keyCredentials": [] });
    assert_eq!(world.graph(&admin, "PATCH", &path, Some(none)).await.status, 204);
    let signed = first.sign(HeaderForm::V1, &assertion(&world, &id)).unwrap();
    assert_eq!(present(&world, &id, &signed).await.code(), 700_027);
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_by_name() {
    let world = World::new().await;
    let admin = world.daemon_token(CONTOSO).await;
    let good = b64::encode_std(&key(Algorithm::Es256).public().certificate);
    for (credentials, hint) in [
        (json!([{ "key": "AAAA" }]), "X.509"),
        (json!([{ "key": "not base64!" }]), "base64"),
        (json!([{ "key": good, "usage": "Sign" }]), "verifying"),
        (json!([{ "key": good }, { "key": good }]), "twice"),
        (json!([{ "keyId": "6731de76-14a6-49ae-97bc-6eba6914391e" }]), "Give the certificate"),
        (json!([{}]), "Give the certificate"),
        (json!([{ "key": good, "keyId": "x" }]), "GUID"),
        (json!([{ "key": good, "secret": "x" }]), "secret"),
    ] {
        let body = json!({ "displayName": "X", "keyCredentials": credentials });
        let answer = world.graph(&admin, "POST", "/v1.0/applications", Some(body)).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        assert!(answer.text.contains(hint), "{hint}: {}", answer.text);
    }
}
