//! A signed-in person makes an organisation, at `/myapps/new`. Without a session the person signs in first.

use super::{Look, signin, too_large, view};
use crate::oauth::authorize::redirect_to;
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::Response;
use domain::issuance::Denial;
use domain::signin::session::Session;
use domain::tenancy::creation::{Ask, Refusal};
use domain::verdict::Verdict;
use http::StatusCode;
use service::TenantSegment;
use service::signin::{Beginning, Browser, name_of};
use standards::oauth::params::Params;

pub(crate) async fn show(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let look = Look::new(&app, &moment, known).with(browser);
    match app.service.session_at_home(browser, moment.now) {
        Ok(Some((tenant, session))) => {
            page(&look, browser, &tenant.to_string(), &session, None, &Params::default())
        }
        Err(fault) => look.fault(fault),
        Ok(None) => match app.service.begin(None, Beginning::Portal, browser, &moment).await {
            Ok(progress) => signin::show(&look, progress),
            Err(fault) => look.fault(fault),
        },
    }
}

fn page(
    look: &Look<'_>,
    browser: Browser,
    tenant: &str,
    session: &Session,
    error: Option<String>,
    given: &Params,
) -> Response {
    let text = |name| given.take(name).ok().flatten().unwrap_or_default().to_owned();
    let settings = look.app.service.settings();
    let page = view::NewOrganizationPage {
        chrome: look.chrome(None),
        action_url: format!("{}/myapps/new", settings.base),
        proof: browser.page_proof("new organization"),
        tenant: tenant.to_owned(),
        sign_in_name: name_of(&session.user),
        suffix: settings.tenants_under.as_ref().map(ToString::to_string).unwrap_or_default(),
        error,
        organization: text("organization"),
        name: text("name"),
    };
    look.page(StatusCode::OK, &page)
}

pub(crate) async fn submit(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let is_own = edge::is_own_origin(request.headers(), &app.service.settings().base);
    let browser = edge::browser(request.headers());
    let look = Look::new(&app, &moment, browser);
    let params = match edge::form(request).await.map(|body| Params::parse(&body)) {
        Some(Ok(params)) => params,
        Some(Err(error)) => return look.refuse_request(None, &error.into()).await,
        None => return look.refuse_request(None, &too_large()).await,
    };
    let text = |name| params.take(name).ok().flatten().unwrap_or_default();
    let is_proof = |browser: &Browser| browser.is_page_proof("new organization", text("proof"));
    let Some(browser) = browser.filter(|browser| is_own && is_proof(browser)) else {
        return look.refuse(None, Denial::FlowExpired).await;
    };
    let tenant = match app.service.find_tenant(text("tenant")) {
        Ok(TenantSegment::One(tenant)) => tenant.id,
        Ok(_) => return look.refuse(None, Denial::FlowExpired).await,
        Err(fault) => return look.fault(fault),
    };
    let session = match app.service.portal_session(tenant, browser, moment.now) {
        Ok(Some(session)) => session,
        Ok(None) => return look.refuse(None, Denial::NoSession).await,
        Err(fault) => return look.fault(fault),
    };
    let ask = Ask { display_name: text("organization").to_owned(), name: text("name").trim().to_owned() };
    match app.service.create_own_tenant(tenant, session.user.id, ask, &moment).await {
        Ok(Verdict::Granted(made, _)) => {
            redirect_to(&format!("{}/myapps?tenant={}", app.service.settings().base, made.id))
        }
        Ok(Verdict::Refused(refusal, _)) => {
            page(&look, browser, text("tenant"), &session, Some(words(refusal)), &params)
        }
        Err(fault) => look.fault(fault),
    }
}

fn words(refusal: Refusal) -> String {
    match refusal {
        Refusal::DisplayNameInvalid => "Give the organisation a name of at most 256 characters.".to_owned(),
        Refusal::DomainTaken => {
            "Another organisation has that domain already, or had it lately. Choose another one.".to_owned()
        }
        Refusal::NameInvalid => {
            "The domain begins with 1 to 27 letters and digits, the first a letter.".to_owned()
        }
        Refusal::NotAllowed => {
            "Your organisation lets only its administrators create others. Ask one of them.".to_owned()
        }
        Refusal::NotAtHome => {
            "You are a guest here. Sign in to your own organisation, and create it from there.".to_owned()
        }
        Refusal::NotOffered => {
            "Organisations are made by the people who run this service. Ask them for one.".to_owned()
        }
        Refusal::PersonFull => {
            "You belong to as many organisations as one person can. Leave one that you do not need any more."
                .to_owned()
        }
        Refusal::TooManyTenants { most, .. } => {
            format!(
                "You created {most} organisations, as many as one person can. Delete one that you do not need any more."
            )
        }
    }
}
