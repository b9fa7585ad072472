//! Signing out (OIDC RP-Initiated Logout): ends the browser's sessions and goes back to a registered address only.

use crate::pages::{self, Look, too_large, unknown_tenant};
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use domain::tenancy::tenant::Tenant;
use http::Method;
use service::TenantSegment;
use service::portal::{SignOut, SignedOut};
use standards::oauth::params::{ParamError, Params};

pub(crate) async fn end_session(
    State(app): State<App>,
    Path(segment): Path<String>,
    request: Request,
) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let browser = edge::browser(request.headers());
    let look = Look::new(&app, &moment, browser);
    let tenant = match app.service.find_tenant(&segment) {
        Ok(TenantSegment::One(tenant)) => Some(tenant),
        Ok(TenantSegment::Any) => None,
        Ok(TenantSegment::Consumers | TenantSegment::Unknown) => {
            return look.refuse_request(None, &unknown_tenant()).await;
        }
        Err(fault) => return look.fault(fault),
    };
    let raw = match *request.method() {
        Method::POST => edge::form(request).await.map(|body| body.to_vec()),
        _ => Some(request.uri().query().unwrap_or_default().as_bytes().to_vec()),
    };
    // What cannot be read is not acted on: a lost hint would sign out others, too.
    let read = raw.ok_or_else(too_large).and_then(|raw| read(&raw, tenant.as_deref()).map_err(Into::into));
    let (ask, state) = match read {
        Ok(read) => read,
        Err(error) => return look.refuse_request(tenant.as_deref(), &error).await,
    };
    match app.service.sign_out_everywhere(ask, browser, &moment).await {
        Err(fault) => look.fault(fault),
        Ok(SignedOut { return_url, tell }) => {
            let return_url = return_url.map(|url| with_state(url, state.as_deref()));
            match return_url {
                // Nobody is to be told: there is nothing to wait for.
                Some(url) if tell.is_empty() => crate::oauth::authorize::redirect_to(&url),
                return_url => pages::signed_out(&look, tenant.as_deref(), return_url, tell),
            }
        }
    }
}

fn with_state(url: String, state: Option<&str>) -> String {
    let Some(state) = state else { return url };
    let joint = if url.contains('?') { '&' } else { '?' };
    let state: String = form_urlencoded::byte_serialize(state.as_bytes()).collect();
    format!("{url}{joint}state={state}")
}

/// What is asked, and the `state` to give back.
fn read(raw: &[u8], tenant: Option<&Tenant>) -> Result<(SignOut, Option<String>), ParamError> {
    let params = Params::parse(raw)?;
    let take = |name| Ok::<_, ParamError>(params.take(name)?.map(str::to_owned));
    let ask = SignOut {
        tenant: tenant.map(|tenant| tenant.id),
        return_url: take("post_logout_redirect_uri")?,
        id_token_hint: take("id_token_hint")?,
        client_id: params.take("client_id")?.and_then(|id| id.parse().ok()),
        logout_hint: take("logout_hint")?,
    };
    Ok((ask, take("state")?))
}
