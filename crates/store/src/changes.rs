//! The change log: what happened to which directory object, in order.

use crate::WriteTx;
use crate::fault::Fault;
use crate::sql::Value;
use domain::time::Timestamp;
use uuid::Uuid;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Created,
    Deleted,
    Purged,
    Updated,
}

impl WriteTx<'_> {
    pub(crate) fn log_change(
        &self,
        kind: &str,
        object: Uuid,
        operation: Operation,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        let operation = match operation {
            Operation::Created => "created",
            Operation::Deleted => "deleted",
            Operation::Purged => "purged",
            Operation::Updated => "updated",
        };
        self.link().run(
            "INSERT INTO changes (tenant, kind, object, operation, at) VALUES ($1, $2, $3, $4, $5)",
            &[(&tenant).into(), Value::Text(kind), (&object).into(), Value::Text(operation), at.into()],
        )?;
        Ok(())
    }

    /// Keeps a purged object's id from ever coming back (R22).
    pub(crate) fn bury(&self, kind: &str, object: Uuid, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO tombstones (id, tenant, kind, purged_at) VALUES ($1, $2, $3, $4)",
            &[(&object).into(), (&tenant).into(), Value::Text(kind), at.into()],
        )?;
        Ok(())
    }

    /// Whether an id was used before, here or in any other tenant (R22).
    pub fn is_buried(&self, object: Uuid) -> Result<bool, Fault> {
        let found =
            self.link().one("SELECT 1 FROM tombstones WHERE id = $1", &[(&object).into()], |_| Ok(()))?;
        Ok(found.is_some())
    }
}
