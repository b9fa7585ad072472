//! What was deleted so long ago that nobody can restore it.

use crate::ReadTx;
use crate::fault::Fault;
use domain::directory::group::LinkedKind;
use domain::id::TenantId;
use domain::time::Timestamp;
use uuid::Uuid;

/// Registrations come last: an instance that is due is told of by itself.
const KINDS: [(LinkedKind, &str); 4] = [
    (LinkedKind::User, "users"),
    (LinkedKind::Group, "groups"),
    (LinkedKind::ServicePrincipal, "service_principals"),
    (LinkedKind::Application, "applications"),
];

impl ReadTx<'_> {
    /// Objects of every tenant that were deleted before a time, the oldest of each kind first.
    pub fn deleted_before(
        &self,
        time: Timestamp,
        most_of_a_kind: i64,
    ) -> Result<Vec<(TenantId, LinkedKind, Uuid)>, Fault> {
        let mut found = Vec::new();
        for (kind, table) in KINDS {
            let sql =
                format!("SELECT tenant, id FROM {table} WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2");
            found.extend(self.link().all(&sql, &[time.into(), most_of_a_kind.into()], |row| {
                Ok((TenantId::new(row.uuid(0)?), kind, row.uuid(1)?))
            })?);
        }
        Ok(found)
    }
}
