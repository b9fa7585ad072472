//! Static files, and each tenant's colour and logo.

use super::view;
use crate::App;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use service::TenantSegment;

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

/// A tenant's logo. SVG comes sandboxed: a picture runs nothing here.
pub(crate) async fn logo(State(app): State<App>, Path(segment): Path<String>) -> Response {
    let Ok(TenantSegment::One(tenant)) = app.service.find_tenant(&segment) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(logo) = &tenant.settings.logo else { return StatusCode::NOT_FOUND.into_response() };
    let media_type = match logo.media_type.as_str() {
        "image/jpeg" => "image/jpeg",
        "image/svg+xml" => "image/svg+xml",
        _ => "image/png",
    };
    let mut response = file(media_type, logo.bytes.clone());
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// An sRGB colour.
struct Color([u8; 3]);

impl Color {
    /// `#rrggbb` and nothing else: the text ends up in a style sheet.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        let [_, r, g, b] = value.to_be_bytes();
        Some(Self([r, g, b]))
    }

    fn text(&self) -> String {
        let [r, g, b] = self.0;
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    /// Black or white, whichever has more contrast (WCAG 2.2 relative luminance).
    fn ink(&self) -> &'static str {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = self.0;
        let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        if luminance > 0.179 { "#000000" } else { "#ffffff" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_colour_reaches_the_style_sheet() {
        for bad in ["red", "#fff", "#12345g", "#123456;}", "", "123456"] {
            assert!(Color::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(Color::parse("#0A5C8F").unwrap().text(), "#0a5c8f");
        assert_eq!(Color::parse("#ffff00").unwrap().ink(), "#000000");
        assert_eq!(Color::parse("#1b1b6f").unwrap().ink(), "#ffffff");
    }
}
