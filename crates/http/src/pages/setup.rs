//! The first administrator of a new deployment, by a one-time link from the console.

use super::{Look, view};
use crate::oauth::authorize::redirect_to;
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::Response;
use domain::issuance::Denial;
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::TenantSettings;
use http::StatusCode;
use service::tenants::{NewPerson, NewTenant, first_administrator};
use standards::oauth::params::Params;
use std::collections::BTreeMap;

pub(crate) async fn show(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let look = Look::new(&app, &moment, None);
    let params = Params::parse(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let token = params.take("token").ok().flatten().unwrap_or_default();
    match app.service.is_setup_link_open(token, moment.now) {
        Ok(true) => page(&look, token, None, &Params::default()),
        Ok(false) => look.refuse(None, Denial::FlowExpired).await,
        Err(fault) => look.fault(fault),
    }
}

fn page(look: &Look<'_>, token: &str, error: Option<&str>, given: &Params) -> Response {
    let text = |name| given.take(name).ok().flatten().unwrap_or_default().to_owned();
    let page = view::FirstAdminPage {
        chrome: look.chrome(None),
        action_url: format!("{}/setup", look.app.service.settings().base),
        token: token.to_owned(),
        error: error.map(str::to_owned),
        organization: text("organization"),
        domain: text("domain"),
        user_name: text("user_name"),
        display_name: text("display_name"),
    };
    look.page(StatusCode::OK, &page)
}

pub(crate) async fn submit(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let is_own = edge::is_own_origin(request.headers(), &app.service.settings().base);
    let look = Look::new(&app, &moment, None);
    let params = edge::form(request).await.and_then(|body| Params::parse(&body).ok());
    let Some(params) = params.filter(|_| is_own) else {
        return look.refuse(None, Denial::FlowExpired).await;
    };
    let text = |name| params.take(name).ok().flatten().unwrap_or_default().trim().to_owned();
    let token = text("token");
    match app.service.is_setup_link_open(&token, moment.now) {
        Ok(true) => {}
        Ok(false) => return look.refuse(None, Denial::FlowExpired).await,
        Err(fault) => return look.fault(fault),
    }
    let Some(domain) = DomainName::parse(&text("domain")) else {
        return page(&look, &token, Some("The domain must look like contoso.example."), &params);
    };
    let password = params.take("new_password").ok().flatten().unwrap_or_default();
    if params.take("confirm_password").ok().flatten() != Some(password) {
        return page(&look, &token, Some("The two passwords must be the same."), &params);
    }
    let organization = text("organization");
    if organization.is_empty() || organization.chars().count() > 256 {
        return page(&look, &token, Some("Give the organisation a name of at most 256 characters."), &params);
    }
    let display_name =
        Some(text("display_name")).filter(|name| !name.is_empty()).unwrap_or_else(|| text("user_name"));
    let tenant = NewTenant {
        id: None,
        display_name: organization,
        initial_domain: domain,
        other_domains: Vec::new(),
        region_scope: "WW".to_owned(),
        region_sub_scope: None,
        settings: TenantSettings::for_region("WW"),
    };
    let admin = NewPerson {
        id: None,
        sign_in_name: text("user_name"),
        display_name: display_name.chars().take(256).collect(),
        password: password.to_owned(),
        roles: first_administrator(),
        profile: BTreeMap::new(),
    };
    match app.service.redeem_setup_link(&token, tenant, admin, &moment).await {
        Ok(Ok(tenant)) => redirect_to(&format!("{}/myapps?tenant={tenant}", app.service.settings().base)),
        Ok(Err(refusal)) => page(&look, &token, Some(refusal.as_str()), &params),
        Err(fault) => look.fault(fault),
    }
}
