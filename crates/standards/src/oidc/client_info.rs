//! `client_info`: the ids of the user at HOME, by which MSAL keys its cache (facts: protocol §4).

use crate::b64;
use uuid::Uuid;

/// base64url of `{"uid","utid"}`.
pub fn encode(uid: Uuid, utid: Uuid) -> String {
    b64::encode(format!(r#"{{"uid":"{uid}","utid":"{utid}"}}"#).as_bytes())
}
