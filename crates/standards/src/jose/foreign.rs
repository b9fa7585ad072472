//! An assertion that another issuer signed (RFC 7523 §3), for clients with a federated credential. Issuers differ in what
//! they write: some leave `typ` out, some have one key without a `kid`.

use super::assertion::{audiences, seconds, text_of};
use super::jwk::PublicKey;
use super::jws::{JwsError, LONGEST, Object};
use crate::b64;
use serde_json::Value;

/// What a verified assertion says. Whether that is enough is judged elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignAssertion {
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    /// Seconds since 1970; fractions are cut.
    pub expires_at: i64,
    pub not_before: Option<i64>,
    /// A token about a person (`oid` beside another `sub`, or scopes): such a one proves no workload.
    pub is_of_user: bool,
}

struct Parts<'a> {
    header: Object,
    claims: Object,
    message: &'a str,
    signature: Vec<u8>,
}

fn parts(text: &str) -> Result<Parts<'_>, JwsError> {
    if text.len() > LONGEST {
        return Err(JwsError::TooLong);
    }
    let (message, signature) = text.rsplit_once('.').ok_or(JwsError::Form)?;
    let (header, payload) = message.split_once('.').ok_or(JwsError::Form)?;
    let part = |text: &str| b64::decode(text).filter(|bytes| !bytes.is_empty()).ok_or(JwsError::Form);
    let (header, payload, signature) = (part(header)?, part(payload)?, part(signature)?);
    let header = serde_json::from_slice(&header).map_err(|_| JwsError::Form)?;
    let claims = serde_json::from_slice(&payload).map_err(|_| JwsError::Form)?;
    Ok(Parts { header, claims, message, signature })
}

/// The issuer that an assertion names; nothing is verified. `None` when it is no assertion.
pub fn named_issuer(text: &str) -> Option<String> {
    let Parts { claims: Object(claims), .. } = parts(text).ok()?;
    text_of(&claims, "iss").ok()
}

/// Verifies an assertion with its issuer's keys. The key decides the algorithm; `jku`, `x5u` and an embedded `jwk` are not
/// read at all (R17).
pub fn verify(text: &str, keys: &[PublicKey]) -> Result<ForeignAssertion, JwsError> {
    let Parts { header: Object(header), claims: Object(claims), message, signature } = parts(text)?;
    if header.contains_key("crit") {
        return Err(JwsError::CriticalHeader);
    }
    let is_jwt = |typ: &Value| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"));
    if !header.get("typ").is_none_or(is_jwt) {
        return Err(JwsError::Type);
    }
    let key = match (header.get("kid").and_then(Value::as_str), keys) {
        (Some(kid), keys) => keys.iter().find(|key| key.kid == kid),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let key = key.ok_or(JwsError::UnknownKey)?;
    if header.get("alg").and_then(Value::as_str) != Some(key.algorithm.as_str()) {
        return Err(JwsError::AlgorithmMismatch);
    }
    if !key.is_signature(message.as_bytes(), &signature) {
        return Err(JwsError::Signature);
    }
    let subject = text_of(&claims, "sub")?;
    let has_other_object = claims.get("oid").and_then(Value::as_str).is_some_and(|oid| oid != subject);
    Ok(ForeignAssertion {
        issuer: text_of(&claims, "iss")?,
        audiences: audiences(&claims)?,
        expires_at: seconds(&claims, "exp")?.ok_or(JwsError::Form)?,
        not_before: seconds(&claims, "nbf")?,
        is_of_user: has_other_object || claims.contains_key("scp"),
        subject,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Algorithm, HeaderForm, SigningKey};
    use serde_json::json;

    fn key(algorithm: Algorithm) -> SigningKey {
        let pkcs8 = SigningKey::generate(algorithm).unwrap();
        SigningKey::from_pkcs8(algorithm, &pkcs8, b"certificate".to_vec()).unwrap()
    }

    #[test]
    fn r17_only_a_key_of_the_issuer_verifies_and_by_its_own_algorithm() {
        let (rsa, ec) = (key(Algorithm::Rs256), key(Algorithm::Es256));
        let claims = json!({ "iss": "https://issuer.test", "sub": "repo:x", "aud": "api://x", "exp": 1_795_435_200.5 });
        for signer in [&rsa, &ec] {
            let text = signer.sign(HeaderForm::V2, &claims).unwrap();
            assert_eq!(named_issuer(&text).as_deref(), Some("https://issuer.test"));
            let said = verify(&text, &[signer.public().clone()]).unwrap();
            assert_eq!((said.subject.as_str(), said.expires_at), ("repo:x", 1_795_435_200));
            assert!(!said.is_of_user);
            let other = key(signer.algorithm()).public().clone();
            assert_eq!(verify(&text, &[]), Err(JwsError::UnknownKey));
            let mut forged = other;
            signer.kid().clone_into(&mut forged.kid);
            assert_eq!(verify(&text, &[forged]), Err(JwsError::Signature));
        }
        let text = rsa.sign(HeaderForm::V2, &claims).unwrap();
        let mut confused = ec.public().clone();
        rsa.kid().clone_into(&mut confused.kid);
        assert_eq!(verify(&text, &[confused]), Err(JwsError::AlgorithmMismatch));
    }

    #[test]
    fn a_token_about_a_person_is_known_as_such() {
        let key = key(Algorithm::Es256);
        let read = |more: Value| {
            let mut claims = json!({ "iss": "i", "sub": "s", "aud": ["a"], "exp": 1 });
            claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            verify(&key.sign(HeaderForm::V2, &claims).unwrap(), &[key.public().clone()])
        };
        assert!(!read(json!({ "oid": "s" })).unwrap().is_of_user);
        assert!(read(json!({ "oid": "o" })).unwrap().is_of_user);
        assert!(read(json!({ "oid": "s", "scp": "x" })).unwrap().is_of_user);
        assert_eq!(read(json!({ "exp": null })), Err(JwsError::Form));
    }
}
