//! How long what we mint lives (facts: protocol §6).

use crate::entropy::Entropy;
use crate::time::Span;

/// Authorization code.
// DEFAULT: ten minutes, what Entra gives; RFC 6749 §4.1.2 recommends no more.
pub const CODE: Span = Span::minutes(10);
/// A device's code and the one a person types for it.
// DEFAULT: 15 minutes, as documented: time to fetch another device, and no longer than a lure stays warm (R33).
pub const DEVICE_CODE: Span = Span::minutes(15);
/// ID token.
// DEFAULT: one hour, as documented.
pub const ID_TOKEN: Span = Span::hours(1);
/// A home's code for a partner tenant, redeemed by the server at once.
// DEFAULT: two minutes: one redirect of a browser on a slow line.
pub const PARTNER_CODE: Span = Span::minutes(2);
/// Refresh token without use.
// DEFAULT: 90 days of inactivity, as documented.
pub const REFRESH_IDLE: Span = Span::days(90);
/// Refresh tokens of single-page apps, from the sign-in on, renewed or not.
// DEFAULT: 24 hours absolute, as documented (AADSTS700084).
pub const REFRESH_SPA: Span = Span::hours(24);

/// Access token: 60 to 90 minutes, drawn at random so that clients do not renew in step.
pub fn access_token(entropy: &Entropy) -> Span {
    let [a, b, ..] = entropy.bytes("access token lifetime");
    Span::seconds(3600 + i64::from(u16::from_be_bytes([a, b])) % 1801)
}
