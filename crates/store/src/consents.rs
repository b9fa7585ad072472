//! Agreements to delegated permissions (Graph: oAuth2PermissionGrant).

use crate::fault::Fault;
use crate::sql::{Owned, Row, Value, borrow};
use crate::{ReadTx, WriteTx};
use domain::id::{ServicePrincipalId, TenantId, UserId};
use domain::time::Timestamp;
use uuid::Uuid;

/// An agreement as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRow {
    pub id: Uuid,
    pub client: ServicePrincipalId,
    /// `None` for an agreement that covers every user.
    pub principal: Option<UserId>,
    pub resource: ServicePrincipalId,
    pub scopes: Vec<String>,
}

/// Which agreements are asked for; each condition that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsentFilter {
    pub client: Option<Uuid>,
    /// Those of one user, or those that cover everybody.
    pub principal: Option<Option<UserId>>,
    pub resource: Option<Uuid>,
    /// Only those of single users.
    pub is_of_users: bool,
}

const COLUMNS: &str = "c.id, c.client, c.principal, c.resource, c.scope";

/// What was agreed to for what lies in the bin counts again when that comes back; until then nobody sees it.
const LIVING: &str = "EXISTS (SELECT 1 FROM service_principals s WHERE s.tenant = $1 AND s.id = c.client AND s.deleted_at IS NULL)
  AND EXISTS (SELECT 1 FROM service_principals s WHERE s.tenant = $1 AND s.id = c.resource AND s.deleted_at IS NULL)";

fn read(row: &Row<'_>) -> Result<ConsentRow, Fault> {
    let principal = match row.bytes(2)?.is_empty() {
        true => None,
        false => Some(UserId::new(row.uuid(2)?)),
    };
    Ok(ConsentRow {
        id: row.uuid(0)?,
        client: ServicePrincipalId::new(row.uuid(1)?),
        principal,
        resource: ServicePrincipalId::new(row.uuid(3)?),
        scopes: row.text(4)?.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
    })
}

/// An agreement for every user has the empty principal.
fn principal_bytes(principal: Option<UserId>) -> Vec<u8> {
    principal.map(|user| user.uuid().as_bytes().to_vec()).unwrap_or_default()
}

impl ReadTx<'_> {
    /// Scope values agreed to for a client and a resource: by the user, or for everybody.
    pub fn consented_scopes(
        &self,
        client: ServicePrincipalId,
        user: UserId,
        resource: ServicePrincipalId,
    ) -> Result<Vec<String>, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().all(
            "SELECT scope FROM consents WHERE tenant = $1 AND client = $2 AND (principal = $3 OR length(principal) = 0)
                AND resource = $4",
            &[
                (&tenant).into(),
                (&client.uuid()).into(),
                (&principal_bytes(Some(user))).into(),
                (&resource.uuid()).into(),
            ],
            |row| row.text(0),
        )?;
        Ok(found
            .iter()
            .flat_map(|scopes| scopes.split(' '))
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect())
    }
}

impl ReadTx<'_> {
    /// An agreement by its id, between ends that are there.
    pub fn find_consent(&self, id: Uuid) -> Result<Option<ConsentRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM consents c WHERE c.tenant = $1 AND c.id = $2 AND {LIVING}");
        self.link().one(&sql, &[(&tenant).into(), (&id).into()], read)
    }

    /// The agreement between two ends for one user, or for everybody.
    pub fn find_consent_between(
        &self,
        client: ServicePrincipalId,
        principal: Option<UserId>,
        resource: ServicePrincipalId,
    ) -> Result<Option<ConsentRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {COLUMNS} FROM consents c WHERE c.tenant = $1 AND c.client = $2 AND c.principal = $3 AND c.resource = $4"
        );
        let (client, principal, resource) = (client.uuid(), principal_bytes(principal), resource.uuid());
        let values = [(&tenant).into(), (&client).into(), (&principal).into(), (&resource).into()];
        self.link().one(&sql, &values, read)
    }

    /// Agreements between ends that are there, in the order of their ids, after one of them.
    pub fn list_consents(
        &self,
        filter: &ConsentFilter,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<ConsentRow>, Fault> {
        let (sql, values) = list(self.tenant()?, filter, after, limit);
        self.link().all(&sql, &borrow(&values), read)
    }

    /// How the engine would go about a list: for the test that nothing is looked through from end to end.
    pub fn explain_consents(&self, filter: &ConsentFilter) -> Result<Vec<String>, Fault> {
        let (sql, values) = list(self.tenant()?, filter, None, 100);
        self.link().all(&format!("EXPLAIN QUERY PLAN {sql}"), &borrow(&values), |row| row.text(3))
    }
}

fn list(tenant: TenantId, filter: &ConsentFilter, after: Option<Uuid>, limit: u32) -> (String, Vec<Owned>) {
    let mut sql = format!("SELECT {COLUMNS} FROM consents c WHERE c.tenant = $1");
    let mut values = vec![Owned::id(tenant.uuid())];
    let principal = filter.principal.map(|principal| Owned::Bytes(principal_bytes(principal)));
    for (column, value) in [
        ("c.client =", filter.client.map(Owned::id)),
        ("c.principal =", principal),
        ("c.resource =", filter.resource.map(Owned::id)),
        ("c.id >", after.map(Owned::id)),
    ] {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND {column} ${}", values.len()));
        }
    }
    if filter.is_of_users {
        sql.push_str(" AND length(c.principal) > 0");
    }
    values.push(Owned::Int(i64::from(limit)));
    sql.push_str(&format!(" AND {LIVING} ORDER BY c.id LIMIT ${}", values.len()));
    (sql, values)
}

impl WriteTx<'_> {
    /// Replaces the scope values of an agreement.
    pub fn set_consent_scopes(&self, id: Uuid, scopes: &[String], at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "UPDATE consents SET scope = $1, changed_at = $2 WHERE tenant = $3 AND id = $4",
            &[Value::Text(&scopes.join(" ")), at.into(), (&tenant).into(), (&id).into()],
        )?;
        Ok(())
    }

    /// Withdraws an agreement; the next token is refused.
    pub fn remove_consent(&self, id: Uuid) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "DELETE FROM consents WHERE tenant = $1 AND id = $2";
        self.link().run(sql, &[(&tenant).into(), (&id).into()]).map(|_| ())
    }

    /// Adds scope values to an agreement; `principal` is `None` for one that covers every user.
    pub fn add_consent(
        &self,
        id: Uuid,
        client: ServicePrincipalId,
        principal: Option<UserId>,
        resource: ServicePrincipalId,
        scopes: &[String],
        at: Timestamp,
    ) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        let principal = principal_bytes(principal);
        let known = self.link().one(
            "SELECT scope FROM consents WHERE tenant = $1 AND client = $2 AND principal = $3 AND resource = $4",
            &[(&tenant).into(), (&client.uuid()).into(), (&principal).into(), (&resource.uuid()).into()],
            |row| row.text(0),
        )?;
        let mut all: Vec<&str> =
            known.iter().flat_map(|text| text.split(' ')).filter(|text| !text.is_empty()).collect();
        for scope in scopes {
            if !all.iter().any(|known| known.eq_ignore_ascii_case(scope)) {
                all.push(scope);
            }
        }
        self.link().run(
            "INSERT INTO consents (tenant, client, principal, resource, id, scope, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (tenant, client, principal, resource) DO UPDATE SET scope = excluded.scope, changed_at = excluded.changed_at",
            &[
                (&tenant).into(),
                (&client.uuid()).into(),
                (&principal).into(),
                (&resource.uuid()).into(),
                (&id).into(),
                Value::Text(&all.join(" ")),
                at.into(),
            ],
        )?;
        Ok(())
    }
}
