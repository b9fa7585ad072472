//! What somebody else wrote and a recipient will read, without what could lead elsewhere (R07).
//!
//! Whole words go, so that nothing is left to be put together. What remains can still lie: a name can claim to be a bank. Nor
//! is a whole word of another script caught that happens to look Latin; the mail names the tenant's domain for that.

/// Strips text of links, addresses, numbers, look-alike letters, and of characters that hide or turn text. At most `limit`
/// characters.
pub fn harmless(text: &str, limit: usize) -> String {
    let spaced = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let visible: String = spaced.filter(|c| !is_hidden(*c)).collect();
    let words: Vec<&str> = visible.split(' ').filter(|word| !word.is_empty() && !is_lure(word)).collect();
    words.join(" ").chars().take(limit).collect::<String>().trim_end().to_owned()
}

/// Controls, and marks that turn text around, join it or show nothing.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

fn is_lure(word: &str) -> bool {
    let is_inside = |is: fn(char) -> bool| {
        word.trim_end_matches(|c: char| c.is_ascii_punctuation() || is(c)).contains(is)
    };
    word.contains(|c: char| c.is_numeric() || is_of_addresses(c) || is_disguised(c))
        || is_inside(is_dot)
        || is_inside(is_colon)
        || mixes_scripts(word)
}

/// `@`, slashes, and what looks like them.
fn is_of_addresses(c: char) -> bool {
    matches!(
        c,
        '@' | '\u{fe6b}'
            | '\u{ff20}'
            | '/'
            | '\\'
            | '\u{2044}'
            | '\u{2215}'
            | '\u{29f5}'
            | '\u{29f8}'
            | '\u{29f9}'
            | '\u{fe68}'
            | '\u{ff0f}'
            | '\u{ff3c}'
    )
}

/// What browsers and mail programs take for the dot of a name (UTS 46 §4), and what looks like it.
fn is_dot(c: char) -> bool {
    matches!(
        c,
        '.' | '\u{b7}'
            | '\u{2024}'
            | '\u{2027}'
            | '\u{3002}'
            | '\u{fe12}'
            | '\u{fe52}'
            | '\u{ff0e}'
            | '\u{ff61}'
    )
}

fn is_colon(c: char) -> bool {
    matches!(c, ':' | '\u{2236}' | '\u{a789}' | '\u{fe13}' | '\u{fe55}' | '\u{ff1a}')
}

/// Letters that are other letters in a costume: no language is written with them.
fn is_disguised(c: char) -> bool {
    matches!(c, '\u{2b0}'..='\u{2ff}' | '\u{1d00}'..='\u{1dbf}' | '\u{2070}'..='\u{209f}' | '\u{2100}'..='\u{218f}'
        | '\u{2460}'..='\u{24ff}' | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}' | '\u{ff21}'..='\u{ff3a}'
        | '\u{ff41}'..='\u{ff5a}' | '\u{1d400}'..='\u{1d7ff}' | '\u{1f100}'..='\u{1f1ff}')
}

/// Scripts whose letters are taken for each other's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Armenian,
    Cherokee,
    Coptic,
    Cyrillic,
    Greek,
    Latin,
    Lisu,
}

fn script(c: char) -> Option<Script> {
    match c {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{2af}' | '\u{1e00}'..='\u{1eff}' | '\u{2c60}'..='\u{2c7f}' => {
            Some(Script::Latin)
        }
        '\u{370}'..='\u{3e1}' | '\u{3f0}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(Script::Greek),
        '\u{3e2}'..='\u{3ef}' | '\u{2c80}'..='\u{2cff}' => Some(Script::Coptic),
        '\u{400}'..='\u{52f}'
        | '\u{1c80}'..='\u{1c8f}'
        | '\u{2de0}'..='\u{2dff}'
        | '\u{a640}'..='\u{a69f}' => Some(Script::Cyrillic),
        '\u{530}'..='\u{58f}' => Some(Script::Armenian),
        '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' => Some(Script::Cherokee),
        '\u{a4d0}'..='\u{a4ff}' => Some(Script::Lisu),
        _ => None,
    }
}

fn mixes_scripts(word: &str) -> bool {
    let mut scripts = word.chars().filter_map(script);
    scripts.next().is_some_and(|first| scripts.any(|other| other != first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn r07_text_for_the_recipient_holds_no_lure() {
        for (text, left) in [
            (
                "Call +1 555 0100 now\r\nor see https://evil.test or evil.test, mail a@evil.test \u{202e}gnp",
                "Call now or see or mail gnp",
            ),
            ("Call 05 55 01 00 or ٠٥٥٥ or ５５５ or ①", "Call or or or"),
            ("evil。test evil．test evil｡test evil․test evil\u{200b}.test", ""),
            ("a＠evil evil／path evil\\path tel:five", ""),
            ("\u{61c}gnp \u{2067}abc\u{2069} so\u{ad}ft", "gnp abc soft"),
            // A Cyrillic a, a Greek o, letters of mathematics, full width.
            ("P\u{430}ypal C\u{3bf}ntoso 𝐁𝐚𝐧𝐤 Ｂａｎｋ Bank", "Bank"),
        ] {
            assert_eq!(harmless(text, 500), left, "{text}");
        }
    }

    #[test]
    fn what_people_are_called_and_write_stays() {
        for text in [
            "Zoë O'Neill-Müller, Łukasz!",
            "Анна Петрова",
            "Γιώργος Παπαδόπουλος",
            "山田 太郎",
            "محمد علي",
            "नमस्ते दुनिया",
            "Dr. Smith says: welcome (really)...",
            "Contoso Россия",
        ] {
            assert_eq!(harmless(text, 500), text);
        }
        assert_eq!(harmless("  two \t words\n", 500), "two words");
        assert_eq!(harmless("ääää", 3), "äää");
        assert_eq!(harmless("two words", 4), "two");
    }

    proptest! {
        #[test]
        fn r07_nothing_that_somebody_writes_becomes_a_link_a_number_or_turned_text(
            text in "((https?|mailto|tel):|www|//|evil|test|com|[.。．｡․@＠/\\\\:]|[0-9٠-٩０-９①²]|[a-zà-ÿ]|[а-я]|[α-ω]|[𝐀-𝐙]|\u{202e}|\u{61c}|\u{200b}|\u{2066}|[ \t\n]|\\PC|\\p{C}){0,40}",
            limit in 0_usize..60,
        ) {
            let left = harmless(&text, limit);
            prop_assert!(left.chars().count() <= limit);
            prop_assert_eq!(harmless(&left, limit), left.clone());
            prop_assert!(!left.contains(char::is_numeric));
            let turning = "\u{61c}\u{200b}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
            let is_turning = left.contains(|c: char| c.is_control() || turning.contains(c));
            prop_assert!(!is_turning, "{:?}", left);
            prop_assert!(!left.contains(['@', '＠', '/', '／', '\\']));
            let letters: Vec<char> = left.chars().collect();
            for three in letters.windows(3) {
                let joins = ".。．｡․:".contains(three[1]) && three[0].is_alphabetic() && three[2].is_alphabetic();
                prop_assert!(!joins, "{}", left);
            }
            for word in left.split(' ') {
                let has = |range: std::ops::RangeInclusive<char>| word.contains(|c| range.contains(&c));
                let scripts = [has('a'..='z'), has('а'..='я'), has('α'..='ω'), has('𝐀'..='𝐙')];
                prop_assert!(!scripts[3] && scripts.into_iter().filter(|is| *is).count() <= 1, "{}", word);
            }
        }

        #[test]
        fn words_of_one_script_pass_whole(text in "([a-zà-öø-ÿ]{1,8}|[а-я]{1,8}|[α-ω]{1,8}|[一-龠]{1,4})([,!?]?( ([a-zà-öø-ÿ]{1,8}|[а-я]{1,8}))){0,6}") {
            prop_assert_eq!(harmless(&text, 500), text);
        }
    }
}
