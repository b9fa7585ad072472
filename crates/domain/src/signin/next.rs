//! The dispatcher: where an unfinished sign-in stands, and what comes next.
//!
//! Called after every step by `service::signin`. It finds what is missing; the gate (`issuance::decide`) refuses if
//! something still is.

use crate::b2b::redemption::{self, Redemption};
use crate::directory::user::{ExternalState, SignInUser};
use crate::id::{InvitationId, SessionId, TenantId, UserId};
use crate::issuance::Denial;
use crate::signin::attempt::{Attempt, Purpose};
use crate::signin::evidence::{Proved, Verifier};
use crate::signin::session::Session;
use crate::tenancy::realm_discovery::Realm;
use crate::time::{Span, Timestamp};
use standards::oauth::authorize::Prompt;

/// What the dispatcher looks at, read in one transaction.
#[derive(Debug)]
pub struct Facts {
    /// This browser's living sessions in this tenant.
    pub sessions: Vec<Session>,
    /// Where the typed, hinted or invited name leads; `None` when there is no name yet.
    pub realm: Option<Realm>,
    /// The user of `attempt.proved`, as the directory has it now.
    pub proved: Option<SignInUser>,
    /// What the attempt's home assertion amounts to in this tenant.
    pub redemption: Option<Redemption>,
    pub consent: Consent,
}

/// What the client still needs agreement to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Consent {
    /// Scope values nobody agreed to yet for this client and the user at hand.
    pub missing: Vec<String>,
    /// Some of the missing ones need an administrator.
    pub needs_admin: bool,
    /// Some give an application rights over the directory by itself: not every administrator's to give.
    pub needs_role_admin: bool,
    /// Whoever may not agree may ask for approval from here.
    pub takes_requests: bool,
    /// What the page would say (`issuance::consent::Plan::fingerprint`).
    pub shown: [u8; 32],
    /// What an administrator was asked for cannot be agreed to at all.
    pub problem: Option<Denial>,
}

/// Who is signing in, as far as it is settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Identified {
    pub user: SignInUser,
    pub evidence: Vec<Proved>,
    /// The session that was reused; `None` for a fresh proof.
    pub session: Option<SessionId>,
    pub is_persistent: bool,
}

/// The next demand.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The person may not agree to what only an administrator agrees to; another account may.
    AskAdministrator {
        user: UserId,
    },
    /// An administrator has to agree, and the person may ask for it.
    AskApproval {
        user: UserId,
    },
    AskName {
        problem: Option<NameProblem>,
    },
    AskPassword {
        user: Option<UserId>,
    },
    AskStaySignedIn {
        user: UserId,
    },
    ChangePassword {
        user: UserId,
    },
    /// "Did you start this?", asked of everybody whom a device waits for, session or not (R33).
    ConfirmDevice {
        user: UserId,
    },
    Consent {
        user: UserId,
        missing: Vec<String>,
    },
    GoHome {
        home: TenantId,
        is_silent: bool,
    },
    Issue(Box<Identified>),
    PickAccount {
        sessions: Vec<SessionId>,
    },
    Refuse(Denial),
    ReviewRedemption {
        user: UserId,
        invitation: Option<InvitationId>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// No directory here knows the address.
    Unknown,
}

/// Decides the next step (R11, R12): from stored state and facts alone, whatever path led here.
pub fn next(attempt: &Attempt, facts: &Facts, now: Timestamp) -> Step {
    if attempt.is_expired(now) {
        return Step::Refuse(Denial::FlowExpired);
    }
    let identified = match identify(attempt, facts, now) {
        Ok(identified) => identified,
        Err(step) => return *step,
    };
    let user = &identified.user;
    if !user.is_enabled {
        return Step::Refuse(Denial::AccountDisabled);
    }
    if user.external == Some(ExternalState::PendingAcceptance) && attempt.redemption_accepted_at.is_none() {
        let invitation = match (&attempt.purpose, &facts.redemption) {
            (Purpose::Redemption(invitation), _) => Some(*invitation),
            (_, Some(Redemption::Pending { invitation, .. })) => *invitation,
            (
                Purpose::AdminConsent(_)
                | Purpose::Authorize(_)
                | Purpose::Device(_)
                | Purpose::Partner(..)
                | Purpose::Portal,
                _,
            ) => None,
        };
        return if is_silent(attempt) {
            Step::Refuse(Denial::GuestPending)
        } else {
            Step::ReviewRedemption { user: user.id, invitation }
        };
    }
    if user.must_change_password
        && identified.evidence.iter().any(|proved| proved.verifier == Verifier::ThisTenant)
    {
        return if is_silent(attempt) {
            Step::Refuse(Denial::PasswordExpired)
        } else {
            Step::ChangePassword { user: user.id }
        };
    }
    let is_device = matches!(attempt.purpose, Purpose::Device(_));
    if is_device && attempt.device_confirmed_by != Some(user.id) {
        return Step::ConfirmDevice { user: user.id };
    }
    if let Some(step) = consent(attempt, facts, user) {
        return step;
    }
    // Only where the password was just typed, for this browser: a guest was asked at home, a device is not this browser,
    // and an administrator came for one agreement.
    let is_fresh_here = identified.session.is_none()
        && identified.evidence.iter().all(|proved| proved.verifier == Verifier::ThisTenant);
    let is_one_errand = matches!(attempt.purpose, Purpose::AdminConsent(_) | Purpose::Device(_));
    if is_fresh_here && !is_one_errand && attempt.stay_signed_in.is_none() && !is_silent(attempt) {
        return Step::AskStaySignedIn { user: user.id };
    }
    Step::Issue(Box::new(identified))
}

/// Whose sign-in it is as far as that is settled: for loading what depends on it.
pub fn who(attempt: &Attempt, facts: &Facts, now: Timestamp) -> Option<UserId> {
    identify(attempt, facts, now).ok().map(|identified| identified.user.id)
}

/// Settles who is signing in, or says what to ask.
fn identify(attempt: &Attempt, facts: &Facts, now: Timestamp) -> Result<Identified, Box<Step>> {
    let step = |step| Err(Box::new(step));
    if let (Some(proved), Some(user)) = (&attempt.proved, &facts.proved) {
        return Ok(Identified {
            user: user.clone(),
            evidence: proved.evidence.clone(),
            session: None,
            is_persistent: attempt.stay_signed_in.unwrap_or(false),
        });
    }
    let request = attempt.purpose.request();
    let prompt = request.and_then(|request| request.prompt);
    let max_age = request.and_then(|request| request.max_age);
    if let (Some(assertion), Some(redemption)) = (&attempt.assertion, &facts.redemption) {
        // What was asked of the home travelled through the browser: its answer shows whether the home heard it. A sign-in
        // of this attempt is always fresh; `auth_time` is in whole seconds.
        let at = assertion.authenticated_at;
        let is_of_now = at.seconds() >= attempt.created_at.seconds();
        let is_young = max_age.is_none_or(|age| now.since(at) <= Span::seconds(i64::from(age)));
        if !is_of_now && (prompt == Some(Prompt::Login) || !is_young) {
            return step(Step::Refuse(Denial::AssertionRejected));
        }
        return match redemption {
            Redemption::Bound(user) | Redemption::Pending { user, .. } => Ok(Identified {
                user: user.clone(),
                evidence: assertion.evidence.clone(),
                session: None,
                is_persistent: false,
            }),
            Redemption::Refused(refusal) => step(Step::Refuse(redemption::denial(*refusal))),
        };
    }

    // Tokens straight from this endpoint are redeemed nowhere, so nobody would ask a guest's home whether the sign-in still
    // stands: the guest goes there instead of using the session here (R38).
    let takes_tokens =
        request.is_some_and(|request| request.response_type.id_token || request.response_type.token);
    let is_fresh_enough = |session: &&Session| {
        !(takes_tokens && session.user.external.is_some())
            && max_age
                .is_none_or(|age| now.since(session.authenticated_at()) <= Span::seconds(i64::from(age)))
    };
    let reuse = |session: &Session| Identified {
        user: session.user.clone(),
        evidence: session.evidence.clone(),
        session: Some(session.id),
        is_persistent: session.is_persistent,
    };
    let alive: Vec<&Session> = facts.sessions.iter().filter(|session| session.is_alive(now)).collect();

    let picked = attempt.picked.and_then(|id| alive.iter().find(|session| session.id == id));
    let is_redemption = matches!(attempt.purpose, Purpose::Redemption(_));
    let is_login_asked = prompt == Some(Prompt::Login) || is_redemption;
    if let Some(session) = picked.filter(|session| is_fresh_enough(session) && !is_login_asked) {
        return Ok(reuse(session));
    }
    // A picked session that will not do says at least who it is: `realm` is that person's.
    let asks_again =
        is_login_asked || picked.is_some() || attempt.wants_other_account || attempt.login.is_some();
    let hint = request.and_then(|request| request.login_hint.as_deref());
    if !asks_again {
        let sid = request.and_then(|request| request.sid.as_deref());
        let hinted = alive.iter().find(|session| {
            sid.is_some_and(|sid| session.id.to_string() == sid)
                || hint.is_some_and(|hint| session_answers_to(session, hint))
        });
        let has_hint = sid.is_some() || hint.is_some();
        let is_picker_due = matches!(prompt, Some(Prompt::SelectAccount));
        match (hinted, alive.as_slice()) {
            (Some(session), _) if !is_picker_due && is_fresh_enough(session) => return Ok(reuse(session)),
            (None, [only]) if !has_hint && !is_picker_due && is_fresh_enough(only) => return Ok(reuse(only)),
            (None, [_, _, ..]) if prompt == Some(Prompt::None) && !has_hint => {
                return step(Step::Refuse(Denial::SeveralSessions));
            }
            (_, [_, ..]) if is_picker_due || (!has_hint && alive.len() > 1) => {
                return step(Step::PickAccount {
                    sessions: alive.iter().map(|session| session.id).collect(),
                });
            }
            _ => {}
        }
    }
    if prompt == Some(Prompt::None) {
        return step(Step::Refuse(Denial::NoSession));
    }
    match &facts.realm {
        None => step(Step::AskName { problem: None }),
        Some(Realm::Here(user)) => step(Step::AskPassword { user: *user }),
        Some(Realm::Home(home)) => step(Step::GoHome { home: *home, is_silent: false }),
        Some(Realm::Unknown) => step(Step::AskName { problem: Some(NameProblem::Unknown) }),
    }
}

/// Whether a `login_hint` names the session's user.
pub(crate) fn session_answers_to(session: &Session, hint: &str) -> bool {
    let user = &session.user;
    user.sign_in_name.eq_ignore_ascii_case(hint)
        || user.mail.as_deref().is_some_and(|mail| mail.eq_ignore_ascii_case(hint))
        || user.id.to_string() == hint
}

fn is_silent(attempt: &Attempt) -> bool {
    attempt.purpose.request().is_some_and(|request| request.prompt == Some(Prompt::None))
}

/// The consent step, if one is due. The home tenant's answer to a partner needs none: both tenants' settings decide.
fn consent(attempt: &Attempt, facts: &Facts, user: &SignInUser) -> Option<Step> {
    attempt.purpose.wanted()?;
    let prompt = attempt.purpose.request().and_then(|request| request.prompt);
    // A yes to another list, or somebody else's, is none.
    let yes = attempt.consented.as_ref();
    let has_answered = yes.is_some_and(|yes| yes.user == user.id && yes.shown == facts.consent.shown);
    if let Purpose::AdminConsent(_) = attempt.purpose {
        if let Some(denial) = facts.consent.problem {
            return Some(Step::Refuse(denial));
        }
        if !user.can_consent_for_all() || (facts.consent.needs_role_admin && !user.can_give_directory_roles())
        {
            return Some(Step::AskAdministrator { user: user.id });
        }
        return (!has_answered).then_some(Step::Consent { user: user.id, missing: Vec::new() });
    }
    let is_forced = prompt == Some(Prompt::Consent) && !has_answered;
    // Asked once: what is missing after that, the gate refuses.
    let is_due = !has_answered && !facts.consent.missing.is_empty();
    if !is_due && !is_forced {
        return None;
    }
    if is_silent(attempt) {
        return Some(Step::Refuse(Denial::ConsentRequired));
    }
    if facts.consent.needs_admin && !user.can_consent_for_all() {
        return Some(match facts.consent.takes_requests {
            true => Step::AskApproval { user: user.id },
            false => Step::Refuse(Denial::AdminConsentRequired),
        });
    }
    Some(Step::Consent { user: user.id, missing: facts.consent.missing.clone() })
}
