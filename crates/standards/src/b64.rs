//! base64url (RFC 4648 §5) and plain base64 (§4).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

/// Encodes without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the encoding to a buffer.
pub(crate) fn encode_into(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// Decodes strictly: no padding, no foreign characters, no bits left over (R40).
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes with whole padding or none; strict otherwise. Only for what foreign software signed (clients 15): our own
/// tokens have one spelling.
pub fn decode_lenient(text: &str) -> Option<Vec<u8>> {
    decode(text).or_else(|| URL_SAFE.decode(text).ok())
}

/// Plain base64 with padding, as `x5c` wants it (RFC 7517 §4.7).
pub fn encode_std(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Plain base64 with padding, strictly.
pub fn decode_std(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4648_section_10_vectors_are_read_and_written() {
        for (plain, padded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let bare = padded.trim_end_matches('=');
            assert_eq!(encode(plain.as_bytes()), bare);
            assert_eq!(encode_std(plain.as_bytes()), padded);
            assert_eq!(decode(bare).as_deref(), Some(plain.as_bytes()));
            assert_eq!(decode_std(padded).as_deref(), Some(plain.as_bytes()));
            assert_eq!(decode_lenient(bare).as_deref(), Some(plain.as_bytes()));
            assert_eq!(decode_lenient(padded).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn r40_bytes_have_one_spelling() {
        // Padding, left-over bits, the other alphabet, white space, half a group.
        for other in ["Zg==", "Zh", "+/8", "Z g", "Zg\n", "Z"] {
            assert_eq!(decode(other), None, "{other}");
        }
        assert_eq!(decode("-_8").as_deref(), Some(&[0xfb, 0xff][..]));
        for other in ["Zh", "Zg=", "Zg===", "+/8=", "Z"] {
            assert_eq!(decode_lenient(other), None, "{other}");
        }
    }
}
