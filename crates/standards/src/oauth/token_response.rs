//! The token answer (RFC 6749 §5.1; clients 8: integers are integers).

use serde::Serialize;

/// What the token endpoint answers. Absent members are left out, never null.
#[derive(Clone, Serialize)]
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
    /// What v1 adds.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub v1: Option<V1Members>,
}

/// Members of a v1 answer; the times are strings there (facts: protocol §3).
#[derive(Clone, Debug, Serialize)]
pub struct V1Members {
    /// Seconds since 1970.
    pub expires_on: String,
    pub not_before: String,
    /// As the client wrote it.
    pub resource: String,
}

/// Lifetimes and scope only: the rest opens doors.
impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { scope, expires_in, .. } = self;
        f.debug_struct("TokenResponse")
            .field("scope", scope)
            .field("expires_in", expires_in)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_integers_and_no_empty_members() {
        let mut answer = TokenResponse {
            token_type: "Bearer",
            scope: None,
            expires_in: 3599,
            ext_expires_in: 3599,
            access_token: "hush".to_owned(),
            refresh_token: None,
            id_token: None,
            client_info: None,
            v1: None,
        };
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"hush"}"#
        );
        answer.scope = Some("openid User.Read".to_owned());
        answer.refresh_token = Some("hush".to_owned());
        answer.id_token = Some("hush".to_owned());
        let whole = serde_json::to_value(&answer).unwrap();
        assert_eq!(whole["scope"], "openid User.Read");
        assert!(whole.get("client_info").is_none() && whole["id_token"] == "hush");
        assert!(!format!("{answer:?}").contains("hush"));
    }
}
