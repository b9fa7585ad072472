//! JSON Web Keys and Signatures (RFC 7515, 7517, 7518). The key decides the algorithm, never the header (R17).

pub mod assertion;
pub mod foreign;
pub mod jwk;
pub mod jws;

pub use assertion::{ClientAssertion, KeyKind, Thumbprint};
pub use foreign::ForeignAssertion;
pub use jwk::{Algorithm, HeaderForm, KeyError, PublicKey, SigningKey};
pub use jws::JwsError;
