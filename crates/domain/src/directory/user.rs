//! Users: members and guests of a tenant (Graph: user).

use crate::directory::property::{Property, Source};
use crate::id::{RoleTemplateId, TenantId, UserId};
use crate::tenancy::domain_name::Address;
use crate::time::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A user as the directory shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// `userPrincipalName`; unique in the tenant among users that are not deleted.
    pub sign_in_name: String,
    pub display_name: String,
    pub user_type: UserType,
    pub is_enabled: bool,
    pub mail: Option<String>,
    pub mail_nickname: Option<String>,
    pub other_mails: Vec<String>,
    pub proxy_addresses: Vec<String>,
    pub business_phones: Vec<String>,
    pub creation: Option<CreationType>,
    pub external: Option<External>,
    /// The home identity a guest is bound to, once redeemed.
    pub identity: Option<HomeIdentity>,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
    pub is_shown_in_address_list: bool,
    /// The plain text properties (`givenName`, `jobTitle`, ...), by their Graph name.
    pub profile: BTreeMap<String, String>,
    /// Tokens and sessions from before this moment are void (`signInSessionsValidFromDateTime`).
    pub sessions_valid_from: Timestamp,
    pub last_password_change_at: Option<Timestamp>,
}

impl User {
    /// A flag of a user; false where the property is none.
    pub fn flag(&self, source: Source) -> bool {
        match source {
            Source::AccountEnabled => self.is_enabled,
            Source::ShowInAddressList => self.is_shown_in_address_list,
            Source::BusinessPhones
            | Source::Created
            | Source::CreationType
            | Source::Deleted
            | Source::DisplayName
            | Source::ExternalState
            | Source::ExternalStateChanged
            | Source::Id
            | Source::Identities
            | Source::LastPasswordChange
            | Source::LegalAgeGroup
            | Source::Mail
            | Source::MailNickname
            | Source::Named
            | Source::OtherMails
            | Source::Profile
            | Source::ProxyAddresses
            | Source::SessionsValidFrom
            | Source::SignInName
            | Source::UserType => false,
        }
    }

    /// A user's values of a property: none, one, or those of a list. An empty text is none.
    pub fn texts<'a>(&'a self, property: &Property) -> Vec<Cow<'a, str>> {
        let one = |text: &'a str| vec![Cow::Borrowed(text)];
        let maybe = |text: Option<&'a str>| text.map(Cow::Borrowed).into_iter().collect();
        let many = |texts: &'a [String]| texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect();
        let mut found: Vec<Cow<'a, str>> = match property.source {
            Source::BusinessPhones => many(&self.business_phones),
            Source::CreationType => maybe(self.creation.map(|creation| creation.as_str())),
            Source::DisplayName => one(&self.display_name),
            Source::ExternalState => maybe(self.external.as_ref().map(|external| external.state.as_str())),
            Source::Id => vec![Cow::Owned(self.id.to_string())],
            Source::LegalAgeGroup => maybe(self.legal_age_group()),
            Source::Mail => maybe(self.mail.as_deref()),
            Source::MailNickname => maybe(self.mail_nickname.as_deref()),
            Source::OtherMails => many(&self.other_mails),
            Source::Profile => maybe(self.profile.get(property.name).map(String::as_str)),
            Source::ProxyAddresses => many(&self.proxy_addresses),
            Source::SignInName => one(&self.sign_in_name),
            Source::UserType => one(self.user_type.as_str()),
            Source::AccountEnabled
            | Source::Created
            | Source::Deleted
            | Source::ExternalStateChanged
            | Source::Identities
            | Source::LastPasswordChange
            | Source::Named
            | Source::SessionsValidFrom
            | Source::ShowInAddressList => Vec::new(),
        };
        found.retain(|text| !text.is_empty());
        found
    }

    /// What the law takes the user for (Graph: user.legalAgeGroupClassification).
    pub fn legal_age_group(&self) -> Option<&'static str> {
        let text = |name: &str| self.profile.get(name).map(String::as_str);
        match (text("ageGroup")?, text("consentProvidedForMinor")) {
            ("Adult", _) => Some("Adult"),
            ("Minor", Some("Granted")) => Some("MinorWithParentalConsent"),
            ("Minor", Some("NotRequired")) => Some("MinorNoParentalConsentRequired"),
            ("Minor", _) => Some("MinorWithOutParentalConsent"),
            ("NotAdult", _) => Some("NotAdult"),
            (_, _) => Some("Undefined"),
        }
    }
}

/// `userType`; says nothing about where the user authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserType {
    Guest,
    Member,
}

impl UserType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "Guest",
            Self::Member => "Member",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Guest, Self::Member].into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }
}

/// `creationType`; absent for users that an administrator created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreationType {
    Invitation,
}

impl CreationType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "Invitation",
        }
    }
}

/// An invited user's stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    pub state: ExternalState,
    pub changed_at: Timestamp,
}

/// `externalUserState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExternalState {
    Accepted,
    PendingAcceptance,
}

impl ExternalState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::PendingAcceptance => "PendingAcceptance",
        }
    }
}

/// The only key by which a guest is recognised: who says it, and their name for the person (R02).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HomeIdentity {
    pub issuer: String,
    pub subject: String,
    /// The home's own ids, for `client_info`; they identify and never authenticate (R01).
    pub home_user: UserId,
    pub home_tenant: TenantId,
}

/// What sign-in and issuance need of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInUser {
    pub id: UserId,
    pub sign_in_name: String,
    pub display_name: String,
    pub given_name: Option<String>,
    pub surname: Option<String>,
    pub mail: Option<String>,
    pub user_type: UserType,
    pub is_enabled: bool,
    pub external: Option<ExternalState>,
    pub identity: Option<HomeIdentity>,
    /// Addresses below the home's own domains that it named when it last vouched for the guest (R02).
    pub proved_addresses: Vec<String>,
    /// The home tenant of a guest as far as known before redemption (owner of the invited address's domain).
    pub home_tenant: Option<TenantId>,
    pub roles: Vec<RoleTemplateId>,
    pub must_change_password: bool,
    pub sessions_valid_from: Timestamp,
    pub preferred_language: Option<String>,
    /// As the directory has it; a claim says it only where it is a code of two letters.
    pub country: Option<String>,
}

impl SignInUser {
    /// Whether the user holds a role that may consent for the whole tenant.
    pub fn can_consent_for_all(&self) -> bool {
        self.roles.iter().any(|role| crate::directory::role::can_consent_for_all(*role))
    }
    /// Whether the user holds a role that may give applications rights over the directory by themselves. An application
    /// administrator may not: such an application could make anybody a global administrator.
    pub fn can_give_directory_roles(&self) -> bool {
        self.roles.iter().any(|role| crate::directory::role::can_manage_roles(*role))
    }
}

/// The sign-in name of a guest: the invited address with `@` as `_`, then `#EXT#@` and the tenant's initial domain
/// (facts: b2b §3). `attempt` above zero adds a number where the name is taken.
pub fn guest_sign_in_name(invited: &Address, initial_domain: &str, attempt: u32) -> String {
    let stem = invited.as_str().replace('@', "_");
    let number = if attempt == 0 { String::new() } else { attempt.to_string() };
    format!("{stem}{number}#EXT#@{initial_domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_named_as_the_documentation_shows() {
        let address = Address::parse("james@contoso.com").unwrap();
        assert_eq!(guest_sign_in_name(&address, "fabrikam.test", 0), "james_contoso.com#EXT#@fabrikam.test");
        assert_eq!(guest_sign_in_name(&address, "fabrikam.test", 2), "james_contoso.com2#EXT#@fabrikam.test");
    }
}
