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

/// `2026-11-23T12:00:00.123Z`, where the order within one second matters (RFC 3339 §5.6).
pub fn rfc3339_millis(millis: i64) -> String {
    format(millis, "%Y-%m-%dT%H:%M:%S%.3fZ")
}

/// `2016-01-09 02:02:12Z`, as token errors write times (facts: protocol §8).
pub fn entra_timestamp(millis: i64) -> String {
    format(millis, "%Y-%m-%d %H:%M:%SZ")
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
pub fn http_date(millis: i64) -> String {
    format(millis, "%a, %d %b %Y %H:%M:%S GMT")
}

/// Reads an RFC 3339 time (§5.6) of the years 0 to 9999; milliseconds since 1970.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    // The library reads more than the standard: spaces, named zones, missing minutes, years of six digits.
    if text.len() > 40 || !is_rfc3339(text.as_bytes()) {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Whether the text has the shape `date T time [fraction] zone`; whether there is such a day is not asked here.
fn is_rfc3339(text: &[u8]) -> bool {
    let fits = |text: &[u8], shape: &[u8]| {
        text.len() == shape.len()
            && text.iter().zip(shape).all(|(found, wanted)| match wanted {
                b'0' => found.is_ascii_digit(),
                _ => found.eq_ignore_ascii_case(wanted),
            })
    };
    let Some((whole, mut zone)) = text.split_at_checked(19) else { return false };
    if let Some(fraction) = zone.strip_prefix(b".") {
        let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        zone = fraction.get(digits..).unwrap_or_default();
        if !(1..=9).contains(&digits) {
            return false;
        }
    }
    let is_zone = fits(zone, b"Z") || fits(zone, b"+00:00") || fits(zone, b"-00:00");
    fits(whole, b"0000-00-00T00:00:00") && is_zone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_forms_of_the_standard_are_read() {
        for (text, millis) in [
            ("1985-04-12T23:20:50.52Z", 482_196_050_520),
            ("1996-12-19T16:39:57-08:00", 851_042_397_000),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130),
            ("2026-11-23t12:00:00.1234567z", 1_795_435_200_123),
        ] {
            assert_eq!(parse_rfc3339(text), Some(millis), "{text}");
        }
        for text in [
            "",
            "2016-01-09",
            "2016-01-09T02Z",
            "2016-01-09T02:02:12",
            "2016-01-09 02:02:12Z",
            "2016-01-09T02:02:12.Z",
            "2016-01-09T02:02:12,5Z",
            "2016-01-09T02:02:12.1234567890Z",
            "2016-01-09T02:02:12+0100",
            "2016-01-09T02:02:12+01:00[Europe/Paris]",
            "20160109T020212Z",
            "-002016-01-09T02:02:12Z",
            "2016-02-30T02:02:12Z",
            "2016-01-09T24:02:12Z",
            "2016-01-09T02:02:12ZZ",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0_i64..253_402_300_800_000) {
            proptest::prop_assert_eq!(parse_rfc3339(&rfc3339_millis(millis)), Some(millis));
            proptest::prop_assert_eq!(parse_rfc3339(&rfc3339(millis)), Some(millis - millis % 1000));
        }

        #[test]
        fn no_text_breaks_the_parser(text in "[0-9TZtz:.+-]{0,40}|\\PC{0,40}") {
            let _ = parse_rfc3339(&text);
        }
    }

    #[test]
    fn times_are_written_as_the_wire_wants_them() {
        let millis = parse_rfc3339("2016-01-09T02:02:12.345Z").unwrap();
        assert_eq!(rfc3339(millis), "2016-01-09T02:02:12Z");
        assert_eq!(rfc3339_millis(millis), "2016-01-09T02:02:12.345Z");
        assert_eq!(entra_timestamp(millis), "2016-01-09 02:02:12Z");
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
