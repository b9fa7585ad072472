//! What `hospes apply` made in a tenant, so that it deletes nothing else.

use crate::fault::Fault;
use crate::sql::Value;
use crate::{ReadTx, WriteTx};
use domain::time::Timestamp;
use uuid::Uuid;

/// Something that was made because a description named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What it is, in the words of whoever made it.
    pub kind: String,
    /// Its name in the description.
    pub name: String,
    pub object: Uuid,
}

impl ReadTx<'_> {
    /// Everything that was made here and not forgotten.
    pub fn list_applied(&self) -> Result<Vec<Applied>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().all(
            "SELECT kind, name, object FROM applied WHERE tenant = $1 ORDER BY kind, name",
            &[(&tenant).into()],
            |row| Ok(Applied { kind: row.text(0)?, name: row.text(1)?, object: row.uuid(2)? }),
        )
    }

    /// What was made under a name.
    pub fn find_applied(&self, kind: &str, name: &str) -> Result<Option<Uuid>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT object FROM applied WHERE tenant = $1 AND kind = $2 AND name = $3";
        self.link().one(sql, &[(&tenant).into(), Value::Text(kind), Value::Text(name)], |row| row.uuid(0))
    }
}

impl WriteTx<'_> {
    /// Remembers that something was made, in place of what had its name before.
    pub fn put_applied(&self, made: &Applied, at: Timestamp) -> Result<(), Fault> {
        self.forget_applied(&made.kind, &made.name)?;
        let tenant = self.tenant()?.uuid();
        self.link()
            .run(
                "INSERT INTO applied (tenant, kind, name, object, made_at) VALUES ($1, $2, $3, $4, $5)",
                &[
                    (&tenant).into(),
                    Value::Text(&made.kind),
                    Value::Text(&made.name),
                    (&made.object).into(),
                    at.into(),
                ],
            )
            .map(|_| ())
    }

    /// Forgets what was made under a name.
    pub fn forget_applied(&self, kind: &str, name: &str) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link()
            .run(
                "DELETE FROM applied WHERE tenant = $1 AND kind = $2 AND name = $3",
                &[(&tenant).into(), Value::Text(kind), Value::Text(name)],
            )
            .map(|_| ())
    }

    /// Forgets everything that was made here.
    pub fn forget_all_applied(&self) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run("DELETE FROM applied WHERE tenant = $1", &[(&tenant).into()]).map(|_| ())
    }
}
