//! Agreements to delegated permissions (Graph: oAuth2PermissionGrant).

use crate::fault::Fault;
use crate::sql::Value;
use crate::{ReadTx, WriteTx};
use domain::id::{ServicePrincipalId, UserId};
use domain::time::Timestamp;
use uuid::Uuid;

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

impl WriteTx<'_> {
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
