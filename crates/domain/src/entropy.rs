//! Chance as an argument: one fresh seed a request, everything random derived from it by purpose.
//!
//! A write that runs twice draws the same ids and secrets both times, and a test with a fixed seed is repeatable.

use standards::{b64, crypto};
use uuid::{Builder, Uuid};

/// 256 fresh random bits, taken once at the door of a request.
#[derive(Clone, Copy)]
pub struct Entropy([u8; 32]);

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy(..)")
    }
}

impl Entropy {
    pub const fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// The bits for one purpose. The same purpose gives the same bits; HMAC keeps purposes apart (RFC 2104).
    pub fn bytes(&self, purpose: &str) -> [u8; 32] {
        crypto::hmac_sha256(&self.0, &[purpose.as_bytes()])
    }

    /// A random (version 4) UUID for one purpose (RFC 9562 §5.4).
    pub fn uuid(&self, purpose: &str) -> Uuid {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = self.bytes(purpose);
        Builder::from_random_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]).into_uuid()
    }

    /// A secret of 256 bits as text, 43 base64url characters.
    pub fn secret(&self, purpose: &str) -> String {
        b64::encode(&self.bytes(purpose))
    }

    /// A seed of its own for the `index`-th of several like things made by one request.
    pub fn child(&self, purpose: &str, index: usize) -> Self {
        Self(crypto::hmac_sha256(&self.0, &[purpose.as_bytes(), &(index as u64).to_be_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_apart_and_repeatable() {
        let entropy = Entropy::new([7; 32]);
        assert_eq!(entropy.uuid("user"), entropy.uuid("user"));
        assert_ne!(entropy.uuid("user"), entropy.uuid("ticket"));
        assert_ne!(entropy.child("user", 0).uuid("x"), entropy.child("user", 1).uuid("x"));
        assert_eq!(entropy.uuid("user").get_version_num(), 4);
        assert_eq!(entropy.secret("x").len(), 43);
    }
}
