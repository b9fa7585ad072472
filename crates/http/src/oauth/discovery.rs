//! Metadata, keys and instance discovery: public, cacheable, open to every origin.

use super::error::OAuthError;
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use service::TenantSegment;
use standards::oauth::Version;
use standards::oauth::authorize::RequestError;
use standards::oauth::error::ErrorCode;
use standards::oauth::params::Params;
use standards::oidc::discovery::{Cloud, Document, instance};

pub(super) fn cacheable<T: serde::Serialize>(body: &T) -> Response {
    let mut response = (StatusCode::OK, serde_json::to_vec(body).unwrap_or_default()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=86400, private"));
    response
}

pub(crate) async fn v1(state: State<App>, path: Path<String>, request: Request) -> Response {
    configuration(&state.0, &path.0, Version::V1, &request)
}

pub(crate) async fn v2(state: State<App>, path: Path<String>, request: Request) -> Response {
    configuration(&state.0, &path.0, Version::V2, &request)
}

fn configuration(app: &App, segment: &str, version: Version, request: &Request) -> Response {
    let settings = app.service.settings();
    let found = app.service.find_tenant(segment);
    let host = host_of(&settings.base);
    let cloud = |region_scope, region_sub_scope| Cloud {
        instance_name: &settings.cloud_instance_name,
        graph_host: host,
        region_scope,
        region_sub_scope,
    };
    match found {
        Ok(TenantSegment::One(tenant)) => {
            let cloud = cloud(Some(tenant.region_scope.as_str()), tenant.region_sub_scope.as_deref());
            cacheable(&Document::new(&settings.base, &tenant.id.to_string(), true, version, &cloud))
        }
        Ok(TenantSegment::Any) => {
            cacheable(&Document::new(&settings.base, segment, false, version, &cloud(None, None)))
        }
        Ok(TenantSegment::Consumers | TenantSegment::Unknown) => {
            let shown: String = segment.chars().filter(|c| c.is_ascii_graphic()).take(64).collect();
            let text =
                format!("Tenant '{shown}' not found. Check to make sure you have the correct tenant ID.");
            let error = RequestError::new(ErrorCode::InvalidTenant, 90_002, text);
            OAuthError::from(error).respond(app, &edge::moment(app, request.headers(), edge::peer(request)))
        }
        Err(fault) => {
            OAuthError::from(fault).respond(app, &edge::moment(app, request.headers(), edge::peer(request)))
        }
    }
}

/// The host of the origin, without scheme.
pub(crate) fn host_of(base: &str) -> &str {
    base.split_once("://").map_or(base, |(_, host)| host)
}

/// The signing keys. They belong to the deployment, so each entry's issuer is the template (facts: protocol §1.1).
pub(crate) async fn keys(State(app): State<App>, Path(segment): Path<String>, request: Request) -> Response {
    match app.service.find_tenant(&segment) {
        Ok(TenantSegment::One(_) | TenantSegment::Any) => {
            let issuer = format!("{}/{{tenantid}}/v2.0", app.service.settings().base);
            let keys: Vec<_> = app.service.keys().published().iter().map(|key| key.to_jwk(&issuer)).collect();
            cacheable(&serde_json::json!({ "keys": keys }))
        }
        Ok(TenantSegment::Consumers | TenantSegment::Unknown) => {
            let error = RequestError::new(ErrorCode::InvalidTenant, 90_002, "The tenant was not found.");
            OAuthError::from(error)
                .respond(&app, &edge::moment(&app, request.headers(), edge::peer(&request)))
        }
        Err(fault) => OAuthError::from(fault)
            .respond(&app, &edge::moment(&app, request.headers(), edge::peer(&request))),
    }
}

/// MSAL's authority validation. Hosts are compared without their port: MSAL Python drops it (clients §1).
pub(crate) async fn instances(State(app): State<App>, request: Request) -> Response {
    let base = &app.service.settings().base;
    let own = host_of(base);
    let bare = |host: &str| host.rsplit_once(':').map_or(host.to_owned(), |(name, _)| name.to_owned());
    let params = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
    let asked = params
        .ok()
        .and_then(|params| params.take("authorization_endpoint").ok().flatten().map(str::to_owned));
    let url = asked.as_deref().and_then(|asked| url::Url::parse(asked).ok());
    let is_own =
        url.as_ref().is_some_and(|url| url.scheme() == "https" && url.host_str() == Some(bare(own).as_str()));
    if !is_own {
        let text = "Unknown or invalid instance. This cloud's own host is the only one.";
        let error = RequestError::new(ErrorCode::InvalidInstance, 50_049, text);
        return OAuthError::from(error)
            .respond(&app, &edge::moment(&app, request.headers(), edge::peer(&request)));
    }
    let segment =
        url.as_ref().and_then(|url| url.path_segments()?.next().map(str::to_owned)).unwrap_or_default();
    let is_plain =
        segment.len() <= 253 && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let segment = if is_plain && !segment.is_empty() { segment } else { "common".to_owned() };
    cacheable(&instance(base, own, &segment))
}
