//! A tenant and its settings.

use crate::id::TenantId;
use crate::issuance::consent_request;
use crate::tenancy::domain_name::DomainName;
use crate::tenancy::limits::Limits;
use crate::time::Timestamp;

/// An organisation's directory (Graph: organization).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub display_name: String,
    pub state: TenantState,
    pub created_at: Timestamp,
    /// `tenant_region_scope` of discovery: `NA`, `EU`, `WW`, ..., `USGOV` (takes part in B2B) or `USG` (does not).
    pub region_scope: String,
    /// `tenant_region_sub_scope` of discovery: absent, `GCC`, `DODCON` or `DOD`.
    pub region_sub_scope: Option<String>,
    pub settings: TenantSettings,
    /// Verified names, the initial one included.
    pub domains: Vec<TenantDomain>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantState {
    Active,
    /// Closed for good: as if there were none. It is emptied by and by.
    Deleted,
    Suspended,
}

/// A name of the tenant (Graph: domain).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantDomain {
    pub name: DomainName,
    pub is_default: bool,
    pub is_initial: bool,
    pub is_verified: bool,
}

/// What a tenant's administrators may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSettings {
    pub allow_invites_from: AllowInvitesFrom,
    /// `#rrggbb` (Graph: organizationalBranding.backgroundColor).
    pub accent_color: Option<String>,
    pub logo: Option<Logo>,
    pub privacy_statement_url: Option<String>,
    /// Whom to ask about privacy (Graph: privacyProfile.contactEmail).
    pub privacy_contact: Option<String>,
    pub preferred_language: Option<String>,
    pub country: Option<String>,
    pub technical_notification_mails: Vec<String>,
    pub marketing_notification_mails: Vec<String>,
    pub security_notification_mails: Vec<String>,
    pub security_notification_phones: Vec<String>,
    /// Places outside the tenant's applications where an invitation may lead (R06).
    pub invite_redirect_urls: Vec<String>,
    /// Whether people may ask for what they may not agree to.
    pub consent_requests: consent_request::Policy,
    /// Graph: authorizationPolicy.defaultUserRolePermissions.permissionGrantPoliciesAssigned.
    pub user_consent: UserConsent,
    pub without_role: WithoutRole,
    /// Graph: authorizationPolicy.defaultUserRolePermissions.allowedToCreateTenants.
    pub can_users_create_tenants: bool,
    /// Shown below the sign-in form (Graph: organizationalBranding.signInPageText).
    pub sign_in_text: Option<String>,
    /// The tenant's own word on the device-code grant; without one the deployment's counts.
    pub allows_device_code: Option<bool>,
    pub allows_device_code_for_guests: bool,
    /// The tenant's own word on the password grant; without one the deployment's counts.
    pub allows_password_grant: Option<bool>,
    /// What the operator set for this tenant alone.
    pub limits: Limits,
}

/// What people may do and see who hold no directory role (Graph: authorizationPolicy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithoutRole {
    pub guest_level: GuestLevel,
    /// Graph: defaultUserRolePermissions.allowedToCreateSecurityGroups. Of members; guests make none.
    pub can_create_groups: bool,
    /// Graph: defaultUserRolePermissions.allowedToCreateApps. Of members; guests register none.
    pub can_register_applications: bool,
}

impl Default for WithoutRole {
    fn default() -> Self {
        Self { guest_level: GuestLevel::Limited, can_create_groups: true, can_register_applications: true }
    }
}

/// How much of the directory guests see (Graph: authorizationPolicy.guestUserRoleId; facts: b2b §6; R23).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestLevel {
    /// Little of those whose id they know, and of the groups they are in.
    Limited,
    /// What members see.
    Member,
    /// Themselves, and the ids of the groups they are in.
    Restricted,
}

impl GuestLevel {
    const IDS: [(Self, &'static str); 3] = [
        (Self::Limited, "10dae51f-b6af-4016-8d66-8c2a99b929b3"),
        (Self::Member, "a0b1b346-4d3e-4e8b-98f8-753987be4970"),
        (Self::Restricted, "2af84b1e-32c8-42b7-82bc-daa82404023b"),
    ];

    /// The id that Graph gives the level.
    pub fn id(self) -> &'static str {
        Self::IDS.iter().find(|(level, _)| *level == self).map(|(_, id)| *id).unwrap_or_default()
    }
    pub fn parse(id: &str) -> Option<Self> {
        Self::IDS.iter().find(|(_, known)| known.eq_ignore_ascii_case(id)).map(|(level, _)| *level)
    }
}

/// Grants that somebody must have wanted: off unless the deployment or the tenant switches them on (R33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionalGrants {
    pub device_code: bool,
    /// Programs that ask for the password themselves: no home, no second factor, and people learn to give it away.
    pub password: bool,
}

/// A small picture shown on the tenant's pages (Graph: organizationalBranding.bannerLogo).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    pub kind: LogoType,
    pub bytes: Vec<u8>,
}

/// Pictures that run nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoType {
    Jpeg,
    Png,
}

impl LogoType {
    /// Its media type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who may invite guests (Graph: authorizationPolicy.allowInvitesFrom).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowInvitesFrom {
    None,
    AdminsAndGuestInviters,
    AdminsGuestInvitersAndAllMembers,
    Everyone,
}

impl AllowInvitesFrom {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AdminsAndGuestInviters => "adminsAndGuestInviters",
            Self::AdminsGuestInvitersAndAllMembers => "adminsGuestInvitersAndAllMembers",
            Self::Everyone => "everyone",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::AdminsAndGuestInviters, Self::AdminsGuestInvitersAndAllMembers, Self::Everyone]
            .into_iter()
            .find(|level| level.as_str() == text)
    }
}

/// What users may agree to for themselves; the rest takes an administrator (Graph: permissionGrantPolicy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserConsent {
    /// Every permission that is not kept for administrators.
    Everything,
    /// What little a sign-in needs, of applications whose publisher is known.
    LowImpact,
    Nothing,
}

impl UserConsent {
    const POLICIES: [(Self, &'static str); 2] = [
        (Self::Everything, "ManagePermissionGrantsForSelf.microsoft-user-default-legacy"),
        (Self::LowImpact, "ManagePermissionGrantsForSelf.microsoft-user-default-low"),
    ];

    /// The policy's name on Graph; there is none where users agree to nothing.
    pub fn policy(self) -> Option<&'static str> {
        Self::POLICIES.iter().find(|(consent, _)| *consent == self).map(|(_, name)| *name)
    }
    /// Reads the policies that are assigned: one of those known here, or none.
    pub fn parse(policies: &[String]) -> Option<Self> {
        match policies {
            [] => Some(Self::Nothing),
            [policy] => Self::POLICIES.iter().find(|(_, name)| name == policy).map(|(consent, _)| *consent),
            [_, _, ..] => None,
        }
    }
}

impl TenantSettings {
    /// Settings of a new tenant. Nobody may invite in a US Government tenant until an administrator says so.
    pub fn for_region(region_scope: &str) -> Self {
        let is_government = matches!(region_scope, "USGOV" | "USG");
        Self {
            allow_invites_from: if is_government {
                AllowInvitesFrom::None
            } else {
                AllowInvitesFrom::Everyone
            },
            accent_color: None,
            logo: None,
            privacy_statement_url: None,
            privacy_contact: None,
            preferred_language: None,
            country: None,
            technical_notification_mails: Vec::new(),
            marketing_notification_mails: Vec::new(),
            security_notification_mails: Vec::new(),
            security_notification_phones: Vec::new(),
            invite_redirect_urls: Vec::new(),
            consent_requests: consent_request::Policy::default(),
            user_consent: UserConsent::Everything,
            without_role: WithoutRole::default(),
            can_users_create_tenants: true,
            sign_in_text: None,
            allows_device_code: None,
            allows_device_code_for_guests: false,
            allows_password_grant: None,
            limits: Limits::default(),
        }
    }
}

impl Tenant {
    /// The name that guests' sign-in names end with.
    pub fn initial_domain(&self) -> Option<&DomainName> {
        self.domains.iter().find(|domain| domain.is_initial).map(|domain| &domain.name)
    }
    pub fn default_domain(&self) -> Option<&DomainName> {
        self.domains
            .iter()
            .find(|domain| domain.is_default)
            .or(self.domains.first())
            .map(|domain| &domain.name)
    }
    /// Whether the tenant proved that the name is its own.
    pub fn owns(&self, name: &DomainName) -> bool {
        self.domains.iter().any(|domain| domain.is_verified && &domain.name == name)
    }
    /// Whether the tenant proved a name besides the one that it was given.
    pub fn is_verified(&self) -> bool {
        self.domains.iter().any(|domain| domain.is_verified && !domain.is_initial)
    }
    /// What may be used here: the tenant's own word, else the deployment's.
    pub fn optional_grants(&self, deployment: OptionalGrants) -> OptionalGrants {
        let Self { settings, .. } = self;
        OptionalGrants {
            device_code: settings.allows_device_code.unwrap_or(deployment.device_code),
            password: settings.allows_password_grant.unwrap_or(deployment.password),
        }
    }
    /// US Government tenants with the scope `USG` take no part in B2B (facts: b2b §9).
    pub fn takes_part_in_b2b(&self) -> bool {
        self.region_scope != "USG"
    }
}
