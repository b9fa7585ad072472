//! The dev server's certificate authority and certificate.

use crate::data::DataFolder;
use anyhow::{Context, Result};
use domain::time::{Span, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";

/// How long the authority lives.
// DEFAULT: ten years: it stands in trust stores, and renewing it there is work for a person.
const AUTHORITY_LIFETIME: Span = Span::days(3_650);
/// How long a certificate lives.
// DEFAULT: 397 days: Apple's clients refuse more than 825 of a private authority; every start makes a new one.
const CERTIFICATE_LIFETIME: Span = Span::days(397);
/// Clocks of containers on this machine may be a little behind.
const SKEW: Span = Span::hours(1);

/// A certificate chain and its key, in PEM.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// The certificate for this machine's names, signed by the folder's authority, which is made when missing. The
/// certificate is made anew at every start, so it is never old.
pub(crate) fn local_identity(folder: &DataFolder, now: Timestamp) -> Result<Identity> {
    const REMEDY: &str = "remove ca.pem and ca.key from the data folder, and new ones are made";
    let stored = folder.read(CERTIFICATE)?.zip(folder.read(KEY)?);
    let (authority, key) = match stored {
        Some((authority, key)) => (
            String::from_utf8(authority).with_context(|| format!("ca.pem is damaged\nTo go on, {REMEDY}"))?,
            String::from_utf8(key).with_context(|| format!("ca.key is damaged\nTo go on, {REMEDY}"))?,
        ),
        None => make_authority(folder, now)?,
    };
    let key = KeyPair::from_pem(&key).with_context(|| format!("ca.key is damaged\nTo go on, {REMEDY}"))?;
    let issuer = Issuer::from_ca_cert_pem(&authority, key)
        .with_context(|| format!("ca.pem is damaged\nTo go on, {REMEDY}"))?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    limit(&mut params, now, CERTIFICATE_LIFETIME);
    let leaf_key = KeyPair::generate()?;
    let leaf = params.signed_by(&leaf_key, &issuer)?;
    Ok(Identity { chain: format!("{}{authority}", leaf.pem()), key: leaf_key.serialize_pem() })
}

fn make_authority(folder: &DataFolder, now: Timestamp) -> Result<(String, String)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Hospes dev authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // People put this authority into their trust stores: whoever steals its key can vouch for this machine's own
    // names and for nobody else's (RFC 5280 §4.2.1.10).
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4(Ipv4Addr::LOCALHOST.octets(), [255; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6(Ipv6Addr::LOCALHOST.octets(), [255; 16])),
        ],
        excluded_subtrees: Vec::new(),
    });
    limit(&mut params, now, AUTHORITY_LIFETIME);
    let key = KeyPair::generate()?;
    let key_text = key.serialize_pem();
    let authority = CertifiedIssuer::self_signed(params, key)?.pem();
    folder.write(KEY, key_text.as_bytes())?;
    folder.write(CERTIFICATE, authority.as_bytes())?;
    Ok((authority, key_text))
}

fn limit(params: &mut CertificateParams, now: Timestamp, lifetime: Span) {
    let at = |time: Timestamp| {
        let since = Duration::from_millis(u64::try_from(time.millis()).unwrap_or_default());
        rcgen::date_time_ymd(1970, 1, 1) + since
    };
    params.not_before = at(now - SKEW);
    params.not_after = at(now + lifetime);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Mode;

    #[test]
    fn the_authority_stays_and_certificates_are_new() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(place.path(), Mode::Dev).unwrap();
        let now = Timestamp::from_millis(1_795_435_200_000);
        let first = local_identity(&folder, now).unwrap();
        let authority = folder.read(CERTIFICATE).unwrap().unwrap();
        let second = local_identity(&folder, now).unwrap();
        assert_eq!(folder.read(CERTIFICATE).unwrap().unwrap(), authority);
        assert_ne!(first.chain, second.chain);
        folder.write(KEY, b"nonsense").unwrap();
        let error = local_identity(&folder, now).unwrap_err().to_string();
        assert!(error.contains("remove ca.pem"), "{error}");
    }
}
