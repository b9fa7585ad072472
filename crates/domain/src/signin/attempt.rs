//! An unfinished sign-in. It is another type than a session, so it cannot pass for one (R34), and it holds what the
//! client asked at the first step, so nothing the browser carries can change it (R28).

use crate::federation::assertion::HomeAssertion;
use crate::id::{AttemptId, InvitationId, SessionId, TenantId, UserId};
use crate::signin::evidence::Proved;
use crate::time::{Span, Timestamp};
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
    pub consented_at: Option<Timestamp>,
    pub stay_signed_in: Option<bool>,
}

/// A user of this tenant who proved something in this attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedUser {
    pub user: UserId,
    pub evidence: Vec<Proved>,
}

/// What the sign-in is for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// An application's authorization request.
    Authorize(Box<AuthorizeRequest>),
    /// Another tenant asks this one, its user's home, who the person is. `client_id` is that tenant's id.
    Partner(Box<AuthorizeRequest>, TenantId),
    /// My Apps, the tenant's own page.
    Portal,
    /// Following an invitation's link. The ticket was looked up, not consumed (R05).
    Redemption(InvitationId),
}

impl Purpose {
    pub fn request(&self) -> Option<&AuthorizeRequest> {
        match self {
            Self::Authorize(request) | Self::Partner(request, _) => Some(request),
            Self::Portal | Self::Redemption(_) => None,
        }
    }
}

impl Attempt {
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.since(self.created_at) > ATTEMPT_LIFETIME
    }
}
