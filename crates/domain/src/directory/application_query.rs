//! A request for applications or service principals, planned: the filters that Graph's clients send, and no others.

use crate::directory::application::Application;
use crate::directory::query::{PAGE, QueryRefusal};
use crate::id::AppId;
use standards::odata::filter::{Expr, Literal, Operator};
use standards::odata::query::Query;
use std::collections::BTreeSet;
use uuid::Uuid;

/// An allowed query.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub filter: Option<Condition>,
    pub top: u32,
}

/// A condition whose names are settled.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    And(Box<Condition>, Box<Condition>),
    AppIdIn(Vec<AppId>),
    Audience(String),
    IdIn(Vec<Uuid>),
    Name(String),
    NameStartsWith(String),
    Or(Box<Condition>, Box<Condition>),
    Tag(String),
    Uri(String),
}

/// Plans a query.
pub fn plan(query: &Query) -> Result<Plan, QueryRefusal> {
    let options = [
        ("$count", query.count),
        ("$expand", query.expand.is_some()),
        ("$orderby", query.orderby.is_some()),
        ("$search", query.search.is_some()),
    ];
    if let Some((option, _)) = options.iter().find(|(_, is_asked)| *is_asked) {
        return Err(QueryRefusal::Unsupported(format!("{option} is not supported on this resource.")));
    }
    let filter = query.filter.as_ref().map(condition).transpose()?;
    Ok(Plan { filter, top: query.top.unwrap_or(PAGE) })
}

fn condition(expression: &Expr) -> Result<Condition, QueryRefusal> {
    let pair = |left: &Expr, right: &Expr| -> Result<_, QueryRefusal> {
        Ok((Box::new(condition(left)?), Box::new(condition(right)?)))
    };
    match expression {
        Expr::And(left, right) => pair(left, right).map(|(left, right)| Condition::And(left, right)),
        Expr::Or(left, right) => pair(left, right).map(|(left, right)| Condition::Or(left, right)),
        Expr::Compare { path, operator: Operator::Eq, value } => equal(path, std::slice::from_ref(value)),
        Expr::In { path, values } => equal(path, values),
        Expr::Call { function, path, text } if function == "startswith" && path == "displayName" => {
            Ok(Condition::NameStartsWith(text.to_lowercase()))
        }
        Expr::Any { path, variable, body: Some(body) } => match body.as_ref() {
            Expr::Compare { path: inner, operator: Operator::Eq, value: Literal::Text(value) }
                if inner == variable =>
            {
                match path.as_str() {
                    "identifierUris" | "servicePrincipalNames" => Ok(Condition::Uri(value.clone())),
                    "tags" => Ok(Condition::Tag(value.clone())),
                    _ => Err(unsupported(path)),
                }
            }
            _ => Err(unsupported(path)),
        },
        Expr::Any { path, .. } | Expr::Call { path, .. } | Expr::Compare { path, .. } => {
            Err(unsupported(path))
        }
        Expr::Not(_) => Err(QueryRefusal::Unsupported("Unsupported filter: not.".to_owned())),
    }
}

fn unsupported(path: &str) -> QueryRefusal {
    let shown: String = path.chars().take(64).collect();
    QueryRefusal::Unsupported(format!(
        "Unsupported or invalid query filter clause specified for property '{shown}'."
    ))
}

fn equal(path: &str, values: &[Literal]) -> Result<Condition, QueryRefusal> {
    let wrong = || QueryRefusal::WrongType(path.chars().take(64).collect());
    let texts: Vec<&String> = values
        .iter()
        .map(|value| match value {
            // Ids are often written bare.
            Literal::Text(text) => Ok(text),
            Literal::Bare(text) if matches!(path, "appId" | "id") => Ok(text),
            Literal::Bare(_) | Literal::Bool(_) | Literal::Null => Err(wrong()),
        })
        .collect::<Result<_, _>>()?;
    // What is no id names nothing.
    let ids = texts.iter().filter_map(|text| Uuid::parse_str(text).ok());
    let any = |make: fn(String) -> Condition| -> Result<Condition, QueryRefusal> {
        let each = texts.iter().map(|text| make((*text).clone()));
        each.reduce(|left, right| Condition::Or(Box::new(left), Box::new(right))).ok_or_else(wrong)
    };
    match path {
        "appId" => Ok(Condition::AppIdIn(ids.map(AppId::new).collect::<BTreeSet<_>>().into_iter().collect())),
        "displayName" => any(|text| Condition::Name(text.to_lowercase())),
        "id" => Ok(Condition::IdIn(ids.collect())),
        "signInAudience" => any(Condition::Audience),
        _ => Err(unsupported(path)),
    }
}

impl Plan {
    /// The ids when they are all that is asked: those are looked up instead of looked through.
    pub fn app_ids(&self) -> Option<&[AppId]> {
        match &self.filter {
            Some(Condition::AppIdIn(ids)) => Some(ids),
            _ => None,
        }
    }
}

impl Condition {
    /// Whether an object fits; `id` is its own, the rest is its registration's.
    pub fn fits(&self, id: Uuid, app: &Application) -> bool {
        match self {
            Self::And(left, right) => left.fits(id, app) && right.fits(id, app),
            Self::AppIdIn(ids) => ids.contains(&app.app_id),
            Self::Audience(audience) => app.audience.as_str() == audience,
            Self::IdIn(ids) => ids.contains(&id),
            Self::Name(name) => app.display_name.to_lowercase() == *name,
            Self::NameStartsWith(start) => app.display_name.to_lowercase().starts_with(start),
            Self::Or(left, right) => left.fits(id, app) || right.fits(id, app),
            Self::Tag(tag) => app.tags.contains(tag),
            Self::Uri(uri) => app.identifier_uris.contains(uri) || app.app_id.to_string() == *uri,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::first_party::graph;

    #[test]
    fn the_filters_of_clients_find_graph() {
        for (filter, expected) in [
            ("appId eq '00000003-0000-0000-c000-000000000000'", true),
            ("appId eq 00000003-0000-0000-c000-000000000000", true),
            ("appId eq 'x'", false),
            ("displayName eq 'microsoft graph'", true),
            ("displayName in ('a', 'Microsoft Graph')", true),
            ("startsWith(displayName, 'Micro')", true),
            ("startsWith(displayName, 'graph')", false),
            ("identifierUris/any(u:u eq 'https://graph.microsoft.com')", true),
            ("displayName eq 'x' or signInAudience eq 'AzureADMultipleOrgs'", true),
            ("displayName eq 'x' and signInAudience eq 'AzureADMultipleOrgs'", false),
        ] {
            let plan = plan(&Query::parse(&format!("$filter={filter}")).unwrap()).unwrap();
            assert_eq!(plan.filter.unwrap().fits(graph().id.uuid(), graph()), expected, "{filter}");
        }
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        for query in [
            "$filter=notes eq 'x'",
            "$filter=displayName ne 'x'",
            "$filter=displayName eq null",
            "$filter=not(displayName eq 'x')",
            "$orderby=displayName",
            "$search=x",
            "$expand=owners",
            "$count=true",
        ] {
            assert!(plan(&Query::parse(query).unwrap()).is_err(), "{query}");
        }
    }
}
