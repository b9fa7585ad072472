//! How a refusal reads to a person: one exhaustive table. It says what to do next and nothing about another tenant.

use domain::issuance::Denial;
use http::StatusCode;

/// Status, title, what happened, what to do.
pub(crate) fn explain(denial: Denial) -> (StatusCode, &'static str, &'static str, &'static str) {
    use Denial as D;
    const APP: &str = "Tell the people who run the application; they have to change its settings.";
    const AGAIN: &str = "Go back to the application and sign in again.";
    let (title, happened, next) = match denial {
        D::AccountDisabled => (
            "This account is switched off",
            "Your account exists, but it may not sign in here.",
            "Ask the organisation's administrator to switch it on.",
        ),
        D::AdminConsentRequired | D::ApprovalRequired => (
            "An administrator has to agree first",
            "The application asks for permissions that you cannot give yourself.",
            "Ask an administrator of the organisation to approve the application.",
        ),
        D::ApplicationNotAssigned | D::UserNotAssigned => (
            "You are not assigned to this application",
            "The organisation decides who may use this application, and you are not on the list.",
            "Ask the organisation's administrator to assign you.",
        ),
        D::AssertionRejected => (
            "Your organisation's answer could not be used",
            "You were sent to your own organisation, and what came back could not be verified.",
            "Try again. If it happens again, give your administrator the correlation id below.",
        ),
        D::ClientDisabled => {
            ("This application is switched off", "The organisation does not allow it at present.", APP)
        }
        D::ClientUnknown => (
            "This application is not known here",
            "The application is not registered in this organisation.",
            APP,
        ),
        D::RedirectMismatch => (
            "This application asked for a wrong address",
            "The address that the application wants the answer at is not registered for it.",
            APP,
        ),
        D::NotMultiTenant => (
            "This application belongs to one organisation",
            "It has to send you to that organisation's own sign-in page.",
            APP,
        ),
        D::CallerAssertionExpired
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
        | D::FederatedAudienceWrong
        | D::FederatedIssuerUnknown
        | D::FederatedIssuerUnreachable
        | D::FederatedSubjectUnknown
        | D::FederatedUserToken
        | D::PasswordGrantDisabled
        | D::PkceMismatch
        | D::PkceMissing
        | D::PkceUnexpected
        | D::RefreshForAnotherClient
        | D::RefreshUnknown
        | D::ResourceDisabled
        | D::ResourceUnknown
        | D::ImplicitTokenDisabled
        | D::ResponseTypeDisabled
        | D::ScopeInvalid
        | D::ScopeMissing
        | D::ScopesOfSeveralResources
        | D::SpaNeedsOrigin
        | D::WebFromBrowser => {
            ("The application made a mistake", "Its request cannot be answered as it is.", APP)
        }
        D::AuthorizationPending | D::DeviceCodeRedeemed => {
            ("The device is not ready", "It asked at the wrong moment.", "Start again at the device.")
        }
        D::DeviceCodeDisabled => (
            "Codes are switched off here",
            "This organisation does not let devices sign in with a code.",
            "Sign in at the device in another way, or ask the organisation's administrator.",
        ),
        D::DeviceCodeExpired | D::DeviceCodeUnknown => (
            "This code is not valid any more",
            "Codes are good for a quarter of an hour, and for one answer.",
            "Start again at the device. It shows a new code.",
        ),
        D::DeviceCodeForGuest => (
            "Guests cannot sign in with a code here",
            "This organisation lets only its own people sign in at a device with a code.",
            "Sign in at the device in another way, or ask the organisation's administrator.",
        ),
        D::AuthorizationDeclined | D::ConsentDeclined => (
            "You declined",
            "Nothing was shared and nothing was changed.",
            "You can close this page, or go back and try again.",
        ),
        D::ConsentRequired => {
            ("Permissions are missing", "Nobody agreed to what the application asks for.", AGAIN)
        }
        D::FlowExpired => (
            "This page is no longer valid",
            "The sign-in took too long, was finished already, or began in another browser.",
            "Go back to where you came from and start again.",
        ),
        D::GrantRevoked | D::HomeNotAsked | D::RefreshExpired | D::RefreshSpaExpired | D::SessionEnded => {
            ("You have been signed out", "The earlier sign-in does not count any more.", AGAIN)
        }
        D::GuestNotInDirectory => (
            "You are not a guest here yet",
            "You signed in, but this organisation has not invited your account.",
            "Ask somebody in the organisation to invite the address that you sign in with, or use another account.",
        ),
        D::DirectoryFull => (
            "This organisation has no room for the application",
            "An organisation can have a limited number of objects, and this one has reached it. Nothing was changed.",
            "Ask the organisation's administrator to delete what is not needed, or to have the limit raised.",
        ),
        D::GuestPending => (
            "Your invitation is still open",
            "You have not accepted this organisation's invitation yet.",
            "Open the link in the invitation mail and accept it.",
        ),
        D::InvitationExpired => (
            "This invitation has expired",
            "Invitations are valid for a limited time.",
            "Ask the person who invited you to send a new one.",
        ),
        D::InvitationForAnother => (
            "This invitation is for somebody else",
            "The account that you signed in with is not the one that was invited.",
            "Sign in with the invited account, or ask to be invited under your own address.",
        ),
        D::InvitationUnknown => (
            "There is no such invitation",
            "The link is incomplete, was changed, or the invitation was withdrawn.",
            "Copy the whole link from the mail, or ask for a new invitation.",
        ),
        D::NoSession | D::SeveralSessions => {
            ("Please sign in", "The application could not sign you in by itself.", AGAIN)
        }
        D::PartnerTakesNoPart => (
            "The two organisations do not work together",
            "One of them takes no part in collaboration with others.",
            "Ask to be given a member account, or use an address of another organisation.",
        ),
        D::PasswordExpired => ("Your password must be changed", "It is valid for one sign-in only.", AGAIN),
        D::PasswordWrong => ("The password is not right", "Name and password do not belong together.", AGAIN),
        D::TenantSuspended => (
            "This organisation is not available",
            "Nobody can sign in to it at present.",
            "Ask the people who run this service.",
        ),
        D::TooManyAttempts => (
            "Too many attempts",
            "There were too many wrong passwords lately.",
            "Wait a quarter of an hour and try again.",
        ),
        D::TooManyDirectories => (
            "You belong to too many organisations",
            "One person can be in a limited number of organisations, and you have reached it. The invitation was not accepted and stays open.",
            "Leave an organisation that you do not need any more, on the page of your organisations in My Apps. Then open the link in the invitation again.",
        ),
        D::UserUnknown => (
            "This account does not exist any more",
            "The directory has no such account.",
            "Use another account, or ask your administrator.",
        ),
    };
    (StatusCode::BAD_REQUEST, title, happened, next)
}
