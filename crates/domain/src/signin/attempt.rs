//! An unfinished sign-in. It is another type than a session, so it cannot pass for one (R34), and it holds what the
//! client asked at the first step, so nothing the browser carries can change it (R28).

use crate::federation::assertion::HomeAssertion;
use crate::id::{AppId, AttemptId, InvitationId, SessionId, TenantId, UserId};
use crate::proof::ProofHash;
use crate::signin::evidence::Proved;
use crate::time::{Span, Timestamp};
use standards::oauth::admin_consent::AdminConsentRequest;
use standards::oauth::authorize::AuthorizeRequest;

/// How long someone may take to sign in.
// DEFAULT: one hour; people look for their password, and the form is useless to anyone without the browser's cookie.
pub const ATTEMPT_LIFETIME: Span = Span::hours(1);

#[derive(Clone, Debug)]
pub struct Attempt {
    pub id: AttemptId,
    pub tenant: TenantId,
    pub purpose: Purpose,
    pub created_at: Timestamp,
    /// The name typed last.
    pub login: Option<String>,
    /// The session the person picked in the account picker.
    pub picked: Option<SessionId>,
    /// "Use another account" was chosen: existing sessions are not offered again.
    pub wants_other_account: bool,
    /// What was proved in this attempt, and about whom.
    pub proved: Option<ProvedUser>,
    /// A home's answer that awaits acceptance or binding.
    pub assertion: Option<HomeAssertion>,
    pub redemption_accepted_at: Option<Timestamp>,
    /// Written together with the success that it leads to, so that a refusal leaves none behind; at once where another
    /// question comes between.
    pub consented: Option<Consented>,
    /// Who said that the waiting device is their own doing.
    pub device_confirmed_by: Option<UserId>,
    pub stay_signed_in: Option<bool>,
}

/// A user of this tenant who proved something in this attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedUser {
    pub user: UserId,
    pub evidence: Vec<Proved>,
}

/// A yes to a consent page. Another person's is none, and so is one to a list that has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consented {
    pub user: UserId,
    pub for_organization: bool,
    /// What the page said (`issuance::consent::Plan::fingerprint`).
    pub shown: [u8; 32],
    pub is_written: bool,
}

/// What the sign-in is for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// An administrator agrees for everybody (the `adminconsent` endpoint).
    AdminConsent(Box<AdminConsentRequest>),
    /// An application's authorization request.
    Authorize(Box<AuthorizeRequest>),
    /// A device waits for this (RFC 8628 §3.3).
    Device(Box<WaitingDevice>),
    /// Another tenant asks this one, its user's home, who the person is. `client_id` is that tenant's id.
    Partner(Box<AuthorizeRequest>, TenantId),
    /// My Apps, the tenant's own page.
    Portal,
    /// Following an invitation's link. The ticket was looked up, not consumed (R05).
    Redemption(InvitationId),
}

/// A device that was given a code: what it asked for, and from where (R28, R33).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingDevice {
    pub code: ProofHash,
    pub client: AppId,
    pub scopes: Vec<String>,
    /// The network address that the code was asked from.
    pub address: Option<String>,
}

impl Purpose {
    pub fn request(&self) -> Option<&AuthorizeRequest> {
        match self {
            Self::Authorize(request) | Self::Partner(request, _) => Some(request),
            Self::AdminConsent(_) | Self::Device(_) | Self::Portal | Self::Redemption(_) => None,
        }
    }

    /// The client that the sign-in is for; for a partner, its tenant's id.
    pub fn client(&self) -> Option<AppId> {
        match self {
            Self::AdminConsent(request) => Some(AppId::new(request.client_id)),
            Self::Authorize(request) | Self::Partner(request, _) => Some(AppId::new(request.client_id)),
            Self::Device(device) => Some(device.client),
            Self::Portal | Self::Redemption(_) => None,
        }
    }

    /// The application and the scopes that somebody has to agree to.
    pub fn wanted(&self) -> Option<(AppId, &[String])> {
        match self {
            Self::AdminConsent(request) => Some((AppId::new(request.client_id), &request.scope)),
            Self::Authorize(request) => Some((AppId::new(request.client_id), &request.scope)),
            Self::Device(device) => Some((device.client, &device.scopes)),
            Self::Partner(..) | Self::Portal | Self::Redemption(_) => None,
        }
    }
}

impl Attempt {
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.since(self.created_at) > ATTEMPT_LIFETIME
    }
}
