//! A request for directory objects, planned: names are known, types fit, and nothing is asked that the viewer may not
//! read (R23).

use crate::directory::permission::Visibility;
use crate::directory::property::{Kind, Property, Resource, SearchBy};
use crate::time::Timestamp;
use standards::odata::filter::{Expr, Literal, Operator};
use standards::odata::orderby::Order;
use standards::odata::query::Query;
use standards::odata::search::Search;
use uuid::Uuid;

/// Objects in one page, if nothing else is asked (facts: graph §1).
pub const PAGE: u32 = 100;

/// An allowed, typed query.
#[derive(Clone, Debug)]
pub struct Plan {
    pub columns: Vec<&'static Property>,
    pub has_select: bool,
    /// What `$filter` and `$search` come to together.
    pub filter: Option<Predicate>,
    pub order: Option<Sorting>,
    pub top: u32,
    pub wants_count: bool,
}

/// The order that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sorting {
    pub property: &'static Property,
    pub is_descending: bool,
}

/// Where a listing goes on: after the object with this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The value of the property that the listing is ordered by, as the store compares it; absent where only rows count.
    pub key: Option<Key>,
    pub row: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Int(i64),
    Text(String),
}

/// A condition whose names and types are settled.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    And(Box<Predicate>, Box<Predicate>),
    /// A value of the collection fits; without a test, there is one at all.
    Any {
        property: &'static Property,
        test: Option<Test>,
    },
    /// The collection has so many values.
    Count {
        property: &'static Property,
        operator: Operator,
        count: i64,
    },
    /// A home identity of that issuer, or a local one with that name.
    HasIdentity {
        issuer: Option<String>,
        assigned_id: Option<String>,
    },
    /// The value fits; an absent one fits only a comparison with null.
    Is {
        property: &'static Property,
        test: Test,
    },
    Not(Box<Predicate>),
    /// Fits nothing: an id that is none.
    Nothing,
    Or(Box<Predicate>, Box<Predicate>),
    /// Every word begins a word of the value.
    Words {
        property: &'static Property,
        words: Vec<String>,
    },
}

/// A test of one value. Texts are compared without case.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Never with `Operator::Ne`: that is `Not` of `Eq`.
    Compare(Operator, Value),
    EndsWith(String),
    /// The value is one of these.
    In(Vec<Value>),
    StartsWith(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Id(Uuid),
    Null,
    Text(String),
    Time(Timestamp),
}

/// Why a query is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryRefusal {
    /// Needs `ConsistencyLevel: eventual` and `$count=true` (facts: graph §1).
    NeedsAdvanced,
    UnknownProperty(String),
    Unsupported(String),
    WrongType(String),
}

/// Plans a query. `is_advanced` says that the caller sent `ConsistencyLevel: eventual`.
pub fn plan(
    resource: &'static Resource,
    query: &Query,
    visibility: Visibility,
    is_advanced: bool,
) -> Result<Plan, QueryRefusal> {
    let columns = columns(resource, query.select.as_deref(), visibility)?;
    if query.expand.is_some() {
        return Err(QueryRefusal::Unsupported("$expand is not supported on this resource.".to_owned()));
    }
    if (query.count || query.search.is_some()) && !is_advanced {
        return Err(QueryRefusal::NeedsAdvanced);
    }
    let planner = Planner { resource, visibility, is_advanced: is_advanced && query.count };
    let filter = query.filter.as_ref().map(|filter| planner.predicate(filter)).transpose()?;
    let search = query.search.as_ref().map(|search| planner.search(search)).transpose()?;
    let filter = match (search, filter) {
        (Some(search), Some(filter)) => Some(Predicate::And(Box::new(search), Box::new(filter))),
        (search, filter) => search.or(filter),
    };
    let order = planner.sorting(&query.orderby)?;
    if order.is_some() && filter.is_some() {
        planner.advanced()?;
    }
    Ok(Plan {
        columns,
        has_select: query.select.is_some(),
        filter,
        order,
        top: query.top.unwrap_or(PAGE),
        wants_count: query.count,
    })
}

/// A plan for all objects of a kind, in pages of `top`.
pub fn everything(top: u32) -> Plan {
    Plan { columns: Vec::new(), has_select: false, filter: None, order: None, top, wants_count: false }
}

/// A plan for objects of a kind by their ids.
pub fn of_ids(resource: &'static Resource, ids: &[Uuid]) -> Plan {
    let values = ids.iter().copied().map(Value::Id).collect();
    let filter = resource.find("id").map(|property| Predicate::Is { property, test: Test::In(values) });
    Plan { filter, ..everything(u32::try_from(ids.len()).unwrap_or(u32::MAX)) }
}

/// The same request for `/$count`: only how many there are.
pub fn counting(query: &Query) -> Query {
    Query { count: true, ..query.clone() }
}

/// The properties to show: those selected, or the default set; either way only what the viewer may see.
pub fn columns(
    resource: &'static Resource,
    select: Option<&[String]>,
    visibility: Visibility,
) -> Result<Vec<&'static Property>, QueryRefusal> {
    let is_visible = |property: &&'static Property| property.visible.contains(&visibility);
    match select {
        None => {
            Ok(resource.properties.iter().filter(|property| property.is_default).filter(is_visible).collect())
        }
        Some(names) => {
            let mut columns: Vec<&'static Property> = Vec::new();
            for name in names {
                let known = find(resource, name)?;
                if is_visible(&known) && !columns.contains(&known) {
                    columns.push(known);
                }
            }
            Ok(columns)
        }
    }
}

/// The words of a text as `$search` knows them, in lower case: cut at everything that is neither letter nor digit, between
/// letters and digits, and before a capital that follows a small letter (Graph: search parameter).
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut last = ' ';
    for letter in text.chars() {
        let is_cut = !letter.is_alphanumeric()
            || (last.is_alphanumeric() && letter.is_numeric() != last.is_numeric())
            || (letter.is_uppercase() && last.is_lowercase());
        if is_cut && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        last = letter;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn find(resource: &Resource, name: &str) -> Result<&'static Property, QueryRefusal> {
    resource.find(name).ok_or_else(|| QueryRefusal::UnknownProperty(name.chars().take(64).collect()))
}

struct Planner {
    resource: &'static Resource,
    visibility: Visibility,
    is_advanced: bool,
}

impl Planner {
    /// A property that the viewer may read: asking about others would tell what they are.
    fn readable(&self, name: &str) -> Result<&'static Property, QueryRefusal> {
        let known = find(self.resource, name)?;
        if known.visible.contains(&self.visibility) {
            return Ok(known);
        }
        Err(QueryRefusal::UnknownProperty(known.name.to_owned()))
    }

    fn filtered(&self, name: &str) -> Result<&'static Property, QueryRefusal> {
        let known = self.readable(name)?;
        if known.query.is_filtered { Ok(known) } else { Err(unsupported(known, "any condition")) }
    }

    fn advanced(&self) -> Result<(), QueryRefusal> {
        if self.is_advanced { Ok(()) } else { Err(QueryRefusal::NeedsAdvanced) }
    }

    fn predicate(&self, expression: &Expr) -> Result<Predicate, QueryRefusal> {
        let pair = |left: &Expr, right: &Expr| -> Result<_, QueryRefusal> {
            Ok((Box::new(self.predicate(left)?), Box::new(self.predicate(right)?)))
        };
        match expression {
            Expr::And(left, right) => pair(left, right).map(|(left, right)| Predicate::And(left, right)),
            Expr::Or(left, right) => pair(left, right).map(|(left, right)| Predicate::Or(left, right)),
            Expr::Not(inner) => {
                self.advanced()?;
                Ok(Predicate::Not(Box::new(self.predicate(inner)?)))
            }
            Expr::Compare { path, operator, value } => match path.strip_suffix("/$count") {
                Some(path) => self.count(path, *operator, value),
                None => self.compare(path, *operator, value),
            },
            Expr::In { path, values } => {
                let property = self.filtered(path)?;
                let values = values.iter().map(|value| typed(property, value));
                let mut values = values.collect::<Result<Vec<_>, _>>()?;
                // What is no id is nobody's.
                values.retain(|value| property.kind != Kind::Id || matches!(value, Value::Id(_)));
                match (property.kind, values.is_empty()) {
                    (_, true) => Ok(Predicate::Nothing),
                    (Kind::Time, false) => Err(unsupported(property, "in")),
                    (_, false) => Ok(Predicate::Is { property, test: Test::In(values) }),
                }
            }
            Expr::Call { function, path, text } => {
                let property = self.filtered(path)?;
                if property.kind != Kind::Text {
                    return Err(unsupported(property, function));
                }
                Ok(Predicate::Is { property, test: self.call(function, text)? })
            }
            Expr::Any { path, variable, body } => self.any(path, variable, body.as_deref()),
        }
    }

    fn call(&self, function: &str, text: &str) -> Result<Test, QueryRefusal> {
        match function {
            "startswith" => Ok(Test::StartsWith(text.to_owned())),
            "endswith" => {
                self.advanced()?;
                Ok(Test::EndsWith(text.to_owned()))
            }
            _ => {
                let shown: String = function.chars().take(64).collect();
                Err(QueryRefusal::Unsupported(format!("The function '{shown}' is not supported.")))
            }
        }
    }

    fn compare(&self, path: &str, operator: Operator, value: &Literal) -> Result<Predicate, QueryRefusal> {
        let property = self.filtered(path)?;
        match operator {
            Operator::Eq => equal(property, value),
            Operator::Ne => {
                self.advanced()?;
                Ok(Predicate::Not(Box::new(equal(property, value)?)))
            }
            Operator::Ge | Operator::Gt | Operator::Le | Operator::Lt => {
                match (property.kind, typed(property, value)?) {
                    (Kind::Text | Kind::Time, value @ (Value::Text(_) | Value::Time(_))) => {
                        Ok(Predicate::Is { property, test: Test::Compare(operator, value) })
                    }
                    _ => Err(unsupported(property, "ge, gt, le, lt")),
                }
            }
        }
    }

    fn count(&self, path: &str, operator: Operator, value: &Literal) -> Result<Predicate, QueryRefusal> {
        let property = self.filtered(path)?;
        self.advanced()?;
        let count = match value {
            Literal::Bare(number) => {
                number.parse().ok().filter(|count| (0..=i64::from(u32::MAX)).contains(count))
            }
            Literal::Bool(_) | Literal::Null | Literal::Text(_) => None,
        };
        match (property.kind, count) {
            (Kind::Texts, Some(count)) => Ok(Predicate::Count { property, operator, count }),
            (Kind::Texts, None) => Err(QueryRefusal::WrongType(property.name.to_owned())),
            _ => Err(unsupported(property, "$count")),
        }
    }

    fn any(&self, path: &str, variable: &str, body: Option<&Expr>) -> Result<Predicate, QueryRefusal> {
        let property = self.filtered(path)?;
        let refused = || unsupported(property, "this lambda");
        match (property.kind, body) {
            (Kind::Texts, None) => Ok(Predicate::Any { property, test: None }),
            (Kind::Texts, Some(body)) => {
                let test = match body {
                    Expr::Compare { path, operator: Operator::Eq, value: Literal::Text(value) }
                        if path == variable =>
                    {
                        Test::Compare(Operator::Eq, Value::Text(value.clone()))
                    }
                    Expr::Call { function, path, text } if path == variable => self.call(function, text)?,
                    _ => return Err(refused()),
                };
                Ok(Predicate::Any { property, test: Some(test) })
            }
            (Kind::Identities, Some(body)) => {
                let (mut issuer, mut assigned_id) = (None, None);
                identity_parts(body, variable, &mut issuer, &mut assigned_id).ok_or_else(refused)?;
                Ok(Predicate::HasIdentity { issuer, assigned_id })
            }
            (Kind::Bool | Kind::Id | Kind::Identities | Kind::Text | Kind::Time, _) => Err(refused()),
        }
    }

    fn search(&self, search: &Search) -> Result<Predicate, QueryRefusal> {
        let pair = |left: &Search, right: &Search| -> Result<_, QueryRefusal> {
            Ok((Box::new(self.search(left)?), Box::new(self.search(right)?)))
        };
        match search {
            Search::And(left, right) => pair(left, right).map(|(left, right)| Predicate::And(left, right)),
            Search::Or(left, right) => pair(left, right).map(|(left, right)| Predicate::Or(left, right)),
            Search::Not(inner) => Ok(Predicate::Not(Box::new(self.search(inner)?))),
            Search::Clause { property, text } => {
                let property = self.readable(property)?;
                let start = Test::StartsWith(text.clone());
                match (property.query.search, property.kind) {
                    (Some(SearchBy::Words), _) => {
                        let words = words(text);
                        if words.is_empty() {
                            Ok(Predicate::Nothing)
                        } else {
                            Ok(Predicate::Words { property, words })
                        }
                    }
                    (Some(SearchBy::Start), Kind::Texts) => {
                        Ok(Predicate::Any { property, test: Some(start) })
                    }
                    (Some(SearchBy::Start), _) => Ok(Predicate::Is { property, test: start }),
                    (None, _) => Err(QueryRefusal::Unsupported(format!(
                        "$search is not supported on the property '{}'.",
                        property.name
                    ))),
                }
            }
        }
    }

    fn sorting(&self, orders: &[Order]) -> Result<Option<Sorting>, QueryRefusal> {
        let order = match orders {
            [] => return Ok(None),
            [order] => order,
            _ => {
                let text = "Sorting by more than one property is not supported.";
                return Err(QueryRefusal::Unsupported(text.to_owned()));
            }
        };
        let property = self.readable(&order.path)?;
        if !property.query.is_sorted {
            let text = format!("Sorting not supported for the property '{}'.", property.name);
            return Err(QueryRefusal::Unsupported(text));
        }
        Ok(Some(Sorting { property, is_descending: order.is_descending }))
    }
}

/// Reads `c/issuer eq 'x' and c/issuerAssignedId eq 'y'`.
fn identity_parts(
    body: &Expr,
    variable: &str,
    issuer: &mut Option<String>,
    id: &mut Option<String>,
) -> Option<()> {
    match body {
        Expr::And(left, right) => {
            identity_parts(left, variable, issuer, id)?;
            identity_parts(right, variable, issuer, id)
        }
        Expr::Compare { path, operator: Operator::Eq, value: Literal::Text(value) } => {
            match path.strip_prefix(variable)?.strip_prefix('/')? {
                "issuer" => *issuer = Some(value.clone()),
                "issuerAssignedId" => *id = Some(value.clone()),
                _ => return None,
            }
            Some(())
        }
        _ => None,
    }
}

fn unsupported(property: &Property, what: &str) -> QueryRefusal {
    let what: String = what.chars().take(64).collect();
    QueryRefusal::Unsupported(format!("Unsupported filter: {what} on the property '{}'.", property.name))
}

fn equal(property: &'static Property, literal: &Literal) -> Result<Predicate, QueryRefusal> {
    Ok(match (property.kind, typed(property, literal)?) {
        (Kind::Id, Value::Text(_)) => Predicate::Nothing,
        (_, value) => Predicate::Is { property, test: Test::Compare(Operator::Eq, value) },
    })
}

fn typed(property: &Property, literal: &Literal) -> Result<Value, QueryRefusal> {
    let wrong = || QueryRefusal::WrongType(property.name.to_owned());
    match (property.kind, literal) {
        (Kind::Text, Literal::Text(text)) => Ok(Value::Text(text.clone())),
        // Ids are often written bare.
        (Kind::Id, Literal::Text(text) | Literal::Bare(text)) => {
            Ok(Uuid::parse_str(text).map_or_else(|_| Value::Text(text.clone()), Value::Id))
        }
        (Kind::Text | Kind::Bool | Kind::Time, Literal::Null) => Ok(Value::Null),
        (Kind::Bool, Literal::Bool(value)) => Ok(Value::Bool(*value)),
        (Kind::Time, Literal::Bare(text)) => {
            let millis = standards::time::parse_rfc3339(text).ok_or_else(wrong)?;
            Ok(Value::Time(Timestamp::from_millis(millis)))
        }
        (Kind::Identities | Kind::Texts, _) => Err(unsupported(property, "eq, ne, in")),
        (Kind::Bool | Kind::Id | Kind::Text | Kind::Time, _) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::property::USER;

    fn planned(query: &str, visibility: Visibility, is_advanced: bool) -> Result<Plan, QueryRefusal> {
        plan(&USER, &Query::parse(query).unwrap(), visibility, is_advanced)
    }

    #[test]
    fn r23_a_filter_on_what_the_viewer_may_not_read_is_refused() {
        for property in ["jobTitle", "externalUserState", "accountEnabled"] {
            let query = format!("$filter={property} eq null");
            assert!(planned(&query, Visibility::Full, false).is_ok(), "{property}");
            assert!(
                matches!(planned(&query, Visibility::Basic, false), Err(QueryRefusal::UnknownProperty(_))),
                "{property}"
            );
        }
    }

    #[test]
    fn r23_an_order_or_a_search_by_what_the_viewer_may_not_read_is_refused() {
        for query in [
            "$orderby=createdDateTime",
            "$search=\"otherMails:a\"",
            "$filter=otherMails/any(m:startsWith(m,'a'))",
            "$filter=otherMails/$count ne 0&$count=true",
        ] {
            assert!(planned(query, Visibility::Full, true).is_ok(), "{query}");
            assert!(
                matches!(planned(query, Visibility::Basic, true), Err(QueryRefusal::UnknownProperty(_))),
                "{query}"
            );
        }
    }

    #[test]
    fn advanced_queries_need_the_header_and_mostly_the_count() {
        for (query, needs_count) in [
            ("$filter=userType ne 'Guest'", true),
            ("$filter=not(startsWith(displayName,'A'))", true),
            ("$filter=endsWith(mail,'a')", true),
            ("$filter=otherMails/any(m:endsWith(m,'a'))", true),
            ("$filter=otherMails/$count eq 1", true),
            ("$filter=userType eq 'Guest'&$orderby=displayName", true),
            ("$search=\"displayName:a\"", false),
        ] {
            let counted = format!("{query}&$count=true");
            assert_eq!(
                planned(&counted, Visibility::Full, false).err(),
                Some(QueryRefusal::NeedsAdvanced),
                "{query}"
            );
            assert!(planned(&counted, Visibility::Full, true).is_ok(), "{query}");
            assert_eq!(planned(query, Visibility::Full, true).is_err(), needs_count, "{query}");
        }
        assert!(planned("$orderby=displayName desc", Visibility::Full, false).is_ok());
        assert!(planned("$filter=createdDateTime ge 2026-01-01T00:00:00Z", Visibility::Full, false).is_ok());
    }

    #[test]
    fn wrong_types_and_names_are_named() {
        let wrong = |name: &str| QueryRefusal::WrongType(name.to_owned());
        for (filter, refusal) in [
            ("accountEnabled eq 'x'", wrong("accountEnabled")),
            ("displayName eq 5", wrong("displayName")),
            ("createdDateTime ge 'x'", wrong("createdDateTime")),
            ("createdDateTime ge 2026", wrong("createdDateTime")),
            ("id eq true", wrong("id")),
            ("otherMails/$count eq 'x'", wrong("otherMails")),
            ("nothing eq 5", QueryRefusal::UnknownProperty("nothing".into())),
        ] {
            let query = format!("$count=true&$filter={filter}");
            assert_eq!(planned(&query, Visibility::Full, true).err(), Some(refusal), "{filter}");
        }
    }

    #[test]
    fn what_a_property_cannot_do_is_refused() {
        for query in [
            "$filter=accountEnabled ge true",
            "$filter=displayName ge null",
            "$filter=otherMails eq 'a'",
            "$filter=otherMails/any(m:m ne 'a')",
            "$filter=otherMails/any(m:x eq 'a')",
            "$filter=displayName/any(m:m eq 'a')",
            "$filter=displayName/$count eq 1",
            "$filter=contains(displayName,'a')",
            "$filter=startsWith(accountEnabled,'a')",
            "$filter=lastPasswordChangeDateTime eq null",
            "$search=\"jobTitle:a\"",
            "$orderby=jobTitle",
            "$orderby=displayName,mail",
            "$expand=manager",
        ] {
            let outcome = planned(&format!("{query}&$count=true"), Visibility::Full, true);
            assert!(matches!(outcome, Err(QueryRefusal::Unsupported(_))), "{query}: {outcome:?}");
        }
    }

    #[test]
    fn an_id_that_is_none_fits_nothing() {
        let plan = planned("$filter=id eq 'me'", Visibility::Full, false).unwrap();
        assert_eq!(plan.filter, Some(Predicate::Nothing));
    }

    #[test]
    fn words_are_cut_where_people_see_them() {
        for (text, expected) in [
            ("Alice Example", vec!["alice", "example"]),
            ("One-Two_three", vec!["one", "two", "three"]),
            ("OneGroup2Three", vec!["one", "group", "2", "three"]),
            ("ÄRGER im Büro", vec!["ärger", "im", "büro"]),
            ("  ", vec![]),
            ("HR", vec!["hr"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }
}
