//! The device authorization request and its answer (RFC 8628 §3.1, §3.2).

use super::Version;
use super::authorize::{RequestError, parse_client_id, parse_scope, resource_scopes};
use super::params::Params;
use serde::Serialize;
use uuid::Uuid;

/// A device asks for a code that a person types elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    pub client_id: Uuid,
    pub scope: Vec<String>,
}

impl DeviceRequest {
    /// Reads a request. A confidential client proves itself when it asks for the tokens, so a secret sent here already
    /// is not looked at.
    pub fn parse(params: &Params, version: Version) -> Result<Self, RequestError> {
        let client_id = params.take("client_id")?.ok_or_else(|| RequestError::missing("client_id"))?;
        let client_id = parse_client_id(client_id)?;
        let take = |name| params.take(name)?.ok_or_else(|| RequestError::missing(name));
        let scope = match version {
            Version::V1 => resource_scopes(Some(take("resource")?))?,
            Version::V2 => parse_scope(take("scope")?)?,
        };
        Ok(Self { client_id, scope })
    }
}

/// The answer. There is no `verification_uri_complete`: a code that fills itself in is a lure (R33).
#[derive(Clone, Serialize)]
pub struct DeviceResponse {
    pub user_code: String,
    pub device_code: String,
    pub verification_uri: String,
    /// Seconds; integers, because msal-node reckons with them (clients 8).
    pub expires_in: i64,
    pub interval: i64,
    /// What the device shows, whole.
    pub message: String,
}

/// Where and how long only: the codes are as good as passwords.
impl std::fmt::Debug for DeviceResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { verification_uri, expires_in, .. } = self;
        f.debug_struct("DeviceResponse")
            .field("verification_uri", verification_uri)
            .field("expires_in", expires_in)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "client_id=6731de76-14a6-49ae-97bc-6eba6914391e";

    fn parse(body: &str) -> Result<DeviceRequest, RequestError> {
        DeviceRequest::parse(&Params::parse(body.as_bytes()).unwrap(), Version::V2)
    }

    #[test]
    fn r30_a_missing_parameter_is_named() {
        for (body, number) in [
            ("scope=openid".to_owned(), 900_144),
            (CLIENT.to_owned(), 900_144),
            ("client_id=x&scope=openid".to_owned(), 700_016),
            (format!("{CLIENT}&scope=%22"), 70_011),
            (format!("{CLIENT}&scope=openid&scope=openid"), 90_004),
        ] {
            assert_eq!(parse(&body).unwrap_err().number, number, "{body}");
        }
        let request = parse(&format!("{CLIENT}&scope=openid+User.Read&x-client-SKU=MSAL")).unwrap();
        assert_eq!(request.scope, ["openid", "User.Read"]);
    }

    #[test]
    fn an_answer_has_integers_and_hides_its_codes_from_logs() {
        let answer = DeviceResponse {
            user_code: "hush".to_owned(),
            device_code: "hush".to_owned(),
            verification_uri: "https://localhost:8443/device".to_owned(),
            expires_in: 900,
            interval: 5,
            message: "hush".to_owned(),
        };
        assert!(!format!("{answer:?}").contains("hush"));
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!((&json["expires_in"], &json["interval"]), (&900.into(), &5.into()));
        assert!(json.get("verification_uri_complete").is_none());
    }
}
