//! How a refusal reads on Graph: status, code and words, one exhaustive table (facts: graph §1).

use super::throttle::Throttled;
use axum::response::{IntoResponse, Response};
use domain::b2b::invitation::Refusal as InvitationRefusal;
use domain::directory::change::ChangeRefusal;
use domain::directory::first_party::GRAPH_APP_ID;
use domain::directory::membership_rule::RuleProblem;
use domain::directory::permission::Refused;
use domain::directory::query::QueryRefusal;
use domain::tenancy::branding;
use domain::tenancy::creation::Refusal;
use domain::tenancy::limits::Full;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use service::applications::ApplicationRefusal;
use service::apply;
use service::branding::BrandingRefusal;
use service::directory::DirectoryRefusal;
use service::token::AuthFailure;
use service::{Fault, Moment};
use standards::b64;

/// Everything that Graph says no with: what the service refused, and what never reached it.
#[derive(Debug)]
pub(crate) enum GraphError {
    Application(ApplicationRefusal),
    Body(String),
    BodyTooLarge,
    Branding(BrandingRefusal),
    Change(ChangeRefusal),
    /// An `If-Match` that nothing meets.
    Condition,
    Creation(Refusal),
    Directory(DirectoryRefusal),
    Fault(Fault),
    Invitation(InvitationRefusal),
    MediaType,
    Method,
    NotFound,
    Option(&'static str),
    Path,
    Property {
        property: &'static str,
        problem: &'static str,
    },
    Query(String),
    /// Where to begin anew.
    Resync(String),
    Segment(String),
    Throttled(Throttled),
    Unauthenticated(AuthFailure),
}

impl From<Fault> for GraphError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
impl From<DirectoryRefusal> for GraphError {
    fn from(refusal: DirectoryRefusal) -> Self {
        Self::Directory(refusal)
    }
}
impl From<ApplicationRefusal> for GraphError {
    fn from(refusal: ApplicationRefusal) -> Self {
        Self::Application(refusal)
    }
}
impl From<BrandingRefusal> for GraphError {
    fn from(refusal: BrandingRefusal) -> Self {
        Self::Branding(refusal)
    }
}
impl From<ChangeRefusal> for GraphError {
    fn from(refusal: ChangeRefusal) -> Self {
        Self::Change(refusal)
    }
}

const DENIED: &str = "Insufficient privileges to complete the operation.";
const NEEDS_USER: &str = "/me request is only valid with delegated authentication flow.";
const NOT_FOUND: &str =
    "Resource does not exist or one of its queried reference-property objects are not present.";
const PERSON_FULL: &str = "The person belongs to as many directories as one person may. Ask the person to leave an organization first.";
const BAD: StatusCode = StatusCode::BAD_REQUEST;

type Words = (StatusCode, &'static str, String);

fn bad(text: impl Into<String>) -> Words {
    (BAD, "Request_BadRequest", text.into())
}

fn not_found() -> Words {
    (StatusCode::NOT_FOUND, "Request_ResourceNotFound", NOT_FOUND.to_owned())
}

fn gone() -> Words {
    let text =
        "The delta token is older than the changes that are kept. Begin anew at the address in Location.";
    (StatusCode::GONE, "syncStateNotFound", text.to_owned())
}

fn denied() -> Words {
    (StatusCode::FORBIDDEN, "Authorization_RequestDenied", DENIED.to_owned())
}

fn link_exists(name: &str) -> String {
    format!(
        "One or more added object references already exist for the following modified properties: '{name}'."
    )
}

fn permission(refused: Refused) -> Words {
    match refused {
        Refused::NotVisible => not_found(),
        Refused::RoleMissing | Refused::ScopeMissing => denied(),
    }
}

fn change(refusal: &ChangeRefusal) -> Words {
    match refusal {
        ChangeRefusal::Forbidden(_) => denied(),
        ChangeRefusal::IdentityTaken => bad(
            "The guest was invited again since and accepted, so the home identity belongs to another user of this directory. Keep that user, or delete it and invite the guest again."
                .to_owned(),
        ),
        ChangeRefusal::Invalid(name) => bad(format!("Invalid value specified for property '{name}'.")),
        ChangeRefusal::Missing(name) => {
            bad(format!("A value is required for property '{name}' of resource."))
        }
        ChangeRefusal::NameTaken => (
            BAD,
            "Request_BadRequest",
            "Another object with the same value for property userPrincipalName already exists.".to_owned(),
        ),
        ChangeRefusal::PasswordWeak(text) => bad(format!(
            "The specified password does not comply with password complexity requirements. {text}"
        )),
        ChangeRefusal::ReadOnly(name) => bad(format!("Property '{name}' is read-only and cannot be set.")),
        ChangeRefusal::Rule(RuleProblem { position, problem }) => bad(format!(
            "The value of property 'membershipRule' is not valid: {problem} at position {position}."
        )),
        ChangeRefusal::TooLong(name) => bad(format!(
            "The specified value for property '{name}' is too long or has characters that are not allowed."
        )),
        ChangeRefusal::Unknown(name) => {
            bad(format!("Property '{name}' does not exist as a declared property or extension property."))
        }
        ChangeRefusal::WrongType(name) => bad(format!("The value of property '{name}' has the wrong type.")),
    }
}

/// Graph's sentence, and the numbers.
fn quota(full: Full) -> Words {
    let (whose, used, most) = match full {
        Full::Creator { used, most } => ("Principal", used, most),
        Full::Tenant { used, most } => ("Tenant", used, most),
    };
    let text = format!(
        "The directory object quota limit for the {whose} has been exceeded. Please ask your administrator to increase the quota limit or delete objects to reduce the used quota. Used: {used} of {most}."
    );
    (StatusCode::FORBIDDEN, "Directory_QuotaExceeded", text)
}

fn query(refusal: &QueryRefusal) -> Words {
    match refusal {
        QueryRefusal::NeedsAdvanced => (
            BAD,
            "Request_UnsupportedQuery",
            "This query needs the header 'ConsistencyLevel: eventual' and the option '$count=true'."
                .to_owned(),
        ),
        QueryRefusal::UnknownProperty(name) => bad(format!("Could not find a property named '{name}'.")),
        QueryRefusal::Unsupported(text) => (BAD, "Request_UnsupportedQuery", text.clone()),
        QueryRefusal::WrongType(name) => {
            bad(format!("Invalid filter clause: the value for '{name}' has the wrong type."))
        }
    }
}

fn directory(refusal: &DirectoryRefusal) -> Words {
    match refusal {
        DirectoryRefusal::Change(refusal) => change(refusal),
        DirectoryRefusal::Full(full) => quota(*full),
        DirectoryRefusal::DeltaTooOld(_) => gone(),
        DirectoryRefusal::LastAdministrator => bad(
            "The tenant would be left without a Global Administrator who can sign in. Make somebody else one first.",
        ),
        DirectoryRefusal::LinkExists(name) => bad(link_exists(name)),
        DirectoryRefusal::LinkMissing => not_found(),
        DirectoryRefusal::LinkNotAllowed(text) => bad(*text),
        DirectoryRefusal::RoleExists => bad(
            "A conflicting object with one or more of the specified property values is present in the directory.",
        ),
        DirectoryRefusal::Taken(name) => (
            StatusCode::CONFLICT,
            "Request_MultipleObjectsWithSameKeyValue",
            format!("Another object with the same value for property {name} already exists."),
        ),
        DirectoryRefusal::TooManyDynamicGroups(most) => {
            bad(format!("A tenant has at most {most} groups with dynamic membership. Delete one first."))
        }
        DirectoryRefusal::TooManyOwners(most) => bad(format!("A group has at most {most} owners.")),
        DirectoryRefusal::TooManySponsors(most) => bad(format!("A guest has at most {most} sponsors.")),
        DirectoryRefusal::TooManyRoleGroups(most) => bad(format!(
            "A tenant has at most {most} groups with 'isAssignableToRole' set to true. Delete one first."
        )),
        DirectoryRefusal::NeedsUser => bad(NEEDS_USER),
        DirectoryRefusal::NotFound => not_found(),
        DirectoryRefusal::Permission(refused) => permission(*refused),
        DirectoryRefusal::PersonFull => {
            (StatusCode::FORBIDDEN, "Directory_QuotaExceeded", PERSON_FULL.to_owned())
        }
        DirectoryRefusal::Query(refusal) => query(refusal),
        DirectoryRefusal::SkipToken => bad("The skip token is not valid for this query."),
    }
}

fn invitation(refusal: InvitationRefusal) -> Words {
    use InvitationRefusal as I;
    match refusal {
        I::AddressBelongsToTenant => bad("The invited user's address belongs to a verified domain of this directory. Create a member instead."),
        I::AddressInUse => bad("The invited user already exists in the directory as a member with this address."),
        I::DirectoryFull(full) => quota(full),
        I::DisplayNameInvalid => bad("Invalid value specified for property 'invitedUserDisplayName'."),
        I::GuestDisabled => bad("The invited user already exists in the directory and is blocked from signing in."),
        I::HomeTakesNoPart | I::TenantTakesNoPart => (
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "One of the two organizations takes no part in B2B collaboration. Invite another address of the person, or create a member.".to_owned(),
        ),
        I::InviterNotAllowed => (
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Guest invitations not allowed for your company. Contact your company administrator for more details.".to_owned(),
        ),
        I::MemberInviteNeedsAdmin => denied(),
        I::MessageInvalid => bad("Invalid value specified for property 'customizedMessageBody'."),
        I::PersonFull => (StatusCode::FORBIDDEN, "Directory_QuotaExceeded", PERSON_FULL.to_owned()),
        I::RedirectInvalid => bad("Invalid value specified for property 'inviteRedirectUrl'. Give an absolute https address."),
        I::SponsorNotFound => bad("One of the sponsors does not exist in this directory."),
        I::TooManyInvitations => (
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "Too many invitations were sent within the last hour. Try again later.".to_owned(),
        ),
        I::TooManySponsors(most) => bad(format!("A guest has at most {most} sponsors.")),
    }
}

fn creation(refusal: Refusal) -> Words {
    let forbidden = |code, text: String| (StatusCode::FORBIDDEN, code, text);
    match refusal {
        Refusal::DisplayNameInvalid => bad(invalid("displayName", "Give 1 to 256 characters.")),
        Refusal::DomainTaken => (
            StatusCode::CONFLICT,
            "Request_MultipleObjectsWithSameKeyValue",
            "Another object with the same value for property initialDomainName already exists.".to_owned(),
        ),
        Refusal::NameInvalid => {
            bad(invalid("initialDomainName", "Give 1 to 27 letters and digits, beginning with a letter."))
        }
        Refusal::NotAllowed | Refusal::NotAtHome => denied(),
        Refusal::NotOffered => forbidden(
            "Authorization_RequestDenied",
            "Organizations are made by the operator here: the deployment sets no domain for others (tenants_under).".to_owned(),
        ),
        Refusal::PersonFull => forbidden("Directory_QuotaExceeded", PERSON_FULL.to_owned()),
        Refusal::TooManyTenants { used, most } => forbidden(
            "Directory_QuotaExceeded",
            format!("The limit of organizations that one person may create has been reached. Used: {used} of {most}."),
        ),
    }
}

fn invalid(property: &str, problem: &str) -> String {
    format!("Invalid value specified for property '{property}'. {problem}")
}

fn application(refusal: &ApplicationRefusal) -> Words {
    match refusal {
        ApplicationRefusal::ConsentExists => (
            StatusCode::CONFLICT,
            "Request_MultipleObjectsWithSameKeyValue",
            "Permission entry already exists.".to_owned(),
        ),
        ApplicationRefusal::Full(full) => quota(*full),
        ApplicationRefusal::Invalid { property, problem } => bad(invalid(property, problem)),
        ApplicationRefusal::InstanceExists => (
            StatusCode::CONFLICT,
            "Request_MultipleObjectsWithSameKeyValue",
            "The service principal cannot be created or restored because one for this application exists already."
                .to_owned(),
        ),
        ApplicationRefusal::NeedsUser => bad(NEEDS_USER),
        ApplicationRefusal::NotFound => not_found(),
        ApplicationRefusal::OwnerExists => bad(link_exists("owners")),
        ApplicationRefusal::Permission(refused) => permission(*refused),
        ApplicationRefusal::PolicyAssigned => bad(link_exists("tokenLifetimePolicies")),
        ApplicationRefusal::Query(refusal) => query(refusal),
        ApplicationRefusal::RoleAssigned => bad("Permission being assigned already exists on the object."),
        ApplicationRefusal::TooManyRoles(most) => (
            BAD,
            "Directory_QuotaExceeded",
            format!("The principal holds {most} app roles, and no more are allowed. Remove some first."),
        ),
        ApplicationRefusal::UriTaken => {
            bad("Another object with the same value for property identifierUris already exists.")
        }
    }
}

fn branding(refusal: BrandingRefusal) -> Words {
    use branding::Refusal as R;
    match refusal {
        BrandingRefusal::Change(refusal) => {
            let (status, name) = match refusal {
                R::ColorInvalid => (BAD, "backgroundColor"),
                R::LogoTooHeavy => (StatusCode::PAYLOAD_TOO_LARGE, "bannerLogo"),
                R::LogoTooLarge | R::LogoTypeUnknown => (BAD, "bannerLogo"),
                R::TextInvalid => (BAD, "signInPageText"),
            };
            (status, "Request_BadRequest", invalid(name, refusal.as_str()))
        }
        BrandingRefusal::Permission(refused) => permission(refused),
    }
}

/// What Graph would say to a step of `hospes apply` that is refused.
pub fn refusal_words(refusal: &apply::Refusal) -> String {
    use apply::Refusal as R;
    match refusal {
        R::Application(refusal) => application(refusal).2,
        R::Branding(refusal) => branding(*refusal).2,
        R::Directory(refusal) => directory(refusal).2,
        R::Gone(text) => text.clone(),
        R::Invitation(refusal) => invitation(*refusal).2,
        R::Setup(refusal) => refusal.as_str().to_owned(),
    }
}

impl GraphError {
    fn words(&self) -> Words {
        match self {
            Self::Application(refusal) => application(refusal),
            Self::Body(text) | Self::Query(text) => bad(text.clone()),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Request_BadRequest",
                "The body must not be longer than 1 MiB.".to_owned(),
            ),
            Self::Branding(refusal) => branding(*refusal),
            Self::Change(refusal) => change(refusal),
            Self::Condition => (
                StatusCode::PRECONDITION_FAILED,
                "resourceModified",
                "This object has no ETag that could match. Leave If-Match out, or send '*'.".to_owned(),
            ),
            Self::Creation(refusal) => creation(*refusal),
            Self::Directory(refusal) => directory(refusal),
            Self::Fault(Fault::Busy) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "serviceNotAvailable",
                "The service is busy. Try again.".to_owned(),
            ),
            Self::Fault(Fault::Bug(_) | Fault::Failed(_)) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "generalException", "An error has occurred.".to_owned())
            }
            Self::Invitation(refusal) => invitation(*refusal),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Request_BadRequest",
                "The Content-Type must be application/json.".to_owned(),
            ),
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "Request_BadRequest",
                "Specified HTTP method is not allowed for the request target.".to_owned(),
            ),
            Self::NotFound => not_found(),
            Self::Option(option) => {
                query(&QueryRefusal::Unsupported(format!("{option} is not supported on this resource.")))
            }
            Self::Path => bad("The address is not valid."),
            Self::Property { property, problem } => bad(invalid(property, problem)),
            Self::Resync(_) => gone(),
            Self::Segment(name) => {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                (
                    StatusCode::NOT_FOUND,
                    "BadRequest",
                    format!("Resource not found for the segment '{shown}'."),
                )
            }
            Self::Throttled(throttled) => (
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequests",
                format!("Too many requests. Try again in {} seconds.", throttled.seconds()),
            ),
            Self::Unauthenticated(failure) => {
                (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", failure.as_str().to_owned())
            }
        }
    }

    /// The code of a refusal that nobody recorded yet (R32): the service records those of writes itself, and faults belong
    /// to the log.
    pub(crate) fn unrecorded(&self, is_read: bool) -> Option<&'static str> {
        let is_recorded = match self {
            // What cannot be selected is refused here, before the service is asked.
            Self::Directory(DirectoryRefusal::Query(_)) => false,
            Self::Application(_)
            | Self::Branding(_)
            | Self::Creation(_)
            | Self::Directory(_)
            | Self::Invitation(_) => !is_read,
            Self::Throttled(throttled) => throttled.is_recorded,
            Self::Fault(_) | Self::Unauthenticated(_) => true,
            Self::Body(_)
            | Self::BodyTooLarge
            | Self::Change(_)
            | Self::Condition
            | Self::MediaType
            | Self::Method
            | Self::NotFound
            | Self::Option(_)
            | Self::Path
            | Self::Property { .. }
            | Self::Query(_)
            | Self::Resync(_)
            | Self::Segment(_) => false,
        };
        (!is_recorded).then(|| self.words().1)
    }

    /// Status and body; `client_id` is the caller's own name for the request.
    pub(crate) fn body(&self, client_id: &str, moment: &Moment) -> (StatusCode, Value) {
        if let Self::Fault(fault) = self {
            tracing::error!(%fault, correlation = %moment.origin.correlation, "a Graph request failed");
        }
        let (status, code, message) = self.words();
        let at = standards::time::rfc3339(moment.now.millis());
        let body = json!({ "error": {
            "code": code,
            "message": message,
            "innerError": {
                "date": at.trim_end_matches('Z'),
                "request-id": moment.entropy.uuid("request"),
                "client-request-id": client_id,
            },
        } });
        (status, body)
    }

    /// Headers that the answer has besides: when asking again may help, what was used up, where to go instead.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        if let Self::Throttled(throttled) = self {
            let mut headers = throttled.headers().to_vec();
            headers.push(("Retry-After", throttled.seconds().to_string()));
            return headers;
        }
        if let Self::Resync(address) = self {
            return vec![("Location", address.clone())];
        }
        let is_later =
            matches!(self.words().0, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        is_later.then(|| ("Retry-After", "5".to_owned())).into_iter().collect()
    }

    pub(crate) fn respond(&self, base: &str, client_id: &str, moment: &Moment) -> Response {
        let (status, body) = self.body(client_id, moment);
        let mut response = (status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Self::Unauthenticated(failure) = self
            && let Ok(value) = HeaderValue::try_from(challenge(*failure, base, moment))
        {
            headers.insert(header::WWW_AUTHENTICATE, value);
        }
        for (name, value) in self.headers() {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Where tokens come from. A client that reads challenges is also told that only a token from now on counts: its library then
/// puts the old one away and asks for another by itself (facts: conditional-access §10).
fn challenge(failure: AuthFailure, base: &str, moment: &Moment) -> String {
    let uri = format!("{base}/common/oauth2/authorize");
    let plain = format!("Bearer realm=\"\", authorization_uri=\"{uri}\", client_id=\"{GRAPH_APP_ID}\"");
    if failure != AuthFailure::Challenged {
        return plain;
    }
    let since = moment.now.seconds().to_string();
    let claims = json!({ "access_token": { "nbf": { "essential": true, "value": since } } }).to_string();
    let (detail, claims) = (failure.as_str(), b64::encode_std(claims.as_bytes()));
    format!("{plain}, error_description=\"{detail}\", error=\"insufficient_claims\", claims=\"{claims}\"")
}
