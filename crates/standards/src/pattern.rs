//! Regular expressions that strangers write: without look-around and back references, so that the time to answer grows with
//! the text and never explodes, and small.

use regex_automata::meta::{Config, Regex};
use regex_automata::util::syntax;

/// Longest text in characters, deepest nesting, most memory of what it becomes.
// DEFAULT: 256 KiB: names, codes and addresses with a handful of `\w`, which has every letter there is, and not `\w{100}`.
// Some 7,000 states: at worst a letter of the text costs a step for each of them.
const LONGEST: usize = 256;
const DEPTH: u32 = 16;
const SIZE: usize = 256 * 1024;

/// A regular expression, case folded.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Reads an expression; a refusal says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > LONGEST {
            return Err(format!("a regular expression has at most {LONGEST} characters"));
        }
        let syntax = syntax::Config::new().case_insensitive(true).nest_limit(DEPTH);
        let tree = match syntax::parse_with(text, &syntax) {
            Ok(tree) => tree,
            Err(regex_syntax::Error::Parse(error)) => return Err(shown(text, error.kind(), error.span())),
            Err(regex_syntax::Error::Translate(error)) => {
                return Err(shown(text, error.kind(), error.span()));
            }
            Err(_) => return Err("the regular expression is not valid".to_owned()),
        };
        let limits = Config::new().nfa_size_limit(Some(SIZE)).hybrid_cache_capacity(4 * SIZE);
        let built = Regex::builder().configure(limits).build_from_hir(&tree);
        built.map(Self).map_err(|_| "the regular expression is too large".to_owned())
    }

    /// Whether the expression fits some part of a text.
    pub fn fits(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

/// What is wrong, and at which character of the expression.
fn shown(text: &str, kind: &dyn std::fmt::Display, span: &regex_syntax::ast::Span) -> String {
    let before = text.char_indices().take_while(|(at, _)| *at < span.start.offset).count();
    format!("the regular expression is not valid at its character {}: {kind}", before + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_text_is_enough_and_case_does_not_count() {
        for (pattern, text, expected) in [
            ("sales", "West SALES team", true),
            ("^sales$", "West SALES team", false),
            ("^[a-z]{2}-\\d+$", "DE-4711", true),
            ("@contoso\\.com$", "ada@contoso.org", false),
            ("^stra\u{df}e", "STRA\u{1e9e}E 1", true),
            ("^\\w+\\s\\w+$", "\u{c4}rger B\u{fc}ro", true),
            ("^(\\w+\\s?){5}$", "one two three four five", true),
            ("", "", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().fits(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_not_linear_not_valid_or_too_large_is_refused_with_its_place() {
        for (pattern, problem) in [
            ("a(?=b)", "at its character 2: look-around"),
            ("\u{e4}(a)\\1", "at its character 5: backreferences"),
            ("a[b", "at its character 2: unclosed character class"),
            ("(", "at its character 1: unclosed group"),
            ("*", "at its character 1: repetition operator missing expression"),
            ("\\w{100}", "too large"),
            ("((a{100}){100}){100}", "too large"),
        ] {
            let refused = Pattern::parse(pattern).unwrap_err();
            assert!(refused.contains(problem), "{pattern}: {refused}");
        }
        assert!(Pattern::parse(&"a".repeat(LONGEST)).is_ok());
        assert!(Pattern::parse(&"a".repeat(LONGEST + 1)).unwrap_err().contains("at most 256"));
        assert!(Pattern::parse(&format!("{}a{}", "(".repeat(40), ")".repeat(40))).is_err());
    }

    #[test]
    fn what_lets_others_explode_ends_at_once() {
        let text = "a".repeat(4_096);
        for pattern in ["^(a+)+$", "^(a|a)*b$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$"] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert!(!pattern.fits(&format!("{text}!")));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "\\PC{0,40}", found in "\\PC{0,20}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                let _ = pattern.fits(&found);
            }
        }
    }
}
