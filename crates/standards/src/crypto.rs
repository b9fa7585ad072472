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
///
/// Empty only for texts of more than 64 GiB, which GCM cannot seal; [`open`] refuses what is empty.
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

    fn hex(text: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    }

    #[test]
    fn fips180_examples_hash_as_published_whatever_the_parts() {
        let abc = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256(&[b"abc"])[..], abc);
        assert_eq!(sha256(&[b"a", b"", b"bc"])[..], abc);
        assert_eq!(sha1_thumbprint(b"abc")[..], hex("a9993e364706816aba3e25717850c26c9cd0d89d"));
    }

    #[test]
    fn rfc4231_test_cases_1_and_2_have_their_mac() {
        let first = hmac_sha256(&[0x0b; 20], &[b"Hi There"]);
        assert_eq!(first[..], hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
        let second = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(second[..], hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    }

    #[test]
    fn gcm_specification_test_case_14_seals_as_published() {
        let sealed = seal(&[0; 32], &[0; 12], b"", &[0; 16]);
        assert_eq!(sealed, hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"));
    }

    #[test]
    fn r40_every_truncation_and_change_of_a_sealed_text_fails() {
        let sealed = seal(&[1; 32], &[2; 12], b"place", b"secret");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&[1; 32], &[2; 12], b"place", &changed), None);
            assert_eq!(open(&[1; 32], &[2; 12], b"place", &sealed[..at]), None);
        }
    }

    #[test]
    fn equal_means_equal_in_length_and_content() {
        assert!(constant_time_eq(b"", b"") && constant_time_eq(b"ab", b"ab"));
        assert!(!constant_time_eq(b"ab", b"a") && !constant_time_eq(b"ab", b"ac"));
    }

    #[test]
    fn what_was_sealed_opens_only_with_the_same_key_nonce_and_place() {
        let sealed = seal(&[1; 32], &[2; 12], b"place", b"secret");
        assert_eq!(open(&[1; 32], &[2; 12], b"place", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(open(&[3; 32], &[2; 12], b"place", &sealed), None);
        assert_eq!(open(&[1; 32], &[2; 12], b"elsewhere", &sealed), None);
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }
}
