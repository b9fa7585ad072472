//! OAuth 2.0 (RFC 6749, 6750, 7636) as this ecosystem speaks it.

pub mod admin_consent;
pub mod authorize;
pub mod claims;
pub mod device;
pub mod error;
pub mod params;
pub mod pkce;
pub mod redirect;
pub mod token;
pub mod token_response;

/// Which generation of addresses, issuers and ID tokens (facts: protocol §1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// Names a resource instead of scopes.
    V1,
    #[default]
    V2,
}
