//! `$orderby`: property paths with a direction (OData URL Conventions §5.1.4).

/// One key of an order. Names are checked by whoever plans the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub path: String,
    pub is_descending: bool,
}

/// Keys at most.
const KEYS: usize = 8;

/// Reads `displayName desc, createdDateTime`. `None` when it is no order.
pub fn parse(text: &str) -> Option<Vec<Order>> {
    let keys: Vec<Order> = text.split(',').map(key).collect::<Option<_>>()?;
    (keys.len() <= KEYS).then_some(keys)
}

fn key(text: &str) -> Option<Order> {
    let mut words = text.split_ascii_whitespace();
    let path = words.next()?;
    let is_path = path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/'));
    let is_descending = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("asc") => false,
        Some(word) if word.eq_ignore_ascii_case("desc") => true,
        Some(_) => return None,
    };
    (is_path && words.next().is_none()).then(|| Order { path: path.to_owned(), is_descending })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_directions_are_read() {
        let order = |path: &str, is_descending| Order { path: path.to_owned(), is_descending };
        assert_eq!(parse("displayName").unwrap(), [order("displayName", false)]);
        assert_eq!(parse(" a/b  DESC , c asc").unwrap(), [order("a/b", true), order("c", false)]);
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for text in ["", ",", "a,", "a up", "a desc desc", "a;b", "a'", &["a"; KEYS + 1].join(",")] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(parse(&["a"; KEYS].join(",")).is_some());
    }
}
