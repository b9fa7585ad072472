//! Keys. A signing key is parsed once and keeps its encoded headers: minting repeats no work.

use crate::{b64, crypto};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Signature algorithms (RFC 7518 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Es256,
    Rs256,
}

impl Algorithm {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Es256, Self::Rs256].into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// A key could not be made, read or used. Carries no key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key could not be generated")]
    Generate,
    #[error("the key does not parse")]
    Parse,
    #[error("signing failed")]
    Sign,
}

/// Which protected header a token gets: v1 tokens also carry `x5t` (facts: protocol §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderForm {
    V1,
    V2,
}

enum Pair {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<rsa::KeyPair>),
}

/// A private key, ready to sign.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
    header_v1: String,
    header_v2: String,
    random: SystemRandom,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public.kid)
    }
}

/// The public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub certificate: Vec<u8>,
    numbers: Numbers,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Numbers {
    /// The uncompressed point, 65 bytes.
    Point(Vec<u8>),
    /// Modulus and exponent, big endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl SigningKey {
    /// A fresh key as PKCS#8. The crypto library draws its own randomness here; nothing else in this crate does.
    pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let generate = |_| KeyError::Generate;
        match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(generate)?;
                let der = pair.to_pkcs8v1().map_err(generate)?;
                Ok(Zeroizing::new(der.as_ref().to_vec()))
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(generate)?;
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().map_err(generate)?;
                Ok(Zeroizing::new(der.as_ref().to_vec()))
            }
        }
    }

    /// Parses a key; its `kid` is the thumbprint of its certificate.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8], certificate: Vec<u8>) -> Result<Self, KeyError> {
        let parse = |_| KeyError::Parse;
        let (pair, numbers) = match algorithm {
            Algorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(parse)?;
                let point = pair.public_key().as_ref().to_vec();
                (Pair::Es256(Box::new(pair)), Numbers::Point(point))
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::from_pkcs8(pkcs8).map_err(parse)?;
                let public = pair.public_key();
                let n = public.modulus().big_endian_without_leading_zero().to_vec();
                let e = public.exponent().big_endian_without_leading_zero().to_vec();
                (Pair::Rs256(Box::new(pair)), Numbers::Rsa { n, e })
            }
        };
        let kid = b64::encode(&crypto::sha1_thumbprint(&certificate));
        let alg = algorithm.as_str();
        let header_v1 = format!(r#"{{"typ":"JWT","alg":"{alg}","x5t":"{kid}","kid":"{kid}"}}"#);
        let header_v2 = format!(r#"{{"typ":"JWT","alg":"{alg}","kid":"{kid}"}}"#);
        Ok(Self {
            pair,
            header_v1: b64::encode(header_v1.as_bytes()),
            header_v2: b64::encode(header_v2.as_bytes()),
            public: PublicKey { kid, algorithm, certificate, numbers },
            random: SystemRandom::new(),
        })
    }

    /// The name of the key: base64url of its certificate's SHA-1 thumbprint.
    pub fn kid(&self) -> &str {
        &self.public.kid
    }

    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A compact JWS over the claims (RFC 7515 §3.1).
    pub fn sign<C: Serialize>(&self, form: HeaderForm, claims: &C) -> Result<String, KeyError> {
        let header = match form {
            HeaderForm::V1 => &self.header_v1,
            HeaderForm::V2 => &self.header_v2,
        };
        let payload = serde_json::to_vec(claims).map_err(|_| KeyError::Sign)?;
        let signature_len = match &self.pair {
            Pair::Es256(_) => 64,
            Pair::Rs256(pair) => pair.public_modulus_len(),
        };
        // Two dots, and base64's four letters for three bytes: no second allocation while it grows.
        let mut token = String::with_capacity(header.len() + 2 + (payload.len() + signature_len) * 4 / 3 + 4);
        token.push_str(header);
        token.push('.');
        b64::encode_into(&payload, &mut token);
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&self.random, token.as_bytes()).map_err(|_| KeyError::Sign)?;
                token.push('.');
                b64::encode_into(signature.as_ref(), &mut token);
            }
            Pair::Rs256(pair) => {
                // As large as the largest key that parses, 8192 bits.
                let mut signature = [0; 1024];
                let signature = signature.get_mut(..signature_len).ok_or(KeyError::Sign)?;
                pair.sign(&RSA_PKCS1_SHA256, &self.random, token.as_bytes(), signature)
                    .map_err(|_| KeyError::Sign)?;
                token.push('.');
                b64::encode_into(signature, &mut token);
            }
        }
        Ok(token)
    }
}

impl PublicKey {
    /// Whether the signature is this key's over the message, by this key's algorithm (R17).
    pub(crate) fn is_signature(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.numbers {
            Numbers::Point(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            Numbers::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }

    /// The key as a JWKS entry (RFC 7517 §4; facts: protocol §1.1): with certificate and issuer. `alg` stands only on
    /// ES256 keys, as Entra's RSA entries have none.
    pub fn to_jwk(&self, issuer: &str) -> Value {
        let mut jwk = json!({ "use": "sig", "kid": self.kid, "x5t": self.kid });
        let numbers = match &self.numbers {
            Numbers::Point(point) => {
                let (x, y) = point.get(1..).and_then(|p| p.split_at_checked(32)).unwrap_or_default();
                json!({ "kty": "EC", "alg": "ES256", "crv": "P-256", "x": b64::encode(x), "y": b64::encode(y) })
            }
            Numbers::Rsa { n, e } => json!({ "kty": "RSA", "n": b64::encode(n), "e": b64::encode(e) }),
        };
        if let (Value::Object(jwk), Value::Object(numbers)) = (&mut jwk, numbers) {
            jwk.extend(numbers);
            jwk.insert("x5c".to_owned(), json!([b64::encode_std(&self.certificate)]));
            jwk.insert("issuer".to_owned(), json!(issuer));
        }
        jwk
    }

    /// Reads a foreign key from its JWK (RFC 7517 §4, RFC 7518 §6). `None` for what is no signature key of ours to use,
    /// encryption keys included: a key set may hold them beside the others.
    pub fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(b64::decode);
        let (algorithm, numbers) = match text("kty")? {
            "EC" if text("crv") == Some("P-256") => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                // Full width each (RFC 7518 §6.2.1.2): 31 and 33 bytes would be another point.
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                (Algorithm::Es256, Numbers::Point([&[4][..], &x, &y].concat()))
            }
            "RSA" => (Algorithm::Rs256, Numbers::Rsa { n: bytes("n")?, e: bytes("e")? }),
            _ => return None,
        };
        let contradicts = |name: &str, wanted: &str| jwk.get(name).is_some_and(|value| value != wanted);
        if contradicts("alg", algorithm.as_str()) || contradicts("use", "sig") {
            return None;
        }
        let kid = text("kid").unwrap_or_default().to_owned();
        Some(Self { kid, algorithm, certificate: Vec::new(), numbers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: Algorithm) -> SigningKey {
        let pkcs8 = SigningKey::generate(algorithm).unwrap();
        SigningKey::from_pkcs8(algorithm, &pkcs8, b"certificate".to_vec()).unwrap()
    }

    fn header(token: &str) -> Value {
        serde_json::from_slice(&b64::decode(token.split('.').next().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn only_v1_headers_name_the_certificate() {
        let key = key(Algorithm::Es256);
        let kid = b64::encode(&crypto::sha1_thumbprint(b"certificate"));
        assert_eq!((key.kid(), key.algorithm()), (kid.as_str(), Algorithm::Es256));
        let v1 = header(&key.sign(HeaderForm::V1, &json!({})).unwrap());
        assert_eq!(v1, json!({ "typ": "JWT", "alg": "ES256", "x5t": kid, "kid": kid }));
        let v2 = header(&key.sign(HeaderForm::V2, &json!({})).unwrap());
        assert_eq!(v2, json!({ "typ": "JWT", "alg": "ES256", "kid": kid }));
    }

    #[test]
    fn key_set_entries_are_as_entra_writes_them() {
        let rsa = key(Algorithm::Rs256).public().to_jwk("https://issuer/{tenantid}/v2.0");
        let members = |jwk: &Value| -> Vec<String> { jwk.as_object().unwrap().keys().cloned().collect() };
        let mut found = members(&rsa);
        found.sort();
        assert_eq!(found, ["e", "issuer", "kid", "kty", "n", "use", "x5c", "x5t"]);
        assert_eq!((&rsa["kty"], &rsa["use"], &rsa["e"]), (&json!("RSA"), &json!("sig"), &json!("AQAB")));
        assert_eq!(rsa["x5c"], json!([b64::encode_std(b"certificate")]));
        let ec = key(Algorithm::Es256).public().to_jwk("https://issuer/{tenantid}/v2.0");
        let mut found = members(&ec);
        found.sort();
        assert_eq!(found, ["alg", "crv", "issuer", "kid", "kty", "use", "x", "x5c", "x5t", "y"]);
        assert_eq!((&ec["alg"], &ec["crv"]), (&json!("ES256"), &json!("P-256")));
    }

    #[test]
    fn keys_longer_than_ours_sign_too() {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa3072).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let key = SigningKey::from_pkcs8(Algorithm::Rs256, der.as_ref(), Vec::new()).unwrap();
        let token = key.sign(HeaderForm::V2, &json!({ "sub": "x" })).unwrap();
        assert!(crate::jose::jws::verify(&token, &[key.public().clone()]).is_ok());
    }

    #[test]
    fn a_key_of_another_algorithm_does_not_parse_as_this_one() {
        let der = SigningKey::generate(Algorithm::Es256).unwrap();
        assert_eq!(SigningKey::from_pkcs8(Algorithm::Rs256, &der, Vec::new()).err(), Some(KeyError::Parse));
        assert_eq!(
            SigningKey::from_pkcs8(Algorithm::Es256, &der[1..], Vec::new()).err(),
            Some(KeyError::Parse)
        );
    }

    #[test]
    fn r17_a_jwk_that_is_no_signature_key_is_not_read() {
        let good = key(Algorithm::Es256).public().to_jwk("");
        assert!(PublicKey::from_jwk(&good).is_some());
        for (member, value) in [
            ("use", json!("enc")),
            ("use", json!(1)),
            ("alg", json!("RS256")),
            ("alg", json!("none")),
            ("alg", Value::Null),
            ("kty", json!("oct")),
            ("crv", json!("P-384")),
            ("x", json!(b64::encode(&[1; 31]))),
            ("y", json!("")),
            ("y", json!("=")),
        ] {
            let mut bad = good.clone();
            bad[member] = value;
            assert_eq!(PublicKey::from_jwk(&bad), None, "{bad}");
        }
        assert_eq!(PublicKey::from_jwk(&json!([])), None);
    }
}
