//! The token answer (RFC 6749 §5.1; clients 8: integers are integers).

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct TokenResponse {
    pub token_type: &'static str,
    /// The scopes as the client spelled them (clients 10); absent for client credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    pub expires_in: i64,
    pub ext_expires_in: i64,
    pub access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_info: Option<String>,
}
