//! Cases of `signin::next`: where an unfinished sign-in stands, and what comes next.

use crate::words::{Kind, NOW, Name, Person, When, fabrikam, id, identity, invitation_id, partner_proof};
use crate::{Judged, issuance};
use domain::b2b::redemption::{Redemption, Refusal};
use domain::federation::assertion::HomeAssertion;
use domain::id::{AppId, AttemptId, InvitationId, SessionId, TenantId, UserId};
use domain::proof::ProofHash;
use domain::signin::attempt::{Attempt, Consented, ProvedUser, Purpose, WaitingDevice};
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::signin::next::{Consent, Facts, NameProblem, Step, next};
use domain::signin::session::Session;
use domain::tenancy::realm_discovery::Realm;
use domain::time::Span;
use serde::{Deserialize, Serialize};
use standards::oauth::Version;
use standards::oauth::admin_consent::AdminConsentRequest;
use standards::oauth::authorize::{AuthorizeRequest, Prompt, ResponseType};
use standards::oauth::claims::RequestedClaims;

/// A sign-in that just began in a browser that never signed in; nothing is left to agree to.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Given {
    attempt: Progress,
    sessions: Vec<Living>,
    /// Where the typed, hinted or invited name leads; absent when there is no name yet.
    name_leads_to: Option<Leads>,
    /// What a home's answer amounts to here.
    home_said: Option<Said>,
    /// Scopes nobody agreed to yet.
    consent_missing: Vec<String>,
    consent_needs_admin: bool,
    /// Whoever may not agree may ask for approval.
    takes_requests: bool,
    /// Some of them are rights of Graph for the application itself.
    consent_needs_role_admin: bool,
}

/// What the stored attempt holds.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Progress {
    began: When,
    /// The name typed last.
    login: Option<String>,
    /// The session picked in the account picker.
    picked: Option<Name>,
    wants_other_account: bool,
    proved: Option<Typed>,
    redemption_accepted: Option<When>,
    consented_by: Option<Name>,
    /// What the page says has changed since.
    consented_to_another_list: bool,
    device_confirmed_by: Option<Name>,
    stay_signed_in: Option<bool>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            began: When(NOW - Span::minutes(1)),
            login: None,
            picked: None,
            wants_other_account: false,
            proved: None,
            redemption_accepted: None,
            consented_by: None,
            consented_to_another_list: false,
            device_confirmed_by: None,
            stay_signed_in: None,
        }
    }
}

/// A user of this tenant typed the right password in this attempt, just now.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Typed {
    user: Person,
    /// The user is not in the directory any more.
    is_gone: bool,
}

/// Alice's session, signed in with a password ten minutes ago; a guest's rests on the home.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Living {
    id: Name,
    user: Person,
    signed_in: When,
    used: Option<When>,
    ended: Option<When>,
    is_persistent: bool,
}

impl Default for Living {
    fn default() -> Self {
        Self {
            id: "session".into(),
            user: Person::default(),
            signed_in: When(NOW - Span::minutes(10)),
            used: None,
            ended: None,
            is_persistent: false,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Leads {
    Alice,
    Fabrikam,
    /// A name of this tenant that nobody has.
    NoUserHere,
    Nowhere,
}

/// Who a home's answer is here: an invited guest unless stated.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Said {
    user: Person,
    has_invitation: bool,
    refused: Option<RefusedHere>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum RefusedHere {
    Expired,
    NotInvited,
    Unknown,
}

impl Default for Said {
    fn default() -> Self {
        Self { user: Person::of(Kind::PendingGuest), has_invitation: true, refused: None }
    }
}

/// An application asks for a code and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Asked {
    purpose: For,
    prompt: Option<Prompted>,
    /// Seconds.
    max_age: Option<u32>,
    login_hint: Option<String>,
    domain_hint: Option<String>,
    /// The session named by `sid`.
    sid: Option<Name>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum For {
    AdminConsent,
    #[default]
    Application,
    Device,
    Partner,
    Portal,
    Redemption,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Prompted {
    Consent,
    Create,
    Login,
    None,
    SelectAccount,
}

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct NextStep {
    step: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    home: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_silent: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<Vec<Name>>,
    /// The session that is used again; none for a fresh proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Name>,
    /// `password now`, `federated 1 minute ago`.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_persistent: Option<bool>,
}

pub(crate) fn judge(given: &Given, asked: &Asked) -> Vec<Judged<NextStep>> {
    let step = next(&attempt(given, asked), &facts(given), NOW);
    let verdict = NextStep::of(&step);
    let mut shown = vec![format!("Step::{}", verdict.step)];
    shown.extend(verdict.refused.iter().map(|denial| format!("Denial::{denial}")));
    shown.extend(verdict.problem.iter().map(|problem| format!("NameProblem::{problem}")));
    vec![Judged { asked: String::new(), verdict, shown }]
}

pub(crate) fn variants() -> Vec<String> {
    let steps = every_variant! { Step:
        AskAdministrator AskApproval AskName AskPassword AskStaySignedIn ChangePassword ConfirmDevice Consent GoHome Issue PickAccount Refuse ReviewRedemption
    };
    let problems = every_variant! { NameProblem: Unknown };
    let mut all = issuance::denials(&["gate_and_dispatcher", "dispatcher"]);
    all.extend(steps.iter().chain(&problems).map(|name| (*name).to_owned()));
    all
}

impl NextStep {
    fn of(step: &Step) -> Self {
        let named = |name: &str| Self { step: name.to_owned(), ..Self::default() };
        let about = |name: &str, user: UserId| Self { user: Some(user.uuid().into()), ..named(name) };
        match step {
            Step::AskAdministrator { user } => about("AskAdministrator", *user),
            Step::AskApproval { user } => about("AskApproval", *user),
            Step::AskName { problem } => {
                Self { problem: problem.map(|problem| format!("{problem:?}")), ..named("AskName") }
            }
            Step::AskPassword { user } => {
                Self { user: user.map(|user| user.uuid().into()), ..named("AskPassword") }
            }
            Step::AskStaySignedIn { user } => about("AskStaySignedIn", *user),
            Step::ChangePassword { user } => about("ChangePassword", *user),
            Step::ConfirmDevice { user } => about("ConfirmDevice", *user),
            Step::Consent { user, missing } => {
                Self { missing: Some(missing.clone()), ..about("Consent", *user) }
            }
            Step::GoHome { home, is_silent } => {
                Self { home: Some(home.uuid().into()), is_silent: Some(*is_silent), ..named("GoHome") }
            }
            Step::Issue(identified) => Self {
                session: identified.session.map(|session| session.uuid().into()),
                evidence: Some(identified.evidence.iter().map(proof_in_words).collect()),
                is_persistent: Some(identified.is_persistent),
                ..about("Issue", identified.user.id)
            },
            Step::PickAccount { sessions } => Self {
                sessions: Some(sessions.iter().map(|session| session.uuid().into()).collect()),
                ..named("PickAccount")
            },
            Step::Refuse(denial) => Self { refused: Some(format!("{denial:?}")), ..named("Refuse") },
            Step::ReviewRedemption { user, invitation } => Self {
                invitation: invitation.map(|invitation| invitation.uuid().into()),
                ..about("ReviewRedemption", *user)
            },
        }
    }
}

fn proof_in_words(proved: &Proved) -> String {
    let by = match &proved.verifier {
        Verifier::Partner { .. } => " at home",
        Verifier::ThisTenant => "",
    };
    format!("{}{by} {}", proved.method.as_str(), String::from(When(proved.at)))
}

fn attempt(given: &Given, asked: &Asked) -> Attempt {
    let progress = &given.attempt;
    Attempt {
        id: AttemptId::new(id("attempt")),
        tenant: TenantId::new(id("contoso")),
        purpose: match asked.purpose {
            For::AdminConsent => Purpose::AdminConsent(Box::new(AdminConsentRequest {
                version: Version::V2,
                client_id: id("app"),
                redirect_uri: None,
                state: None,
                scope: Vec::new(),
            })),
            For::Application => Purpose::Authorize(Box::new(request(asked))),
            For::Device => Purpose::Device(Box::new(WaitingDevice {
                code: ProofHash([1; 32]),
                client: AppId::new(id("app")),
                scopes: vec!["openid".into()],
                address: None,
            })),
            For::Partner => Purpose::Partner(Box::new(request(asked)), fabrikam().id),
            For::Portal => Purpose::Portal,
            For::Redemption => Purpose::Redemption(invitation_id()),
        },
        created_at: progress.began.0,
        login: progress.login.clone(),
        picked: progress.picked.as_ref().map(|name| SessionId::new(name.id())),
        wants_other_account: progress.wants_other_account,
        proved: progress.proved.as_ref().map(|typed| ProvedUser {
            user: typed.user.user().id,
            evidence: vec![Proved { method: Method::Password, at: NOW, verifier: Verifier::ThisTenant }],
        }),
        assertion: given.home_said.as_ref().map(|_| HomeAssertion {
            identity: identity("rosa"),
            name: "Rosa".into(),
            sign_in_name: None,
            proved_addresses: vec!["rosa@fabrikam.test".into()],
            evidence: vec![partner_proof(NOW)],
            authenticated_at: NOW,
        }),
        redemption_accepted_at: progress.redemption_accepted.map(|when| when.0),
        consented: progress.consented_by.as_ref().map(|name| Consented {
            user: UserId::new(name.id()),
            for_organization: false,
            is_written: false,
            shown: if progress.consented_to_another_list { [1; 32] } else { [0; 32] },
        }),
        device_confirmed_by: progress.device_confirmed_by.as_ref().map(|name| UserId::new(name.id())),
        stay_signed_in: progress.stay_signed_in,
    }
}

pub(crate) fn request(asked: &Asked) -> AuthorizeRequest {
    AuthorizeRequest {
        version: Version::V2,
        client_id: id("app"),
        response_type: ResponseType { code: true, ..ResponseType::default() },
        redirect_uri: None,
        scope: vec!["openid".into()],
        response_mode: None,
        state: None,
        nonce: None,
        prompt: asked.prompt.map(|prompt| match prompt {
            Prompted::Consent => Prompt::Consent,
            Prompted::Create => Prompt::Create,
            Prompted::Login => Prompt::Login,
            Prompted::None => Prompt::None,
            Prompted::SelectAccount => Prompt::SelectAccount,
        }),
        login_hint: asked.login_hint.clone(),
        domain_hint: asked.domain_hint.clone(),
        code_challenge: None,
        claims: RequestedClaims::default(),
        wants_client_info: false,
        max_age: asked.max_age,
        sid: asked.sid.as_ref().map(|name| name.id().to_string()),
    }
}

fn facts(given: &Given) -> Facts {
    let proved = given.attempt.proved.as_ref();
    Facts {
        sessions: given.sessions.iter().map(session).collect(),
        realm: given.name_leads_to.map(|leads| match leads {
            Leads::Alice => Realm::Here(Some(UserId::new(id("alice")))),
            Leads::Fabrikam => Realm::Home(fabrikam().id),
            Leads::NoUserHere => Realm::Here(None),
            Leads::Nowhere => Realm::Unknown,
        }),
        proved: proved.filter(|typed| !typed.is_gone).map(|typed| typed.user.user()),
        redemption: given.home_said.as_ref().map(|said| {
            let refused = said.refused.map(|refused| match refused {
                RefusedHere::Expired => Refusal::Expired,
                RefusedHere::NotInvited => Refusal::NotInvited,
                RefusedHere::Unknown => Refusal::Unknown,
            });
            let invitation: Option<InvitationId> = said.has_invitation.then(invitation_id);
            match (refused, said.user.kind()) {
                (Some(refused), _) => Redemption::Refused(refused),
                (None, Kind::PendingGuest) => Redemption::Pending { user: said.user.user(), invitation },
                (None, Kind::Guest | Kind::Member) => Redemption::Bound(said.user.user()),
            }
        }),
        consent: Consent {
            missing: given.consent_missing.clone(),
            needs_admin: given.consent_needs_admin,
            takes_requests: given.takes_requests,
            needs_role_admin: given.consent_needs_role_admin,
            ..Consent::default()
        },
    }
}

pub(crate) fn session(living: &Living) -> Session {
    let at = living.signed_in.0;
    let evidence = match living.user.kind() {
        Kind::Member => Proved { method: Method::Password, at, verifier: Verifier::ThisTenant },
        Kind::Guest | Kind::PendingGuest => partner_proof(at),
    };
    Session {
        id: SessionId::new(living.id.id()),
        user: living.user.user(),
        evidence: vec![evidence],
        started_at: at,
        used_at: living.used.map_or(at, |when| when.0),
        is_persistent: living.is_persistent,
        ended_at: living.ended.map(|when| when.0),
    }
}
