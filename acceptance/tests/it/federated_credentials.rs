//! Clients that prove themselves with a token of another issuer (Graph: federatedIdentityCredential; facts: protocol §3).

use domain::time::Span;
use serde_json::{Value, json};
use standards::jose::{Algorithm, HeaderForm, SigningKey};
use testkit::{Answer, BASE, CONTOSO, FABRIKAM, World};

const ISSUER: &str = "https://ci.test";
const AUDIENCE: &str = "api://AzureADTokenExchange";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Scene {
    world: World,
    admin: String,
    client: String,
    /// `/v1.0/applications(appId='…')/federatedIdentityCredentials`
    path: String,
    key: SigningKey,
}

/// A key; its id is of its certificate.
fn key(certificate: &str) -> SigningKey {
    let pkcs8 = SigningKey::generate(Algorithm::Es256).unwrap();
    SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8, certificate.as_bytes().to_vec()).unwrap()
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        let admin = world.daemon_token(CONTOSO).await;
        let client = world.app(CONTOSO, "daemon").app_id.unwrap().to_string();
        let path = format!("/v1.0/applications(appId='{client}')/federatedIdentityCredentials");
        let scene = Self { world, admin, client, path, key: key("one") };
        scene.publish(&scene.key);
        scene
    }

    fn put(&self, address: &str, body: &Value) {
        self.world.serve(address, body);
    }

    fn requests(&self) -> usize {
        self.world.fetched()
    }

    /// The issuer's metadata and its one key.
    fn publish(&self, key: &SigningKey) {
        let metadata = json!({ "issuer": ISSUER, "jwks_uri": "https://keys.test/jwks" });
        self.put("https://ci.test/.well-known/openid-configuration", &metadata);
        self.put("https://keys.test/jwks", &json!({ "keys": [key.public().to_jwk("")] }));
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = (!body.is_null()).then_some(body);
        self.world.graph(&self.admin, method, path, body).await
    }

    async fn trust(&self, name: &str, issuer: &str, subject: &str) -> Value {
        let body = json!({ "name": name, "issuer": issuer, "subject": subject, "audiences": [AUDIENCE] });
        let answer = self.ask("POST", &self.path, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    fn claims(&self) -> Value {
        let now = self.world.moment().now.seconds();
        json!({ "iss": ISSUER, "sub": "repo:portal", "aud": AUDIENCE, "iat": now, "exp": now + 600 })
    }

    fn sign(&self, key: &SigningKey, more: Value) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        key.sign(HeaderForm::V2, &claims).unwrap()
    }

    async fn token(&self, assertion: &str) -> Answer {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", self.client.as_str()),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        self.world.token(CONTOSO, &fields).await
    }
}

#[tokio::test]
async fn a_workload_elsewhere_speaks_for_the_application() {
    let scene = Scene::new().await;
    scene.trust("build", ISSUER, "repo:portal").await;
    let answer = scene.token(&scene.sign(&scene.key, json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let token = testkit::claims(answer.json()["access_token"].as_str().unwrap());
    assert_eq!((&token["appidacr"], &token["appid"]), (&json!("2"), &json!(scene.client)));
    // Metadata and keys were asked for once, and are not asked for again.
    assert_eq!(scene.requests(), 2);
    assert_eq!(scene.token(&scene.sign(&scene.key, json!({}))).await.status, 200);
    assert_eq!(scene.requests(), 2);
    // It ends with the credential.
    let path = format!("{}(name='build')", scene.path);
    assert_eq!(scene.ask("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(scene.token(&scene.sign(&scene.key, json!({}))).await.status, 401);
}

#[tokio::test]
async fn r16_r17_every_claim_and_the_key_must_be_the_ones_that_were_agreed_on() {
    let scene = Scene::new().await;
    scene.trust("build", ISSUER, "repo:portal").await;
    let now = scene.world.moment().now.seconds();
    for (more, code, error) in [
        (json!({ "sub": "repo:Portal" }), 700_213, "invalid_client"),
        (json!({ "aud": "api://other" }), 700_212, "invalid_client"),
        (json!({ "iss": "https://ci.test/" }), 700_211, "invalid_client"),
        (json!({ "exp": now - 301 }), 700_024, "invalid_client"),
        (json!({ "nbf": now + 301 }), 700_024, "invalid_client"),
        (json!({ "exp": null }), 700_027, "invalid_client"),
        (json!({ "oid": "somebody" }), 700_229, "invalid_request"),
        (json!({ "scp": "x" }), 700_229, "invalid_request"),
    ] {
        let answer = scene.token(&scene.sign(&scene.key, more.clone())).await;
        assert_eq!((answer.code(), &answer.json()["error"]), (code, &json!(error)), "{more}");
    }
    let refusals = scene.world.sign_in_counts(CONTOSO).1;
    let forged = scene.sign(&key("one"), json!({}));
    assert_eq!(scene.token(&forged).await.code(), 700_027);
    assert_eq!(scene.world.sign_in_counts(CONTOSO).1, refusals + 1);
    // Not an application that trusts nobody elsewhere, and not one in another tenant.
    let web = scene.world.app(CONTOSO, "web").app_id.unwrap().to_string();
    for (segment, client) in [(CONTOSO, web.as_str()), (FABRIKAM, scene.client.as_str())] {
        let assertion = scene.sign(&scene.key, json!({}));
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion.as_str()),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        assert_ne!(scene.world.token(segment, &fields).await.status, 200);
    }
    assert_eq!(scene.token(&scene.sign(&scene.key, json!({}))).await.status, 200);
}

#[tokio::test]
async fn r31_only_issuers_that_the_application_names_are_asked_and_not_too_often() {
    let scene = Scene::new().await;
    scene.trust("build", ISSUER, "repo:portal").await;
    assert_eq!(
        scene.token(&scene.sign(&scene.key, json!({ "iss": "https://evil.test" }))).await.code(),
        700_211
    );
    assert_eq!(scene.requests(), 0);
    assert_eq!(scene.token(&scene.sign(&scene.key, json!({}))).await.status, 200);
    // A key that nobody knows is looked for again only after a while.
    let next = key("two");
    scene.publish(&next);
    let asked = scene.requests();
    assert_eq!(scene.token(&scene.sign(&next, json!({}))).await.code(), 700_027);
    assert_eq!(scene.requests(), asked);
    scene.world.advance(Span::minutes(6));
    assert_eq!(scene.token(&scene.sign(&next, json!({}))).await.status, 200);
    // An issuer that is not there, or speaks for another.
    scene.trust("gone", "https://gone.test", "x").await;
    let gone = scene.sign(&scene.key, json!({ "iss": "https://gone.test", "sub": "x" }));
    let answer = scene.token(&gone).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, 50_166));
    let asked = scene.requests();
    assert_eq!(scene.token(&gone).await.code(), 50_166);
    assert_eq!(scene.requests(), asked);
    scene.world.advance(Span::minutes(1));
    let metadata = json!({ "issuer": ISSUER, "jwks_uri": "https://keys.test/jwks" });
    scene.put("https://gone.test/.well-known/openid-configuration", &metadata);
    assert_eq!(
        scene.token(&scene.sign(&next, json!({ "iss": "https://gone.test", "sub": "x" }))).await.code(),
        50_166
    );
}

#[tokio::test]
async fn an_application_of_a_tenant_here_is_known_without_asking_and_its_people_are_refused() {
    let scene = Scene::new().await;
    let fabrikam = scene.world.tenant_id(FABRIKAM);
    let theirs = scene.world.daemon_token(FABRIKAM).await;
    let claims = testkit::claims(&theirs);
    let body = json!({ "name": "partner", "issuer": format!("{BASE}/{fabrikam}/"), "subject": claims["sub"],
        "audiences": [claims["aud"]] });
    assert_eq!(scene.ask("POST", &scene.path, body).await.status, 201);
    let answer = scene.token(&theirs).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(scene.requests(), 0);
    // A person's token, whatever credential is made for it.
    let tokens = scene.world.sign_in(FABRIKAM, "web", "bob@fabrikam.test", "openid profile User.Read").await;
    for (name, version) in [("access_token", ""), ("id_token", "v2.0")] {
        let token = tokens[name].as_str().unwrap();
        let claims = testkit::claims(token);
        let body = json!({ "name": format!("bob-{version}").replace('.', ""), "audiences": [claims["aud"]],
            "issuer": format!("{BASE}/{fabrikam}/{version}"), "subject": claims["sub"] });
        assert_eq!(scene.ask("POST", &scene.path, body).await.status, 201);
        let answer = scene.token(token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, 700_229), "{name}");
    }
}

#[tokio::test]
async fn credentials_are_made_read_changed_and_removed() {
    let scene = Scene::new().await;
    let made = scene.trust("build", ISSUER, "repo:portal").await;
    let id = made["id"].as_str().unwrap();
    for part in [format!("/{id}"), "/build".to_owned(), "(name='build')".to_owned(), format!("('{id}')")] {
        let read = scene.ask("GET", &format!("{}{part}", scene.path), Value::Null).await;
        assert_eq!((read.status.as_u16(), &read.json()["subject"]), (200, &json!("repo:portal")), "{part}");
    }
    let path = format!("{}/{id}", scene.path);
    let change = json!({ "subject": "repo:other", "description": "The other one" });
    assert_eq!(scene.ask("PATCH", &path, change).await.status, 204);
    let list = scene.ask("GET", &scene.path, Value::Null).await.json();
    let other = json!({ "id": id, "name": "build", "issuer": ISSUER, "subject": "repo:other",
        "audiences": [AUDIENCE], "description": "The other one" });
    assert_eq!(list["value"], json!([other]));
    for (body, word) in [
        (json!({ "name": "x" }), "issuer"),
        (json!({ "name": "two", "issuer": ISSUER, "subject": "repo:other", "audiences": ["a"] }), "subject"),
        (json!({ "name": "build", "issuer": ISSUER, "subject": "y", "audiences": ["a"] }), "name"),
        (json!({ "name": "two", "issuer": "http://ci.test", "subject": "y", "audiences": ["a"] }), "issuer"),
        (json!({ "name": "two", "issuer": ISSUER, "subject": "y" }), "audiences"),
        (json!({ "name": "two", "issuer": ISSUER, "subject": "y", "audiences": ["a", "b"] }), "audiences"),
        (json!({ "id": "x", "name": "two" }), "id"),
        (json!({ "nmae": "two" }), "nmae"),
    ] {
        let answer = scene.ask("POST", &scene.path, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.text.contains(word), "{body}: {}", answer.text);
    }
    assert_eq!(scene.ask("PATCH", &path, json!({ "name": "renamed" })).await.status, 400);
    for number in 1..20 {
        scene.trust(&format!("build-{number}"), ISSUER, &number.to_string()).await;
    }
    let body = json!({ "name": "more", "issuer": ISSUER, "subject": "more", "audiences": ["a"] });
    assert_eq!(scene.ask("POST", &scene.path, body).await.status, 400);
    assert_eq!(scene.ask("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(scene.ask("DELETE", &path, Value::Null).await.status, 404);
    assert_eq!(scene.ask("GET", &path, Value::Null).await.status, 404);
}
