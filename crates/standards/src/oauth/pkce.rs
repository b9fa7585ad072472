//! Proof Key for Code Exchange (RFC 7636).

use super::authorize::{ChallengeMethod, CodeChallenge};
use crate::{b64, crypto};

/// Whether a text can be a verifier or challenge: 43 to 128 unreserved characters (RFC 7636 §4.1).
pub fn is_well_formed(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

/// Whether the verifier belongs to the challenge (RFC 7636 §4.6).
pub fn verify(challenge: &CodeChallenge, verifier: &str) -> bool {
    if !is_well_formed(verifier) {
        return false;
    }
    match challenge.method {
        ChallengeMethod::Plain => crypto::constant_time_eq(challenge.value.as_bytes(), verifier.as_bytes()),
        ChallengeMethod::S256 => {
            let computed = b64::encode(&crypto::sha256(&[verifier.as_bytes()]));
            crypto::constant_time_eq(challenge.value.as_bytes(), computed.as_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc7636_appendix_b_example_verifies() {
        let value = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned();
        let challenge = CodeChallenge { method: ChallengeMethod::S256, value };
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(verify(&challenge, verifier));
        for end in 0..verifier.len() {
            assert!(!verify(&challenge, verifier.get(..end).unwrap()));
        }
        assert!(!verify(&challenge, &format!("{verifier}A")));
    }

    #[test]
    fn a_plain_challenge_is_its_verifier() {
        let value = "a-._~Z09".repeat(6);
        let challenge = CodeChallenge { method: ChallengeMethod::Plain, value: value.clone() };
        assert!(verify(&challenge, &value));
        assert!(!verify(&challenge, &value.to_lowercase()));
        // Its hash is another text: the method cannot be changed at the token endpoint.
        let hashed = CodeChallenge { method: ChallengeMethod::S256, value: value.clone() };
        assert!(!verify(&hashed, &value));
    }

    #[test]
    fn verifiers_have_43_to_128_unreserved_characters() {
        assert!(is_well_formed(&"a".repeat(43)) && is_well_formed(&"a".repeat(128)));
        for bad in ["a".repeat(42), "a".repeat(129), "+".repeat(43), "é".repeat(43), String::new()] {
            assert!(!is_well_formed(&bad), "{bad}");
        }
    }
}
