//! The user's properties: name, type, where they live, who reads and who writes them (Graph: user).

use crate::directory::permission::{UserPart, Visibility};

/// One property of a user.
#[derive(Debug, PartialEq, Eq)]
pub struct UserProperty {
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
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
    Mail,
    MailNickname,
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

const fn server(
    name: &'static str,
    kind: Kind,
    source: Source,
    visible: &'static [Visibility],
) -> UserProperty {
    UserProperty { name, kind, source, is_default: false, visible, written_as: None, longest: 0 }
}

const fn text(
    name: &'static str,
    source: Source,
    is_default: bool,
    visible: &'static [Visibility],
    written_as: UserPart,
    longest: usize,
) -> UserProperty {
    UserProperty {
        name,
        kind: Kind::Text,
        source,
        is_default,
        visible,
        written_as: Some(written_as),
        longest,
    }
}

const fn profile(name: &'static str, is_default: bool, longest: usize) -> UserProperty {
    text(name, Source::Profile, is_default, FULL, UserPart::Anything, longest)
}

/// Every property that is served, in the order of answers.
pub const USER: &[UserProperty] = &[
    UserProperty {
        name: "businessPhones",
        kind: Kind::Texts,
        source: Source::BusinessPhones,
        is_default: true,
        visible: FULL,
        written_as: Some(UserPart::Contact),
        longest: 64,
    },
    text("displayName", Source::DisplayName, true, EVERYBODY, UserPart::Anything, 256),
    text("givenName", Source::Profile, true, BASIC, UserPart::Anything, 64),
    UserProperty { is_default: true, ..server("id", Kind::Text, Source::Id, EVERYBODY) },
    profile("jobTitle", true, 128),
    text("mail", Source::Mail, true, EVERYBODY, UserPart::Mails, 254),
    text("mobilePhone", Source::Profile, true, FULL, UserPart::Contact, 64),
    profile("officeLocation", true, 128),
    text("preferredLanguage", Source::Profile, true, FULL, UserPart::Contact, 32),
    text("surname", Source::Profile, true, BASIC, UserPart::Anything, 64),
    text("userPrincipalName", Source::SignInName, true, EVERYBODY, UserPart::Anything, 254),
    UserProperty {
        name: "accountEnabled",
        kind: Kind::Bool,
        source: Source::AccountEnabled,
        is_default: false,
        visible: FULL,
        written_as: Some(UserPart::Account),
        longest: 0,
    },
    profile("ageGroup", false, 32),
    profile("city", false, 128),
    profile("companyName", false, 64),
    profile("country", false, 128),
    server("createdDateTime", Kind::Time, Source::Created, FULL),
    server("creationType", Kind::Text, Source::CreationType, FULL),
    server("deletedDateTime", Kind::Time, Source::Deleted, FULL),
    profile("department", false, 64),
    profile("employeeId", false, 64),
    profile("employeeType", false, 64),
    server("externalUserState", Kind::Text, Source::ExternalState, FULL),
    server("externalUserStateChangeDateTime", Kind::Time, Source::ExternalStateChanged, FULL),
    profile("faxNumber", false, 64),
    server("identities", Kind::Identities, Source::Identities, FULL),
    server("lastPasswordChangeDateTime", Kind::Time, Source::LastPasswordChange, FULL),
    text("mailNickname", Source::MailNickname, false, FULL, UserPart::Anything, 64),
    UserProperty {
        name: "otherMails",
        kind: Kind::Texts,
        source: Source::OtherMails,
        is_default: false,
        visible: FULL,
        written_as: Some(UserPart::Mails),
        longest: 254,
    },
    profile("postalCode", false, 40),
    server("proxyAddresses", Kind::Texts, Source::ProxyAddresses, FULL),
    UserProperty {
        name: "showInAddressList",
        kind: Kind::Bool,
        source: Source::ShowInAddressList,
        is_default: false,
        visible: FULL,
        written_as: Some(UserPart::Anything),
        longest: 0,
    },
    server("signInSessionsValidFromDateTime", Kind::Time, Source::SessionsValidFrom, FULL),
    profile("state", false, 128),
    profile("streetAddress", false, 1024),
    profile("usageLocation", false, 2),
    text("userType", Source::UserType, false, LIMITED, UserPart::Anything, 16),
];

/// The property of that name; Graph's names are compared without case.
pub fn find(name: &str) -> Option<&'static UserProperty> {
    USER.iter().find(|property| property.name.eq_ignore_ascii_case(name))
}
