//! `application/x-www-form-urlencoded` without repair (WHATWG URL §5.1). The usual decoder puts U+FFFD where bytes are no
//! UTF-8: a password or a filter would silently become another one.

/// Name and value of every pair; `None` in place of a pair that is not UTF-8.
pub(crate) fn pairs(text: &[u8]) -> impl Iterator<Item = Option<(String, String)>> {
    text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut halves = pair.splitn(2, |b| *b == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        Some((decode(name)?, decode(value)?))
    })
}

fn decode(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    String::from_utf8(percent_encoding::percent_decode(&spaced).collect()).ok()
}

#[cfg(test)]
mod tests {
    proptest::proptest! {
        #[test]
        fn what_is_utf8_reads_as_the_usual_decoder_reads_it(text in "(%[0-9A-Fa-f]{2}|[=&+%]|\\PC){0,40}") {
            let usual: Vec<_> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            let own: Vec<_> = super::pairs(text.as_bytes()).collect();
            proptest::prop_assert_eq!(own.len(), usual.len());
            for (own, usual) in own.into_iter().zip(usual) {
                let is_replaced = usual.0.contains('\u{fffd}') || usual.1.contains('\u{fffd}');
                proptest::prop_assert!(own == Some(usual) || (own.is_none() && is_replaced));
            }
        }
    }
}
