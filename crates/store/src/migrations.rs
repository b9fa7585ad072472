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
