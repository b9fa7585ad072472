//! Removes what expired long ago, a little at a time.

use crate::WriteTx;
use crate::fault::Fault;
use domain::directory::delta::LOG_KEPT;
use domain::issuance::lifetime::REFRESH_IDLE;
use domain::signin::attempt::ATTEMPT_LIFETIME;
use domain::signin::session::SESSION_IDLE_PERSISTENT;
use domain::time::{Span, Timestamp};

/// Rows removed of one table in one write.
const STEP: i64 = 200;
/// How long a request for approval is kept after its time.
// DEFAULT: 90 days: as long as somebody may ask why an application was let in or not.
const ANSWERED: Span = Span::days(90);
/// How long a mail that left, or was given up, is kept.
// DEFAULT: 30 days: somebody asks "did it leave?" within weeks; the body holds a ticket and names.
const MAIL: Span = Span::days(30);

impl WriteTx<'_> {
    /// One step, of what was void before that time; answers how many rows went, 0 when nothing is left.
    pub fn sweep(&self, before: Timestamp) -> Result<usize, Fault> {
        let idle = before - REFRESH_IDLE;
        let mut removed = self.settle_fades(before, STEP)?;
        for (table, key, condition, at) in [
            ("attempts", "tenant, id", "created_at < $1", before - ATTEMPT_LIFETIME),
            ("codes", "tenant, hash", "expires_at < $1", before),
            ("device_codes", "tenant, hash", "expires_at < $1", before),
            ("home_visits", "tenant, state", "expires_at < $1", before),
            ("failures", "tenant, subject", "last_at < $1", before),
            ("setup_links", "hash", "expires_at < $1", before),
            // A block stands until somebody agrees.
            (
                "consent_requests",
                "tenant, id",
                "expires_at < $1 AND (outcome IS NULL OR outcome <> 'blocked')",
                before - ANSWERED,
            ),
            ("outbox", "id", "done_at < $1", before - MAIL),
            // They are counted for a day.
            ("mail_recipients", "tenant, address_folded, mail", "sent_at < $1", before - Span::days(1)),
            (
                "refresh_tokens",
                "tenant, hash",
                "(tenant, grant_id) IN (SELECT g.tenant, g.id FROM grants g WHERE g.used_at < $1)",
                idle,
            ),
            // A grant goes after its tokens, a session after its grants: a token without them would not be known as old.
            (
                "grants",
                "tenant, id",
                "used_at < $1 AND NOT EXISTS (SELECT 1 FROM refresh_tokens r WHERE r.tenant = grants.tenant
                    AND r.grant_id = grants.id)",
                idle,
            ),
            (
                "sessions",
                "tenant, id",
                "used_at < $1 AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.tenant = sessions.tenant
                    AND g.user = sessions.user AND g.session = sessions.id)",
                before - SESSION_IDLE_PERSISTENT,
            ),
            ("kept_names", "name", "free_at < $1", before),
            ("browsers", "browser, tenant", "used_at < $1", before - SESSION_IDLE_PERSISTENT),
        ] {
            let sql = format!(
                "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {condition} LIMIT $2)"
            );
            removed += self.link().run(&sql, &[at.into(), STEP.into()])?;
        }
        // Counted from now: what the job keeps for whoever looks into an incident is kept of the log as well.
        Ok(removed + self.trim_changes(before - LOG_KEPT)?)
    }
}
