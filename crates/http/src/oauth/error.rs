//! How a refusal reads on the OAuth surface: one exhaustive table (facts: protocol §8.1). A new refusal stops the build
//! here until somebody says how it is answered.

use crate::App;
use crate::edge::line;
use axum::response::{IntoResponse, Response};
use domain::issuance::{Denial, denial_code};
use http::{HeaderValue, StatusCode, header};
use service::{Fault, Moment};
use standards::oauth::authorize::RequestError;
use standards::oauth::error::{ErrorBody, ErrorCode, ErrorText};

/// Code, words and suberror of a refusal. No text holds a word by which MSAL would take it for another (clients 19).
pub(crate) fn describe(denial: Denial) -> (ErrorCode, &'static str, Option<&'static str>) {
    use Denial as D;
    use ErrorCode as C;
    match denial {
        D::AccountDisabled => (C::InvalidGrant, "The user account is disabled.", None),
        D::AdminConsentRequired => {
            (C::ConsentRequired, "An administrator must agree to the permissions first.", None)
        }
        D::ApplicationNotAssigned => {
            (C::InvalidGrant, "The application is not assigned to a role for the resource.", None)
        }
        D::ApprovalRequired => (
            C::ConsentRequired,
            "An administrator must approve the application; a request can be sent.",
            None,
        ),
        D::AssertionRejected => {
            (C::InvalidGrant, "The answer of the home organisation could not be believed.", None)
        }
        D::ClientDisabled => (C::UnauthorizedClient, "The application is disabled in this directory.", None),
        D::ClientIsPublic => (
            C::InvalidClient,
            "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
            None,
        ),
        D::CallerAssertionExpired => {
            (C::InvalidGrant, "The assertion is not within its valid time range.", None)
        }
        D::CallerAssertionForAnother => {
            (C::InvalidGrant, "The assertion's audience does not match the client that presents it.", None)
        }
        D::CallerAssertionInvalid => {
            (C::InvalidGrant, "The assertion is not a valid access token of this tenant.", None)
        }
        D::CallerIsApplication => {
            (C::UnauthorizedClient, "An application's own token cannot be used on behalf of a user.", None)
        }
        D::ClientAssertionExpired => (
            C::InvalidClient,
            "Client assertion is not within its valid time range. Check the clock of the client.",
            None,
        ),
        D::ClientAssertionForAnother => {
            (C::InvalidClient, "The assertion's issuer and subject must both be the client_id.", None)
        }
        D::ClientAssertionInvalid => (
            C::InvalidClient,
            "Client assertion failed: it must be a signed JWT whose audience is this token endpoint.",
            None,
        ),
        D::ClientAssertionUnsigned => (
            C::InvalidClient,
            "Client assertion failed signature validation: the header must name (x5t or x5t#S256) a certificate of the application, and its key must have signed.",
            None,
        ),
        D::ClientCertificateExpired => {
            (C::InvalidClient, "The provided certificate is not within its specified validity period.", None)
        }
        D::ClientSecretExpired => {
            (C::InvalidClient, "The provided client secret keys are expired. Create a new one.", None)
        }
        D::ClientSecretMissing => (
            C::InvalidClient,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            None,
        ),
        D::ClientSecretWrong => (
            C::InvalidClient,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
            None,
        ),
        D::ClientUnknown => (C::UnauthorizedClient, "The application was not found in the directory.", None),
        D::CodeExpired => (C::InvalidGrant, "The provided authorization code has expired.", None),
        D::CodeForAnotherClient => {
            (C::InvalidGrant, "The provided authorization code was not issued to this client.", None)
        }
        D::CodeForAnotherTenant => (
            C::InvalidGrant,
            "The provided authorization code is intended for use against another tenant.",
            None,
        ),
        D::CodeRedeemed => (C::InvalidGrant, "The authorization code was already redeemed.", None),
        D::CodeUnknown => (C::InvalidGrant, "The provided authorization code is invalid.", None),
        D::AuthorizationDeclined => {
            (C::AuthorizationDeclined, "The person at the sign-in page turned the device away.", None)
        }
        D::AuthorizationPending => {
            (C::AuthorizationPending, "Nobody has entered the code and signed in yet.", None)
        }
        D::DeviceCodeDisabled => {
            (C::AccessDenied, "The organisation does not allow the device code grant.", None)
        }
        D::DeviceCodeExpired => (C::ExpiredToken, "The device code has expired. Ask for a new one.", None),
        D::DeviceCodeForGuest => {
            (C::AccessDenied, "The organisation does not allow the device code grant for guests.", None)
        }
        D::DeviceCodeRedeemed => (C::InvalidGrant, "The device code was already redeemed.", None),
        D::DeviceCodeUnknown => (C::BadVerificationCode, "The device code is not known here.", None),
        D::DirectoryFull => (C::AccessDenied, "The directory has no room for the application.", None),
        D::ConsentDeclined => (C::AccessDenied, "The user declined to agree to the permissions.", None),
        D::ConsentRequired => (
            C::InvalidGrant,
            "The user or administrator has not consented to use the application.",
            Some("consent_required"),
        ),
        D::FederatedAudienceWrong => (
            C::InvalidClient,
            "No matching federated identity record found for the presented assertion audience.",
            None,
        ),
        D::FederatedIssuerUnknown => (
            C::InvalidClient,
            "No matching federated identity record found for the presented assertion issuer.",
            None,
        ),
        D::FederatedIssuerUnreachable => (
            C::InvalidClient,
            "The request to the external OIDC endpoint failed: the issuer's metadata and keys must be had over https from a public address.",
            None,
        ),
        D::FederatedSubjectUnknown => (
            C::InvalidClient,
            "No matching federated identity record found for the presented assertion subject.",
            None,
        ),
        D::FederatedUserToken => (
            C::InvalidRequest,
            "Only tokens of applications may be used as federated identity credentials.",
            None,
        ),
        D::FlowExpired => (C::InvalidGrant, "The sign-in took too long or was begun elsewhere.", None),
        D::GrantRevoked => (C::InvalidGrant, "The grant was revoked; a fresh sign-in is needed.", None),
        D::GuestNotInDirectory => {
            (C::InvalidGrant, "The account does not exist in this directory and must be invited first.", None)
        }
        D::GuestPending => (C::InvalidGrant, "The invitation has not been accepted yet.", None),
        D::HomeNotAsked => (
            C::InvalidGrant,
            "The home organisation could not be asked about this sign-in any more; a fresh sign-in is needed.",
            None,
        ),
        D::ImplicitTokenDisabled => (
            C::UnsupportedResponseType,
            "The provided value for the input parameter 'response_type' is not allowed for this client: 'token' needs web.implicitGrantSettings.enableAccessTokenIssuance. Better use 'code'.",
            None,
        ),
        D::InvitationExpired => (C::InvalidGrant, "The invitation has expired.", None),
        D::InvitationForAnother => (C::InvalidGrant, "The invitation is for another account.", None),
        D::InvitationUnknown => (C::InvalidGrant, "There is no such invitation.", None),
        D::NoSession => (C::LoginRequired, "Session information is not sufficient for single-sign-on.", None),
        D::NotMultiTenant => (
            C::InvalidRequest,
            "The application is not configured as a multi-tenant application. Use a tenant-specific endpoint.",
            None,
        ),
        D::PartnerTakesNoPart => {
            (C::AccessDenied, "One of the two organisations takes no part in collaboration.", None)
        }
        D::PasswordExpired => {
            (C::InvalidGrant, "The password must be changed.", Some("user_password_expired"))
        }
        D::PasswordGrantDisabled => {
            (C::AccessDenied, "The organisation does not allow the password grant.", None)
        }
        D::PasswordWrong => {
            (C::InvalidGrant, "Error validating credentials due to invalid username or password.", None)
        }
        D::PkceMismatch => (C::InvalidGrant, "The code_verifier does not match the code_challenge.", None),
        D::PkceMissing => {
            (C::InvalidRequest, "Proof Key for Code Exchange is required for this client.", None)
        }
        D::PkceUnexpected => {
            (C::InvalidRequest, "A code_verifier came for a code without a code_challenge.", None)
        }
        D::RedirectMismatch => (
            C::InvalidRequest,
            "The redirect URI does not match the ones configured for the application.",
            None,
        ),
        D::RefreshExpired => (C::InvalidGrant, "The refresh token has expired due to inactivity.", None),
        D::RefreshForAnotherClient => {
            (C::InvalidGrant, "The refresh token was not issued to this client.", None)
        }
        D::RefreshSpaExpired => (
            C::InvalidGrant,
            "The refresh token was issued to a single page app and has a fixed, limited lifetime.",
            None,
        ),
        D::RefreshUnknown => (C::InvalidGrant, "The provided refresh token is invalid.", None),
        D::ResourceDisabled => (C::InvalidResource, "The resource is disabled in this directory.", None),
        D::ResourceUnknown => {
            (C::InvalidResource, "The resource principal was not found in the directory.", None)
        }
        D::ResponseTypeDisabled => {
            (C::UnsupportedResponseType, "The response type is not enabled for the application.", None)
        }
        D::ScopeInvalid => {
            (C::InvalidScope, "The provided value for the input parameter 'scope' is not valid.", None)
        }
        D::ScopeMissing => {
            (C::InvalidRequest, "The request body must contain the following parameter: 'scope'.", None)
        }
        D::ScopesOfSeveralResources => {
            (C::InvalidScope, "The scopes belong to several resources; ask for one resource at a time.", None)
        }
        D::SessionEnded => (C::InvalidGrant, "The session was ended; a fresh sign-in is needed.", None),
        D::SeveralSessions => {
            (C::InteractionRequired, "Several accounts are signed in; one must be chosen.", None)
        }
        D::SpaNeedsOrigin => (
            C::InvalidRequest,
            "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
            None,
        ),
        D::TenantSuspended => (C::InvalidRequest, "The tenant is not available.", None),
        D::TooManyAttempts => {
            (C::InvalidGrant, "There were too many failed attempts. Try again later.", None)
        }
        D::TooManyDirectories => {
            (C::AccessDenied, "The person belongs to as many directories as one person may.", None)
        }
        D::UserNotAssigned => {
            (C::AccessDenied, "The user is not assigned to a role for the application.", None)
        }
        D::UserUnknown => (C::InvalidGrant, "The user account does not exist in the directory.", None),
        D::WebFromBrowser => (
            C::InvalidRequest,
            "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type.",
            None,
        ),
    }
}

/// The code of a refusal as the authorization endpoint answers it (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6; facts:
/// protocol §2). `invalid_grant` is none there. Where a person at a page can do or read more, the application is told so:
/// that is what makes MSAL JS go from a hidden frame to a page (clients §3).
const fn at_authorize(denial: Denial) -> ErrorCode {
    use Denial as D;
    use ErrorCode as C;
    match denial {
        D::ConsentDeclined
        | D::DirectoryFull
        | D::PartnerTakesNoPart
        | D::TenantSuspended
        | D::TooManyDirectories
        | D::UserNotAssigned => C::AccessDenied,
        D::AdminConsentRequired | D::ConsentRequired => C::ConsentRequired,
        D::AccountDisabled
        | D::ApprovalRequired
        | D::AssertionRejected
        | D::FlowExpired
        | D::GuestNotInDirectory
        | D::GuestPending
        | D::InvitationExpired
        | D::InvitationForAnother
        | D::InvitationUnknown
        | D::PasswordExpired
        | D::PasswordWrong
        | D::SeveralSessions
        | D::TooManyAttempts
        | D::UserUnknown => C::InteractionRequired,
        D::GrantRevoked | D::NoSession | D::SessionEnded => C::LoginRequired,
        D::NotMultiTenant
        | D::PkceMismatch
        | D::PkceMissing
        | D::PkceUnexpected
        | D::RedirectMismatch
        | D::ScopeMissing => C::InvalidRequest,
        D::ResourceDisabled | D::ResourceUnknown => C::InvalidResource,
        D::ScopeInvalid | D::ScopesOfSeveralResources => C::InvalidScope,
        D::ClientDisabled | D::ClientUnknown => C::UnauthorizedClient,
        D::ImplicitTokenDisabled | D::ResponseTypeDisabled => C::UnsupportedResponseType,
        // Decided at the token endpoint only; if one came here, the fault would be ours.
        D::ApplicationNotAssigned
        | D::AuthorizationDeclined
        | D::AuthorizationPending
        | D::CallerAssertionExpired
        | D::CallerAssertionForAnother
        | D::CallerAssertionInvalid
        | D::CallerIsApplication
        | D::ClientAssertionExpired
        | D::ClientAssertionForAnother
        | D::ClientAssertionInvalid
        | D::ClientAssertionUnsigned
        | D::ClientCertificateExpired
        | D::ClientIsPublic
        | D::ClientSecretExpired
        | D::ClientSecretMissing
        | D::ClientSecretWrong
        | D::CodeExpired
        | D::CodeForAnotherClient
        | D::CodeForAnotherTenant
        | D::CodeRedeemed
        | D::CodeUnknown
        | D::DeviceCodeDisabled
        | D::DeviceCodeExpired
        | D::DeviceCodeForGuest
        | D::DeviceCodeRedeemed
        | D::DeviceCodeUnknown
        | D::FederatedAudienceWrong
        | D::FederatedIssuerUnknown
        | D::FederatedIssuerUnreachable
        | D::FederatedSubjectUnknown
        | D::FederatedUserToken
        | D::HomeNotAsked
        | D::PasswordGrantDisabled
        | D::RefreshExpired
        | D::RefreshForAnotherClient
        | D::RefreshSpaExpired
        | D::RefreshUnknown
        | D::SpaNeedsOrigin
        | D::WebFromBrowser => C::ServerError,
    }
}

/// A refusal or a malformed request, ready for a body or a redirect.
pub(crate) struct OAuthError {
    pub(crate) code: ErrorCode,
    pub(crate) number: u32,
    pub(crate) text: String,
    pub(crate) suberror: Option<&'static str>,
}

impl From<Denial> for OAuthError {
    fn from(denial: Denial) -> Self {
        let (code, text, suberror) = describe(denial);
        Self { code, number: denial_code(denial), text: text.to_owned(), suberror }
    }
}

impl From<RequestError> for OAuthError {
    fn from(error: RequestError) -> Self {
        Self { code: error.code, number: error.number, text: error.text, suberror: None }
    }
}

impl From<Fault> for OAuthError {
    /// Detail goes to the log only; the caller hears constant words.
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Busy => Self {
                code: ErrorCode::TemporarilyUnavailable,
                number: 90_033,
                text: "The service is busy. Try again.".to_owned(),
                suberror: None,
            },
            Fault::Bug(_) | Fault::Failed(_) => {
                let correlation = line::correlation().map(tracing::field::display);
                tracing::error!(%fault, correlation, "a request failed");
                Self {
                    code: ErrorCode::ServerError,
                    number: 50_000,
                    text: "The service failed. The correlation id helps to find out why.".to_owned(),
                    suberror: None,
                }
            }
        }
    }
}

impl OAuthError {
    /// A refusal in an answer of the authorization endpoint.
    pub(crate) fn at_authorize(denial: Denial) -> Self {
        Self { code: at_authorize(denial), ..denial.into() }
    }

    fn words(&self, moment: &Moment) -> ErrorText<'_> {
        ErrorText {
            number: self.number,
            text: &self.text,
            suberror: self.suberror,
            trace_id: moment.entropy.uuid("trace"),
            correlation_id: moment.origin.correlation,
            at_millis: moment.now.millis(),
        }
    }

    pub(crate) fn description(&self, moment: &Moment) -> String {
        self.words(moment).description()
    }

    /// The JSON answer. No `WWW-Authenticate`: it would hide the body from some clients (clients 17).
    pub(crate) fn respond(&self, app: &App, moment: &Moment) -> Response {
        let body = ErrorBody::new(self.code, &self.words(moment), &app.service.settings().base);
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
        json(status, &body)
    }
}

/// A JSON answer that nobody keeps.
pub(crate) fn json<T: serde::Serialize>(status: StatusCode, body: &T) -> Response {
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that a session can meet without a page.
    #[test]
    fn a_silent_request_is_never_answered_with_a_code_of_the_token_endpoint() {
        for (denial, code) in [
            (Denial::AccountDisabled, "interaction_required"),
            (Denial::AdminConsentRequired, "consent_required"),
            (Denial::ApprovalRequired, "interaction_required"),
            (Denial::ConsentRequired, "consent_required"),
            (Denial::GuestPending, "interaction_required"),
            (Denial::NoSession, "login_required"),
            (Denial::PartnerTakesNoPart, "access_denied"),
            (Denial::PasswordExpired, "interaction_required"),
            (Denial::SessionEnded, "login_required"),
            (Denial::SeveralSessions, "interaction_required"),
            (Denial::TenantSuspended, "access_denied"),
            (Denial::UserNotAssigned, "access_denied"),
        ] {
            assert_eq!(OAuthError::at_authorize(denial).code.as_str(), code, "{denial:?}");
        }
        let expired = OAuthError::at_authorize(Denial::PasswordExpired);
        assert_eq!((expired.number, expired.suberror), (50_055, Some("user_password_expired")));
    }

    #[test]
    fn no_description_holds_a_word_by_which_msal_takes_it_for_another() {
        let words = [
            "interaction_required",
            "consent_required",
            "login_required",
            "bad_token",
            "ui_not_allowed",
            "interrupted_user",
        ];
        for denial in [
            Denial::ConsentRequired,
            Denial::NoSession,
            Denial::SeveralSessions,
            Denial::AdminConsentRequired,
            Denial::ApprovalRequired,
            Denial::FlowExpired,
            Denial::PasswordExpired,
        ] {
            let (_, text, _) = describe(denial);
            assert!(!words.iter().any(|word| text.contains(word)), "{denial:?}");
        }
    }
}
