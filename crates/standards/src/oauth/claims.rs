//! The `claims` parameter (OIDC Core §5.5): a wish, so what nobody here acts on is ignored (clients 13). What is no such
//! JSON, or more of it than anybody means, is refused.

use super::authorize::RequestError;
use super::error::ErrorCode;
use serde_json::{Map, Value};

/// What is acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestedClaims {
    /// The client handles claims challenges (`xms_cc` with `CP1`).
    pub handles_challenges: bool,
}

/// Longest `claims` parameter, in bytes.
// DEFAULT: 8 KiB; what MSAL and claims challenges send stays below one.
const LONGEST: usize = 8 * 1024;
/// Deepest nesting.
// DEFAULT: eight; the deepest that is documented has four.
const DEEPEST: usize = 8;

impl RequestedClaims {
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, RequestError> {
        let Some(text) = text else { return Ok(Self::default()) };
        let invalid = |text: &str| RequestError::new(ErrorCode::InvalidRequest, 90_023, text);
        if text.len() > LONGEST {
            return Err(invalid("The 'claims' parameter is too long."));
        }
        let parsed: Map<String, Value> = serde_json::from_str(text)
            .map_err(|_| invalid("The 'claims' parameter is not a JSON object."))?;
        let asked = Value::Object(parsed);
        if !is_shallow(&asked, DEEPEST) {
            return Err(invalid("The 'claims' parameter is nested too deeply."));
        }
        let capabilities = asked.pointer("/access_token/xms_cc/values").and_then(Value::as_array);
        let is_cp1 = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("cp1"));
        let handles_challenges = capabilities.is_some_and(|values| values.iter().any(is_cp1));
        Ok(Self { handles_challenges })
    }
}

fn is_shallow(value: &Value, left: usize) -> bool {
    match (value, left.checked_sub(1)) {
        (Value::Array(_) | Value::Object(_), None) => false,
        (Value::Array(items), Some(left)) => items.iter().all(|item| is_shallow(item, left)),
        (Value::Object(fields), Some(left)) => fields.values().all(|field| is_shallow(field, left)),
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<bool, u32> {
        RequestedClaims::parse(Some(text)).map(|asked| asked.handles_challenges).map_err(|error| error.number)
    }

    #[test]
    fn a_wish_that_nobody_knows_is_no_error() {
        // As msal-node sends it with every request.
        let msal = r#"{"id_token":{"signin_state":{"essential":false},"login_hint":null,"tenant_region_sub_scope":{}}}"#;
        assert_eq!(parse(msal), Ok(false));
        assert_eq!(parse(r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#), Ok(true));
        assert_eq!(parse(r#"{"access_token":{"xms_cc":{"values":["cp2",7]}}}"#), Ok(false));
        assert_eq!(parse(r#"{"access_token":null,"userinfo":{"x":{"value":1}}}"#), Ok(false));
        assert_eq!(RequestedClaims::parse(None), Ok(RequestedClaims::default()));
    }

    #[test]
    fn what_is_no_object_or_too_much_is_refused() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(9), "}".repeat(9));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(LONGEST));
        for text in ["", "[]", "null", "{", r#"{"a":}"#, &deep, &"[".repeat(5_000), &long] {
            assert_eq!(parse(text), Err(90_023), "{text:.40}");
        }
    }
}
