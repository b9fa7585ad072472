//! JWTs that nobody here signed: whatever they are, they prove nothing.

use standards::jose::assertion::{ClientAssertion, KeyKind};
use standards::jose::jws;

/// Longest token that is looked at.
const LONGEST: usize = 16 * 1024;

pub(crate) fn tokens(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(assertion) = ClientAssertion::parse(text) {
        assert!(text.len() <= LONGEST, "{} bytes were read", text.len());
        assert!(!assertion.audiences.is_empty());
        for kind in [KeyKind::EcP256, KeyKind::Rsa] {
            assert!(!assertion.is_signed_by(kind, &[]), "signed by no key");
        }
    }
    assert!(jws::verify(text, &[]).is_err(), "verified by no key");
    crate::server::bearer(text);
}
