//! Reads the X.509 certificates that clients prove themselves with (Graph: keyCredential). Only the key, the dates and the
//! thumbprints count: who issued it does not, for the application's owner registered exactly this one.

use domain::directory::application::ClientCertificate;
use domain::id::PartId;
use domain::time::Timestamp;
use standards::crypto;
use standards::jose::KeyKind;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// Longest certificate that is read, in bytes.
// DEFAULT: 16 KiB; usual ones have one or two.
const LONGEST: usize = 16 * 1024;
/// Smallest and largest RSA keys that verify, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;
/// The curve P-256 (RFC 5480 §2.1.1.1).
const P256: &str = "1.2.840.10045.3.1.7";

/// What is said beside the certificate.
#[derive(Debug)]
pub struct Labels {
    pub id: PartId,
    pub display_name: Option<String>,
    pub starts_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// Reads a certificate in DER. It works at most as long as the certificate itself says.
///
/// # Errors
/// A sentence for whoever sent it.
pub fn read(der: &[u8], labels: Labels) -> Result<ClientCertificate, &'static str> {
    if der.len() > LONGEST {
        return Err("A certificate has at most 16 KiB.");
    }
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|_| "Give an X.509 certificate in DER, base64 encoded.")?;
    if !rest.is_empty() {
        return Err("Give one certificate, without others behind it.");
    }
    let public_key = &certificate.tbs_certificate.subject_pki;
    let key_kind = match public_key.parsed() {
        Ok(PublicKey::RSA(rsa)) if RSA_BITS.contains(&rsa.key_size()) => KeyKind::Rsa,
        Ok(PublicKey::EC(_)) if is_p256(public_key) => KeyKind::EcP256,
        _ => return Err("The key must be RSA with 2,048 to 8,192 bits, or on the curve P-256."),
    };
    let validity = certificate.validity();
    let at = |time: &x509_parser::time::ASN1Time| Timestamp::from_millis(time.timestamp() * 1_000);
    let (not_before, not_after) = (at(&validity.not_before), at(&validity.not_after));
    let starts_at = labels.starts_at.map_or(not_before, |at| at.max(not_before));
    let expires_at = labels.expires_at.map_or(not_after, |at| at.min(not_after));
    if starts_at >= expires_at {
        return Err("The credential ends before it begins to work.");
    }
    Ok(ClientCertificate {
        id: labels.id,
        display_name: labels.display_name,
        key_kind,
        public_key: public_key.raw.to_vec(),
        thumbprint_sha1: crypto::sha1_thumbprint(der),
        thumbprint_sha256: crypto::sha256(&[der]),
        starts_at,
        expires_at,
    })
}

fn is_p256(key: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> bool {
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    curve.is_some_and(|curve| curve.to_id_string() == P256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Labels {
        Labels {
            id: PartId::new(uuid::Uuid::from_u128(1)),
            display_name: None,
            starts_at: None,
            expires_at: None,
        }
    }

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
        rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap().der().to_vec()
    }

    #[test]
    fn certificates_of_usable_keys_are_read_and_others_refused() {
        let good = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let read_back = read(&good, labels()).unwrap();
        assert_eq!(read_back.key_kind, KeyKind::EcP256);
        assert_eq!(read_back.thumbprint_sha256, crypto::sha256(&[&good]));
        assert_eq!(read(&certificate(&rcgen::PKCS_RSA_SHA256), labels()).unwrap().key_kind, KeyKind::Rsa);
        assert!(read(&certificate(&rcgen::PKCS_ECDSA_P384_SHA384), labels()).is_err());
        assert!(read(&certificate(&rcgen::PKCS_ED25519), labels()).is_err());
        assert!(read(&[good.as_slice(), b"x"].concat(), labels()).is_err());
        assert!(read(&good[..good.len() - 1], labels()).is_err());
        assert!(read(b"", labels()).is_err());
        assert!(read(&vec![0; LONGEST + 1], labels()).is_err());
    }

    #[test]
    fn a_credential_does_not_outlive_its_certificate() {
        let good = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let whole = read(&good, labels()).unwrap();
        let day = domain::time::Span::days(1);
        let longer = read(&good, Labels { expires_at: Some(whole.expires_at + day), ..labels() }).unwrap();
        assert_eq!(longer.expires_at, whole.expires_at);
        let shorter = read(&good, Labels { expires_at: Some(whole.starts_at + day), ..labels() }).unwrap();
        assert_eq!(shorter.expires_at, whole.starts_at + day);
        assert!(read(&good, Labels { expires_at: Some(whole.starts_at), ..labels() }).is_err());
    }
}
