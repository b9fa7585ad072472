//! May this person leave an organisation that is not their home (facts: b2b §10)?

use crate::directory::user::SignInUser;
use crate::id::TenantId;
use crate::verdict::{Side, Trace, Verdict};

/// What the decision looks at, read in the write that removes the account.
#[derive(Clone, Debug)]
pub struct Facts {
    pub home: TenantId,
    /// The person at home; `None` when they are not signed in there any more.
    pub person: Option<SignInUser>,
    /// Their account in the organisation.
    pub account: Option<SignInUser>,
    /// The organisation would have no Global Administrator without it.
    pub is_last_administrator: bool,
}

/// Why the person stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Whoever disabled the account says what becomes of it.
    AccountDisabled,
    LastAdministrator,
    NotSignedIn,
    /// There is no account there that the home vouched for; the home itself has none either.
    NotThere,
}

impl Refusal {
    /// Stable name for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountDisabled => "accountDisabled",
            Self::LastAdministrator => "lastAdministrator",
            Self::NotSignedIn => "notSignedIn",
            Self::NotThere => "notThere",
        }
    }
}

/// Decides whether the account goes; granted is the account.
pub fn decide(facts: &Facts) -> Verdict<SignInUser, Refusal> {
    let mut trace = Trace::new();
    let Some(person) = facts.person.as_ref().filter(|person| person.is_enabled) else {
        return trace.refuse(Refusal::NotSignedIn, Side::User, "signed-in-at-home", "");
    };
    trace.passed(Side::User, "signed-in-at-home", "");
    let is_theirs = |account: &&SignInUser| {
        account
            .identity
            .as_ref()
            .is_some_and(|identity| identity.home_tenant == facts.home && identity.home_user == person.id)
    };
    let Some(account) = facts.account.as_ref().filter(is_theirs) else {
        return trace.refuse(Refusal::NotThere, Side::User, "account-of-person", "");
    };
    trace.passed(Side::User, "account-of-person", "");
    if !account.is_enabled {
        return trace.refuse(Refusal::AccountDisabled, Side::ResourceTenant, "account-enabled", "");
    }
    trace.passed(Side::ResourceTenant, "account-enabled", "");
    if facts.is_last_administrator {
        return trace.refuse(Refusal::LastAdministrator, Side::ResourceTenant, "administrator-left", "");
    }
    trace.passed(Side::ResourceTenant, "administrator-left", "");
    trace.grant(account.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::user::{ExternalState, HomeIdentity, UserType};
    use crate::id::UserId;
    use crate::time::Timestamp;
    use uuid::Uuid;

    fn user(id: u128, home_user: Option<u128>) -> SignInUser {
        SignInUser {
            id: UserId::new(Uuid::from_u128(id)),
            sign_in_name: "bob@fabrikam.test".to_owned(),
            display_name: "Bob".to_owned(),
            given_name: None,
            surname: None,
            mail: None,
            user_type: UserType::Member,
            is_enabled: true,
            external: home_user.map(|_| ExternalState::Accepted),
            identity: home_user.map(|user| HomeIdentity {
                issuer: "https://localhost/home/v2.0".to_owned(),
                subject: "s".to_owned(),
                home_user: UserId::new(Uuid::from_u128(user)),
                home_tenant: home(),
            }),
            proved_addresses: Vec::new(),
            home_tenant: None,
            roles: Vec::new(),
            must_change_password: false,
            sessions_valid_from: Timestamp::from_millis(0),
            preferred_language: None,
            country: None,
        }
    }

    fn home() -> TenantId {
        TenantId::new(Uuid::from_u128(100))
    }

    #[test]
    fn whoever_signed_in_at_home_leaves_where_the_account_is_theirs_and_enabled() {
        let facts = Facts {
            home: home(),
            person: Some(user(1, None)),
            account: Some(user(2, Some(1))),
            is_last_administrator: false,
        };
        let disabled = |user: SignInUser| SignInUser { is_enabled: false, ..user };
        let elsewhere = Facts { home: TenantId::new(Uuid::from_u128(101)), ..facts.clone() };
        for (facts, expected) in [
            (facts.clone(), None),
            (Facts { person: None, ..facts.clone() }, Some(Refusal::NotSignedIn)),
            (Facts { person: Some(disabled(user(1, None))), ..facts.clone() }, Some(Refusal::NotSignedIn)),
            (Facts { account: None, ..facts.clone() }, Some(Refusal::NotThere)),
            // Somebody else's, another home's, and the account at home itself.
            (Facts { account: Some(user(2, Some(3))), ..facts.clone() }, Some(Refusal::NotThere)),
            (elsewhere, Some(Refusal::NotThere)),
            (Facts { account: Some(user(1, None)), ..facts.clone() }, Some(Refusal::NotThere)),
            (
                Facts { account: Some(disabled(user(2, Some(1)))), ..facts.clone() },
                Some(Refusal::AccountDisabled),
            ),
            (Facts { is_last_administrator: true, ..facts }, Some(Refusal::LastAdministrator)),
        ] {
            let refused = decide(&facts).into_result().err();
            assert_eq!(refused, expected, "{facts:?}");
        }
    }
}
