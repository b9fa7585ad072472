//! Addresses below the version: `users`, `users/{key}`, `users('key')`, `applications(appId='x')`, `users/$count`,
//! `microsoft.graph.user`, functions with or without parentheses.

use percent_encoding::percent_decode_str;

/// Segments at most.
const DEPTH: usize = 12;
/// Characters of one segment at most, decoded.
const LONGEST: usize = 512;

/// One segment of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub name: String,
    pub key: Key,
}

/// What stands in parentheses behind a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Nothing, or an empty pair.
    None,
    /// `name='value'`.
    Named(String, String),
    /// `'value'`.
    Single(String),
}

/// Reads a path. `None` when it is too deep, too long, or not UTF-8 once decoded.
pub fn parse(raw: &str) -> Option<Vec<Segment>> {
    let mut segments = Vec::new();
    for part in raw.split('/').filter(|part| !part.is_empty()) {
        if segments.len() == DEPTH {
            return None;
        }
        let decoded = percent_decode_str(part).decode_utf8().ok()?;
        if decoded.chars().count() > LONGEST || decoded.chars().any(char::is_control) {
            return None;
        }
        segments.push(segment(&decoded)?);
    }
    Some(segments)
}

fn segment(text: &str) -> Option<Segment> {
    let Some((name, rest)) = text.split_once('(') else {
        return Some(Segment { name: text.to_owned(), key: Key::None });
    };
    let inner = rest.strip_suffix(')').filter(|_| !name.is_empty())?;
    let name = name.to_owned();
    if inner.is_empty() {
        return Some(Segment { name, key: Key::None });
    }
    if let Some(value) = quoted(inner) {
        return Some(Segment { name, key: Key::Single(value) });
    }
    let (field, value) = inner.split_once('=').map(|(field, value)| (field.trim(), value.trim()))?;
    let is_name = !field.is_empty() && field.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let key = is_name.then_some(field).zip(quoted(value));
    key.map(|(field, value)| Segment { name, key: Key::Named(field.to_owned(), value) })
}

/// The text between single quotes, `''` read as one quote.
fn quoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let is_whole = !inner.replace("''", "").contains('\'');
    is_whole.then(|| inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_key_is_read() {
        let one = |text: &str| parse(text).unwrap().remove(0);
        assert_eq!(one("users('a''b')").key, Key::Single("a'b".into()));
        assert_eq!(one("applications(appId='x')").key, Key::Named("appId".into(), "x".into()));
        assert_eq!(one("delta()"), Segment { name: "delta".into(), key: Key::None });
        assert_eq!(one("graph.user"), Segment { name: "graph.user".into(), key: Key::None });
        assert_eq!(one("users('')").key, Key::Single(String::new()));
        assert_eq!(one("users('%2F%28a%29')").key, Key::Single("/(a)".into()));
        assert_eq!(one("applications( appId = 'a=''b' )").key, Key::Named("appId".into(), "a='b".into()));
        let names = |text: &str| parse(text).unwrap().into_iter().map(|s| s.name).collect::<Vec<_>>();
        assert_eq!(names("users/x/sponsors/$ref"), ["users", "x", "sponsors", "$ref"]);
        assert_eq!(names("/users/"), ["users"]);
        let path = parse("users/bob_fabrikam.example%23EXT%23%40contoso.test/memberOf").unwrap();
        assert_eq!(path[1].name, "bob_fabrikam.example#EXT#@contoso.test");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in [
            "users('a'b')",
            "users(''')",
            "users('a')x",
            "users(a)",
            "users('a'",
            "users(appId=x)",
            "users(='a')",
            "users(a b='c')",
            "('a')",
            "a/b/c/d/e/f/g/h/i/j/k/l/m",
            "%ff",
            "a%00",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "\\PC{0,80}") {
            let _ = parse(&text);
        }
    }
}
