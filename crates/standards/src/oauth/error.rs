//! OAuth error codes with their status, and the body in which they travel (facts: protocol §8).

use crate::time::entra_timestamp;
use serde::Serialize;
use std::borrow::Cow;
use uuid::Uuid;

/// Values of `error` (RFC 6749 §4.1.2.1, §5.2; OIDC Core §3.1.2.6; Entra's own).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    AccessDenied,
    /// The person at the device page said no (facts: protocol §3).
    AuthorizationDeclined,
    /// Nobody has answered the device's code yet (RFC 8628 §3.5).
    AuthorizationPending,
    BadVerificationCode,
    ConsentRequired,
    ExpiredToken,
    InteractionRequired,
    InvalidClient,
    InvalidGrant,
    InvalidInstance,
    InvalidRequest,
    InvalidResource,
    InvalidScope,
    InvalidTenant,
    LoginRequired,
    ServerError,
    TemporarilyUnavailable,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
}

impl ErrorCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationDeclined => "authorization_declined",
            Self::AuthorizationPending => "authorization_pending",
            Self::BadVerificationCode => "bad_verification_code",
            Self::ConsentRequired => "consent_required",
            Self::ExpiredToken => "expired_token",
            Self::InteractionRequired => "interaction_required",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidInstance => "invalid_instance",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidResource => "invalid_resource",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTenant => "invalid_tenant",
            Self::LoginRequired => "login_required",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    /// The status at the token endpoint (RFC 6749 §5.2).
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient => 401,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            Self::AccessDenied
            | Self::AuthorizationDeclined
            | Self::AuthorizationPending
            | Self::BadVerificationCode
            | Self::ConsentRequired
            | Self::ExpiredToken
            | Self::InteractionRequired
            | Self::InvalidGrant
            | Self::InvalidInstance
            | Self::InvalidRequest
            | Self::InvalidResource
            | Self::InvalidScope
            | Self::InvalidTenant
            | Self::LoginRequired
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType => 400,
        }
    }
}

/// Words that MSAL JS looks for in the description, whatever the code: an ordinary error with one of them would send the
/// user to a sign-in that cannot help (clients 19).
const MISLEADING: [&str; 6] = [
    "bad_token",
    "consent_required",
    "interaction_required",
    "interrupted_user",
    "login_required",
    "ui_not_allowed",
];

/// The text without those words. Some texts repeat what the caller sent, so reading them here is the only sure place.
fn plain_words(text: &str) -> Cow<'_, str> {
    let mut plain = Cow::Borrowed(text);
    for word in MISLEADING {
        if plain.contains(word) {
            plain = Cow::Owned(plain.replace(word, &word.replace('_', " ")));
        }
    }
    plain
}

/// What is said of an error besides its code.
#[derive(Clone, Debug)]
pub struct ErrorText<'a> {
    /// The AADSTS number.
    pub number: u32,
    pub text: &'a str,
    pub suberror: Option<&'static str>,
    pub trace_id: Uuid,
    pub correlation_id: Uuid,
    pub at_millis: i64,
}

impl ErrorText<'_> {
    /// `AADSTS50011: ... Trace ID: ... Correlation ID: ... Timestamp: ...`
    pub fn description(&self) -> String {
        let Self { number, text, trace_id, correlation_id, .. } = self;
        let (text, at) = (plain_words(text), entra_timestamp(self.at_millis));
        format!(
            "AADSTS{number}: {text} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {at}"
        )
    }
}

/// The body of an error at the token endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorBody {
    pub error: &'static str,
    pub error_description: String,
    pub error_codes: [u32; 1],
    pub timestamp: String,
    pub trace_id: Uuid,
    pub correlation_id: Uuid,
    pub error_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suberror: Option<&'static str>,
    /// What the client must ask for to get further (OIDC Core §5.5), as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
}

impl ErrorBody {
    /// `base` is the origin at which `/error?code=` explains codes.
    pub fn new(code: ErrorCode, text: &ErrorText<'_>, base: &str) -> Self {
        Self {
            error: code.as_str(),
            error_description: text.description(),
            error_codes: [text.number],
            timestamp: entra_timestamp(text.at_millis),
            trace_id: text.trace_id,
            correlation_id: text.correlation_id,
            error_uri: format!("{base}/error?code={}", text.number),
            suberror: text.suberror,
            claims: None,
        }
    }

    /// Adds the claims that a step-up needs; MSAL hands them to the application (clients §3).
    #[must_use]
    pub fn with_claims(mut self, claims: String) -> Self {
        self.claims = Some(claims);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Version;
    use crate::oauth::authorize::AuthorizeRequest;
    use crate::oauth::params::Params;

    fn text(text: &str) -> ErrorText<'_> {
        ErrorText {
            number: 65_001,
            text,
            suberror: None,
            trace_id: Uuid::from_u128(1),
            correlation_id: Uuid::from_u128(2),
            at_millis: 1_452_304_932_000,
        }
    }

    #[test]
    fn bodies_are_as_recorded() {
        let words = ErrorText { suberror: Some("consent_required"), ..text("No consent.") };
        let body = ErrorBody::new(ErrorCode::InvalidGrant, &words, "https://localhost:8443");
        let body = serde_json::to_string(&body.with_claims("{}".to_owned())).unwrap();
        let expected = concat!(
            r#"{"error":"invalid_grant","error_description":"AADSTS65001: No consent. "#,
            "Trace ID: 00000000-0000-0000-0000-000000000001 ",
            "Correlation ID: 00000000-0000-0000-0000-000000000002 Timestamp: 2016-01-09 02:02:12Z\",",
            r#""error_codes":[65001],"timestamp":"2016-01-09 02:02:12Z","#,
            r#""trace_id":"00000000-0000-0000-0000-000000000001","#,
            r#""correlation_id":"00000000-0000-0000-0000-000000000002","#,
            r#""error_uri":"https://localhost:8443/error?code=65001","suberror":"consent_required","claims":"{}"}"#,
        );
        assert_eq!(body, expected);
        let bare = serde_json::to_value(ErrorBody::new(ErrorCode::InvalidGrant, &text("x"), "")).unwrap();
        assert!(bare.get("suberror").is_none() && bare.get("claims").is_none());
    }

    #[test]
    fn no_description_holds_a_word_by_which_a_client_takes_it_for_another_error() {
        for word in MISLEADING {
            // A caller cannot bring the word in either.
            let query = format!("client_id={word}&response_type=code&scope=openid");
            let error =
                AuthorizeRequest::parse(&Params::parse(query.as_bytes()).unwrap(), Version::V2).unwrap_err();
            assert!(error.text.contains(word));
            let description = text(&error.text).description();
            for word in MISLEADING {
                assert!(!description.contains(word), "{description}");
            }
        }
        assert!(text("The 'code_challenge' is bad.").description().contains("'code_challenge'"));
    }

    #[test]
    fn statuses_are_those_of_the_token_endpoint() {
        for (code, status) in [
            (ErrorCode::InvalidClient, 401),
            (ErrorCode::ServerError, 500),
            (ErrorCode::TemporarilyUnavailable, 503),
            (ErrorCode::InvalidGrant, 400),
            // RFC 8628 §3.5; MSAL polls on for 400 only.
            (ErrorCode::AuthorizationPending, 400),
            (ErrorCode::UnauthorizedClient, 400),
        ] {
            assert_eq!(code.status(), status, "{}", code.as_str());
        }
    }
}
