//! The log: one line for each request, with what an operator looks for and nothing that must not lie in a file.

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use testkit::{Answer, BASE, CONTOSO, FABRIKAM, World};

/// What was logged on this thread while it lives, as the program writes JSON.
struct Log {
    written: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Self {
        let written = Arc::new(Mutex::new(Vec::new()));
        let buffer = Arc::clone(&written);
        let log = tracing_subscriber::fmt().with_target(false).json().flatten_event(true);
        let log = log.with_writer(move || Buffer(Arc::clone(&buffer))).finish();
        Self { written, _guard: tracing::subscriber::set_default(log) }
    }

    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.written.lock().unwrap())).unwrap()
    }

    /// The one line of the request that was just answered.
    fn line(&self) -> Value {
        let text = self.take();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

async fn ask(world: &World, method: &str, path: &str, token: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("client-request-id", "6731de76-14a6-49ae-97bc-6eba6914391e")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(
            header::CONTENT_TYPE,
            if path.starts_with("/v1.0") { "application/json" } else { "text/plain" },
        )
        .body(Body::from(body.to_owned()))
        .unwrap();
    world.send(request).await
}

#[tokio::test]
async fn every_request_leaves_one_line_with_its_tenant_and_correlation() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let member = world.sign_in(CONTOSO, "web", "carol@contoso.test", "openid User.Read").await;
    let member = member["access_token"].as_str().unwrap();
    let (contoso, fabrikam) = (world.tenant_id(CONTOSO).to_string(), world.tenant_id(FABRIKAM).to_string());
    let (contoso, fabrikam) = (Some(contoso.as_str()), Some(fabrikam.as_str()));
    let batch = json!({ "requests": [
        { "id": "1", "method": "GET", "url": "/users" }, { "id": "2", "method": "GET", "url": "/domains" },
    ] });
    let batch = batch.to_string();
    let redeem = format!("/redeem?tenant={}&user={}&ticket=x", contoso.unwrap(), contoso.unwrap());
    let log = Log::start();
    for (method, path, token, body, route, status, tenant) in [
        ("GET", "/v1.0/users/carol@contoso.test", token.as_str(), "", "/v1.0/users/{id}", 200, contoso),
        ("GET", "/v1.0/users?$top=1&$select=id", &token, "", "/v1.0/users", 200, contoso),
        ("POST", "/v1.0/$batch", &token, &batch, "/v1.0/$batch", 200, contoso),
        ("GET", "/beta/users('carol@contoso.test')", &token, "", "/v1.0/users/{id}", 200, contoso),
        ("GET", "/v1.0/users/carol/secret", &token, "", "other", 404, contoso),
        ("GET", "/v1.0/users", "secret", "", "/v1.0/users", 401, None),
        ("GET", "/oidc/userinfo", member, "", "/oidc/userinfo", 200, contoso),
        ("POST", "/contoso.test/oauth2/v2.0/token", "", "x=y", "/{tenant}/oauth2/v2.0/token", 400, contoso),
        ("GET", "/fabrikam.test/discovery/v2.0/keys", "", "", "/{tenant}/discovery/v2.0/keys", 200, fabrikam),
        ("GET", "/nobody.test/discovery/v2.0/keys", "", "", "/{tenant}/discovery/v2.0/keys", 400, None),
        ("GET", "/common/oauth2/v2.0/authorize", "", "", "/{tenant}/oauth2/v2.0/authorize", 400, None),
        ("GET", "/myapps?tenant=fabrikam.test", "", "", "/myapps", 200, fabrikam),
        ("GET", &redeem, "", "", "/redeem", 400, contoso),
        ("GET", "/healthz", "", "", "/healthz", 200, None),
        ("GET", "/secret", "", "", "other", 404, None),
    ] {
        let answer = ask(&world, method, path, token, body).await;
        let line = log.line();
        let told = (&line["method"], &line["route"], &line["status"], line["tenant"].as_str());
        assert_eq!(told, (&json!(method), &json!(route), &json!(status), tenant), "{path}: {}", answer.text);
        assert_eq!((&line["level"], &line["duration_ms"]), (&json!("INFO"), &json!(0)));
        assert_eq!(line["correlation"].as_str().unwrap().len(), 36, "{line}");
        // What is answered from memory alone draws no moment, and so gives an id of its own.
        if !path.contains("discovery") && path != "/healthz" {
            assert_eq!(line["correlation"], "6731de76-14a6-49ae-97bc-6eba6914391e", "{path}");
        }
    }
}

#[tokio::test]
async fn the_log_holds_no_query_no_name_and_no_secret() {
    let world = World::new().await;
    let log = Log::start();
    world.make_guest("bob@fabrikam.test").await;
    let tokens = world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "openid offline_access User.Read").await;
    let access = tokens["access_token"].as_str().unwrap();
    ask(&world, "GET", "/v1.0/me?$select=displayName", access, "").await;
    let mut browser = world.browser();
    browser.get(&format!("{BASE}/{CONTOSO}/oauth2/v2.0/logout?logout_hint=bob@fabrikam.test")).await;
    let text = log.take();
    assert!(text.lines().count() > 10, "{text}");
    let keys = ["correlation", "duration_ms", "level", "message", "method", "route", "status", "timestamp"];
    let known: BTreeSet<&str> = keys.into_iter().chain(["tenant"]).collect();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line.as_object().unwrap().keys().all(|key| known.contains(key.as_str())), "{line}");
    }
    let password = world.user("bob@fabrikam.test").password.clone().unwrap();
    let secret = world.app(CONTOSO, "web").secret.clone().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    for hidden in ["?", "=", "@", "bob", ".test", "ey", &password, &secret, access, refresh] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
}

/// A fault is a line of its own, and the request's line leads to it.
#[tokio::test]
async fn a_handler_that_breaks_has_the_requests_correlation_in_the_log() {
    let world = World::new().await;
    let (readings, now) = (AtomicU32::new(0), world.moment().now);
    let parts = hospes_http::Parts {
        service: world.service.clone(),
        // The first reading begins the line, the second is the handler's.
        clock: Box::new(move || {
            assert!(readings.fetch_add(1, Ordering::SeqCst) != 1, "no clock");
            now
        }),
        entropy: Box::new(|| [9; 32]),
        trusted_proxies: Vec::new(),
        throttle: None,
        dev: None,
    };
    let surface = hospes_http::Surface::new(parts.into());
    let log = Log::start();
    let request = Request::post(format!("/{CONTOSO}/oauth2/v2.0/token")).body(Body::empty()).unwrap();
    let answer = World::send_to(&surface, request).await;
    assert_eq!(answer.status, 500);
    let text = log.take();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!((&lines[0]["level"], &lines[1]["status"]), (&json!("ERROR"), &json!(500)), "{text}");
    for line in &lines {
        assert_eq!(line["correlation"], answer.json()["correlation_id"], "{text}");
    }
}
