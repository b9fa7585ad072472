//! Every address on one page.

use crate::oauth::{authorize, device, discovery, logout, token, userinfo};
use crate::pages::{self, assets, dev, portal, redeem, setup, signin};
use crate::{App, edge, graph};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::StatusCode;

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
    route("GET", "/{tenant}/oauth2/authorize", Guard::Open),
    route("POST", "/{tenant}/oauth2/authorize", Guard::Open),
    route("POST", "/{tenant}/oauth2/token", Guard::Client),
    route("POST", "/{tenant}/oauth2/devicecode", Guard::Client),
    route("GET", "/{tenant}/oauth2/logout", Guard::Open),
    route("POST", "/{tenant}/oauth2/logout", Guard::Open),
    route("GET", "/{tenant}/oauth2/v2.0/authorize", Guard::Open),
    route("POST", "/{tenant}/oauth2/v2.0/authorize", Guard::Open),
    route("POST", "/{tenant}/oauth2/v2.0/token", Guard::Client),
    route("POST", "/{tenant}/oauth2/v2.0/devicecode", Guard::Client),
    route("GET", "/{tenant}/oauth2/v2.0/logout", Guard::Open),
    route("POST", "/{tenant}/oauth2/v2.0/logout", Guard::Open),
    route("POST", "/{tenant}/login", Guard::Form),
    route("GET", "/oidc/userinfo", Guard::Bearer),
    route("POST", "/oidc/userinfo", Guard::Bearer),
    route("GET", "/device", Guard::Open),
    route("POST", "/device", Guard::Form),
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

/// Every address with its handler.
pub(crate) fn router(app: App) -> Router {
    let mut router = Router::new()
        .route("/{tenant}/.well-known/openid-configuration", get(discovery::v1))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery::v2))
        .route("/{tenant}/discovery/keys", get(discovery::keys))
        .route("/{tenant}/discovery/v2.0/keys", get(discovery::keys))
        .route("/common/discovery/instance", get(discovery::instances))
        .route("/{tenant}/oauth2/authorize", get(authorize::v1).post(authorize::v1))
        .route("/{tenant}/oauth2/token", post(token::v1).fallback(token::wrong_verb))
        .route("/{tenant}/oauth2/devicecode", post(device::v1).fallback(token::wrong_verb))
        .route("/{tenant}/oauth2/logout", get(logout::end_session).post(logout::end_session))
        .route("/{tenant}/oauth2/v2.0/authorize", get(authorize::v2).post(authorize::v2))
        .route("/{tenant}/oauth2/v2.0/token", post(token::v2).fallback(token::wrong_verb))
        .route("/{tenant}/oauth2/v2.0/devicecode", post(device::v2).fallback(token::wrong_verb))
        .route("/{tenant}/oauth2/v2.0/logout", get(logout::end_session).post(logout::end_session))
        .route("/{tenant}/login", post(signin::submit))
        .route("/oidc/userinfo", get(userinfo::get).post(userinfo::get))
        .route("/device", get(pages::device::show).post(pages::device::submit))
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
    router.with_state(app)
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
