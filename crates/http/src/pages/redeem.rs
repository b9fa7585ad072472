//! An invitation's link, and the home tenant's answer.

use super::{Look, signin};
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use domain::id::{InvitationId, TenantId};
use domain::issuance::Denial;
use http::{Method, StatusCode};
use service::signin::{Beginning, Browser};
use standards::oauth::params::Params;

/// Opens an invitation. The link is a hint: what counts is the sign-in that follows (R05).
pub(crate) async fn open(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let look = Look::new(&app, &moment, known).with(browser);
    let Some((tenant, invitation, ticket)) = link(request.uri().query()) else {
        return look.refuse(None, Denial::InvitationUnknown).await;
    };
    edge::line::note_tenant(tenant);
    match app
        .service
        .begin(Some(tenant), Beginning::Redemption { invitation, ticket }, browser, &moment)
        .await
    {
        Ok(progress) => signin::show(&look, progress),
        Err(fault) => look.fault(fault),
    }
}

fn link(query: Option<&str>) -> Option<(TenantId, InvitationId, String)> {
    let params = Params::parse(query.unwrap_or_default().as_bytes()).ok()?;
    let take = |name| params.take(name).ok().flatten();
    Some((take("tenant")?.parse().ok()?, take("user")?.parse().ok()?, take("ticket")?.to_owned()))
}

/// The home tenant's answer at the resource tenant.
pub(crate) async fn come_back(
    State(app): State<App>,
    Path(tenant): Path<String>,
    request: Request,
) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let browser = edge::browser(request.headers());
    let look = Look::new(&app, &moment, browser);
    let params = Params::parse(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let take = |name| params.take(name).ok().flatten();
    let (Some(browser), Ok(tenant), Some(state)) = (browser, tenant.parse::<TenantId>(), take("state"))
    else {
        return look.refuse(None, Denial::FlowExpired).await;
    };
    match app.service.receive(tenant, state, take("code"), browser, &moment).await {
        Ok(progress) => signin::show(&look, progress),
        Err(fault) => look.fault(fault),
    }
}

/// "Block future invitations": asks first, then blocks.
pub(crate) async fn block(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let look = Look::new(&app, &moment, None);
    let is_post = request.method() == Method::POST;
    let Some((tenant, invitation, ticket)) = link(request.uri().query()) else {
        return look.refuse(None, Denial::InvitationUnknown).await;
    };
    edge::line::note_tenant(tenant);
    let chrome = look.chrome(None);
    if !is_post {
        let action = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let page = super::view::BlockMailPage { chrome, action };
        return look.page(StatusCode::OK, &page);
    }
    match app.service.block_invitation_mail(tenant, invitation, &ticket, &moment).await {
        Ok(true) => {
            let title = "No more invitations".to_owned();
            let text = "This organisation will not send you invitation mail again.".to_owned();
            look.page(StatusCode::OK, &super::view::MessagePage { chrome, title, text, link: None })
        }
        Ok(false) => look.denied(None, Denial::InvitationUnknown),
        Err(fault) => look.fault(fault),
    }
}
