//! Answers of the door itself, whoever asks: nothing there, the wrong method, a handler that broke.

use axum::body::Body;
use hospes_http::{Parts, Surface};
use http::{Request, header};
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{Answer, CONTOSO, World};

/// What a client's parser makes of an answer: the error's code.
fn code(answer: &Answer) -> String {
    let kind = answer.headers[header::CONTENT_TYPE].to_str().unwrap();
    if kind.starts_with("text/html") {
        assert!(answer.text.contains("<h1"), "{}", answer.text);
        return "page".to_owned();
    }
    assert!(kind.starts_with("application/json"), "{kind}");
    let error = &answer.json()["error"];
    error.as_str().or(error["code"].as_str()).unwrap().to_owned()
}

#[tokio::test]
async fn where_nothing_is_programs_read_json_and_people_a_page() {
    let world = World::new().await;
    for (method, path, status, expected) in [
        ("GET", "/v1.0", 404, "Request_ResourceNotFound"),
        ("GET", "/beta/", 404, "Request_ResourceNotFound"),
        ("GET", "/contoso.test/oauth2/v9.0/token", 404, "invalid_request"),
        ("POST", "/contoso.test/oauth2/v9.0/token", 404, "invalid_request"),
        ("GET", "/oidc/nothing", 404, "invalid_request"),
        ("PUT", "/oidc/userinfo", 405, "invalid_request"),
        ("POST", "/contoso.test/discovery/v2.0/keys", 405, "invalid_request"),
        ("PUT", "/contoso.test/oauth2/v2.0/authorize", 405, "page"),
        ("GET", "/nothing", 404, "page"),
        ("GET", "/contoso.test/login", 405, "page"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = world.send(request).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(code(&answer), expected, "{method} {path}");
        assert_eq!(answer.headers.contains_key(header::ALLOW), status == 405, "{method} {path}");
    }
}

#[tokio::test]
async fn a_handler_that_breaks_is_answered_in_the_form_that_the_client_parses() {
    let world = World::new().await;
    for (method, path, expected) in [
        ("POST", format!("/{CONTOSO}/oauth2/v2.0/token"), "server_error"),
        ("GET", "/v1.0/users".to_owned(), "generalException"),
        ("GET", "/oidc/userinfo".to_owned(), "server_error"),
        ("GET", "/myapps".to_owned(), "page"),
    ] {
        let (now, was_drawn) = (world.moment().now, AtomicBool::new(false));
        let parts = Parts {
            service: world.service.clone(),
            clock: Box::new(move || now),
            // The first request finds no randomness.
            entropy: Box::new(move || {
                assert!(was_drawn.swap(true, Ordering::SeqCst), "no randomness");
                [9; 32]
            }),
            trusted_proxies: Vec::new(),
            throttle: None,
            dev: None,
        };
        let request = Request::builder().method(method).uri(&path).body(Body::empty()).unwrap();
        let answer = World::send_to(&Surface::new(parts.into()), request).await;
        assert_eq!(answer.status, 500, "{path}");
        assert_eq!(code(&answer), expected, "{path}");
        assert!(!answer.text.contains("randomness"), "{}", answer.text);
    }
}
