//! What was proved about a person: method, time, verifier. Kept as recorded, never as a flag (R12).

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
    /// The issuer of a verified assertion.
    Partner(String),
    ThisTenant,
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
