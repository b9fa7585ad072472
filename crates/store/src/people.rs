//! People across tenants. A person is who they are at home; what is counted of them belongs to no tenant, because every
//! tenant that they are in has a hand in it. Nobody is told but how many there are, and only to decide (R21).

use crate::fault::Fault;
use crate::sql::Value;
use crate::{ReadTx, WriteTx};
use domain::directory::user::{SignInUser, User};
use domain::id::{SessionId, TenantId, UserId};
use domain::signin::session::Session;
use domain::tenancy::domain_name::Address;
use domain::tenancy::limits::{Limit, Limits};
use domain::tenancy::tenant::Tenant;
use std::sync::Arc;
use uuid::Uuid;

/// Who somebody is at home. Subjects are different in every tenant; this pair is what they all stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    pub home: TenantId,
    pub user: UserId,
}

/// An organisation other than the home that a person is in.
#[derive(Clone, Debug)]
pub struct Membership {
    pub tenant: Arc<Tenant>,
    /// The person's account there, which the home vouched for.
    pub account: SignInUser,
    /// The person made the tenant.
    pub is_creator: bool,
}

impl ReadTx<'_> {
    /// The person whom an address names in a tenant that owns its domain: by sign-in name, else by a mail address that
    /// only one has. The home decides at redemption; until then this is the best guess, and good enough to count.
    pub fn find_person(&self, home: TenantId, address: &Address) -> Result<Option<Person>, Fault> {
        let (tenant, folded) = (home.uuid(), address.folded());
        for column in ["sign_in_name_folded", "mail_folded"] {
            let sql = format!(
                "SELECT id FROM users WHERE tenant = $1 AND {column} = $2 AND deleted_at IS NULL
                    AND external_state IS NULL LIMIT 2"
            );
            let found = self
                .link()
                .all(&sql, &[(&tenant).into(), Value::Text(&folded)], |row| Ok(UserId::new(row.uuid(0)?)))?;
            if let [user] = found[..] {
                return Ok(Some(Person { home, user }));
            }
        }
        Ok(None)
    }

    /// In how many directories a person is, and may be: the home, and those where a guest of theirs was not deleted.
    pub fn directories(&self, person: Person, limits: &Limits) -> Result<(i64, i64), Fault> {
        let (guest_of, _) = self.person_counts(person)?;
        Ok((1 + guest_of, self.limit_of(person, Limit::DirectoriesOfPerson, limits)?))
    }

    /// How many tenants a person made, and may make.
    pub fn tenants_created(&self, person: Person, limits: &Limits) -> Result<(i64, i64), Fault> {
        let (_, created) = self.person_counts(person)?;
        Ok((created, self.limit_of(person, Limit::TenantsOfCreator, limits)?))
    }

    fn limit_of(&self, person: Person, limit: Limit, limits: &Limits) -> Result<i64, Fault> {
        let home = self.find_tenant(person.home)?;
        Ok(home.map_or_else(|| limits.get(limit), |home| home.limit(limit, limits)))
    }

    /// A person as the home has them, with the roles there.
    pub fn find_at_home(&self, person: Person) -> Result<Option<SignInUser>, Fault> {
        self.from(person.home).find_sign_in_user(person.user)
    }

    /// A person's session at home, ended or not.
    pub fn find_session_at_home(&self, home: TenantId, id: SessionId) -> Result<Option<Session>, Fault> {
        self.from(home).find_session(id)
    }

    /// The account of a person whose home is elsewhere, in this transaction's tenant: one that the home vouched for.
    pub fn find_account_of(&self, person: Person) -> Result<Option<SignInUser>, Fault> {
        let tenant = self.tenant()?.uuid();
        let accounts = self.link().all(
            "SELECT user FROM memberships WHERE home_tenant = $1 AND home_user = $2 AND tenant = $3",
            &[(&person.home.uuid()).into(), (&person.user.uuid()).into(), (&tenant).into()],
            |row| Ok(UserId::new(row.uuid(0)?)),
        )?;
        for account in accounts {
            let found = self.find_sign_in_user(account)?.filter(|found| {
                found.identity.as_ref().is_some_and(|identity| {
                    (identity.home_tenant, identity.home_user) == (person.home, person.user)
                })
            });
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What a person is in this transaction's tenant, where their home is another.
    pub fn find_membership(&self, person: Person) -> Result<Option<Membership>, Fault> {
        let Some((tenant, account)) = self.find_tenant_here()?.zip(self.find_account_of(person)?) else {
            return Ok(None);
        };
        Ok(Some(Membership { tenant, account, is_creator: self.creator_of_tenant()? == Some(person) }))
    }

    /// The organisations other than the home that a person is in.
    pub fn memberships_of(&self, person: Person, most: i64) -> Result<Vec<Membership>, Fault> {
        let tenants = self.link().all(
            "SELECT DISTINCT tenant FROM memberships WHERE home_tenant = $1 AND home_user = $2 LIMIT $3",
            &[(&person.home.uuid()).into(), (&person.user.uuid()).into(), most.into()],
            |row| Ok(TenantId::new(row.uuid(0)?)),
        )?;
        let found = tenants.into_iter().map(|tenant| self.from(tenant).find_membership(person));
        Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Whom a guest of this tenant is counted for.
    pub fn person_of(&self, guest: UserId) -> Result<Option<Person>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().one(
            "SELECT home_tenant, home_user FROM memberships WHERE tenant = $1 AND user = $2",
            &[(&tenant).into(), (&guest.uuid()).into()],
            |row| Ok(Person { home: TenantId::new(row.uuid(0)?), user: UserId::new(row.uuid(1)?) }),
        )
    }

    fn person_counts(&self, person: Person) -> Result<(i64, i64), Fault> {
        let found = self.link().one(
            "SELECT guest_of, created FROM people WHERE home_tenant = $1 AND home_user = $2",
            &[(&person.home.uuid()).into(), (&person.user.uuid()).into()],
            |row| Ok((row.int(0)?, row.int(1)?)),
        )?;
        Ok(found.unwrap_or_default())
    }
}

impl WriteTx<'_> {
    /// Counts a new guest for the person whom the address names, as far as that is known.
    pub(crate) fn expect_guest(&self, user: &User, home: Option<TenantId>) -> Result<(), Fault> {
        let address = user.mail.as_deref().and_then(Address::parse);
        let (Some(home), Some(address), Some(_)) = (home, address, &user.external) else { return Ok(()) };
        match self.find_person(home, &address)? {
            Some(person) => self.join(user.id, person),
            None => Ok(()),
        }
    }

    /// Counts a guest for a person, and for nobody else.
    pub(crate) fn join(&self, guest: UserId, person: Person) -> Result<(), Fault> {
        let known = self.person_of(guest)?;
        if known == Some(person) {
            return Ok(());
        }
        let tenant = self.tenant()?.uuid();
        self.count_membership(guest, false)?;
        self.link().run(
            "INSERT INTO memberships (tenant, user, home_tenant, home_user) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant, user) DO UPDATE SET home_tenant = excluded.home_tenant, home_user = excluded.home_user",
            &[
                (&tenant).into(),
                (&guest.uuid()).into(),
                (&person.home.uuid()).into(),
                (&person.user.uuid()).into(),
            ],
        )?;
        self.count_membership(guest, true)
    }

    /// A guest is in this tenant from now on, or is not.
    pub(crate) fn count_membership(&self, guest: UserId, is_there: bool) -> Result<(), Fault> {
        match self.person_of(guest)? {
            Some(person) => self.add_to_person(person, if is_there { 1 } else { -1 }, 0),
            None => Ok(()),
        }
    }

    /// Counts this transaction's tenant for the person who made it.
    pub fn count_created_tenant(&self, person: Person) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "UPDATE tenants SET creator_home = $1, creator_user = $2 WHERE tenant = $3",
            &[(&person.home.uuid()).into(), (&person.user.uuid()).into(), (&tenant).into()],
        )?;
        self.add_to_person(person, 0, 1)
    }

    /// It is deleted.
    pub(crate) fn uncount_created_tenant(&self, person: Person) -> Result<(), Fault> {
        self.add_to_person(person, 0, -1)
    }

    fn add_to_person(&self, person: Person, guest_of: i64, created: i64) -> Result<(), Fault> {
        let (home, user): (Uuid, Uuid) = (person.home.uuid(), person.user.uuid());
        self.link().run(
            "INSERT INTO people (home_tenant, home_user, guest_of, created) VALUES ($1, $2, $3, $4)
             ON CONFLICT (home_tenant, home_user) DO UPDATE SET guest_of = people.guest_of + excluded.guest_of,
               created = people.created + excluded.created",
            &[(&home).into(), (&user).into(), guest_of.into(), created.into()],
        )?;
        Ok(())
    }
}
