//! `$search` as Graph writes it: quoted `"property:text"` clauses joined by AND, OR, NOT and parentheses.

use super::filter::SyntaxError;

/// Longest text, deepest nesting, most clauses.
const LONGEST: usize = 2 * 1024;
const DEPTH: usize = 16;
const CLAUSES: usize = 20;

/// An expression. Names are checked by whoever plans the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    And(Box<Search>, Box<Search>),
    /// `"property:text"`.
    Clause {
        property: String,
        text: String,
    },
    Not(Box<Search>),
    Or(Box<Search>, Box<Search>),
}

#[derive(Debug, PartialEq)]
enum Token {
    And,
    Clause(String, String),
    Close,
    Not,
    Open,
    Or,
}

/// Reads a search.
pub fn parse(text: &str) -> Result<Search, SyntaxError> {
    if text.len() > LONGEST {
        return Err(SyntaxError { message: "The search is too long".to_owned(), position: LONGEST });
    }
    let tokens = lex(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len() };
    let search = parser.or(0)?;
    if parser.at < tokens.len() {
        return parser.fail("unexpected text");
    }
    Ok(search)
}

fn lex(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut clauses = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((position, letter)) = letters.next() {
        let wrong = |message: &str| SyntaxError { message: format!("Syntax error: {message}"), position };
        let token = match letter {
            letter if letter.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '"' => {
                let mut inner = String::new();
                loop {
                    match letters.next() {
                        None => return Err(wrong("there is an unterminated literal")),
                        Some((_, '"')) => break,
                        Some((_, '\\')) => match letters.next() {
                            Some((_, escaped @ ('"' | '\\'))) => inner.push(escaped),
                            Some(_) | None => return Err(wrong("'\\' escapes '\"' and '\\' only")),
                        },
                        Some((_, other)) => inner.push(other),
                    }
                }
                clauses += 1;
                if clauses > CLAUSES {
                    return Err(wrong("the search has too many clauses"));
                }
                let (property, text) = inner
                    .split_once(':')
                    .map(|(property, text)| (property.trim().to_owned(), text.trim().to_owned()))
                    .filter(|(property, text)| !property.is_empty() && !text.is_empty())
                    .ok_or_else(|| wrong("write each clause as \"property:text\""))?;
                Token::Clause(property, text)
            }
            letter if letter.is_ascii_alphabetic() => {
                let mut word = String::from(letter);
                while let Some((_, next)) = letters.next_if(|(_, next)| next.is_ascii_alphanumeric()) {
                    word.push(next);
                }
                match word.as_str() {
                    "AND" => Token::And,
                    "NOT" => Token::Not,
                    "OR" => Token::Or,
                    _ => return Err(wrong("write each clause in double quotes, \"property:text\"")),
                }
            }
            _ => return Err(wrong(&format!("character '{letter}' is not valid"))),
        };
        tokens.push((position, token));
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    end: usize,
}

impl Parser<'_> {
    fn fail<T>(&self, message: &str) -> Result<T, SyntaxError> {
        let position = self.tokens.get(self.at).map_or(self.end, |(position, _)| *position);
        Err(SyntaxError { message: format!("Syntax error: {message}"), position })
    }

    fn next_is(&self, wanted: &Token) -> bool {
        self.tokens.get(self.at).is_some_and(|(_, token)| token == wanted)
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let is_next = self.next_is(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn or(&mut self, depth: usize) -> Result<Search, SyntaxError> {
        let mut left = self.and(depth)?;
        while self.take(&Token::Or) {
            left = Search::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Ok(left)
    }

    /// Clauses side by side are meant together, as if AND stood between them.
    fn and(&mut self, depth: usize) -> Result<Search, SyntaxError> {
        let mut left = self.unary(depth)?;
        loop {
            let is_joined = self.take(&Token::And);
            let goes_on =
                matches!(self.tokens.get(self.at), Some((_, Token::Clause(..) | Token::Not | Token::Open)));
            if !is_joined && !goes_on {
                return Ok(left);
            }
            left = Search::And(Box::new(left), Box::new(self.unary(depth)?));
        }
    }

    fn unary(&mut self, depth: usize) -> Result<Search, SyntaxError> {
        if depth > DEPTH {
            return self.fail("the search is too complex");
        }
        if self.take(&Token::Not) {
            return Ok(Search::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.take(&Token::Open) {
            let inner = self.or(depth + 1)?;
            if !self.take(&Token::Close) {
                return self.fail("')' expected");
            }
            return Ok(inner);
        }
        match self.tokens.get(self.at) {
            Some((_, Token::Clause(property, text))) => {
                self.at += 1;
                Ok(Search::Clause { property: property.clone(), text: text.clone() })
            }
            Some(_) | None => self.fail("a clause in double quotes expected"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clause(property: &str, text: &str) -> Search {
        Search::Clause { property: property.to_owned(), text: text.to_owned() }
    }

    fn and(left: Search, right: Search) -> Search {
        Search::And(Box::new(left), Box::new(right))
    }

    #[test]
    fn searches_are_read_as_they_are_meant() {
        let (a, b, c) = (|| clause("a", "x"), || clause("b", "y z"), || clause("c", "q:\"\\"));
        for (text, expected) in [
            ("\"a:x\"", a()),
            ("\"a:x\" AND \"b:y z\"", and(a(), b())),
            ("\"a:x\" \"b:y z\"", and(a(), b())),
            ("\"a:x\" OR \"b:y z\" AND \"c:q:\\\"\\\\\"", Search::Or(Box::new(a()), Box::new(and(b(), c())))),
            ("NOT (\"a:x\")", Search::Not(Box::new(a()))),
            ("(\"a:x\" AND NOT \"b:y z\")", and(a(), Search::Not(Box::new(b())))),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_search_is_refused_with_its_place() {
        for (text, position) in [
            ("", 0),
            ("a:x", 0),
            ("\"a:x", 0),
            ("\"a\"", 0),
            ("\":x\"", 0),
            ("\"a:\"", 0),
            ("\"a:x\" and \"b:y\"", 6),
            ("\"a:x\" AND", 9),
            ("(\"a:x\"", 6),
            ("\"a:x\")", 5),
            ("\"a:\\x\"", 0),
            ("'a:x'", 0),
        ] {
            assert_eq!(parse(text).unwrap_err().position, position, "{text}");
        }
    }

    #[test]
    fn limits_hold() {
        let many = |count: usize| vec!["\"a:x\""; count].join(" OR ");
        assert!(parse(&many(CLAUSES)).is_ok() && parse(&many(CLAUSES + 1)).is_err());
        let deep = |depth: usize| format!("{}\"a:x\"{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&deep(DEPTH)).is_ok() && parse(&deep(DEPTH + 1)).is_err());
        assert!(parse(&format!("\"a:{}\"", "x".repeat(LONGEST))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "([a-z:\"() \\\\]|AND|OR|NOT){0,30}|\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
