//! The definition of a token lifetime policy: a JSON text inside Graph's JSON (Graph: tokenLifetimePolicy).

use serde_json::{Map, Value};

/// Longest definition, in bytes.
// DEFAULT: 2 KiB; with every property that was ever documented it is a quarter of that.
const LONGEST: usize = 2 * 1024;

/// Lifetimes of refresh tokens and sessions: retired on 2021-01-30, so policies that still name them change nothing by it.
const RETIRED: [&str; 5] = [
    "MaxAgeMultiFactor",
    "MaxAgeSessionMultiFactor",
    "MaxAgeSessionSingleFactor",
    "MaxAgeSingleFactor",
    "MaxInactiveTime",
];

/// Reads `{"TokenLifetimePolicy":{"Version":1,"AccessTokenLifetime":"8:00:00"}}`: the lifetime in seconds, of any length.
///
/// # Errors
/// What is wrong with it, as a sentence for whoever wrote it.
pub fn parse(text: &str) -> Result<i64, &'static str> {
    if text.len() > LONGEST {
        return Err("The definition is too long.");
    }
    let outer: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| "The definition is not the text of a JSON object.")?;
    let policy = match (outer.len(), outer.get("TokenLifetimePolicy")) {
        (1, Some(Value::Object(policy))) => policy,
        (_, _) => return Err("The definition must hold one object, TokenLifetimePolicy."),
    };
    if policy.get("Version").and_then(Value::as_i64) != Some(1) {
        return Err("The definition must have Version 1.");
    }
    let is_known = |name: &str| ["AccessTokenLifetime", "Version"].contains(&name) || RETIRED.contains(&name);
    if policy.keys().any(|name| !is_known(name)) {
        return Err("The definition has a property that token lifetime policies do not have.");
    }
    if RETIRED.iter().any(|name| policy.get(*name).is_some_and(|value| !value.is_string())) {
        return Err("Lifetimes are texts: d.hh:mm:ss.");
    }
    let lifetime = policy.get("AccessTokenLifetime").ok_or(
        "The definition must have AccessTokenLifetime: lifetimes of refresh tokens and sessions are retired.",
    )?;
    lifetime.as_str().and_then(seconds).ok_or("AccessTokenLifetime must be a text d.hh:mm:ss.")
}

/// `d.hh:mm:ss`; days may be left out, and 90 minutes may be written `00:90:00`, as the documentation does.
fn seconds(text: &str) -> Option<i64> {
    let number = |text: &str| {
        let is_right = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_right.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (days, clock) = match text.split_once('.') {
        Some((days, clock)) => (number(days)?, clock),
        None => (0, text),
    };
    let mut parts = clock.split(':').map(number);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(text: &str) -> Result<i64, &'static str> {
        parse(&format!(r#"{{"TokenLifetimePolicy":{{"Version":1,"AccessTokenLifetime":"{text}"}}}}"#))
    }

    #[test]
    fn lifetimes_are_read_as_they_are_documented() {
        for (text, seconds) in [
            ("8:00:00", 28_800),
            ("00:10:00", 600),
            ("00:90:00", 5_400),
            ("23:59:59", 86_399),
            ("1.00:00:00", 86_400),
            ("80.00:30:00", 6_913_800),
        ] {
            assert_eq!(lifetime(text), Ok(seconds), "{text}");
        }
        for bad in [
            "",
            "8",
            "8:00",
            "8:00:00:00",
            "-8:00:00",
            "+8:00:00",
            "8:00:0x",
            "008:00:00",
            "1.8:00:00.5",
            "٨:00:00",
        ] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_definition_holds_one_policy_of_the_version_that_there_is() {
        let with = |more: &str| {
            parse(&format!(
                r#"{{"TokenLifetimePolicy":{{"Version":1,"AccessTokenLifetime":"1:00:00"{more}}}}}"#
            ))
        };
        assert_eq!(
            with(r#","MaxInactiveTime":"20:00:00","MaxAgeSessionMultiFactor":"until-revoked""#),
            Ok(3_600)
        );
        assert!(with(r#","MaxInactiveTime":7"#).is_err());
        assert!(with(r#","IdTokenLifetime":"1:00:00""#).is_err());
        assert!(with(&format!(r#","MaxInactiveTime":"{}""#, "9".repeat(LONGEST))).is_err());
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"TokenLifetimePolicy":[]}"#,
            r#"{"TokenLifetimePolicy":{"AccessTokenLifetime":"1:00:00"}}"#,
            r#"{"TokenLifetimePolicy":{"Version":"1","AccessTokenLifetime":"1:00:00"}}"#,
            r#"{"TokenLifetimePolicy":{"Version":2,"AccessTokenLifetime":"1:00:00"}}"#,
            r#"{"TokenLifetimePolicy":{"Version":1,"AccessTokenLifetime":3600}}"#,
            r#"{"TokenLifetimePolicy":{"Version":1,"MaxInactiveTime":"1:00:00"}}"#,
            r#"{"TokenLifetimePolicy":{"Version":1,"AccessTokenLifetime":"1:00:00"},"More":{}}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&"[".repeat(LONGEST)).is_err(), "depth is the reader's own limit");
    }
}
