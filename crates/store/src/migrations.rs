//! Brings a store's schema up to this release: numbered steps, each run once, in one transaction.

use crate::fault::Fault;
use crate::sealed::Sealer;
use crate::sql::{Link, Value};
use crate::terms;

const STEPS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_lists.sql"),
    include_str!("../migrations/0003_device_codes.sql"),
    include_str!("../migrations/0004_proved_addresses.sql"),
    include_str!("../migrations/0005_mail_limits.sql"),
    include_str!("../migrations/0006_groups.sql"),
    include_str!("../migrations/0007_roles.sql"),
    include_str!("../migrations/0008_links.sql"),
    include_str!("../migrations/0009_delta.sql"),
    include_str!("../migrations/0010_limits.sql"),
    include_str!("../migrations/0011_tokens.sql"),
    include_str!("../migrations/0012_consent.sql"),
    include_str!("../migrations/0013_apply.sql"),
    include_str!("../migrations/0014_dynamic.sql"),
    include_str!("../migrations/0015_instance_secrets.sql"),
    include_str!("../migrations/0016_scale.sql"),
    include_str!("../migrations/0017_audit.sql"),
    include_str!("../migrations/0018_token_lifetimes.sql"),
    include_str!("../migrations/0019_bin.sql"),
    include_str!("../migrations/0020_deleted_tenants.sql"),
    include_str!("../migrations/0021_service_principals.sql"),
    include_str!("../migrations/0022_modified.sql"),
];

/// How many steps this release knows: the version of its schema.
pub const SCHEMA: usize = STEPS.len();

/// A text sealed at creation; it opens only under the root key the store was made with.
const CANARY: &[u8] = b"hospes store";
const CANARY_PLACE: &str = "store_info.canary";

pub(crate) fn run(link: Link<'_>, sealer: &Sealer) -> Result<(), Fault> {
    link.run("CREATE TABLE IF NOT EXISTS store_info (name TEXT PRIMARY KEY, value BLOB NOT NULL)", &[])?;
    link.run("CREATE TABLE IF NOT EXISTS store_migrations (step BIGINT PRIMARY KEY)", &[])?;
    let done =
        link.one("SELECT COALESCE(MAX(step), 0) FROM store_migrations", &[], |row| row.int(0))?.unwrap_or(0);
    let done = usize::try_from(done).map_err(|_| Fault::Bug("the schema's version is negative"))?;
    if done > STEPS.len() {
        return Err(Fault::Refused(format!(
            "this store was written by a newer release (schema {done}, this program knows {}); use that release",
            STEPS.len()
        )));
    }
    for (index, step) in STEPS.iter().enumerate().skip(done) {
        link.run_script(step)?;
        let number = i64::try_from(index + 1).map_err(|_| Fault::Bug("too many migrations"))?;
        link.run("INSERT INTO store_migrations (step) VALUES ($1)", &[Value::Int(number)])?;
    }
    terms::keep_current(link)?;
    let canary = link.one("SELECT value FROM store_info WHERE name = 'canary'", &[], |row| row.bytes(0))?;
    match canary {
        None => {
            let sealed = sealer.seal(None, CANARY_PLACE, CANARY);
            link.run("INSERT INTO store_info (name, value) VALUES ('canary', $1)", &[(&sealed).into()])?;
            Ok(())
        }
        Some(sealed) => match sealer.open(None, CANARY_PLACE, &sealed) {
            Ok(text) if text == CANARY => Ok(()),
            Ok(_) | Err(_) => Err(Fault::Refused(
                "this store was made with another root key; give the key file it was made with".to_owned(),
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn a_service_principal_that_was_deleted_before_there_was_a_bin_goes_with_all_that_refers_to_it() {
        let connection = Connection::open_in_memory().unwrap();
        let (last, before) = STEPS
            .iter()
            .position(|step| step.contains("went_with_application"))
            .map_or_else(|| panic!("no such step"), |at| (STEPS[at], &STEPS[..at]));
        for step in before {
            connection.execute_batch(step).unwrap();
        }
        connection
            .execute_batch(
                "INSERT INTO service_principals (row, tenant, id, app_id, is_enabled, is_assignment_required, created_at, deleted_at)
                   VALUES (1, x'01', x'0A', x'AA', 1, 0, 5, NULL), (2, x'01', x'0B', x'AA', 1, 0, 5, 9), (3, x'02', x'0C', x'AA', 1, 0, 5, 9);
                 INSERT INTO terms (tenant, kind, property, value, row) VALUES (x'01', 3, 0, 'a', 1), (x'01', 3, 0, 'a', 2), (x'01', 1, 0, 'a', 2);
                 INSERT INTO app_role_assignments (tenant, id, principal, resource, role, created_at)
                   VALUES (x'01', x'11', x'0A', x'0A', x'01', 5), (x'01', x'12', x'0B', x'0A', x'01', 5), (x'01', x'13', x'0A', x'0B', x'01', 5);
                 INSERT INTO consents (tenant, client, principal, resource, id, scope, changed_at)
                   VALUES (x'01', x'0A', x'', x'0A', x'21', '', 5), (x'01', x'0B', x'', x'0A', x'22', '', 5), (x'01', x'0A', x'', x'0B', x'23', '', 5);
                 INSERT INTO role_assignments (tenant, principal, role, kind)
                   VALUES (x'01', x'0A', x'01', 'servicePrincipal'), (x'01', x'0B', x'01', 'servicePrincipal');",
            )
            .unwrap();
        connection.execute_batch(last).unwrap();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        for table in ["service_principals", "app_role_assignments", "consents", "role_assignments"] {
            assert_eq!(count(&format!("SELECT COUNT(*) FROM {table}")), 1, "{table}");
        }
        assert_eq!(count("SELECT COUNT(*) FROM terms"), 2, "of the other, and of a user");
        assert_eq!(
            count("SELECT COUNT(*) FROM tombstones WHERE kind = 'servicePrincipal' AND purged_at = 9"),
            2
        );
    }
}
