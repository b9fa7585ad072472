//! What an application wants said in tokens beyond what they always say (Graph: application.groupMembershipClaims and
//! optionalClaims; facts: protocol §5). ID tokens follow the client's wishes, access tokens the resource's.

use crate::directory::application_change::ApplicationRefusal;
use crate::id::GroupId;
use std::collections::BTreeSet;

/// The wishes of one registration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenClaims {
    pub groups: GroupClaims,
    pub id_token: Vec<OptionalClaim>,
    pub access_token: Vec<OptionalClaim>,
}

/// Which groups and directory roles tokens name (Graph: groupMembershipClaims).
// DEFAULT: none, as documented: who is in what is nobody's business until an application asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupClaims {
    pub all: bool,
    /// Groups that are assigned to the application.
    pub application: bool,
    pub directory_roles: bool,
    pub security: bool,
}

impl GroupClaims {
    /// Reads the words of Graph, several with commas between them.
    pub fn parse(text: &str) -> Option<Self> {
        let mut claims = Self::default();
        for word in text.split(',').map(str::trim) {
            match word {
                "All" => claims.all = true,
                "ApplicationGroup" => claims.application = true,
                "DirectoryRole" => claims.directory_roles = true,
                "None" | "" => {}
                "SecurityGroup" => claims.security = true,
                _ => return None,
            }
        }
        Some(claims)
    }

    /// The same words; `None` where nothing is asked.
    pub fn text(self) -> Option<String> {
        let words = [
            (self.all, "All"),
            (self.application, "ApplicationGroup"),
            (self.directory_roles, "DirectoryRole"),
            (self.security, "SecurityGroup"),
        ];
        let words: Vec<&str> = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    pub const fn wants_groups(self) -> bool {
        self.all || self.application || self.security
    }
    /// Whether directory roles are named (`wids`).
    pub const fn wants_roles(self) -> bool {
        self.all || self.directory_roles
    }
}

/// One wish (Graph: optionalClaim).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalClaim {
    pub name: ClaimName,
    /// Only promised to the application's developer; a claim that has no value is left out all the same.
    pub is_essential: bool,
    pub additional: Vec<Additional>,
}

macro_rules! names {
    ($(#[$meta:meta])* $kind:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $kind { $($variant,)* }
        impl $kind {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

names! {
    /// Claims that may be asked for.
    ClaimName {
        Account = "acct",
        Audience = "aud",
        AuthenticationTime = "auth_time",
        ClientCapabilities = "xms_cc",
        Country = "ctry",
        Email = "email",
        FamilyName = "family_name",
        GivenName = "given_name",
        Groups = "groups",
        IdentityType = "idtyp",
        IpAddress = "ipaddr",
        LoginHint = "login_hint",
        PreferredLanguage = "xms_pl",
        PreferredUserName = "preferred_username",
        SessionId = "sid",
        TenantCountry = "tenant_ctry",
        TenantPreferredLanguage = "xms_tpl",
        TenantRegionScope = "tenant_region_scope",
        UserPrincipalName = "upn",
        VerifiedPrimaryEmail = "verified_primary_email",
    }
}

names! {
    /// How a claim is said (Graph: optionalClaim.additionalProperties).
    Additional {
        CloudDisplayName = "cloud_displayname",
        EmitAsRoles = "emit_as_roles",
        ExternalUpn = "include_externally_authenticated_upn",
        ExternalUpnWithoutHash = "include_externally_authenticated_upn_without_hash",
        IncludeUserToken = "include_user_token",
        UseGuid = "use_guid",
    }
}

impl Additional {
    const fn belongs_to(self) -> ClaimName {
        match self {
            Self::CloudDisplayName | Self::EmitAsRoles => ClaimName::Groups,
            Self::ExternalUpn | Self::ExternalUpnWithoutHash => ClaimName::UserPrincipalName,
            Self::IncludeUserToken => ClaimName::IdentityType,
            Self::UseGuid => ClaimName::Audience,
        }
    }
}

/// Groups that a token names at most; with more, it says where to ask (facts: limits §2).
pub const TOKEN_GROUPS: usize = 200;
/// The same where the token goes through an address bar: six are too many.
pub const TOKEN_GROUPS_IN_ADDRESS: usize = 5;

/// A group of the user as tokens name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedGroup {
    pub id: GroupId,
    pub display_name: String,
}

/// The wish for a claim, if there is one.
pub fn wish(wishes: &[OptionalClaim], name: ClaimName) -> Option<&OptionalClaim> {
    wishes.iter().find(|wish| wish.name == name)
}

/// Whether a claim is wanted, and said in a certain way.
pub fn is_wanted_as(wishes: &[OptionalClaim], additional: Additional) -> bool {
    wish(wishes, additional.belongs_to()).is_some_and(|wish| wish.additional.contains(&additional))
}

const fn invalid(property: &'static str, problem: &'static str) -> ApplicationRefusal {
    ApplicationRefusal::Invalid { property, problem }
}

/// Whether the wishes make sense together.
pub fn check(claims: &TokenClaims) -> Result<(), ApplicationRefusal> {
    for (property, wishes) in
        [("optionalClaims/idToken", &claims.id_token), ("optionalClaims/accessToken", &claims.access_token)]
    {
        let mut seen = BTreeSet::new();
        for wish in wishes {
            if !seen.insert(wish.name) {
                return Err(invalid(property, "The same claim is there twice."));
            }
            if wish.additional.iter().any(|additional| additional.belongs_to() != wish.name) {
                return Err(invalid(property, "An additionalProperty does not belong to its claim."));
            }
        }
        // A display name is nobody's own, so names of groups are said only where an administrator assigned the group.
        let is_by_assignment = claims.groups.application && !claims.groups.all && !claims.groups.security;
        if is_wanted_as(wishes, Additional::CloudDisplayName) && !is_by_assignment {
            return Err(invalid(
                property,
                "cloud_displayname needs the groupMembershipClaims ApplicationGroup.",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_claims_are_a_set_of_words() {
        for (text, read) in [
            ("SecurityGroup", Some("SecurityGroup")),
            ("SecurityGroup, ApplicationGroup", Some("ApplicationGroup, SecurityGroup")),
            ("All", Some("All")),
            ("None", None),
            ("", None),
        ] {
            assert_eq!(GroupClaims::parse(text).unwrap().text().as_deref(), read, "{text}");
        }
        assert_eq!(GroupClaims::parse("Everything"), None);
    }

    #[test]
    fn wishes_that_contradict_are_refused() {
        let wish = |name, additional: &[Additional]| OptionalClaim {
            name,
            is_essential: false,
            additional: additional.to_vec(),
        };
        let claims = |id_token, groups| TokenClaims {
            groups: GroupClaims::parse(groups).unwrap(),
            id_token,
            access_token: Vec::new(),
        };
        let named = || vec![wish(ClaimName::Groups, &[Additional::CloudDisplayName])];
        assert!(check(&claims(named(), "ApplicationGroup")).is_ok());
        for wrong in [
            claims(named(), "SecurityGroup"),
            claims(named(), "ApplicationGroup, All"),
            claims(vec![wish(ClaimName::Email, &[Additional::UseGuid])], "None"),
            claims(vec![wish(ClaimName::Email, &[]), wish(ClaimName::Email, &[])], "None"),
        ] {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }
}
