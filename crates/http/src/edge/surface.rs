//! What every request and every answer passes: who may connect, panics, headers, preflights.
//!
//! One service around the router instead of layers inside it: axum boxes each layer again for each request.

use super::line::{self, Templates};
use super::lost::{self, Speech};
use crate::App;
use crate::router::{router, routes};
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};

/// Everything the deployment answers. Cheap to clone.
#[derive(Clone)]
pub struct Surface {
    app: App,
    router: Router,
    templates: Templates,
}

impl std::fmt::Debug for Surface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Surface")
    }
}

impl Surface {
    pub fn new(app: App) -> Self {
        let templates = Templates::new(routes().into_iter().map(|route| route.path));
        Self { router: router(app.clone()), app, templates }
    }
}

impl<B> Service<http::Request<B>> for Surface
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let request: Request = request.map(Body::new);
        let proxies = &self.app.trusted_proxies;
        let is_stranger =
            !proxies.is_empty() && super::peer(&request).is_none_or(|peer| !proxies.contains(&peer));
        let is_open = is_open_to_origins(request.uri().path());
        let is_cross_origin = request.headers().contains_key(header::ORIGIN);
        let is_preflight = request.method() == Method::OPTIONS && is_open && is_cross_origin;
        let Self { app, router, templates } = self.clone();
        let begun = line::begin(&app, request.method(), request.uri());
        Box::pin(line::noting(async move {
            let mut response = if is_stranger {
                StatusCode::FORBIDDEN.into_response()
            } else if is_preflight {
                preflight()
            } else {
                answer(&app, router, request).await
            };
            add_headers(&mut response, is_open && is_cross_origin);
            if let Some(begun) = begun {
                line::write(&app, &begun, &templates, response.status());
            }
            Ok(response)
        }))
    }
}

/// A panic is a fault of ours: the connection and the others on it live on. The panic itself went to the log.
async fn answer(app: &App, router: Router, request: Request) -> Response {
    let speech = Speech::of(request.uri().path());
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            let known = line::correlation();
            let mut moment = super::moment(app, &HeaderMap::new(), None);
            // The id that the request had, if it got that far.
            if let Some(known) = known {
                moment.origin.correlation = known;
                line::note_correlation(known);
            }
            lost::broken(app, speech, &moment)
        }
    }
}

fn add_headers(response: &mut Response, is_read_by_others: bool) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    if is_read_by_others {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let exposed = HeaderValue::from_static(
            "request-id, client-request-id, Preference-Applied, Retry-After, WWW-Authenticate, x-ms-request-id",
        );
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
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
        "/oauth2/token",
        "/oauth2/v2.0/token",
    ];
    is_graph || ends.iter().any(|end| path.ends_with(end))
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
            "authorization, content-type, sdkversion, client-request-id, consistencylevel, prefer, if-match, retry-attempt",
        ),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    headers.insert(HeaderName::from_static("vary"), HeaderValue::from_static("origin"));
    response
}
