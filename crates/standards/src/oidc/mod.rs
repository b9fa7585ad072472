//! OpenID Connect as this ecosystem speaks it.

pub mod claims;
pub mod client_info;
pub mod discovery;
