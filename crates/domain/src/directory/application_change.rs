//! What a caller wants to write to a registration, its secrets and its instances: checked as a whole, because one
//! property limits another. Whether the caller may at all is asked of `permission` first.

use crate::directory::application::{
    AppRole, Application, ClientCertificate, ClientSecret, FrontChannel, Information, Platform,
    PreAuthorized, RedirectUri, RequiredAccess, Scope, ServicePrincipal, SignInAudience, TokenVersion,
};
use crate::directory::first_party::GRAPH_APP_ID;
use crate::directory::permission::{self, Actor, Operation, Refused, Viewer};
use crate::directory::query::QueryRefusal;
use crate::directory::role;
use crate::directory::token_claims::{self, GroupClaims, OptionalClaim, TokenClaims};
use crate::id::{AppId, ApplicationId, PartId, TenantId};
use crate::tenancy::domain_name::DomainName;
use crate::tenancy::limits::Full;
use crate::tenancy::tenant::Tenant;
use crate::time::{Span, Timestamp};
use crate::verdict::{Side, Trace, Verdict};
use standards::jose::Algorithm;
use standards::oauth::redirect;
use std::collections::BTreeSet;
use url::Url;
use uuid::Uuid;

// Limits as documented (facts: limits §3).
const DISPLAY_NAME: usize = 120;
const REDIRECT_URIS: usize = 256;
const IDENTIFIER_URI: usize = 255;
const ADDRESS: usize = 255;
const PERMISSION_NAME: usize = 120;
const TAG: usize = 256;
const RESOURCES: usize = 50;
const PERMISSIONS: usize = 400;
const TRUSTED_CLIENTS: usize = 100;
const TRUSTED_SCOPES: usize = 30;
// DEFAULT: as many as may be trusted; Graph publishes no number.
const KNOWN_CLIENTS: usize = 100;
/// Names of an instance besides its own.
// DEFAULT: as many as a managed identity has, many times over; Graph publishes no number.
const ALTERNATIVE_NAMES: usize = 50;
const ALTERNATIVE_NAME: usize = 256;
/// Entries of all collections of one registration together.
const ENTRIES: usize = 1200;
/// Titles and descriptions, in characters.
// DEFAULT: what fits a consent page; Graph publishes no number.
const TITLE: usize = 120;
const PROSE: usize = 1024;
/// How long a secret works if the caller does not say.
// DEFAULT: two years, as documented (Graph: application addPassword).
const SECRET_LIFE: Span = Span::days(730);
/// The role id that means access without a role (Graph: appRoleAssignment.appRoleId).
const DEFAULT_ACCESS: PartId = PartId::new(Uuid::nil());

/// Why a call about applications is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationRefusal {
    /// There is an agreement for that client, resource and user; it can be changed.
    ConsentExists,
    /// There is no room for one more object.
    Full(Full),
    /// A property's value; the problem is a sentence for whoever sent it.
    Invalid {
        property: &'static str,
        problem: &'static str,
    },
    /// The tenant has a service principal of that application.
    InstanceExists,
    /// An application asked for `/me`.
    NeedsUser,
    NotFound,
    /// The object is an owner already.
    OwnerExists,
    Permission(Refused),
    /// The object has the policy.
    PolicyAssigned,
    Query(QueryRefusal),
    /// The principal holds the role.
    RoleAssigned,
    /// The principal holds as many roles as it can.
    /// With how many one principal may hold.
    TooManyRoles(i64),
    /// Another registration of the tenant has the identifier URI.
    UriTaken,
}

impl ApplicationRefusal {
    /// Stable name for records.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ConsentExists => "consentExists",
            Self::Full(full) => full.as_str(),
            Self::Invalid { .. } => "invalid",
            Self::InstanceExists => "instanceExists",
            Self::NeedsUser => "needsUser",
            Self::NotFound => "notFound",
            Self::OwnerExists => "ownerExists",
            Self::Permission(refused) => refused.as_str(),
            Self::PolicyAssigned => "policyAssigned",
            Self::Query(_) => "queryRefused",
            Self::RoleAssigned => "roleAssigned",
            Self::TooManyRoles(_) => "tooManyRoles",
            Self::UriTaken => "uriTaken",
        }
    }
}

impl From<Refused> for ApplicationRefusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotVisible => Self::NotFound,
            Refused::RoleMissing | Refused::ScopeMissing => Self::Permission(refused),
        }
    }
}

/// One property of a registration and its new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Audience(SignInAudience),
    /// Replaces the certificates; one that names only the id of a known one keeps it.
    Certificates(Vec<NewCertificate>),
    Description(Option<String>),
    DisplayName(String),
    FrontChannel(FrontChannel),
    GroupClaims(GroupClaims),
    HomePageUrl(Option<String>),
    IdentifierUris(Vec<String>),
    Information(Information),
    IsFallbackPublic(bool),
    LogoutUrl(Option<String>),
    KnownClients(Vec<AppId>),
    Notes(Option<String>),
    /// Replaces all of them: of ID tokens, and of access tokens.
    OptionalClaims(Vec<OptionalClaim>, Vec<OptionalClaim>),
    PreAuthorized(Vec<PreAuthorized>),
    /// Replaces the addresses of one platform.
    RedirectUris(Platform, Vec<String>),
    RequiredAccess(Vec<RequiredAccess>),
    Roles(Vec<AppRole>),
    Scopes(Vec<Scope>),
    ServiceReference(Option<String>),
    Tags(Vec<String>),
    TokenVersion(TokenVersion),
}

/// A certificate of a client, or the id of one that stays (Graph does not give the certificate back).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewCertificate {
    Add(ClientCertificate),
    Keep(PartId),
}

/// A secret to be made (Graph: addPassword).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSecret {
    pub display_name: Option<String>,
    pub starts_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// What a tenant decides about an application's instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceChange {
    pub is_enabled: Option<bool>,
    pub is_assignment_required: Option<bool>,
    pub alternative_names: Option<Vec<String>>,
    /// Texts: `Some(None)` takes one away.
    pub description: Option<Option<String>>,
    pub login_url: Option<Option<String>>,
    pub notes: Option<Option<String>>,
}

/// A role to be given (Graph: appRoleAssignment).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAssignment {
    pub principal: Uuid,
    pub resource: Uuid,
    pub role: PartId,
}

const fn invalid(property: &'static str, problem: &'static str) -> ApplicationRefusal {
    ApplicationRefusal::Invalid { property, problem }
}

/// A new registration. Its ids are the server's (R22).
pub fn create(
    changes: &[Change],
    (id, app_id): (ApplicationId, AppId),
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Application, ApplicationRefusal> {
    if !changes.iter().any(|change| matches!(change, Change::DisplayName(_))) {
        return Err(invalid("displayName", "A value is required."));
    }
    let bare = Application {
        id,
        app_id,
        owner: Some(tenant.id),
        display_name: String::new(),
        // DEFAULT: its own tenant only; whoever opens it to others says so (Graph: application.signInAudience).
        audience: SignInAudience::OwnTenant,
        identifier_uris: Vec::new(),
        redirect_uris: Vec::new(),
        logout_url: None,
        home_page_url: None,
        is_fallback_public: false,
        front_channel: FrontChannel::default(),
        token_claims: TokenClaims::default(),
        secrets: Vec::new(),
        certificates: Vec::new(),
        federated_credentials: Vec::new(),
        scopes: Vec::new(),
        roles: Vec::new(),
        required_access: Vec::new(),
        known_clients: Vec::new(),
        pre_authorized: Vec::new(),
        token_version: TokenVersion::V1,
        token_algorithm: Algorithm::Rs256,
        tags: Vec::new(),
        notes: None,
        description: None,
        info: Information::default(),
        service_reference: None,
        created_at: now,
        deleted_at: None,
    };
    apply(&bare, changes, tenant)
}

/// The registration with the changes, if every part of the result may stand.
pub fn apply(
    before: &Application,
    changes: &[Change],
    tenant: &Tenant,
) -> Result<Application, ApplicationRefusal> {
    let mut after = before.clone();
    for change in changes {
        match change.clone() {
            Change::Audience(audience) => after.audience = audience,
            Change::Certificates(new) => after.certificates = certificates(&before.certificates, new)?,
            Change::Description(text) => after.description = text,
            Change::DisplayName(name) => after.display_name = name,
            Change::HomePageUrl(url) => after.home_page_url = url,
            Change::IdentifierUris(uris) => after.identifier_uris = uris,
            Change::Information(info) => after.info = info,
            Change::FrontChannel(front_channel) => after.front_channel = front_channel,
            Change::GroupClaims(groups) => after.token_claims.groups = groups,
            Change::IsFallbackPublic(is) => after.is_fallback_public = is,
            Change::KnownClients(clients) => after.known_clients = clients,
            Change::LogoutUrl(url) => after.logout_url = url,
            Change::Notes(text) => after.notes = text,
            Change::OptionalClaims(id_token, access_token) => {
                after.token_claims = TokenClaims { id_token, access_token, ..after.token_claims };
            }
            Change::PreAuthorized(clients) => after.pre_authorized = clients,
            Change::RedirectUris(platform, uris) => {
                after.redirect_uris.retain(|known| known.platform != platform);
                after.redirect_uris.extend(uris.into_iter().map(|uri| RedirectUri { uri, platform }));
            }
            Change::RequiredAccess(access) => after.required_access = access,
            Change::Roles(roles) => after.roles = roles,
            Change::Scopes(scopes) => after.scopes = scopes,
            Change::ServiceReference(text) => after.service_reference = text,
            Change::Tags(tags) => after.tags = tags,
            Change::TokenVersion(version) => after.token_version = version,
        }
    }
    check_texts(&after)?;
    check_redirect_uris(&after)?;
    check_identifier_uris(before, &after, tenant)?;
    check_scopes(&before.scopes, &after.scopes)?;
    check_roles(&before.roles, &after.roles)?;
    check_required_access(&after.required_access)?;
    check_clients(&after)?;
    token_claims::check(&after.token_claims)?;
    check_size(&after)?;
    Ok(after)
}

fn is_text(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest && !text.chars().any(char::is_control)
}

/// Notes may have several lines.
fn is_prose(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest
        && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// Whether an address may be shown as a link: another scheme would run in the page that shows it.
fn is_web_address(text: &str) -> bool {
    let parsed = Url::parse(text);
    text.len() <= ADDRESS
        && text.bytes().all(|b| b.is_ascii_graphic())
        && parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty())
}

fn check_texts(app: &Application) -> Result<(), ApplicationRefusal> {
    if app.display_name.trim().is_empty() || !is_text(&app.display_name, DISPLAY_NAME) {
        return Err(invalid("displayName", "Give 1 to 120 characters."));
    }
    if app.audience == SignInAudience::Personal {
        return Err(invalid("signInAudience", "There are no personal accounts here."));
    }
    for (property, text) in [("description", &app.description), ("notes", &app.notes)] {
        if text.as_deref().is_some_and(|text| !is_prose(text, PROSE)) {
            return Err(invalid(property, "Give at most 1,024 characters."));
        }
    }
    if app.home_page_url.as_deref().is_some_and(|url| !is_web_address(url)) {
        return Err(invalid(
            "web/homePageUrl",
            "Give an absolute http or https address of at most 255 characters.",
        ));
    }
    let info = &app.info;
    let pages = [
        ("info/marketingUrl", &info.marketing_url),
        ("info/privacyStatementUrl", &info.privacy_url),
        ("info/supportUrl", &info.support_url),
        ("info/termsOfServiceUrl", &info.terms_url),
    ];
    for (property, url) in pages {
        if url.as_deref().is_some_and(|url| !is_web_address(url)) {
            return Err(invalid(
                property,
                "Give an absolute http or https address of at most 255 characters.",
            ));
        }
    }
    if app.service_reference.as_deref().is_some_and(|text| !is_text(text, ADDRESS)) {
        return Err(invalid("serviceManagementReference", "Give at most 255 characters on one line."));
    }
    // The signed-out page loads it in a frame, so it is held to what a reply address is held to.
    let is_logout = |url: &str| url.len() <= ADDRESS && redirect::check_registrable(url, false).is_ok();
    if app.logout_url.as_deref().is_some_and(|url| !is_logout(url)) {
        return Err(invalid("web/logoutUrl", "Give an absolute https address of at most 255 characters."));
    }
    if app.tags.iter().any(|tag| tag.is_empty() || !is_text(tag, TAG)) {
        return Err(invalid("tags", "A tag has 1 to 256 characters."));
    }
    Ok(())
}

fn redirect_property(platform: Platform) -> &'static str {
    match platform {
        Platform::Native => "publicClient/redirectUris",
        Platform::Spa => "spa/redirectUris",
        Platform::Web => "web/redirectUris",
    }
}

fn check_redirect_uris(app: &Application) -> Result<(), ApplicationRefusal> {
    let mut seen = BTreeSet::new();
    for RedirectUri { uri, platform } in &app.redirect_uris {
        let property = redirect_property(*platform);
        redirect::check_registrable(uri, *platform == Platform::Native)
            .map_err(|error| invalid(property, redirect_problem(error)))?;
        // One address on two platforms would leave open whether the client is public.
        if !seen.insert(uri) {
            return Err(invalid(property, "The same address is there twice."));
        }
    }
    if app.redirect_uris.len() > REDIRECT_URIS {
        return Err(invalid("web/redirectUris", "An application has at most 256 redirect addresses."));
    }
    Ok(())
}

const fn redirect_problem(error: redirect::RedirectError) -> &'static str {
    use redirect::RedirectError as E;
    match error {
        E::Characters => "The address has characters that browsers read in different ways.",
        E::Form => "The address is no absolute URI of at most 256 characters.",
        E::Fragment => "The address must not have a fragment.",
        E::Parameters => "The address must not have the parameters code, state or error.",
        E::Scheme => "The address must begin with https, or http on localhost.",
        E::UserInfo => "The address must not name a user.",
    }
}

fn check_identifier_uris(
    before: &Application,
    after: &Application,
    tenant: &Tenant,
) -> Result<(), ApplicationRefusal> {
    let mut seen = BTreeSet::new();
    for uri in &after.identifier_uris {
        if !seen.insert(uri) {
            return Err(invalid("identifierUris", "The same URI is there twice."));
        }
        // What stands already keeps its name when a domain goes.
        if !before.identifier_uris.contains(uri) && !is_own_identifier(uri, after.app_id, tenant) {
            return Err(invalid(
                "identifierUris",
                "Use api:// and the appId, or a URI below a verified domain of the organization.",
            ));
        }
    }
    Ok(())
}

/// Tokens are asked for by this name, so it must be one that nobody else can claim.
fn is_own_identifier(uri: &str, app_id: AppId, tenant: &Tenant) -> bool {
    let is_plain = uri.len() <= IDENTIFIER_URI
        && uri.bytes().all(|b| b.is_ascii_graphic())
        && !uri.contains(['?', '#', '\\', '*', '@', '%', '"', '<', '>', '`', '{', '}']);
    let Some((scheme, rest)) = uri.split_once("://").filter(|_| is_plain) else { return false };
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    if path.is_some_and(|path| {
        path.is_empty() || path.ends_with('/') || path.contains("//") || path.contains("..")
    }) {
        return false;
    }
    let is_id = |id: String| scheme == "api" && host == id;
    // The tenant's id names no application, so something must follow it.
    let is_below_tenant = is_id(tenant.id.to_string()) && path.is_some();
    let is_below_domain = matches!(scheme, "api" | "https") && is_under_domain(host, tenant);
    is_id(app_id.to_string()) || is_below_tenant || is_below_domain
}

/// A verified name of the tenant, or a name below one.
fn is_under_domain(host: &str, tenant: &Tenant) -> bool {
    let mut name = host;
    loop {
        match DomainName::parse(name) {
            None => return false,
            Some(known) if tenant.owns(&known) => return DomainName::parse(host).is_some(),
            Some(_) => {}
        }
        let Some((_, parent)) = name.split_once('.') else { return false };
        name = parent;
    }
}

/// What may stand in a token's `scp` or `roles` without being read as two (RFC 6749 §3.3).
fn is_permission_name(value: &str) -> bool {
    (1..=PERMISSION_NAME).contains(&value.len())
        && !value.starts_with('.')
        && value.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>'))
}

fn check_scopes(before: &[Scope], after: &[Scope]) -> Result<(), ApplicationRefusal> {
    const NAME: &str = "api/oauth2PermissionScopes";
    let (mut ids, mut values) = (BTreeSet::new(), BTreeSet::new());
    for scope in after {
        if scope.id.uuid().is_nil() || !ids.insert(scope.id) {
            return Err(invalid(NAME, "Every scope needs an id of its own."));
        }
        if !is_permission_name(&scope.value) {
            return Err(invalid(NAME, "A scope's value has 1 to 120 characters without spaces."));
        }
        if !values.insert(&scope.value) {
            return Err(invalid(NAME, "Two scopes have the same value."));
        }
        let is_shown = !scope.title.trim().is_empty() && !scope.description.trim().is_empty();
        if !is_shown || !is_text(&scope.title, TITLE) || !is_prose(&scope.description, PROSE) {
            return Err(invalid(
                NAME,
                "A scope needs a display name and a description for the consent page.",
            ));
        }
    }
    let removed = before.iter().find(|known| known.is_enabled && !ids.contains(&known.id));
    removed.map_or(Ok(()), |_| Err(invalid(NAME, STILL_ENABLED)))
}

const STILL_ENABLED: &str = "Permission (scope or role) cannot be deleted or updated unless disabled first.";

fn check_roles(before: &[AppRole], after: &[AppRole]) -> Result<(), ApplicationRefusal> {
    const NAME: &str = "appRoles";
    let (mut ids, mut values) = (BTreeSet::new(), BTreeSet::new());
    for role in after {
        if role.id.uuid().is_nil() || !ids.insert(role.id) {
            return Err(invalid(NAME, "Every role needs an id of its own."));
        }
        if !is_permission_name(&role.value) {
            return Err(invalid(NAME, "A role's value has 1 to 120 characters without spaces."));
        }
        if !values.insert(&role.value) {
            return Err(invalid(NAME, "Two roles have the same value."));
        }
        let is_shown = !role.display_name.trim().is_empty() && !role.description.trim().is_empty();
        if !is_shown || !is_text(&role.display_name, TITLE) || !is_prose(&role.description, PROSE) {
            return Err(invalid(NAME, "A role needs a display name and a description."));
        }
        if !role.for_applications && !role.for_users {
            return Err(invalid(NAME, "allowedMemberTypes names User, Application or both."));
        }
    }
    let removed = before.iter().find(|known| known.is_enabled && !ids.contains(&known.id));
    removed.map_or(Ok(()), |_| Err(invalid(NAME, STILL_ENABLED)))
}

fn check_required_access(access: &[RequiredAccess]) -> Result<(), ApplicationRefusal> {
    const NAME: &str = "requiredResourceAccess";
    let resources: BTreeSet<_> = access.iter().map(|access| access.resource).collect();
    if resources.len() != access.len() {
        return Err(invalid(NAME, "The same resource is there twice."));
    }
    if resources.len() > RESOURCES {
        return Err(invalid(NAME, "An application names at most 50 resources."));
    }
    if access.iter().map(|access| access.scopes.len() + access.roles.len()).sum::<usize>() > PERMISSIONS {
        return Err(invalid(NAME, "An application names at most 400 permissions."));
    }
    Ok(())
}

/// Limits of the clients that an API names (facts: limits §2), and that the scopes are its own.
fn check_clients(app: &Application) -> Result<(), ApplicationRefusal> {
    const KNOWN: &str = "api/knownClientApplications";
    const TRUSTED: &str = "api/preAuthorizedApplications";
    let known: BTreeSet<_> = app.known_clients.iter().collect();
    if known.len() != app.known_clients.len() || known.len() > KNOWN_CLIENTS {
        return Err(invalid(KNOWN, "Give at most 100 application ids, each once."));
    }
    let trusted: BTreeSet<_> = app.pre_authorized.iter().map(|known| known.client).collect();
    if trusted.len() != app.pre_authorized.len() || trusted.len() > TRUSTED_CLIENTS {
        return Err(invalid(TRUSTED, "Give at most 100 applications, each once."));
    }
    for PreAuthorized { scopes, .. } in &app.pre_authorized {
        let own: BTreeSet<_> = scopes.iter().collect();
        if own.is_empty() || own.len() != scopes.len() || own.len() > TRUSTED_SCOPES {
            return Err(invalid(TRUSTED, "Give each application 1 to 30 permission ids, each once."));
        }
        if !own.iter().all(|id| app.scopes.iter().any(|scope| scope.id == **id)) {
            return Err(invalid(TRUSTED, "A permission id is none of this application's own scopes."));
        }
    }
    Ok(())
}

fn check_size(app: &Application) -> Result<(), ApplicationRefusal> {
    let permissions: usize = app.required_access.iter().map(|a| 1 + a.scopes.len() + a.roles.len()).sum();
    let entries = app.identifier_uris.len()
        + app.redirect_uris.len()
        + app.scopes.len()
        + app.roles.len()
        + app.secrets.len()
        + app.certificates.len()
        + app.federated_credentials.len()
        + app.token_claims.id_token.len()
        + app.token_claims.access_token.len()
        + app.tags.len()
        + app.known_clients.len()
        + app.pre_authorized.iter().map(|known| 1 + known.scopes.len()).sum::<usize>()
        + permissions;
    match entries > ENTRIES {
        true => Err(invalid("application", "The collections of one application have at most 1,200 entries.")),
        false => Ok(()),
    }
}

/// The certificates after a change: what stays is found by its id, and no two are one.
fn certificates(
    before: &[ClientCertificate],
    new: Vec<NewCertificate>,
) -> Result<Vec<ClientCertificate>, ApplicationRefusal> {
    let mut after: Vec<ClientCertificate> = Vec::new();
    for item in new {
        let certificate = match item {
            NewCertificate::Add(certificate) => certificate,
            NewCertificate::Keep(id) => match before.iter().find(|known| known.id == id) {
                Some(known) => known.clone(),
                None => {
                    return Err(invalid(
                        "keyCredentials",
                        "Give the certificate of a new credential as key.",
                    ));
                }
            },
        };
        let is_twice = |known: &ClientCertificate| {
            known.id == certificate.id || known.thumbprint_sha256 == certificate.thumbprint_sha256
        };
        if after.iter().any(is_twice) {
            return Err(invalid("keyCredentials", "A certificate stands there twice."));
        }
        after.push(certificate);
    }
    Ok(after)
}

/// When a new secret begins and ends to work, beside those that are held already.
pub fn plan_secret(
    held: &[ClientSecret],
    ask: &NewSecret,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp), ApplicationRefusal> {
    let starts_at = ask.starts_at.unwrap_or(now);
    let expires_at = ask.expires_at.unwrap_or(starts_at + SECRET_LIFE);
    if expires_at <= starts_at || expires_at <= now {
        return Err(invalid("endDateTime", "The end must lie in the future and after the start."));
    }
    if ask.display_name.as_deref().is_some_and(|name| !is_text(name, DISPLAY_NAME)) {
        return Err(invalid("displayName", "Give at most 120 characters."));
    }
    if held.len() >= ENTRIES {
        return Err(invalid("passwordCredentials", "Remove a secret first."));
    }
    Ok((starts_at, expires_at))
}

/// Whether an application may have an instance in a tenant. What may not is answered as if it did not exist (R21).
pub fn may_have_instance(
    app: Option<&Application>,
    tenant: TenantId,
) -> Result<&Application, ApplicationRefusal> {
    let usable = app.filter(|app| {
        let is_open = app.owner.is_none() || app.owner == Some(tenant) || app.audience.is_multi_tenant();
        app.deleted_at.is_none() && is_open
    });
    usable.ok_or_else(|| invalid("appId", "It does not reference a valid application object."))
}

/// An instance as a tenant changes it. What comes with the product stays on: without Graph, nobody could sign in to change
/// it back.
pub fn change_instance(
    app: &Application,
    before: &ServicePrincipal,
    change: &InstanceChange,
) -> Result<ServicePrincipal, ApplicationRefusal> {
    if app.owner.is_none() && change.is_enabled == Some(false) {
        let problem = "Applications that come with the product cannot be switched off.";
        return Err(invalid("accountEnabled", problem));
    }
    let mut after = before.clone();
    after.is_enabled = change.is_enabled.unwrap_or(after.is_enabled);
    after.is_assignment_required = change.is_assignment_required.unwrap_or(after.is_assignment_required);
    let details = &mut after.details;
    if let Some(names) = &change.alternative_names {
        details.alternative_names.clone_from(names);
    }
    for (text, changed) in [
        (&mut details.description, &change.description),
        (&mut details.login_url, &change.login_url),
        (&mut details.notes, &change.notes),
    ] {
        if let Some(changed) = changed {
            text.clone_from(changed);
        }
    }
    let details = &after.details;
    if details.alternative_names.len() > ALTERNATIVE_NAMES
        || details.alternative_names.iter().any(|name| name.is_empty() || !is_text(name, ALTERNATIVE_NAME))
    {
        return Err(invalid("alternativeNames", "Give at most 50 names of 1 to 256 characters."));
    }
    for (property, text) in [("description", &details.description), ("notes", &details.notes)] {
        if text.as_deref().is_some_and(|text| !is_prose(text, PROSE)) {
            return Err(invalid(property, "Give at most 1,024 characters."));
        }
    }
    if details.login_url.as_deref().is_some_and(|url| !is_web_address(url)) {
        let problem = "Give an absolute http or https address of at most 255 characters.";
        return Err(invalid("loginUrl", problem));
    }
    Ok(after)
}

/// Whether instances of an application may hold secrets. Of those that come with the product none may: APIs trust their
/// ids, and whoever administers applications in a tenant would act under them.
pub fn may_hold_instance_secrets(app: &Application) -> Result<(), ApplicationRefusal> {
    match app.owner.is_none() {
        true => {
            Err(invalid("passwordCredentials", "Applications that come with the product hold no secrets."))
        }
        false => Ok(()),
    }
}

/// Whether the caller may give or take roles of a resource; asked before either end is looked for (R23). The caller
/// needs the right to give roles and the right to see both ends (R36).
pub fn may_assign(
    viewer: &Viewer,
    resource: Option<AppId>,
    principal: PrincipalKind,
) -> Verdict<(), ApplicationRefusal> {
    let mut trace = Trace::new();
    let (held, roles) = match &viewer.actor {
        Actor::Application { roles, .. } => (roles, None),
        Actor::Operator => {
            trace.passed(Side::ResourceTenant, "operator", "");
            return trace.grant(());
        }
        Actor::User { scopes, directory_roles, .. } => (scopes, Some(directory_roles)),
    };
    if !held.iter().any(|held| held == "AppRoleAssignment.ReadWrite.All") {
        let refusal = Refused::ScopeMissing.into();
        return trace.refuse(refusal, Side::Client, "permission", "needs AppRoleAssignment.ReadWrite.All");
    }
    trace.passed(Side::Client, "permission", "AppRoleAssignment.ReadWrite.All");
    // Roles on Graph rule the directory, so whoever gives them could make an administrator of itself.
    let is_powerful = resource == Some(GRAPH_APP_ID);
    let may_give = |held: &crate::id::RoleTemplateId| {
        let is_administrator =
            [role::GLOBAL_ADMINISTRATOR.id, role::PRIVILEGED_ROLE_ADMINISTRATOR.id].contains(held);
        is_administrator || (!is_powerful && role::can_manage_applications(*held))
    };
    if roles.is_some_and(|roles| !roles.iter().any(may_give)) {
        return trace.refuse(Refused::RoleMissing.into(), Side::ResourceTenant, "directory-role", "");
    }
    trace.passed(Side::ResourceTenant, "directory-role", "");
    let ends: &[(Operation, &'static str)] = match principal {
        PrincipalKind::Application => &[(Operation::ReadServicePrincipals, "both-ends")],
        PrincipalKind::Group => {
            &[(Operation::ReadServicePrincipals, "both-ends"), (Operation::ListGroups, "both-ends")]
        }
        PrincipalKind::User => {
            &[(Operation::ReadServicePrincipals, "both-ends"), (Operation::ListUsers, "both-ends")]
        }
    };
    for (operation, rule) in ends {
        if let Verdict::Refused(refused, _) = permission::decide(viewer, operation, &[]) {
            return trace.refuse(refused.into(), Side::ResourceTenant, rule, "");
        }
    }
    trace.grant(())
}

/// Who can hold an app role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    Application,
    /// Its direct members hold the role, too (facts: limits §2).
    Group,
    User,
}

impl PrincipalKind {
    /// Graph's `principalType`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "ServicePrincipal",
            Self::Group => "Group",
            Self::User => "User",
        }
    }
}

/// Whether a resource offers the role to that kind of principal.
pub fn check_role(
    resource: &Application,
    role: PartId,
    principal: PrincipalKind,
) -> Result<(), ApplicationRefusal> {
    let is_for = |role: &AppRole| match principal {
        PrincipalKind::Application => role.for_applications,
        PrincipalKind::Group | PrincipalKind::User => role.for_users,
    };
    let mut offered = resource.roles.iter().filter(|role| role.is_enabled && is_for(role));
    let is_offered = match role == DEFAULT_ACCESS {
        true => offered.next().is_none(),
        false => offered.any(|offered| offered.id == role),
    };
    match is_offered {
        true => Ok(()),
        false => Err(invalid("appRoleId", "Permission being assigned was not found on the application.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::application::{ClientSecret, Details};
    use crate::directory::user::UserType;
    use crate::id::{RoleTemplateId, ServicePrincipalId, UserId};
    use crate::tenancy::tenant::{TenantDomain, TenantSettings, TenantState};

    const APP: AppId = AppId::new(Uuid::from_u128(0x0a));
    const TENANT: TenantId = TenantId::new(Uuid::from_u128(0x0b));
    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000_000);

    fn tenant() -> Tenant {
        let domain = |name: &str, is_verified| TenantDomain {
            name: DomainName::parse(name).unwrap(),
            is_default: is_verified,
            is_initial: is_verified,
            is_verified,
        };
        Tenant {
            id: TENANT,
            display_name: "Contoso".into(),
            state: TenantState::Active,
            created_at: NOW,
            region_scope: "EU".into(),
            region_sub_scope: None,
            settings: TenantSettings::for_region("EU"),
            domains: vec![domain("contoso.test", true), domain("unproved.test", false)],
        }
    }

    fn named(changes: &[Change]) -> Result<Application, ApplicationRefusal> {
        let mut all = vec![Change::DisplayName("App".into())];
        all.extend_from_slice(changes);
        create(&all, (ApplicationId::new(Uuid::from_u128(1)), APP), &tenant(), NOW)
    }

    /// The property that is wrong; `ok` if none is.
    fn wrong<T>(outcome: Result<T, ApplicationRefusal>) -> &'static str {
        match outcome {
            Ok(_) => "ok",
            Err(ApplicationRefusal::Invalid { property, .. }) => property,
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    fn scope(id: u128, value: &str) -> Scope {
        Scope {
            id: PartId::new(Uuid::from_u128(id)),
            value: value.into(),
            title: "Title".into(),
            description: "Words.".into(),
            is_admin_only: false,
            is_enabled: true,
        }
    }
    #[test]
    fn an_api_names_its_clients_once_and_trusts_them_with_its_own_scopes() {
        let client = |id: u128| AppId::new(Uuid::from_u128(id));
        let trust = |client, ids: &[u128]| PreAuthorized {
            client,
            scopes: ids.iter().map(|id| PartId::new(Uuid::from_u128(*id))).collect(),
        };
        let with = |trusted: Vec<PreAuthorized>| {
            let scopes = vec![scope(1, "read"), scope(2, "write")];
            wrong(named(&[Change::Scopes(scopes), Change::PreAuthorized(trusted)]))
        };
        const TRUSTED: &str = "api/preAuthorizedApplications";
        assert_eq!(with(vec![trust(client(7), &[1, 2]), trust(client(8), &[1])]), "ok");
        assert_eq!(with(vec![trust(client(7), &[3])]), TRUSTED);
        assert_eq!(with(vec![trust(client(7), &[])]), TRUSTED);
        assert_eq!(with(vec![trust(client(7), &[1, 1])]), TRUSTED);
        assert_eq!(with(vec![trust(client(7), &[1]), trust(client(7), &[2])]), TRUSTED);
        assert_eq!(with((0..101).map(|id| trust(client(id), &[1])).collect()), TRUSTED);
        let trusting = |count: u128| {
            let ids: Vec<u128> = (1..=count).collect();
            let scopes = ids.iter().map(|id| scope(*id, &format!("scope{id}"))).collect();
            wrong(named(&[Change::Scopes(scopes), Change::PreAuthorized(vec![trust(client(7), &ids)])]))
        };
        assert_eq!((trusting(30), trusting(31)), ("ok", TRUSTED));
        let known =
            |ids: Vec<u128>| wrong(named(&[Change::KnownClients(ids.into_iter().map(client).collect())]));
        assert_eq!(known((0..100).collect()), "ok");
        assert_eq!(known((0..101).collect()), "api/knownClientApplications");
        assert_eq!(known(vec![7, 7]), "api/knownClientApplications");
    }

    fn app_role(id: u128, value: &str) -> AppRole {
        AppRole {
            id: PartId::new(Uuid::from_u128(id)),
            value: value.into(),
            display_name: "Title".into(),
            description: "Words.".into(),
            for_applications: true,
            for_users: false,
            is_enabled: true,
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = |length| "x".repeat(length);
        let uris = |count: usize| (0..count).map(|at| format!("https://a.test/{at}")).collect::<Vec<_>>();
        let web = |uri: &str| Change::RedirectUris(Platform::Web, vec![uri.into()]);
        let native = |uri: &str| Change::RedirectUris(Platform::Native, vec![uri.into()]);
        let access = |resources: u128, each: u128| {
            let parts = |_| (0..each).map(|at| PartId::new(Uuid::from_u128(at))).collect::<Vec<_>>();
            let one = |id| RequiredAccess {
                resource: AppId::new(Uuid::from_u128(id)),
                scopes: parts(id),
                roles: Vec::new(),
            };
            Change::RequiredAccess((0..resources).map(one).collect())
        };
        let cases = [
            (Change::DisplayName(text(120)), "ok"),
            (Change::DisplayName(text(121)), "displayName"),
            (Change::DisplayName(" ".into()), "displayName"),
            (Change::DisplayName("a\u{7}b".into()), "displayName"),
            (Change::Audience(SignInAudience::AnyTenant), "ok"),
            (Change::Audience(SignInAudience::Personal), "signInAudience"),
            (Change::Notes(Some("two\nlines".into())), "ok"),
            (Change::Notes(Some(text(1025))), "notes"),
            (Change::HomePageUrl(Some("http://a.test".into())), "ok"),
            (Change::HomePageUrl(Some("javascript:alert(1)".into())), "web/homePageUrl"),
            (
                Change::Information(Information {
                    support_url: Some("https://a.test/help".into()),
                    ..Information::default()
                }),
                "ok",
            ),
            (
                Change::Information(Information {
                    terms_url: Some("javascript:alert(1)".into()),
                    ..Information::default()
                }),
                "info/termsOfServiceUrl",
            ),
            (Change::ServiceReference(Some("CMDB-1".into())), "ok"),
            (Change::ServiceReference(Some("two\nlines".into())), "serviceManagementReference"),
            (Change::LogoutUrl(Some("https://a.test/out".into())), "ok"),
            (Change::LogoutUrl(Some("http://a.test/out".into())), "web/logoutUrl"),
            (Change::Tags(vec![text(256)]), "ok"),
            (Change::Tags(vec![String::new()]), "tags"),
            (web("http://localhost:5000/callback"), "ok"),
            (web("http://a.test/"), "web/redirectUris"),
            (web("https://*.a.test/"), "web/redirectUris"),
            (web("msauth.app://auth"), "web/redirectUris"),
            (native("msauth.app://auth"), "ok"),
            (Change::RedirectUris(Platform::Spa, uris(256)), "ok"),
            (Change::RedirectUris(Platform::Spa, uris(257)), "web/redirectUris"),
            (Change::RedirectUris(Platform::Spa, vec!["https://a.test/".into(); 2]), "spa/redirectUris"),
            (access(50, 8), "ok"),
            (access(51, 1), "requiredResourceAccess"),
            (access(1, 401), "requiredResourceAccess"),
            (Change::Scopes(vec![scope(1, "read"), scope(2, "write")]), "ok"),
            (Change::Scopes(vec![scope(1, "read"), scope(1, "write")]), "api/oauth2PermissionScopes"),
            (Change::Scopes(vec![scope(1, "read"), scope(2, "read")]), "api/oauth2PermissionScopes"),
            (Change::Scopes(vec![scope(0, "read")]), "api/oauth2PermissionScopes"),
            (Change::Scopes(vec![scope(1, "read write")]), "api/oauth2PermissionScopes"),
            (Change::Scopes(vec![scope(1, &text(121))]), "api/oauth2PermissionScopes"),
            (
                Change::Scopes(vec![Scope { title: String::new(), ..scope(1, "a") }]),
                "api/oauth2PermissionScopes",
            ),
            (Change::Roles(vec![app_role(1, "Tasks.Read.All")]), "ok"),
            (Change::Roles(vec![app_role(1, "")]), "appRoles"),
            (Change::Roles(vec![AppRole { for_applications: false, ..app_role(1, "a") }]), "appRoles"),
        ];
        for (change, expected) in cases {
            assert_eq!(wrong(named(std::slice::from_ref(&change))), expected, "{change:?}");
        }
        assert_eq!(wrong(create(&[], (ApplicationId::new(Uuid::nil()), APP), &tenant(), NOW)), "displayName");
    }

    #[test]
    fn one_address_is_on_one_platform() {
        let on = |platform| Change::RedirectUris(platform, vec!["https://a.test/".into()]);
        assert_eq!(wrong(named(&[on(Platform::Web), on(Platform::Spa)])), "spa/redirectUris");
    }

    #[test]
    fn an_identifier_is_one_that_nobody_else_can_claim() {
        for (uri, is_own) in [
            (format!("api://{APP}"), true),
            (format!("api://{APP}/tasks"), true),
            (format!("api://{TENANT}/tasks"), true),
            (format!("api://{TENANT}"), false),
            (format!("https://{APP}"), false),
            (format!("api://{}", Uuid::from_u128(9)), false),
            ("https://contoso.test/tasks".into(), true),
            ("https://tasks.contoso.test".into(), true),
            ("api://contoso.test/tasks".into(), true),
            ("https://contoso.test/".into(), false),
            ("https://contoso.test/a/../b".into(), false),
            ("https://contoso.test:8443/tasks".into(), false),
            ("https://contoso.test@evil.test".into(), false),
            ("https://evil.test@contoso.test".into(), false),
            ("https://notcontoso.test".into(), false),
            ("https://contoso.test.evil.test".into(), false),
            ("https://unproved.test/tasks".into(), false),
            ("https://graph.microsoft.com".into(), false),
            ("http://contoso.test/tasks".into(), false),
            ("urn:contoso.test".into(), false),
            ("https://test".into(), false),
            (format!("https://contoso.test/{}", "x".repeat(240)), false),
        ] {
            let outcome = wrong(named(&[Change::IdentifierUris(vec![uri.clone()])]));
            assert_eq!(outcome == "ok", is_own, "{uri}");
        }
    }

    #[test]
    fn an_identifier_stays_when_its_domain_goes() {
        let mut before = named(&[]).unwrap();
        before.identifier_uris = vec!["https://unproved.test/tasks".into()];
        assert!(apply(&before, &[Change::DisplayName("Other".into())], &tenant()).is_ok());
    }

    #[test]
    fn an_enabled_permission_is_not_taken_away() {
        let enabled =
            named(&[Change::Scopes(vec![scope(1, "a")]), Change::Roles(vec![app_role(2, "b")])]).unwrap();
        assert_eq!(
            wrong(apply(&enabled, &[Change::Scopes(vec![])], &tenant())),
            "api/oauth2PermissionScopes"
        );
        assert_eq!(wrong(apply(&enabled, &[Change::Roles(vec![])], &tenant())), "appRoles");
        let off = Change::Scopes(vec![Scope { is_enabled: false, ..scope(1, "a") }]);
        let disabled = apply(&enabled, &[off], &tenant()).unwrap();
        assert_eq!(wrong(apply(&disabled, &[Change::Scopes(vec![])], &tenant())), "ok");
    }

    #[test]
    fn an_update_replaces_one_platform_only() {
        let on = |platform, uri: &str| Change::RedirectUris(platform, vec![uri.into()]);
        let before =
            named(&[on(Platform::Web, "https://a.test/w"), on(Platform::Spa, "https://a.test/s")]).unwrap();
        let after = apply(&before, &[on(Platform::Web, "https://a.test/v")], &tenant()).unwrap();
        let uris: Vec<_> = after.redirect_uris.iter().map(|known| known.uri.as_str()).collect();
        assert_eq!(uris, ["https://a.test/s", "https://a.test/v"]);
    }

    #[test]
    fn a_secret_ends_after_it_begins_and_in_the_future() {
        let mut app = named(&[]).unwrap();
        let secret = |starts_at, expires_at| NewSecret { display_name: None, starts_at, expires_at };
        let (hour, ago) = (Span::hours(1), NOW - Span::hours(2));
        assert_eq!(plan_secret(&app.secrets, &NewSecret::default(), NOW), Ok((NOW, NOW + Span::days(730))));
        for (ask, expected) in [
            (secret(None, Some(NOW + hour)), "ok"),
            (secret(Some(ago), None), "ok"),
            (secret(None, Some(NOW)), "endDateTime"),
            (secret(Some(NOW + hour), Some(NOW + hour)), "endDateTime"),
            (secret(Some(ago), Some(NOW - hour)), "endDateTime"),
            (NewSecret { display_name: Some("x".repeat(121)), ..NewSecret::default() }, "displayName"),
        ] {
            assert_eq!(wrong(plan_secret(&app.secrets, &ask, NOW)), expected, "{ask:?}");
        }
        let secret = ClientSecret {
            id: PartId::new(Uuid::from_u128(1)),
            display_name: None,
            hint: "hp~".into(),
            hash: [0; 32],
            starts_at: NOW,
            expires_at: NOW + hour,
        };
        app.secrets = vec![secret; ENTRIES];
        assert_eq!(wrong(plan_secret(&app.secrets, &NewSecret::default(), NOW)), "passwordCredentials");
    }

    #[test]
    fn r21_an_application_that_may_not_come_here_looks_like_none() {
        let own = named(&[]).unwrap();
        let open = Application { audience: SignInAudience::AnyTenant, ..own.clone() };
        let other = TenantId::new(Uuid::from_u128(0x0c));
        assert!(may_have_instance(Some(&own), TENANT).is_ok());
        assert!(may_have_instance(Some(&open), other).is_ok());
        let deleted = Application { deleted_at: Some(NOW), ..open };
        let refused = may_have_instance(None, other);
        assert!(refused.is_err());
        assert_eq!(may_have_instance(Some(&own), other), refused);
        assert_eq!(may_have_instance(Some(&deleted), other), refused);
    }

    fn daemon(permissions: &[&str]) -> Viewer {
        let roles = permissions.iter().map(|permission| (*permission).to_owned()).collect();
        let service_principal = ServicePrincipalId::new(Uuid::from_u128(5));
        Viewer { tenant: TENANT, actor: Actor::Application { app_id: APP, service_principal, roles } }
    }
    fn person(role: Option<RoleTemplateId>, permissions: &[&str]) -> Viewer {
        let actor = Actor::User {
            user: UserId::new(Uuid::from_u128(6)),
            user_type: UserType::Member,
            is_external: false,
            directory_roles: role.into_iter().collect(),
            without_role: crate::tenancy::tenant::WithoutRole::default(),
            app_id: APP,
            scopes: permissions.iter().map(|permission| (*permission).to_owned()).collect(),
        };
        Viewer { tenant: TENANT, actor }
    }

    #[test]
    fn what_a_tenant_writes_about_an_instance_has_limits_and_an_end() {
        let app = named(&[]).unwrap();
        let before = ServicePrincipal {
            id: ServicePrincipalId::new(Uuid::from_u128(7)),
            app_id: app.app_id,
            is_enabled: true,
            is_assignment_required: false,
            details: Details::default(),
            secrets: Vec::new(),
            created_at: NOW,
            deleted_at: None,
        };
        let text = |text: &str| Some(Some(text.to_owned()));
        let change = InstanceChange {
            alternative_names: Some(vec!["a".to_owned()]),
            description: text("d"),
            login_url: text("https://a.test/"),
            notes: text("n\nm"),
            ..InstanceChange::default()
        };
        let after = change_instance(&app, &before, &change).unwrap();
        assert_eq!(after.details.notes.as_deref(), Some("n\nm"));
        // What is left out stays; a null takes away.
        let bare = InstanceChange { notes: Some(None), ..InstanceChange::default() };
        let without = change_instance(&app, &after, &bare).unwrap();
        assert_eq!(without.details, Details { notes: None, ..after.details });
        let long = "x".repeat(1_025);
        let names = |names: Vec<String>| InstanceChange {
            alternative_names: Some(names),
            ..InstanceChange::default()
        };
        for (bad, property) in [
            (InstanceChange { notes: text(&long), ..InstanceChange::default() }, "notes"),
            (InstanceChange { description: text(&long), ..InstanceChange::default() }, "description"),
            (
                InstanceChange { login_url: text("javascript:alert(1)"), ..InstanceChange::default() },
                "loginUrl",
            ),
            (names(vec![String::new()]), "alternativeNames"),
            (names(vec!["x".repeat(257)]), "alternativeNames"),
            (names(vec!["x".to_owned(); 51]), "alternativeNames"),
        ] {
            let refused = change_instance(&app, &before, &bad);
            assert!(
                matches!(refused, Err(ApplicationRefusal::Invalid { property: found, .. }) if found == property)
            );
        }
        let built_in = Application { owner: None, ..app };
        let off = InstanceChange { is_enabled: Some(false), ..InstanceChange::default() };
        assert!(change_instance(&built_in, &before, &off).is_err());
    }

    #[test]
    fn r36_giving_a_role_needs_rights_over_both_ends() {
        const GIVE: &str = "AppRoleAssignment.ReadWrite.All";
        const BOTH: &[&str] = &[GIVE, "Application.Read.All"];
        const ALL: &[&str] = &[GIVE, "Directory.Read.All"];
        let (apps, global) = (role::APPLICATION_ADMINISTRATOR.id, role::GLOBAL_ADMINISTRATOR.id);
        let (to_app, to_user) = (PrincipalKind::Application, PrincipalKind::User);
        for (viewer, resource, principal, expected) in [
            (daemon(BOTH), GRAPH_APP_ID, to_app, "permission directory-role"),
            (daemon(&[GIVE]), GRAPH_APP_ID, to_app, "permission directory-role !both-ends"),
            (daemon(&["Application.ReadWrite.All"]), GRAPH_APP_ID, to_app, "!permission"),
            (daemon(BOTH), APP, to_user, "permission directory-role !both-ends"),
            (daemon(ALL), APP, to_user, "permission directory-role"),
            (person(None, ALL), APP, to_app, "permission !directory-role"),
            (person(Some(apps), ALL), APP, to_app, "permission directory-role"),
            // An application administrator could otherwise give an application of its own the whole directory.
            (person(Some(apps), ALL), GRAPH_APP_ID, to_app, "permission !directory-role"),
            (person(Some(global), ALL), GRAPH_APP_ID, to_app, "permission directory-role"),
            (person(Some(global), &["Directory.ReadWrite.All"]), GRAPH_APP_ID, to_app, "!permission"),
        ] {
            let verdict = may_assign(&viewer, Some(resource), principal);
            assert_eq!(verdict.trace().summary(), expected, "{viewer:?}");
        }
    }

    #[test]
    fn a_role_is_given_to_whom_it_is_offered() {
        let id = |id| PartId::new(Uuid::from_u128(id));
        let resource = named(&[Change::Roles(vec![
            app_role(1, "a"),
            AppRole { is_enabled: false, ..app_role(2, "b") },
        ])]);
        let resource = resource.unwrap();
        for (role, principal, is_offered) in [
            (id(1), PrincipalKind::Application, true),
            (id(1), PrincipalKind::User, false),
            (id(1), PrincipalKind::Group, false),
            (id(2), PrincipalKind::Application, false),
            (id(3), PrincipalKind::Application, false),
            // Access without a role, where there is no role to choose.
            (DEFAULT_ACCESS, PrincipalKind::User, true),
            (DEFAULT_ACCESS, PrincipalKind::Group, true),
            (DEFAULT_ACCESS, PrincipalKind::Application, false),
        ] {
            assert_eq!(check_role(&resource, role, principal).is_ok(), is_offered, "{role} {principal:?}");
        }
    }
}
