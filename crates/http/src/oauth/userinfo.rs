//! Userinfo (OIDC Core §5.3): a fixed set of claims for a Graph token with `openid`.

use crate::oauth::error::{OAuthError, json};
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use service::token::AuthFailure;

pub(crate) async fn get(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let bearer =
        edge::text(request.headers(), &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let outcome = match bearer {
        None => Ok(Err(AuthFailure::Missing)),
        Some(bearer) => app.service.userinfo(bearer, &moment),
    };
    if matches!(outcome, Ok(Err(_) | Ok(None)))
        && let Err(fault) = app.service.record_malformed(None, 50_027, &moment).await
    {
        return OAuthError::from(fault).respond(&app, &moment);
    }
    match outcome {
        Ok(Ok(Some(info))) => {
            edge::line::note_tenant(info.tenant);
            let mut body = serde_json::Map::new();
            let base = &app.service.settings().base;
            let mut put = |name: &str, value: Option<String>| {
                if let Some(value) = value {
                    body.insert(name.to_owned(), value.into());
                }
            };
            put("sub", Some(info.subject));
            put("name", Some(info.name));
            put("family_name", info.family_name);
            put("given_name", info.given_name);
            put("picture", Some(format!("{base}/v1.0/me/photo/$value")));
            put("email", info.email);
            json(StatusCode::OK, &body)
        }
        Ok(Ok(None)) => {
            let mut response = StatusCode::FORBIDDEN.into_response();
            let value = HeaderValue::from_static("Bearer error=\"insufficient_scope\", scope=\"openid\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
            response
        }
        Ok(Err(AuthFailure::Missing)) => challenge(""),
        Ok(Err(_)) => challenge(", error=\"invalid_token\""),
        Err(fault) => OAuthError::from(fault).respond(&app, &moment),
    }
}

/// 401 as RFC 6750 §3 wants it.
fn challenge(detail: &str) -> Response {
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer realm=\"\"{detail}")) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
