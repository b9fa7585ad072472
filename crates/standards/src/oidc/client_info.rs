//! `client_info`: the ids of the user at HOME, by which MSAL keys its cache (facts: protocol §4).

use crate::b64;
use uuid::Uuid;

/// base64url of `{"uid","utid"}`.
pub fn encode(uid: Uuid, utid: Uuid) -> String {
    b64::encode(format!(r#"{{"uid":"{uid}","utid":"{utid}"}}"#).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_stand_in_plain_json_without_padding() {
        let text = encode(Uuid::from_u128(1), Uuid::from_u128(2));
        let json = String::from_utf8(b64::decode(&text).unwrap()).unwrap();
        let (uid, utid) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002");
        assert_eq!(json, format!(r#"{{"uid":"{uid}","utid":"{utid}"}}"#));
    }
}
