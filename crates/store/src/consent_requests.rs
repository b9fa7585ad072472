//! Requests for an administrator's agreement (Graph: userConsentRequest).

use crate::fault::Fault;
use crate::sql::{Row, Value};
use crate::{ReadTx, WriteTx};
use domain::id::{AppId, UserId};
use domain::issuance::consent_request::{ConsentRequest, Decision, Facts, Outcome};
use domain::time::{Span, Timestamp};
use uuid::Uuid;

const COLUMNS: &str =
    "id, app, user, reason, scopes, permissions, created_at, expires_at, outcome, decided_by, decided_at,
    decision_reason";

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn read_request(row: &Row<'_>) -> Result<ConsentRequest, Fault> {
    let decision = match (row.opt_text(8)?, row.opt_uuid(9)?, row.opt_time(10)?) {
        (Some(outcome), Some(by), Some(at)) => Some(Decision {
            outcome: Outcome::parse(&outcome).ok_or(Fault::Bug("a stored outcome is unknown"))?,
            by: UserId::new(by),
            at,
            reason: row.opt_text(11)?,
        }),
        (_, _, _) => None,
    };
    Ok(ConsentRequest {
        id: row.uuid(0)?,
        app: AppId::new(row.uuid(1)?),
        user: UserId::new(row.uuid(2)?),
        reason: row.text(3)?,
        scopes: words(&row.text(4)?),
        permissions: words(&row.text(5)?),
        created_at: row.time(6)?,
        expires_at: row.time(7)?,
        decision,
    })
}

impl ReadTx<'_> {
    /// What a new request is judged by.
    pub fn consent_request_facts(&self, app: AppId, user: UserId, now: Timestamp) -> Result<Facts, Fault> {
        let (tenant, app, user) = (self.tenant()?.uuid(), app.uuid(), user.uuid());
        let count = |condition: &str, values: &[Value<'_>]| {
            let sql = format!("SELECT COUNT(*) FROM consent_requests WHERE tenant = $1 AND {condition}");
            Ok::<_, Fault>(self.link().one(&sql, values, |row| row.int(0))?.unwrap_or(0))
        };
        let of_app = |more: &str| format!("app = $2 AND outcome IS NULL AND expires_at > $3{more}");
        let values = [(&tenant).into(), (&app).into(), now.into(), (&user).into()];
        let [of_tenant, of_this_app, at, _] = values;
        let blocked = [of_tenant, of_this_app, Outcome::Blocked.as_str().into()];
        let approved = [of_tenant, of_this_app, Outcome::Approved.as_str().into()];
        let last_block = self.last_decision(&blocked)?;
        Ok(Facts {
            policy: self.load_tenant()?.settings.consent_requests.clone(),
            is_asked: count(&of_app(" AND user = $4"), &values)? > 0,
            // Whoever approved it afterwards lifted the block.
            is_blocked: last_block.is_some() && last_block > self.last_decision(&approved)?,
            asked_today: count(
                "user = $2 AND created_at > $3",
                &[of_tenant, (&user).into(), (now - Span::days(1)).into()],
            )?,
            open_for_application: count(&of_app(""), &[of_tenant, of_this_app, at])?,
        })
    }

    fn last_decision(&self, of: &[Value<'_>]) -> Result<Option<Timestamp>, Fault> {
        let sql =
            "SELECT MAX(decided_at) FROM consent_requests WHERE tenant = $1 AND app = $2 AND outcome = $3";
        Ok(self.link().one(sql, of, |row| row.opt_time(0))?.flatten())
    }

    pub fn find_consent_request(&self, id: Uuid) -> Result<Option<ConsentRequest>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM consent_requests WHERE tenant = $1 AND id = $2");
        self.link().one(&sql, &[(&tenant).into(), (&id).into()], read_request)
    }

    /// The next applications that somebody asked for, in the order of their ids.
    pub fn apps_asked_for(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<AppId>, Fault> {
        let tenant = self.tenant()?.uuid();
        let after = after.unwrap_or(Uuid::nil());
        self.link().all(
            "SELECT DISTINCT app FROM consent_requests WHERE tenant = $1 AND app > $2 ORDER BY app LIMIT $3",
            &[(&tenant).into(), (&after).into(), i64::from(limit).into()],
            |row| Ok(AppId::new(row.uuid(0)?)),
        )
    }

    /// The next requests for an application, in the order of their ids.
    pub fn consent_requests_for(
        &self,
        app: AppId,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<ConsentRequest>, Fault> {
        let (tenant, app) = (self.tenant()?.uuid(), app.uuid());
        let after = after.unwrap_or(Uuid::nil());
        let sql = format!(
            "SELECT {COLUMNS} FROM consent_requests WHERE tenant = $1 AND app = $2 AND id > $3 ORDER BY id LIMIT $4"
        );
        let values = [(&tenant).into(), (&app).into(), (&after).into(), i64::from(limit).into()];
        self.link().all(&sql, &values, read_request)
    }

    /// Requests that wait for an answer, the oldest first; for one application or for all.
    pub fn open_consent_requests(
        &self,
        app: Option<AppId>,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<ConsentRequest>, Fault> {
        let tenant = self.tenant()?.uuid();
        let (of_app, limited) = if app.is_some() { (" AND app = $3", "$4") } else { ("", "$3") };
        let sql = format!(
            "SELECT {COLUMNS} FROM consent_requests WHERE tenant = $1 AND outcome IS NULL AND expires_at > $2{of_app}
              ORDER BY created_at, id LIMIT {limited}"
        );
        let id = app.map(AppId::uuid);
        let mut values = vec![(&tenant).into(), now.into()];
        values.extend(id.as_ref().map(Value::from));
        values.push(limit.into());
        self.link().all(&sql, &values, read_request)
    }
}

impl WriteTx<'_> {
    pub fn add_consent_request(&self, request: &ConsentRequest) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO consent_requests (tenant, id, app, user, reason, scopes, permissions, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            &[
                (&tenant).into(),
                (&request.id).into(),
                (&request.app.uuid()).into(),
                (&request.user.uuid()).into(),
                (&request.reason).into(),
                Value::Text(&request.scopes.join(" ")),
                Value::Text(&request.permissions.join(" ")),
                request.created_at.into(),
                request.expires_at.into(),
            ],
        )?;
        Ok(())
    }

    /// Answers a request. `false` when it was answered or has expired (R04, R14).
    pub fn decide_consent_request(&self, id: Uuid, decision: &Decision) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let changed = self.link().run(
            "UPDATE consent_requests SET outcome = $1, decided_by = $2, decided_at = $3, decision_reason = $4
              WHERE tenant = $5 AND id = $6 AND outcome IS NULL AND expires_at > $3",
            &[
                decision.outcome.as_str().into(),
                (&decision.by.uuid()).into(),
                decision.at.into(),
                decision.reason.as_deref().into(),
                (&tenant).into(),
                (&id).into(),
            ],
        )?;
        Ok(changed > 0)
    }
}
