//! How much there may be of what: one table of limits (facts: limits §1 to §3), and the decisions that count objects.
//!
//! Objects are counted in quarters, because what was deleted and cannot be restored weighs a quarter for thirty days. Shown
//! and compared are whole objects, rounded down: the object that would make one more whole one is the one refused.

use crate::directory::permission::Actor;
use crate::directory::role;
use crate::tenancy::tenant::Tenant;
use crate::time::Span;
use std::collections::BTreeMap;

/// A limit that a deployment, and within it a tenant, may set otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// App roles that one user, group or service principal holds, of all resources together.
    AppRolesOfPrincipal,
    /// Directories that one person belongs to, the home included. The home tenant's word counts.
    DirectoriesOfPerson,
    /// Groups whose members are found by a rule.
    DynamicGroups,
    FederatedCredentialsOfApplication,
    /// Users, groups, applications and service principals of a tenant.
    Objects,
    /// Of those, what one user without an administrator's role made.
    ObjectsOfNonAdmin,
    /// In place of `Objects`, for a tenant that verified a domain of its own.
    ObjectsWithVerifiedDomain,
    /// Of a registration, and of a service principal.
    OwnersOfApplication,
    OwnersOfGroup,
    /// Groups that directory roles can be given to.
    RoleAssignableGroups,
    SponsorsOfGuest,
    /// Tenants that one person made. The home tenant's word counts.
    TenantsOfCreator,
}

impl Limit {
    pub const ALL: [Self; 12] = [
        Self::AppRolesOfPrincipal,
        Self::DirectoriesOfPerson,
        Self::DynamicGroups,
        Self::FederatedCredentialsOfApplication,
        Self::Objects,
        Self::ObjectsOfNonAdmin,
        Self::ObjectsWithVerifiedDomain,
        Self::OwnersOfApplication,
        Self::OwnersOfGroup,
        Self::RoleAssignableGroups,
        Self::SponsorsOfGuest,
        Self::TenantsOfCreator,
    ];

    /// Its name in descriptions; a configuration file may write it with underscores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppRolesOfPrincipal => "appRolesOfPrincipal",
            Self::DirectoriesOfPerson => "directoriesOfPerson",
            Self::DynamicGroups => "dynamicGroups",
            Self::FederatedCredentialsOfApplication => "federatedCredentialsOfApplication",
            Self::Objects => "objects",
            Self::ObjectsOfNonAdmin => "objectsOfNonAdmin",
            Self::ObjectsWithVerifiedDomain => "objectsWithVerifiedDomain",
            Self::OwnersOfApplication => "ownersOfApplication",
            Self::OwnersOfGroup => "ownersOfGroup",
            Self::RoleAssignableGroups => "roleAssignableGroups",
            Self::SponsorsOfGuest => "sponsorsOfGuest",
            Self::TenantsOfCreator => "tenantsOfCreator",
        }
    }

    // DEFAULT: what Microsoft Entra documents, so that what works there works here (facts: limits §1, §2, §4).
    const fn default(self) -> u32 {
        match self {
            Self::AppRolesOfPrincipal => 1_500,
            Self::DirectoriesOfPerson | Self::RoleAssignableGroups => 500,
            Self::DynamicGroups => 15_000,
            Self::FederatedCredentialsOfApplication => 20,
            Self::Objects => 50_000,
            Self::ObjectsOfNonAdmin => 250,
            Self::ObjectsWithVerifiedDomain => 300_000,
            Self::OwnersOfApplication | Self::OwnersOfGroup => 100,
            Self::SponsorsOfGuest => 5,
            Self::TenantsOfCreator => 200,
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.replace('_', "");
        Self::ALL.into_iter().find(|limit| limit.as_str().eq_ignore_ascii_case(&plain))
    }
}

/// What somebody set; of the rest, the defaults count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits(BTreeMap<Limit, u32>);

impl Limits {
    #[must_use]
    pub fn with(mut self, limit: Limit, most: u32) -> Self {
        self.0.insert(limit, most);
        self
    }
    /// Reads names and numbers; the first name that is no limit is handed back.
    pub fn parse<'a>(texts: impl IntoIterator<Item = (&'a str, u32)>) -> Result<Self, String> {
        texts.into_iter().try_fold(Self::default(), |limits, (name, most)| match Limit::parse(name) {
            Some(limit) => Ok(limits.with(limit, most)),
            None => Err(name.to_owned()),
        })
    }
    /// What was set, and nothing of the defaults.
    pub fn set(&self) -> impl Iterator<Item = (Limit, u32)> {
        self.0.iter().map(|(limit, most)| (*limit, *most))
    }
    pub fn get(&self, limit: Limit) -> i64 {
        i64::from(self.0.get(&limit).copied().unwrap_or(limit.default()))
    }
    fn own(&self, limit: Limit) -> Option<i64> {
        self.0.get(&limit).copied().map(i64::from)
    }
}

impl Tenant {
    /// A limit of this tenant: its own word, else the deployment's.
    pub fn limit(&self, limit: Limit, deployment: &Limits) -> i64 {
        self.settings.limits.own(limit).unwrap_or_else(|| deployment.get(limit))
    }

    /// How many objects the tenant may have. A number of its own counts whatever domains it has.
    pub fn most_objects(&self, deployment: &Limits) -> i64 {
        let own = &self.settings.limits;
        let has_domain = self.is_verified();
        let special = has_domain.then_some(Limit::ObjectsWithVerifiedDomain);
        special
            .and_then(|limit| own.own(limit))
            .or_else(|| own.own(Limit::Objects))
            .unwrap_or_else(|| deployment.get(special.unwrap_or(Limit::Objects)))
    }
}

/// What an object weighs, and how long what cannot be restored still weighs something (facts: limits §1).
pub const WHOLE: i64 = 4;
pub const DELETED: i64 = 1;
pub const FADES: Span = Span::days(30);

/// What is counted, in quarters of an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quarters(pub i64);

impl Quarters {
    /// Whole objects, as they are shown.
    pub const fn whole(self) -> i64 {
        self.0.div_euclid(WHOLE)
    }
}

/// What a tenant, and the user who makes an object, have by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    pub tenant: Quarters,
    pub creator: Quarters,
}

/// Why there is no room for one more object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// A user without an administrator's role made as many as one may.
    Creator {
        used: i64,
        most: i64,
    },
    Tenant {
        used: i64,
        most: i64,
    },
}

impl Full {
    /// Stable name for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creator { .. } => "creatorQuotaExceeded",
            Self::Tenant { .. } => "tenantQuotaExceeded",
        }
    }
}

/// Whether so many more objects fit. `creator` is the user who makes it, if one does.
pub fn admit(
    room: Room,
    count: i64,
    tenant: &Tenant,
    creator: Option<&Actor>,
    deployment: &Limits,
) -> Result<(), Full> {
    let (used, most) = (room.tenant.whole(), tenant.most_objects(deployment));
    if used + count > most {
        return Err(Full::Tenant { used, most });
    }
    let (used, most) = (room.creator.whole(), tenant.limit(Limit::ObjectsOfNonAdmin, deployment));
    match creator {
        Some(Actor::User { directory_roles, .. })
            if used + count > most && !directory_roles.iter().any(|held| role::is_administrator(*held)) =>
        {
            Err(Full::Creator { used, most })
        }
        Some(Actor::Application { .. } | Actor::Operator | Actor::User { .. }) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::user::UserType;
    use crate::id::{AppId, RoleTemplateId, TenantId, UserId};
    use crate::tenancy::domain_name::DomainName;
    use crate::tenancy::tenant::{TenantDomain, TenantSettings, TenantState};
    use crate::time::Timestamp;
    use uuid::Uuid;

    fn tenant(domains: &[&str], limits: Limits) -> Tenant {
        let domain = |(at, name): (usize, &&str)| TenantDomain {
            name: DomainName::parse(name).unwrap(),
            is_default: at == 0,
            is_initial: at == 0,
            is_verified: true,
        };
        Tenant {
            id: TenantId::new(Uuid::from_u128(1)),
            display_name: "Contoso".to_owned(),
            state: TenantState::Active,
            created_at: Timestamp::from_millis(0),
            region_scope: "EU".to_owned(),
            region_sub_scope: None,
            settings: TenantSettings { limits, ..TenantSettings::for_region("EU") },
            domains: domains.iter().enumerate().map(domain).collect(),
        }
    }

    fn person(directory_roles: &[RoleTemplateId]) -> Actor {
        Actor::User {
            user: UserId::new(Uuid::from_u128(2)),
            user_type: UserType::Member,
            is_external: false,
            directory_roles: directory_roles.to_vec(),
            without_role: crate::tenancy::tenant::WithoutRole::default(),
            app_id: AppId::new(Uuid::from_u128(3)),
            scopes: Vec::new(),
        }
    }

    #[test]
    fn a_tenants_own_word_goes_before_the_deployments_and_that_before_the_default() {
        let (none, deployment) = (Limits::default(), Limits::default().with(Limit::Objects, 70));
        let own = Limits::default().with(Limit::Objects, 7);
        for (domains, own, deployment, expected) in [
            (&["a.test"][..], &none, &none, 50_000),
            (&["a.test", "b.test"], &none, &none, 300_000),
            (&["a.test"], &none, &deployment, 70),
            (&["a.test", "b.test"], &none, &deployment, 300_000),
            (&["a.test"], &own, &deployment, 7),
            (&["a.test", "b.test"], &own, &deployment, 7),
        ] {
            assert_eq!(tenant(domains, own.clone()).most_objects(deployment), expected);
        }
    }

    #[test]
    fn one_more_fits_while_the_whole_objects_are_fewer_than_may_be() {
        let (contoso, two) =
            (tenant(&["a.test"], Limits::default()), Limits::default().with(Limit::Objects, 2));
        for (quarters, fits) in [(0, true), (7, true), (8, false), (9, false)] {
            let room = Room { tenant: Quarters(quarters), creator: Quarters(0) };
            assert_eq!(admit(room, 1, &contoso, None, &two).is_ok(), fits, "{quarters}");
        }
    }

    #[test]
    fn only_a_user_without_an_administrators_role_is_counted_alone() {
        let contoso = tenant(&["a.test"], Limits::default());
        let room = Room { tenant: Quarters(0), creator: Quarters(250 * WHOLE) };
        let admit = |actor: &Actor| admit(room, 1, &contoso, Some(actor), &Limits::default());
        assert_eq!(admit(&person(&[])), Err(Full::Creator { used: 250, most: 250 }));
        assert!(admit(&person(&[role::GUEST_INVITER.id, role::GLOBAL_READER.id])).is_err());
        assert_eq!(admit(&person(&[role::USER_ADMINISTRATOR.id])), Ok(()));
    }

    #[test]
    fn where_nobody_says_anything_it_is_as_documented() {
        let defaults = Limit::ALL.map(|limit| (limit.as_str(), Limits::default().get(limit)));
        let documented = [
            ("appRolesOfPrincipal", 1_500),
            ("directoriesOfPerson", 500),
            ("dynamicGroups", 15_000),
            ("federatedCredentialsOfApplication", 20),
            ("objects", 50_000),
            ("objectsOfNonAdmin", 250),
            ("objectsWithVerifiedDomain", 300_000),
            ("ownersOfApplication", 100),
            ("ownersOfGroup", 100),
            ("roleAssignableGroups", 500),
            ("sponsorsOfGuest", 5),
            ("tenantsOfCreator", 200),
        ];
        assert_eq!(defaults, documented);
    }

    #[test]
    fn names_are_read_with_and_without_underscores() {
        for limit in Limit::ALL {
            assert_eq!(Limit::parse(limit.as_str()), Some(limit));
        }
        assert_eq!(Limit::parse("objects_of_non_admin"), Some(Limit::ObjectsOfNonAdmin));
        assert_eq!(Limits::parse([("colours", 3)]), Err("colours".to_owned()));
    }
}
