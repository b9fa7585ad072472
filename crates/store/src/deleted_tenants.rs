//! Deleted tenants: closed in one small write, and emptied afterwards, a little at a time. What stays is the id with its
//! name (R22), the ids of its objects, and its records.

use crate::fault::Fault;
use crate::sql::Value;
use crate::{Person, ReadTx, WriteTx};
use domain::directory::application::Application;
use domain::directory::first_party;
use domain::id::{ApplicationId, GroupId, TenantId, UserId};
use domain::tenancy::deletion::{Left, NAME_KEPT};
use domain::tenancy::domain_name::DomainName;
use domain::time::Timestamp;

/// Objects, or rows of one table, that one step removes.
const STEP: i64 = 100;
/// Objects of a kind that are counted, so that nobody waits for the counting.
const COUNTED: i64 = 1_000;

/// Every table that a tenant has rows in, with its key. What stays is listed with its reason in the test below.
const EMPTIED: &[(&str, &str)] = &[
    ("users", "tenant, id"),
    ("groups", "tenant, id"),
    ("applications", "tenant, id"),
    ("service_principals", "tenant, id"),
    ("activated_roles", "tenant, role"),
    ("app_role_assignments", "tenant, id"),
    ("applied", "tenant, kind, name"),
    ("attempts", "tenant, id"),
    ("codes", "tenant, hash"),
    ("consent_requests", "tenant, id"),
    ("consents", "tenant, id"),
    ("device_codes", "tenant, hash"),
    ("failures", "tenant, subject"),
    ("group_links", "tenant, group_id, link, object"),
    ("home_visits", "tenant, state"),
    ("identifier_uris", "tenant, uri"),
    ("identities", "tenant, issuer, subject"),
    ("instance_secrets", "tenant, instance, id"),
    ("invitations", "tenant, id"),
    ("mail_blocks", "tenant, address_folded"),
    ("mail_recipients", "tenant, address_folded, mail"),
    ("managers", "tenant, user"),
    ("memberships", "tenant, user"),
    ("object_counts", "tenant, creator"),
    ("object_creators", "tenant, object"),
    ("object_fades", "tenant, creator, due_at, object"),
    ("owners", "tenant, object, owner"),
    ("passwords", "tenant, user"),
    // A token without its grant would not be known as old: tokens go first.
    ("refresh_tokens", "tenant, hash"),
    ("grants", "tenant, id"),
    ("role_assignments", "tenant, principal, role"),
    ("rule_properties", "tenant, property, group_id"),
    ("rule_runs", "tenant, group_id"),
    ("sessions", "tenant, id"),
    ("sponsors", "tenant, user, sponsor"),
    ("terms", "tenant, kind, property, value, row"),
    ("token_lifetime_assignments", "tenant, object"),
    ("token_lifetime_policies", "tenant, id"),
];

impl ReadTx<'_> {
    /// What is in this tenant besides what every tenant has, and one user; each counted up to a number.
    pub fn left_in_tenant(&self) -> Result<Left, Fault> {
        let tenant = self.tenant()?.uuid();
        let own: Vec<String> =
            first_party::all().iter().map(|app| format!("x'{}'", app.app_id.uuid().simple())).collect();
        let count = |table: &str, condition: &str| -> Result<i64, Fault> {
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM {table} l WHERE l.tenant = $1 AND l.deleted_at IS NULL{condition}
                   LIMIT $2) AS counted"
            );
            let found = self.link().one(&sql, &[(&tenant).into(), COUNTED.into()], |row| row.int(0))?;
            Ok(found.unwrap_or_default())
        };
        Ok(Left {
            users: (count("users", "")? - 1).max(0),
            groups: count("groups", "")?,
            applications: count("applications", "")?,
            service_principals: count(
                "service_principals",
                &format!(" AND l.app_id NOT IN ({})", own.join(", ")),
            )?,
        })
    }

    /// The person who made this tenant, if a person did.
    pub fn creator_of_tenant(&self) -> Result<Option<Person>, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().one(
            "SELECT creator_home, creator_user FROM tenants WHERE tenant = $1",
            &[(&tenant).into()],
            |row| Ok(row.opt_uuid(0)?.zip(row.opt_uuid(1)?)),
        )?;
        Ok(found.flatten().map(|(home, user)| Person { home: TenantId::new(home), user: UserId::new(user) }))
    }

    /// Users of this tenant that were not deleted; some of them, where they are many.
    pub fn some_living_users(&self) -> Result<Vec<UserId>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT l.id FROM users l WHERE l.tenant = $1 AND l.deleted_at IS NULL LIMIT $2";
        self.link().all(sql, &[(&tenant).into(), STEP.into()], |row| Ok(UserId::new(row.uuid(0)?)))
    }

    /// Whether the name of a deleted tenant is kept from whoever chooses one.
    pub fn is_name_kept(&self, name: &DomainName, now: Timestamp) -> Result<bool, Fault> {
        let found = self.link().one(
            "SELECT 1 FROM kept_names WHERE name = $1 AND free_at > $2",
            &[Value::Text(name.as_str()), now.into()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Deleted tenants that still hold something; some of them.
    pub fn tenants_to_empty(&self) -> Result<Vec<TenantId>, Fault> {
        self.link().all(
            "SELECT tenant FROM tenants WHERE deleted_at IS NOT NULL AND cleared_at IS NULL LIMIT 20",
            &[],
            |row| Ok(TenantId::new(row.uuid(0)?)),
        )
    }
}

impl WriteTx<'_> {
    /// Whether this tenant was deleted: a request that began before writes nothing into it any more (R38).
    pub(crate) fn is_gone(&self) -> Result<bool, Fault> {
        let Some(tenant) = self.tenant else { return Ok(false) };
        let sql = "SELECT 1 FROM tenants WHERE tenant = $1 AND deleted_at IS NOT NULL";
        Ok(self.link().one(sql, &[(&tenant.uuid()).into()], |_| Ok(()))?.is_some())
    }

    /// Closes this tenant for good: it is found by no name and no id from now on, and whoever made it has made one fewer.
    /// Its names are free, except those to be kept for a while. The caller saw to it that nobody is left in it.
    pub fn close_tenant(&self, kept: &[DomainName], at: Timestamp) -> Result<(), Fault> {
        self.touch_config();
        let id = self.tenant()?.uuid();
        let closed = self.link().run(
            "UPDATE tenants SET state = 'deleted', deleted_at = $1, logo_type = NULL, logo = NULL
              WHERE tenant = $2 AND deleted_at IS NULL",
            &[at.into(), (&id).into()],
        )?;
        if closed == 0 {
            return Err(Fault::Bug("a tenant that is not there was to be closed"));
        }
        self.is_closing.set(true);
        self.link().run("DELETE FROM domains WHERE tenant = $1", &[(&id).into()])?;
        self.link().run(
            "UPDATE outbox SET done_at = $1, failure = 'the tenant was deleted' WHERE tenant = $2 AND done_at IS NULL",
            &[at.into(), (&id).into()],
        )?;
        for name in kept {
            self.link().run(
                "INSERT INTO kept_names (name, free_at) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET free_at = excluded.free_at",
                &[Value::Text(name.as_str()), (at + NAME_KEPT).into()],
            )?;
        }
        if let Some(creator) = self.creator_of_tenant()? {
            self.uncount_created_tenant(creator)?;
        }
        self.bury(TenantId::new(id), "tenant", id, at)
    }

    /// The next registration of a deleted tenant: its instances are other tenants' affair, so it goes by itself.
    pub fn application_to_empty(&self) -> Result<Option<Application>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT l.id FROM applications l WHERE l.tenant = $1 LIMIT 1";
        let id = self.link().one(sql, &[(&tenant).into()], |row| row.uuid(0))?;
        id.map_or(Ok(None), |id| self.find_application(ApplicationId::new(id)))
    }

    /// Removes a little of what a deleted tenant held besides its registrations; answers whether nothing is left.
    pub fn empty_tenant(&self, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let ids = |table: &str| {
            let sql = format!("SELECT l.id FROM {table} l WHERE l.tenant = $1 LIMIT $2");
            self.link().all(&sql, &[(&tenant).into(), STEP.into()], |row| row.uuid(0))
        };
        // Objects go one by one: people elsewhere are counted for them, and their ids never come back.
        let (users, groups) = (ids("users")?, ids("groups")?);
        for user in &users {
            self.purge_user(UserId::new(*user), at)?;
        }
        for group in &groups {
            self.purge_group(GroupId::new(*group), at)?;
        }
        if !(users.is_empty() && groups.is_empty()) {
            return Ok(false);
        }
        let instances = ids("service_principals")?;
        for instance in &instances {
            if !self.is_buried(*instance)? {
                self.bury(TenantId::new(tenant), "servicePrincipal", *instance, at)?;
            }
        }
        if !instances.is_empty() {
            self.touch_config();
        }
        let mut removed = 0;
        for (table, key) in EMPTIED {
            let sql = format!(
                "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} l WHERE l.tenant = $1 LIMIT $2)"
            );
            removed += self.link().run(&sql, &[(&tenant).into(), STEP.into()])?;
        }
        if removed == 0 {
            self.link().run(
                "UPDATE tenants SET cleared_at = $1 WHERE tenant = $2",
                &[at.into(), (&tenant).into()],
            )?;
        }
        Ok(removed == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Place, RootKey, Store};
    use std::collections::BTreeSet;

    /// Tables whose rows stay, and why.
    const STAYS: &[(&str, &str)] = &[
        ("changes", "trimmed with the log: a number that came back would be behind somebody's delta token"),
        (
            "outbox",
            "given up when the tenant is closed, and swept: a number that came back might be one under way",
        ),
        ("browsers", "says which browser was where; worth nothing without sessions, and swept by its age"),
        ("directory_records", "records stay as long as records do"),
        ("domains", "removed when the tenant is closed"),
        ("sign_in_records", "records, too"),
        ("tenants", "the id, which never comes back"),
        ("tombstones", "ids that never come back (R22)"),
    ];

    #[test]
    fn every_table_is_emptied_or_stays_for_a_reason() {
        let root_key = RootKey::new([7; 32]);
        let store =
            Store::open(Options { place: Place::Memory, root_key, readers: 1, reruns: false }).unwrap();
        let tables = store.read(|tx| {
            tx.link().all(
                "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
                  WHERE m.type = 'table' AND c.name = 'tenant' ORDER BY m.name",
                &[],
                |row| row.text(0),
            )
        });
        let listed: Vec<&str> = EMPTIED.iter().chain(STAYS).map(|(table, _)| *table).collect();
        let unique: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(listed.len(), unique.len());
        assert_eq!(tables.unwrap(), unique.into_iter().collect::<Vec<_>>());
    }
}
