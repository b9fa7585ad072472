//! What the planner is told of the tables: the same for every store, as of one with many tenants, one of them large.
//!
//! Without statistics SQLite takes ten rows for all that a tenant has of anything, and then walks through a tenant rather
//! than look something up and sort it. Statistics that are measured would change plans from day to day and from store to
//! store; these make them right for a large tenant, and no small one notices.

use crate::fault::Fault;
use rusqlite::{Connection, params};

const ROWS: u64 = 1_000_000;
/// Rows of one tenant, and of whatever else is found by a column that says nearly nothing.
const MANY: u64 = 100_000;
/// Rows of one tenant in an index of few objects only.
const RARE: u64 = 1_000;
/// Rows of one person, name or object.
const FEW: u64 = 10;

/// Columns that say nearly nothing: half of a tenant has the same.
const COARSE: [&str; 5] = ["is_enabled", "kind", "link", "property", "tenant"];

/// Writes the statistics and makes the connection heed them; those that are opened later do by themselves.
pub(crate) fn set(connection: &Connection) -> Result<(), Fault> {
    // Makes the table of statistics, and measures nothing.
    connection.execute_batch("ANALYZE sqlite_schema; DELETE FROM sqlite_stat1")?;
    let mut tables = connection
        .prepare("SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")?;
    let tables: Vec<(String, bool)> =
        tables.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut indexes =
        connection.prepare("SELECT name, \"unique\", origin FROM pragma_index_list($1) ORDER BY name")?;
    let mut columns =
        connection.prepare("SELECT COALESCE(name, '') FROM pragma_index_info($1) ORDER BY seqno")?;
    let mut insert = connection.prepare("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ($1, $2, $3)")?;
    for (table, is_without_rowid) in tables.iter().filter(|(name, _)| !name.starts_with("sqlite_")) {
        let found: Vec<(String, bool, String)> = indexes
            .query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        for (index, is_unique, origin) in found {
            let names: Vec<String> =
                columns.query_map([&index], |row| row.get(0))?.collect::<Result<_, _>>()?;
            // A table that is its own primary key lends it its name.
            let name = if origin == "pk" && *is_without_rowid { table } else { &index };
            insert.execute(params![table, name, statistic(&index, &names, is_unique)])?;
        }
    }
    // Reads them.
    connection.execute_batch("ANALYZE sqlite_schema")?;
    Ok(())
}

/// Rows in all, then rows with the same first column, the same first two, and so on.
fn statistic(index: &str, columns: &[String], is_unique: bool) -> String {
    let is_rare = ["_assignable", "_deleted", "_dynamic"].iter().any(|end| index.ends_with(end));
    let (rows, many) = if is_rare { (RARE * 10, RARE) } else { (ROWS, MANY) };
    let mut text = rows.to_string();
    let mut left = rows;
    for (at, column) in columns.iter().enumerate() {
        let is_last = at + 1 == columns.len();
        left = match COARSE.contains(&column.as_str()) {
            _ if is_last && is_unique => 1,
            true if left > many => many,
            true => left.div_ceil(2),
            false if left > FEW => FEW,
            false => left.div_ceil(2),
        };
        text.push_str(&format!(" {left}"));
    }
    // What begins with a tenant is not worth a look at each tenant.
    text + " noskipscan"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_large_and_what_is_sought_in_it_small() {
        let of = |index: &str, columns: &[&str], is_unique| {
            let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
            statistic(index, &columns, is_unique)
        };
        assert_eq!(of("users_id", &["tenant", "id"], true), "1000000 100000 1 noskipscan");
        assert_eq!(
            of("users_display", &["tenant", "display_name_folded"], false),
            "1000000 100000 10 noskipscan"
        );
        assert_eq!(
            of("changes_order", &["tenant", "kind", "seq"], false),
            "1000000 100000 50000 10 noskipscan"
        );
        assert_eq!(of("users_deleted", &["tenant"], false), "10000 1000 noskipscan");
        assert_eq!(
            of("terms", &["tenant", "kind", "property", "value", "row"], true),
            "1000000 100000 50000 25000 10 1 noskipscan"
        );
    }
}
