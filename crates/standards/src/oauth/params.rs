//! Form and query parameters: limited in number and length, and each known one at most once (R27, R30).

/// Longest form or query, in bytes.
// DEFAULT: 64 KiB: MSAL's largest requests, with claims and a state of some KB, stay below 16.
const LONGEST: usize = 64 * 1024;
/// Most parameters.
const MOST: usize = 200;
/// Longest value, in bytes.
const LONGEST_VALUE: usize = 16 * 1024;

/// Parsed parameters. Unknown names are simply never asked for (clients 13).
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

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
        if std::str::from_utf8(text).is_err() {
            return Err(ParamError::Form);
        }
        let mut pairs = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            if pairs.len() == MOST {
                return Err(ParamError::TooLarge);
            }
            // The decoder puts U+FFFD where the bytes were no UTF-8.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(ParamError::Form);
            }
            pairs.push((name.into_owned(), value.into_owned()));
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(Params::parse(&[b'a'; 70_000]).err(), Some(ParamError::TooLarge));
    }
}
