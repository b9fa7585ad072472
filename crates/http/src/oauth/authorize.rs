//! The authorization endpoint (RFC 6749 §3.1). Until client and redirect address are proved, errors stay here (R27).

use super::error::OAuthError;
use crate::pages::{self, Look, too_large, unknown_tenant};
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use domain::id::AppId;
use http::{HeaderValue, Method, StatusCode, header};
use service::signin::{Beginning, Browser, ToClient};
use service::{Moment, TenantSegment};
use standards::oauth::Version;
use standards::oauth::authorize::{AuthorizeRequest, Identified, RequestError, ResponseMode};
use standards::oauth::params::Params;

pub(crate) async fn v1(state: State<App>, path: Path<String>, request: Request) -> Response {
    begin(state.0, path.0, Version::V1, request).await
}

pub(crate) async fn v2(state: State<App>, path: Path<String>, request: Request) -> Response {
    begin(state.0, path.0, Version::V2, request).await
}

async fn begin(app: App, segment: String, version: Version, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let look = Look::new(&app, &moment, known);
    let tenant = match app.service.find_tenant(&segment) {
        Ok(TenantSegment::One(tenant)) => Some(tenant),
        Ok(TenantSegment::Any) => None,
        Ok(TenantSegment::Consumers | TenantSegment::Unknown) => {
            return look.refuse_request(None, &unknown_tenant()).await;
        }
        Err(fault) => return look.fault(fault),
    };
    let raw = match *request.method() {
        Method::POST => match edge::form(request).await {
            Some(body) => body.to_vec(),
            None => return look.refuse_request(tenant.as_deref(), &too_large()).await,
        },
        _ => request.uri().query().unwrap_or_default().as_bytes().to_vec(),
    };
    let parsed = Params::parse(&raw).map_err(RequestError::from);
    let identified = parsed.as_ref().map_err(Clone::clone).and_then(Identified::parse);
    let (params, identified) = match (parsed, identified) {
        (Ok(params), Ok(identified)) => (params, identified),
        (Err(error), _) | (_, Err(error)) => {
            return look.refuse_request(tenant.as_deref(), &error).await;
        }
    };
    let client = AppId::new(identified.client_id);
    let redirect = identified.redirect_uri.as_deref();
    match app.service.admit_client(tenant.as_deref(), client, redirect, &moment).await {
        Ok(Ok(())) => {}
        Ok(Err(denial)) => return look.denied(tenant.as_deref(), denial),
        Err(fault) => return look.fault(fault),
    }
    let request = match AuthorizeRequest::parse(&params, version) {
        Ok(request) => request,
        Err(error) => {
            if let Err(fault) =
                app.service.record_malformed(tenant.as_ref().map(|t| t.id), error.number, &moment).await
            {
                return look.fault(fault);
            }
            return to_client_error(&identified, &error.into(), &app, &moment);
        }
    };
    match app.service.admit_response(tenant.as_ref().map(|tenant| tenant.id), &request, &moment).await {
        Ok(Ok(())) => {}
        Ok(Err(denial)) => {
            return to_client_error(&identified, &OAuthError::at_authorize(denial), &app, &moment);
        }
        Err(fault) => return look.fault(fault),
    }
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let Ok(raw) = String::from_utf8(raw) else {
        return look.refuse_request(tenant.as_deref(), &too_large()).await;
    };
    let beginning = Beginning::Authorize { raw, request: Box::new(request) };
    match app.service.begin(tenant.map(|tenant| tenant.id), beginning, browser, &moment).await {
        Ok(progress) => pages::signin::show(&look.with(browser), progress),
        Err(fault) => look.fault(fault),
    }
}

/// An error for the application, where its address is proved.
fn to_client_error(identified: &Identified, error: &OAuthError, app: &App, moment: &Moment) -> Response {
    let mut fields = error_fields(error, app, moment);
    if let Some(state) = &identified.state {
        fields.push(("state", state.clone()));
    }
    deliver(identified.redirect_uri.as_deref().unwrap_or_default(), identified.response_mode, &fields)
}

/// What MSAL JS looks at: code and `suberror`, and the number at the end of `error_uri` (clients §3).
fn error_fields(error: &OAuthError, app: &App, moment: &Moment) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("error", error.code.as_str().to_owned()),
        ("error_description", error.description(moment)),
        ("error_uri", format!("{}/error?code={}", app.service.settings().base, error.number)),
    ];
    if let Some(suberror) = error.suberror {
        fields.push(("suberror", suberror.to_owned()));
    }
    fields
}

/// The answer of a finished sign-in.
pub(crate) fn answer(to_client: &ToClient, app: &App, moment: &Moment) -> Response {
    let ToClient { request, outcome } = to_client;
    let mut fields = Vec::new();
    match outcome {
        Ok(granted) => {
            let tokens = match app.service.mint_front_channel(granted, moment) {
                Ok(tokens) => tokens,
                Err(fault) => return OAuthError::from(fault).respond(app, moment),
            };
            if let Some(code) = &granted.code {
                fields.push(("code", code.clone()));
            }
            if let Some((access, scope)) = tokens.access {
                fields.push(("access_token", access.token));
                fields.push(("token_type", "Bearer".to_owned()));
                fields.push(("expires_in", access.expires_in.to_string()));
                fields.push(("scope", scope));
            }
            if let Some(id_token) = tokens.id_token {
                fields.push(("id_token", id_token));
            }
            if let Some(client_info) = &granted.client_info {
                fields.push(("client_info", client_info.clone()));
            }
        }
        Err(denial) => {
            fields = error_fields(&OAuthError::at_authorize(*denial), app, moment);
        }
    }
    if let Some(state) = &request.state {
        fields.push(("state", state.clone()));
    }
    if let Ok(granted) = outcome {
        fields.push(("session_state", granted.session.to_string()));
    }
    deliver(request.redirect_uri.as_deref().unwrap_or_default(), request.mode(), &fields)
}

/// Sends fields to the redirect address, which is used byte for byte (R27).
pub(crate) fn deliver(redirect: &str, mode: ResponseMode, fields: &[(&str, String)]) -> Response {
    let encoded = || {
        let mut encoder = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            encoder.append_pair(name, value);
        }
        // A space as %20 is read alike by query and fragment parsers.
        encoder.finish().replace('+', "%20")
    };
    let url = match mode {
        ResponseMode::FormPost => return pages::form_post(redirect, fields),
        ResponseMode::Fragment => format!("{redirect}#{}", encoded()),
        ResponseMode::Query => {
            let joint = if redirect.contains('?') { '&' } else { '?' };
            format!("{redirect}{joint}{}", encoded())
        }
    };
    redirect_to(&url)
}

/// 302 to a url that was checked before.
pub(crate) fn redirect_to(url: &str) -> Response {
    let mut response = StatusCode::FOUND.into_response();
    match HeaderValue::from_str(url) {
        Ok(location) => {
            response.headers_mut().insert(header::LOCATION, location);
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
