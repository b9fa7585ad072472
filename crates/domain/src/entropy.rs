//! Chance as an argument: one fresh seed a request, everything random derived from it by purpose.
//!
//! A write that runs twice draws the same ids and secrets both times, and a test with a fixed seed is repeatable.

use crate::time::Timestamp;
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

    /// A UUID that begins with the time (version 7, RFC 9562 §5.7): an index of what is made all the time grows at one
    /// end. For ids that may be guessed.
    pub fn uuid_at(&self, purpose: &str, now: Timestamp) -> Uuid {
        timed_uuid(self.bytes(purpose), now)
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

/// A version 7 UUID of that time and those bits.
pub fn timed_uuid(bits: [u8; 32], at: Timestamp) -> Uuid {
    let [a, b, c, d, e, f, g, h, i, j, ..] = bits;
    let millis = u64::try_from(at.millis()).unwrap_or_default();
    Builder::from_unix_timestamp_millis(millis, &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_with_the_time_are_in_the_order_of_time() {
        let at = |millis| Entropy::new([7; 32]).uuid_at("token", Timestamp::from_millis(millis));
        assert!(at(1_000) < at(1_001));
        assert_eq!(at(1_000).get_version_num(), 7);
        let other = Entropy::new([8; 32]).uuid_at("token", Timestamp::from_millis(1_000));
        assert_ne!(at(1_000), other);
    }

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
