//! What is read at the door of every request: the moment, the browser, the form's origin, the tenant of the path.

pub(crate) mod line;
pub(crate) mod lost;
pub(crate) mod surface;

use crate::App;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request};
use domain::audit::Origin;
use domain::entropy::Entropy;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use service::Moment;
use service::signin::Browser;
use std::net::{IpAddr, SocketAddr};
use uuid::Uuid;

/// Longest form that is read.
// DEFAULT: 64 KiB, as `standards::oauth::params` allows.
const FORM: usize = 64 * 1024;

/// The cookie that a browser's sessions hang on. `__Host-`: this origin only, https only.
const COOKIE: &str = "__Host-hospes";
/// How long the cookie lives when the person stays signed in.
const COOKIE_SECONDS: i64 = 90 * 24 * 3600;

/// One request's moment: time, chance, correlation and where it came from.
pub(crate) fn moment(app: &App, headers: &HeaderMap, peer: Option<IpAddr>) -> Moment {
    let entropy = Entropy::new((app.entropy)());
    let asked =
        text(headers, &HeaderName::from_static("client-request-id")).and_then(|id| Uuid::parse_str(id).ok());
    let now = (app.clock)();
    let correlation = asked.unwrap_or_else(|| entropy.uuid_at("correlation", now));
    line::note_correlation(correlation);
    Moment {
        now,
        origin: Origin {
            at: now,
            correlation,
            address: client_address(app, headers, peer).map(|address| address.to_string()),
            user_agent: text(headers, &header::USER_AGENT).map(str::to_owned),
        },
        entropy,
    }
}

/// The client's address: the peer, or behind listed proxies the right-most address that is none of them (R39). Where that
/// hop is no address, nothing further left is believed: it is what the client wrote.
fn client_address(app: &App, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
    let peer = peer?;
    if !app.trusted_proxies.contains(&peer) {
        return Some(peer);
    }
    let lines: Vec<_> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).map(|hop| address(hop.trim()));
    let client = hops.take_while(Option::is_some).flatten().find(|hop| !app.trusted_proxies.contains(hop));
    Some(client.unwrap_or(peer))
}

/// An address as proxies write it: some add the port.
fn address(hop: &str) -> Option<IpAddr> {
    hop.parse().ok().or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

/// A header as text; absent when it is not plain.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The peer of a request.
pub(crate) fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

/// The browser's secret, if its cookie is whole. Two such cookies are none: somebody planted one.
pub(crate) fn browser(headers: &HeaderMap) -> Option<Browser> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .map(Browser::parse);
    match (found.next(), found.next()) {
        (Some(browser), None) => browser,
        (_, _) => None,
    }
}

/// The cookie for an answer. `SameSite=None`: hidden-frame renewal needs it (clients 28); forms carry their own proof.
pub(crate) fn cookie(browser: &Browser, is_persistent: bool) -> Option<HeaderValue> {
    let mut text = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=None", browser.cookie());
    if is_persistent {
        text.push_str(&format!("; Max-Age={COOKIE_SECONDS}"));
    }
    HeaderValue::from_str(&text).ok()
}

/// Whether a form comes from our own page, as far as the browser says. The proof in the form is the stronger half.
pub(crate) fn is_own_origin(headers: &HeaderMap, base: &str) -> bool {
    let origin = text(headers, &header::ORIGIN);
    let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
    origin.is_none_or(|origin| origin == base)
        && site.is_none_or(|site| matches!(site, "same-origin" | "none"))
}

/// Reads a form body whole, within the limit.
pub(crate) async fn form(request: Request) -> Option<Bytes> {
    axum::body::to_bytes(request.into_body(), FORM).await.ok()
}
