//! Times on the wire, from milliseconds since 1970.

use jiff::Timestamp;
use jiff::fmt::strtime;

fn format(millis: i64, form: &str) -> String {
    let time = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
    strtime::format(form, time).unwrap_or_default()
}

/// `2026-11-23T12:00:00Z`, whole seconds, as Graph writes times (RFC 3339 §5.6).
pub fn rfc3339(millis: i64) -> String {
    format(millis, "%Y-%m-%dT%H:%M:%SZ")
}

/// `2016-01-09 02:02:12Z`, as token errors write times (facts: protocol §8).
pub fn entra_timestamp(millis: i64) -> String {
    format(millis, "%Y-%m-%d %H:%M:%SZ")
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
pub fn http_date(millis: i64) -> String {
    format(millis, "%a, %d %b %Y %H:%M:%S GMT")
}

/// Reads an RFC 3339 time; milliseconds since 1970.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    if text.len() > 40 {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_wire_wants_them() {
        let millis = parse_rfc3339("2016-01-09T02:02:12.345Z").unwrap();
        assert_eq!(rfc3339(millis), "2016-01-09T02:02:12Z");
        assert_eq!(entra_timestamp(millis), "2016-01-09 02:02:12Z");
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
