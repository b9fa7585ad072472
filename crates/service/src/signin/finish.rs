//! How a sign-in ends: consent given, redemption accepted, a code issued, or a refusal; each with its record (R32).

use super::agreement::{self, asked, publisher_of};
use super::{AdminConsentAnswer, Asks, Context, Granted, Progress, ToClient, advance, empty_record};
use crate::invite::is_own_page;
use crate::{NOWHERE, issue, quota};
use domain::audit::{DirectoryRecord, Record, RecordActor, SignInKind, SignInRecord};
use domain::b2b::redemption;
use domain::directory::user::{External, ExternalState};
use domain::id::{AppId, GrantId, SessionId, UserId};
use domain::issuance::decide::{Ask, CodeFacts, Facts, GrantFacts, Permit, Via, decide};
use domain::issuance::scope::ScopeAsk;
use domain::issuance::{Denial, denial_code, lifetime};
use domain::proof::{ProofKind, ProofToken};
use domain::signin::attempt::{Attempt, Purpose, WaitingDevice};
use domain::signin::next::Identified;
use domain::verdict::{Trace, Verdict};
use standards::oauth::admin_consent::AdminConsentRequest;
use standards::oauth::authorize::{AuthorizeRequest, ChallengeMethod};
use standards::oidc::client_info;
use store::{CodeRow, Fault, PartnerCode, Person, ReadTx, Recorded, WriteTx};

/// Ends the attempt with a refusal: to the client where one asked, else as a page.
pub(super) fn refuse(
    tx: &WriteTx<'_>,
    attempt: &Attempt,
    context: &Context,
    denial: Denial,
    trace: Trace,
) -> Result<Recorded<Progress>, Fault> {
    tx.end_attempt(attempt.id, context.moment.now)?;
    if let (Purpose::Device(device), Denial::ConsentDeclined) = (&attempt.purpose, denial) {
        // The device hears at once that nobody will come. Another refusal leaves the person another try.
        tx.decline_device(device.code, context.moment.now)?;
    }
    let record = SignInRecord {
        user: attempt.proved.as_ref().map(|proved| proved.user.uuid()),
        user_name: attempt.login.clone(),
        app: attempt.purpose.client(),
        home_tenant: attempt.assertion.as_ref().map(|assertion| assertion.identity.home_tenant),
        error_code: denial_code(denial),
        reasons: trace.summary(),
        ..empty_record(kind(attempt), &context.moment)
    };
    let progress = match &attempt.purpose {
        Purpose::Authorize(request) if is_for_client(denial, request) => {
            Progress::ToClient(Box::new(ToClient { request: (**request).clone(), outcome: Err(denial) }))
        }
        Purpose::AdminConsent(request) if hears_of_admin_consent(denial) => {
            admin_consent_answer(tx, request, Err(denial))?
        }
        Purpose::AdminConsent(_)
        | Purpose::Authorize(_)
        | Purpose::Device(_)
        | Purpose::Partner(..)
        | Purpose::Portal
        | Purpose::Redemption(_) => super::refused(Some(tx.load_tenant()?), denial),
    };
    Ok(Recorded::new(Record::SignIn(Box::new(record)), progress))
}

/// A silent request always gets its answer by redirect (clients 14). Otherwise the person reads the refusals that only a
/// person can mend; the client hears the rest.
fn is_for_client(denial: Denial, request: &AuthorizeRequest) -> bool {
    let is_silent = request.prompt == Some(standards::oauth::authorize::Prompt::None);
    let is_for_person = matches!(
        denial,
        Denial::AccountDisabled
            | Denial::AdminConsentRequired
            | Denial::AssertionRejected
            | Denial::DirectoryFull
            | Denial::FlowExpired
            | Denial::GuestNotInDirectory
            | Denial::InvitationExpired
            | Denial::InvitationForAnother
            | Denial::PartnerTakesNoPart
            | Denial::UserNotAssigned
    );
    is_silent || !is_for_person
}

/// What an application hears of an administrator's answer; the rest only a person can mend.
fn hears_of_admin_consent(denial: Denial) -> bool {
    matches!(
        denial,
        Denial::ConsentDeclined
            | Denial::ResourceUnknown
            | Denial::ScopeInvalid
            | Denial::ScopesOfSeveralResources
    )
}

fn admin_consent_answer(
    tx: &ReadTx<'_>,
    request: &AdminConsentRequest,
    outcome: Result<(), Denial>,
) -> Result<Progress, Fault> {
    let (request, tenant) = (request.clone(), tx.load_tenant()?);
    let app = tx.find_app(AppId::new(request.client_id))?;
    let app_name = app.map(|app| app.registration.display_name.clone()).unwrap_or_default();
    Ok(Progress::AdminConsent(Box::new(AdminConsentAnswer { request, tenant, app_name, outcome })))
}

/// Says who could agree, with its record: this account may not (R32).
pub(super) fn ask_administrator(
    tx: &WriteTx<'_>,
    attempt: &Attempt,
    context: &Context,
    user: UserId,
) -> Result<Recorded<Progress>, Fault> {
    let view = super::user_view(tx, user)?;
    let record = SignInRecord {
        user: Some(user.uuid()),
        user_name: Some(view.sign_in_name.clone()),
        app: attempt.purpose.client(),
        error_code: denial_code(Denial::AdminConsentRequired),
        ..empty_record(kind(attempt), &context.moment)
    };
    let page = super::view(tx, attempt, context, Asks::Administrator { user: view })?;
    Ok(Recorded::new(Record::SignIn(Box::new(record)), Progress::Page(Box::new(page))))
}

fn kind(attempt: &Attempt) -> SignInKind {
    match attempt.purpose {
        Purpose::Partner(..) => SignInKind::Partner,
        Purpose::AdminConsent(_)
        | Purpose::Authorize(_)
        | Purpose::Device(_)
        | Purpose::Portal
        | Purpose::Redemption(_) => SignInKind::Interactive,
    }
}

/// What the page says of a waiting device before anybody is let in (R33).
pub(super) fn device_page(tx: &ReadTx<'_>, attempt: &Attempt, user: UserId) -> Result<Asks, Fault> {
    let Purpose::Device(device) = &attempt.purpose else {
        return Err(Fault::Bug("a device is confirmed that nobody asked for"));
    };
    let publisher = publisher_of(tx, tx.find_app(device.client)?.as_deref())?;
    Ok(Asks::Device { user: super::user_view(tx, user)?, publisher, address: device.address.clone() })
}

/// Binds the proved identity to the guest and uses the invitation up, in one transaction with its record (R04, R14).
pub(super) fn accept_redemption(
    tx: &WriteTx<'_>,
    attempt: Attempt,
    context: &Context,
) -> Result<Recorded<Progress>, Fault> {
    let now = context.moment.now;
    let (Some(assertion), Some(outcome)) =
        (attempt.assertion.clone(), super::facts(tx, &attempt, context)?.redemption)
    else {
        return advance(tx, attempt, context, None);
    };
    let Some(user) = super::redeemed_user(&outcome).map(|user| user.id) else {
        let redemption::Redemption::Refused(refusal) = outcome else {
            return advance(tx, attempt, context, None);
        };
        return refuse(tx, &attempt, context, redemption::denial(refusal), Trace::new());
    };
    let guest = match redemption::accept(outcome, user, Trace::new()) {
        Verdict::Granted((guest, _), _) => guest,
        Verdict::Refused(denial, trace) => return refuse(tx, &attempt, context, denial, trace),
    };
    let identity = &assertion.identity;
    let person = Person { home: identity.home_tenant, user: identity.home_user };
    // Whoever was counted when invited is not counted twice.
    let is_counted = tx.person_of(guest.id)? == Some(person);
    if !is_counted && !quota::may_join(tx, Some(person), &context.settings.limits)? {
        return refuse(tx, &attempt, context, Denial::TooManyDirectories, Trace::new());
    }
    let is_bound = tx.bind_identity(guest.id, identity, now)?;
    let is_used = tx.accept_invitations(guest.id, now)?;
    if !is_bound || !is_used {
        return Err(Fault::Bug("a redemption that was decided could not be written"));
    }
    tx.keep_proved_addresses(guest.id, &assertion.proved_addresses)?;
    let mut stored = tx.find_user(guest.id)?.ok_or(Fault::Bug("a guest vanished inside a transaction"))?;
    stored.external = Some(External { state: ExternalState::Accepted, changed_at: now });
    tx.update_user(&stored, now)?;
    tx.note(Record::Directory(DirectoryRecord {
        activity: "Redeem external user invite",
        category: "UserManagement",
        actor: RecordActor::User { user: guest.id.uuid() },
        target: Some(guest.id.uuid()),
        target_name: Some(stored.sign_in_name),
        refusal: None,
        reasons: format!("home {}", assertion.identity.home_tenant),
        modified: Vec::new(),
        origin: context.moment.origin.clone(),
    }));
    advance(tx, attempt, context, None)
}

/// Nothing is missing any more: the gate decides, and what it permits is written together with its record.
pub(super) fn issue(
    tx: &WriteTx<'_>,
    attempt: &Attempt,
    identified: &Identified,
    context: &Context,
) -> Result<Recorded<Progress>, Fault> {
    let now = context.moment.now;
    let user = tx.find_sign_in_user(identified.user.id)?;
    let tenant = tx.load_tenant()?;
    let grants = tenant.optional_grants(context.settings.grants);
    let mut facts = Facts { user, grants, ..Facts::new(tenant) };
    let mut scope = ScopeAsk::default();
    let given = agreement::given(tx, attempt, context, identified.user.id)?;
    if let Some(given) = &given
        && !given.has_room(tx, context)?
    {
        return refuse(tx, attempt, context, Denial::DirectoryFull, Trace::new());
    }
    if let Some(wanted) = attempt.purpose.wanted() {
        let asked = asked(tx, wanted, &context.settings)?;
        scope = match asked.scope {
            Ok(scope) => scope,
            Err(denial) => return refuse(tx, attempt, context, denial, Trace::new()),
        };
        scope.handles_challenges =
            attempt.purpose.request().is_some_and(|request| request.claims.handles_challenges);
        facts.client = asked.client;
        facts.resource = asked.resource;
        issue::load_user_rights(tx, &mut facts, identified.user.id)?;
        if let Some(given) = &given {
            given.add_to(&mut facts, context);
        }
    }
    let verdict = match &attempt.purpose {
        Purpose::Authorize(request) => {
            decide(&facts, &Ask::SignInCode { identified, request, scope: &scope }, now)
        }
        Purpose::Device(_) => decide(&facts, &Ask::SignInDevice { identified, scope: &scope }, now),
        // Another tenant here always sends a challenge; whoever leaves it out is not one.
        Purpose::Partner(request, _) if !is_challenged(request) => {
            return refuse(tx, attempt, context, Denial::PkceMissing, Trace::new());
        }
        Purpose::Partner(_, partner) => match tx.find_tenant(*partner)? {
            Some(partner) => {
                decide(&facts, &Ask::PartnerCode { identified, partner: &partner, nonce: None }, now)
            }
            None => return refuse(tx, attempt, context, Denial::ClientUnknown, Trace::new()),
        },
        Purpose::AdminConsent(_) | Purpose::Portal | Purpose::Redemption(_) => {
            decide(&facts, &Ask::Portal { identified }, now)
        }
    };
    let (permit, trace) = match verdict {
        Verdict::Granted(permit, trace) => (permit, trace),
        Verdict::Refused(denial, trace) => return refuse(tx, attempt, context, denial, trace),
    };
    if !tx.end_attempt(attempt.id, now)? {
        return super::gone(tx, context);
    }
    let session = match &attempt.purpose {
        Purpose::Device(device) => match let_device_in(tx, device, identified, &permit, context)? {
            Some(session) => session,
            // Answered in another window, or a moment too late.
            None => return refuse(tx, attempt, context, Denial::DeviceCodeExpired, trace),
        },
        Purpose::AdminConsent(_)
        | Purpose::Authorize(_)
        | Purpose::Partner(..)
        | Purpose::Portal
        | Purpose::Redemption(_) => open_session(tx, attempt, identified, &permit, context)?,
    };
    match (given, &attempt.purpose) {
        (Some(given), _) => given.write(tx, context)?,
        (None, Purpose::AdminConsent(_)) => return Err(Fault::Bug("an agreement that counts is gone")),
        (None, _) => {}
    }
    let has_token = attempt.purpose.request().is_some_and(|request| request.response_type.token);
    let record = SignInRecord {
        user: Some(identified.user.id.uuid()),
        user_name: Some(identified.user.sign_in_name.clone()),
        app: attempt.purpose.client(),
        resource: permit.resource().map(|resource| resource.registration.app_id),
        home_tenant: permit.home().map(|home| home.home_tenant),
        session: Some(session),
        token: has_token.then(|| issue::access_token_id(&context.moment)),
        reasons: trace.summary(),
        ..empty_record(kind(attempt), &context.moment)
    };
    let progress = match &attempt.purpose {
        Purpose::AdminConsent(request) => admin_consent_answer(tx, request, Ok(()))?,
        Purpose::Authorize(request) => to_client(tx, request, &permit, session, identified, context)?,
        Purpose::Device(_) => Progress::DeviceDone {
            tenant: tx.load_tenant()?,
            app_name: permit.client().map(|app| app.registration.display_name.clone()).unwrap_or_default(),
        },
        Purpose::Partner(request, partner) => {
            let code = partner_code(tx, request, *partner, identified, session, context)?;
            Progress::ToClient(Box::new(ToClient {
                request: (**request).clone(),
                outcome: Ok(Granted {
                    code: Some(code),
                    client_info: None,
                    session,
                    is_persistent: identified.is_persistent,
                    front_channel: None,
                }),
            }))
        }
        Purpose::Portal => Progress::ToPortal { tenant: attempt.tenant },
        Purpose::Redemption(invitation) => {
            let row = tx.find_invitation(*invitation)?.ok_or(Fault::Bug("an invitation vanished"))?;
            // Known when it was sent is not enough: the address may have been given up since (R06).
            let is_known = row.is_redirect_known
                && (is_own_page(&context.settings.base, &row.redirect_url)
                    || tx.is_redirect_known(&row.redirect_url)?);
            Progress::Redeemed { tenant: tx.load_tenant()?, url: row.redirect_url, is_known }
        }
    };
    Ok(Recorded::new(Record::SignIn(Box::new(record)), progress))
}

fn is_challenged(request: &AuthorizeRequest) -> bool {
    request.code_challenge.as_ref().is_some_and(|challenge| challenge.method == ChallengeMethod::S256)
}

/// The session behind what was permitted: the one that was reused, or a new one.
fn open_session(
    tx: &WriteTx<'_>,
    attempt: &Attempt,
    identified: &Identified,
    permit: &Permit,
    context: &Context,
) -> Result<SessionId, Fault> {
    let now = context.moment.now;
    if let Some(session) = permit.session() {
        tx.touch_session(session, now)?;
        return Ok(session);
    }
    let browser = context.browser.at(attempt.tenant);
    let session = SessionId::new(context.moment.entropy.uuid("session"));
    let user = identified.user.id;
    let older = tx.sessions_of_browser(browser)?;
    tx.put_session(session, browser, user, &identified.evidence, identified.is_persistent, now)?;
    tx.touch_browser(context.browser.at(NOWHERE), now)?;
    // One session for one user in one browser: a fresh proof takes the older one's place.
    for old in older.iter().filter(|old| old.user.id == user) {
        tx.hand_over_session(old.id, session, now)?;
    }
    Ok(session)
}

/// Answers a device's code with a grant of its own. Its session belongs to no browser: whoever signs out here afterwards
/// does not sign the device out, and the device brings nobody a session here. `None` when the code cannot be answered.
fn let_device_in(
    tx: &WriteTx<'_>,
    device: &WaitingDevice,
    identified: &Identified,
    permit: &Permit,
    context: &Context,
) -> Result<Option<SessionId>, Fault> {
    let (moment, user) = (&context.moment, identified.user.id);
    let platform = permit.platform().ok_or(Fault::Bug("a permit for a device has no platform"))?;
    let session = SessionId::new(moment.entropy.uuid("device session"));
    let grant = GrantFacts {
        id: GrantId::new(moment.entropy.uuid("grant")),
        client: device.client,
        user,
        session,
        evidence: identified.evidence.clone(),
        platform,
        via: Via::DeviceCode,
        parent: None,
        scopes: device.scopes.clone(),
        started_at: moment.now,
        used_at: moment.now,
        revoked_at: None,
    };
    if !tx.approve_device(device.code, grant.id, moment.now)? {
        return Ok(None);
    }
    issue::open_session_without_browser(tx, &grant, moment)?;
    tx.add_grant(&grant)?;
    Ok(Some(session))
}

fn to_client(
    tx: &WriteTx<'_>,
    request: &AuthorizeRequest,
    permit: &Permit,
    session: SessionId,
    identified: &Identified,
    context: &Context,
) -> Result<Progress, Fault> {
    let asked = request.response_type;
    let code = match asked.code {
        true => Some(put_code(tx, request, permit, session, identified, context)?),
        false => {
            tx.add_grant(&new_grant(request, permit, session, identified, context)?)?;
            None
        }
    };
    let client_info = request.wants_client_info.then(|| {
        let (uid, utid) = issue::home_ids(permit);
        client_info::encode(uid, utid)
    });
    let wants_tokens = asked.id_token || asked.token;
    let front_channel = wants_tokens.then(|| (Box::new(permit.in_session(session)), asked, request.version));
    let is_persistent = identified.is_persistent;
    let granted = Granted { code, client_info, session, is_persistent, front_channel };
    Ok(Progress::ToClient(Box::new(ToClient { request: request.clone(), outcome: Ok(granted) })))
}

fn put_code(
    tx: &WriteTx<'_>,
    request: &AuthorizeRequest,
    permit: &Permit,
    session: SessionId,
    identified: &Identified,
    context: &Context,
) -> Result<String, Fault> {
    let moment = &context.moment;
    let token =
        ProofToken::new(ProofKind::AuthorizationCode, permit.tenant().id, moment.entropy.bytes("code"));
    tx.put_code(&CodeRow {
        hash: token.hash(),
        facts: CodeFacts {
            grant: new_grant(request, permit, session, identified, context)?,
            redirect_uri: request.redirect_uri.clone().unwrap_or_default(),
            challenge: request.code_challenge.clone(),
            nonce: request.nonce.clone(),
            expires_at: moment.now + lifetime::CODE,
            redeemed_at: None,
        },
    })?;
    Ok(token.text())
}

/// What the sign-in sets going for the application: the session's end is told to whoever has one.
fn new_grant(
    request: &AuthorizeRequest,
    permit: &Permit,
    session: SessionId,
    identified: &Identified,
    context: &Context,
) -> Result<GrantFacts, Fault> {
    let now = context.moment.now;
    Ok(GrantFacts {
        id: GrantId::new(context.moment.entropy.uuid("grant")),
        client: AppId::new(request.client_id),
        user: identified.user.id,
        session,
        evidence: identified.evidence.clone(),
        platform: permit.platform().ok_or(Fault::Bug("a permit for a client has no platform"))?,
        via: Via::Browser,
        parent: None,
        scopes: request.scope.clone(),
        started_at: now,
        used_at: now,
        revoked_at: None,
    })
}

fn partner_code(
    tx: &WriteTx<'_>,
    request: &AuthorizeRequest,
    partner: domain::id::TenantId,
    identified: &Identified,
    session: SessionId,
    context: &Context,
) -> Result<String, Fault> {
    let moment = &context.moment;
    let home = tx.load_tenant()?.id;
    let token = ProofToken::new(ProofKind::PartnerCode, home, moment.entropy.bytes("partner code"));
    let challenge =
        request.code_challenge.clone().ok_or(Fault::Bug("a partner asked without a challenge"))?;
    tx.put_partner_code(
        token.hash(),
        &PartnerCode {
            partner,
            user: identified.user.id,
            session,
            evidence: identified.evidence.clone(),
            nonce: request.nonce.clone(),
            challenge,
            expires_at: moment.now + lifetime::PARTNER_CODE,
            redeemed_at: None,
        },
    )?;
    Ok(token.text())
}
