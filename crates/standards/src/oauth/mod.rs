//! OAuth 2.0 (RFC 6749, 6750, 7636) as this ecosystem speaks it.

pub mod authorize;
pub mod device;
pub mod error;
pub mod params;
pub mod pkce;
pub mod redirect;
pub mod token;
pub mod token_response;
