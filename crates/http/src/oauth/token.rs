//! The token endpoint (RFC 6749 §3.2).

use super::error::{OAuthError, json};
use crate::pages::too_large;
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use domain::tenancy::tenant::Tenant;
use http::{StatusCode, header};
use service::{Moment, TenantSegment};
use standards::oauth::Version;
use standards::oauth::authorize::RequestError;
use standards::oauth::error::ErrorCode;
use standards::oauth::params::Params;
use standards::oauth::token::{Grant, TokenRequest};
use std::sync::Arc;

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

/// Another verb than POST (AADSTS900561).
pub(crate) async fn wrong_verb(
    State(app): State<App>,
    Path(segment): Path<String>,
    request: Request,
) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let text = "The endpoint only accepts POST requests.";
    let error = OAuthError::from(RequestError::new(ErrorCode::InvalidRequest, 900_561, text));
    let error = match app.service.find_tenant(&segment) {
        Ok(TenantSegment::One(tenant)) => refuse(&app, Some(tenant.id), error, &moment).await,
        Ok(TenantSegment::Any | TenantSegment::Consumers | TenantSegment::Unknown) => {
            refuse(&app, None, error, &moment).await
        }
        Err(fault) => fault.into(),
    };
    error.respond(&app, &moment)
}

async fn answer(
    app: &App,
    segment: &str,
    version: Version,
    request: Request,
    moment: &Moment,
) -> Result<Response, OAuthError> {
    let invalid =
        |number, text: &str| OAuthError::from(RequestError::new(ErrorCode::InvalidRequest, number, text));
    let has_origin = request.headers().contains_key(header::ORIGIN);
    let authorization = edge::text(request.headers(), &header::AUTHORIZATION).map(str::to_owned);
    let parsed = edge::form(request)
        .await
        .ok_or_else(too_large)
        .and_then(|body| Params::parse(&body).map_err(RequestError::from))
        .and_then(|params| TokenRequest::parse(&params, authorization.as_deref(), version));
    let tenant = place(app, segment, moment).await?.map(|tenant| tenant.id);
    let request = match parsed {
        Ok(request) => request,
        Err(error) => return Err(refuse(app, tenant, error.into(), moment).await),
    };
    if let Grant::DeviceCode { .. } = &request.grant {
        // The person's sign-in says which tenant: at `common` nobody else knows it.
        return match app.service.device_tokens(tenant, request, moment).await? {
            Ok(tokens) => Ok(json(StatusCode::OK, &tokens)),
            Err(denial) => Err(denial.into()),
        };
    }
    let tenant = match tenant {
        Some(tenant) => tenant,
        // The name says whose password it is; `common` would include personal accounts (facts: protocol §1).
        None if segment == "organizations" && matches!(request.grant, Grant::Password { .. }) => {
            match app.service.home_of_password(&request, moment).await? {
                Ok(tenant) => tenant,
                Err(denial) => return Err(denial.into()),
            }
        }
        // A code or refresh token names its tenant itself; an application must say which one it means.
        None => match app.service.tenant_of_grant(&request.grant) {
            Some(tenant) => tenant,
            None => {
                let text = "The grant type is not supported over the /common or /consumers endpoints. Use a tenant-specific endpoint.";
                return Err(refuse(app, None, invalid(9_001_023, text), moment).await);
            }
        },
    };
    match app.service.token(tenant, request, has_origin, moment).await? {
        Ok(tokens) => Ok(json(StatusCode::OK, &tokens)),
        Err(denial) => Err(denial.into()),
    }
}

/// The tenant of the address; `None` at `common` and `organizations`.
pub(super) async fn place(
    app: &App,
    segment: &str,
    moment: &Moment,
) -> Result<Option<Arc<Tenant>>, OAuthError> {
    let (number, text) = match app.service.find_tenant(segment)? {
        TenantSegment::One(tenant) => return Ok(Some(tenant)),
        TenantSegment::Any => return Ok(None),
        TenantSegment::Consumers => {
            (9_002_332, "The application is not supported for personal accounts.".to_owned())
        }
        TenantSegment::Unknown => {
            let shown: String = segment.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
            (
                90_002,
                format!("Tenant '{shown}' not found. Check to make sure you have the correct tenant ID."),
            )
        }
    };
    let error = RequestError::new(ErrorCode::InvalidRequest, number, text);
    Err(refuse(app, None, error.into(), moment).await)
}

/// A request that never reached a decision leaves its record too (R32).
pub(super) async fn refuse(
    app: &App,
    tenant: Option<domain::id::TenantId>,
    error: OAuthError,
    moment: &Moment,
) -> OAuthError {
    match app.service.record_malformed(tenant, error.number, moment).await {
        Ok(()) => error,
        Err(fault) => fault.into(),
    }
}
