//! A verified answer of a home: the only way in which another tenant, here or elsewhere, vouches for a person.
//!
//! Two tenants on one server speak like two servers (R01, R02): the same token, the same check.

use crate::directory::user::HomeIdentity;
use crate::id::{GrantId, TenantId, UserId};
use crate::signin::evidence::{Method, Proved, Verifier};
use crate::tenancy::domain_name::{Address, DomainName};
use crate::time::{Span, Timestamp};
use standards::b64;
use standards::jose::{JwsError, PublicKey, jws};
use uuid::Uuid;

/// How far clocks of two servers may differ.
// DEFAULT: five minutes, what OIDC libraries commonly allow; both clocks are usually one here.
const CLOCK_SKEW: Span = Span::minutes(5);

/// What a home said of a person, after signature, issuer, audience, nonce and times were checked (R16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeAssertion {
    pub identity: HomeIdentity,
    pub name: String,
    pub sign_in_name: Option<String>,
    /// Addresses below domains that the home itself verified. Only these may match an invitation (R02).
    pub proved_addresses: Vec<String>,
    pub evidence: Vec<Proved>,
    pub authenticated_at: Timestamp,
}

/// What the resource tenant knows of the home it asked, and of its question.
#[derive(Clone, Debug)]
pub struct Expected {
    pub issuer: String,
    pub home: TenantId,
    /// Names that the home verified.
    pub home_domains: Vec<DomainName>,
    pub audience: TenantId,
    pub nonce: String,
    pub keys: Vec<PublicKey>,
}

/// Why an answer was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("the signature or form is wrong: {0}")]
    Signature(#[from] JwsError),
    #[error("`{0}` is missing or not what was asked for")]
    Claim(&'static str),
    #[error("the answer is not valid now")]
    Time,
}

/// Checks an ID token of a home tenant and reads it (OIDC Core §3.1.3.7, R16).
pub fn verify(token: &str, expected: &Expected, now: Timestamp) -> Result<HomeAssertion, AssertionError> {
    let claims = jws::verify(token, &expected.keys)?;
    let text = |name: &'static str| claims.get(name).and_then(|value| value.as_str());
    let required =
        |name: &'static str| text(name).filter(|t| !t.is_empty()).ok_or(AssertionError::Claim(name));
    let time = |name: &'static str| {
        let seconds =
            claims.get(name).and_then(serde_json::Value::as_i64).ok_or(AssertionError::Claim(name))?;
        seconds.checked_mul(1000).map(Timestamp::from_millis).ok_or(AssertionError::Claim(name))
    };
    let must_be = |name: &'static str, wanted: &str| match text(name) {
        Some(found) if found == wanted => Ok(()),
        Some(_) | None => Err(AssertionError::Claim(name)),
    };

    must_be("iss", &expected.issuer)?;
    // A list of audiences would need `azp`; our homes never send one.
    must_be("aud", &expected.audience.to_string())?;
    must_be("nonce", &expected.nonce)?;
    must_be("tid", &expected.home.to_string())?;
    let (issued, expires, starts) = (time("iat")?, time("exp")?, time("nbf")?);
    if now > expires + CLOCK_SKEW || starts > now + CLOCK_SKEW || issued > now + CLOCK_SKEW {
        return Err(AssertionError::Time);
    }
    let authenticated_at = time("auth_time")?;
    let home_user: UserId = required("oid")?.parse().map_err(|_| AssertionError::Claim("oid"))?;
    let grant = text("rh").and_then(b64::decode).and_then(|id| Uuid::from_slice(&id).ok()).map(GrantId::new);
    let sign_in_name = text("preferred_username").map(str::to_owned);
    let is_proved = |address: &&str| {
        Address::parse(address).is_some_and(|address| expected.home_domains.contains(address.domain()))
    };
    let proved_addresses = [text("preferred_username"), text("email")];
    Ok(HomeAssertion {
        identity: HomeIdentity {
            issuer: expected.issuer.clone(),
            subject: required("sub")?.to_owned(),
            home_user,
            home_tenant: expected.home,
        },
        name: text("name").unwrap_or_default().to_owned(),
        sign_in_name,
        proved_addresses: proved_addresses
            .into_iter()
            .flatten()
            .filter(is_proved)
            .map(str::to_owned)
            .collect(),
        evidence: vec![Proved {
            method: Method::Federated,
            at: authenticated_at,
            verifier: Verifier::Partner { issuer: expected.issuer.clone(), grant },
        }],
        authenticated_at,
    })
}
