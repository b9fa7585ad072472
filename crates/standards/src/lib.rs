//! What the world agreed on: OAuth, OIDC, JOSE and OData vocabulary and codecs. Imports none of our crates, reads no
//! clock, does no I/O. Every item names its section.

pub mod b64;
pub mod crypto;
mod form;
pub mod jose;
pub mod membership_rule;
pub mod oauth;
pub mod odata;
pub mod oidc;
pub mod pattern;
pub mod time;
pub mod token_lifetime;
