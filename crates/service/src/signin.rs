//! Interactive sign-in: begin, submit, come back from home. Each call loads the stored attempt, lets the dispatcher
//! (`domain::signin::next`) say what comes next, and when nothing is missing asks the gate.

mod agreement;
mod approval;
mod finish;
mod home;

pub(crate) use agreement::publisher_of;
pub(crate) use home::keep_addresses;

use crate::{Fault, Moment, NOWHERE, Service, Settings};
use domain::audit::{Record, SignInKind, SignInRecord};
use domain::b2b::redemption::{self, Redemption};
use domain::directory::application::SharedApp;
use domain::directory::user::{ExternalState, SignInUser};
use domain::id::{AppId, AttemptId, InvitationId, SessionId, TenantId, UserId};
use domain::issuance::consent_request::Refusal;
use domain::issuance::decide::{admit, admit_admin_consent, admit_device, admit_response};
use domain::issuance::{Denial, Permit, denial_code};
use domain::proof::{ProofHash, ProofKind, ProofToken};
use domain::signin::anywhere::{self, Way};
use domain::signin::attempt::{Attempt, Consented, ProvedUser, Purpose, WaitingDevice};
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::signin::next::{self, Consent, NameProblem, Step};
use domain::signin::session::Session;
use domain::tenancy::realm_discovery::{self, Realm};
use domain::tenancy::tenant::Tenant;
use domain::time::{Span, Timestamp};
use domain::verdict::Trace;
use standards::oauth::Version;
use standards::oauth::admin_consent::AdminConsentRequest;
use standards::oauth::authorize::{AuthorizeRequest, ResponseType};
use standards::oauth::params;
use standards::{b64, crypto};
use std::sync::Arc;
use store::{Chore, ReadTx, Recorded, WriteTx};

/// The secret of a browser: a cookie. Tenants see only hashes of it, each its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Browser([u8; 32]);

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Browser(..)")
    }
}

impl Browser {
    /// A browser that has no cookie yet gets one.
    pub fn new(moment: &Moment) -> Self {
        Self(moment.entropy.bytes("browser"))
    }
    /// Reads the cookie: exactly 43 characters of base64url (R40).
    pub fn parse(text: &str) -> Option<Self> {
        b64::decode(text)?.try_into().ok().map(Self)
    }
    pub fn cookie(&self) -> String {
        b64::encode(&self.0)
    }
    pub(crate) fn at(&self, tenant: TenantId) -> ProofHash {
        ProofToken::new(ProofKind::Browser, tenant, self.0).hash()
    }
    /// The proof of origin that a form carries: only this browser's own pages know it.
    pub fn form_proof(&self, attempt: AttemptId) -> String {
        b64::encode(&crypto::hmac_sha256(&self.0, &[b"form", attempt.uuid().as_bytes()]))
    }
    /// The same for the page where a device's code is typed, which stands before any attempt.
    pub fn device_proof(&self) -> String {
        b64::encode(&crypto::hmac_sha256(&self.0, &[b"device page"]))
    }
    pub fn is_device_proof(&self, presented: &str) -> bool {
        crypto::constant_time_eq(self.device_proof().as_bytes(), presented.as_bytes())
    }
    /// The same for another page that stands beside sign-ins.
    pub fn page_proof(&self, page: &str) -> String {
        b64::encode(&crypto::hmac_sha256(&self.0, &[b"page", page.as_bytes()]))
    }
    pub fn is_page_proof(&self, page: &str, presented: &str) -> bool {
        crypto::constant_time_eq(self.page_proof(page).as_bytes(), presented.as_bytes())
    }
    /// Seals what a consent page said into its form: a yes to another list is told apart (R28).
    pub fn shown_proof(&self, attempt: AttemptId, shown: &[u8; 32]) -> String {
        b64::encode(&crypto::hmac_sha256(&self.0, &[b"shown", attempt.uuid().as_bytes(), shown]))
    }
    fn is_shown_proof(&self, attempt: AttemptId, shown: &[u8; 32], presented: &str) -> bool {
        crypto::constant_time_eq(self.shown_proof(attempt, shown).as_bytes(), presented.as_bytes())
    }
    pub fn is_form_proof(&self, attempt: AttemptId, presented: &str) -> bool {
        crypto::constant_time_eq(self.form_proof(attempt).as_bytes(), presented.as_bytes())
    }
}

/// What the person answered on a page.
#[derive(Clone, Debug)]
pub enum Answer {
    Back,
    ApprovalReason(String),
    ChangePassword {
        new: String,
    },
    /// `shown` is the form's proof of what the page said.
    Consent {
        accepted: bool,
        for_organization: bool,
        shown: String,
    },
    Device {
        confirmed: bool,
    },
    Name(String),
    OtherAccount,
    Password(String),
    PickSession {
        tenant: Option<TenantId>,
        session: SessionId,
    },
    Redemption {
        accepted: bool,
    },
    StaySignedIn(bool),
}

/// Where the browser goes now.
#[derive(Clone, Debug)]
pub enum Progress {
    /// An administrator agreed for everybody, or something was in the way that the application hears of.
    AdminConsent(Box<AdminConsentAnswer>),
    /// Reviewers were asked; nothing is left to do in this browser.
    ApprovalAsked {
        tenant: Arc<Tenant>,
        app_name: String,
    },
    /// A device may fetch its tokens; nothing is left to do in this browser.
    DeviceDone {
        tenant: Arc<Tenant>,
        app_name: String,
    },
    /// A code (or an error) for the application that asked.
    ToClient(Box<ToClient>),
    /// To another tenant's sign-in, this user's home.
    ToHome {
        url: String,
    },
    Page(Box<Page>),
    /// The tenant's own pages.
    ToPortal {
        tenant: TenantId,
    },
    /// After redemption; the host is shown first when the address is not one of the tenant's own (R06).
    Redeemed {
        tenant: Arc<Tenant>,
        url: String,
        is_known: bool,
    },
    /// Nothing more happens here; shown as a page.
    Refused(Box<RefusedPage>),
}

/// The answer to an authorization request.
#[derive(Clone, Debug)]
pub struct ToClient {
    pub request: AuthorizeRequest,
    pub outcome: Result<Granted, Denial>,
}

/// The answer to an administrator's agreement.
#[derive(Clone, Debug)]
pub struct AdminConsentAnswer {
    pub request: AdminConsentRequest,
    pub tenant: Arc<Tenant>,
    pub app_name: String,
    pub outcome: Result<(), Denial>,
}

/// What a finished sign-in gives the client.
#[derive(Clone, Debug)]
pub struct Granted {
    pub code: Option<String>,
    pub client_info: Option<String>,
    pub session: SessionId,
    /// The person stays signed in: the session outlives the browser's closing.
    pub is_persistent: bool,
    /// Leave to mint what was asked besides a code.
    pub(crate) front_channel: Option<(Box<Permit>, ResponseType, Version)>,
}

/// A page that asks for something.
#[derive(Clone, Debug)]
pub struct Page {
    pub attempt: AttemptId,
    /// `None` at `common`, before the tenant is known.
    pub tenant: Option<Arc<Tenant>>,
    pub app_name: Option<String>,
    pub login: Option<String>,
    pub asks: Asks,
}

#[derive(Clone, Debug)]
pub enum Asks {
    /// Another account: this one may not agree for everybody.
    Administrator {
        user: UserView,
    },
    Approval(Box<ApprovalView>),
    Consent(Box<ConsentView>),
    /// Whether the person started what a device waits for; `address` is where the code was asked from.
    Device {
        user: UserView,
        publisher: Option<String>,
        address: Option<String>,
    },
    Name {
        problem: Option<NameProblem>,
    },
    NewPassword {
        problem: Option<&'static str>,
    },
    Password {
        problem: Option<PasswordProblem>,
    },
    Pick {
        accounts: Vec<AccountView>,
    },
    Redemption {
        user: UserView,
        home_name: Option<String>,
    },
    StaySignedIn {
        user: UserView,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordProblem {
    TooManyAttempts,
    Wrong,
}

#[derive(Clone, Debug)]
pub struct UserView {
    pub display_name: String,
    pub sign_in_name: String,
}

#[derive(Clone, Debug)]
pub struct AccountView {
    pub tenant: TenantId,
    pub session: SessionId,
    pub display_name: String,
    pub sign_in_name: String,
}

/// What the page says where an administrator has to agree and may be asked.
#[derive(Clone, Debug)]
pub struct ApprovalView {
    pub user: UserView,
    pub publisher: Option<String>,
    /// No reason that the person may give changes it.
    pub obstacle: Option<Refusal>,
    /// What was wrong with the reason.
    pub problem: Option<Refusal>,
}

/// What a consent page says.
#[derive(Clone, Debug)]
pub struct ConsentView {
    pub user: UserView,
    pub publisher: Option<String>,
    pub scopes: Vec<ScopeView>,
    /// What the application could do by itself: asked of administrators only.
    pub roles: Vec<ScopeView>,
    pub is_for_all: bool,
    pub can_consent_for_all: bool,
    /// The list is another than the one that was just answered.
    pub has_changed: bool,
    pub shown: [u8; 32],
}

#[derive(Clone, Debug)]
pub struct ScopeView {
    /// Which other application gets it, where that is not the one that asks.
    pub through: Option<String>,
    pub title: String,
    pub description: String,
    pub is_admin_only: bool,
}

/// A refusal that has no application to go back to, or must not go there.
#[derive(Clone, Debug)]
pub struct RefusedPage {
    pub tenant: Option<Arc<Tenant>>,
    pub denial: Denial,
}

/// What begins a sign-in.
#[derive(Clone, Debug)]
pub enum Beginning {
    /// An application asks an administrator; the request as it came and parsed.
    AdminConsent {
        raw: String,
        request: Box<AdminConsentRequest>,
    },
    /// An authorization request, as it came and parsed.
    Authorize {
        raw: String,
        request: Box<AuthorizeRequest>,
    },
    /// A code that was typed.
    Device(WaitingDevice),
    Portal,
    /// An invitation's link (R05: a hint).
    Redemption {
        invitation: InvitationId,
        ticket: String,
    },
}

/// What every step needs besides the attempt.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) settings: Arc<Settings>,
    pub(crate) browser: Browser,
    pub(crate) moment: Moment,
}

/// Wrong passwords for one user before it takes a pause, and how long the pause is. A stranger can make someone wait
/// fifteen minutes and no longer.
// DEFAULT: ten attempts in fifteen minutes: above what people mistype, 350,000 guesses a year at most.
const FAILURES: i64 = 10;
pub(crate) const FAILURE_WINDOW: Span = Span::minutes(15);
/// Wrong passwords from one network address, over all users.
const FAILURES_PER_ADDRESS: i64 = 100;

impl Service {
    /// Whether an authorization request may be answered at its redirect address. Refusals are recorded (R32).
    pub async fn admit_client(
        &self,
        tenant: Option<&Tenant>,
        client: AppId,
        redirect_uri: Option<&str>,
        moment: &Moment,
    ) -> Result<Result<(), Denial>, Fault> {
        let place = tenant.map_or(NOWHERE, |tenant| tenant.id);
        if let Some(tenant) = tenant
            && self.is_partner(client)?.is_some()
        {
            let is_own =
                redirect_uri == Some(&self.settings.federation_redirect(TenantId::new(client.uuid())));
            let is_self = client.uuid() == tenant.id.uuid();
            if is_own && !is_self {
                return Ok(Ok(()));
            }
        }
        let app = self.store.tenant(place).read(|tx| tx.find_app(client))?;
        match admit(app.as_deref(), tenant.map(|tenant| tenant.id), redirect_uri) {
            Ok(_) => Ok(Ok(())),
            Err(denial) => {
                self.record_refusal(tenant.map(|tenant| tenant.id), Some(client), denial, moment).await?;
                Ok(Err(denial))
            }
        }
    }

    /// Whether an administrator may be asked for this application here, and answered at that address (R27).
    pub async fn admit_admin_consent(
        &self,
        tenant: Option<&Tenant>,
        request: &AdminConsentRequest,
        moment: &Moment,
    ) -> Result<Result<(), Denial>, Fault> {
        let place = tenant.map_or(NOWHERE, |tenant| tenant.id);
        let client = AppId::new(request.client_id);
        let app = self.store.tenant(place).read(|tx| tx.find_app(client))?;
        let tenant = tenant.map(|tenant| tenant.id);
        let admitted = admit_admin_consent(app.as_deref(), tenant, request.redirect_uri.as_deref());
        if let Err(denial) = admitted {
            self.record_refusal(tenant, Some(client), denial, moment).await?;
        }
        Ok(admitted)
    }

    /// Whether the client may have what it asks for at the authorization endpoint. Refusals are recorded (R32).
    pub async fn admit_response(
        &self,
        tenant: Option<TenantId>,
        request: &AuthorizeRequest,
        moment: &Moment,
    ) -> Result<Result<(), Denial>, Fault> {
        let client = AppId::new(request.client_id);
        let app = self.store.tenant(tenant.unwrap_or(NOWHERE)).read(|tx| tx.find_app(client))?;
        // A partner tenant is no application: it gets codes only.
        let settings = app.map(|app| app.registration.front_channel).unwrap_or_default();
        let admitted = admit_response(settings, request.response_type);
        if let Err(denial) = admitted {
            self.record_refusal(tenant, Some(client), denial, moment).await?;
        }
        Ok(admitted)
    }

    /// The tenant that asks as a relying party, when a client id is a tenant's.
    fn is_partner(&self, client: AppId) -> Result<Option<Arc<Tenant>>, Fault> {
        Ok(self.store.read(|tx| tx.find_tenant(TenantId::new(client.uuid())))?)
    }

    /// Records a refusal that no attempt stands for; `tenant` is `None` where none is known (R32).
    pub async fn record_refusal(
        &self,
        tenant: Option<TenantId>,
        client: Option<AppId>,
        denial: Denial,
        moment: &Moment,
    ) -> Result<(), Fault> {
        self.record_error(tenant, client, denial_code(denial), moment).await
    }

    /// Records a request that was too malformed to decide about; `number` is the AADSTS number it was answered with.
    pub async fn record_malformed(
        &self,
        tenant: Option<TenantId>,
        number: u32,
        moment: &Moment,
    ) -> Result<(), Fault> {
        self.record_error(tenant, None, number, moment).await
    }

    async fn record_error(
        &self,
        tenant: Option<TenantId>,
        client: Option<AppId>,
        error_code: u32,
        moment: &Moment,
    ) -> Result<(), Fault> {
        let record = Record::SignIn(Box::new(SignInRecord {
            app: client,
            error_code,
            ..empty_record(SignInKind::Interactive, moment)
        }));
        let write = move |_: &WriteTx<'_>| Ok(Recorded::new(record.clone(), ()));
        match tenant {
            Some(tenant) => self.store.tenant(tenant).write(write).await?,
            None => self.store.write(write).await?,
        }
        Ok(())
    }

    /// Begins a sign-in in a tenant, or at `common` when `tenant` is `None`.
    pub async fn begin(
        &self,
        tenant: Option<TenantId>,
        beginning: Beginning,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Progress, Fault> {
        let place = tenant.unwrap_or(NOWHERE);
        let mut raw = String::new();
        let purpose = match beginning {
            Beginning::AdminConsent { raw: text, request } => {
                raw = text;
                Purpose::AdminConsent(request)
            }
            Beginning::Authorize { raw: text, mut request } => {
                raw = text;
                if let Some(name) = request.login_hint.as_deref().map(|hint| self.hinted_name(hint)) {
                    // An opaque hint stands for a name, and is one from here on.
                    if let Some(name) = name? {
                        raw = params::with_value(&raw, "login_hint", &name);
                        request.login_hint = Some(name);
                    }
                }
                match self.is_partner(AppId::new(request.client_id))? {
                    // Tenants speak v2 to each other.
                    Some(partner) if request.version == Version::V2 => Purpose::Partner(request, partner.id),
                    Some(_) | None => Purpose::Authorize(request),
                }
            }
            Beginning::Device(device) => Purpose::Device(Box::new(device)),
            Beginning::Portal => Purpose::Portal,
            Beginning::Redemption { invitation, ticket } => {
                let parsed =
                    ProofToken::parse(ProofKind::Ticket, &ticket).filter(|ticket| ticket.tenant == place);
                let row = match parsed {
                    None => None,
                    Some(ticket) => self
                        .store
                        .tenant(place)
                        .read(|tx| tx.find_invitation_by_ticket(invitation, ticket.hash()))?,
                };
                let Some(row) = row else {
                    let known = self.store.read(|tx| tx.find_tenant(place))?;
                    let record_at = known.as_ref().map(|tenant| tenant.id);
                    self.record_refusal(record_at, None, Denial::InvitationUnknown, moment).await?;
                    return Ok(refused(known, Denial::InvitationUnknown));
                };
                Purpose::Redemption(row.id)
            }
        };
        let attempt = Attempt {
            id: AttemptId::new(moment.entropy.uuid("attempt")),
            tenant: place,
            purpose,
            created_at: moment.now,
            login: None,
            picked: None,
            wants_other_account: false,
            proved: None,
            assertion: None,
            redemption_accepted_at: None,
            consented: None,
            device_confirmed_by: None,
            stay_signed_in: None,
        };
        if tenant.is_none() {
            return self.begin_anywhere(attempt, raw, browser, moment).await;
        }
        let context = Context { settings: Arc::clone(&self.settings), browser, moment: moment.clone() };
        let outcome = self.store.tenant(place).write(move |tx| {
            tx.add_attempt(&attempt, context.browser.at(place), &raw)?;
            advance(tx, attempt.clone(), &context, None)
        });
        Ok(outcome.await?)
    }

    /// The name behind a `login_hint` claim of ours, as its user signs in at home.
    fn hinted_name(&self, hint: &str) -> Result<Option<String>, Fault> {
        let Some((home, user)) = self.keys.read_login_hint(hint) else { return Ok(None) };
        if self.store.read(|tx| tx.find_tenant(home))?.is_none() {
            return Ok(None);
        }
        let user = self.store.tenant(home).read(|tx| tx.find_sign_in_user(user))?;
        Ok(user.map(|user| user.sign_in_name))
    }

    /// Begins at `common`: a hint, a single session or the typed name leads to the home tenant.
    async fn begin_anywhere(
        &self,
        attempt: Attempt,
        raw: String,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Progress, Fault> {
        let request = attempt.purpose.request();
        let hint = request.and_then(|r| r.login_hint.as_deref().or(r.domain_hint.as_deref()));
        let facts = anywhere::Facts {
            hint_leads_to: hint.map(|hint| self.home_of(hint)).transpose()?.flatten(),
            accounts: self.accounts_of(browser, moment.now)?,
        };
        let (login, asks) = match anywhere::way(request, &facts) {
            Way::GoTo { tenant, session } => {
                return self.move_to(tenant, attempt, raw, None, session, browser, moment).await;
            }
            Way::Refuse(denial) => {
                self.record_refusal(None, request.map(|r| AppId::new(r.client_id)), denial, moment).await?;
                return Ok(match attempt.purpose {
                    Purpose::Authorize(request) => {
                        Progress::ToClient(Box::new(ToClient { request: *request, outcome: Err(denial) }))
                    }
                    Purpose::AdminConsent(_)
                    | Purpose::Device(_)
                    | Purpose::Partner(..)
                    | Purpose::Portal
                    | Purpose::Redemption(_) => refused(None, denial),
                });
            }
            Way::AskName { is_hint_unknown: true } => {
                let login = request.and_then(|request| request.login_hint.clone());
                (login, Asks::Name { problem: Some(NameProblem::Unknown) })
            }
            Way::AskName { is_hint_unknown: false } => (None, Asks::Name { problem: None }),
            Way::PickAccount => {
                let views = facts.accounts.iter().map(|(tenant, session)| account_view(*tenant, session));
                (None, Asks::Pick { accounts: views.collect() })
            }
        };
        let page =
            Page { attempt: attempt.id, tenant: None, app_name: self.app_name(&attempt)?, login, asks };
        let write = move |tx: &WriteTx<'_>| {
            tx.add_attempt(&attempt, browser.at(NOWHERE), &raw)?;
            Ok(Recorded::chore(Chore::Progress, ()))
        };
        self.store.tenant(NOWHERE).write(write).await?;
        Ok(Progress::Page(Box::new(page)))
    }

    fn app_name(&self, attempt: &Attempt) -> Result<Option<String>, Fault> {
        let Some(client) = attempt.purpose.client() else { return Ok(None) };
        let app = self.store.tenant(attempt.tenant).read(|tx| tx.find_registration(client))?;
        Ok(app.map(|app| app.display_name))
    }

    /// Goes on in the tenant that was found.
    #[expect(clippy::too_many_arguments, reason = "private; each is one fact of the attempt that moves")]
    async fn move_to(
        &self,
        tenant: TenantId,
        attempt: Attempt,
        raw: String,
        login: Option<String>,
        picked: Option<SessionId>,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Progress, Fault> {
        let known = self.store.read(|tx| tx.find_tenant(tenant))?;
        if let (Some(request), Some(known)) = (attempt.purpose.request(), &known) {
            let client = AppId::new(request.client_id);
            if let Err(denial) =
                self.admit_client(Some(known), client, request.redirect_uri.as_deref(), moment).await?
            {
                return Ok(refused(Some(Arc::clone(known)), denial));
            }
        }
        if let (Purpose::AdminConsent(request), Some(known)) = (&attempt.purpose, &known)
            && let Err(denial) = self.admit_admin_consent(Some(known), request, moment).await?
        {
            return Ok(refused(Some(Arc::clone(known)), denial));
        }
        if let (Purpose::Device(device), Some(known)) = (&attempt.purpose, &known) {
            let app = self.store.tenant(tenant).read(|tx| tx.find_app(device.client))?;
            let grants = known.optional_grants(self.settings.grants);
            if let Err(denial) = admit_device(app.as_deref(), Some(known), grants) {
                self.record_refusal(Some(tenant), Some(device.client), denial, moment).await?;
                return Ok(refused(Some(Arc::clone(known)), denial));
            }
        }
        let attempt = Attempt { tenant, login, picked, ..attempt };
        let context = Context { settings: Arc::clone(&self.settings), browser, moment: moment.clone() };
        let outcome = self.store.tenant(tenant).write(move |tx| {
            tx.add_attempt(&attempt, context.browser.at(tenant), &raw)?;
            advance(tx, attempt.clone(), &context, None)
        });
        Ok(outcome.await?)
    }

    /// The tenant that owns a hint's domain (`user@domain` or `domain`).
    pub fn home_of(&self, hint: &str) -> Result<Option<TenantId>, Fault> {
        use domain::tenancy::domain_name::{Address, DomainName};
        let domain = match Address::parse(hint) {
            Some(address) => Some(address.domain().clone()),
            None => DomainName::parse(hint),
        };
        domain.map_or(Ok(None), |domain| Ok(self.store.read(|tx| tx.find_domain_owner(&domain))?))
    }

    /// The living sessions of a browser in all tenants, its own accounts only: a guest's session elsewhere is not an
    /// account of its own.
    fn accounts_of(&self, browser: Browser, now: Timestamp) -> Result<Vec<(TenantId, Session)>, Fault> {
        let mut accounts = Vec::new();
        let tenants = self.store.read(|tx| tx.tenants_of_browser(browser.at(NOWHERE)))?;
        for tenant in tenants {
            let sessions = self.store.tenant(tenant).read(|tx| tx.sessions_of_browser(browser.at(tenant)))?;
            let own = sessions
                .into_iter()
                .filter(|session| session.is_alive(now) && session.user.external.is_none());
            accounts.extend(own.map(|session| (tenant, session)));
        }
        Ok(accounts)
    }

    /// Takes a page's answer.
    pub async fn submit(
        &self,
        tenant: Option<TenantId>,
        attempt: AttemptId,
        answer: Answer,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Progress, Fault> {
        let place = tenant.unwrap_or(NOWHERE);
        let found = self.store.tenant(place).read(|tx| tx.find_attempt(attempt, browser.at(place)))?;
        let Some(found) = found else {
            let known = self.store.read(|tx| tx.find_tenant(place))?;
            self.record_refusal(known.as_ref().map(|t| t.id), None, Denial::FlowExpired, moment).await?;
            return Ok(refused(known, Denial::FlowExpired));
        };
        if tenant.is_none() {
            return self.submit_anywhere(found, answer, browser, moment).await;
        }
        let context = Context { settings: Arc::clone(&self.settings), browser, moment: moment.clone() };
        match answer {
            Answer::Password(password) => self.submit_password(found, password, context).await,
            Answer::ChangePassword { new } => self.submit_new_password(found, new, context).await,
            answer => {
                let outcome = self.store.tenant(place).write(move |tx| {
                    // Read again: the answer counts only for the state it was given in (R11, R38).
                    let Some(attempt) = tx.find_attempt(attempt, context.browser.at(place))? else {
                        return gone(tx, &context);
                    };
                    apply(tx, attempt, &answer, &context)
                });
                Ok(outcome.await?)
            }
        }
    }

    async fn submit_anywhere(
        &self,
        attempt: Attempt,
        answer: Answer,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Progress, Fault> {
        let raw = self.store.tenant(NOWHERE).read(|tx| tx.attempt_request(attempt.id))?.unwrap_or_default();
        let page = |login: Option<String>, asks| -> Result<Progress, Fault> {
            let app_name = self.app_name(&attempt)?;
            Ok(Progress::Page(Box::new(Page { attempt: attempt.id, tenant: None, app_name, login, asks })))
        };
        let (target, login, session) = match answer {
            Answer::Name(login) => match self.home_of(&login)? {
                Some(tenant) => (tenant, Some(login), None),
                None => return page(Some(login), Asks::Name { problem: Some(NameProblem::Unknown) }),
            },
            Answer::PickSession { tenant: Some(tenant), session } => (tenant, None, Some(session)),
            _ => return page(None, Asks::Name { problem: None }),
        };
        let id = attempt.id;
        let ended = self
            .store
            .tenant(NOWHERE)
            .write({
                let now = moment.now;
                move |tx| Ok(Recorded::chore(Chore::Progress, tx.end_attempt(id, now)?))
            })
            .await?;
        if !ended {
            self.record_refusal(None, None, Denial::FlowExpired, moment).await?;
            return Ok(refused(None, Denial::FlowExpired));
        }
        self.move_to(target, attempt, raw, login, session, browser, moment).await
    }

    /// Checks a password: the slow hash first, outside any transaction, then one write that re-reads what it rests on.
    async fn submit_password(
        &self,
        attempt: Attempt,
        password: String,
        context: Context,
    ) -> Result<Progress, Fault> {
        let (place, id, now) = (attempt.tenant, attempt.id, context.moment.now);
        let address = context.moment.origin.address.clone().unwrap_or_default();
        let (user, phc, was_paused) = self.store.tenant(place).read(|tx| {
            let facts = facts(tx, &attempt, &context)?;
            let user = match next::next(&attempt, &facts, now) {
                Step::AskPassword { user } => user,
                _ => None,
            };
            let subject = failure_subject(user, attempt.login.as_deref());
            let is_paused = is_paused(tx, &subject, &address, now)?;
            let phc = user.map_or(Ok(None), |user| tx.find_password(user))?;
            Ok((user, phc.map(|password| password.phc), is_paused))
        })?;
        let is_right = if was_paused || password.len() > crate::password::LONGEST {
            false
        } else {
            self.passwords.verify(password, phc.clone()).await?
        };
        let outcome = self.store.tenant(place).write(move |tx| {
            let Some(mut attempt) = tx.find_attempt(id, context.browser.at(place))? else {
                return gone(tx, &context);
            };
            let facts = facts(tx, &attempt, &context)?;
            let asked = match next::next(&attempt, &facts, now) {
                Step::AskPassword { user } => user,
                _ => return advance(tx, attempt, &context, None),
            };
            let unchanged = match asked {
                Some(user) => tx.find_password(user)?.map(|password| password.phc) == phc,
                None => true,
            };
            let subject = failure_subject(asked, attempt.login.as_deref());
            // Asked again: others may have tried meanwhile, and a right guess after too many wrong ones is none (R38).
            let is_paused = was_paused || is_paused(tx, &subject, &address, now)?;
            if let (Some(user), true, true) = (asked, is_right && !is_paused, asked == user && unchanged) {
                tx.clear_failures(&subject)?;
                let proved = Proved { method: Method::Password, at: now, verifier: Verifier::ThisTenant };
                attempt.proved = Some(ProvedUser { user, evidence: vec![proved] });
                attempt.picked = None;
                tx.update_attempt(&attempt)?;
                return advance(tx, attempt, &context, None);
            }
            let (denial, problem, reasons) = if is_paused {
                (Denial::TooManyAttempts, PasswordProblem::TooManyAttempts, "!password-attempts")
            } else {
                count_wrong_password(tx, &subject, &address, now)?;
                (Denial::PasswordWrong, PasswordProblem::Wrong, "!password")
            };
            let record = SignInRecord {
                user: asked.map(UserId::uuid),
                user_name: attempt.login.clone(),
                app: attempt.purpose.client(),
                error_code: denial_code(denial),
                reasons: reasons.to_owned(),
                ..empty_record(SignInKind::Interactive, &context.moment)
            };
            let page = view(tx, &attempt, &context, Asks::Password { problem: Some(problem) })?;
            Ok(Recorded::new(Record::SignIn(Box::new(record)), Progress::Page(Box::new(page))))
        });
        Ok(outcome.await?)
    }

    /// Replaces a password that an administrator set (R11: only where the dispatcher asks for it).
    async fn submit_new_password(
        &self,
        attempt: Attempt,
        new: String,
        context: Context,
    ) -> Result<Progress, Fault> {
        let (place, id, now) = (attempt.tenant, attempt.id, context.moment.now);
        let salt = salt(&context.moment);
        let problem = crate::tenants::password_problem(&new);
        let phc = match problem {
            Some(_) => None,
            None => Some(self.passwords.hash(new, salt).await?),
        };
        let outcome = self.store.tenant(place).write(move |tx| {
            let Some(attempt) = tx.find_attempt(id, context.browser.at(place))? else {
                return gone(tx, &context);
            };
            let facts = facts(tx, &attempt, &context)?;
            let Step::ChangePassword { user } = next::next(&attempt, &facts, now) else {
                return advance(tx, attempt, &context, None);
            };
            let Some(phc) = &phc else {
                let page = view(tx, &attempt, &context, Asks::NewPassword { problem })?;
                return Ok(Recorded::chore(Chore::Progress, Progress::Page(Box::new(page))));
            };
            tx.set_password(user, phc, false, now)?;
            tx.note(crate::tenants::user_record("Change user password", user, &context.moment));
            advance(tx, attempt, &context, None)
        });
        Ok(outcome.await?)
    }

    /// Ends the browser's sessions in a tenant; `session` names one, else all of them end.
    pub async fn sign_out(
        &self,
        tenant: TenantId,
        session: Option<SessionId>,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Vec<String>, Fault> {
        let (moment, issuer) = (moment.clone(), self.settings.issuer_v2(tenant));
        let ended = self.store.tenant(tenant).write(move |tx| {
            let sessions = tx.sessions_of_browser(browser.at(tenant))?;
            let mut addresses = Vec::new();
            for found in sessions.iter().filter(|found| session.is_none_or(|id| id == found.id)) {
                tx.end_session(found.id, moment.now)?;
                for app in tx.apps_of_session(found.id, found.user.id)? {
                    addresses.extend(logout_address(tx.find_app(app)?, found.id, &issuer));
                }
                tx.note(Record::SignIn(Box::new(SignInRecord {
                    user: Some(found.user.id.uuid()),
                    user_name: Some(found.user.sign_in_name.clone()),
                    session: Some(found.id),
                    reasons: "signed-out".to_owned(),
                    ..empty_record(SignInKind::Interactive, &moment)
                })));
            }
            Ok(Recorded::chore(Chore::Progress, addresses))
        });
        Ok(ended.await?)
    }

    /// The session of the tenant's own pages: the browser's latest living one.
    pub fn portal_session(
        &self,
        tenant: TenantId,
        browser: Browser,
        now: Timestamp,
    ) -> Result<Option<Session>, Fault> {
        let sessions = self.store.tenant(tenant).read(|tx| tx.sessions_of_browser(browser.at(tenant)))?;
        let is_in = |session: &Session| {
            session.is_alive(now)
                && session.user.is_enabled
                && session.user.external != Some(ExternalState::PendingAcceptance)
        };
        Ok(sessions.into_iter().find(is_in))
    }
}

/// Where an application hears that a session is over (OIDC Front-Channel Logout §2); `None` where it wants to hear nothing.
fn logout_address(app: Option<SharedApp>, session: SessionId, issuer: &str) -> Option<String> {
    let app = app.filter(|app| app.registration.deleted_at.is_none())?;
    let mut url = url::Url::parse(app.registration.logout_url.as_deref()?).ok()?;
    url.query_pairs_mut().append_pair("iss", issuer).append_pair("sid", &session.to_string());
    Some(url.into())
}

fn salt(moment: &Moment) -> [u8; 16] {
    let mut salt = [0; 16];
    salt.iter_mut().zip(moment.entropy.bytes("password salt")).for_each(|(to, from)| *to = from);
    salt
}

pub(crate) fn failure_subject(user: Option<UserId>, login: Option<&str>) -> String {
    match user {
        Some(user) => format!("user:{user}"),
        None => format!("name:{}", login.unwrap_or_default().to_ascii_lowercase()),
    }
}

/// Whether too many wrong passwords came lately, for this person or from this address, wherever they were typed.
pub(crate) fn is_paused(
    tx: &ReadTx<'_>,
    subject: &str,
    address: &str,
    now: Timestamp,
) -> Result<bool, store::Fault> {
    let by_user = tx.failures(subject)?;
    let by_address = tx.failures(&address_subject(address))?;
    let is_recent = |at: Option<Timestamp>| at.is_some_and(|at| now.since(at) < FAILURE_WINDOW);
    Ok((by_user.count >= FAILURES && is_recent(by_user.last_at))
        || (by_address.count >= FAILURES_PER_ADDRESS && is_recent(by_address.last_at)))
}

pub(crate) fn count_wrong_password(
    tx: &WriteTx<'_>,
    subject: &str,
    address: &str,
    now: Timestamp,
) -> Result<(), store::Fault> {
    let forget = now - FAILURE_WINDOW;
    tx.count_failure(subject, now, forget)?;
    tx.count_failure(&address_subject(address), now, forget)
}

pub(crate) fn address_subject(address: &str) -> String {
    format!("address:{address}")
}

fn account_view(tenant: TenantId, session: &Session) -> AccountView {
    AccountView {
        tenant,
        session: session.id,
        display_name: session.user.display_name.clone(),
        sign_in_name: name_of(&session.user),
    }
}

/// What people recognise: a guest's own address, not the name this tenant made of it.
pub fn name_of(user: &SignInUser) -> String {
    match (&user.external, &user.mail) {
        (Some(_), Some(mail)) => mail.clone(),
        (None, _) | (Some(_), None) => user.sign_in_name.clone(),
    }
}

pub(crate) fn refused(tenant: Option<Arc<Tenant>>, denial: Denial) -> Progress {
    Progress::Refused(Box::new(RefusedPage { tenant, denial }))
}

pub(crate) fn empty_record(kind: SignInKind, moment: &Moment) -> SignInRecord {
    SignInRecord {
        kind,
        user: None,
        user_name: None,
        service_principal: None,
        app: None,
        resource: None,
        home_tenant: None,
        session: None,
        token: None,
        error_code: 0,
        reasons: String::new(),
        origin: moment.origin.clone(),
    }
}

/// The attempt ended, or belongs to another browser.
fn gone(tx: &WriteTx<'_>, context: &Context) -> Result<Recorded<Progress>, store::Fault> {
    let record = SignInRecord {
        error_code: denial_code(Denial::FlowExpired),
        ..empty_record(SignInKind::Interactive, &context.moment)
    };
    let tenant = tx.load_tenant()?;
    Ok(Recorded::new(Record::SignIn(Box::new(record)), refused(Some(tenant), Denial::FlowExpired)))
}

/// Takes an answer that needs no slow proof, if it is what was asked (R11).
fn apply(
    tx: &WriteTx<'_>,
    mut attempt: Attempt,
    answer: &Answer,
    context: &Context,
) -> Result<Recorded<Progress>, store::Fault> {
    let now = context.moment.now;
    let facts = facts(tx, &attempt, context)?;
    let step = next::next(&attempt, &facts, now);
    match (answer, &step) {
        (Answer::Name(login), Step::AskName { .. } | Step::AskPassword { .. } | Step::PickAccount { .. }) => {
            attempt.login = Some(login.clone());
            attempt.picked = None;
        }
        (Answer::Back | Answer::OtherAccount, _) => {
            attempt.login = None;
            attempt.picked = None;
            attempt.proved = None;
            attempt.assertion = None;
            attempt.redemption_accepted_at = None;
            attempt.consented = None;
            attempt.device_confirmed_by = None;
            attempt.wants_other_account = true;
        }
        (Answer::PickSession { session, .. }, Step::PickAccount { sessions })
            if sessions.contains(session) =>
        {
            attempt.picked = Some(*session);
        }
        (Answer::Device { confirmed: true }, Step::ConfirmDevice { user }) => {
            attempt.device_confirmed_by = Some(*user);
        }
        (Answer::StaySignedIn(stay), Step::AskStaySignedIn { .. }) => attempt.stay_signed_in = Some(*stay),
        (Answer::Redemption { accepted: true }, Step::ReviewRedemption { .. }) => {
            attempt.redemption_accepted_at = Some(now);
            tx.update_attempt(&attempt)?;
            return finish::accept_redemption(tx, attempt, context);
        }
        (Answer::Redemption { accepted: false }, Step::ReviewRedemption { .. })
        | (Answer::Consent { accepted: false, .. }, Step::AskAdministrator { .. } | Step::Consent { .. })
        | (Answer::Device { confirmed: false }, Step::ConfirmDevice { .. }) => {
            return finish::refuse(tx, &attempt, context, Denial::ConsentDeclined, Trace::new());
        }
        (Answer::ApprovalReason(reason), Step::AskApproval { user }) => {
            return approval::send(tx, &attempt, context, *user, reason);
        }
        (Answer::Consent { accepted: false, .. }, Step::AskApproval { .. }) => {
            return finish::refuse(tx, &attempt, context, Denial::ApprovalRequired, Trace::new());
        }
        (Answer::Consent { accepted: true, for_organization, shown }, Step::Consent { user, .. }) => {
            let now_shown = facts.consent.shown;
            if !context.browser.is_shown_proof(attempt.id, &now_shown, shown) {
                let asks = agreement::page(tx, &attempt, context, *user, true)?;
                let page = view(tx, &attempt, context, asks)?;
                return Ok(Recorded::chore(Chore::Progress, Progress::Page(Box::new(page))));
            }
            let for_organization = *for_organization;
            let (user, shown) = (*user, now_shown);
            attempt.consented = Some(Consented { user, for_organization, shown, is_written: false });
            // Another question comes first: whoever said yes need not answer that for it to count.
            if matches!(next::next(&attempt, &facts, now), Step::AskStaySignedIn { .. })
                && let Some(given) = agreement::given(tx, &attempt, context, user)?
            {
                if !given.has_room(tx, context)? {
                    return finish::refuse(tx, &attempt, context, Denial::DirectoryFull, Trace::new());
                }
                given.write(tx, context)?;
                attempt.consented = Some(Consented { user, for_organization, shown, is_written: true });
            }
        }
        // A stale page, the back button, another tab: show what is asked now.
        _ => {}
    }
    tx.update_attempt(&attempt)?;
    advance(tx, attempt, context, None)
}

/// Asks the dispatcher and does what it says.
fn advance(
    tx: &WriteTx<'_>,
    attempt: Attempt,
    context: &Context,
    trace: Option<Trace>,
) -> Result<Recorded<Progress>, store::Fault> {
    let facts = facts(tx, &attempt, context)?;
    let step = next::next(&attempt, &facts, context.moment.now);
    let asks = match step {
        Step::Issue(identified) => return finish::issue(tx, &attempt, &identified, context),
        Step::Refuse(denial) => {
            return finish::refuse(tx, &attempt, context, denial, trace.unwrap_or_default());
        }
        Step::GoHome { home, is_silent } => return home::depart(tx, &attempt, home, is_silent, context),
        Step::AskAdministrator { user } => return finish::ask_administrator(tx, &attempt, context, user),
        Step::AskApproval { user } => return approval::page(tx, &attempt, context, user, None),
        Step::AskName { problem } => Asks::Name { problem },
        Step::AskPassword { .. } => Asks::Password { problem: None },
        Step::AskStaySignedIn { user } => Asks::StaySignedIn { user: user_view(tx, user)? },
        Step::ChangePassword { .. } => Asks::NewPassword { problem: None },
        Step::ConfirmDevice { user } => finish::device_page(tx, &attempt, user)?,
        Step::Consent { user, .. } => agreement::page(tx, &attempt, context, user, false)?,
        Step::PickAccount { sessions } => {
            let known = facts.sessions.iter().filter(|session| sessions.contains(&session.id));
            Asks::Pick { accounts: known.map(|session| account_view(attempt.tenant, session)).collect() }
        }
        Step::ReviewRedemption { user, .. } => {
            let home = attempt.assertion.as_ref().map(|assertion| assertion.identity.home_tenant);
            let home = home.map_or(Ok(None), |home| tx.find_tenant(home))?;
            Asks::Redemption {
                user: user_view(tx, user)?,
                home_name: home.map(|home| home.display_name.clone()),
            }
        }
    };
    let page = view(tx, &attempt, context, asks)?;
    Ok(Recorded::chore(Chore::Progress, Progress::Page(Box::new(page))))
}

fn user_view(tx: &ReadTx<'_>, user: UserId) -> Result<UserView, store::Fault> {
    let user =
        tx.find_sign_in_user(user)?.ok_or(store::Fault::Bug("a user vanished inside a transaction"))?;
    Ok(UserView { sign_in_name: name_of(&user), display_name: user.display_name })
}

fn view(tx: &ReadTx<'_>, attempt: &Attempt, context: &Context, asks: Asks) -> Result<Page, store::Fault> {
    let app_name = match &attempt.purpose {
        Purpose::Partner(_, partner) => tx.find_tenant(*partner)?.map(|partner| partner.display_name.clone()),
        Purpose::AdminConsent(_)
        | Purpose::Authorize(_)
        | Purpose::Device(_)
        | Purpose::Portal
        | Purpose::Redemption(_) => {
            let app = attempt.purpose.client().map_or(Ok(None), |client| tx.find_app(client))?;
            app.map(|app| app.registration.display_name.clone())
        }
    };
    let login = match &attempt.login {
        Some(login) => Some(login.clone()),
        None => known_name(tx, attempt, context)?,
    };
    Ok(Page { attempt: attempt.id, tenant: Some(tx.load_tenant()?), app_name, login, asks })
}

/// The name to start from when none was typed: of the picked session, the client's hint, or the invited address.
fn known_name(tx: &ReadTx<'_>, attempt: &Attempt, context: &Context) -> Result<Option<String>, store::Fault> {
    if attempt.wants_other_account {
        return Ok(None);
    }
    if let Some(picked) = attempt.picked {
        let sessions = tx.sessions_of_browser(context.browser.at(attempt.tenant))?;
        if let Some(session) = sessions.into_iter().find(|session| session.id == picked) {
            return Ok(Some(name_of(&session.user)));
        }
    }
    match &attempt.purpose {
        Purpose::Authorize(request) | Purpose::Partner(request, _) => Ok(request.login_hint.clone()),
        Purpose::AdminConsent(_) | Purpose::Device(_) | Purpose::Portal => Ok(None),
        Purpose::Redemption(invitation) => Ok(tx.find_invitation(*invitation)?.map(|row| row.address)),
    }
}

/// Loads what the dispatcher looks at.
pub(crate) fn facts(
    tx: &ReadTx<'_>,
    attempt: &Attempt,
    context: &Context,
) -> Result<next::Facts, store::Fault> {
    let now = context.moment.now;
    let tenant = tx.load_tenant()?;
    let name = match &attempt.login {
        Some(login) => Some(login.clone()),
        None => known_name(tx, attempt, context)?,
    };
    let realm = match name {
        Some(name) => Some(realm_discovery::discover(tenant.id, tx.realm_facts(&name)?)),
        None => hinted_realm(tx, attempt, tenant.id)?,
    };
    let proved = match &attempt.proved {
        Some(proved) => tx.find_sign_in_user(proved.user)?,
        None => None,
    };
    let redemption = match &attempt.assertion {
        None => None,
        Some(assertion) => {
            let opened = match &attempt.purpose {
                Purpose::Redemption(invitation) => Some(*invitation),
                Purpose::AdminConsent(_)
                | Purpose::Authorize(_)
                | Purpose::Device(_)
                | Purpose::Partner(..)
                | Purpose::Portal => None,
            };
            Some(redemption::decide(tx.redemption_facts(assertion, opened)?, assertion, now))
        }
    };
    let sessions = tx.sessions_of_browser(context.browser.at(tenant.id))?;
    let mut facts = next::Facts { sessions, realm, proved, redemption, consent: Consent::default() };
    if let Some(user) = next::who(attempt, &facts, now) {
        facts.consent = agreement::facts(tx, &attempt.purpose, user, &context.settings)?;
    }
    Ok(facts)
}

/// `domain_hint` sends people of that domain straight home.
fn hinted_realm(tx: &ReadTx<'_>, attempt: &Attempt, tenant: TenantId) -> Result<Option<Realm>, store::Fault> {
    use domain::tenancy::domain_name::DomainName;
    let hint = attempt.purpose.request().and_then(|request| request.domain_hint.as_deref());
    let Some(domain) = hint.filter(|_| !attempt.wants_other_account).and_then(DomainName::parse) else {
        return Ok(None);
    };
    let owner = tx.find_domain_owner(&domain)?;
    Ok(owner.filter(|owner| *owner != tenant).map(Realm::Home))
}

/// Whether redemption made or found the user of an assertion.
pub(crate) fn redeemed_user(redemption: &Redemption) -> Option<&SignInUser> {
    match redemption {
        Redemption::Bound(user) | Redemption::Pending { user, .. } => Some(user),
        Redemption::Refused(_) => None,
    }
}
