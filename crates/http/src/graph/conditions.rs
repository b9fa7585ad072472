//! `$filter` where a resource takes only a few comparisons that must all hold: everything else is refused by name, for to
//! ignore a condition is to answer another question.

use super::Ask;
use super::error::GraphError;
use domain::directory::query::QueryRefusal;
use service::directory::DirectoryRefusal;
use standards::odata::filter::{Expr, Literal, Operator};
use uuid::Uuid;

/// One comparison of a property with a value.
pub(super) struct Condition<'a> {
    pub(super) name: &'a str,
    pub(super) operator: Operator,
    value: &'a Literal,
}

/// The conditions of a request's filter.
pub(super) fn read<'a>(ask: &'a Ask<'_>) -> Result<Vec<Condition<'a>>, GraphError> {
    let Some(filter) = &ask.query.filter else { return Ok(Vec::new()) };
    of(filter)
}

/// The conditions of a filter.
pub(super) fn of(filter: &Expr) -> Result<Vec<Condition<'_>>, GraphError> {
    let comparisons = filter.comparisons().ok_or_else(|| {
        refused(QueryRefusal::Unsupported(
            "Join comparisons with 'and' here; no more is supported.".to_owned(),
        ))
    })?;
    let condition = |(name, operator, value)| Condition { name, operator, value };
    Ok(comparisons.into_iter().map(condition).collect())
}

fn refused(refusal: QueryRefusal) -> GraphError {
    GraphError::Directory(DirectoryRefusal::Query(refusal))
}

impl<'a> Condition<'a> {
    /// The refusal of a property that is not compared here, or not so.
    pub(super) fn unsupported(&self) -> GraphError {
        let name: String = self.name.chars().take(64).collect();
        refused(QueryRefusal::Unsupported(format!("Filtering on '{name}' like this is not supported here.")))
    }

    /// The refusal of a value that is none for the property.
    pub(super) fn wrong(&self) -> GraphError {
        refused(QueryRefusal::WrongType(self.name.chars().take(64).collect()))
    }

    fn equals(&self) -> Result<&'a Literal, GraphError> {
        if self.operator == Operator::Eq { Ok(self.value) } else { Err(self.unsupported()) }
    }

    /// The text that the property must equal.
    pub(super) fn text(&self) -> Result<&'a str, GraphError> {
        match self.equals()? {
            Literal::Text(text) => Ok(text),
            Literal::Bare(_) | Literal::Bool(_) | Literal::Null => Err(self.wrong()),
        }
    }

    /// The id that the property must equal, quoted or not. What is no id equals nothing that there is.
    pub(super) fn id(&self) -> Result<Uuid, GraphError> {
        match self.equals()? {
            Literal::Bare(text) | Literal::Text(text) => Ok(Uuid::parse_str(text).unwrap_or_default()),
            Literal::Bool(_) | Literal::Null => Err(self.wrong()),
        }
    }

    /// Whether the property must be true.
    pub(super) fn flag(&self) -> Result<bool, GraphError> {
        match self.equals()? {
            Literal::Bool(is) => Ok(*is),
            Literal::Bare(_) | Literal::Null | Literal::Text(_) => Err(self.wrong()),
        }
    }

    /// The value as it was written, quoted or not.
    pub(super) fn word(&self) -> Option<&'a str> {
        match self.value {
            Literal::Bare(text) | Literal::Text(text) => Some(text),
            Literal::Bool(_) | Literal::Null => None,
        }
    }

    /// Keeps a value; one property is compared once.
    pub(super) fn put<T>(&self, slot: &mut Option<T>, value: T) -> Result<(), GraphError> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.unsupported()),
        }
    }
}
