//! A person's organisations, at `/myapps/organizations`: the home, those they are in besides, the way out of those,
//! and the end of those that they made. Asked of whoever is signed in at home; without a session there the person signs in first.

use super::{Look, signin, too_large, view};
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::Response;
use domain::b2b::leaving::Refusal as LeavingRefusal;
use domain::id::TenantId;
use domain::issuance::Denial;
use domain::signin::session::Session;
use domain::tenancy::deletion::{Left, Refusal as DeletionRefusal};
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

    /// What the proof on a confirmation page stands for: this person, there, and nothing else.
    fn proof_of(&self, deed: Deed, place: TenantId) -> String {
        format!("{} {} {} {place}", deed.as_str(), self.home, self.session.user.id)
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
        may_delete: other.may_delete,
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

/// What is done to one of the others.
#[derive(Clone, Copy)]
enum Deed {
    Delete,
    Leave,
}

impl Deed {
    /// The last segment of its address, and the action of its form.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Leave => "leave",
        }
    }

    /// What is said before it is done: title, lines and button.
    fn question(self, other: &Organization) -> (String, Vec<String>, &'static str) {
        let name = &other.tenant.display_name;
        match self {
            Self::Delete => {
                let names: Vec<_> = other.tenant.domains.iter().map(|domain| domain.name.as_str()).collect();
                let lines = vec![
                    format!("Nobody signs in to {name} from then on, and nothing brings it back."),
                    format!("Its names go with it: {}.", names.join(", ")),
                ];
                (format!("Delete {name}?"), lines, "Delete the organisation")
            }
            Self::Leave => {
                let account = &other.account.sign_in_name;
                let lines = vec![
                    format!("Your account {account} there is deleted, and what you are signed in to with it ends now."),
                    "For 30 days an administrator of the organisation can bring the account back. After that, you come \
                     back only by a new invitation."
                        .to_owned(),
                ];
                (format!("Leave {name}?"), lines, "Leave the organisation")
            }
        }
    }
}

pub(crate) async fn ask_to_delete(State(app): State<App>, request: Request) -> Response {
    ask(&app, request, Deed::Delete).await
}

pub(crate) async fn delete(State(app): State<App>, request: Request) -> Response {
    act(&app, request, Deed::Delete).await
}

pub(crate) async fn ask_to_leave(State(app): State<App>, request: Request) -> Response {
    ask(&app, request, Deed::Leave).await
}

pub(crate) async fn leave(State(app): State<App>, request: Request) -> Response {
    act(&app, request, Deed::Leave).await
}

/// Asks before anything is done.
async fn ask(app: &App, request: Request, deed: Deed) -> Response {
    let moment = edge::moment(app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    let look = Look::new(app, &moment, known).with(browser);
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
        Ok(None) => return list(&look, &person, Some(leaving_words(LeavingRefusal::NotThere).to_owned())),
        Err(fault) => return look.fault(fault),
    };
    let place = other.tenant.id;
    if matches!(deed, Deed::Delete) && other.may_delete {
        // What stands in the way is said before the question.
        match app.service.left_in_tenant(place) {
            Ok(left) if left == Left::default() => {}
            Ok(left) => return list(&look, &person, Some(deletion_words(DeletionRefusal::NotEmpty(left)))),
            Err(fault) => return look.fault(fault),
        }
    }
    let (title, lines, button) = deed.question(&other);
    let page = view::ConfirmPage {
        chrome: look.chrome(None),
        title,
        lines,
        action_url: format!("{}/myapps/organizations/{}", app.service.settings().base, deed.as_str()),
        proof: browser.page_proof(&person.proof_of(deed, place)),
        tenant: place.to_string(),
        action: deed.as_str(),
        button,
        back_url: "/myapps/organizations".to_owned(),
    };
    look.page(StatusCode::OK, &page)
}

async fn act(app: &App, request: Request, deed: Deed) -> Response {
    let moment = edge::moment(app, request.headers(), edge::peer(&request));
    let is_own = edge::is_own_origin(request.headers(), &app.service.settings().base);
    let browser = edge::browser(request.headers());
    let look = Look::new(app, &moment, browser);
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
    if !browser.is_page_proof(&person.proof_of(deed, place), text("proof")) {
        return look.refuse(None, Denial::FlowExpired).await;
    }
    let (home, session, service) = (person.home, &person.session, &app.service);
    let notice = match deed {
        Deed::Delete => service.delete_own_tenant(home, session, place, &moment).await.map(|outcome| {
            outcome.map_or_else(deletion_words, |()| "The organisation is deleted.".to_owned())
        }),
        Deed::Leave => service
            .leave_organization(home, session, place, &moment)
            .await
            .map(|outcome| outcome.map_or_else(leaving_words, |()| "You left the organisation.").to_owned()),
    };
    match notice {
        Ok(notice) => list(&look, &person, Some(notice)),
        Err(fault) => look.fault(fault),
    }
}

fn leaving_words(refusal: LeavingRefusal) -> &'static str {
    match refusal {
        LeavingRefusal::AccountDisabled => {
            "Your account there is disabled. Ask the organisation's administrator if you want to leave."
        }
        LeavingRefusal::LastAdministrator => {
            "Nobody else administers that organisation. Make somebody else a Global Administrator first."
        }
        LeavingRefusal::NotSignedIn => "You are signed out. Sign in again.",
        LeavingRefusal::NotThere => "You do not belong to that organisation, or it is your home.",
    }
}

/// Why a tenant is not deleted, in words; those of the command line, too.
pub fn deletion_words(refusal: DeletionRefusal) -> String {
    match refusal {
        DeletionRefusal::NotAdministrator => {
            "Only a Global Administrator of that organisation can delete it.".to_owned()
        }
        DeletionRefusal::NotCreator => {
            "Somebody else created that organisation. Ask the people who run this service to delete it."
                .to_owned()
        }
        DeletionRefusal::NotEmpty(left) => {
            let kinds: Vec<String> = left.kinds().map(|(count, kind)| format!("{kind} ({count})")).collect();
            format!("The organisation is not empty. Delete first what is still there: {}.", kinds.join(", "))
        }
        DeletionRefusal::NotSignedIn => leaving_words(LeavingRefusal::NotSignedIn).to_owned(),
        DeletionRefusal::NotThere => "There is no such organisation, or you do not belong to it.".to_owned(),
    }
}
