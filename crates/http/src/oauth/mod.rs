//! The OAuth and OIDC endpoints (facts: protocol §1).

pub(crate) mod admin_consent;
pub(crate) mod authorize;
pub(crate) mod cloud;
pub(crate) mod device;
pub(crate) mod discovery;
pub(crate) mod error;
pub(crate) mod logout;
pub(crate) mod token;
pub(crate) mod userinfo;
