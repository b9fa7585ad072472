//! What was proved about a person: method, time, verifier. Kept as recorded, never as a flag (R12).

use crate::id::GrantId;
use crate::time::Timestamp;

/// One proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    pub method: Method,
    pub at: Timestamp,
    pub verifier: Verifier,
}

/// How something was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A home vouched; what it checked itself is its own business until a trust rule says otherwise.
    Federated,
    Password,
}

/// Who checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verifier {
    /// The issuer of a verified assertion, and the home's own name for the sign-in behind it: what it is asked by when it
    /// must vouch again (R38).
    Partner {
        issuer: String,
        grant: Option<GrantId>,
    },
    ThisTenant,
}

/// The home's sign-in that evidence hangs on, where a home vouched and said so.
pub fn home_grant(evidence: &[Proved]) -> Option<GrantId> {
    evidence.iter().rev().find_map(|proved| match &proved.verifier {
        Verifier::Partner { grant, .. } => *grant,
        Verifier::ThisTenant => None,
    })
}

impl Method {
    /// The `amr` value of v1 tokens (RFC 8176).
    pub const fn amr(self) -> &'static str {
        match self {
            Self::Federated => "fed",
            Self::Password => "pwd",
        }
    }
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Federated => "federated",
            Self::Password => "password",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Federated, Self::Password].into_iter().find(|method| method.as_str() == text)
    }
}
