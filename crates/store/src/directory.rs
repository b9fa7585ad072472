//! Lists of users: a planned query as one statement, bound parameters, key-set pages.

use crate::ReadTx;
use crate::fault::Fault;
use crate::sql::Value as SqlValue;
use crate::users::{COLUMNS, TABLE, read_user};
use domain::directory::property::{Source, UserProperty};
use domain::directory::query::{Plan, Predicate, Value};
use domain::directory::user::User;
use domain::id::TenantId;

/// A page of users.
#[derive(Debug)]
pub struct UserPage {
    pub users: Vec<User>,
    /// The key to go on from; `None` on the last page.
    pub next: Option<i64>,
    pub count: Option<i64>,
}

/// A statement's condition in the making, with its parameters in order of appearance.
struct Condition {
    sql: String,
    values: Vec<Owned>,
}

enum Owned {
    Bytes(Vec<u8>),
    Int(i64),
    Text(String),
}

impl ReadTx<'_> {
    /// Users of this tenant that fit the plan, after the key `after`; `deleted` chooses the bin.
    pub fn list_users(&self, plan: &Plan, after: i64, deleted: bool) -> Result<UserPage, Fault> {
        let tenant = self.tenant()?;
        let condition = condition(tenant, plan.filter.as_ref(), deleted)?;
        let count = match plan.wants_count && after == 0 {
            true => Some(self.count_where(&condition)?),
            false => None,
        };
        let Condition { mut sql, mut values } = condition;
        let after_at = push(&mut values, Owned::Int(after));
        let limit_at = push(&mut values, Owned::Int(i64::from(plan.top) + 1));
        sql.push_str(&format!(" AND u.row > {after_at}"));
        let statement = format!("SELECT {COLUMNS} FROM {TABLE} WHERE {sql} ORDER BY u.row LIMIT {limit_at}");
        let mut found =
            self.link().all(&statement, &borrow(&values), |row| Ok((row.int(19)?, read_user(row)?)))?;
        let page = usize::try_from(plan.top).unwrap_or(usize::MAX);
        let has_more = found.len() > page;
        found.truncate(page);
        let next = found.last().map(|(row, _)| *row).filter(|_| has_more);
        Ok(UserPage { users: found.into_iter().map(|(_, user)| user).collect(), next, count })
    }

    /// How many users fit a filter.
    pub fn count_users(&self, filter: Option<&Predicate>) -> Result<i64, Fault> {
        self.count_where(&condition(self.tenant()?, filter, false)?)
    }

    fn count_where(&self, condition: &Condition) -> Result<i64, Fault> {
        let sql = format!("SELECT COUNT(*) FROM {TABLE} WHERE {}", condition.sql);
        Ok(self.link().one(&sql, &borrow(&condition.values), |row| row.int(0))?.unwrap_or(0))
    }
}

fn condition(tenant: TenantId, filter: Option<&Predicate>, deleted: bool) -> Result<Condition, Fault> {
    let mut values = vec![Owned::Bytes(tenant.uuid().as_bytes().to_vec())];
    let bin = if deleted { "IS NOT NULL" } else { "IS NULL" };
    let mut sql = format!("u.tenant = $1 AND u.deleted_at {bin}");
    if let Some(filter) = filter {
        let filter = predicate(filter, &mut values)?;
        sql.push_str(&format!(" AND {filter}"));
    }
    Ok(Condition { sql, values })
}

fn borrow(values: &[Owned]) -> Vec<SqlValue<'_>> {
    values
        .iter()
        .map(|value| match value {
            Owned::Bytes(bytes) => SqlValue::Bytes(bytes),
            Owned::Int(number) => SqlValue::Int(*number),
            Owned::Text(text) => SqlValue::Text(text),
        })
        .collect()
}

/// Adds a parameter; answers its name in the statement.
fn push(values: &mut Vec<Owned>, value: Owned) -> String {
    values.push(value);
    format!("${}", values.len())
}

/// SQL of a predicate. Every leaf is true or false, never unknown: `not` and `ne` mean what people expect of absent
/// values, on every engine.
fn predicate(filter: &Predicate, values: &mut Vec<Owned>) -> Result<String, Fault> {
    Ok(match filter {
        Predicate::And(left, right) => {
            format!("({} AND {})", predicate(left, values)?, predicate(right, values)?)
        }
        Predicate::Or(left, right) => {
            format!("({} OR {})", predicate(left, values)?, predicate(right, values)?)
        }
        Predicate::Not(inner) => format!("(NOT {})", predicate(inner, values)?),
        Predicate::Equal { property, value } => equal(property, value, values)?,
        Predicate::In { property, values: wanted } => {
            let mut parts = Vec::with_capacity(wanted.len());
            for value in wanted {
                parts.push(equal(property, value, values)?);
            }
            format!("({})", parts.join(" OR "))
        }
        Predicate::StartsWith { property, text } => {
            let column = column(property)?;
            let at = push(values, Owned::Text(column.fold(text)));
            // A range, not a pattern: it uses the index, and `%` in the text is only a character.
            format!("COALESCE(substr({0}, 1, length({at})) = {at}, 0)", column.sql)
        }
        Predicate::Contains { property, value } => {
            let list = match property.source {
                Source::OtherMails => "u.other_mails",
                Source::ProxyAddresses => "u.proxy_addresses",
                Source::BusinessPhones => "u.business_phones",
                _ => return Err(Fault::Bug("a filter names a collection that is none")),
            };
            let at = push(values, Owned::Text(value.to_lowercase()));
            format!("EXISTS (SELECT 1 FROM json_each({list}) e WHERE lower(e.value) = {at})")
        }
        Predicate::HasIdentity { issuer, assigned_id } => {
            identity(issuer.as_deref(), assigned_id.as_deref(), values)
        }
    })
}

/// What `identities` shows: the local name under an own domain, and a federated home without a name of its own.
fn identity(issuer: Option<&str>, assigned_id: Option<&str>, values: &mut Vec<Owned>) -> String {
    let mut local = vec!["1 = 1".to_owned()];
    let mut federated = vec!["i.issuer IS NOT NULL".to_owned()];
    if let Some(issuer) = issuer {
        let at = push(values, Owned::Text(issuer.to_lowercase()));
        local.push(format!("EXISTS (SELECT 1 FROM domains d WHERE d.tenant = u.tenant AND d.is_initial = 1 AND d.name = {at})"));
        federated.push(format!("{at} = 'externalazuread'"));
    }
    if let Some(id) = assigned_id {
        let at = push(values, Owned::Text(id.to_ascii_lowercase()));
        local.push(format!("u.sign_in_name_folded = {at}"));
        federated.push("1 = 0".to_owned());
    }
    format!("(({}) OR ({}))", local.join(" AND "), federated.join(" AND "))
}

/// Where a property is compared, and how its text is folded.
struct Column {
    sql: String,
    fold: Fold,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    /// 16 bytes; the text is an id.
    Id,
    Lower,
    Number,
}

impl Column {
    fn fold(&self, text: &str) -> String {
        text.to_lowercase()
    }
}

fn column(property: &UserProperty) -> Result<Column, Fault> {
    let lower = |sql: &str| Column { sql: sql.to_owned(), fold: Fold::Lower };
    Ok(match property.source {
        Source::SignInName => lower("u.sign_in_name_folded"),
        Source::DisplayName => lower("u.display_name_folded"),
        Source::Mail => lower("u.mail_folded"),
        Source::MailNickname => lower("lower(u.mail_nickname)"),
        Source::UserType => lower("lower(u.user_type)"),
        Source::CreationType => lower("lower(u.creation_type)"),
        Source::ExternalState => lower("lower(u.external_state)"),
        // Names come from the property table, never from a request.
        Source::Profile => lower(&format!("lower(u.profile ->> '{}')", property.name)),
        Source::AccountEnabled => Column { sql: "u.is_enabled".to_owned(), fold: Fold::Number },
        Source::ShowInAddressList => Column { sql: "u.is_in_address_list".to_owned(), fold: Fold::Number },
        Source::Id => Column { sql: "u.id".to_owned(), fold: Fold::Id },
        Source::BusinessPhones
        | Source::Created
        | Source::Deleted
        | Source::ExternalStateChanged
        | Source::Identities
        | Source::LastPasswordChange
        | Source::OtherMails
        | Source::ProxyAddresses
        | Source::SessionsValidFrom => {
            return Err(Fault::Bug("a filter names a property that has no column"));
        }
    })
}

fn equal(property: &UserProperty, value: &Value, values: &mut Vec<Owned>) -> Result<String, Fault> {
    let column = column(property)?;
    Ok(match (value, column.fold) {
        (Value::Null, _) => format!("({} IS NULL)", column.sql),
        (Value::Bool(is), _) => {
            let at = push(values, Owned::Int(i64::from(*is)));
            format!("COALESCE({} = {at}, 0)", column.sql)
        }
        (Value::Text(text), Fold::Id) => match uuid::Uuid::parse_str(text) {
            Ok(id) => {
                let at = push(values, Owned::Bytes(id.as_bytes().to_vec()));
                format!("COALESCE({} = {at}, 0)", column.sql)
            }
            Err(_) => "(1 = 0)".to_owned(),
        },
        (Value::Text(text), Fold::Lower | Fold::Number) => {
            let at = push(values, Owned::Text(column.fold(text)));
            format!("COALESCE({} = {at}, 0)", column.sql)
        }
    })
}
