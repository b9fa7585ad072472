//! A person's organisations, at `/myapps/organizations`: the home, those they are in besides, and the way out of those. Asked
//! of whoever is signed in at home; without a session there the person signs in first.

use super::{Look, signin, too_large, view};
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::Response;
use domain::b2b::leaving::Refusal;
use domain::id::TenantId;
use domain::issuance::Denial;
use domain::signin::session::Session;
use http::StatusCode;
use service::Fault;
use service::organizations::Organization;
use service::signin::{Beginning, Browser, name_of};
use standards::oauth::params::Params;

/// Whoever is signed in at home.
struct Person {
    home: TenantId,
    session: Session,
}

impl Person {
    fn find(look: &Look<'_>, browser: Browser) -> Result<Option<Self>, Fault> {
        let found = look.app.service.session_at_home(browser, look.moment.now)?;
        let at_home = found.filter(|(_, session)| session.user.identity.is_none());
        Ok(at_home.map(|(home, session)| Self { home, session }))
    }

    /// What the proof on a confirmation page stands for: this person, and nowhere else.
    fn leaving(&self, place: TenantId) -> String {
        format!("leave {} {} {place}", self.home, self.session.user.id)
    }
}

pub(crate) async fn show(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let look = Look::new(&app, &moment, known).with(browser);
    match Person::find(&look, browser) {
        Ok(Some(person)) => list(&look, &person, None),
        Ok(None) => sign_in(&look, browser).await,
        Err(fault) => look.fault(fault),
    }
}

/// Sends the person to sign in: at the home that a session elsewhere names, else wherever they say.
async fn sign_in(look: &Look<'_>, browser: Browser) -> Response {
    let home = look.app.service.session_at_home(browser, look.moment.now).map(|found| {
        found.and_then(|(_, session)| session.user.identity).map(|identity| identity.home_tenant)
    });
    let begun = match home {
        Ok(home) => look.app.service.begin(home, Beginning::Portal, browser, look.moment).await,
        Err(fault) => Err(fault),
    };
    match begun {
        Ok(progress) => signin::show(look, progress),
        Err(fault) => look.fault(fault),
    }
}

fn list(look: &Look<'_>, person: &Person, notice: Option<String>) -> Response {
    edge::line::note_tenant(person.home);
    let found = match look.app.service.organizations(person.home, &person.session) {
        Ok(found) => found,
        Err(fault) => return look.fault(fault),
    };
    let line = |other: Organization| view::OrganizationLine {
        tenant: other.tenant.id.to_string(),
        name: other.tenant.display_name.clone(),
        account: other.account.sign_in_name,
        is_enabled: other.account.is_enabled,
    };
    let page = view::OrganizationsPage {
        chrome: look.chrome(Some(&found.home)),
        home: person.home.to_string(),
        user_name: person.session.user.display_name.clone(),
        sign_in_name: name_of(&person.session.user),
        notice,
        others: found.others.into_iter().map(line).collect(),
    };
    look.page(StatusCode::OK, &page)
}

/// Asks before anything is done.
pub(crate) async fn ask_to_leave(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let look = Look::new(&app, &moment, known).with(browser);
    let params = Params::parse(request.uri().query().unwrap_or_default().as_bytes()).unwrap_or_default();
    let place = params.take("tenant").ok().flatten().and_then(|tenant| tenant.parse::<TenantId>().ok());
    let person = match Person::find(&look, browser) {
        Ok(Some(person)) => person,
        Ok(None) => return sign_in(&look, browser).await,
        Err(fault) => return look.fault(fault),
    };
    let found = place.map(|place| app.service.organization_of(person.home, &person.session, place));
    let other = match found.transpose().map(Option::flatten) {
        Ok(Some(other)) => other,
        Ok(None) => return list(&look, &person, Some(words(Refusal::NotThere).to_owned())),
        Err(fault) => return look.fault(fault),
    };
    let base = &app.service.settings().base;
    let page = view::ConfirmPage {
        chrome: look.chrome(None),
        title: format!("Leave {}?", other.tenant.display_name),
        lines: vec![
            format!(
                "Your account {} there is deleted, and what you are signed in to with it ends now.",
                other.account.sign_in_name
            ),
            "For 30 days an administrator of the organisation can bring the account back. After that, you come back \
             only by a new invitation."
                .to_owned(),
        ],
        action_url: format!("{base}/myapps/organizations/leave"),
        proof: browser.page_proof(&person.leaving(other.tenant.id)),
        tenant: other.tenant.id.to_string(),
        action: "leave",
        button: "Leave the organisation",
        back_url: "/myapps/organizations".to_owned(),
    };
    look.page(StatusCode::OK, &page)
}

pub(crate) async fn leave(State(app): State<App>, request: Request) -> Response {
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
    let Some((browser, place)) = browser.filter(|_| is_own).zip(text("tenant").parse::<TenantId>().ok())
    else {
        return look.refuse(None, Denial::FlowExpired).await;
    };
    let person = match Person::find(&look, browser) {
        Ok(Some(person)) => person,
        Ok(None) => return look.refuse(None, Denial::NoSession).await,
        Err(fault) => return look.fault(fault),
    };
    if !browser.is_page_proof(&person.leaving(place), text("proof")) {
        return look.refuse(None, Denial::FlowExpired).await;
    }
    match app.service.leave_organization(person.home, &person.session, place, &moment).await {
        Ok(Ok(())) => list(&look, &person, Some("You left the organisation.".to_owned())),
        Ok(Err(refusal)) => list(&look, &person, Some(words(refusal).to_owned())),
        Err(fault) => look.fault(fault),
    }
}

fn words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::AccountDisabled => {
            "Your account there is disabled. Ask the organisation's administrator if you want to leave."
        }
        Refusal::LastAdministrator => {
            "Nobody else administers that organisation. Make somebody else a Global Administrator first."
        }
        Refusal::NotSignedIn => "You are signed out. Sign in again.",
        Refusal::NotThere => "You do not belong to that organisation, or it is your home.",
    }
}
