//! How the engine goes about a statement: nothing walks through a tenant, or a table, unless it stands here with its
//! reason. Builds for development look at each statement when it is prepared first and say so in the log; tests that ask
//! for it get a fault; shipped programs do not look.
//!
//! Nothing here depends on how much a store holds: no statistics are kept, so that the engine plans for an empty table as
//! for one of a million rows.

use crate::fault::Fault;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is walked through: a part of the statement, and why that does no harm.
const WALKS: &[(&str, &str)] = &[
    ("o.row LIMIT $", "a page of a list: the store suite judges each condition and order (`SCANS` there)"),
    ("o.row DESC LIMIT $", "the same"),
    ("d.row LIMIT $", "the same"),
    (
        "SELECT COUNT(*) FROM applications o",
        "whoever wants to know how many there are waits for the counting",
    ),
    ("SELECT COUNT(*) FROM groups o", "the same"),
    ("SELECT COUNT(*) FROM service_principals o", "the same"),
    ("SELECT COUNT(*) FROM users o", "the same"),
    ("FROM groups WHERE tenant = $1 AND is_role_assignable = 1", "at most 500, by an index of their own"),
    ("AND deleted_at IS NULL AND membership_rule IS NOT NULL", "dynamic groups: the same"),
    ("FROM consents c WHERE c.tenant = $1 AND EXISTS", "a page, in the order of its index"),
    (" ORDER BY at DESC, seq DESC LIMIT $", "a page of the log, in the order of an index of the log"),
    (" ORDER BY at, seq LIMIT $", "the same"),
    ("FROM rule_properties p WHERE", "the groups whose rules read a property: those that a change concerns"),
    ("FROM applied WHERE tenant = $1 ORDER BY", "what a description made: `hospes apply` compares all of it"),
    ("FROM rule_runs ORDER BY tenant, group_id LIMIT", "what is under way, a few of them"),
    ("SELECT f.id, f.kind, f.role FROM", "role assignments: few beside the users"),
    ("FROM activated_roles", "fewer than there are built-in roles"),
    (
        "FROM token_lifetime_policies p WHERE p.tenant = $1",
        "at most 100 of a tenant, one of them the default",
    ),
    ("FROM domains WHERE tenant = $1", "a tenant's own domains"),
    ("change_log", "one row"),
    ("signing_keys", "a handful for the deployment"),
    ("FROM sqlite_master m", "the catalogue: as many rows as there are tables and indexes"),
    ("setup_links", "links of the operator, for a day"),
    ("SELECT tenant FROM tenants WHERE deleted_at IS NULL ORDER BY", "every tenant, for the operator"),
    (
        " l WHERE l.tenant = $1",
        "what is left in a tenant that is to go: counted, or removed, a step at a time",
    ),
    (
        "FROM tenants WHERE deleted_at IS NOT NULL AND cleared_at",
        "tenants that are being emptied, a few of them",
    ),
    ("UPDATE outbox SET done_at = $1, failure = 'the tenant was deleted'", "what waits of one tenant, once"),
    ("DELETE FROM changes WHERE seq <= $1", "the oldest entries, as many as one step removes"),
    ("FROM changes WHERE seq < (SELECT MAX(seq)", "the same"),
    ("FROM outbox WHERE 1 = 1 ORDER BY seq DESC LIMIT", "the newest mails, for the development mailbox"),
    ("SELECT COALESCE(SUM(error_code", "counts of records, for tests: nothing that is served reads them so"),
    ("SELECT COALESCE(SUM(refusal", "the same"),
    ("SELECT activity, refusal FROM", "the same"),
    ("SELECT error_code, kind, reasons FROM", "the same"),
    ("json_each(a.body, '$.redirect_uris')", "a tenant's instances, not its users"),
    (", o.tenant, o.row FROM users o", "everybody, when another release makes terms anew"),
    (", o.tenant, o.row FROM groups o", "the same of groups"),
    ("o.deleted_at, o.row FROM applications o", "the same of applications"),
    ("SELECT tenant, row, app_id FROM service_principals", "the same of instances"),
];

/// Columns that say little: what is sought by them alone is most of a table.
const COARSE: [&str; 4] = ["tenant", "kind", "property", "link"];

/// Statements that were looked at, of every store of the process.
static JUDGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

static REFUSES: AtomicBool = AtomicBool::new(false);

/// For tests: from now on a statement that walks through a table without a reason is a fault, in every store of the process.
pub fn refuse_walks() {
    REFUSES.store(true, Ordering::Relaxed);
}

/// Looks at a statement once: refuses or tells of one that walks through a table without a reason.
pub(crate) fn judge(connection: &Connection, sql: &str) -> Result<(), Fault> {
    let verb = sql.split_whitespace().next().unwrap_or_default();
    if !["SELECT", "WITH", "INSERT", "UPDATE", "DELETE"].contains(&verb) {
        return Ok(());
    }
    let mut judged = JUDGED.lock().unwrap_or_else(PoisonError::into_inner);
    if judged.contains(sql) || WALKS.iter().any(|(part, _)| sql.contains(part)) {
        return Ok(());
    }
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let steps: Vec<String> = explain.raw_query().mapped(|row| row.get(3)).collect::<rusqlite::Result<_>>()?;
    if let Some(step) = steps.iter().find(|step| is_walk(step, &steps, sql)) {
        tracing::error!(sql, ?steps, "a statement walks through a table");
        if !REFUSES.load(Ordering::Relaxed) {
            judged.insert(sql.to_owned());
            return Ok(());
        }
        return Err(Fault::Engine(format!(
            "`{step}` of this statement walks through a table: it needs an index, or a reason in store/plans.rs: {sql}"
        )));
    }
    judged.insert(sql.to_owned());
    Ok(())
}

/// Whether a step of a plan looks at rows that it does not seek.
fn is_walk(step: &str, steps: &[String], sql: &str) -> bool {
    if let Some(rest) = step.strip_prefix("SCAN ") {
        let name = rest.split_whitespace().next().unwrap_or_default();
        return !rest.contains("VIRTUAL TABLE")
            && !rest.ends_with("CONSTANT ROW")
            && !rest.ends_with("CONSTANT ROWS")
            && !is_made(name, steps, sql);
    }
    if !step.starts_with("SEARCH ") {
        return false;
    }
    if step.contains(" AUTOMATIC ") {
        return true;
    }
    // Without a condition it is the first or the last of an index.
    let Some((how, sought)) = step.split_once(" (") else { return false };
    let sought = sought.rsplit_once(')').map_or(sought, |(sought, _)| sought);
    let is_number = how.ends_with("INTEGER PRIMARY KEY");
    // The primary key of a tenant is the tenant.
    let is_coarse = |column: &str| COARSE.contains(&column) && !how.starts_with("SEARCH tenants ");
    !sought.split(" AND ").any(|part| match part.split_once(['=', '<', '>']) {
        Some((column, "?")) if part.contains('=') => !is_coarse(column),
        // From a row number on is no selection; from a time on is one.
        Some(_) => !is_number,
        None => false,
    })
}

/// Whether a name in a plan stands for rows that the statement itself made, and no table.
fn is_made(name: &str, steps: &[String], sql: &str) -> bool {
    let made = |made: &str| {
        steps.iter().any(|step| {
            let step = step.strip_prefix("MATERIALIZE ").or_else(|| step.strip_prefix("CO-ROUTINE "));
            step == Some(made)
        })
    };
    if name.starts_with('(') || made(name) {
        return true;
    }
    // Another name of a common table expression: `FROM found f`.
    let words: Vec<&str> = sql.split(|c: char| c.is_whitespace() || c == ',').collect();
    words
        .windows(2)
        .any(|pair| matches!(pair, [table, alias] if *alias == name && (made(table) || *table == "found")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(sql: &str) -> Result<(), Fault> {
        refuse_walks();
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE things (tenant BLOB, kind TEXT, name TEXT, at BIGINT);
                 CREATE INDEX things_name ON things (tenant, kind, name);
                 CREATE INDEX things_at ON things (tenant, at);",
            )
            .unwrap();
        judge(&connection, sql)
    }

    #[test]
    fn what_is_sought_by_more_than_its_tenant_is_fine() {
        for sql in [
            "SELECT at FROM things WHERE tenant = $1 AND kind = $2 AND name = $3",
            "SELECT name FROM things WHERE tenant = $1 AND at > $2",
            "DELETE FROM things WHERE tenant = $1 AND kind = $2 AND name = $3",
            "INSERT INTO things (tenant) VALUES ($1)",
            "SELECT t.at FROM (SELECT $1 AS name UNION SELECT $2) n CROSS JOIN things t
              WHERE t.tenant = $3 AND t.kind = $4 AND t.name = n.name",
            "WITH RECURSIVE found(name) AS (SELECT $1 UNION SELECT t.kind FROM found f CROSS JOIN things t
               WHERE t.tenant = $2 AND t.kind = $3 AND t.name = f.name) SELECT name FROM found",
        ] {
            assert!(judged(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn what_walks_through_a_tenant_or_a_table_is_refused_unless_it_is_listed() {
        for sql in [
            "SELECT name FROM things",
            "SELECT name FROM things WHERE name = $1",
            "SELECT name FROM things WHERE tenant = $1",
            "SELECT at FROM things WHERE tenant = $1 AND kind = $2",
            "UPDATE things SET at = $1 WHERE tenant = $2 AND name = $3",
            "DELETE FROM things WHERE at < $1",
            "SELECT name FROM things WHERE rowid > $1",
            "SELECT a.name FROM things a JOIN things b ON b.at = a.at WHERE a.tenant = $1 AND a.at = $2",
        ] {
            assert!(judged(sql).is_err(), "{sql}");
        }
        assert!(judged("SELECT o.name FROM things o WHERE o.tenant = $1 ORDER BY o.row LIMIT $2").is_ok());
    }
}
