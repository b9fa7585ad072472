//! How long what we mint lives (facts: protocol §6).

use crate::directory::application::{App, Lifetimes};
use crate::entropy::Entropy;
use crate::time::Span;

/// Authorization code.
// DEFAULT: ten minutes, what Entra gives; RFC 6749 §4.1.2 recommends no more.
pub const CODE: Span = Span::minutes(10);
/// A device's code and the one a person types for it.
// DEFAULT: 15 minutes, as documented: time to fetch another device, and no longer than a lure stays warm (R33).
pub const DEVICE_CODE: Span = Span::minutes(15);
/// ID token, where no policy says otherwise.
// DEFAULT: one hour, as documented.
const ID_TOKEN: Span = Span::hours(1);
/// A home's code for a partner tenant, redeemed by the server at once.
// DEFAULT: two minutes: one redirect of a browser on a slow line.
pub const PARTNER_CODE: Span = Span::minutes(2);
/// Refresh token without use.
// DEFAULT: 90 days of inactivity, as documented.
pub const REFRESH_IDLE: Span = Span::days(90);
/// Refresh tokens of single-page apps, from the sign-in on, renewed or not.
// DEFAULT: 24 hours absolute, as documented (AADSTS700084).
pub const REFRESH_SPA: Span = Span::hours(24);

/// Access token for a resource: what a policy sets, or 60 to 90 minutes, drawn at random so that clients do not renew in
/// step.
pub fn access_token(resource: Option<&App>, entropy: &Entropy) -> Span {
    let [a, b, ..] = entropy.bytes("access token lifetime");
    let drawn = Span::seconds(3600 + i64::from(u16::from_be_bytes([a, b])) % 1801);
    resource.and_then(|resource| set_by_policy(resource.lifetimes)).unwrap_or(drawn)
}

/// ID token for a client; a partner tenant, which is none, has no policies.
pub fn id_token(client: Option<&App>) -> Span {
    client.and_then(|client| set_by_policy(client.lifetimes)).unwrap_or(ID_TOKEN)
}

/// The policy that counts. What the tenant says of one application, or of all, goes before what the application brings
/// along, which with a multi-tenant one is another tenant's word (facts: protocol §6).
fn set_by_policy(lifetimes: Lifetimes) -> Option<Span> {
    let Lifetimes { instance, organization, application } = lifetimes;
    instance.or(organization).or(application)
}
