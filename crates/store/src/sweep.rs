//! Removes what expired long ago, a little at a time.

use crate::WriteTx;
use crate::fault::Fault;
use domain::signin::attempt::ATTEMPT_LIFETIME;
use domain::time::Timestamp;

/// Rows removed of one table in one write.
const STEP: i64 = 200;

impl WriteTx<'_> {
    /// One step; answers how many rows went, 0 when nothing is left.
    pub fn sweep(&self, before: Timestamp) -> Result<usize, Fault> {
        let mut removed = 0;
        for (sql, at) in [
            (
                "DELETE FROM attempts WHERE rowid IN (SELECT rowid FROM attempts WHERE created_at < $1 LIMIT $2)",
                before - ATTEMPT_LIFETIME,
            ),
            (
                "DELETE FROM codes WHERE rowid IN (SELECT rowid FROM codes WHERE expires_at < $1 LIMIT $2)",
                before,
            ),
            (
                "DELETE FROM home_visits WHERE rowid IN (SELECT rowid FROM home_visits WHERE expires_at < $1 LIMIT $2)",
                before,
            ),
            (
                "DELETE FROM failures WHERE rowid IN (SELECT rowid FROM failures WHERE last_at < $1 LIMIT $2)",
                before,
            ),
        ] {
            removed += self.link().run(sql, &[at.into(), STEP.into()])?;
        }
        Ok(removed)
    }
}
