//! Whether a client proved itself by an assertion (RFC 7523 §3): one that a registered certificate signed, or one of
//! another issuer that a federated credential names.

use crate::directory::application::{Application, ClientCertificate};
use crate::issuance::Denial;
use crate::tenancy::tenant::Tenant;
use crate::time::{Span, Timestamp};
use standards::jose::{ClientAssertion, ForeignAssertion, Thumbprint};

/// How far a client's clock may be off.
// DEFAULT: five minutes, what Entra allows and clients count on.
const SKEW: Span = Span::minutes(5);

/// Judges an assertion. `origin` is ours; the audience is our token endpoint or issuer, spelled with the tenant's id or
/// one of its domains (clients 15).
pub fn check(
    app: &Application,
    tenant: &Tenant,
    origin: &str,
    text: &str,
    now: Timestamp,
) -> Result<(), Denial> {
    let assertion = ClientAssertion::parse(text).map_err(|_| Denial::ClientAssertionInvalid)?;
    let is_own = |id: &str| id.eq_ignore_ascii_case(&app.app_id.to_string());
    if !is_own(&assertion.issuer) || !is_own(&assertion.subject) {
        return Err(Denial::ClientAssertionForAnother);
    }
    if !assertion.audiences.iter().any(|audience| is_ours(audience, tenant, origin)) {
        return Err(Denial::ClientAssertionInvalid);
    }
    let certificate = find(app, assertion.thumbprint).ok_or(Denial::ClientAssertionUnsigned)?;
    if !assertion.is_signed_by(certificate.key_kind, &certificate.public_key) {
        return Err(Denial::ClientAssertionUnsigned);
    }
    let is_timely = is_timely(assertion.expires_at, assertion.not_before, now);
    let is_valid = certificate.starts_at <= now && now < certificate.expires_at;
    match (is_timely, is_valid) {
        (false, _) => Err(Denial::ClientAssertionExpired),
        (true, false) => Err(Denial::ClientCertificateExpired),
        (true, true) => Ok(()),
    }
}

/// Judges what another issuer says of a workload: some federated credential of the application must mean exactly this one.
pub fn check_foreign(app: &Application, said: &ForeignAssertion, now: Timestamp) -> Result<(), Denial> {
    let known = || app.federated_credentials.iter().filter(|one| one.issuer == said.issuer);
    if known().next().is_none() {
        return Err(Denial::FederatedIssuerUnknown);
    }
    // A person's token would let whoever holds it speak for the application.
    if said.is_of_user {
        return Err(Denial::FederatedUserToken);
    }
    let Some(credential) = known().find(|one| one.subject == said.subject) else {
        return Err(Denial::FederatedSubjectUnknown);
    };
    if !credential.audiences.iter().any(|audience| said.audiences.contains(audience)) {
        return Err(Denial::FederatedAudienceWrong);
    }
    match is_timely(said.expires_at, said.not_before, now) {
        true => Ok(()),
        false => Err(Denial::ClientAssertionExpired),
    }
}

fn is_timely(expires_at: i64, not_before: Option<i64>, now: Timestamp) -> bool {
    let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
    now < at(expires_at) + SKEW && not_before.is_none_or(|begin| at(begin) <= now + SKEW)
}

/// The certificate that the header names. One that is not named is not looked for: the signature alone chooses no key.
fn find(app: &Application, named: Option<Thumbprint>) -> Option<&ClientCertificate> {
    let named = named?;
    app.certificates.iter().find(|known| match named {
        Thumbprint::Sha1(print) => known.thumbprint_sha1 == print,
        Thumbprint::Sha256(print) => known.thumbprint_sha256 == print,
    })
}

fn is_ours(audience: &str, tenant: &Tenant, origin: &str) -> bool {
    if origin.is_empty() {
        return false;
    }
    let Some(path) = audience.strip_prefix(origin).and_then(|rest| rest.strip_prefix('/')) else {
        return false;
    };
    let Some((segment, rest)) = path.split_once('/') else { return false };
    let is_tenant = segment.eq_ignore_ascii_case(&tenant.id.to_string())
        || matches!(segment, "common" | "organizations")
        || tenant.domains.iter().any(|d| d.is_verified && d.name.as_str().eq_ignore_ascii_case(segment));
    is_tenant && matches!(rest, "oauth2/v2.0/token" | "oauth2/token" | "v2.0" | "")
}
