//! The few primitives that domain and store need, from aws-lc.

use aws_lc_rs::{aead, constant_time, digest, hmac};

/// SHA-256 over the parts in order. Callers pass parts of fixed size, or one only: nothing separates them.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    to_array(context.finish().as_ref())
}

/// HMAC-SHA-256 over the parts in order (RFC 2104).
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    to_array(context.sign().as_ref())
}

/// SHA-1 of a certificate: a name for it (`x5t`, RFC 7517 §4.8), never a protection.
pub fn sha1_thumbprint(der: &[u8]) -> [u8; 20] {
    to_array(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref())
}

fn to_array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    array
}

/// Compares without telling by time where two secrets differ.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// AES-256-GCM: ciphertext and tag. A nonce is never used twice under one key.
pub fn seal(key: &[u8; 32], nonce: &[u8; 12], associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut text = plain.to_vec();
    let Ok(key) = aead::UnboundKey::new(&aead::AES_256_GCM, key) else { return Vec::new() };
    let nonce = aead::Nonce::assume_unique_for_key(*nonce);
    match aead::LessSafeKey::new(key).seal_in_place_append_tag(nonce, aead::Aad::from(associated), &mut text)
    {
        Ok(()) => text,
        Err(_) => Vec::new(),
    }
}

/// Opens what [`seal`] made; `None` when key, nonce, associated data or text differ.
pub fn open(key: &[u8; 32], nonce: &[u8; 12], associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let mut text = sealed.to_vec();
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, key).ok()?;
    let nonce = aead::Nonce::assume_unique_for_key(*nonce);
    let plain =
        aead::LessSafeKey::new(key).open_in_place(nonce, aead::Aad::from(associated), &mut text).ok()?;
    Some(plain.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_only_with_the_same_key_nonce_and_place() {
        let sealed = seal(&[1; 32], &[2; 12], b"place", b"secret");
        assert_eq!(open(&[1; 32], &[2; 12], b"place", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(open(&[3; 32], &[2; 12], b"place", &sealed), None);
        assert_eq!(open(&[1; 32], &[2; 12], b"elsewhere", &sealed), None);
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }
}
