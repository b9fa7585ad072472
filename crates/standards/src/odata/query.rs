//! System query options (OData URL Conventions §5.1). Their names may be percent-encoded; doubled ones are refused.

use super::filter::{self, Expr, SyntaxError};
use super::orderby::{self, Order};
use super::search::{self, Search};
use crate::form;

/// The options of one request, syntax checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    pub select: Option<Vec<String>>,
    pub filter: Option<Expr>,
    pub top: Option<u32>,
    pub count: bool,
    pub orderby: Vec<Order>,
    pub search: Option<Search>,
    pub expand: Option<String>,
    pub skiptoken: Option<String>,
    pub deltatoken: Option<String>,
    /// The text of what makes one listing, for the next link: everything but the tokens.
    pub listing: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("Query option '{0}' was specified more than once, but it must be specified at most once.")]
    Duplicate(String),
    #[error("Invalid filter clause: {0}")]
    Filter(#[from] SyntaxError),
    #[error("Invalid $search: {0}")]
    Search(SyntaxError),
    #[error("The query is not form-encoded UTF-8.")]
    Form,
    #[error("The query is too long.")]
    TooLong,
    #[error("The query parameter '{0}' is not supported.")]
    Unknown(String),
    #[error(
        "Invalid value '{value}' for $top query option found. The $top query option requires an integer between 1 and 999."
    )]
    Top { value: String },
    #[error("The value of '{0}' is not valid.")]
    Value(&'static str),
}

/// Longest query, and properties selected at most.
const LONGEST: usize = 16 * 1024;
const SELECTED: usize = 100;

/// Objects on a page at most where another relation of each is shown besides.
// DEFAULT: 100, as many as on a page that asks for no size: twenty linked objects come with each.
const EXPANDED: u32 = 100;

impl Query {
    /// Reads a raw query string.
    pub fn parse(raw: &str) -> Result<Self, QueryError> {
        if raw.len() > LONGEST {
            return Err(QueryError::TooLong);
        }
        let mut query = Self::default();
        let mut seen: Vec<String> = Vec::new();
        let mut listing = form_urlencoded::Serializer::new(String::new());
        for pair in form::pairs(raw.as_bytes()) {
            let (name, value) = pair.ok_or(QueryError::Form)?;
            let Some(option) = name.strip_prefix('$') else { continue };
            let option = option.to_ascii_lowercase();
            if seen.contains(&option) {
                return Err(QueryError::Duplicate(name));
            }
            query.read(&option, &name, &value)?;
            if option != "skiptoken" && option != "deltatoken" {
                listing.append_pair(&format!("${option}"), &value);
            }
            seen.push(option);
        }
        query.listing = listing.finish();
        Ok(query)
    }

    /// The same request without `$expand`, and no longer than a page with it, for whoever shows the relation besides.
    pub fn unexpanded(&self) -> Self {
        let top = match self.expand {
            None => self.top,
            Some(_) => Some(self.top.unwrap_or(EXPANDED).min(EXPANDED)),
        };
        Self { expand: None, top, ..self.clone() }
    }

    fn read(&mut self, option: &str, name: &str, value: &str) -> Result<(), QueryError> {
        match option {
            "select" => {
                let names: Vec<String> = value
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .filter(|name| !name.is_empty())
                    .collect();
                if names.is_empty() || names.len() > SELECTED {
                    return Err(QueryError::Value("$select"));
                }
                self.select = Some(names);
            }
            "filter" => self.filter = Some(filter::parse(value)?),
            "top" => {
                let top = value.parse().ok().filter(|top| (1..=999).contains(top));
                let shown = value.chars().take(20).collect();
                self.top = Some(top.ok_or(QueryError::Top { value: shown })?);
            }
            "count" => {
                self.count = match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(QueryError::Value("$count")),
                }
            }
            "orderby" => {
                self.orderby = orderby::parse(value).ok_or(QueryError::Value("$orderby"))?;
            }
            "search" => self.search = Some(search::parse(value).map_err(QueryError::Search)?),
            "expand" => self.expand = Some(value.to_owned()),
            "deltatoken" => self.deltatoken = Some(value.to_owned()),
            "skiptoken" => self.skiptoken = Some(value.to_owned()),
            _ => return Err(QueryError::Unknown(name.chars().take(64).collect())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_whatever_their_spelling() {
        let query = Query::parse("%24top=5&$select=id,%20displayName&x=1&$count=true").unwrap();
        assert_eq!((query.top, query.count), (Some(5), true));
        assert_eq!(query.select.unwrap(), ["id", "displayName"]);
    }

    #[test]
    fn the_listing_is_everything_but_the_token() {
        let query = Query::parse("$skiptoken=t&$top=5&a=b&$filter=startsWith(displayName,'A%26B')").unwrap();
        assert_eq!(query.skiptoken.as_deref(), Some("t"));
        assert!(!query.listing.contains("token") && !query.listing.contains("a=b"));
        let again = Query::parse(&query.listing).unwrap();
        assert_eq!(Query { skiptoken: query.skiptoken.clone(), ..again }, query);
    }

    #[test]
    fn a_page_with_linked_objects_is_no_longer_than_one_of_no_size() {
        for (text, top) in [
            ("$expand=members", Some(100)),
            ("$expand=members&$top=999", Some(100)),
            ("$expand=members&$top=5", Some(5)),
            ("$top=999", Some(999)),
            ("", None),
        ] {
            assert_eq!(Query::parse(text).unwrap().unexpanded().top, top, "{text}");
        }
    }

    #[test]
    fn limits_hold() {
        assert_eq!(Query::parse(&"a".repeat(LONGEST + 1)), Err(QueryError::TooLong));
        let select = |count: usize| format!("$select={}", vec!["id"; count].join(","));
        assert!(Query::parse(&select(SELECTED)).is_ok());
        assert_eq!(Query::parse(&select(SELECTED + 1)), Err(QueryError::Value("$select")));
    }

    proptest::proptest! {
        #[test]
        fn the_next_link_asks_what_was_asked(text in "((%24|\\$)(select|filter|top|count|search)=|[a-z]{1,4}|[=&+%,']|\\PC){0,30}") {
            if let Ok(query) = Query::parse(&text) {
                let again = Query::parse(&query.listing).unwrap();
                proptest::prop_assert_eq!(Query { skiptoken: query.skiptoken.clone(), ..again }, query);
            }
        }
    }

    #[test]
    fn bad_options_are_named() {
        for bad in [
            "$top=0",
            "$top=1000",
            "$top=x",
            "$select=",
            "$magic=1",
            "$top=1&$top=2",
            "$count=1",
            "$filter=a b",
            "$filter=%ff",
            "$select=id&%24SELECT=id",
            "$skip=1",
            "$=1",
            "$orderby=",
            "$orderby=a up",
            "$search=a",
        ] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }
}
