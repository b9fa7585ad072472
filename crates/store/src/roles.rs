//! Directory roles: which are activated, who holds them, directly or through a group.

use crate::changes::Operation;
use crate::fault::Fault;
use crate::groups::{LIVING, kind, kind_text};
use crate::sql::{Row, Value};
use crate::{ReadTx, WriteTx};
use domain::directory::role::{self, RoleAssignment};
use domain::id::{GroupId, RoleTemplateId, TenantId, UserId};
use domain::time::Timestamp;
use uuid::Uuid;

/// What is about to go of what makes people holders of a role.
#[derive(Clone, Copy, Debug)]
pub enum Going {
    /// Every assignment of a principal; of a group also because the group goes.
    Assignment(Uuid),
    Membership(GroupId, Uuid),
    /// The person, deleted or disabled.
    Person(UserId),
}

/// A group that gives its members the roles that it holds.
const GIVES: &str = "g.is_role_assignable = 1 AND g.deleted_at IS NULL";

/// Somebody who can sign in: a guest only after redemption.
const ABLE: &str = "u.is_enabled = 1 AND u.deleted_at IS NULL
    AND (u.external_state IS NULL OR u.external_state = 'Accepted')";

fn read_assignment(row: &Row<'_>) -> Result<RoleAssignment, Fault> {
    Ok(RoleAssignment {
        principal: row.uuid(0)?,
        kind: kind(&row.text(1)?)?,
        role: RoleTemplateId::new(row.uuid(2)?),
    })
}

impl ReadTx<'_> {
    /// The roles that count for a principal: its own, and those of the groups it is a direct member of.
    pub fn roles_of(&self, principal: Uuid) -> Result<Vec<RoleTemplateId>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT a.role AS role FROM role_assignments a WHERE a.tenant = $1 AND a.principal = $2
             UNION SELECT a.role FROM group_links m
               JOIN groups g ON g.tenant = $1 AND g.id = m.group_id AND {GIVES}
               JOIN role_assignments a ON a.tenant = $1 AND a.principal = g.id
              WHERE m.tenant = $1 AND m.object = $2 AND m.link = 'member'
             ORDER BY role"
        );
        self.link()
            .all(&sql, &[(&tenant).into(), (&principal).into()], |row| Ok(RoleTemplateId::new(row.uuid(0)?)))
    }

    /// The roles that were given to the principal itself.
    pub fn assigned_roles_of(&self, principal: Uuid) -> Result<Vec<RoleTemplateId>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().all(
            "SELECT role FROM role_assignments WHERE tenant = $1 AND principal = $2 ORDER BY role",
            &[(&tenant).into(), (&principal).into()],
            |row| Ok(RoleTemplateId::new(row.uuid(0)?)),
        )
    }

    /// Whether a user is a member or owner of a group that roles can be given to, whether it holds any yet or not.
    pub fn is_in_a_role_group(&self, user: UserId) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT 1 FROM group_links m JOIN groups g ON g.tenant = $1 AND g.id = m.group_id AND {GIVES}
              WHERE m.tenant = $1 AND m.object = $2 LIMIT 1"
        );
        let found = self.link().one(&sql, &[(&tenant).into(), (&user.uuid()).into()], |_| Ok(()))?;
        Ok(found.is_some())
    }

    pub fn activated_roles(&self) -> Result<Vec<RoleTemplateId>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().all(
            "SELECT role FROM activated_roles WHERE tenant = $1 ORDER BY role",
            &[(&tenant).into()],
            |row| Ok(RoleTemplateId::new(row.uuid(0)?)),
        )
    }

    /// An assignment to a principal that is there.
    pub fn find_role_assignment(
        &self,
        role: RoleTemplateId,
        principal: Uuid,
    ) -> Result<Option<RoleAssignment>, Fault> {
        Ok(self.list_role_assignments(Some(role), Some(principal), None, 1)?.pop())
    }

    /// The next assignments to principals that are there, in the order of principals and roles.
    pub fn list_role_assignments(
        &self,
        role: Option<RoleTemplateId>,
        principal: Option<Uuid>,
        after: Option<(RoleTemplateId, Uuid)>,
        limit: u32,
    ) -> Result<Vec<RoleAssignment>, Fault> {
        let tenant = self.tenant()?.uuid();
        let after = after.map(|(role, principal)| (principal, role.uuid()));
        let (role, mut ids) = (role.map(RoleTemplateId::uuid), vec![tenant]);
        let mut conditions = String::new();
        for (column, id) in [("a.principal", principal), ("a.role", role)] {
            if let Some(id) = id {
                ids.push(id);
                conditions.push_str(&format!(" AND {column} = ${}", ids.len()));
            }
        }
        if let Some((principal, role)) = after {
            ids.extend([principal, role]);
            conditions.push_str(&format!(
                " AND (a.principal, a.role) > (${}, ${})",
                ids.len() - 1,
                ids.len()
            ));
        }
        let mut values: Vec<Value<'_>> = ids.iter().map(Value::from).collect();
        values.push(i64::from(limit).into());
        let sql = format!(
            "SELECT f.id, f.kind, f.role FROM
               (SELECT a.principal AS id, a.kind, a.role FROM role_assignments a WHERE a.tenant = $1{conditions}) f
              WHERE {LIVING} ORDER BY f.id, f.role LIMIT ${}",
            values.len()
        );
        self.link().all(&sql, &values, read_assignment)
    }

    /// Whether somebody who can sign in holds the role without what is about to go.
    pub fn is_held_without(&self, role: RoleTemplateId, going: Going) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        // Nothing has the nil id.
        let nil = Uuid::nil();
        let (principal, person, group, member) = match going {
            Going::Assignment(principal) => (principal, nil, nil, nil),
            Going::Membership(group, member) => (nil, nil, group.uuid(), member),
            Going::Person(user) => (nil, user.uuid(), nil, nil),
        };
        let sql = format!(
            "SELECT 1 FROM role_assignments a
               JOIN users u ON u.tenant = $1 AND u.id = a.principal AND {ABLE}
              WHERE a.tenant = $1 AND a.role = $2 AND a.principal <> $3 AND u.id <> $4
             UNION ALL SELECT 1 FROM role_assignments a
               JOIN groups g ON g.tenant = $1 AND g.id = a.principal AND {GIVES}
               JOIN group_links m ON m.tenant = $1 AND m.group_id = g.id AND m.link = 'member'
               JOIN users u ON u.tenant = $1 AND u.id = m.object AND {ABLE}
              WHERE a.tenant = $1 AND a.role = $2 AND a.principal <> $3 AND u.id <> $4
                AND NOT (m.group_id = $5 AND m.object = $6)
             LIMIT 1"
        );
        let ids = [tenant, role.uuid(), principal, person, group, member];
        let values: Vec<Value<'_>> = ids.iter().map(Value::from).collect();
        Ok(self.link().one(&sql, &values, |_| Ok(()))?.is_some())
    }

    /// How many groups there are that roles can be given to.
    pub fn count_role_groups(&self) -> Result<i64, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().one(
            "SELECT COUNT(*) FROM groups WHERE tenant = $1 AND is_role_assignable = 1 AND deleted_at IS NULL",
            &[(&tenant).into()],
            |row| row.int(0),
        )?;
        Ok(found.unwrap_or(0))
    }
}

impl WriteTx<'_> {
    fn log_role(&self, role: RoleTemplateId, operation: Operation, at: Timestamp) -> Result<(), Fault> {
        self.log_change("directoryRole", role::object_id(self.tenant()?, role), operation, at)
    }

    /// Makes a role's object appear in the tenant. `false` when it is there.
    pub fn activate_role(&self, role: RoleTemplateId, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let is_new = self.link().insert(
            "INSERT INTO activated_roles (tenant, role, activated_at) VALUES ($1, $2, $3)",
            &[(&tenant).into(), (&role.uuid()).into(), at.into()],
        )?;
        if is_new {
            self.log_role(role, Operation::Created, at)?;
        }
        Ok(is_new)
    }

    /// Gives a role, and activates it. `false` when the principal holds it already.
    pub fn assign_role(&self, assignment: &RoleAssignment, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let RoleAssignment { principal, kind, role } = assignment;
        self.activate_role(*role, at)?;
        let is_new = self.link().insert(
            "INSERT INTO role_assignments (tenant, principal, role, kind) VALUES ($1, $2, $3, $4)",
            &[(&tenant).into(), principal.into(), (&role.uuid()).into(), kind_text(*kind).into()],
        )?;
        if is_new {
            self.log_role(*role, Operation::Updated, at)?;
        }
        Ok(is_new)
    }

    /// Takes a role back. `false` when the principal does not hold it itself.
    pub fn unassign_role(&self, role: RoleTemplateId, principal: Uuid, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let removed = self.link().run(
            "DELETE FROM role_assignments WHERE tenant = $1 AND principal = $2 AND role = $3",
            &[(&tenant).into(), (&principal).into(), (&role.uuid()).into()],
        )?;
        if removed > 0 {
            self.log_role(role, Operation::Updated, at)?;
        }
        Ok(removed > 0)
    }

    /// Takes every role from a principal that goes for good.
    pub(crate) fn unassign_roles(
        &self,
        tenant: TenantId,
        principal: Uuid,
        at: Timestamp,
    ) -> Result<(), Fault> {
        for role in self.from(tenant).assigned_roles_of(principal)? {
            let object = role::object_id(tenant, role);
            self.log_change_in(tenant, "directoryRole", object, Operation::Updated, at)?;
        }
        let sql = "DELETE FROM role_assignments WHERE tenant = $1 AND principal = $2";
        self.link().run(sql, &[(&tenant.uuid()).into(), (&principal).into()]).map(|_| ())
    }
}
