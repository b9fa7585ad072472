//! The readers of OData: nothing over a limit is accepted, and what is read means what it says: written down again by a
//! printer that knows nothing of the reader, it is read as the same.

use standards::odata::filter::{self, Expr, Literal, Operator};
use standards::odata::path::{self, Key, Segment};
use standards::odata::query::Query;
use standards::odata::search::{self, Search};

// The limits as clients meet them, written down a second time on purpose.
const FILTER: usize = 8 * 1024;
const FILTER_DEPTH: usize = 32;
const FILTER_NODES: usize = 500;
const SEARCH: usize = 2 * 1024;
const SEARCH_CLAUSES: usize = 20;
const SEARCH_DEPTH: usize = 16;
const QUERY: usize = 16 * 1024;
const SELECTED: usize = 100;
const ORDERED: usize = 8;
const SEGMENTS: usize = 12;
const SEGMENT: usize = 512;

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

pub(crate) fn filter(data: &[u8]) {
    let Some(text) = text(data) else { return };
    match filter::parse(text) {
        Ok(expression) => check_filter(text, &expression),
        // A position is for whoever looks at the text.
        Err(error) => assert!(error.position <= text.len().max(FILTER), "{error}"),
    }
}

fn check_filter(text: &str, expression: &Expr) {
    assert!(text.len() <= FILTER);
    assert!(nodes(expression) <= FILTER_NODES, "{} nodes", nodes(expression));
    assert!(depth(expression) <= FILTER_NODES, "as deep as it has nodes at most");
    assert!(nesting(text) <= FILTER_DEPTH, "nested {} deep", nesting(text));
    let printed = print(expression);
    // The printer writes more parentheses than people do; what then is over a limit says nothing.
    if printed.len() <= FILTER && nesting(&printed) <= FILTER_DEPTH / 2 {
        assert_eq!(filter::parse(&printed).as_ref(), Ok(expression), "{printed}");
    }
}

fn nodes(expression: &Expr) -> usize {
    match expression {
        Expr::And(left, right) | Expr::Or(left, right) => 1 + nodes(left) + nodes(right),
        Expr::Any { body, .. } => 1 + body.as_ref().map_or(0, |body| nodes(body)),
        Expr::Not(inner) => 1 + nodes(inner),
        Expr::In { values, .. } => values.len(),
        Expr::Call { .. } | Expr::Compare { .. } => 1,
    }
}

fn depth(expression: &Expr) -> usize {
    1 + match expression {
        Expr::And(left, right) | Expr::Or(left, right) => depth(left).max(depth(right)),
        Expr::Any { body, .. } => body.as_ref().map_or(0, |body| depth(body)),
        Expr::Not(inner) => depth(inner),
        Expr::Call { .. } | Expr::Compare { .. } | Expr::In { .. } => 0,
    }
}

/// How deep the parentheses of a text go, outside of its literals.
pub(crate) fn nesting(text: &str) -> usize {
    let (mut open, mut deepest, mut is_literal) = (0_usize, 0, false);
    for letter in text.chars() {
        match letter {
            '\'' => is_literal = !is_literal,
            '(' if !is_literal => {
                open += 1;
                deepest = deepest.max(open);
            }
            ')' if !is_literal => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn literal(literal: &Literal) -> String {
    match literal {
        Literal::Bool(is) => is.to_string(),
        Literal::Null => "null".to_owned(),
        Literal::Bare(word) => word.clone(),
        Literal::Text(text) => quoted(text),
    }
}

fn print(expression: &Expr) -> String {
    match expression {
        Expr::And(left, right) => format!("({}) and ({})", print(left), print(right)),
        Expr::Or(left, right) => format!("({}) or ({})", print(left), print(right)),
        Expr::Not(inner) => format!("not ({})", print(inner)),
        Expr::Any { path, body: None, .. } => format!("{path}/any()"),
        Expr::Any { path, variable, body: Some(body) } => format!("{path}/any({variable}:{})", print(body)),
        Expr::Call { function, path, text } => format!("{function}({path},{})", quoted(text)),
        Expr::In { path, values } => {
            let values: Vec<String> = values.iter().map(literal).collect();
            format!("{path} in ({})", values.join(","))
        }
        Expr::Compare { path, operator, value } => {
            let operator = match operator {
                Operator::Eq => "eq",
                Operator::Ge => "ge",
                Operator::Gt => "gt",
                Operator::Le => "le",
                Operator::Lt => "lt",
                Operator::Ne => "ne",
            };
            format!("{path} {operator} {}", literal(value))
        }
    }
}

pub(crate) fn query(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(search) = search::parse(text) {
        assert!(text.len() <= SEARCH && clauses(&search) <= SEARCH_CLAUSES);
        let printed = print_search(&search);
        if printed.len() <= SEARCH && printed.matches('(').count() <= SEARCH_DEPTH / 2 {
            assert_eq!(search::parse(&printed).as_ref(), Ok(&search), "{printed}");
        }
    }
    let Ok(query) = Query::parse(text) else { return };
    assert!(text.len() <= QUERY);
    assert!(query.select.as_ref().is_none_or(|names| (1..=SELECTED).contains(&names.len())));
    assert!(query.top.is_none_or(|top| (1..=999).contains(&top)));
    assert!(query.orderby.len() <= ORDERED);
    // The next link asks for what was asked.
    if query.listing.len() <= QUERY {
        let again = Query::parse(&query.listing).expect("a listing is a query");
        let (skiptoken, deltatoken) = (query.skiptoken.clone(), query.deltatoken.clone());
        assert_eq!(Query { skiptoken, deltatoken, ..again }, query);
    }
}

fn clauses(search: &Search) -> usize {
    match search {
        Search::And(left, right) | Search::Or(left, right) => clauses(left) + clauses(right),
        Search::Clause { .. } => 1,
        Search::Not(inner) => clauses(inner),
    }
}

fn print_search(search: &Search) -> String {
    match search {
        Search::And(left, right) => format!("({}) AND ({})", print_search(left), print_search(right)),
        Search::Or(left, right) => format!("({}) OR ({})", print_search(left), print_search(right)),
        Search::Not(inner) => format!("NOT ({})", print_search(inner)),
        Search::Clause { property, text } => {
            let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{}:{}\"", escaped(property), escaped(text))
        }
    }
}

pub(crate) fn path(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Some(segments) = path::parse(text) else { return };
    assert!(segments.len() <= SEGMENTS);
    for Segment { name, key } in &segments {
        assert!(name.chars().count() <= SEGMENT && !name.chars().any(char::is_control));
        if let Key::Single(value) | Key::Named(_, value) = key {
            assert!(value.chars().count() <= SEGMENT && !value.chars().any(char::is_control));
        }
    }
    let printed: Vec<String> = segments.iter().map(print_segment).collect();
    let again = path::parse(&printed.join("/"));
    // Doubled quotes take the printed segment over the limit at most.
    if printed.iter().all(|segment| segment.len() <= SEGMENT) {
        assert_eq!(again.as_ref(), Some(&segments), "{printed:?}");
    }
}

fn print_segment(Segment { name, key }: &Segment) -> String {
    let text = match key {
        Key::None => name.clone(),
        Key::Single(value) => format!("{name}({})", quoted(value)),
        Key::Named(field, value) => format!("{name}({field}={})", quoted(value)),
    };
    // Everything that has a meaning in an address is encoded.
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
