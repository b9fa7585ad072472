//! Requests for approval, at `/myapps/requests`: what waits, and the reviewer's no. A yes is the agreement for everybody, asked
//! for at the admin consent endpoint.

use super::{Look, signin, too_large, view};
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::Response;
use domain::id::TenantId;
use domain::issuance::Denial;
use domain::issuance::consent_request::{Outcome, ReviewRefusal, Status};
use http::StatusCode;
use service::TenantSegment;
use service::consent_requests::{Review, ReviewItem};
use service::signin::{Beginning, Browser, name_of};
use standards::oauth::params::Params;
use uuid::Uuid;

fn page_name(tenant: TenantId) -> String {
    format!("requests {tenant}")
}

pub(crate) async fn show(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let look = Look::new(&app, &moment, known).with(browser);
    let params = Params::parse(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let text = |name| params.take(name).ok().flatten();
    let tenant = match text("tenant") {
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
    let about = text("request").and_then(|id| Uuid::parse_str(id).ok());
    list(&look, tenant, browser, about, None).await
}

/// The list; without a session the person signs in first.
async fn list(
    look: &Look<'_>,
    tenant: Option<TenantId>,
    browser: Browser,
    about: Option<Uuid>,
    notice: Option<String>,
) -> Response {
    let (service, now) = (&look.app.service, look.moment.now);
    if let Some(tenant) = tenant {
        edge::line::note_tenant(tenant);
    }
    let found = tenant.map_or(Ok(None), |tenant| service.review(tenant, browser, about, now));
    match found {
        Err(fault) => look.fault(fault),
        Ok(Some(Ok(review))) => page(look, &review, browser, notice),
        Ok(Some(Err(tenant))) => {
            let page = view::MessagePage {
                chrome: look.chrome(Some(&tenant)),
                title: "You review no requests here".to_owned(),
                text: "Requests are looked at by the reviewers that the organisation named, and by administrators of \
                       applications."
                    .to_owned(),
                link: Some(("Go to My Apps".to_owned(), format!("/myapps?tenant={}", tenant.id))),
            };
            look.page(StatusCode::FORBIDDEN, &page)
        }
        Ok(None) => match service.begin(tenant, Beginning::Portal, browser, look.moment).await {
            Ok(progress) => signin::show(look, progress),
            Err(fault) => look.fault(fault),
        },
    }
}

fn page(look: &Look<'_>, review: &Review, browser: Browser, notice: Option<String>) -> Response {
    let (base, tenant) = (&look.app.service.settings().base, review.tenant.id);
    let can_approve = review.user.can_consent_for_all();
    let line = |item: &ReviewItem| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &item.request.app.to_string())
            .append_pair("scope", &item.request.scopes.join(" "))
            .finish();
        view::RequestLine {
            id: item.request.id.to_string(),
            app_name: item.app_name.clone(),
            publisher: item.publisher.clone(),
            asked_by: item.asked_by.clone(),
            reason: item.request.reason.clone(),
            permissions: item.request.permissions.clone(),
            asked_at: standards::time::entra_timestamp(item.request.created_at.millis()),
            expires_at: standards::time::entra_timestamp(item.request.expires_at.millis()),
            approve_url: can_approve.then(|| format!("{base}/{tenant}/v2.0/adminconsent?{query}")),
        }
    };
    // A link from a mail may be older than the answer.
    let notice = notice.or_else(|| {
        let found = review.found.as_ref()?;
        match (found.status(look.moment.now), found.decision.as_ref().map(|decision| decision.outcome)) {
            (Status::InProgress, _) => None,
            (_, Some(outcome)) => Some(format!("That request was {} already.", outcome.as_str())),
            (_, None) => Some("That request has expired.".to_owned()),
        }
    });
    let page = view::RequestsPage {
        chrome: look.chrome(Some(&review.tenant)),
        action_url: format!("{base}/myapps/requests"),
        proof: browser.page_proof(&page_name(tenant)),
        tenant: tenant.to_string(),
        user_name: review.user.display_name.clone(),
        sign_in_name: name_of(&review.user),
        notice,
        requests: review.items.iter().map(line).collect(),
        can_approve,
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
    let tenant: Option<TenantId> = text("tenant").parse().ok();
    let is_proof = |browser: &Browser, tenant| browser.is_page_proof(&page_name(tenant), text("proof"));
    let proved = browser.zip(tenant).filter(|(browser, tenant)| is_own && is_proof(browser, *tenant));
    let outcome = match text("action") {
        "deny" => Some(Outcome::Denied),
        "block" => Some(Outcome::Blocked),
        _ => None,
    };
    let asked = Uuid::parse_str(text("request")).ok().zip(outcome);
    let (Some((browser, tenant)), Some((id, outcome))) = (proved, asked) else {
        return look.refuse(None, Denial::FlowExpired).await;
    };
    let answer = (id, outcome, text("reason").to_owned());
    let notice = match app.service.decline_consent_request(tenant, browser, answer, &moment).await {
        Ok(None) => return look.refuse(None, Denial::NoSession).await,
        Ok(Some(Ok(()))) => format!("The request was {}.", outcome.as_str()),
        Ok(Some(Err(refusal))) => words(refusal).to_owned(),
        Err(fault) => return look.fault(fault),
    };
    list(&look, Some(tenant), browser, None, Some(notice)).await
}

fn words(refusal: ReviewRefusal) -> &'static str {
    match refusal {
        ReviewRefusal::Decided => "That request was answered already.",
        ReviewRefusal::Expired => "That request has expired.",
        ReviewRefusal::NotReviewer => "You do not review requests here any more.",
        ReviewRefusal::ReasonInvalid => "Write at most 500 characters of plain text.",
    }
}
