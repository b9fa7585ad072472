//! The properties of directory objects: name, type, where they live, who reads and who writes them, and what a query may
//! do with them (Graph: user, group, application, servicePrincipal).

use crate::directory::permission::{UserPart, Visibility};

/// A kind of object and its properties.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// Graph's name of the type, without its namespace.
    pub name: &'static str,
    /// In the order of answers.
    pub properties: &'static [Property],
}

impl Resource {
    /// The property of that name; Graph's names are compared without case.
    pub fn find(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name.eq_ignore_ascii_case(name))
    }
}

/// One property of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    /// Graph's name.
    pub name: &'static str,
    pub kind: Kind,
    pub source: Source,
    /// Part of the answer when nothing is selected.
    pub is_default: bool,
    /// The least visibility that shows it.
    pub visible: &'static [Visibility],
    /// Who may write it; `None` for what only proofs and the server write (R25).
    pub written_as: Option<UserPart>,
    /// Longest text, in characters.
    pub longest: usize,
    pub query: Querying,
}

/// What a query may do with a property besides showing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Querying {
    pub is_filtered: bool,
    pub search: Option<SearchBy>,
    pub is_sorted: bool,
}

/// How `$search` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchBy {
    /// The value, or one of the values, begins with the text.
    Start,
    /// Each word of the text begins a word of the value.
    Words,
}

const FILTERED: Querying = Querying { is_filtered: true, search: None, is_sorted: false };
const SHOWN: Querying = Querying { is_filtered: false, search: None, is_sorted: false };

impl Property {
    const fn searched(self, by: SearchBy) -> Self {
        Self { query: Querying { search: Some(by), ..self.query }, ..self }
    }
    const fn sorted(self) -> Self {
        Self { query: Querying { is_sorted: true, ..self.query }, ..self }
    }
    const fn seen(self, visible: &'static [Visibility]) -> Self {
        Self { visible, ..self }
    }
    const fn shown(self) -> Self {
        Self { query: SHOWN, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// A GUID, on the wire a string.
    Id,
    Identities,
    Text,
    Texts,
    Time,
}

/// Where a property's value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    AccountEnabled,
    BusinessPhones,
    Created,
    CreationType,
    Deleted,
    DisplayName,
    ExternalState,
    ExternalStateChanged,
    Id,
    Identities,
    LastPasswordChange,
    /// Follows from `ageGroup` and `consentProvidedForMinor`.
    LegalAgeGroup,
    Mail,
    MailNickname,
    /// Under its Graph name; for kinds whose properties are rendered and written as a whole.
    Named,
    OtherMails,
    /// One of the plain texts, under its Graph name.
    Profile,
    ProxyAddresses,
    SessionsValidFrom,
    ShowInAddressList,
    SignInName,
    UserType,
}

const EVERYBODY: &[Visibility] = &[Visibility::Limited, Visibility::Basic, Visibility::Full];
const BASIC: &[Visibility] = &[Visibility::Basic, Visibility::Full];
const LIMITED: &[Visibility] = &[Visibility::Limited, Visibility::Full];
const FULL: &[Visibility] = &[Visibility::Full];

const fn server(name: &'static str, kind: Kind, source: Source, visible: &'static [Visibility]) -> Property {
    Property { name, kind, source, is_default: false, visible, written_as: None, longest: 0, query: FILTERED }
}

const fn text(
    name: &'static str,
    source: Source,
    is_default: bool,
    visible: &'static [Visibility],
    written_as: UserPart,
    longest: usize,
) -> Property {
    let written_as = Some(written_as);
    Property { is_default, written_as, longest, ..server(name, Kind::Text, source, visible) }
}

const fn profile(name: &'static str, is_default: bool, longest: usize) -> Property {
    text(name, Source::Profile, is_default, FULL, UserPart::Anything, longest)
}

const fn flag(name: &'static str, source: Source, written_as: UserPart) -> Property {
    Property { written_as: Some(written_as), ..server(name, Kind::Bool, source, FULL) }
}

const fn texts(name: &'static str, source: Source, written_as: UserPart, longest: usize) -> Property {
    Property { written_as: Some(written_as), longest, ..server(name, Kind::Texts, source, FULL) }
}

/// Members and guests (Graph: user).
pub const USER: Resource = Resource {
    name: "user",
    properties: &[
        Property {
            is_default: true,
            ..texts("businessPhones", Source::BusinessPhones, UserPart::Contact, 64)
        },
        text("displayName", Source::DisplayName, true, EVERYBODY, UserPart::Anything, 256)
            .searched(SearchBy::Words)
            .sorted(),
        text("givenName", Source::Profile, true, BASIC, UserPart::Anything, 64).searched(SearchBy::Start),
        Property { is_default: true, ..server("id", Kind::Id, Source::Id, EVERYBODY) },
        profile("jobTitle", true, 128),
        text("mail", Source::Mail, true, EVERYBODY, UserPart::Mails, 254).searched(SearchBy::Start),
        text("mobilePhone", Source::Profile, true, FULL, UserPart::Contact, 64),
        profile("officeLocation", true, 128),
        text("preferredLanguage", Source::Profile, true, FULL, UserPart::Contact, 32),
        text("surname", Source::Profile, true, BASIC, UserPart::Anything, 64).searched(SearchBy::Start),
        text("userPrincipalName", Source::SignInName, true, EVERYBODY, UserPart::Anything, 254)
            .searched(SearchBy::Start)
            .sorted(),
        flag("accountEnabled", Source::AccountEnabled, UserPart::Account),
        profile("ageGroup", false, 32),
        profile("city", false, 128),
        profile("companyName", false, 64),
        profile("consentProvidedForMinor", false, 32),
        profile("country", false, 128),
        server("createdDateTime", Kind::Time, Source::Created, FULL).sorted(),
        server("creationType", Kind::Text, Source::CreationType, FULL),
        server("deletedDateTime", Kind::Time, Source::Deleted, FULL),
        profile("department", false, 64),
        Property { kind: Kind::Time, ..profile("employeeHireDate", false, 40).shown() },
        profile("employeeId", false, 64),
        profile("employeeType", false, 64),
        server("externalUserState", Kind::Text, Source::ExternalState, FULL),
        server("externalUserStateChangeDateTime", Kind::Time, Source::ExternalStateChanged, FULL),
        profile("faxNumber", false, 64),
        server("identities", Kind::Identities, Source::Identities, FULL),
        server("lastPasswordChangeDateTime", Kind::Time, Source::LastPasswordChange, FULL).shown(),
        server("legalAgeGroupClassification", Kind::Text, Source::LegalAgeGroup, FULL).shown(),
        text("mailNickname", Source::MailNickname, false, FULL, UserPart::Anything, 64),
        texts("otherMails", Source::OtherMails, UserPart::Mails, 254).searched(SearchBy::Start),
        profile("postalCode", false, 40),
        server("proxyAddresses", Kind::Texts, Source::ProxyAddresses, FULL).searched(SearchBy::Start),
        flag("showInAddressList", Source::ShowInAddressList, UserPart::Anything),
        server("signInSessionsValidFromDateTime", Kind::Time, Source::SessionsValidFrom, FULL).shown(),
        profile("state", false, 128),
        profile("streetAddress", false, 1024),
        profile("usageLocation", false, 2),
        text("userType", Source::UserType, false, LIMITED, UserPart::Anything, 16),
    ],
};

const fn named(name: &'static str, kind: Kind) -> Property {
    Property { is_default: true, ..server(name, kind, Source::Named, FULL) }
}

/// A property that queries only show.
const fn shown(name: &'static str) -> Property {
    named(name, Kind::Text).shown()
}

/// Groups (Graph: group).
pub const GROUP: Resource = Resource {
    name: "group",
    properties: &[
        named("id", Kind::Id).seen(EVERYBODY),
        named("deletedDateTime", Kind::Time),
        shown("classification"),
        named("createdDateTime", Kind::Time).sorted(),
        shown("description").searched(SearchBy::Words).seen(EVERYBODY),
        named("displayName", Kind::Text).searched(SearchBy::Words).sorted().seen(EVERYBODY),
        shown("expirationDateTime"),
        named("groupTypes", Kind::Texts).seen(EVERYBODY),
        named("isAssignableToRole", Kind::Bool),
        named("mail", Kind::Text).searched(SearchBy::Start).seen(EVERYBODY),
        named("mailEnabled", Kind::Bool).seen(EVERYBODY),
        named("mailNickname", Kind::Text),
        shown("membershipRule"),
        shown("membershipRuleProcessingState"),
        shown("onPremisesSyncEnabled"),
        shown("preferredDataLocation"),
        shown("preferredLanguage"),
        shown("proxyAddresses"),
        shown("renewedDateTime"),
        shown("resourceBehaviorOptions"),
        shown("resourceProvisioningOptions"),
        named("securityEnabled", Kind::Bool).seen(EVERYBODY),
        shown("securityIdentifier"),
        shown("theme"),
        shown("uniqueName"),
        named("visibility", Kind::Text).seen(EVERYBODY),
    ],
};

/// Registrations (Graph: application).
pub const APPLICATION: Resource = Resource {
    name: "application",
    properties: &[
        named("id", Kind::Id),
        named("deletedDateTime", Kind::Time),
        named("appId", Kind::Id),
        shown("applicationTemplateId"),
        named("createdDateTime", Kind::Time).sorted(),
        shown("description"),
        shown("disabledByMicrosoftStatus"),
        named("displayName", Kind::Text).searched(SearchBy::Words).sorted(),
        shown("groupMembershipClaims"),
        named("identifierUris", Kind::Texts),
        shown("isDeviceOnlyAuthSupported"),
        shown("isFallbackPublicClient"),
        shown("notes"),
        shown("optionalClaims"),
        shown("publisherDomain"),
        shown("serviceManagementReference"),
        named("signInAudience", Kind::Text),
        named("tags", Kind::Texts),
        shown("tokenEncryptionKeyId"),
        shown("uniqueName"),
        shown("addIns"),
        shown("api"),
        shown("appRoles"),
        shown("info"),
        shown("keyCredentials"),
        shown("passwordCredentials"),
        shown("publicClient"),
        shown("requiredResourceAccess"),
        shown("spa"),
        shown("web"),
    ],
};

/// Instances of applications in a tenant (Graph: servicePrincipal).
pub const SERVICE_PRINCIPAL: Resource = Resource {
    name: "servicePrincipal",
    properties: &[
        named("id", Kind::Id),
        named("deletedDateTime", Kind::Time),
        named("accountEnabled", Kind::Bool),
        shown("addIns"),
        shown("alternativeNames"),
        shown("appDescription"),
        shown("appDisplayName"),
        named("appId", Kind::Id),
        shown("appOwnerOrganizationId"),
        shown("appRoleAssignmentRequired"),
        shown("appRoles"),
        shown("applicationTemplateId"),
        shown("description"),
        shown("disabledByMicrosoftStatus"),
        named("displayName", Kind::Text).searched(SearchBy::Words).sorted(),
        shown("homepage"),
        shown("info"),
        shown("keyCredentials"),
        shown("loginUrl"),
        shown("logoutUrl"),
        shown("notes"),
        shown("notificationEmailAddresses"),
        shown("oauth2PermissionScopes"),
        shown("passwordCredentials"),
        shown("preferredSingleSignOnMode"),
        shown("replyUrls"),
        shown("resourceSpecificApplicationPermissions"),
        named("servicePrincipalNames", Kind::Texts),
        named("servicePrincipalType", Kind::Text),
        shown("signInAudience"),
        named("tags", Kind::Texts),
        shown("tokenEncryptionKeyId"),
    ],
};
