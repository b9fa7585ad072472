//! Every address on one page.

use crate::oauth::{authorize, discovery, logout, token, userinfo};
use crate::pages::{assets, dev, portal, redeem, setup, signin};
use crate::{App, edge, graph};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;

/// One address: method, template, and what protects it. The generated route test reads this list, so a route without a
/// row here does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub guard: Guard,
}

/// What stands before an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A Graph bearer token with rights in its own tenant.
    Bearer,
    /// The browser's cookie and a form's proof of origin.
    Form,
    /// Nothing: the address says only what everybody may know.
    Open,
    /// A one-time secret in the address.
    Ticket,
    /// The client's own proof in the body.
    Client,
}

const fn route(method: &'static str, path: &'static str, guard: Guard) -> Route {
    Route { method, path, guard }
}

/// Addresses other than Graph's; those are in `graph::routes`.
const ROUTES: &[Route] = &[
    route("GET", "/{tenant}/.well-known/openid-configuration", Guard::Open),
    route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", Guard::Open),
    route("GET", "/{tenant}/discovery/keys", Guard::Open),
    route("GET", "/{tenant}/discovery/v2.0/keys", Guard::Open),
    route("GET", "/common/discovery/instance", Guard::Open),
    route("GET", "/{tenant}/oauth2/v2.0/authorize", Guard::Open),
    route("POST", "/{tenant}/oauth2/v2.0/authorize", Guard::Open),
    route("POST", "/{tenant}/oauth2/v2.0/token", Guard::Client),
    route("GET", "/{tenant}/oauth2/v2.0/logout", Guard::Open),
    route("POST", "/{tenant}/oauth2/v2.0/logout", Guard::Open),
    route("POST", "/{tenant}/login", Guard::Form),
    route("GET", "/oidc/userinfo", Guard::Bearer),
    route("POST", "/oidc/userinfo", Guard::Bearer),
    route("GET", "/redeem", Guard::Ticket),
    route("GET", "/redeem/block", Guard::Ticket),
    route("POST", "/redeem/block", Guard::Ticket),
    route("GET", "/federation/{tenant}/oidc", Guard::Form),
    route("GET", "/myapps", Guard::Open),
    route("GET", "/setup", Guard::Ticket),
    route("POST", "/setup", Guard::Ticket),
    route("GET", "/error", Guard::Open),
    route("GET", "/common/oauth2/nativeclient", Guard::Open),
    route("GET", "/assets/app.css", Guard::Open),
    route("GET", "/assets/form-post.js", Guard::Open),
    route("GET", "/assets/favicon.svg", Guard::Open),
    route("GET", "/assets/tenant/{tenant}.css", Guard::Open),
    route("GET", "/assets/tenant/{tenant}/logo", Guard::Open),
    route("GET", "/healthz", Guard::Open),
    route("GET", "/readyz", Guard::Open),
];

/// Every address that is served under `serve`, Graph's included.
pub fn routes() -> Vec<Route> {
    let graph = graph::routes().iter().map(|(method, path)| route(method, path, Guard::Bearer));
    ROUTES.iter().copied().chain(graph).collect()
}

/// The whole surface.
pub fn router(app: App) -> Router {
    let mut router = Router::new()
        .route("/{tenant}/.well-known/openid-configuration", get(discovery::v1))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::v2))
        .route("/{tenant}/discovery/keys", get(discovery::keys))
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route("/common/discovery/instance", get(discovery::instances))
        .route("/{tenant}/oauth2/v2.0/authorize", get(authorize::begin).post(authorize::begin))
        .route("/{tenant}/oauth2/v2.0/token", post(token::post).fallback(token::wrong_verb))
        .route("/{tenant}/oauth2/v2.0/logout", get(logout::end_session).post(logout::end_session))
        .route("/{tenant}/login", post(signin::submit))
        .route("/oidc/userinfo", get(userinfo::get).post(userinfo::get))
        .route("/redeem", get(redeem::open))
        .route("/redeem/block", get(redeem::block).post(redeem::block))
        .route("/federation/{tenant}/oidc", get(redeem::come_back))
        .route("/myapps", get(portal::my_apps))
        .route("/setup", get(setup::show).post(setup::submit))
        .route("/error", get(portal::error_code))
        .route("/common/oauth2/nativeclient", get(native_client))
        .route("/assets/app.css", get(assets::app_css))
        .route("/assets/form-post.js", get(assets::form_post_js))
        .route("/assets/favicon.svg", get(assets::favicon))
        .route("/assets/tenant/{name}", get(assets::tenant_css))
        .route("/assets/tenant/{tenant}/logo", get(assets::logo))
        .route("/healthz", get(|| async { StatusCode::OK }))
        .route("/readyz", get(ready))
        .route("/v1.0/{*path}", any(graph_api))
        .route("/beta/{*path}", any(graph_api))
        .route("/graph/v1.0/{*path}", any(graph_api));
    if app.dev.is_some() {
        router = router
            .route("/", get(dev::home))
            .route("/dev", get(dev::home))
            .route("/dev/world", get(dev::world))
            .route("/dev/mail", get(dev::mailbox))
            .route("/dev/mail.json", get(dev::mailbox_json));
    }
    router
        .layer(CatchPanicLayer::new())
        .layer(from_fn_with_state(app.clone(), common_headers))
        .with_state(app)
}

async fn graph_api(State(app): State<App>, request: Request) -> Response {
    let peer = edge::peer(&request);
    graph::serve(&app, request, peer).await
}

/// Where native applications without a listener of their own read the answer from the address bar.
async fn native_client() -> Response {
    (StatusCode::OK, "You can close this window.").into_response()
}

async fn ready(State(app): State<App>) -> StatusCode {
    if app.service.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Whether any origin may read the answer: what needs no cookie (clients 27).
fn is_open_to_origins(path: &str) -> bool {
    let is_graph =
        ["/v1.0/", "/beta/", "/graph/v1.0/", "/oidc/"].iter().any(|prefix| path.starts_with(prefix));
    let ends = [
        "/openid-configuration",
        "/discovery/keys",
        "/discovery/v2.0/keys",
        "/discovery/instance",
        "/oauth2/v2.0/token",
    ];
    is_graph || ends.iter().any(|end| path.ends_with(end))
}

/// Headers of every answer, and the preflight of browsers.
async fn common_headers(State(_app): State<App>, request: Request, next: Next) -> Response {
    let is_open = is_open_to_origins(request.uri().path());
    let is_cross_origin = request.headers().contains_key(header::ORIGIN);
    let is_preflight = request.method() == Method::OPTIONS && is_open && is_cross_origin;
    let mut response = if is_preflight { preflight() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let transport = HeaderValue::from_static("max-age=31536000");
    headers.insert(header::STRICT_TRANSPORT_SECURITY, transport);
    if is_open && is_cross_origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let exposed = HeaderValue::from_static("request-id, client-request-id, Retry-After, x-ms-request-id");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, PATCH, PUT, DELETE, OPTIONS"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "authorization, content-type, sdkversion, client-request-id, consistencylevel, prefer",
        ),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    headers.insert(HeaderName::from_static("vary"), HeaderValue::from_static("origin"));
    response
}
