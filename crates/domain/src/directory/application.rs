//! Applications (registrations, in their own tenant) and service principals (their instances in a tenant).

use crate::directory::federated_credential::FederatedCredential;
use crate::directory::token_claims::TokenClaims;
use crate::id::{AppId, ApplicationId, PartId, ServicePrincipalId, TenantId};
use crate::time::{Span, Timestamp};
use standards::jose::{Algorithm, KeyKind};
use std::sync::Arc;

/// A registration (Graph: application).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    pub id: ApplicationId,
    pub app_id: AppId,
    /// The tenant that registered it; `None` for the applications that come with the product.
    pub owner: Option<TenantId>,
    pub display_name: String,
    pub audience: SignInAudience,
    pub identifier_uris: Vec<String>,
    pub redirect_uris: Vec<RedirectUri>,
    pub logout_url: Option<String>,
    pub home_page_url: Option<String>,
    /// `isFallbackPublicClient`: treat the app as public where the redirect URI does not say.
    pub is_fallback_public: bool,
    pub front_channel: FrontChannel,
    /// What tokens for it, or about its users, say besides.
    pub token_claims: TokenClaims,
    pub secrets: Vec<ClientSecret>,
    pub certificates: Vec<ClientCertificate>,
    pub federated_credentials: Vec<FederatedCredential>,
    pub scopes: Vec<Scope>,
    pub roles: Vec<AppRole>,
    pub required_access: Vec<RequiredAccess>,
    /// Clients whose consent page asks for this API's own needs, too (`api.knownClientApplications`).
    pub known_clients: Vec<AppId>,
    /// Clients that need nobody's agreement to some of its scopes (`api.preAuthorizedApplications`).
    pub pre_authorized: Vec<PreAuthorized>,
    /// `api.requestedAccessTokenVersion`.
    pub token_version: TokenVersion,
    /// The signature of access tokens for this resource. RS256 unless its owner chose ES256.
    pub token_algorithm: Algorithm,
    pub tags: Vec<String>,
    pub notes: Option<String>,
    pub description: Option<String>,
    pub info: Information,
    /// `serviceManagementReference`: where the organisation keeps track of the application.
    pub service_reference: Option<String>,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// Pages about an application (Graph: informationalUrl).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Information {
    pub marketing_url: Option<String>,
    pub privacy_url: Option<String>,
    pub support_url: Option<String>,
    pub terms_url: Option<String>,
}

/// An instance of an application in a tenant (Graph: servicePrincipal).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePrincipal {
    pub id: ServicePrincipalId,
    pub app_id: AppId,
    pub is_enabled: bool,
    pub is_assignment_required: bool,
    pub details: Details,
    /// They prove the application in this tenant only; those of the registration do everywhere.
    pub secrets: Vec<ClientSecret>,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// What a tenant writes about an instance of its own; no decision looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    pub alternative_names: Vec<String>,
    /// What My Apps shows instead of the registration's.
    pub description: Option<String>,
    /// Where My Apps leads instead of the registration's home page.
    pub login_url: Option<String>,
    pub notes: Option<String>,
}

/// What issuance knows of an application in a tenant. Kept in the cache, valid for one configuration revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub registration: Application,
    pub instance: Option<ServicePrincipal>,
    /// Application permissions granted to the instance: resource's service principal and role value.
    pub granted_roles: Vec<GrantedRole>,
    pub lifetimes: Lifetimes,
}

/// Token lifetimes that policies set for an application in a tenant: its instance's own, the tenant's for all of them, and
/// the registration's, from wherever it lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetimes {
    pub instance: Option<Span>,
    pub organization: Option<Span>,
    pub application: Option<Span>,
}

/// An app role that was assigned to an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedRole {
    pub resource: ServicePrincipalId,
    pub role: PartId,
}

/// Shared read-only view.
pub type SharedApp = Arc<App>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInAudience {
    AnyTenant,
    AnyTenantAndPersonal,
    OwnTenant,
    Personal,
}

impl SignInAudience {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnyTenant => "AzureADMultipleOrgs",
            Self::AnyTenantAndPersonal => "AzureADandPersonalMicrosoftAccount",
            Self::OwnTenant => "AzureADMyOrg",
            Self::Personal => "PersonalMicrosoftAccount",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::AnyTenant, Self::AnyTenantAndPersonal, Self::OwnTenant, Self::Personal]
            .into_iter()
            .find(|audience| audience.as_str() == text)
    }
    pub const fn is_multi_tenant(self) -> bool {
        matches!(self, Self::AnyTenant | Self::AnyTenantAndPersonal)
    }
}

/// A registered reply address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    pub uri: String,
    pub platform: Platform,
}

/// Tokens that the authorization endpoint itself may hand out (Graph: implicitGrantSettings).
// DEFAULT: none. What passes through an address bar stays in histories and logs (RFC 9700 §2.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrontChannel {
    pub has_access_tokens: bool,
    pub has_id_tokens: bool,
}

/// What kind of client answers at a reply address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Native,
    Spa,
    Web,
}

/// A client secret; only its hash is kept. Secrets are minted here with 256 bits, so a plain hash suffices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSecret {
    pub id: PartId,
    pub display_name: Option<String>,
    /// The first three characters, shown to tell secrets apart (Graph: passwordCredential.hint).
    pub hint: String,
    pub hash: [u8; 32],
    pub starts_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A certificate that a client's assertions are verified with (Graph: keyCredential). It holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub id: PartId,
    pub display_name: Option<String>,
    pub key_kind: KeyKind,
    /// `SubjectPublicKeyInfo` of the certificate, DER (RFC 5280 §4.1.2.7).
    pub public_key: Vec<u8>,
    pub thumbprint_sha1: [u8; 20],
    pub thumbprint_sha256: [u8; 32],
    pub starts_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A delegated permission that the application offers (Graph: permissionScope).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub id: PartId,
    pub value: String,
    pub title: String,
    pub description: String,
    pub is_admin_only: bool,
    pub is_enabled: bool,
}

/// An application permission or user role that the application offers (Graph: appRole).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRole {
    pub id: PartId,
    pub value: String,
    pub display_name: String,
    pub description: String,
    pub for_applications: bool,
    pub for_users: bool,
    pub is_enabled: bool,
}

/// Permissions that the application says it needs (Graph: requiredResourceAccess).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredAccess {
    pub resource: AppId,
    pub scopes: Vec<PartId>,
    pub roles: Vec<PartId>,
}

/// A client that the owner of an API trusts with some of its scopes (Graph: preAuthorizedApplication).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreAuthorized {
    pub client: AppId,
    pub scopes: Vec<PartId>,
}

/// Format of access tokens: the resource's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenVersion {
    V1,
    V2,
}

impl Application {
    /// The scopes that a client may have without anybody's agreement: its owner's word, for its own scopes only.
    pub fn pre_authorized_scopes(&self, client: AppId) -> impl Iterator<Item = &str> {
        let is_given = move |id: PartId| {
            self.pre_authorized.iter().any(|known| known.client == client && known.scopes.contains(&id))
        };
        let given = self.scopes.iter().filter(move |scope| scope.is_enabled && is_given(scope.id));
        given.map(|scope| scope.value.as_str())
    }

    /// A public client may not hold a secret; SPA and native redirects are public, web ones are confidential.
    pub fn platform_of(&self, presented: &str) -> Option<Platform> {
        use standards::oauth::redirect;
        self.redirect_uris
            .iter()
            .find(|uri| redirect::matches(&uri.uri, presented, uri.platform == Platform::Native))
            .map(|uri| uri.platform)
    }

    /// What the client counts as where no redirect address says it: a device, or a program that asks for the password.
    pub fn platform_without_browser(&self) -> Platform {
        let is_native = |uri: &RedirectUri| uri.platform == Platform::Native;
        let is_only_native = !self.redirect_uris.is_empty() && self.redirect_uris.iter().all(is_native);
        if self.is_fallback_public || is_only_native { Platform::Native } else { Platform::Web }
    }
}

impl App {
    /// Values of the app roles that this application holds on `resource`, in the resource's own order.
    pub fn role_values<'a>(&'a self, resource: &'a App) -> impl Iterator<Item = &'a str> {
        let resource_instance = resource.instance.as_ref().map(|instance| instance.id);
        resource.registration.roles.iter().filter_map(move |role| {
            let is_granted = self
                .granted_roles
                .iter()
                .any(|granted| Some(granted.resource) == resource_instance && granted.role == role.id);
            (role.is_enabled && is_granted).then_some(role.value.as_str())
        })
    }
}
