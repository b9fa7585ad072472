//! The `Prefer` header (RFC 7240), as far as OData's preferences are acted on.

/// What a caller would like; nobody must do it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    /// `return=minimal`
    pub is_minimal: bool,
    /// `odata.maxpagesize=n` (OData Protocol 8.2.8.6)
    pub page: Option<u32>,
}

impl Prefer {
    /// Reads a header; what is not known is not preferred. The first of two counts.
    pub fn parse(header: &str) -> Self {
        let mut prefer = Self::default();
        for preference in header.split(',') {
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "maxpagesize" | "odata.maxpagesize" => {
                    let page = value.parse().ok().filter(|page| *page > 0);
                    prefer.page = prefer.page.or(page);
                }
                "return" => prefer.is_minimal |= value.eq_ignore_ascii_case("minimal"),
                _ => {}
            }
        }
        prefer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_and_the_rest_is_left_alone() {
        for (header, is_minimal, page) in [
            ("return=minimal", true, None),
            ("Return = \"minimal\"; foo, odata.maxpagesize=5", true, Some(5)),
            ("respond-async, maxpagesize=2, maxpagesize=3", false, Some(2)),
            ("return=representation, odata.maxpagesize=0", false, None),
            ("odata.maxpagesize=-1,,=,;", false, None),
            ("", false, None),
        ] {
            assert_eq!(Prefer::parse(header), Prefer { is_minimal, page }, "{header}");
        }
    }
}
