//! The log, read by time: newest first unless asked otherwise, from an index whatever is asked.

use crate::ReadTx;
use crate::audit::read_modified;
use crate::fault::Fault;
use crate::sql::{Owned, Row, borrow};
use domain::audit::Modified;
use domain::time::Timestamp;
use uuid::Uuid;

/// A sign-in or a token, as it was recorded (Graph: signIn).
#[derive(Clone, Debug)]
pub struct SignInRow {
    pub seq: i64,
    pub id: Uuid,
    pub at: Timestamp,
    pub kind: String,
    pub error_code: i64,
    pub user: Option<Uuid>,
    pub user_name: Option<String>,
    pub service_principal: Option<Uuid>,
    pub app: Option<Uuid>,
    pub resource: Option<Uuid>,
    pub home_tenant: Option<Uuid>,
    pub reasons: String,
    pub correlation: Uuid,
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

/// A change of the directory or a refused one, as it was recorded (Graph: directoryAudit).
#[derive(Clone, Debug)]
pub struct DirectoryRow {
    pub seq: i64,
    pub id: Uuid,
    pub at: Timestamp,
    pub activity: String,
    pub category: String,
    pub actor_kind: String,
    pub actor: Option<Uuid>,
    pub target: Option<Uuid>,
    pub target_name: Option<String>,
    pub refusal: Option<String>,
    pub reasons: String,
    pub correlation: Uuid,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub modified: Vec<Modified>,
}

/// A stretch of time, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct During {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// Which sign-ins are asked for; each condition that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct SignInFilter {
    pub app: Option<Uuid>,
    pub correlation: Option<Uuid>,
    pub during: During,
    pub error_code: Option<i64>,
    pub user: Option<Uuid>,
}

/// Who acted: a user, or an application by its public id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordActorFilter {
    Application(Uuid),
    User(Uuid),
}

/// Which changes are asked for; each condition that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct DirectoryFilter {
    pub activity: Option<String>,
    pub actor: Option<RecordActorFilter>,
    pub category: Option<String>,
    pub correlation: Option<Uuid>,
    pub during: During,
    pub is_refused: Option<bool>,
    pub target: Option<Uuid>,
}

const SIGN_IN: &str =
    "seq, id, at, kind, error_code, user, user_name, service_principal, app, resource, home_tenant,
   reasons, correlation, address, user_agent";
const DIRECTORY: &str =
    "seq, id, at, activity, category, actor_kind, actor, target, target_name, refusal, reasons,
   correlation, address, user_agent, modified";

fn read_sign_in(row: &Row<'_>) -> Result<SignInRow, Fault> {
    Ok(SignInRow {
        seq: row.int(0)?,
        id: row.uuid(1)?,
        at: row.time(2)?,
        kind: row.text(3)?,
        error_code: row.int(4)?,
        user: row.opt_uuid(5)?,
        user_name: row.opt_text(6)?,
        service_principal: row.opt_uuid(7)?,
        app: row.opt_uuid(8)?,
        resource: row.opt_uuid(9)?,
        home_tenant: row.opt_uuid(10)?,
        reasons: row.text(11)?,
        correlation: row.uuid(12)?,
        address: row.opt_text(13)?,
        user_agent: row.opt_text(14)?,
    })
}

fn read_directory(row: &Row<'_>) -> Result<DirectoryRow, Fault> {
    Ok(DirectoryRow {
        seq: row.int(0)?,
        id: row.uuid(1)?,
        at: row.time(2)?,
        activity: row.text(3)?,
        category: row.text(4)?,
        actor_kind: row.text(5)?,
        actor: row.opt_uuid(6)?,
        target: row.opt_uuid(7)?,
        target_name: row.opt_text(8)?,
        refusal: row.opt_text(9)?,
        reasons: row.text(10)?,
        correlation: row.uuid(11)?,
        address: row.opt_text(12)?,
        user_agent: row.opt_text(13)?,
        modified: read_modified(row.opt_text(14)?.as_deref())?,
    })
}

/// Where a listing goes on: after the record of that time and number.
type After = Option<(i64, i64)>;

struct Statement {
    sql: String,
    values: Vec<Owned>,
}

impl Statement {
    fn new(columns: &str, table: &str, tenant: Uuid) -> Self {
        let sql = format!("SELECT {columns} FROM {table} WHERE tenant = $1");
        Self { sql, values: vec![Owned::id(tenant)] }
    }

    fn and(&mut self, condition: &str, value: Option<Owned>) {
        if let Some(value) = value {
            self.values.push(value);
            self.sql.push_str(&format!(" AND {condition} ${}", self.values.len()));
        }
    }

    fn page(mut self, during: During, is_descending: bool, after: After, limit: u32) -> (String, Vec<Owned>) {
        self.and("at >=", during.from.map(|at| Owned::Int(at.millis())));
        self.and("at <=", during.until.map(|at| Owned::Int(at.millis())));
        let (sign, direction) = if is_descending { ("<", " DESC") } else { (">", "") };
        if let Some((at, seq)) = after {
            self.values.extend([Owned::Int(at), Owned::Int(seq)]);
            let last = self.values.len();
            self.sql.push_str(&format!(" AND (at, seq) {sign} (${}, ${last})", last - 1));
        }
        self.values.push(Owned::Int(i64::from(limit)));
        let limit = self.values.len();
        self.sql.push_str(&format!(" ORDER BY at{direction}, seq{direction} LIMIT ${limit}"));
        (self.sql, self.values)
    }
}

fn sign_ins(tenant: Uuid, filter: &SignInFilter) -> Statement {
    let mut statement = Statement::new(SIGN_IN, "sign_in_records", tenant);
    statement.and("app =", filter.app.map(Owned::id));
    statement.and("correlation =", filter.correlation.map(Owned::id));
    statement.and("user =", filter.user.map(Owned::id));
    if filter.error_code.is_some_and(|code| code != 0) {
        // Said apart, so that the index of refusals is seen to fit.
        statement.sql.push_str(" AND error_code <> 0");
    }
    statement.and("error_code =", filter.error_code.map(Owned::Int));
    statement
}

fn changes(tenant: Uuid, filter: &DirectoryFilter) -> Statement {
    let mut statement = Statement::new(DIRECTORY, "directory_records", tenant);
    let actor = match filter.actor {
        None => None,
        Some(RecordActorFilter::Application(id)) => Some((id, "application")),
        Some(RecordActorFilter::User(id)) => Some((id, "user")),
    };
    statement.and("activity =", filter.activity.clone().map(Owned::Text));
    statement.and("actor =", actor.map(|(id, _)| Owned::id(id)));
    statement.and("actor_kind =", actor.map(|(_, kind)| Owned::Text(kind.to_owned())));
    statement.and("category =", filter.category.clone().map(Owned::Text));
    statement.and("correlation =", filter.correlation.map(Owned::id));
    statement.and("target =", filter.target.map(Owned::id));
    match filter.is_refused {
        None => {}
        Some(true) => statement.sql.push_str(" AND refusal IS NOT NULL"),
        Some(false) => statement.sql.push_str(" AND refusal IS NULL"),
    }
    statement
}

impl ReadTx<'_> {
    pub fn list_sign_ins(
        &self,
        filter: &SignInFilter,
        is_descending: bool,
        after: After,
        limit: u32,
    ) -> Result<Vec<SignInRow>, Fault> {
        let statement = sign_ins(self.tenant()?.uuid(), filter);
        let (sql, values) = statement.page(filter.during, is_descending, after, limit);
        self.link().all(&sql, &borrow(&values), read_sign_in)
    }

    pub fn find_sign_in(&self, id: Uuid) -> Result<Option<SignInRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {SIGN_IN} FROM sign_in_records WHERE tenant = $1 AND id = $2 ORDER BY seq LIMIT 1"
        );
        self.link().one(&sql, &[(&tenant).into(), (&id).into()], read_sign_in)
    }

    pub fn list_changes(
        &self,
        filter: &DirectoryFilter,
        is_descending: bool,
        after: After,
        limit: u32,
    ) -> Result<Vec<DirectoryRow>, Fault> {
        let statement = changes(self.tenant()?.uuid(), filter);
        let (sql, values) = statement.page(filter.during, is_descending, after, limit);
        self.link().all(&sql, &borrow(&values), read_directory)
    }

    pub fn find_change(&self, id: Uuid) -> Result<Option<DirectoryRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {DIRECTORY} FROM directory_records WHERE tenant = $1 AND id = $2 ORDER BY seq LIMIT 1"
        );
        self.link().one(&sql, &[(&tenant).into(), (&id).into()], read_directory)
    }

    /// How the engine would go about lists of records: for the test that nothing is looked through from end to end.
    pub fn explain_records(
        &self,
        sign_in: &SignInFilter,
        change: &DirectoryFilter,
    ) -> Result<Vec<String>, Fault> {
        let tenant = self.tenant()?.uuid();
        let mut steps = Vec::new();
        for (sql, values) in [
            sign_ins(tenant, sign_in).page(sign_in.during, true, None, 100),
            changes(tenant, change).page(change.during, true, None, 100),
        ] {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            steps.extend(self.link().all(&sql, &borrow(&values), |row| row.text(3))?);
        }
        Ok(steps)
    }
}
