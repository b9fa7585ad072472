//! May this person make a tenant of their own (facts: limits §1; R24), and what it is called.

use crate::directory::role;
use crate::directory::user::{SignInUser, UserType};
use crate::tenancy::domain_name::DomainName;
use crate::tenancy::tenant::Tenant;
use crate::verdict::{Side, Trace, Verdict};

/// What the person asked for, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub display_name: String,
    /// The part of the initial domain before what all tenants here share.
    pub name: String,
}

/// What the decision looks at, read in the write that makes the tenant.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The tenant where the person acts, which must be the home.
    pub home: Tenant,
    /// `None` when there is no such user any more.
    pub person: Option<SignInUser>,
    /// What initial domains end with; without it nobody makes a tenant here.
    pub suffix: Option<DomainName>,
    pub is_domain_taken: bool,
    /// Tenants that the person made, and may make.
    pub created: (i64, i64),
    /// Directories that the person is in, and may be in.
    pub directories: (i64, i64),
}

/// Why no tenant is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    DisplayNameInvalid,
    DomainTaken,
    NameInvalid,
    /// Guests and people whose home is elsewhere make none from here (R24).
    NotAtHome,
    /// The home lets nobody but its global administrators.
    NotAllowed,
    /// The deployment makes none for people.
    NotOffered,
    PersonFull,
    TooManyTenants {
        used: i64,
        most: i64,
    },
}

impl Refusal {
    /// Stable name for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DisplayNameInvalid => "displayNameInvalid",
            Self::DomainTaken => "domainTaken",
            Self::NameInvalid => "nameInvalid",
            Self::NotAtHome => "notAtHome",
            Self::NotAllowed => "notAllowed",
            Self::NotOffered => "notOffered",
            Self::PersonFull => "personFull",
            Self::TooManyTenants { .. } => "tooManyTenants",
        }
    }
}

/// The initial domain of a name: 1 to 27 letters and digits, the first a letter, as Microsoft Entra has it.
pub fn initial_domain(name: &str, suffix: &DomainName) -> Option<DomainName> {
    let is_right = (1..=27).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && name.starts_with(|first: char| first.is_ascii_alphabetic());
    is_right.then(|| DomainName::parse(&format!("{}.{suffix}", name.to_ascii_lowercase()))).flatten()
}

fn is_at_home(person: &SignInUser) -> bool {
    person.is_enabled && person.user_type == UserType::Member && person.external.is_none()
}

fn is_let_by(home: &Tenant, person: &SignInUser) -> bool {
    home.settings.can_users_create_tenants || person.roles.contains(&role::GLOBAL_ADMINISTRATOR.id)
}

/// Whether a person is shown the way to a tenant of their own.
pub fn is_offered(suffix: Option<&DomainName>, home: &Tenant, person: &SignInUser) -> bool {
    suffix.is_some() && is_at_home(person) && is_let_by(home, person)
}

/// Decides one creation; granted is the initial domain.
pub fn decide(facts: &Facts, ask: &Ask) -> Verdict<DomainName, Refusal> {
    let mut trace = Trace::new();
    let Some(suffix) = &facts.suffix else {
        return trace.refuse(Refusal::NotOffered, Side::ResourceTenant, "tenants-under", "");
    };
    let Some(person) = facts.person.as_ref().filter(|person| is_at_home(person)) else {
        return trace.refuse(Refusal::NotAtHome, Side::User, "member-at-home", "");
    };
    trace.passed(Side::User, "member-at-home", "");
    if !is_let_by(&facts.home, person) {
        return trace.refuse(Refusal::NotAllowed, Side::HomeTenant, "allowed-to-create-tenants", "");
    }
    trace.passed(Side::HomeTenant, "allowed-to-create-tenants", "");
    if ask.display_name.trim().is_empty()
        || ask.display_name.chars().count() > 256
        || ask.display_name.chars().any(char::is_control)
    {
        return trace.refuse(Refusal::DisplayNameInvalid, Side::Client, "display-name", "");
    }
    let Some(domain) = initial_domain(&ask.name, suffix) else {
        return trace.refuse(Refusal::NameInvalid, Side::Client, "name", "");
    };
    if facts.is_domain_taken {
        return trace.refuse(Refusal::DomainTaken, Side::Client, "domain-free", "");
    }
    let (used, most) = facts.created;
    if used >= most {
        let refusal = Refusal::TooManyTenants { used, most };
        return trace.refuse(refusal, Side::User, "tenants-created", format!("{used} of {most}"));
    }
    if facts.directories.0 >= facts.directories.1 {
        return trace.refuse(Refusal::PersonFull, Side::User, "directories", "");
    }
    trace.grant(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_domain_below_the_suffix() {
        let suffix = DomainName::parse("onhospes.test").unwrap();
        let domain = |name: &str| initial_domain(name, &suffix).map(|domain| domain.to_string());
        assert_eq!(domain("Litware2"), Some("litware2.onhospes.test".to_owned()));
        assert_eq!(domain(&"a".repeat(27)), Some(format!("{}.onhospes.test", "a".repeat(27))));
        for wrong in ["", "2litware", "lit-ware", "lit.ware", "lítware", "a b", &"a".repeat(28)] {
            assert_eq!(domain(wrong), None, "{wrong}");
        }
    }
}
