//! May a tenant be deleted: by the person who made it, or by the operator, and only when nothing is left in it.

use crate::directory::role;
use crate::directory::user::SignInUser;
use crate::time::Span;
use crate::verdict::{Side, Trace, Verdict};

/// How long the name of a deleted tenant is kept from people who choose one.
// DEFAULT: 30 days, as long as deleted objects can be restored: applications that were set up by the name, and trust whoever
// answers to it, must have time to fail. The operator, who answers for domains, may give it away at once.
pub const NAME_KEPT: Span = Span::days(30);

/// What is still in a tenant, besides what every tenant has and one administrator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    pub users: i64,
    pub groups: i64,
    /// Registrations.
    pub applications: i64,
    /// Instances of applications, other than those that come with the product.
    pub service_principals: i64,
}

impl Left {
    /// Each kind that is there: how many, and what they are called.
    pub fn kinds(&self) -> impl Iterator<Item = (i64, &'static str)> {
        [
            (self.users, "other users"),
            (self.groups, "groups"),
            (self.applications, "application registrations"),
            (self.service_principals, "enterprise applications"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
    }
}

/// The person who wants it gone.
#[derive(Clone, Debug)]
pub struct Asker {
    /// As the home has them, signed in there.
    pub person: Option<SignInUser>,
    /// Their account in the tenant, which the home vouched for.
    pub account: Option<SignInUser>,
    pub is_creator: bool,
}

/// What the decision looks at, read in the write that deletes the tenant.
#[derive(Clone, Debug)]
pub struct Facts {
    /// It was not deleted before.
    pub exists: bool,
    /// `None` is the operator.
    pub asker: Option<Asker>,
    pub left: Left,
}

/// Why the tenant stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotAdministrator,
    NotCreator,
    NotEmpty(Left),
    NotSignedIn,
    /// There is no such tenant, or none that the person is in.
    NotThere,
}

impl Refusal {
    /// Stable name for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAdministrator => "notAdministrator",
            Self::NotCreator => "notCreator",
            Self::NotEmpty(_) => "notEmpty",
            Self::NotSignedIn => "notSignedIn",
            Self::NotThere => "notThere",
        }
    }
}

fn is_administrator(account: &SignInUser) -> bool {
    account.is_enabled && account.roles.contains(&role::GLOBAL_ADMINISTRATOR.id)
}

/// Whether a person is shown the way to delete a tenant that they are in.
pub fn is_offered(account: &SignInUser, is_creator: bool) -> bool {
    is_creator && is_administrator(account)
}

/// Decides one deletion.
pub fn decide(facts: &Facts) -> Verdict<(), Refusal> {
    let mut trace = Trace::new();
    if !facts.exists {
        return trace.refuse(Refusal::NotThere, Side::ResourceTenant, "tenant-exists", "");
    }
    trace.passed(Side::ResourceTenant, "tenant-exists", "");
    if let Some(Asker { person, account, is_creator }) = &facts.asker {
        if !person.as_ref().is_some_and(|person| person.is_enabled) {
            return trace.refuse(Refusal::NotSignedIn, Side::User, "signed-in-at-home", "");
        }
        trace.passed(Side::User, "signed-in-at-home", "");
        let Some(account) = account else {
            return trace.refuse(Refusal::NotThere, Side::User, "account-of-person", "");
        };
        trace.passed(Side::User, "account-of-person", "");
        if !is_creator {
            return trace.refuse(Refusal::NotCreator, Side::User, "creator", "");
        }
        trace.passed(Side::User, "creator", "");
        if !is_administrator(account) {
            return trace.refuse(Refusal::NotAdministrator, Side::User, "global-administrator", "");
        }
        trace.passed(Side::User, "global-administrator", "");
    }
    if facts.left != Left::default() {
        let seen: Vec<String> = facts.left.kinds().map(|(count, kind)| format!("{count} {kind}")).collect();
        let refusal = Refusal::NotEmpty(facts.left);
        return trace.refuse(refusal, Side::ResourceTenant, "tenant-empty", seen.join(", "));
    }
    trace.passed(Side::ResourceTenant, "tenant-empty", "");
    trace.grant(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::user::UserType;
    use crate::id::{RoleTemplateId, UserId};
    use crate::time::Timestamp;
    use uuid::Uuid;

    fn user(roles: &[RoleTemplateId]) -> SignInUser {
        SignInUser {
            id: UserId::new(Uuid::from_u128(1)),
            sign_in_name: "carol@contoso.test".to_owned(),
            display_name: "Carol".to_owned(),
            given_name: None,
            surname: None,
            mail: None,
            user_type: UserType::Member,
            is_enabled: true,
            external: None,
            identity: None,
            proved_addresses: Vec::new(),
            home_tenant: None,
            roles: roles.to_vec(),
            must_change_password: false,
            sessions_valid_from: Timestamp::from_millis(0),
            preferred_language: None,
            country: None,
        }
    }

    #[test]
    fn the_maker_who_still_administers_it_and_the_operator_delete_what_is_empty() {
        let administrator = user(&[role::GLOBAL_ADMINISTRATOR.id]);
        let disabled = |user: &SignInUser| SignInUser { is_enabled: false, ..user.clone() };
        let by = |person: Option<SignInUser>, account: Option<SignInUser>, is_creator| {
            let asker = Some(Asker { person, account, is_creator });
            Facts { exists: true, asker, left: Left::default() }
        };
        let operator = Facts { exists: true, asker: None, left: Left::default() };
        let (person, account) = (Some(user(&[])), Some(administrator.clone()));
        let left = Left { groups: 2, users: 1, ..Left::default() };
        for (facts, expected) in [
            (operator.clone(), None),
            (by(person.clone(), account.clone(), true), None),
            (Facts { exists: false, ..operator.clone() }, Some(Refusal::NotThere)),
            (Facts { left, ..operator }, Some(Refusal::NotEmpty(left))),
            (Facts { left, ..by(person.clone(), account.clone(), true) }, Some(Refusal::NotEmpty(left))),
            (by(None, account.clone(), true), Some(Refusal::NotSignedIn)),
            (by(Some(disabled(&user(&[]))), account.clone(), true), Some(Refusal::NotSignedIn)),
            (by(person.clone(), None, true), Some(Refusal::NotThere)),
            (by(person.clone(), account, false), Some(Refusal::NotCreator)),
            (
                by(person.clone(), Some(user(&[role::USER_ADMINISTRATOR.id])), true),
                Some(Refusal::NotAdministrator),
            ),
            (by(person, Some(disabled(&administrator)), true), Some(Refusal::NotAdministrator)),
        ] {
            assert_eq!(decide(&facts).into_result().err(), expected, "{facts:?}");
        }
        let named: Vec<_> = left.kinds().collect();
        assert_eq!(named, [(1, "other users"), (2, "groups")]);
    }
}
