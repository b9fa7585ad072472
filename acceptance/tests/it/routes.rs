//! Every route, tried by everybody who must not get in. The list is generated from the router's own; there is no list of
//! excuses.

use axum::body::Body;
use domain::time::Span;
use hospes_http::{Guard, Route, routes};
use http::{Request, StatusCode, header};
use serde_json::json;
use testkit::{CONTOSO, FABRIKAM, World};

fn address(route: &Route, world: &World, id: &str) -> String {
    route.path.replace("{tenant}", &world.tenant_id(CONTOSO).to_string()).replace("{id}", id)
}

fn request(route: &Route, path: &str, token: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(route.method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = if route.method == "GET" { Body::empty() } else { Body::from(json!({}).to_string()) };
    request.header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

fn bearer_routes() -> impl Iterator<Item = Route> {
    routes().into_iter().filter(|route| route.guard == Guard::Bearer)
}

#[tokio::test]
async fn without_a_token_every_protected_route_answers_401() {
    let world = World::new().await;
    for route in bearer_routes() {
        let (path, before) = (address(&route, &world, "x"), world.stray_refusals());
        let answer = world.send(request(&route, &path, None)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{route:?}");
        assert_eq!(world.stray_refusals(), before + 1, "{route:?} left no record");
    }
}

#[tokio::test]
async fn r01_r21_a_foreign_tenants_token_finds_nothing() {
    let world = World::new().await;
    let token = world.daemon_token(FABRIKAM).await;
    let contoso = world.daemon_token(CONTOSO).await;
    let list = |path: &'static str| world.graph(&contoso, "GET", path, None);
    let mut ids =
        vec![world.user("alice@contoso.test").id.unwrap().to_string(), world.tenant_id(CONTOSO).to_string()];
    for path in ["/v1.0/applications", "/v1.0/servicePrincipals", "/v1.0/domains"] {
        let found = list(path).await.json();
        ids.push(found["value"][0]["id"].as_str().unwrap().to_owned());
    }
    for route in bearer_routes().filter(|route| route.path.contains("{id}")) {
        for id in &ids {
            let path = address(&route, &world, id);
            let before = world.directory_refusals(FABRIKAM);
            let answer = world.send(request(&route, &path, Some(&token))).await;
            let refused = matches!(answer.status.as_u16(), 400 | 403 | 404);
            assert!(refused, "{route:?} with {id}: {} {}", answer.status, answer.text);
            assert!(world.directory_refusals(FABRIKAM) > before, "{route:?} left no record");
            // An id of nobody gets exactly the same answer: nothing tells that this one exists.
            let nobody = address(&route, &world, &uuid::Uuid::from_u128(77).to_string());
            let other = world.send(request(&route, &nobody, Some(&token))).await;
            assert_eq!(answer.status, other.status, "{route:?} with {id}");
        }
    }
}

#[tokio::test]
async fn r24_a_guest_writes_nothing_and_lists_nothing() {
    let world = World::new().await;
    let guest = world.make_guest("bob@fabrikam.test").await;
    let tokens = world.sign_in(CONTOSO, "web", "bob@fabrikam.test", "openid User.Read").await;
    let token = tokens["access_token"].as_str().unwrap();
    for route in bearer_routes() {
        let path = address(&route, &world, &world.user("carol@contoso.test").id.unwrap().to_string());
        let answer = world.send(request(&route, &path, Some(token))).await;
        // What a guest may read: itself, the organisation's name, and userinfo.
        let is_own = ["/v1.0/me", "/v1.0/organization", "/oidc/userinfo"].contains(&route.path)
            && (route.method == "GET" || route.path == "/oidc/userinfo");
        if is_own {
            assert_eq!(answer.status, StatusCode::OK, "{route:?}: {}", answer.text);
        } else {
            assert!(
                matches!(answer.status.as_u16(), 400 | 403 | 404),
                "{route:?}: {} {}",
                answer.status,
                answer.text
            );
        }
    }
    assert!(!guest.is_empty());
}

#[tokio::test]
async fn a_token_without_the_permission_is_refused_everywhere() {
    let world = World::new().await;
    let token = world.sign_in(CONTOSO, "web", "carol@contoso.test", "openid").await;
    let token = token["access_token"].as_str().unwrap();
    for route in bearer_routes().filter(|route| !route.path.starts_with("/oidc/")) {
        let path = address(&route, &world, &world.user("dave@contoso.test").id.unwrap().to_string());
        let before = world.directory_refusals(CONTOSO);
        let answer = world.send(request(&route, &path, Some(token))).await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 403 | 404),
            "{route:?}: {} {}",
            answer.status,
            answer.text
        );
        assert!(world.directory_refusals(CONTOSO) > before, "{route:?} left no record");
    }
}

#[tokio::test]
async fn forms_without_their_proof_and_tickets_without_their_secret_open_nothing() {
    let world = World::new().await;
    for route in routes().into_iter().filter(|route| matches!(route.guard, Guard::Form | Guard::Ticket)) {
        let path = address(&route, &world, "x");
        let answer = world.send(request(&route, &path, None)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{route:?}");
        assert!(answer.headers.get(header::LOCATION).is_none(), "{route:?}");
    }
}

#[tokio::test]
async fn open_routes_answer_and_client_routes_want_their_client() {
    let world = World::new().await;
    for route in routes() {
        let path = address(&route, &world, "x");
        let answer = world.send(request(&route, &path, None)).await;
        match route.guard {
            Guard::Open => {
                assert!(answer.status.as_u16() < 500 && answer.status != 405, "{route:?}: {}", answer.status)
            }
            Guard::Client => assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{route:?}"),
            Guard::Bearer | Guard::Form | Guard::Ticket => {}
        }
    }
}

#[tokio::test]
async fn an_old_token_is_refused_everywhere() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    world.advance(Span::hours(2));
    for route in bearer_routes() {
        let answer = world.send(request(&route, &address(&route, &world, "x"), Some(&token))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{route:?}");
    }
}
