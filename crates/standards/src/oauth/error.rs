//! OAuth error codes with their status, and the body in which they travel (facts: protocol §8).

use crate::time::entra_timestamp;
use serde::Serialize;
use uuid::Uuid;

/// Values of `error` (RFC 6749 §4.1.2.1, §5.2; OIDC Core §3.1.2.6; Entra's own).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    AccessDenied,
    ConsentRequired,
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
            Self::ConsentRequired => "consent_required",
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
            | Self::ConsentRequired
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
        let at = entra_timestamp(self.at_millis);
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
        }
    }
}
