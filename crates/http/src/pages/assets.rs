//! Static files, and each tenant's colour and logo.

use super::view;
use crate::App;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use domain::tenancy::branding::Color;
use domain::tenancy::tenant::Tenant;
use http::{HeaderValue, StatusCode, header};
use service::TenantSegment;
use standards::{b64, crypto};

const APP_CSS: &str = include_str!("../../assets/app.css");
const FORM_POST_JS: &str = include_str!("../../assets/form-post.js");
const FAVICON: &str = include_str!("../../assets/favicon.svg");

fn file(media_type: &'static str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}

pub(crate) async fn app_css() -> Response {
    file("text/css; charset=utf-8", APP_CSS)
}

pub(crate) async fn form_post_js() -> Response {
    file("text/javascript; charset=utf-8", FORM_POST_JS)
}

pub(crate) async fn favicon() -> Response {
    file("image/svg+xml", FAVICON)
}

/// `{tenant}.css`: the accent colour, with an ink that can be read on it.
pub(crate) async fn tenant_css(State(app): State<App>, Path(name): Path<String>) -> Response {
    let Some(segment) = name.strip_suffix(".css") else { return StatusCode::NOT_FOUND.into_response() };
    let Ok(TenantSegment::One(tenant)) = app.service.find_tenant(segment) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let accent = tenant.settings.accent_color.as_deref().and_then(Color::parse);
    let Some(accent) = accent else { return StatusCode::NOT_FOUND.into_response() };
    let style = view::TenantStyle { accent: accent.text(), accent_ink: accent.ink().to_owned() };
    match style.render() {
        Ok(css) => file("text/css; charset=utf-8", css),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Where a tenant's colours are. The address changes with them, so that no browser shows yesterday's.
pub(crate) fn style_address(tenant: &Tenant) -> Option<String> {
    let color = tenant.settings.accent_color.as_deref().and_then(Color::parse)?.text();
    Some(format!("/assets/tenant/{}.css?v={}", tenant.id, color.trim_start_matches('#')))
}

/// Where a tenant's logo is. The address changes with the picture.
pub(crate) fn logo_address(tenant: &Tenant) -> Option<String> {
    let hash = crypto::sha256(&[&tenant.settings.logo.as_ref()?.bytes]);
    Some(format!("/assets/tenant/{}/logo?v={}", tenant.id, b64::encode(hash.get(..6)?)))
}

/// A tenant's logo. Sandboxed all the same: a picture runs nothing here.
pub(crate) async fn logo(State(app): State<App>, Path(segment): Path<String>) -> Response {
    let Ok(TenantSegment::One(tenant)) = app.service.find_tenant(&segment) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(logo) = &tenant.settings.logo else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = file(logo.kind.as_str(), logo.bytes.clone());
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
