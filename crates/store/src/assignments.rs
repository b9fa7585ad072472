//! Who holds which app roles: principals themselves, and users through the groups that they are in.

use crate::fault::Fault;
use crate::sql::{Owned, Row, borrow};
use crate::{ReadTx, WriteTx};
use domain::id::{PartId, ServicePrincipalId};
use domain::time::Timestamp;
use uuid::Uuid;

/// An app role that a principal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppRoleAssignment {
    pub id: Uuid,
    pub principal: Uuid,
    pub resource: ServicePrincipalId,
    pub role: PartId,
    pub created_at: Timestamp,
}

/// Whose assignments are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// What a principal holds itself.
    Of(Uuid),
    /// What a user holds, also through the groups that the user is a direct member of.
    OfUser(Uuid),
    /// Who holds roles of a resource.
    To(ServicePrincipalId),
}

/// What else must hold of an assignment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssignmentFilter {
    pub principal: Option<Uuid>,
    pub resource: Option<Uuid>,
    pub role: Option<Uuid>,
}

const COLUMNS: &str = "a.id, a.principal, a.resource, a.role, a.created_at";

/// Groups give their roles to direct members only, and only while they are there (facts: limits §2).
const THROUGH_GROUPS: &str = "group_links m CROSS JOIN groups g CROSS JOIN app_role_assignments a
    WHERE m.tenant = $1 AND m.object = $2 AND m.link = 'member' AND g.tenant = $1 AND g.id = m.group_id
      AND g.deleted_at IS NULL AND a.tenant = $1 AND a.principal = m.group_id";

fn read(row: &Row<'_>) -> Result<AppRoleAssignment, Fault> {
    Ok(AppRoleAssignment {
        id: row.uuid(0)?,
        principal: row.uuid(1)?,
        resource: ServicePrincipalId::new(row.uuid(2)?),
        role: PartId::new(row.uuid(3)?),
        created_at: row.time(4)?,
    })
}

fn list(
    tenant: Uuid,
    assigned: Assigned,
    filter: &AssignmentFilter,
    after: Option<Uuid>,
    limit: u32,
) -> (String, Vec<Owned>) {
    let own = "FROM app_role_assignments a WHERE a.tenant = $1 AND a.principal = $2";
    let (from, id) = match assigned {
        Assigned::Of(id) => (own.to_owned(), id),
        Assigned::OfUser(id) => {
            (format!("FROM (SELECT a.* {own} UNION ALL SELECT a.* FROM {THROUGH_GROUPS}) a WHERE 1 = 1"), id)
        }
        Assigned::To(id) => {
            ("FROM app_role_assignments a WHERE a.tenant = $1 AND a.resource = $2".to_owned(), id.uuid())
        }
    };
    let mut sql = format!("SELECT {COLUMNS} {from}");
    let mut values = vec![Owned::id(tenant), Owned::id(id)];
    for (column, value) in [
        ("a.principal =", filter.principal),
        ("a.resource =", filter.resource),
        ("a.role =", filter.role),
        ("a.id >", after),
    ] {
        if let Some(value) = value {
            values.push(Owned::id(value));
            sql.push_str(&format!(" AND {column} ${}", values.len()));
        }
    }
    values.push(Owned::Int(i64::from(limit)));
    sql.push_str(&format!(" ORDER BY a.id LIMIT ${}", values.len()));
    (sql, values)
}

impl ReadTx<'_> {
    /// Assignments in the order of their ids, after one of them.
    pub fn list_assignments(
        &self,
        assigned: Assigned,
        filter: &AssignmentFilter,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<AppRoleAssignment>, Fault> {
        let (sql, values) = list(self.tenant()?.uuid(), assigned, filter, after, limit);
        self.link().all(&sql, &borrow(&values), read)
    }

    /// How the engine would go about a list: for the test that nothing is looked through from end to end.
    pub fn explain_assignments(&self, assigned: Assigned) -> Result<Vec<String>, Fault> {
        let (sql, values) = list(self.tenant()?.uuid(), assigned, &AssignmentFilter::default(), None, 100);
        self.link().all(&format!("EXPLAIN QUERY PLAN {sql}"), &borrow(&values), |row| row.text(3))
    }

    /// One assignment.
    pub fn find_assignment(&self, id: Uuid) -> Result<Option<AppRoleAssignment>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM app_role_assignments a WHERE a.tenant = $1 AND a.id = $2");
        self.link().one(&sql, &[(&tenant).into(), (&id).into()], read)
    }

    /// Whether a principal holds a role itself.
    pub fn holds_app_role(
        &self,
        principal: Uuid,
        resource: ServicePrincipalId,
        role: PartId,
    ) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().one(
            "SELECT 1 FROM app_role_assignments WHERE tenant = $1 AND principal = $2 AND resource = $3 AND role = $4",
            &[(&tenant).into(), (&principal).into(), (&resource.uuid()).into(), (&role.uuid()).into()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// How many roles a principal holds itself; those of deleted resources count (facts: limits §3).
    pub fn count_assignments_of(&self, principal: Uuid) -> Result<i64, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT COUNT(*) FROM app_role_assignments WHERE tenant = $1 AND principal = $2";
        let found = self.link().one(sql, &[(&tenant).into(), (&principal).into()], |row| row.int(0))?;
        Ok(found.unwrap_or(0))
    }

    /// App roles of a resource that a user of this tenant holds, also through the groups that the user is in directly.
    pub fn user_app_roles(&self, user: Uuid, resource: ServicePrincipalId) -> Result<Vec<PartId>, Fault> {
        let (tenant, resource) = (self.tenant()?.uuid(), resource.uuid());
        let sql = format!(
            "SELECT a.role FROM app_role_assignments a WHERE a.tenant = $1 AND a.principal = $2 AND a.resource = $3
             UNION SELECT a.role FROM {THROUGH_GROUPS} AND a.resource = $3"
        );
        let values = [(&tenant).into(), (&user).into(), (&resource).into()];
        self.link().all(&sql, &values, |row| Ok(PartId::new(row.uuid(0)?)))
    }
}

impl WriteTx<'_> {
    /// Gives a principal an app role of a resource. `false` when it has the role already.
    pub fn assign_app_role(
        &self,
        id: Uuid,
        principal: Uuid,
        resource: ServicePrincipalId,
        role: PartId,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        self.link().insert(
            "INSERT INTO app_role_assignments (tenant, id, principal, resource, role, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                (&tenant).into(),
                (&id).into(),
                (&principal).into(),
                (&resource.uuid()).into(),
                (&role.uuid()).into(),
                at.into(),
            ],
        )
    }

    /// Takes an app role back. `false` when there is no such assignment.
    pub fn remove_assignment(&self, id: Uuid) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        let removed = self.link().run(
            "DELETE FROM app_role_assignments WHERE tenant = $1 AND id = $2",
            &[(&tenant).into(), (&id).into()],
        )?;
        Ok(removed > 0)
    }
}
