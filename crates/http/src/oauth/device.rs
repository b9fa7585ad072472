//! The device authorization endpoint (RFC 8628 §3.1), beside the token endpoint, where msal-node computes it (clients 6).

use super::error::{OAuthError, json};
use super::token::{place, refuse};
use crate::pages::too_large;
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use service::Moment;
use standards::oauth::Version;
use standards::oauth::authorize::RequestError;
use standards::oauth::device::DeviceRequest;
use standards::oauth::params::Params;

pub(crate) async fn v1(state: State<App>, path: Path<String>, request: Request) -> Response {
    post(state.0, path.0, Version::V1, request).await
}

pub(crate) async fn v2(state: State<App>, path: Path<String>, request: Request) -> Response {
    post(state.0, path.0, Version::V2, request).await
}

async fn post(app: App, segment: String, version: Version, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    match answer(&app, &segment, version, request, &moment).await {
        Ok(response) => response,
        Err(error) => error.respond(&app, &moment),
    }
}

async fn answer(
    app: &App,
    segment: &str,
    version: Version,
    request: Request,
    moment: &Moment,
) -> Result<Response, OAuthError> {
    let parsed = edge::form(request)
        .await
        .ok_or_else(too_large)
        .and_then(|body| Params::parse(&body).map_err(RequestError::from))
        .and_then(|params| DeviceRequest::parse(&params, version));
    let tenant = place(app, segment, moment).await?;
    let request = match parsed {
        Ok(request) => request,
        Err(error) => {
            return Err(refuse(app, tenant.map(|tenant| tenant.id), error.into(), moment).await);
        }
    };
    match app.service.authorize_device(tenant.as_deref(), request, moment).await? {
        Ok(codes) => Ok(json(StatusCode::OK, &codes)),
        Err(denial) => Err(denial.into()),
    }
}
