//! Finished sign-ins, and visits at a home tenant under way.

use crate::fault::Fault;
use crate::signins::{evidence, evidence_document};
use crate::sql::{Row, Value, to_json};
use crate::{ReadTx, WriteTx};
use domain::id::{AppId, AttemptId, SessionId, TenantId, UserId};
use domain::proof::ProofHash;
use domain::signin::evidence::Proved;
use domain::signin::session::Session;
use domain::time::Timestamp;

/// A visit at the home tenant: what must come back, and with what.
#[derive(Clone, Debug)]
pub struct HomeVisit {
    pub attempt: AttemptId,
    pub home: TenantId,
    pub nonce: String,
    pub verifier: String,
    pub expires_at: Timestamp,
}

struct SessionRow {
    id: SessionId,
    user: UserId,
    evidence: Vec<Proved>,
    is_persistent: bool,
    started_at: Timestamp,
    used_at: Timestamp,
    ended_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, user, evidence, is_persistent, started_at, used_at, ended_at";

fn read(row: &Row<'_>) -> Result<SessionRow, Fault> {
    Ok(SessionRow {
        id: SessionId::new(row.uuid(0)?),
        user: UserId::new(row.uuid(1)?),
        evidence: evidence(row.json(2)?)?,
        is_persistent: row.flag(3)?,
        started_at: row.time(4)?,
        used_at: row.time(5)?,
        ended_at: row.opt_time(6)?,
    })
}

fn visit_place(state: ProofHash) -> String {
    format!("home_visits.sealed:{}", standards::b64::encode(&state.0))
}

impl ReadTx<'_> {
    /// Sessions of a browser in this tenant that were not ended, with their users as they are now; latest first.
    pub fn sessions_of_browser(&self, browser: ProofHash) -> Result<Vec<Session>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {COLUMNS} FROM sessions WHERE tenant = $1 AND browser = $2 AND ended_at IS NULL ORDER BY used_at DESC LIMIT 20"
        );
        let rows = self.link().all(&sql, &[(&tenant).into(), (&browser.0).into()], read)?;
        rows.into_iter().filter_map(|row| self.with_user(row).transpose()).collect()
    }

    /// A session, ended or not; not found when its user is gone.
    pub fn find_session(&self, id: SessionId) -> Result<Option<Session>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE tenant = $1 AND id = $2");
        let row = self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read)?;
        row.map_or(Ok(None), |row| self.with_user(row))
    }

    fn with_user(&self, row: SessionRow) -> Result<Option<Session>, Fault> {
        let user = self.find_sign_in_user(row.user)?;
        Ok(user.map(|user| Session {
            id: row.id,
            user,
            evidence: row.evidence,
            started_at: row.started_at,
            used_at: row.used_at,
            is_persistent: row.is_persistent,
            ended_at: row.ended_at,
        }))
    }

    /// The applications that got codes or tokens in a session; some of them, where they are very many.
    pub fn apps_of_session(&self, id: SessionId, user: UserId) -> Result<Vec<AppId>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().all(
            "SELECT DISTINCT client FROM grants WHERE tenant = $1 AND user = $2 AND session = $3 ORDER BY client LIMIT 50",
            &[(&tenant).into(), (&user.uuid()).into(), (&id.uuid()).into()],
            |row| Ok(AppId::new(row.uuid(0)?)),
        )
    }

    /// Tenants in which a browser has sessions, latest first; for the account picker of `common`. `browser` is the
    /// browser's hash at no tenant.
    pub fn tenants_of_browser(&self, browser: ProofHash) -> Result<Vec<TenantId>, Fault> {
        self.link().all(
            "SELECT tenant FROM browsers WHERE browser = $1 ORDER BY used_at DESC LIMIT 20",
            &[(&browser.0).into()],
            |row| Ok(TenantId::new(row.uuid(0)?)),
        )
    }

    /// A visit under way in this browser, not used and not expired yet.
    pub fn find_home_visit(
        &self,
        state: ProofHash,
        browser: ProofHash,
        now: Timestamp,
    ) -> Result<Option<HomeVisit>, Fault> {
        let tenant = self.tenant()?;
        let found = self.link().one(
            "SELECT attempt, home, sealed, expires_at FROM home_visits
              WHERE tenant = $1 AND state = $2 AND browser = $3 AND used_at IS NULL AND expires_at > $4",
            &[(&tenant.uuid()).into(), (&state.0).into(), (&browser.0).into(), now.into()],
            |row| {
                Ok((AttemptId::new(row.uuid(0)?), TenantId::new(row.uuid(1)?), row.bytes(2)?, row.time(3)?))
            },
        )?;
        let Some((attempt, home, sealed, expires_at)) = found else { return Ok(None) };
        let opened = self.sealer().open(Some(tenant), &visit_place(state), &sealed)?;
        let (nonce, verifier): (String, String) =
            serde_json::from_slice(&opened).map_err(|_| Fault::Bug("a stored visit does not parse"))?;
        Ok(Some(HomeVisit { attempt, home, nonce, verifier, expires_at }))
    }
}

impl WriteTx<'_> {
    /// Adds a session, or renews the evidence of an existing one.
    pub fn put_session(
        &self,
        id: SessionId,
        browser: ProofHash,
        user: UserId,
        proved: &[Proved],
        is_persistent: bool,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO sessions (tenant, id, browser, user, evidence, is_persistent, started_at, used_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
            &[
                (&tenant).into(),
                (&id.uuid()).into(),
                (&browser.0).into(),
                (&user.uuid()).into(),
                Value::Text(&to_json(&evidence_document(proved))?),
                is_persistent.into(),
                at.into(),
            ],
        )?;
        Ok(())
    }

    /// Notes that a browser has a session in this tenant; `browser` is its hash at no tenant.
    pub fn touch_browser(&self, browser: ProofHash, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO browsers (browser, tenant, used_at) VALUES ($1, $2, $3)
             ON CONFLICT (browser, tenant) DO UPDATE SET used_at = excluded.used_at",
            &[(&browser.0).into(), (&tenant).into(), at.into()],
        )?;
        Ok(())
    }

    /// Notes that a session was used.
    pub fn touch_session(&self, id: SessionId, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "UPDATE sessions SET used_at = $1 WHERE tenant = $2 AND id = $3 AND ended_at IS NULL",
            &[at.into(), (&tenant).into(), (&id.uuid()).into()],
        )?;
        Ok(())
    }

    /// Ends a session that a fresh sign-in of the same user in the same browser takes the place of; what was granted
    /// under the old one lives on under its own terms.
    pub fn hand_over_session(&self, old: SessionId, new: SessionId, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "UPDATE grants SET session = $1 WHERE tenant = $2 AND session = $3",
            &[(&new.uuid()).into(), (&tenant).into(), (&old.uuid()).into()],
        )?;
        self.end_session(old, at)?;
        Ok(())
    }

    /// Ends a session; its refresh tokens end with it, at once.
    pub fn end_session(&self, id: SessionId, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let ended = self.link().run(
            "UPDATE sessions SET ended_at = $1 WHERE tenant = $2 AND id = $3 AND ended_at IS NULL",
            &[at.into(), (&tenant).into(), (&id.uuid()).into()],
        )?;
        Ok(ended > 0)
    }

    pub fn add_home_visit(
        &self,
        state: ProofHash,
        browser: ProofHash,
        visit: &HomeVisit,
    ) -> Result<(), Fault> {
        let tenant = self.tenant()?;
        let plain = to_json(&(&visit.nonce, &visit.verifier))?;
        let sealed = self.sealer().seal(Some(tenant), &visit_place(state), plain.as_bytes());
        self.link().run(
            "INSERT INTO home_visits (tenant, state, attempt, browser, home, sealed, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&tenant.uuid()).into(),
                (&state.0).into(),
                (&visit.attempt.uuid()).into(),
                (&browser.0).into(),
                (&visit.home.uuid()).into(),
                (&sealed).into(),
                visit.expires_at.into(),
            ],
        )?;
        Ok(())
    }

    /// Uses a visit up; `false` when it was used already (R15).
    pub fn consume_home_visit(&self, state: ProofHash, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let used = self.link().run(
            "UPDATE home_visits SET used_at = $1 WHERE tenant = $2 AND state = $3 AND used_at IS NULL",
            &[at.into(), (&tenant).into(), (&state.0).into()],
        )?;
        Ok(used > 0)
    }
}
