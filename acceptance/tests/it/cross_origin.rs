//! What pages of other origins may read: everything that needs no cookie, errors included (clients 27).

use axum::body::Body;
use http::{Request, StatusCode, header};
use testkit::{Answer, CONTOSO, World};

const ORIGIN: &str = "http://localhost:5001";

async fn send(world: &World, method: &str, path: &str, origin: bool, body: &'static str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if origin {
        request = request.header(header::ORIGIN, ORIGIN);
    }
    let form = "application/x-www-form-urlencoded";
    world.send(request.header(header::CONTENT_TYPE, form).body(Body::from(body)).unwrap()).await
}

fn is_open(answer: &Answer) -> bool {
    let header = answer.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    // With a cookie in play it would have to be one origin, and the answer could not be `*`.
    assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
    header.is_some_and(|value| value == "*")
}

#[tokio::test]
async fn what_needs_no_cookie_is_read_by_every_origin_errors_too() {
    let world = World::new().await;
    let path = |end: &str| format!("/{CONTOSO}{end}");
    let open = [
        ("GET", path("/v2.0/.well-known/openid-configuration"), "", StatusCode::OK),
        ("GET", path("/.well-known/openid-configuration"), "", StatusCode::OK),
        ("GET", "/nobody.test/v2.0/.well-known/openid-configuration".to_owned(), "", StatusCode::BAD_REQUEST),
        ("GET", path("/discovery/v2.0/keys"), "", StatusCode::OK),
        ("GET", path("/discovery/keys"), "", StatusCode::OK),
        ("GET", "/common/discovery/instance".to_owned(), "", StatusCode::BAD_REQUEST),
        ("POST", path("/oauth2/v2.0/token"), "grant_type=magic", StatusCode::BAD_REQUEST),
        ("POST", path("/oauth2/token"), "", StatusCode::BAD_REQUEST),
        ("GET", path("/oauth2/v2.0/token"), "", StatusCode::BAD_REQUEST),
        ("GET", "/v1.0/me".to_owned(), "", StatusCode::UNAUTHORIZED),
        ("GET", "/v1.0/nothing".to_owned(), "", StatusCode::UNAUTHORIZED),
        ("GET", "/oidc/userinfo".to_owned(), "", StatusCode::UNAUTHORIZED),
    ];
    for (method, path, body, status) in open {
        let answer = send(&world, method, &path, true, body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert!(is_open(&answer), "{method} {path}");
        let exposed = answer.headers[header::ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        for name in
            ["request-id", "client-request-id", "Preference-Applied", "Retry-After", "WWW-Authenticate"]
        {
            assert!(exposed.contains(name), "{path}: {exposed}");
        }
        // Whoever is of no other origin needs none of it.
        assert!(!is_open(&send(&world, method, &path, false, body).await), "{method} {path}");
    }
}

#[tokio::test]
async fn pages_and_forms_are_nobody_elses() {
    let world = World::new().await;
    for (method, path) in [
        ("GET", format!("/{CONTOSO}/oauth2/v2.0/authorize")),
        ("GET", format!("/{CONTOSO}/oauth2/v2.0/logout")),
        ("POST", format!("/{CONTOSO}/login")),
        ("POST", format!("/{CONTOSO}/oauth2/v2.0/devicecode")),
        ("GET", "/myapps".to_owned()),
        ("GET", "/device".to_owned()),
    ] {
        assert!(!is_open(&send(&world, method, &path, true, "").await), "{method} {path}");
        let preflight = send(&world, "OPTIONS", &path, true, "").await;
        assert!(!preflight.headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS), "{path}");
    }
}

#[tokio::test]
async fn graph_lets_browsers_ask_before_they_write() {
    let world = World::new().await;
    let preflight = send(&world, "OPTIONS", "/v1.0/users/x", true, "").await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
    assert!(is_open(&preflight));
    let text = |name: header::HeaderName| preflight.headers[name].to_str().unwrap().to_owned();
    let (headers, methods) =
        (text(header::ACCESS_CONTROL_ALLOW_HEADERS), text(header::ACCESS_CONTROL_ALLOW_METHODS));
    for name in [
        "authorization",
        "content-type",
        "sdkversion",
        "client-request-id",
        "consistencylevel",
        "prefer",
        "if-match",
    ] {
        assert!(headers.split(", ").any(|known| known == name), "{headers}");
    }
    for method in ["GET", "POST", "PATCH", "PUT", "DELETE"] {
        assert!(methods.split(", ").any(|known| known == method), "{methods}");
    }
}
