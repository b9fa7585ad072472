//! Form and query parameters: limited in number and length, and each known one at most once (R27, R30).

use crate::form;
use percent_encoding::NON_ALPHANUMERIC;

/// Longest form or query, in bytes.
// DEFAULT: 64 KiB: MSAL's largest requests, with claims and a state of some KB, stay below 16.
const LONGEST: usize = 64 * 1024;
/// Most parameters.
const MOST: usize = 200;
/// Longest name, in bytes; the longest that MSAL sends has 30.
const LONGEST_NAME: usize = 128;
/// Longest value, in bytes.
const LONGEST_VALUE: usize = 16 * 1024;

/// Parsed parameters. Unknown names are simply never asked for (clients 13).
#[derive(Clone, Default)]
pub struct Params(Vec<(String, String)>);

/// Names only: the values are passwords, secrets and codes.
impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    #[error("The parameter '{0}' is given more than once.")]
    Duplicate(&'static str),
    #[error("The request is not form-encoded UTF-8.")]
    Form,
    #[error("The parameter '{0}' is too long.")]
    TooLong(&'static str),
    #[error("The request has too many or too long parameters.")]
    TooLarge,
}

impl Params {
    /// Decodes `application/x-www-form-urlencoded` text, of a body or a query.
    pub fn parse(text: &[u8]) -> Result<Self, ParamError> {
        if text.len() > LONGEST {
            return Err(ParamError::TooLarge);
        }
        let mut pairs = Vec::new();
        for pair in form::pairs(text) {
            if pairs.len() == MOST {
                return Err(ParamError::TooLarge);
            }
            let (name, value) = pair.ok_or(ParamError::Form)?;
            if name.len() > LONGEST_NAME {
                return Err(ParamError::TooLarge);
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter; empty counts as absent (RFC 6749 §3.1).
    pub fn take(&self, name: &'static str) -> Result<Option<&str>, ParamError> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(ParamError::Duplicate(name));
        }
        match first {
            Some(value) if value.len() > LONGEST_VALUE => Err(ParamError::TooLong(name)),
            value => Ok(value.filter(|value| !value.is_empty())),
        }
    }

    /// Whether a parameter is present at all.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

/// Form-encoded text in which one parameter has another value; all else stays as it came.
pub fn with_value(text: &str, name: &str, value: &str) -> String {
    let is_named = |pair: &str| {
        let mut read = form::pairs(pair.as_bytes());
        read.next().flatten().is_some_and(|(known, _)| known == name)
    };
    let replaced = text.split('&').map(|pair| match is_named(pair) {
        true => format!("{name}={}", percent_encoding::utf8_percent_encode(value, NON_ALPHANUMERIC)),
        false => pair.to_owned(),
    });
    replaced.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once_and_kept_whole() {
        let params = Params::parse(b"&&a=1%2B1+%3D=2&b=%EF%BF%BD&%63=%2541&d").unwrap();
        assert_eq!(params.take("a"), Ok(Some("1+1 ==2")));
        assert_eq!(params.take("b"), Ok(Some("\u{fffd}")));
        assert_eq!(params.take("c"), Ok(Some("%41")));
        assert_eq!(params.take("d"), Ok(None));
    }

    #[test]
    fn one_value_is_replaced_and_the_rest_kept() {
        let text = with_value("a=1&login_hint=O.x&b=%2F+&", "login_hint", "a b@c&d=e");
        let params = Params::parse(text.as_bytes()).unwrap();
        assert_eq!(params.take("login_hint"), Ok(Some("a b@c&d=e")));
        assert_eq!(text.replace("a%20b%40c%26d%3De", "O.x"), "a=1&login_hint=O.x&b=%2F+&");
    }

    #[test]
    fn values_are_not_shown_in_logs() {
        let params = Params::parse(b"password=hunter2").unwrap();
        assert_eq!(format!("{params:?}"), r#"{"password"}"#);
    }

    proptest::proptest! {
        #[test]
        fn what_browsers_encode_reads_back(pairs in proptest::collection::vec(("[a-z]{1,9}", "\\PC{0,40}"), 0..9)) {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            proptest::prop_assert_eq!(Params::parse(text.as_bytes()).unwrap().0, pairs);
        }

        #[test]
        fn no_bytes_break_the_parser(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Params::parse(&bytes);
        }
    }

    #[test]
    fn r27_a_doubled_parameter_is_refused() {
        let params = Params::parse(b"a=1&b=&a=2").unwrap();
        assert_eq!(params.take("a"), Err(ParamError::Duplicate("a")));
        assert_eq!(params.take("b"), Ok(None));
        assert_eq!(params.take("c"), Ok(None));
    }

    #[test]
    fn what_is_no_text_or_too_much_is_refused() {
        assert_eq!(Params::parse(b"a=%ff").err(), Some(ParamError::Form));
        assert_eq!(Params::parse(b"a=\xff").err(), Some(ParamError::Form));
        assert_eq!(Params::parse("a=1&".repeat(300).as_bytes()).err(), Some(ParamError::TooLarge));
        let long = |name, value| format!("{}={}", "n".repeat(name), "v".repeat(value));
        assert_eq!(Params::parse(long(129, 1).as_bytes()).err(), Some(ParamError::TooLarge));
        assert!(Params::parse(long(128, 1).as_bytes()).is_ok());
        let long = format!("a={}", "v".repeat(LONGEST_VALUE + 1));
        assert_eq!(Params::parse(long.as_bytes()).unwrap().take("a"), Err(ParamError::TooLong("a")));
        assert_eq!(Params::parse(&[b'a'; 70_000]).err(), Some(ParamError::TooLarge));
    }
}
