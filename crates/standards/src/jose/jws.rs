//! Verifying compact signatures. Only signature and shape are judged here; times and audiences are the caller's.

use super::jwk::PublicKey;
use crate::b64;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Longest token that is looked at, in bytes.
// DEFAULT: 16 KiB: a v1 token with 200 groups has about 9.
pub(super) const LONGEST: usize = 16 * 1024;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    #[error("the header names another algorithm than the key's")]
    AlgorithmMismatch,
    #[error("the header asks for something that must not be ignored")]
    CriticalHeader,
    #[error("not a compact JWS")]
    Form,
    #[error("the signature is wrong")]
    Signature,
    #[error("the token is too long")]
    TooLong,
    #[error("the header's type is not JWT")]
    Type,
    #[error("no such key")]
    UnknownKey,
}

/// A JSON object whose members have different names: of doubled ones, two readers may believe different ones
/// (RFC 7515 §4, RFC 7519 §4). A list is refused as well, which a derived reader would take for a record.
pub(super) struct Object(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object without doubled members")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a doubled member"));
                    }
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Verifies a token by the key that its `kid` names and returns the claims (RFC 7515 §5.2).
pub fn verify(token: &str, keys: &[PublicKey]) -> Result<Map<String, Value>, JwsError> {
    if token.len() > LONGEST {
        return Err(JwsError::TooLong);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(JwsError::Form)?;
    let (header, payload) = message.split_once('.').ok_or(JwsError::Form)?;
    let part = |text: &str| b64::decode(text).filter(|bytes| !bytes.is_empty()).ok_or(JwsError::Form);
    let (header, payload, signature) = (part(header)?, part(payload)?, part(signature)?);
    let Object(header) = serde_json::from_slice(&header).map_err(|_| JwsError::Form)?;
    // `jku`, `x5u` and an embedded `jwk` are not read at all (R17).
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if header.contains_key("crit") {
        return Err(JwsError::CriticalHeader);
    }
    // Byte for byte: what is meant for another purpose says so here (RFC 8725 §3.11).
    if text("typ") != Some("JWT") {
        return Err(JwsError::Type);
    }
    let kid = text("kid").ok_or(JwsError::UnknownKey)?;
    let key = keys.iter().find(|key| key.kid == kid).ok_or(JwsError::UnknownKey)?;
    if text("alg") != Some(key.algorithm.as_str()) {
        return Err(JwsError::AlgorithmMismatch);
    }
    if !key.is_signature(message.as_bytes(), &signature) {
        return Err(JwsError::Signature);
    }
    let Object(claims) = serde_json::from_slice(&payload).map_err(|_| JwsError::Form)?;
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto;
    use crate::jose::{Algorithm, HeaderForm, SigningKey};
    use serde_json::json;

    fn key(algorithm: Algorithm) -> SigningKey {
        let pkcs8 = SigningKey::generate(algorithm).unwrap();
        SigningKey::from_pkcs8(algorithm, &pkcs8, b"certificate".to_vec()).unwrap()
    }

    fn forge(header: Value, payload: &str, signature: &[u8]) -> String {
        format!("{}.{payload}.{}", b64::encode(header.to_string().as_bytes()), b64::encode(signature))
    }

    #[test]
    fn a_minted_token_verifies_and_its_jwk_reads_back() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let key = key(algorithm);
            let token = key.sign(HeaderForm::V1, &json!({ "sub": "x" })).unwrap();
            let read = PublicKey::from_jwk(&key.public().to_jwk("https://issuer")).unwrap();
            assert_eq!(verify(&token, &[read]).unwrap()["sub"], "x");
        }
    }

    #[test]
    fn r40_every_truncation_and_extension_of_a_token_fails() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let key = key(algorithm);
            let keys = [key.public().clone()];
            let token = key.sign(HeaderForm::V2, &json!({ "sub": "x" })).unwrap();
            for end in 0..token.len() {
                assert!(verify(token.get(..end).unwrap(), &keys).is_err());
            }
            for extra in ["A", "=", ".", ".A", " ", "\n", "AAAA"] {
                assert!(verify(&format!("{token}{extra}"), &keys).is_err(), "{extra:?}");
                assert!(verify(&format!("{extra}{token}"), &keys).is_err(), "{extra:?}");
            }
        }
    }

    #[test]
    fn r40_every_changed_letter_of_a_token_fails() {
        let key = key(Algorithm::Es256);
        let keys = [key.public().clone()];
        let token = key.sign(HeaderForm::V2, &json!({ "sub": "x" })).unwrap();
        for at in 0..token.len() {
            for letter in ["A", "B", ".", "="] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, letter);
                assert!(changed == token || verify(&changed, &keys).is_err(), "{changed}");
            }
        }
    }

    #[test]
    fn r40_a_signed_payload_must_be_an_object_without_doubled_claims() {
        let key = key(Algorithm::Es256);
        let keys = [key.public().clone()];
        for payload in [json!([]), json!("x"), json!(null), json!(1)] {
            let token = key.sign(HeaderForm::V2, &payload).unwrap();
            assert_eq!(verify(&token, &keys), Err(JwsError::Form), "{payload}");
        }
        struct Doubled;
        impl serde::Serialize for Doubled {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map([("sub", "x"), ("sub", "y")])
            }
        }
        assert_eq!(verify(&key.sign(HeaderForm::V2, &Doubled).unwrap(), &keys), Err(JwsError::Form));
    }

    #[test]
    fn r40_what_is_too_long_or_has_other_parts_is_not_looked_at() {
        assert_eq!(verify(&"a".repeat(LONGEST + 1), &[]), Err(JwsError::TooLong));
        for token in ["", ".", "..", "...", "e30.e30", "e30.e30.", ".e30.e30", "e30..e30", "e30.e30.e30.e30"]
        {
            assert_eq!(verify(token, &[]), Err(JwsError::Form), "{token}");
        }
    }

    #[test]
    fn r17_the_key_decides_the_algorithm() {
        let key = key(Algorithm::Rs256);
        let keys = [key.public().clone()];
        let kid = &key.public().kid;
        let token = key.sign(HeaderForm::V2, &json!({ "sub": "x" })).unwrap();
        let payload = token.split('.').nth(1).unwrap().to_owned();
        let signature = b64::decode(token.split('.').nth(2).unwrap()).unwrap();
        for alg in ["none", "None", "HS256", "rs256", "ES256", "PS256", ""] {
            let header = json!({ "typ": "JWT", "alg": alg, "kid": kid });
            assert_eq!(
                verify(&forge(header, &payload, &signature), &keys),
                Err(JwsError::AlgorithmMismatch),
                "{alg}"
            );
        }
        // The public modulus as an HMAC secret, the classic confusion.
        let header = json!({ "typ": "JWT", "alg": "HS256", "kid": kid });
        let message = format!("{}.{payload}", b64::encode(header.to_string().as_bytes()));
        let n = key.public().to_jwk("")["n"].as_str().unwrap().to_owned();
        let mac = crypto::hmac_sha256(n.as_bytes(), &[message.as_bytes()]);
        assert!(verify(&format!("{message}.{}", b64::encode(&mac)), &keys).is_err());
    }

    #[test]
    fn r17_headers_cannot_bring_their_own_key() {
        let (own, stranger) = (key(Algorithm::Es256), key(Algorithm::Es256));
        let keys = [own.public().clone()];
        let token = stranger.sign(HeaderForm::V2, &json!({ "sub": "x" })).unwrap();
        // Same certificate, so the same kid: only the key itself differs.
        assert_eq!(verify(&token, &keys), Err(JwsError::Signature));
        let payload = token.split('.').nth(1).unwrap();
        for extra in ["jku", "x5u", "jwk"] {
            let mut header = json!({ "typ": "JWT", "alg": "ES256", "kid": stranger.public().kid });
            header[extra] = stranger.public().to_jwk("");
            assert_eq!(verify(&forge(header, payload, &[1; 64]), &keys), Err(JwsError::Signature));
        }
        let header = json!({ "typ": "JWT", "alg": "ES256", "kid": own.public().kid, "crit": ["x"] });
        assert_eq!(verify(&forge(header, payload, &[1; 64]), &keys), Err(JwsError::CriticalHeader));
    }

    #[test]
    fn r17_headers_say_what_they_must_once_and_as_text() {
        let key = key(Algorithm::Es256);
        let (keys, kid) = ([key.public().clone()], key.kid());
        let refusal = |header: &str| {
            let parts = [b64::encode(header.as_bytes()), b64::encode(b"{}"), b64::encode(&[1; 64])];
            verify(&parts.join("."), &keys).err()
        };
        let whole = format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{kid}"}}"#);
        assert_eq!(refusal(&whole), Some(JwsError::Signature));
        for (from, to, error) in [
            (r#""typ":"JWT""#, r#""typ":"at+jwt""#, JwsError::Type),
            (r#""typ":"JWT""#, r#""typ":"jwt""#, JwsError::Type),
            (r#""typ":"JWT""#, r#""typ":["JWT"]"#, JwsError::Type),
            (r#","typ":"JWT""#, "", JwsError::Type),
            (r#""typ":"JWT""#, r#""typ":"JWT","typ":"JWT""#, JwsError::Form),
            (r#""typ":"JWT""#, r#""typ":"JWT","jku":"a","jku":"b""#, JwsError::Form),
            (r#""typ":"JWT""#, r#""typ":"JWT","crit":null"#, JwsError::CriticalHeader),
            (r#""typ":"JWT""#, r#""typ":"JWT","crit":[]"#, JwsError::CriticalHeader),
            (r#""alg":"ES256""#, r#""alg":["ES256"]"#, JwsError::AlgorithmMismatch),
            (r#""alg":"ES256","#, "", JwsError::AlgorithmMismatch),
            (r#""kid":"#, r#""Kid":"#, JwsError::UnknownKey),
            (kid, "another", JwsError::UnknownKey),
            (r#"{"alg""#, r#" {"alg" "#, JwsError::Signature),
            ("}", "}}", JwsError::Form),
        ] {
            let changed = whole.replace(from, to);
            assert_ne!(changed, whole, "{from}");
            assert_eq!(refusal(&changed), Some(error), "{changed}");
        }
        assert_eq!(refusal(&format!(r#"["ES256","{kid}","JWT",null]"#)), Some(JwsError::Form));
    }

    #[test]
    fn rfc7515_a2_and_a3_examples_have_right_signatures() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/rfc7515.json")).unwrap();
        for vector in vectors.as_array().unwrap() {
            let key = PublicKey::from_jwk(&vector["key"]).unwrap();
            let token = vector["token"].as_str().unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            assert!(
                key.is_signature(message.as_bytes(), &b64::decode(signature).unwrap()),
                "{}",
                vector["name"]
            );
            // The examples have no `typ`: our own tokens always do.
            assert_eq!(verify(token, &[key]), Err(JwsError::Type));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_verifier(text in "[A-Za-z0-9_.=-]{0,80}|\\PC{0,60}") {
            proptest::prop_assert!(verify(&text, &[]).is_err());
        }
    }
}
