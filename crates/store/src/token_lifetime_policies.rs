//! Token lifetime policies and what has them (Graph: tokenLifetimePolicy).

use crate::fault::Fault;
use crate::groups::{kind, kind_text};
use crate::sql::Row;
use crate::{ReadTx, WriteTx};
use domain::directory::application::{Application, Lifetimes, ServicePrincipal};
use domain::directory::group::LinkedKind;
use domain::directory::token_lifetime_policy::TokenLifetimePolicy;
use domain::id::PolicyId;
use domain::time::{Span, Timestamp};
use uuid::Uuid;

const COLUMNS: &str =
    "p.id, p.display_name, p.description, p.definition, p.seconds, p.is_organization_default";

fn read_policy(row: &Row<'_>) -> Result<TokenLifetimePolicy, Fault> {
    Ok(TokenLifetimePolicy {
        id: PolicyId::new(row.uuid(0)?),
        display_name: row.text(1)?,
        description: row.opt_text(2)?,
        definition: row.text(3)?,
        lifetime: Span::seconds(row.int(4)?),
        is_organization_default: row.flag(5)?,
    })
}

impl ReadTx<'_> {
    /// Every policy of the tenant, in the order of their ids.
    pub fn list_token_lifetime_policies(&self) -> Result<Vec<TokenLifetimePolicy>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql =
            format!("SELECT {COLUMNS} FROM token_lifetime_policies p WHERE p.tenant = $1 ORDER BY p.id");
        self.link().all(&sql, &[(&tenant).into()], read_policy)
    }

    pub fn find_token_lifetime_policy(&self, id: PolicyId) -> Result<Option<TokenLifetimePolicy>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql =
            format!("SELECT {COLUMNS} FROM token_lifetime_policies p WHERE p.tenant = $1 AND p.id = $2");
        self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read_policy)
    }

    /// The policy that a registration or a service principal has.
    pub fn token_lifetime_policy_of(&self, object: Uuid) -> Result<Option<TokenLifetimePolicy>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {COLUMNS} FROM token_lifetime_assignments a CROSS JOIN token_lifetime_policies p
              WHERE a.tenant = $1 AND a.object = $2 AND p.tenant = a.tenant AND p.id = a.policy"
        );
        self.link().one(&sql, &[(&tenant).into(), (&object).into()], read_policy)
    }

    /// The next objects that have a policy, in the order of their ids. What is in the bin keeps its policy and is left out.
    pub fn objects_of_token_lifetime_policy(
        &self,
        policy: PolicyId,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<(LinkedKind, Uuid)>, Fault> {
        let tenant = self.tenant()?.uuid();
        let after = after.unwrap_or(Uuid::nil());
        self.link().all(
            "SELECT a.kind, a.object FROM token_lifetime_assignments a
              WHERE a.tenant = $1 AND a.policy = $2 AND a.object > $3
                AND NOT EXISTS (SELECT 1 FROM applications o
                                 WHERE o.tenant = a.tenant AND o.id = a.object AND o.deleted_at IS NOT NULL)
                AND NOT EXISTS (SELECT 1 FROM service_principals o
                                 WHERE o.tenant = a.tenant AND o.id = a.object AND o.deleted_at IS NOT NULL)
              ORDER BY a.object LIMIT $4",
            &[(&tenant).into(), (&policy.uuid()).into(), (&after).into(), i64::from(limit).into()],
            |row| Ok((kind(&row.text(0)?)?, row.uuid(1)?)),
        )
    }

    /// The lifetimes that policies set for an application in this tenant, in one statement.
    pub(crate) fn token_lifetimes(
        &self,
        registration: &Application,
        instance: Option<&ServicePrincipal>,
    ) -> Result<Lifetimes, Fault> {
        let tenant = self.tenant()?.uuid();
        let instance = instance.map_or(Uuid::nil(), |instance| instance.id.uuid());
        // What comes with the product is registered in no tenant, and has no policy there.
        let owner = registration.owner.map_or(Uuid::nil(), |owner| owner.uuid());
        let found = self.link().all(
            "SELECT 0, p.seconds FROM token_lifetime_policies p WHERE p.tenant = $1 AND p.is_organization_default = 1
             UNION ALL
             SELECT 1, p.seconds FROM token_lifetime_assignments a CROSS JOIN token_lifetime_policies p
              WHERE a.tenant = $1 AND a.object = $2 AND p.tenant = a.tenant AND p.id = a.policy
             UNION ALL
             SELECT 2, p.seconds FROM token_lifetime_assignments a CROSS JOIN token_lifetime_policies p
              WHERE a.tenant = $3 AND a.object = $4 AND p.tenant = a.tenant AND p.id = a.policy",
            &[(&tenant).into(), (&instance).into(), (&owner).into(), (&registration.id.uuid()).into()],
            |row| Ok((row.int(0)?, Span::seconds(row.int(1)?))),
        )?;
        let of = |place| found.iter().find(|(found, _)| *found == place).map(|(_, lifetime)| *lifetime);
        Ok(Lifetimes { organization: of(0), instance: of(1), application: of(2) })
    }
}

impl WriteTx<'_> {
    /// Adds a policy, or writes a known one as a whole.
    pub fn put_token_lifetime_policy(&self, policy: &TokenLifetimePolicy) -> Result<(), Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        if self.is_buried(policy.id.uuid())? {
            return Err(Fault::Bug("a deleted policy's id came back"));
        }
        self.link().run(
            "INSERT INTO token_lifetime_policies (tenant, id, display_name, description, definition, seconds,
               is_organization_default)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (tenant, id) DO UPDATE SET display_name = excluded.display_name,
               description = excluded.description, definition = excluded.definition, seconds = excluded.seconds,
               is_organization_default = excluded.is_organization_default",
            &[
                (&tenant).into(),
                (&policy.id.uuid()).into(),
                (&policy.display_name).into(),
                policy.description.as_deref().into(),
                (&policy.definition).into(),
                policy.lifetime.as_seconds().into(),
                policy.is_organization_default.into(),
            ],
        )?;
        Ok(())
    }

    /// Removes a policy, from everything that has it, too; its id never comes back (R22).
    pub fn remove_token_lifetime_policy(&self, id: PolicyId, at: Timestamp) -> Result<(), Fault> {
        self.touch_config();
        let tenant = self.tenant()?;
        for sql in [
            "DELETE FROM token_lifetime_assignments WHERE tenant = $1 AND policy = $2",
            "DELETE FROM token_lifetime_policies WHERE tenant = $1 AND id = $2",
        ] {
            self.link().run(sql, &[(&tenant.uuid()).into(), (&id.uuid()).into()])?;
        }
        self.bury(tenant, "tokenLifetimePolicy", id.uuid(), at)
    }

    /// Gives a policy to a registration or a service principal. `false` when it has one already.
    pub fn assign_token_lifetime_policy(
        &self,
        (object_kind, object): (LinkedKind, Uuid),
        policy: PolicyId,
    ) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        self.link().insert(
            "INSERT INTO token_lifetime_assignments (tenant, object, kind, policy) VALUES ($1, $2, $3, $4)",
            &[(&tenant).into(), (&object).into(), kind_text(object_kind).into(), (&policy.uuid()).into()],
        )
    }

    /// Takes a policy away. `false` when the object has no such policy.
    pub fn unassign_token_lifetime_policy(&self, object: Uuid, policy: PolicyId) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        let removed = self.link().run(
            "DELETE FROM token_lifetime_assignments WHERE tenant = $1 AND object = $2 AND policy = $3",
            &[(&tenant).into(), (&object).into(), (&policy.uuid()).into()],
        )?;
        Ok(removed > 0)
    }
}
