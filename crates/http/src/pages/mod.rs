//! Pages for people: server-rendered, no script needed, strict headers.

pub(crate) mod assets;
pub(crate) mod dev;
pub(crate) mod device;
pub(crate) mod error;
pub(crate) mod new_organization;
pub(crate) mod organizations;
pub(crate) mod portal;
pub(crate) mod redeem;
pub(crate) mod requests;
pub(crate) mod setup;
pub(crate) mod signin;
pub(crate) mod view;

use crate::{App, edge};
use askama::Template;
use axum::response::{IntoResponse, Response};
use domain::issuance::{Denial, denial_code};
use domain::tenancy::tenant::Tenant;
use http::{HeaderValue, StatusCode, header};
use service::signin::Browser;
use service::{Fault, Moment};
use standards::oauth::authorize::RequestError;
use standards::oauth::error::ErrorCode;
use std::collections::BTreeSet;
use url::Url;
use view::Chrome;

/// What every page is drawn with.
pub(crate) struct Look<'a> {
    pub(crate) app: &'a App,
    pub(crate) moment: &'a Moment,
    /// The browser's secret, if it has one by now.
    pub(crate) browser: Option<Browser>,
    /// The secret that the request brought.
    known: Option<Browser>,
    /// What was just settled about staying signed in.
    pub(crate) stays: Option<bool>,
}

/// No inline script or style; nothing from elsewhere; no framing. No `form-action`: browsers apply it to the redirect
/// after a form too, which would cut off native and `form_post` clients (clients 28).
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";

impl<'a> Look<'a> {
    /// `known` is the secret that the request brought.
    pub(crate) fn new(app: &'a App, moment: &'a Moment, known: Option<Browser>) -> Self {
        Self { app, moment, browser: known, known, stays: None }
    }

    pub(crate) fn with(&self, browser: Browser) -> Look<'a> {
        Look { browser: Some(browser), ..*self }
    }

    /// The cookie of an answer: for a browser that had none, and when it is settled whether the person stays signed in.
    /// Otherwise none: a cookie that is set again is set anew, and what was settled before would be undone.
    pub(crate) fn cookie(&self) -> Option<HeaderValue> {
        let browser = self.browser?;
        let is_news = self.known != Some(browser) || self.stays.is_some();
        is_news.then(|| edge::cookie(&browser, self.stays == Some(true)))?
    }

    /// Name and branding of a tenant; our own where there is none.
    pub(crate) fn chrome(&self, tenant: Option<&Tenant>) -> Chrome {
        Chrome {
            tenant_name: tenant.map_or_else(|| "Hospes".to_owned(), |tenant| tenant.display_name.clone()),
            tenant_style: tenant.and_then(assets::style_address),
            logo: tenant.and_then(assets::logo_address),
            sign_in_text: tenant.and_then(|tenant| tenant.settings.sign_in_text.clone()),
            lang: "en".to_owned(),
        }
    }

    /// A page as an answer, with the browser's cookie.
    pub(crate) fn page(&self, status: StatusCode, page: &impl Template) -> Response {
        let mut response = html(status, page);
        if let Some(cookie) = self.cookie() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    /// A refusal as a page.
    pub(crate) fn denied(&self, tenant: Option<&Tenant>, denial: Denial) -> Response {
        let (status, title, happened, next) = error::explain(denial);
        self.error(tenant, status, denial_code(denial), title, happened, next)
    }

    /// A request that does not parse: shown here, because there is no proved address to send it to.
    fn request_error(&self, tenant: Option<&Tenant>, error: &RequestError) -> Response {
        let next =
            "Go back to the application and start again. If it happens again, tell the people who run it.";
        let status = StatusCode::BAD_REQUEST;
        self.error(tenant, status, error.number, "This sign-in request is not valid", &error.text, next)
    }

    /// A refusal that no attempt stands for: recorded, then shown (R32).
    pub(crate) async fn refuse(&self, tenant: Option<&Tenant>, denial: Denial) -> Response {
        let place = tenant.map(|tenant| tenant.id);
        match self.app.service.record_refusal(place, None, denial, self.moment).await {
            Ok(()) => self.denied(tenant, denial),
            Err(fault) => self.fault(fault),
        }
    }

    /// A request that does not parse: recorded, then shown (R32).
    pub(crate) async fn refuse_request(&self, tenant: Option<&Tenant>, error: &RequestError) -> Response {
        let place = tenant.map(|tenant| tenant.id);
        match self.app.service.record_malformed(place, error.number, self.moment).await {
            Ok(()) => self.request_error(tenant, error),
            Err(fault) => self.fault(fault),
        }
    }

    pub(crate) fn fault(&self, fault: Fault) -> Response {
        match fault {
            Fault::Busy => self.error(
                None,
                StatusCode::SERVICE_UNAVAILABLE,
                90_033,
                "Too busy right now",
                "The service has more to do than it can at this moment.",
                "Wait a little and try again.",
            ),
            Fault::Bug(_) | Fault::Failed(_) => {
                tracing::error!(%fault, correlation = %self.moment.origin.correlation, "a page failed");
                self.error(
                    None,
                    StatusCode::INTERNAL_SERVER_ERROR,
                    50_000,
                    "Something went wrong",
                    "The service failed to answer.",
                    "Try again. If it happens again, give your administrator the correlation id below.",
                )
            }
        }
    }

    pub(crate) fn error(
        &self,
        tenant: Option<&Tenant>,
        status: StatusCode,
        number: u32,
        title: &str,
        happened: &str,
        next: &str,
    ) -> Response {
        let page = view::ErrorPage {
            chrome: self.chrome(tenant),
            title: title.to_owned(),
            what_happened: happened.to_owned(),
            what_to_do: next.to_owned(),
            code: format!("AADSTS{number}"),
            correlation_id: self.moment.origin.correlation.to_string(),
            timestamp: standards::time::entra_timestamp(self.moment.now.millis()),
            retry_url: None,
        };
        self.page(status, &page)
    }
}

/// A body longer than any form of ours, or none that is text.
pub(crate) fn too_large() -> RequestError {
    RequestError::new(ErrorCode::InvalidRequest, 90_004, "The request is too large or not UTF-8.")
}

/// The tenant of an address is none here.
pub(crate) fn unknown_tenant() -> RequestError {
    let text = "The organisation in the address was not found.";
    RequestError::new(ErrorCode::InvalidTenant, 90_002, text)
}

/// HTML under the strict headers.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Response {
    let Ok(body) = page.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// The OAuth answer that posts itself (OAuth Form Post Response Mode). Readable without script, too.
pub(crate) fn form_post(action: &str, fields: &[(&str, String)]) -> Response {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    html(StatusCode::OK, &view::FormPostPage { action: action.to_owned(), fields })
}

/// How long the applications have before the browser goes on.
// DEFAULT: three seconds; whoever is in a hurry presses the button.
const TELLING: u32 = 3;

/// Says that the session is over, and lets the applications hear it: each in a hidden frame of its own origin, and frames
/// of no other (OIDC Front-Channel Logout §3). Nothing here needs a script.
pub(crate) fn signed_out(
    look: &Look<'_>,
    tenant: Option<&Tenant>,
    return_url: Option<String>,
    tell: Vec<String>,
) -> Response {
    let origins: BTreeSet<String> = tell
        .iter()
        .filter_map(|address| Url::parse(address).ok())
        .map(|url| url.origin().ascii_serialization())
        .collect();
    let refresh = return_url.as_deref().map(|url| format!("{TELLING};url={url}"));
    let page = view::SignedOutPage { chrome: look.chrome(tenant), return_url, frames: tell };
    let mut response = look.page(StatusCode::OK, &page);
    let headers = response.headers_mut();
    if !origins.is_empty() {
        let origins: Vec<String> = origins.into_iter().collect();
        let policy = format!("{POLICY}; frame-src {}", origins.join(" "));
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    if let Some(refresh) = refresh.and_then(|refresh| HeaderValue::try_from(refresh).ok()) {
        headers.insert(header::REFRESH, refresh);
    }
    response
}
