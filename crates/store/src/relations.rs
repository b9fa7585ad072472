//! Who owns registrations and service principals, who manages whom, who answers for whom.

use crate::changes::Operation;
use crate::fault::Fault;
use crate::groups::kind_text;
use crate::{ReadTx, WriteTx};
use domain::directory::group::LinkedKind;
use domain::id::UserId;
use domain::time::Timestamp;
use uuid::Uuid;

impl ReadTx<'_> {
    pub fn is_owner(&self, object: Uuid, owner: Uuid) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT 1 FROM owners WHERE tenant = $1 AND object = $2 AND owner = $3";
        let values = [(&tenant).into(), (&object).into(), (&owner).into()];
        Ok(self.link().one(sql, &values, |_| Ok(()))?.is_some())
    }

    pub fn count_owners(&self, object: Uuid) -> Result<i64, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT COUNT(*) FROM owners WHERE tenant = $1 AND object = $2";
        let found = self.link().one(sql, &[(&tenant).into(), (&object).into()], |row| row.int(0))?;
        Ok(found.unwrap_or(0))
    }

    pub fn manager_of(&self, user: UserId) -> Result<Option<UserId>, Fault> {
        let (tenant, user) = (self.tenant()?.uuid(), user.uuid());
        let sql = "SELECT manager FROM managers WHERE tenant = $1 AND user = $2";
        self.link().one(sql, &[(&tenant).into(), (&user).into()], |row| Ok(UserId::new(row.uuid(0)?)))
    }

    /// The managers above a user from the nearest up, as many as `levels` at most; a circle is gone round once.
    pub fn managers_above(&self, user: UserId, levels: u32) -> Result<Vec<UserId>, Fault> {
        let (tenant, user) = (self.tenant()?.uuid(), user.uuid());
        let sql = "WITH RECURSIVE above(id, level) AS (
               SELECT m.manager, 1 FROM managers m WHERE m.tenant = $1 AND m.user = $2
               UNION ALL SELECT m.manager, a.level + 1 FROM above a CROSS JOIN managers m
                WHERE m.tenant = $1 AND m.user = a.id AND a.id <> $2 AND a.level < $3)
             SELECT id FROM above ORDER BY level";
        let values = [(&tenant).into(), (&user).into(), i64::from(levels).into()];
        let mut found: Vec<UserId> = Vec::new();
        for manager in self.link().all(sql, &values, |row| Ok(UserId::new(row.uuid(0)?)))? {
            // Who is met again, or was begun with, has nobody new above.
            if manager.uuid() == user || found.contains(&manager) {
                break;
            }
            found.push(manager);
        }
        Ok(found)
    }
}

impl WriteTx<'_> {
    /// Makes an object an owner of another. `false` when it is one already.
    pub fn add_owner(
        &self,
        (kind, object): (LinkedKind, Uuid),
        (owner_kind, owner): (LinkedKind, Uuid),
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let is_new = self.link().insert(
            "INSERT INTO owners (tenant, object, object_kind, owner, owner_kind, added_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                (&tenant).into(),
                (&object).into(),
                kind_text(kind).into(),
                (&owner).into(),
                kind_text(owner_kind).into(),
                at.into(),
            ],
        )?;
        if is_new {
            self.log_change(kind_text(kind), object, Operation::Updated, at)?;
        }
        Ok(is_new)
    }

    /// `false` when it was no owner.
    pub fn remove_owner(
        &self,
        (kind, object): (LinkedKind, Uuid),
        owner: Uuid,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "DELETE FROM owners WHERE tenant = $1 AND object = $2 AND owner = $3";
        let removed = self.link().run(sql, &[(&tenant).into(), (&object).into(), (&owner).into()])?;
        if removed > 0 {
            self.log_change(kind_text(kind), object, Operation::Updated, at)?;
        }
        Ok(removed > 0)
    }

    pub fn set_manager(&self, user: UserId, manager: UserId, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO managers (tenant, user, manager) VALUES ($1, $2, $3)
             ON CONFLICT (tenant, user) DO UPDATE SET manager = excluded.manager",
            &[(&tenant).into(), (&user.uuid()).into(), (&manager.uuid()).into()],
        )?;
        self.log_change("user", user.uuid(), Operation::Updated, at)
    }

    /// `false` when there is none.
    pub fn clear_manager(&self, user: UserId, at: Timestamp) -> Result<bool, Fault> {
        let (tenant, user) = (self.tenant()?.uuid(), user.uuid());
        let sql = "DELETE FROM managers WHERE tenant = $1 AND user = $2";
        let cleared = self.link().run(sql, &[(&tenant).into(), (&user).into()])?;
        if cleared > 0 {
            self.log_change("user", user, Operation::Updated, at)?;
        }
        Ok(cleared > 0)
    }

    /// `false` when there is no such sponsor.
    pub fn remove_sponsor(&self, user: UserId, sponsor: UserId) -> Result<bool, Fault> {
        let (tenant, user, sponsor) = (self.tenant()?.uuid(), user.uuid(), sponsor.uuid());
        let sql = "DELETE FROM sponsors WHERE tenant = $1 AND user = $2 AND sponsor = $3";
        Ok(self.link().run(sql, &[(&tenant).into(), (&user).into(), (&sponsor).into()])? > 0)
    }
}
