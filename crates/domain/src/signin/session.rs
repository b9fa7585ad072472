//! A finished sign-in of one user in one tenant and one browser.

use crate::directory::user::SignInUser;
use crate::id::SessionId;
use crate::signin::evidence::Proved;
use crate::time::{Span, Timestamp};

/// How long a session lives without use when the person did not ask to stay signed in.
// DEFAULT: 24 hours idle, 90 days idle when persistent (facts: protocol §6).
pub const SESSION_IDLE: Span = Span::hours(24);
/// How long a session lives without use when the person asked to stay signed in.
pub const SESSION_IDLE_PERSISTENT: Span = Span::days(90);

/// A session with the user as the directory has it now (R38).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: SignInUser,
    pub evidence: Vec<Proved>,
    pub started_at: Timestamp,
    pub used_at: Timestamp,
    pub is_persistent: bool,
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// Whether the session still counts: not ended, not idle too long, not from before a revocation.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        let idle = if self.is_persistent { SESSION_IDLE_PERSISTENT } else { SESSION_IDLE };
        self.ended_at.is_none()
            && now.since(self.used_at) <= idle
            && self.started_at >= self.user.sessions_valid_from
    }
    /// When the person last proved anything.
    pub fn authenticated_at(&self) -> Timestamp {
        self.evidence.iter().map(|proved| proved.at).max().unwrap_or(self.started_at)
    }
}
