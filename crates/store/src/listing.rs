//! Lists of directory objects: a planned query as one statement, bound parameters, key-set pages.
//!
//! A page costs what it shows, not what comes before it or lies beside it: a listing that is not asked for in an order
//! takes the order of the index that finds its objects.

use crate::ReadTx;
use crate::applications::{APPLICATIONS, INSTANCES};
use crate::fault::Fault;
use crate::groups::{GROUPS, link_text};
use crate::sql::{Owned, Row, borrow};
use crate::terms;
use crate::users::USERS;
use domain::directory::group::Link;
use domain::directory::property::{Kind, Property, Resource, Source};
use domain::directory::query::{Key, Plan, Position, Predicate, Test, Value};
use domain::id::{GroupId, RoleTemplateId, TenantId};
use domain::time::Timestamp;
use standards::odata::filter::Operator;
use uuid::Uuid;

/// A page of objects.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the listing goes on; `None` on the last page.
    pub next: Option<Position>,
    pub count: Option<i64>,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn try_map<U, E>(self, make: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        let items = self.items.into_iter().map(make).collect::<Result<_, E>>()?;
        Ok(Page { items, next: self.next, count: self.count })
    }
}

/// How a kind of object lies in the store. Its rows stand under the name `o`.
pub(crate) struct Table<T: 'static> {
    /// The table `o`, and what is joined to it.
    pub(crate) from: &'static str,
    pub(crate) columns: &'static str,
    /// How many columns those are.
    pub(crate) width: usize,
    pub(crate) read: fn(&Row<'_>) -> Result<T, Fault>,
    pub(crate) kind: terms::Kind,
    /// Where a property is compared; `None` where its values are terms.
    pub(crate) column: fn(&Property) -> Option<Column>,
}

/// A column that a property is compared by.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) sql: &'static str,
    pub(crate) fold: Fold,
    /// Whether an index of the tenant's living objects begins with it.
    pub(crate) is_indexed: bool,
}

/// How the column's texts are folded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fold {
    /// ASCII letters only.
    Ascii,
    /// Every letter.
    Full,
    /// No text.
    None,
}

impl Column {
    pub(crate) const fn indexed(sql: &'static str, fold: Fold) -> Self {
        Self { sql, fold, is_indexed: true }
    }
    pub(crate) const fn plain(sql: &'static str, fold: Fold) -> Self {
        Self { sql, fold, is_indexed: false }
    }
    fn fold(&self, text: &str) -> String {
        match self.fold {
            Fold::Ascii => text.to_ascii_lowercase(),
            Fold::Full | Fold::None => text.to_lowercase(),
        }
    }
}

/// Which objects of the tenant are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Those in the bin, deleted at a time or after it.
    DeletedSince(Timestamp),
    Living,
}

/// Objects that are linked to one: what a listing is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// Groups that an object is in, directly or through others.
    AllGroupsOf(Uuid),
    /// Members of a group, directly or through others.
    AllMembersOf(GroupId),
    GroupsOf(Uuid),
    /// Who was given a role itself.
    HoldersOf(RoleTemplateId),
    LinkedTo(GroupId, Link),
    /// What an object owns: groups, registrations, service principals.
    OwnedBy(Uuid),
    /// Who owns a registration or a service principal.
    OwnersOf(Uuid),
    /// Whose manager a user is.
    ReportsOf(Uuid),
}

impl Within {
    pub(crate) fn id(&self) -> Uuid {
        match self {
            Self::AllGroupsOf(id)
            | Self::GroupsOf(id)
            | Self::OwnedBy(id)
            | Self::OwnersOf(id)
            | Self::ReportsOf(id) => *id,
            Self::AllMembersOf(group) | Self::LinkedTo(group, _) => group.uuid(),
            Self::HoldersOf(role) => role.uuid(),
        }
    }

    /// Kinds and ids, with the object's id at the parameter. A circle of groups ends: `UNION` keeps each once. What a
    /// deleted group holds is not reached through it.
    pub(crate) fn sql(&self, at: &str) -> String {
        let through = "JOIN groups g ON g.tenant = $1 AND g.id = m.group_id AND g.deleted_at IS NULL";
        match self {
            Self::AllGroupsOf(_) => format!(
                "WITH RECURSIVE found(id) AS (
                   SELECT m.group_id FROM group_links m {through} WHERE m.tenant = $1 AND m.object = {at} AND m.link = 'member'
                   UNION SELECT m.group_id FROM found f CROSS JOIN group_links m {through}
                    WHERE m.tenant = $1 AND m.object = f.id AND m.link = 'member')
                 SELECT 'group' AS kind, id FROM found"
            ),
            Self::AllMembersOf(_) => format!(
                "WITH RECURSIVE found(id, kind) AS (
                   SELECT m.object, m.kind FROM group_links m WHERE m.tenant = $1 AND m.group_id = {at} AND m.link = 'member'
                   UNION SELECT m.object, m.kind FROM found f CROSS JOIN group_links m {through}
                    WHERE m.tenant = $1 AND m.group_id = f.id AND m.link = 'member')
                 SELECT kind, id FROM found"
            ),
            Self::GroupsOf(_) => format!(
                "SELECT 'group' AS kind, m.group_id AS id FROM group_links m
                  WHERE m.tenant = $1 AND m.object = {at} AND m.link = 'member'"
            ),
            Self::HoldersOf(_) => format!(
                "SELECT m.kind, m.principal AS id FROM role_assignments m WHERE m.tenant = $1 AND m.role = {at}"
            ),
            Self::LinkedTo(_, link) => format!(
                "SELECT m.kind, m.object AS id FROM group_links m WHERE m.tenant = $1 AND m.group_id = {at} AND m.link = '{}'",
                link_text(*link)
            ),
            Self::OwnedBy(_) => format!(
                "SELECT 'group' AS kind, m.group_id AS id FROM group_links m
                  WHERE m.tenant = $1 AND m.object = {at} AND m.link = 'owner'
                 UNION ALL SELECT w.object_kind, w.object FROM owners w WHERE w.tenant = $1 AND w.owner = {at}"
            ),
            Self::OwnersOf(_) => format!(
                "SELECT w.owner_kind AS kind, w.owner AS id FROM owners w WHERE w.tenant = $1 AND w.object = {at}"
            ),
            Self::ReportsOf(_) => format!(
                "SELECT 'user' AS kind, m.user AS id FROM managers m WHERE m.tenant = $1 AND m.manager = {at}"
            ),
        }
    }
}

impl ReadTx<'_> {
    /// A page of a planned query, after a position.
    pub(crate) fn page<T>(
        &self,
        table: &'static Table<T>,
        plan: &Plan,
        after: Option<&Position>,
        among: Among,
        within: Option<&Within>,
    ) -> Result<Page<T>, Fault> {
        let count = match plan.wants_count && after.is_none() {
            true => Some(self.count(table, plan.filter.as_ref(), among, within)?),
            false => None,
        };
        let (sql, values) = Statement::new(table, self.tenant()?, among, within).page(plan, after)?;
        let read = |row: &Row<'_>| -> Result<(T, Position), Fault> {
            Ok(((table.read)(row)?, Position { row: row.int(table.width)?, key: row.key(table.width + 1)? }))
        };
        let mut found = self.link().all(&sql, &borrow(&values), read)?;
        let page = usize::try_from(plan.top).unwrap_or(usize::MAX);
        let has_more = found.len() > page;
        found.truncate(page);
        let next = found.last().map(|(_, position)| position.clone()).filter(|_| has_more);
        Ok(Page { items: found.into_iter().map(|(item, _)| item).collect(), next, count })
    }

    /// How many objects fit a filter.
    pub(crate) fn count<T>(
        &self,
        table: &'static Table<T>,
        filter: Option<&Predicate>,
        among: Among,
        within: Option<&Within>,
    ) -> Result<i64, Fault> {
        let (sql, values) = Statement::new(table, self.tenant()?, among, within).count(filter)?;
        Ok(self.link().one(&sql, &borrow(&values), |row| row.int(0))?.unwrap_or(0))
    }

    /// How the engine would go about a page: for the test that nothing is looked through from end to end unnoticed.
    pub fn explain_list(&self, resource: &Resource, plan: &Plan) -> Result<Vec<String>, Fault> {
        let tenant = self.tenant()?;
        let (sql, values) = match resource.name {
            "application" => Statement::new(&APPLICATIONS, tenant, Among::Living, None).page(plan, None)?,
            "group" => Statement::new(&GROUPS, tenant, Among::Living, None).page(plan, None)?,
            "servicePrincipal" => Statement::new(&INSTANCES, tenant, Among::Living, None).page(plan, None)?,
            _ => Statement::new(&USERS, tenant, Among::Living, None).page(plan, None)?,
        };
        self.link().all(&format!("EXPLAIN QUERY PLAN {sql}"), &borrow(&values), |row| row.text(3))
    }
}

/// What finds the objects of a listing.
enum Driver {
    /// The tenant's objects in the order of their rows, or of an index that the engine sees itself.
    Rows,
    /// The index of a column, walked in its own order.
    Column(Column),
    /// The rows of one term.
    Term(i64, String),
    /// The rows of some terms.
    Terms(i64, Range),
    /// What is linked to an object.
    Within,
}

/// Some terms of a property.
enum Range {
    Beginning(String),
    OneOf(Vec<String>),
}

/// A statement in the making, with its parameters in order of appearance.
struct Statement<T: 'static> {
    table: &'static Table<T>,
    among: Among,
    within: Option<Within>,
    values: Vec<Owned>,
    /// The property and the beginning of terms that the walk begins with: every row that is looked at has one.
    begun: Option<(i64, String)>,
}

/// The first text after all that begin with `prefix`, in the order of bytes: no text holds the last code point.
fn above(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

impl<T> Statement<T> {
    fn new(table: &'static Table<T>, tenant: TenantId, among: Among, within: Option<&Within>) -> Self {
        Self {
            table,
            among,
            within: within.copied(),
            values: vec![Owned::Bytes(tenant.uuid().as_bytes().to_vec())],
            begun: None,
        }
    }

    /// Adds a parameter; answers its name in the statement.
    fn push(&mut self, value: Owned) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn text(&mut self, text: impl Into<String>) -> String {
        self.push(Owned::Text(text.into()))
    }

    fn is_among(&mut self) -> String {
        match self.among {
            Among::DeletedSince(time) => format!("o.deleted_at >= {}", self.push(Owned::Int(time.millis()))),
            Among::Living => "o.deleted_at IS NULL".to_owned(),
        }
    }

    fn count(mut self, filter: Option<&Predicate>) -> Result<(String, Vec<Owned>), Fault> {
        let driver = self.driver(filter);
        let (from, found) = self.from(&driver);
        let among = self.is_among();
        let mut sql = format!("SELECT COUNT(*) FROM {from} WHERE {found}o.tenant = $1 AND {among}");
        self.keep_within(&driver, &mut sql);
        if let Some(filter) = filter {
            sql.push_str(&format!(" AND {}", self.predicate(filter, false)?));
        }
        Ok((sql, self.values))
    }

    fn page(mut self, plan: &Plan, after: Option<&Position>) -> Result<(String, Vec<Owned>), Fault> {
        let filter = plan.filter.as_ref();
        let driver = match plan.order {
            None => self.driver(filter),
            Some(order) => {
                let column = (self.table.column)(order.property);
                Driver::Column(column.ok_or(Fault::Bug("a listing is sorted by what has no column"))?)
            }
        };
        let is_descending = plan.order.is_some_and(|order| order.is_descending);
        let (from, found) = self.from(&driver);
        let order = match &driver {
            Driver::Column(column) => Some(column.sql),
            Driver::Rows | Driver::Term(..) | Driver::Terms(..) | Driver::Within => None,
        };
        let (columns, key) = (self.table.columns, order.unwrap_or("NULL"));
        let among = self.is_among();
        let mut sql =
            format!("SELECT {columns}, o.row, {key} FROM {from} WHERE {found}o.tenant = $1 AND {among}");
        self.keep_within(&driver, &mut sql);
        if let Some(filter) = filter {
            sql.push_str(&format!(" AND {}", self.predicate(filter, false)?));
        }
        let row = match &driver {
            Driver::Term(..) | Driver::Terms(..) => "d.row",
            Driver::Column(..) | Driver::Rows | Driver::Within => "o.row",
        };
        let (sign, direction) = if is_descending { ("<", " DESC") } else { (">", "") };
        match (after, order) {
            (None, _) => {}
            (Some(Position { row: at, .. }), None) => {
                let at = self.push(Owned::Int(*at));
                sql.push_str(&format!(" AND {row} {sign} {at}"));
            }
            (Some(Position { row: at, key }), Some(column)) => {
                let key = match key {
                    Some(Key::Int(number)) => self.push(Owned::Int(*number)),
                    Some(Key::Text(text)) => self.text(text.clone()),
                    None => return Err(Fault::Bug("a position lacks the key of its listing")),
                };
                let at = self.push(Owned::Int(*at));
                sql.push_str(&format!(" AND ({column}, {row}) {sign} ({key}, {at})"));
            }
        }
        let limit = self.push(Owned::Int(i64::from(plan.top) + 1));
        let order = order.map(|column| format!("{column}{direction}, ")).unwrap_or_default();
        sql.push_str(&format!(" ORDER BY {order}{row}{direction} LIMIT {limit}"));
        Ok((sql, self.values))
    }

    /// The condition that is worth beginning with: one that must hold, and that an index answers.
    fn driver(&self, filter: Option<&Predicate>) -> Driver {
        if self.within.is_some() {
            return Driver::Within;
        }
        let (mut best, mut pending) = (Driver::Rows, filter.into_iter().collect::<Vec<_>>());
        let rank = |driver: &Driver| match driver {
            Driver::Rows | Driver::Within => 0,
            Driver::Terms(..) => 1,
            Driver::Column(..) => 2,
            Driver::Term(..) => 3,
        };
        while let Some(predicate) = pending.pop() {
            let found = match predicate {
                Predicate::And(left, right) => {
                    pending.extend([left.as_ref(), right.as_ref()]);
                    continue;
                }
                Predicate::Is { property, test } => match ((self.table.column)(property), test) {
                    // The engine sees what to do, and nothing is worth more.
                    (Some(_), Test::Compare(Operator::Eq, Value::Id(_))) => return Driver::Rows,
                    (Some(column), Test::In(values))
                        if column.is_indexed && !values.contains(&Value::Null) =>
                    {
                        Driver::Column(column)
                    }
                    (Some(column), Test::Compare(Operator::Eq, Value::Text(_))) if column.is_indexed => {
                        return Driver::Rows;
                    }
                    (Some(column), Test::StartsWith(text)) if column.is_indexed && !text.is_empty() => {
                        Driver::Column(column)
                    }
                    // Times are compared by whole seconds, so that each comparison but `ne` is a range.
                    (Some(column), Test::Compare(operator, Value::Text(_) | Value::Time(_)))
                        if column.is_indexed && *operator != Operator::Ne =>
                    {
                        Driver::Column(column)
                    }
                    (Some(_), _) => Driver::Rows,
                    (None, test) => self.term_driver(property, test),
                },
                Predicate::Any { property, test: Some(test) } => self.term_driver(property, test),
                Predicate::Words { property, words } => {
                    // The longest word is likely to be the rarest.
                    let longest = words.iter().max_by_key(|word| word.len());
                    let code = terms::words(property);
                    longest.map_or(Driver::Rows, |word| Driver::Terms(code, Range::Beginning(word.clone())))
                }
                Predicate::Any { test: None, .. }
                | Predicate::Count { .. }
                | Predicate::HasIdentity { .. }
                | Predicate::Not(_)
                | Predicate::Nothing
                | Predicate::Or(..) => Driver::Rows,
            };
            if rank(&found) > rank(&best) {
                best = found;
            }
        }
        best
    }

    fn term_driver(&self, property: &Property, test: &Test) -> Driver {
        let code = terms::values(property);
        match test {
            Test::Compare(Operator::Eq, Value::Text(text)) => Driver::Term(code, text.to_lowercase()),
            Test::In(values) if !values.contains(&Value::Null) => {
                Driver::Terms(code, Range::OneOf(texts(values)))
            }
            Test::StartsWith(text) if !text.is_empty() => {
                Driver::Terms(code, Range::Beginning(text.to_lowercase()))
            }
            Test::Compare(..) | Test::EndsWith(_) | Test::In(_) | Test::StartsWith(_) => Driver::Rows,
        }
    }

    /// Keeps a listing within what is linked, where it does not begin there.
    fn keep_within(&mut self, driver: &Driver, sql: &mut String) {
        if let Some(within) = self.within.filter(|_| !matches!(driver, Driver::Within)) {
            let at = self.push(Owned::Bytes(within.id().as_bytes().to_vec()));
            sql.push_str(&format!(" AND o.id IN (SELECT w.id FROM ({}) w)", within.sql(&at)));
        }
    }

    /// The tables in the order they are walked (`CROSS JOIN` keeps it), and the condition that joins them.
    fn from(&mut self, driver: &Driver) -> (String, String) {
        let (from, kind) = (self.table.from, self.table.kind as i64);
        match driver {
            Driver::Column(..) | Driver::Rows => (from.to_owned(), String::new()),
            Driver::Within => match self.within {
                None => (from.to_owned(), String::new()),
                Some(within) => {
                    let at = self.push(Owned::Bytes(within.id().as_bytes().to_vec()));
                    let linked = within.sql(&at);
                    (format!("({linked}) d CROSS JOIN {from}"), "o.id = d.id AND ".to_owned())
                }
            },
            Driver::Term(code, text) => {
                let at = self.text(text.clone());
                let found = format!(
                    "d.tenant = $1 AND d.kind = {kind} AND d.property = {code} AND d.value = {at} AND o.row = d.row AND "
                );
                (format!("terms d CROSS JOIN {from}"), found)
            }
            Driver::Terms(code, range) => {
                let terms = match range {
                    Range::Beginning(text) => {
                        self.begun = Some((*code, text.clone()));
                        self.prefixed(*code, text)
                    }
                    Range::OneOf(texts) => self.one_of(*code, texts),
                };
                (format!("(SELECT DISTINCT {terms}) d CROSS JOIN {from}"), "o.row = d.row AND ".to_owned())
            }
        }
    }

    /// The rows of the terms that begin with a text.
    fn prefixed(&mut self, code: i64, text: &str) -> String {
        let kind = self.table.kind as i64;
        let (low, high) = (self.text(text), self.text(above(text)));
        format!(
            "t.row FROM terms t WHERE t.tenant = $1 AND t.kind = {kind} AND t.property = {code} AND t.value >= {low} AND t.value < {high}"
        )
    }

    /// The rows of any of the terms.
    fn one_of(&mut self, code: i64, texts: &[String]) -> String {
        let kind = self.table.kind as i64;
        let list: Vec<String> = texts.iter().map(|text| self.text(text.clone())).collect();
        format!(
            "t.row FROM terms t WHERE t.tenant = $1 AND t.kind = {kind} AND t.property = {code} AND t.value IN ({})",
            list.join(", ")
        )
    }

    /// SQL of a predicate. Below a `not`, every leaf is true or false and never unknown: `not` and `ne` mean what people
    /// expect of absent values, on every engine. Elsewhere unknown is as good as false, and the bare comparison is what an
    /// index can answer.
    fn predicate(&mut self, filter: &Predicate, is_negated: bool) -> Result<String, Fault> {
        Ok(match filter {
            Predicate::And(left, right) => {
                format!("({} AND {})", self.predicate(left, is_negated)?, self.predicate(right, is_negated)?)
            }
            Predicate::Or(left, right) => {
                format!("({} OR {})", self.predicate(left, is_negated)?, self.predicate(right, is_negated)?)
            }
            Predicate::Not(inner) => format!("(NOT {})", self.predicate(inner, true)?),
            Predicate::Nothing => "(1 = 0)".to_owned(),
            Predicate::Is { property, test } => match (self.table.column)(property) {
                Some(column) => {
                    let sql = self.column_test(&column, property.kind, test)?;
                    if is_negated { format!("COALESCE({sql}, 0)") } else { sql }
                }
                None => self.term_test(property, test)?,
            },
            Predicate::Any { property, test: None } => format!("({} > 0)", self.length(property)),
            Predicate::Any { property, test: Some(test) } => self.term_test(property, test)?,
            Predicate::Count { property, operator, count } => {
                let at = self.push(Owned::Int(*count));
                format!("({} {} {at})", self.length(property), sign(*operator))
            }
            Predicate::HasIdentity { issuer, assigned_id } => {
                self.identity(issuer.as_deref(), assigned_id.as_deref())
            }
            Predicate::Words { property, words } => {
                let code = terms::words(property);
                let begun = self.begun.clone().filter(|(begun, _)| *begun == code).map(|(_, word)| word);
                let mut parts = vec!["1 = 1".to_owned()];
                for word in words.iter().filter(|word| Some(*word) != begun.as_ref()) {
                    parts.push(format!("o.row IN (SELECT {})", self.prefixed(code, word)));
                }
                format!("({})", parts.join(" AND "))
            }
        })
    }

    fn column_test(&mut self, column: &Column, kind: Kind, test: &Test) -> Result<String, Fault> {
        let sql = column.sql;
        Ok(match test {
            Test::Compare(_, Value::Null) => format!("({sql} IS NULL)"),
            Test::Compare(operator, Value::Bool(is)) => {
                let at = self.push(Owned::Int(i64::from(*is)));
                format!("({sql} {} {at})", sign(*operator))
            }
            Test::Compare(operator, Value::Id(id)) => {
                let at = self.push(Owned::Bytes(id.as_bytes().to_vec()));
                format!("({sql} {} {at})", sign(*operator))
            }
            Test::Compare(operator, Value::Time(at)) => self.time(sql, *operator, *at),
            Test::Compare(operator, Value::Text(text)) => {
                if kind != Kind::Text {
                    return Err(Fault::Bug("a text is compared with what is none"));
                }
                let at = self.text(column.fold(text));
                format!("({sql} {} {at})", sign(*operator))
            }
            Test::StartsWith(text) if text.is_empty() => format!("({sql} IS NOT NULL)"),
            Test::StartsWith(text) => {
                let folded = column.fold(text);
                let (low, high) = (self.text(folded.clone()), self.text(above(&folded)));
                // A range, not a pattern: an index answers it, and `%` in the text is only a character.
                format!("({sql} >= {low} AND {sql} < {high})")
            }
            Test::EndsWith(text) => self.ends_with(sql, &column.fold(text)),
            Test::In(values) => {
                let mut list = Vec::with_capacity(values.len());
                for value in values {
                    list.push(match value {
                        Value::Bool(is) => self.push(Owned::Int(i64::from(*is))),
                        Value::Id(id) => self.push(Owned::Bytes(id.as_bytes().to_vec())),
                        Value::Null => continue,
                        Value::Text(text) => self.text(column.fold(text)),
                        Value::Time(_) => return Err(Fault::Bug("a list of times is compared")),
                    });
                }
                let absent =
                    if values.contains(&Value::Null) { format!(" OR {sql} IS NULL") } else { String::new() };
                format!("({sql} IN ({}){absent})", list.join(", "))
            }
        })
    }

    fn ends_with(&mut self, sql: &str, text: &str) -> String {
        if text.is_empty() {
            return format!("({sql} IS NOT NULL)");
        }
        let length = text.chars().count();
        let at = self.text(text);
        format!("(substr({sql}, -{length}) = {at})")
    }

    /// Times are shown in whole seconds, and compared as they are shown.
    fn time(&mut self, sql: &str, operator: Operator, at: Timestamp) -> String {
        let millis = at.millis();
        let second = millis - millis.rem_euclid(1_000);
        let next = second + 1_000;
        let first_at_least = if second == millis { millis } else { next };
        let (sign, bound) = match operator {
            Operator::Eq | Operator::Ne if second != millis => return "(1 = 0)".to_owned(),
            Operator::Eq | Operator::Ne => {
                let (low, high) = (self.push(Owned::Int(second)), self.push(Owned::Int(next)));
                return format!("({sql} >= {low} AND {sql} < {high})");
            }
            Operator::Ge => (">=", first_at_least),
            Operator::Gt => (">=", next),
            Operator::Le => ("<", next),
            Operator::Lt => ("<", first_at_least),
        };
        let at = self.push(Owned::Int(bound));
        format!("({sql} {sign} {at})")
    }

    /// A test of values that stand in the terms. Never unknown.
    fn term_test(&mut self, property: &Property, test: &Test) -> Result<String, Fault> {
        let (code, kind) = (terms::values(property), self.table.kind as i64);
        let own = format!("t.tenant = $1 AND t.kind = {kind} AND t.property = {code}");
        Ok(match test {
            Test::Compare(_, Value::Null) => absent(property),
            Test::Compare(Operator::Eq | Operator::Ne, Value::Text(text)) => {
                let at = self.text(text.to_lowercase());
                format!("EXISTS (SELECT 1 FROM terms t WHERE {own} AND t.value = {at} AND t.row = o.row)")
            }
            Test::Compare(operator, Value::Text(text)) => {
                let at = self.text(text.to_lowercase());
                let sign = sign(*operator);
                format!("o.row IN (SELECT t.row FROM terms t WHERE {own} AND t.value {sign} {at})")
            }
            Test::Compare(_, Value::Bool(_) | Value::Id(_) | Value::Time(_)) => {
                return Err(Fault::Bug("a term is compared with what is no text"));
            }
            Test::In(values) => {
                let found = format!("o.row IN (SELECT {})", self.one_of(code, &texts(values)));
                match values.contains(&Value::Null) {
                    true => format!("({found} OR {})", absent(property)),
                    false => found,
                }
            }
            Test::StartsWith(text) => {
                let text = text.to_lowercase();
                format!("o.row IN (SELECT {})", self.prefixed(code, &text))
            }
            Test::EndsWith(text) => {
                let test = self.ends_with("t.value", &text.to_lowercase());
                format!("o.row IN (SELECT t.row FROM terms t WHERE {own} AND {test})")
            }
        })
    }

    /// How many values a collection has.
    fn length(&self, property: &Property) -> String {
        let list = match property.source {
            Source::BusinessPhones => "o.business_phones",
            Source::OtherMails => "o.other_mails",
            Source::ProxyAddresses => "o.proxy_addresses",
            _ => {
                let (code, kind) = (terms::values(property), self.table.kind as i64);
                return format!(
                    "(SELECT COUNT(*) FROM terms t WHERE t.tenant = $1 AND t.kind = {kind} AND t.property = {code} AND t.row = o.row)"
                );
            }
        };
        format!("json_array_length({list})")
    }

    /// What `identities` shows: the local name under an own domain, and a federated home without a name of its own.
    fn identity(&mut self, issuer: Option<&str>, assigned_id: Option<&str>) -> String {
        let issuer = issuer.map(|issuer| self.text(issuer.to_lowercase()));
        let is_local = issuer.as_ref().map_or("1 = 1".to_owned(), |at| {
            format!("EXISTS (SELECT 1 FROM domains d WHERE d.tenant = o.tenant AND d.is_initial = 1 AND d.name = {at})")
        });
        match assigned_id {
            Some(id) => {
                let at = self.text(id.to_ascii_lowercase());
                format!("({is_local} AND o.sign_in_name_folded = {at})")
            }
            None => {
                let is_named = issuer.map_or("1 = 1".to_owned(), |at| format!("{at} = 'externalazuread'"));
                format!("({is_local} OR (i.issuer IS NOT NULL AND {is_named}))")
            }
        }
    }
}

/// The texts among the values, folded as terms are.
fn texts(values: &[Value]) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::Text(text) => Some(text.to_lowercase()),
        Value::Bool(_) | Value::Id(_) | Value::Null | Value::Time(_) => None,
    };
    values.iter().filter_map(text).collect()
}

/// Whether a property whose values are terms has none.
fn absent(property: &Property) -> String {
    match property.source {
        Source::MailNickname => "(o.mail_nickname IS NULL)".to_owned(),
        // Names come from the property table, never from a request.
        _ => format!("(o.profile ->> '{}' IS NULL)", property.name),
    }
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Eq => "=",
        Operator::Ge => ">=",
        Operator::Gt => ">",
        Operator::Le => "<=",
        Operator::Lt => "<",
        Operator::Ne => "<>",
    }
}
