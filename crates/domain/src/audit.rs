//! Records: what happened, who did it, and why the answer was what it was (R32).
//!
//! Free text from outside is cut here, so that no input can make a record unwritable.

use crate::id::{AppId, SessionId, TenantId};
use crate::time::Timestamp;
use uuid::Uuid;

/// A line in the log, committed with the change or token it tells of.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a record is made once and moved twice: a box would cost more")]
pub enum Record {
    Directory(DirectoryRecord),
    SignIn(Box<SignInRecord>),
}

/// A change of the directory, or a refused one (Graph: directoryAudit).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRecord {
    /// `Invite external user`, `Add user`, ... (facts: graph §11).
    pub activity: &'static str,
    /// `UserManagement`, `ApplicationManagement`, `DirectoryManagement`, ...
    pub category: &'static str,
    pub actor: RecordActor,
    pub target: Option<Uuid>,
    pub target_name: Option<String>,
    /// `None` for success, else the stable name of the refusal.
    pub refusal: Option<&'static str>,
    pub reasons: String,
    pub modified: Vec<Modified>,
    pub origin: Origin,
}

/// A property of the target that became another (Graph: modifiedProperty). Values are JSON; `None` where there is none, or none
/// that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modified {
    pub property: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Record {
    /// The same record, which also tells what became another.
    pub fn telling(self, modified: Vec<Modified>) -> Self {
        match self {
            Self::Directory(record) => Self::Directory(DirectoryRecord { modified, ..record }),
            Self::SignIn(_) => self,
        }
    }
}

/// A sign-in or a token (Graph: signIn).
#[derive(Clone, Debug, PartialEq)]
pub struct SignInRecord {
    pub kind: SignInKind,
    pub user: Option<Uuid>,
    pub user_name: Option<String>,
    pub service_principal: Option<Uuid>,
    pub app: Option<AppId>,
    pub resource: Option<AppId>,
    pub home_tenant: Option<TenantId>,
    pub session: Option<SessionId>,
    /// The token's own id (`uti`), for success.
    pub token: Option<Uuid>,
    /// The AADSTS number of the refusal; 0 for success.
    pub error_code: u32,
    pub reasons: String,
    pub origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInKind {
    /// A person at a page.
    Interactive,
    /// A code or refresh token redeemed by an application for a person.
    NonInteractive,
    /// The home tenant vouched for its user towards a partner.
    Partner,
    ServicePrincipal,
}

impl SignInKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interactive => "interactiveUser",
            Self::NonInteractive => "nonInteractiveUser",
            Self::Partner => "partner",
            Self::ServicePrincipal => "servicePrincipal",
        }
    }
}

/// Who acted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordActor {
    Application {
        app: AppId,
    },
    /// The operator, through the command line or at first start.
    Operator,
    /// The server itself, because it was time.
    Service,
    User {
        user: Uuid,
    },
    /// A person who has not signed in.
    Visitor,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub at: Timestamp,
    pub correlation: Uuid,
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

/// Cuts text for the log at `limit` bytes and marks the cut (R32: overlong input never suppresses a record).
pub fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = (0..=limit).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…[{} bytes]", text.get(..end).unwrap_or_default(), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r32_overlong_text_is_cut_at_a_character_and_marked() {
        assert_eq!(shorten("äöü", 3), "ä…[6 bytes]");
        assert_eq!(shorten("abc", 3), "abc");
    }
}
