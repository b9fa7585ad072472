//! Signing out (OIDC RP-Initiated Logout): ends the browser's sessions and goes back to a registered address only.

use crate::pages::{self, Look};
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::Method;
use service::TenantSegment;
use service::portal::SignOut;
use standards::oauth::params::Params;

pub(crate) async fn end_session(
    State(app): State<App>,
    Path(segment): Path<String>,
    request: Request,
) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let browser = edge::browser(request.headers());
    let look = Look::new(&app, &moment, browser);
    let raw = match *request.method() {
        Method::POST => edge::form(request).await.map(|body| body.to_vec()).unwrap_or_default(),
        _ => request.uri().query().unwrap_or_default().as_bytes().to_vec(),
    };
    let tenant = match app.service.find_tenant(&segment) {
        Ok(TenantSegment::One(tenant)) => Some(tenant),
        Ok(_) => None,
        Err(fault) => return look.fault(fault),
    };
    let params = Params::parse(&raw).unwrap_or_default();
    let take = |name| params.take(name).ok().flatten().map(str::to_owned);
    let ask = SignOut {
        tenant: tenant.as_ref().map(|tenant| tenant.id),
        return_url: take("post_logout_redirect_uri"),
        id_token_hint: take("id_token_hint"),
        client_id: take("client_id").and_then(|id| id.parse().ok()),
        logout_hint: take("logout_hint"),
    };
    match app.service.sign_out_everywhere(ask, browser, &moment).await {
        Err(fault) => look.fault(fault),
        Ok(Some(url)) => {
            let joint = if url.contains('?') { '&' } else { '?' };
            let state = take("state")
                .map(|state| form_urlencoded::byte_serialize(state.as_bytes()).collect::<String>());
            let url = state.map_or_else(|| url.clone(), |state| format!("{url}{joint}state={state}"));
            crate::oauth::authorize::redirect_to(&url)
        }
        Ok(None) => pages::signed_out(&look, tenant.as_deref()),
    }
}
