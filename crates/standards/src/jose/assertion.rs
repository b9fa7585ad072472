//! A client's assertion (RFC 7523 §2.2 and §3), in all spellings that clients write (clients 15): PS256 and RS256, one
//! thumbprint or the other, segments and thumbprints with padding or without, times with fractions.

use super::jws::{JwsError, LONGEST, Object};
use crate::b64;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde_json::{Map, Value};

/// What kind of key a certificate holds; it says which algorithms may stand in a header (R17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    EcP256,
    Rsa,
}

/// Which certificate the header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thumbprint {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

/// An assertion that was read and is not verified yet.
#[derive(Debug)]
pub struct ClientAssertion<'a> {
    /// `None` when the header names no certificate.
    pub thumbprint: Option<Thumbprint>,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    /// Seconds since 1970; fractions are cut.
    pub expires_at: i64,
    pub not_before: Option<i64>,
    algorithm: String,
    message: &'a str,
    signature: Vec<u8>,
}

impl<'a> ClientAssertion<'a> {
    /// Reads an assertion. Doubled members, critical headers and claims of wrong types are refused.
    pub fn parse(text: &'a str) -> Result<Self, JwsError> {
        if text.len() > LONGEST {
            return Err(JwsError::TooLong);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(JwsError::Form)?;
        let (header, payload) = message.split_once('.').ok_or(JwsError::Form)?;
        let part = |text: &str| b64::decode_lenient(text).filter(|b| !b.is_empty()).ok_or(JwsError::Form);
        let (header, payload, signature) = (part(header)?, part(payload)?, part(signature)?);
        let Object(header) = serde_json::from_slice(&header).map_err(|_| JwsError::Form)?;
        let Object(claims) = serde_json::from_slice(&payload).map_err(|_| JwsError::Form)?;
        if header.contains_key("crit") {
            return Err(JwsError::CriticalHeader);
        }
        let is_jwt = |typ: &Value| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"));
        if !header.get("typ").is_none_or(is_jwt) {
            return Err(JwsError::Type);
        }
        Ok(Self {
            thumbprint: thumbprint(&header)?,
            issuer: text_of(&claims, "iss")?,
            subject: text_of(&claims, "sub")?,
            audiences: audiences(&claims)?,
            expires_at: seconds(&claims, "exp")?.ok_or(JwsError::Form)?,
            not_before: seconds(&claims, "nbf")?,
            algorithm: text_of(&header, "alg")?,
            message,
            signature,
        })
    }

    /// Whether the key of a certificate (`SubjectPublicKeyInfo`, DER) made the signature, by an algorithm of its kind.
    pub fn is_signed_by(&self, kind: KeyKind, public_key: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match (kind, self.algorithm.as_str()) {
            (KeyKind::EcP256, "ES256") => &ECDSA_P256_SHA256_FIXED,
            (KeyKind::Rsa, "PS256") => &RSA_PSS_2048_8192_SHA256,
            (KeyKind::Rsa, "RS256") => &RSA_PKCS1_2048_8192_SHA256,
            _ => return false,
        };
        UnparsedPublicKey::new(algorithm, public_key).verify(self.message.as_bytes(), &self.signature).is_ok()
    }
}

/// `x5t#S256` before `x5t`; some clients write the older one as `kid`, in hexadecimal or not: that is not read.
fn thumbprint(header: &Map<String, Value>) -> Result<Option<Thumbprint>, JwsError> {
    let bytes = |name: &str| match header.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().and_then(b64::decode_lenient).map(Some).ok_or(JwsError::Form),
    };
    if let Some(found) = bytes("x5t#S256")? {
        return found.try_into().map(|found| Some(Thumbprint::Sha256(found))).map_err(|_| JwsError::Form);
    }
    match bytes("x5t")? {
        Some(found) => {
            found.try_into().map(|found| Some(Thumbprint::Sha1(found))).map_err(|_| JwsError::Form)
        }
        None => Ok(None),
    }
}

pub(super) fn text_of(object: &Map<String, Value>, name: &str) -> Result<String, JwsError> {
    object.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(JwsError::Form)
}

/// One audience or a list (RFC 7519 §4.1.3).
pub(super) fn audiences(claims: &Map<String, Value>) -> Result<Vec<String>, JwsError> {
    match claims.get("aud") {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(list)) => {
            let texts = list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            texts.filter(|list| !list.is_empty()).ok_or(JwsError::Form)
        }
        _ => Err(JwsError::Form),
    }
}

/// A NumericDate (RFC 7519 §2), which may have a fraction; `None` when the claim is absent.
pub(super) fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, JwsError> {
    /// The year 9999, far inside of what a `f64` counts exactly.
    const LATEST: f64 = 253_402_300_799.0;
    match claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().filter(|at| (0.0..=LATEST).contains(at)).ok_or(JwsError::Form)?;
            #[expect(clippy::cast_possible_truncation, reason = "fractions are cut; the range was checked")]
            Ok(Some(seconds as i64))
        }
        Some(_) => Err(JwsError::Form),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa;
    use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding};
    use serde_json::json;

    fn sign(
        pair: &rsa::KeyPair,
        form: &'static dyn RsaEncoding,
        header: &Value,
        claims: &Value,
        pad: bool,
    ) -> String {
        let encode = |bytes: &[u8]| {
            let bare = b64::encode(bytes);
            let padding = if pad { "=".repeat((4 - bare.len() % 4) % 4) } else { String::new() };
            bare + &padding
        };
        let message =
            format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(form, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", encode(&signature))
    }

    fn claims() -> Value {
        json!({ "iss": "a", "sub": "a", "aud": "https://x/token", "exp": 1_800_000_000.75, "jti": "1" })
    }

    #[test]
    fn every_spelling_of_clients_is_read_and_verified() {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let key: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        for (alg, form) in [("RS256", &RSA_PKCS1_SHA256 as &dyn RsaEncoding), ("PS256", &RSA_PSS_SHA256)] {
            for pad in [false, true] {
                for name in ["x5t", "x5t#S256"] {
                    let digest = if name == "x5t" { vec![7; 20] } else { vec![7; 32] };
                    let mut header = json!({ "alg": alg, "typ": "JWT", "x5c": ["ignored"] });
                    header[name] =
                        json!(if pad { format!("{}=", b64::encode(&digest)) } else { b64::encode(&digest) });
                    let text = sign(&pair, form, &header, &claims(), pad);
                    let read = ClientAssertion::parse(&text).unwrap();
                    assert!(read.is_signed_by(KeyKind::Rsa, key.as_ref()), "{header}");
                    assert!(!read.is_signed_by(KeyKind::EcP256, key.as_ref()), "{header}");
                    assert_eq!(read.expires_at, 1_800_000_000);
                    assert!(read.thumbprint.is_some());
                }
            }
        }
    }

    #[test]
    fn r17_the_header_chooses_no_algorithm_that_the_key_has_not() {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let key: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        for alg in ["none", "HS256", "rs256", "RS512", "ES256", ""] {
            let text = sign(&pair, &RSA_PKCS1_SHA256, &json!({ "alg": alg }), &claims(), false);
            assert!(
                !ClientAssertion::parse(&text).unwrap().is_signed_by(KeyKind::Rsa, key.as_ref()),
                "{alg}"
            );
        }
    }

    #[test]
    fn what_is_no_assertion_is_not_read() {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let header = json!({ "alg": "RS256" });
        for (name, value) in [
            ("iss", Value::Null),
            ("sub", json!(1)),
            ("aud", json!([])),
            ("aud", json!([1])),
            ("exp", Value::Null),
            ("exp", json!("1800000000")),
            ("exp", json!(-1)),
            ("exp", json!(1e300)),
            ("nbf", json!({})),
        ] {
            let mut bad = claims();
            bad[name] = value;
            let text = sign(&pair, &RSA_PKCS1_SHA256, &header, &bad, false);
            assert!(ClientAssertion::parse(&text).is_err(), "{bad}");
        }
        for bad in [
            json!({ "alg": "RS256", "crit": ["b64"] }),
            json!({ "alg": "RS256", "typ": "at+jwt" }),
            json!({}),
        ] {
            let text = sign(&pair, &RSA_PKCS1_SHA256, &bad, &claims(), false);
            assert!(ClientAssertion::parse(&text).is_err(), "{bad}");
        }
        for bad in ["", ".", "..", "a.b", "a.b.c", "a.b.c.d"] {
            assert!(ClientAssertion::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(ClientAssertion::parse(&"a".repeat(LONGEST + 1)).err(), Some(JwsError::TooLong));
    }
}
