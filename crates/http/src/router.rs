//! Every address on one page.

use crate::edge::lost;
use crate::oauth::{admin_consent, authorize, cloud, device, discovery, logout, token, userinfo};
use crate::pages::{
    self, assets, dev, new_organization, organizations, portal, redeem, requests, setup, signin,
};
use crate::{App, edge, graph};
use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter, any};
use http::StatusCode;

/// One address: method, template, and what protects it. The generated route test reads this list, and the router is made
/// of it, so a route without a row here does not exist.
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
    /// The client's own proof in the body.
    Client,
    /// Nothing, and the address exists under `hospes dev` only.
    Dev,
    /// The browser's cookie and a form's proof of origin.
    Form,
    /// Nothing: the address says only what everybody may know.
    Open,
    /// A one-time secret in the address.
    Ticket,
}

/// Every address other than Graph's, with who answers it; Graph's are in `graph::routes`.
fn table() -> Vec<Row> {
    use Guard::{Bearer, Client, Dev, Form, Open, Ticket};
    vec![
        get("/{tenant}/.well-known/openid-configuration", Open, discovery::v1),
        get("/{tenant}/v2.0/.well-known/openid-configuration", Open, discovery::v2),
        get("/{tenant}/discovery/keys", Open, discovery::keys),
        get("/{tenant}/discovery/v2.0/keys", Open, discovery::keys),
        get("/common/discovery/instance", Open, discovery::instances),
        get("/{tenant}/adminconsent", Open, admin_consent::v1),
        get("/{tenant}/v2.0/adminconsent", Open, admin_consent::v2),
        get("/metadata/endpoints", Open, cloud::endpoints),
        get("/subscriptions", Open, cloud::subscriptions),
        get("/{tenant}/oauth2/authorize", Open, authorize::v1),
        post("/{tenant}/oauth2/authorize", Open, authorize::v1),
        post("/{tenant}/oauth2/token", Client, token::v1).otherwise(token::wrong_verb),
        post("/{tenant}/oauth2/devicecode", Client, device::v1).otherwise(token::wrong_verb),
        get("/{tenant}/oauth2/logout", Open, logout::end_session),
        post("/{tenant}/oauth2/logout", Open, logout::end_session),
        get("/{tenant}/oauth2/v2.0/authorize", Open, authorize::v2),
        post("/{tenant}/oauth2/v2.0/authorize", Open, authorize::v2),
        post("/{tenant}/oauth2/v2.0/token", Client, token::v2).otherwise(token::wrong_verb),
        post("/{tenant}/oauth2/v2.0/devicecode", Client, device::v2).otherwise(token::wrong_verb),
        get("/{tenant}/oauth2/v2.0/logout", Open, logout::end_session),
        post("/{tenant}/oauth2/v2.0/logout", Open, logout::end_session),
        post("/{tenant}/login", Form, signin::submit),
        get("/oidc/userinfo", Bearer, userinfo::get),
        post("/oidc/userinfo", Bearer, userinfo::get),
        get("/device", Open, pages::device::show),
        post("/device", Form, pages::device::submit),
        get("/redeem", Ticket, redeem::open),
        get("/redeem/block", Ticket, redeem::block),
        post("/redeem/block", Ticket, redeem::block),
        get("/federation/{tenant}/oidc", Form, redeem::come_back),
        get("/myapps", Open, portal::my_apps),
        get("/myapps/new", Open, new_organization::show),
        post("/myapps/new", Form, new_organization::submit),
        get("/myapps/organizations", Open, organizations::show),
        get("/myapps/organizations/delete", Open, organizations::ask_to_delete),
        post("/myapps/organizations/delete", Form, organizations::delete),
        get("/myapps/organizations/leave", Open, organizations::ask_to_leave),
        post("/myapps/organizations/leave", Form, organizations::leave),
        get("/myapps/requests", Open, requests::show),
        post("/myapps/requests", Form, requests::submit),
        get("/setup", Ticket, setup::show),
        post("/setup", Ticket, setup::submit),
        get("/error", Open, portal::error_code),
        get("/common/oauth2/nativeclient", Open, native_client),
        get("/assets/app.css", Open, assets::app_css),
        get("/assets/form-post.js", Open, assets::form_post_js),
        get("/assets/favicon.svg", Open, assets::favicon),
        get("/assets/tenant/{name}", Open, assets::tenant_css),
        get("/assets/tenant/{tenant}/logo", Open, assets::logo),
        get("/v1.0/$metadata", Open, graph::metadata::show),
        get("/graph/v1.0/$metadata", Open, graph::metadata::show),
        get("/beta/$metadata", Open, graph::metadata::show),
        get("/healthz", Open, || async { StatusCode::OK }),
        get("/readyz", Open, ready),
        get("/", Dev, dev::home),
        get("/dev", Dev, dev::home),
        get("/dev/world", Dev, dev::world),
        get("/dev/mail", Dev, dev::mailbox),
        get("/dev/mail.json", Dev, dev::mailbox_json),
    ]
}

/// An address, and who answers it.
struct Row {
    route: Route,
    answers: MethodRouter<App>,
}

impl Row {
    /// Who answers methods that have no row.
    fn otherwise<T: 'static>(self, handler: impl Handler<T, App>) -> Self {
        Self { answers: self.answers.fallback(handler), ..self }
    }
}

fn get<T: 'static>(path: &'static str, guard: Guard, handler: impl Handler<T, App>) -> Row {
    Row { route: Route { method: "GET", path, guard }, answers: routing::get(handler) }
}

fn post<T: 'static>(path: &'static str, guard: Guard, handler: impl Handler<T, App>) -> Row {
    Row { route: Route { method: "POST", path, guard }, answers: routing::post(handler) }
}

/// Every address that is served, Graph's included.
pub fn routes() -> Vec<Route> {
    let graph = graph::routes().iter().map(|(method, path)| Route { method, path, guard: Guard::Bearer });
    table().into_iter().map(|row| row.route).chain(graph).collect()
}

pub(crate) fn router(app: App) -> Router {
    let router = addresses(app.dev.is_some());
    router.fallback(lost::nowhere).method_not_allowed_fallback(lost::wrong_method).with_state(app)
}

/// The table, and everything below Graph's versions, where `graph` has a table of its own.
fn addresses(is_dev: bool) -> Router<App> {
    let served = table().into_iter().filter(|row| is_dev || row.route.guard != Guard::Dev);
    let router = served.fold(Router::new(), |router, row| router.route(row.route.path, row.answers));
    graph::VERSIONS
        .iter()
        .fold(router, |router, version| router.route(&format!("{version}{{*path}}"), any(graph_api)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The paths of a router, which shows them only when it is printed; those of its fallback come second.
    fn paths(router: &Router<App>) -> BTreeSet<String> {
        let shown = format!("{router:?}");
        let path = |part: &str| Some(part.split_once("): \"")?.1.split_once('"')?.0.to_owned());
        let own = shown.split("PathRouter {").nth(1).unwrap();
        own.split("RouteId(").filter_map(path).collect()
    }

    #[test]
    fn nothing_is_served_that_the_table_does_not_have() {
        for is_dev in [false, true] {
            let rows = table().into_iter().filter(|row| is_dev || row.route.guard != Guard::Dev);
            let expected = rows.map(|row| row.route.path.to_owned());
            let graph = graph::VERSIONS.iter().map(|version| format!("{version}{{*path}}"));
            assert_eq!(paths(&addresses(is_dev)), expected.chain(graph).collect());
        }
    }
}
