//! My Apps, and what an error code means.

use super::{Look, signin, view};
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::Response;
use domain::id::TenantId;
use http::StatusCode;
use service::TenantSegment;
use service::signin::{Beginning, Browser};
use standards::oauth::params::Params;

/// My Apps of the tenant named in the query, else of the one the browser signed in to last.
pub(crate) async fn my_apps(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let look = Look::new(&app, &moment, known).with(browser);
    let params = Params::parse(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let tenant: Option<TenantId> = match params.take("tenant").ok().flatten() {
        Some(named) => match app.service.find_tenant(named) {
            Ok(TenantSegment::One(tenant)) => Some(tenant.id),
            Ok(_) => None,
            Err(fault) => return look.fault(fault),
        },
        None => match app.service.latest_tenant(browser, moment.now) {
            Ok(tenant) => tenant,
            Err(fault) => return look.fault(fault),
        },
    };
    if let Some(tenant) = tenant {
        edge::line::note_tenant(tenant);
    }
    let portal = match tenant.map(|tenant| app.service.portal(tenant, browser, moment.now)).transpose() {
        Ok(portal) => portal.flatten(),
        Err(fault) => return look.fault(fault),
    };
    let Some(portal) = portal else {
        return match app.service.begin(tenant, Beginning::Portal, browser, &moment).await {
            Ok(progress) => signin::show(&look, progress),
            Err(fault) => look.fault(fault),
        };
    };
    let base = &app.service.settings().base;
    let apps = portal
        .apps
        .into_iter()
        .map(|app| view::AppTile { name: app.name, url: app.url, description: app.description })
        .collect();
    let page = view::MyAppsPage {
        chrome: look.chrome(Some(&portal.tenant)),
        user_name: portal.user_name,
        sign_in_name: portal.sign_in_name,
        organization: portal.tenant.display_name.clone(),
        apps,
        may_create_tenant: portal.may_create_tenant,
        requests: portal.requests,
        tenant: portal.tenant.id.to_string(),
        sign_out_url: format!("{base}/{}/oauth2/v2.0/logout", portal.tenant.id),
    };
    look.page(StatusCode::OK, &page)
}

/// Where `error_uri` leads: the number, and where to look.
pub(crate) async fn error_code(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let look = Look::new(&app, &moment, None);
    let params = Params::parse(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let number: Option<u32> = params.take("code").ok().flatten().and_then(|code| code.parse().ok());
    let page = view::MessagePage {
        chrome: look.chrome(None),
        title: number.map_or_else(|| "Error codes".to_owned(), |number| format!("AADSTS{number}")),
        text: "The description that came with this code says what happened. The administrator of your organisation finds \
               the whole story in the sign-in log, by the correlation id."
            .to_owned(),
        link: None,
    };
    look.page(StatusCode::OK, &page)
}
