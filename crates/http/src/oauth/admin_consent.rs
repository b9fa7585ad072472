//! The admin consent endpoint (facts: protocol §10): an administrator agrees for everybody, and the application hears of it at
//! a registered address (R27).

use super::authorize::deliver;
use super::error::OAuthError;
use crate::pages::view::MessagePage;
use crate::pages::{self, Look, unknown_tenant};
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use domain::issuance::Denial;
use http::StatusCode;
use service::TenantSegment;
use service::signin::{AdminConsentAnswer, Beginning, Browser};
use standards::oauth::Version;
use standards::oauth::admin_consent::AdminConsentRequest;
use standards::oauth::authorize::{RequestError, ResponseMode};
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
    let raw = request.uri().query().unwrap_or_default().to_owned();
    let parsed = Params::parse(raw.as_bytes()).map_err(RequestError::from);
    let request = match parsed.and_then(|params| AdminConsentRequest::parse(&params, version)) {
        Ok(request) => Box::new(request),
        Err(error) => return look.refuse_request(tenant.as_deref(), &error).await,
    };
    match app.service.admit_admin_consent(tenant.as_deref(), &request, &moment).await {
        Ok(Ok(())) => {}
        Ok(Err(denial)) => return look.denied(tenant.as_deref(), denial),
        Err(fault) => return look.fault(fault),
    }
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let beginning = Beginning::AdminConsent { raw, request };
    match app.service.begin(tenant.map(|tenant| tenant.id), beginning, browser, &moment).await {
        Ok(progress) => pages::signin::show(&look.with(browser), progress),
        Err(fault) => look.fault(fault),
    }
}

/// The answer: at the application's address, or as a page where it gave none.
pub(crate) fn answer(answer: &AdminConsentAnswer, look: &Look<'_>) -> Response {
    let AdminConsentAnswer { request, tenant, app_name, outcome } = answer;
    let Some(redirect) = &request.redirect_uri else {
        return match outcome {
            Ok(()) => {
                let page = MessagePage {
                    chrome: look.chrome(Some(tenant)),
                    title: "Permissions granted".to_owned(),
                    text: format!(
                        "{app_name} may now do what you agreed to, for everyone in {}.",
                        tenant.display_name
                    ),
                    link: None,
                };
                look.page(StatusCode::OK, &page)
            }
            Err(denial) => look.denied(Some(tenant), *denial),
        };
    };
    let mut fields = vec![("tenant", tenant.id.to_string())];
    match outcome {
        Ok(()) => fields.push(("admin_consent", "True".to_owned())),
        Err(denial) => {
            let error = OAuthError::at_authorize(*denial);
            // COMPAT: not the word of the authorization endpoint (facts: protocol §10).
            let is_declined = *denial == Denial::ConsentDeclined;
            let code = if is_declined { "permission_denied" } else { error.code.as_str() };
            fields.push(("error", code.to_owned()));
            fields.push(("error_description", error.description(look.moment)));
        }
    }
    if outcome.is_ok() && !request.scope.is_empty() {
        fields.push(("scope", request.scope.join(" ")));
    }
    if let Some(state) = &request.state {
        fields.push(("state", state.clone()));
    }
    deliver(redirect, ResponseMode::Query, &fields)
}
