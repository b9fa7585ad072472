//! A request for users, planned: names are known, types fit, and nothing is asked that the viewer may not read (R23).

use crate::directory::permission::Visibility;
use crate::directory::property::{self, Kind, UserProperty};
use standards::odata::filter::{Expr, Literal, Operator};
use standards::odata::query::Query;

/// Users in one page, if nothing else is asked; and at most (facts: graph §1).
pub const PAGE: u32 = 100;

/// An allowed, typed query.
#[derive(Clone, Debug)]
pub struct Plan {
    pub columns: Vec<&'static UserProperty>,
    pub has_select: bool,
    pub filter: Option<Predicate>,
    pub top: u32,
    pub wants_count: bool,
}

/// A condition whose names and types are settled.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    And(Box<Predicate>, Box<Predicate>),
    /// A collection of texts holds the text.
    Contains {
        property: &'static UserProperty,
        value: String,
    },
    Equal {
        property: &'static UserProperty,
        value: Value,
    },
    /// A home identity of that issuer, or a local one with that name.
    HasIdentity {
        issuer: Option<String>,
        assigned_id: Option<String>,
    },
    In {
        property: &'static UserProperty,
        values: Vec<Value>,
    },
    Not(Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
    StartsWith {
        property: &'static UserProperty,
        text: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    Null,
    Text(String),
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
pub fn plan(query: &Query, visibility: Visibility, is_advanced: bool) -> Result<Plan, QueryRefusal> {
    let columns = columns(query.select.as_deref(), visibility)?;
    for (option, value) in
        [("$orderby", &query.orderby), ("$search", &query.search), ("$expand", &query.expand)]
    {
        if value.is_some() {
            return Err(QueryRefusal::Unsupported(format!("{option} is not supported on this resource.")));
        }
    }
    let planner = Planner { visibility, is_advanced: is_advanced && query.count };
    let filter = query.filter.as_ref().map(|filter| planner.predicate(filter)).transpose()?;
    if query.count && !is_advanced {
        return Err(QueryRefusal::NeedsAdvanced);
    }
    Ok(Plan {
        columns,
        has_select: query.select.is_some(),
        filter,
        top: query.top.unwrap_or(PAGE),
        wants_count: query.count,
    })
}

/// The properties to show: those selected, or the default set; either way only what the viewer may see.
pub fn columns(
    select: Option<&[String]>,
    visibility: Visibility,
) -> Result<Vec<&'static UserProperty>, QueryRefusal> {
    let is_visible = |property: &&'static UserProperty| property.visible.contains(&visibility);
    match select {
        None => Ok(property::USER.iter().filter(|property| property.is_default).filter(is_visible).collect()),
        Some(names) => {
            let mut columns: Vec<&'static UserProperty> = Vec::new();
            for name in names {
                let known = find(name)?;
                if is_visible(&known) && !columns.contains(&known) {
                    columns.push(known);
                }
            }
            Ok(columns)
        }
    }
}

fn find(name: &str) -> Result<&'static UserProperty, QueryRefusal> {
    property::find(name).ok_or_else(|| QueryRefusal::UnknownProperty(name.chars().take(64).collect()))
}

struct Planner {
    visibility: Visibility,
    is_advanced: bool,
}

impl Planner {
    /// A property that the viewer may read: asking about others would tell what they are.
    fn readable(&self, name: &str) -> Result<&'static UserProperty, QueryRefusal> {
        let known = find(name)?;
        if known.visible.contains(&self.visibility) {
            return Ok(known);
        }
        Err(QueryRefusal::UnknownProperty(known.name.to_owned()))
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
            Expr::Compare { path, operator, value } => {
                let property = self.readable(path)?;
                let equal = Predicate::Equal { property, value: typed(property, value)? };
                match operator {
                    Operator::Eq => Ok(equal),
                    Operator::Ne => {
                        self.advanced()?;
                        Ok(Predicate::Not(Box::new(equal)))
                    }
                    Operator::Ge | Operator::Gt | Operator::Le | Operator::Lt => {
                        Err(unsupported(property, "ge, gt, le, lt"))
                    }
                }
            }
            Expr::In { path, values } => {
                let property = self.readable(path)?;
                let values = values.iter().map(|value| typed(property, value)).collect::<Result<_, _>>()?;
                Ok(Predicate::In { property, values })
            }
            Expr::Call { function, path, text } if function == "startswith" => {
                let property = self.readable(path)?;
                if property.kind != Kind::Text {
                    return Err(unsupported(property, "startsWith"));
                }
                Ok(Predicate::StartsWith { property, text: text.clone() })
            }
            Expr::Call { function, .. } => {
                Err(QueryRefusal::Unsupported(format!("The function '{function}' is not supported.")))
            }
            Expr::Any { path, variable, body } => self.any(path, variable, body.as_deref()),
        }
    }

    fn any(&self, path: &str, variable: &str, body: Option<&Expr>) -> Result<Predicate, QueryRefusal> {
        let property = self.readable(path)?;
        let refused = || unsupported(property, "this lambda");
        match (property.kind, body) {
            (
                Kind::Texts,
                Some(Expr::Compare { path, operator: Operator::Eq, value: Literal::Text(value) }),
            ) if path == variable => Ok(Predicate::Contains { property, value: value.clone() }),
            (Kind::Identities, Some(body)) => {
                let (mut issuer, mut assigned_id) = (None, None);
                identity_parts(body, variable, &mut issuer, &mut assigned_id).ok_or_else(refused)?;
                Ok(Predicate::HasIdentity { issuer, assigned_id })
            }
            (Kind::Bool | Kind::Text | Kind::Texts | Kind::Time | Kind::Identities, _) => Err(refused()),
        }
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

fn unsupported(property: &UserProperty, what: &str) -> QueryRefusal {
    QueryRefusal::Unsupported(format!("Unsupported filter: {what} on the property '{}'.", property.name))
}

fn typed(property: &UserProperty, literal: &Literal) -> Result<Value, QueryRefusal> {
    match (property.kind, literal) {
        (Kind::Text, Literal::Text(text)) => Ok(Value::Text(text.clone())),
        // Ids are often written bare.
        (Kind::Text, Literal::Bare(text)) if property.name == "id" => Ok(Value::Text(text.clone())),
        (Kind::Text | Kind::Bool, Literal::Null) => Ok(Value::Null),
        (Kind::Bool, Literal::Bool(value)) => Ok(Value::Bool(*value)),
        (Kind::Time | Kind::Texts | Kind::Identities, _) => Err(unsupported(property, "eq, ne, in")),
        (Kind::Text | Kind::Bool, _) => Err(QueryRefusal::WrongType(property.name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(query: &str, visibility: Visibility, is_advanced: bool) -> Result<Plan, QueryRefusal> {
        plan(&Query::parse(query).unwrap(), visibility, is_advanced)
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
    fn ne_and_not_need_the_advanced_header_and_count() {
        for filter in ["userType ne 'Guest'", "not(startsWith(displayName,'A'))"] {
            assert_eq!(
                planned(&format!("$filter={filter}"), Visibility::Full, true).err(),
                Some(QueryRefusal::NeedsAdvanced)
            );
            assert!(planned(&format!("$filter={filter}&$count=true"), Visibility::Full, true).is_ok());
        }
    }

    #[test]
    fn wrong_types_and_names_are_named() {
        for (filter, refusal) in [
            ("accountEnabled eq 'x'", QueryRefusal::WrongType("accountEnabled".into())),
            ("displayName eq 5", QueryRefusal::WrongType("displayName".into())),
            ("nothing eq 5", QueryRefusal::UnknownProperty("nothing".into())),
        ] {
            assert_eq!(planned(&format!("$filter={filter}"), Visibility::Full, false).err(), Some(refusal));
        }
    }
}
