//! The dev server's certificate authority and certificate.

use crate::data::DataFolder;
use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A certificate chain and its key, in PEM.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: String,
    pub(crate) key: String,
}

/// The certificate for this machine's names, signed by the folder's authority; both are made when missing. The
/// certificate is made anew at every start, so it is never old.
pub(crate) fn local_identity(folder: &DataFolder) -> Result<Identity> {
    let stored = folder.read("ca.pem").zip(folder.read("ca.key"));
    let (authority, key) = match stored {
        Some((authority, key)) => (String::from_utf8(authority)?, String::from_utf8(key)?),
        None => make_authority(folder)?,
    };
    let key = KeyPair::from_pem(&key)
        .context("ca.key is damaged; remove ca.pem and ca.key, and a new one is made")?;
    let issuer =
        Issuer::from_ca_cert_pem(&authority, key).context("ca.pem is damaged; remove ca.pem and ca.key")?;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let leaf_key = KeyPair::generate()?;
    let leaf = params.signed_by(&leaf_key, &issuer)?;
    Ok(Identity { chain: format!("{}{authority}", leaf.pem()), key: leaf_key.serialize_pem() })
}

fn make_authority(folder: &DataFolder) -> Result<(String, String)> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "Hospes dev authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    let key_text = key.serialize_pem();
    let authority = CertifiedIssuer::self_signed(params, key)?.pem();
    folder.write("ca.key", key_text.as_bytes())?;
    folder.write("ca.pem", authority.as_bytes())?;
    Ok((authority, key_text))
}
