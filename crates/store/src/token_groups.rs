//! The groups that tokens name. A token needs them at every refresh, so each question is one statement by index.

use crate::ReadTx;
use crate::fault::Fault;
use crate::listing::Within;
use crate::sql::{Row, Value};
use domain::directory::token_claims::{GroupClaims, NamedGroup, TOKEN_GROUPS};
use domain::id::{GroupId, ServicePrincipalId};
use uuid::Uuid;

/// One more than a token takes: that is enough to know.
const ENOUGH: i64 = TOKEN_GROUPS as i64 + 1;

impl ReadTx<'_> {
    /// Groups of a user for a token of an application, as its registration asks; not all of them where they are more than a
    /// token takes.
    pub fn token_groups(
        &self,
        user: Uuid,
        claims: GroupClaims,
        app: Option<ServicePrincipalId>,
    ) -> Result<Vec<NamedGroup>, Fault> {
        let mut groups = Vec::new();
        if claims.all || claims.security {
            groups = self.groups_around(user, claims.all)?;
        }
        // With all groups there is nothing to add.
        if let (true, false, Some(app)) = (claims.application, claims.all, app) {
            for assigned in self.assigned_groups(user, app)? {
                if !groups.iter().any(|known| known.id == assigned.id) {
                    groups.push(assigned);
                }
            }
        }
        Ok(groups)
    }

    /// Directly or through others.
    fn groups_around(&self, user: Uuid, with_all: bool) -> Result<Vec<NamedGroup>, Fault> {
        let tenant = self.tenant()?.uuid();
        let kinds = if with_all { "" } else { "AND o.is_security_enabled = 1" };
        let sql = format!(
            "SELECT o.id, o.display_name FROM ({}) f CROSS JOIN groups o
              WHERE o.tenant = $1 AND o.id = f.id AND o.deleted_at IS NULL {kinds} ORDER BY o.id LIMIT $3",
            Within::AllGroupsOf(user).sql("$2")
        );
        self.link().all(&sql, &[(&tenant).into(), (&user).into(), Value::Int(ENOUGH)], read)
    }

    /// Groups that are assigned to the application. Nesting does not count for assignments (facts: limits §2).
    fn assigned_groups(&self, user: Uuid, app: ServicePrincipalId) -> Result<Vec<NamedGroup>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().all(
            "SELECT DISTINCT o.id, o.display_name FROM group_links m CROSS JOIN app_role_assignments a CROSS JOIN groups o
              WHERE m.tenant = $1 AND m.object = $2 AND m.link = 'member'
                AND a.tenant = $1 AND a.principal = m.group_id AND a.resource = $3
                AND o.tenant = $1 AND o.id = m.group_id AND o.deleted_at IS NULL ORDER BY o.id LIMIT $4",
            &[(&tenant).into(), (&user).into(), (&app.uuid()).into(), Value::Int(ENOUGH)],
            read,
        )
    }
}

fn read(row: &Row<'_>) -> Result<NamedGroup, Fault> {
    Ok(NamedGroup { id: GroupId::new(row.uuid(0)?), display_name: row.text(1)? })
}
