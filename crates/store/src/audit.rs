//! Sign-in and directory records: append-only, committed with what they tell of (R32).

use crate::fault::Fault;
use crate::sql::Value;
use crate::{ReadTx, WriteTx};
use domain::audit::{DirectoryRecord, Modified, Origin, Record, RecordActor, SignInRecord, shorten};
use domain::entropy::timed_uuid;
use domain::id::TenantId;
use standards::crypto;
use uuid::Uuid;

/// Longest texts kept of what came from outside.
const NAME_LIMIT: usize = 256;
const REASONS_LIMIT: usize = 2_048;
/// Properties told of one change, and the longest value of one.
const MODIFIED: usize = 40;
const VALUE_LIMIT: usize = 2_048;
/// All values of a record; those behind are left out, and their names stay.
const VALUES_LIMIT: usize = 16 * 1_024;

/// `place` counts the records of one write.
pub(crate) fn append(
    tx: &WriteTx<'_>,
    tenant: Option<TenantId>,
    record: &Record,
    place: usize,
) -> Result<(), Fault> {
    match record {
        Record::Directory(record) => append_directory(tx, tenant, record, place),
        Record::SignIn(record) => append_sign_in(tx, tenant, record, place),
    }
}

/// The id of a record, in the order of time. A correlation id is none: callers choose it, and use it for many requests.
fn id(tenant: Option<TenantId>, origin: &Origin, what: &str, about: Option<Uuid>, place: usize) -> Uuid {
    let place = u64::try_from(place).unwrap_or(u64::MAX).to_be_bytes();
    let digest = crypto::sha256(&[
        b"record",
        &owner(tenant),
        origin.correlation.as_bytes(),
        &origin.at.millis().to_be_bytes(),
        what.as_bytes(),
        about.unwrap_or_default().as_bytes(),
        &place,
    ]);
    timed_uuid(digest, origin.at)
}

/// Records of requests that name no tenant we know stand under the empty id.
fn owner(tenant: Option<TenantId>) -> Vec<u8> {
    let tenant = tenant.map(|tenant| tenant.uuid()).filter(|tenant| !tenant.is_nil());
    tenant.map(|tenant| tenant.as_bytes().to_vec()).unwrap_or_default()
}

fn append_sign_in(
    tx: &WriteTx<'_>,
    tenant: Option<TenantId>,
    record: &SignInRecord,
    place: usize,
) -> Result<(), Fault> {
    let origin = &record.origin;
    let app = record.app.map(|app| app.uuid());
    let resource = record.resource.map(|app| app.uuid());
    let home = record.home_tenant.map(|tenant| tenant.uuid());
    let session = record.session.map(|session| session.uuid());
    let name = record.user_name.as_deref().map(|name| shorten(name, NAME_LIMIT));
    let agent = origin.user_agent.as_deref().map(|agent| shorten(agent, NAME_LIMIT));
    // The record's id is the token's, so that the log line of a token is found by its `uti`.
    let id = record.token.unwrap_or_else(|| id(tenant, origin, record.kind.as_str(), record.user, place));
    tx.link().run(
        "INSERT INTO sign_in_records (tenant, id, at, kind, error_code, user, user_name, service_principal, app, resource,
           home_tenant, session, token, reasons, correlation, address, user_agent)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        &[
            (&owner(tenant)).into(),
            (&id).into(),
            origin.at.into(),
            record.kind.as_str().into(),
            i64::from(record.error_code).into(),
            record.user.as_ref().into(),
            name.as_deref().into(),
            record.service_principal.as_ref().into(),
            app.as_ref().into(),
            resource.as_ref().into(),
            home.as_ref().into(),
            session.as_ref().into(),
            record.token.as_ref().into(),
            Value::Text(&shorten(&record.reasons, REASONS_LIMIT)),
            (&origin.correlation).into(),
            origin.address.as_deref().into(),
            agent.as_deref().into(),
        ],
    )?;
    Ok(())
}

fn append_directory(
    tx: &WriteTx<'_>,
    tenant: Option<TenantId>,
    record: &DirectoryRecord,
    place: usize,
) -> Result<(), Fault> {
    let origin = &record.origin;
    let (kind, actor): (&str, Option<Uuid>) = match &record.actor {
        RecordActor::Application { app } => ("application", Some(app.uuid())),
        RecordActor::Operator => ("operator", None),
        RecordActor::Service => ("service", None),
        RecordActor::User { user } => ("user", Some(*user)),
        RecordActor::Visitor => ("visitor", None),
    };
    let name = record.target_name.as_deref().map(|name| shorten(name, NAME_LIMIT));
    let agent = origin.user_agent.as_deref().map(|agent| shorten(agent, NAME_LIMIT));
    let modified = write_modified(&record.modified);
    tx.link().run(
        "INSERT INTO directory_records (tenant, id, at, activity, category, actor_kind, actor, target, target_name, refusal,
           reasons, correlation, address, user_agent, modified)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        &[
            (&owner(tenant)).into(),
            (&id(tenant, origin, record.activity, record.target, place)).into(),
            origin.at.into(),
            record.activity.into(),
            record.category.into(),
            kind.into(),
            actor.as_ref().into(),
            record.target.as_ref().into(),
            name.as_deref().into(),
            record.refusal.into(),
            Value::Text(&shorten(&record.reasons, REASONS_LIMIT)),
            (&origin.correlation).into(),
            origin.address.as_deref().into(),
            agent.as_deref().into(),
            modified.as_deref().into(),
        ],
    )?;
    Ok(())
}

/// The list as it is kept; `None` where nothing became another. A value that is too long is kept as the JSON of its beginning.
fn write_modified(modified: &[Modified]) -> Option<String> {
    let value = |text: &Option<String>| {
        text.as_ref().map(|text| match text.len() > VALUE_LIMIT {
            true => serde_json::Value::from(shorten(text, VALUE_LIMIT)).to_string(),
            false => text.clone(),
        })
    };
    let mut left = VALUES_LIMIT;
    let one = |one: &Modified| {
        let (before, after) = (value(&one.before), value(&one.after));
        let length = before.iter().chain(&after).map(String::len).sum();
        let (before, after) = match left.checked_sub(length) {
            Some(rest) => {
                left = rest;
                (before, after)
            }
            None => (None, None),
        };
        serde_json::json!([one.property, before, after])
    };
    let list: Vec<serde_json::Value> = modified.iter().take(MODIFIED).map(one).collect();
    (!list.is_empty()).then(|| serde_json::Value::from(list).to_string())
}

pub(crate) fn read_modified(text: Option<&str>) -> Result<Vec<Modified>, Fault> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let list: Vec<(String, Option<String>, Option<String>)> =
        serde_json::from_str(text).map_err(|_| Fault::Bug("a record's modified properties do not parse"))?;
    let one = |(property, before, after)| Modified { property, before, after };
    Ok(list.into_iter().map(one).collect())
}

/// How many lines there are, and of what outcome: what tests and the crash checker compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RecordCounts {
    pub granted: i64,
    pub refused: i64,
}

impl ReadTx<'_> {
    /// Sign-in records of this transaction's tenant; without one, those that belong to no tenant.
    pub fn count_sign_in_records(&self) -> Result<RecordCounts, Fault> {
        let owner = self.tenant.map(|tenant: TenantId| tenant.uuid().as_bytes().to_vec()).unwrap_or_default();
        let found = self.link().one(
            "SELECT COALESCE(SUM(error_code = 0), 0), COALESCE(SUM(error_code <> 0), 0) FROM sign_in_records WHERE tenant = $1",
            &[(&owner).into()],
            |row| Ok(RecordCounts { granted: row.int(0)?, refused: row.int(1)? }),
        )?;
        Ok(found.unwrap_or_default())
    }

    /// The same for directory records.
    pub fn count_directory_records(&self) -> Result<RecordCounts, Fault> {
        let owner = self.tenant.map(|tenant: TenantId| tenant.uuid().as_bytes().to_vec()).unwrap_or_default();
        let found = self.link().one(
            "SELECT COALESCE(SUM(refusal IS NULL), 0), COALESCE(SUM(refusal IS NOT NULL), 0) FROM directory_records WHERE tenant = $1",
            &[(&owner).into()],
            |row| Ok(RecordCounts { granted: row.int(0)?, refused: row.int(1)? }),
        )?;
        Ok(found.unwrap_or_default())
    }

    /// How many directory records belong to a tenant that does not exist.
    pub fn count_records_of_nobody(&self) -> Result<i64, Fault> {
        let found = self.link().one(
            "SELECT COALESCE(SUM(refusal IS NULL OR refusal IS NOT NULL), 0) FROM directory_records r
              WHERE r.tenant <> x'' AND NOT EXISTS (SELECT 1 FROM tenants t WHERE t.tenant = r.tenant)",
            &[],
            |row| row.int(0),
        )?;
        Ok(found.unwrap_or_default())
    }

    /// The newest directory records, newest first: activity and refusal.
    pub fn recent_directory_records(&self, limit: i64) -> Result<Vec<(String, Option<String>)>, Fault> {
        let owner = self.tenant.map(|tenant: TenantId| tenant.uuid().as_bytes().to_vec()).unwrap_or_default();
        self.link().all(
            "SELECT activity, refusal FROM directory_records WHERE tenant = $1 ORDER BY seq DESC LIMIT $2",
            &[(&owner).into(), limit.into()],
            |row| Ok((row.text(0)?, row.opt_text(1)?)),
        )
    }

    /// The newest sign-in records, newest first: error code, kind and reasons.
    pub fn recent_sign_in_records(&self, limit: i64) -> Result<Vec<(i64, String, String)>, Fault> {
        let owner = self.tenant.map(|tenant: TenantId| tenant.uuid().as_bytes().to_vec()).unwrap_or_default();
        self.link().all(
            "SELECT error_code, kind, reasons FROM sign_in_records WHERE tenant = $1 ORDER BY seq DESC LIMIT $2",
            &[(&owner).into(), limit.into()],
            |row| Ok((row.int(0)?, row.text(1)?, row.text(2)?)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_tells_what_changed_within_its_limits() {
        let of = |name: usize, length: usize| Modified {
            property: format!("p{name}"),
            before: None,
            after: Some("x".repeat(length)),
        };
        assert_eq!(write_modified(&[]), None);
        let many: Vec<Modified> = (0..MODIFIED + 5).map(|name| of(name, VALUE_LIMIT)).collect();
        let written = write_modified(&many).unwrap();
        assert!(written.len() < VALUES_LIMIT + 2_048, "{} bytes", written.len());
        let read = read_modified(Some(&written)).unwrap();
        assert_eq!(read.len(), MODIFIED, "names stay");
        let with_value = read.iter().filter(|one| one.after.is_some()).count();
        assert_eq!(with_value, VALUES_LIMIT / VALUE_LIMIT);
        let long = read_modified(write_modified(&[of(1, 10 * VALUE_LIMIT)]).as_deref()).unwrap();
        assert!(
            long.first().and_then(|one| one.after.as_ref()).is_some_and(|text| text.len() < 2 * VALUE_LIMIT)
        );
    }
}
