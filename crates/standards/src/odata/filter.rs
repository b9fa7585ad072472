//! `$filter`: text to an untyped expression (OData URL Conventions §5.1.1), with limits on length, depth and nodes.

/// Longest text, deepest nesting, most nodes.
const LONGEST: usize = 8 * 1024;
const DEPTH: usize = 32;
const NODES: usize = 500;

/// An expression. Names are checked by whoever plans the query.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    And(Box<Expr>, Box<Expr>),
    /// `path/any(x: body)`; without a body only `path/any()`.
    Any {
        path: String,
        variable: String,
        body: Option<Box<Expr>>,
    },
    Compare {
        path: String,
        operator: Operator,
        value: Literal,
    },
    /// `startsWith(path, 'text')` and its like; the name in lower case.
    Call {
        function: String,
        path: String,
        text: String,
    },
    In {
        path: String,
        values: Vec<Literal>,
    },
    Not(Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
}

impl Expr {
    /// The comparisons that must all hold; `None` when it is anything but comparisons joined by `and`.
    pub fn comparisons(&self) -> Option<Vec<(&str, Operator, &Literal)>> {
        match self {
            Self::And(left, right) => {
                let mut all = left.comparisons()?;
                all.extend(right.comparisons()?);
                Some(all)
            }
            Self::Compare { path, operator, value } => Some(vec![(path, *operator, value)]),
            Self::Any { .. } | Self::Call { .. } | Self::In { .. } | Self::Not(_) | Self::Or(..) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
    Ne,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Bool(bool),
    Null,
    /// A number, GUID, time: bare words that are none of the others.
    Bare(String),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {position}.")]
pub struct SyntaxError {
    pub message: String,
    /// Counted in bytes from zero.
    pub position: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Close,
    Colon,
    Comma,
    Open,
    Text(String),
    Word(String),
}

/// Reads a filter.
pub fn parse(text: &str) -> Result<Expr, SyntaxError> {
    if text.len() > LONGEST {
        return Err(SyntaxError { message: "The filter is too long".to_owned(), position: LONGEST });
    }
    let tokens = lex(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len(), nodes: 0 };
    let expression = parser.or(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(expression),
        Some((position, _)) => {
            Err(SyntaxError { message: "Syntax error: unexpected text".to_owned(), position: *position })
        }
    }
}

fn lex(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((position, letter)) = letters.next() {
        let token = match letter {
            letter if letter.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            // A colon inside a bare word belongs to a time; after a variable it stands alone.
            ':' => Token::Colon,
            '\'' => {
                let mut value = String::new();
                loop {
                    match letters.next() {
                        Some((_, '\'')) if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                            letters.next();
                            value.push('\'');
                        }
                        Some((_, '\'')) => break Token::Text(value),
                        Some((_, other)) => value.push(other),
                        None => {
                            let message = "There is an unterminated literal".to_owned();
                            return Err(SyntaxError { message, position });
                        }
                    }
                }
            }
            letter if is_word(letter) => {
                let mut word = String::from(letter);
                while let Some((_, next)) = letters.peek().copied() {
                    let is_time = next == ':' && word.starts_with(|c: char| c.is_ascii_digit());
                    if !is_word(next) && !is_time {
                        break;
                    }
                    word.push(next);
                    letters.next();
                }
                Token::Word(word)
            }
            _ => {
                return Err(SyntaxError {
                    message: format!("Syntax error: character '{letter}' is not valid"),
                    position,
                });
            }
        };
        tokens.push((position, token));
    }
    Ok(tokens)
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '/' | '.' | '-' | '+' | '$' | '@')
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    end: usize,
    nodes: usize,
}

impl Parser<'_> {
    fn fail<T>(&self, message: &str) -> Result<T, SyntaxError> {
        let position = self.tokens.get(self.at).map_or(self.end, |(position, _)| *position);
        Err(SyntaxError { message: format!("Syntax error: {message}"), position })
    }

    fn count(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.nodes += 1;
        if self.nodes > NODES || depth > DEPTH {
            return self.fail("the filter is too complex");
        }
        Ok(())
    }

    fn take(&mut self, wanted: &Token, message: &str) -> Result<(), SyntaxError> {
        match self.tokens.get(self.at) {
            Some((_, found)) if found == wanted => {
                self.at += 1;
                Ok(())
            }
            Some(_) | None => self.fail(message),
        }
    }

    /// Takes a keyword if it is next.
    fn keyword(&mut self, keyword: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.at), Some((_, Token::Word(word))) if word == keyword);
        self.at += usize::from(is_next);
        is_next
    }

    fn or(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        let mut left = self.and(depth)?;
        while self.keyword("or") {
            self.count(depth)?;
            left = Expr::Or(Box::new(left), Box::new(self.and(depth + 1)?));
        }
        Ok(left)
    }

    fn and(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        let mut left = self.unary(depth)?;
        while self.keyword("and") {
            self.count(depth)?;
            left = Expr::And(Box::new(left), Box::new(self.unary(depth + 1)?));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        self.count(depth)?;
        if self.keyword("not") {
            return Ok(Expr::Not(Box::new(self.unary(depth + 1)?)));
        }
        if matches!(self.tokens.get(self.at), Some((_, Token::Open))) {
            self.at += 1;
            let inner = self.or(depth + 1)?;
            self.take(&Token::Close, "')' expected")?;
            return Ok(inner);
        }
        self.comparison(depth)
    }

    fn word(&mut self, message: &str) -> Result<String, SyntaxError> {
        match self.tokens.get(self.at) {
            Some((_, Token::Word(word))) => {
                self.at += 1;
                Ok(word.clone())
            }
            Some(_) | None => self.fail(message),
        }
    }

    fn comparison(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        let name = self.word("a property or function expected")?;
        if matches!(self.tokens.get(self.at), Some((_, Token::Open))) {
            self.at += 1;
            return match name.rsplit_once('/') {
                Some((path, "any")) => self.any(path.to_owned(), depth),
                Some((_, "all")) => self.fail("the function 'all' is not supported"),
                Some(_) | None => self.call(&name),
            };
        }
        let operator = self.word("an operator expected")?;
        if operator == "in" {
            return self.values(name);
        }
        let operator = match operator.as_str() {
            "eq" => Operator::Eq,
            "ne" => Operator::Ne,
            "gt" => Operator::Gt,
            "ge" => Operator::Ge,
            "lt" => Operator::Lt,
            "le" => Operator::Le,
            _ => {
                self.at -= 1;
                return self.fail("an operator expected");
            }
        };
        Ok(Expr::Compare { path: name, operator, value: self.literal()? })
    }

    fn values(&mut self, path: String) -> Result<Expr, SyntaxError> {
        self.take(&Token::Open, "'(' expected")?;
        let mut values = vec![self.literal()?];
        while matches!(self.tokens.get(self.at), Some((_, Token::Comma))) {
            self.at += 1;
            self.count(0)?;
            values.push(self.literal()?);
        }
        self.take(&Token::Close, "')' expected")?;
        Ok(Expr::In { path, values })
    }

    fn call(&mut self, name: &str) -> Result<Expr, SyntaxError> {
        let path = self.word("a property expected")?;
        self.take(&Token::Comma, "',' expected")?;
        let Literal::Text(text) = self.literal()? else { return self.fail("a text expected") };
        self.take(&Token::Close, "')' expected")?;
        let function = name.to_ascii_lowercase();
        // Some clients write `startswith(x,'a') eq true`.
        if matches!(self.tokens.get(self.at), Some((_, Token::Word(word))) if word == "eq") {
            self.at += 1;
            if !self.keyword("true") {
                return self.fail("'true' expected");
            }
        }
        Ok(Expr::Call { function, path, text })
    }

    fn any(&mut self, path: String, depth: usize) -> Result<Expr, SyntaxError> {
        if matches!(self.tokens.get(self.at), Some((_, Token::Close))) {
            self.at += 1;
            return Ok(Expr::Any { path, variable: String::new(), body: None });
        }
        let variable = self.word("a variable expected")?;
        self.take(&Token::Colon, "':' expected")?;
        let body = self.or(depth + 1)?;
        self.take(&Token::Close, "')' expected")?;
        Ok(Expr::Any { path, variable, body: Some(Box::new(body)) })
    }

    fn literal(&mut self) -> Result<Literal, SyntaxError> {
        let literal = match self.tokens.get(self.at) {
            Some((_, Token::Text(text))) => Literal::Text(text.clone()),
            Some((_, Token::Word(word))) => match word.as_str() {
                "null" => Literal::Null,
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                _ => Literal::Bare(word.clone()),
            },
            Some(_) | None => return self.fail("a value expected"),
        };
        self.at += 1;
        Ok(literal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_not_then_and_then_or() {
        let parsed = parse("a eq 1 or not b eq 2 and c eq 3").unwrap();
        let Expr::Or(_, right) = parsed else { panic!() };
        let Expr::And(left, _) = *right else { panic!() };
        assert!(matches!(*left, Expr::Not(_)));
    }

    #[test]
    fn comparisons_that_must_all_hold_are_taken_apart() {
        let parsed = parse("a eq 'x' and (b gt 1 and c ne null)").unwrap();
        let paths: Vec<_> = parsed.comparisons().unwrap().into_iter().map(|(path, ..)| path).collect();
        assert_eq!(paths, ["a", "b", "c"]);
        for other in ["a eq 1 or b eq 2", "not a eq 1", "a in (1)", "a eq 1 and startsWith(b,'x')"] {
            assert!(parse(other).unwrap().comparisons().is_none(), "{other}");
        }
    }

    #[test]
    fn texts_functions_lists_and_lambdas_are_read() {
        for text in [
            "displayName eq 'O''Brien'",
            "startsWith(displayName,'A') and userType in ('Guest', 'Member')",
            "startswith(displayName, 'A') eq true",
            "identities/any(c:c/issuerAssignedId eq 'x' and c/issuer eq 'contoso.test')",
            "createdDateTime ge 2026-01-01T00:00:00Z",
            "id eq 72f988bf-86f1-41af-91ab-2d7cd011db47",
            "not(mail eq null)",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    fn bare(text: &str) -> Literal {
        Literal::Bare(text.to_owned())
    }

    fn quoted(text: &str) -> Literal {
        Literal::Text(text.to_owned())
    }

    fn is(path: &str, operator: Operator, value: Literal) -> Expr {
        Expr::Compare { path: path.to_owned(), operator, value }
    }

    fn call(function: &str, path: &str, text: &str) -> Expr {
        Expr::Call { function: function.to_owned(), path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn expressions_are_read_as_they_are_meant() {
        let guid = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        let any = |variable: &str, body: Option<Expr>| Expr::Any {
            path: "a".to_owned(),
            variable: variable.to_owned(),
            body: body.map(Box::new),
        };
        for (filter, expected) in [
            ("a eq 'O''Brien'", is("a", Operator::Eq, quoted("O'Brien"))),
            ("a ne ''", is("a", Operator::Ne, quoted(""))),
            ("a eq ''''", is("a", Operator::Eq, quoted("'"))),
            ("a eq null", is("a", Operator::Eq, Literal::Null)),
            ("a eq false", is("a", Operator::Eq, Literal::Bool(false))),
            ("a gt -1", is("a", Operator::Gt, bare("-1"))),
            ("a/b lt 1.5", is("a/b", Operator::Lt, bare("1.5"))),
            ("a/$count le 2", is("a/$count", Operator::Le, bare("2"))),
            ("a ge 2026-01-01T00:00:00+02:00", is("a", Operator::Ge, bare("2026-01-01T00:00:00+02:00"))),
            (&format!("id eq {guid}"), is("id", Operator::Eq, bare(guid))),
            ("startswith(a,'x')", call("startswith", "a", "x")),
            ("endsWith ( a/b , 'x' ) eq true", call("endswith", "a/b", "x")),
            ("a in ('x', null)", Expr::In { path: "a".to_owned(), values: vec![quoted("x"), Literal::Null] }),
            ("a/any()", any("", None)),
            ("a/any(x:x/b eq 'c')", any("x", Some(is("x/b", Operator::Eq, quoted("c"))))),
        ] {
            assert_eq!(parse(filter), Ok(expected), "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for filter in [
            "a",
            "a eq 1 2",
            "a EQ 1",
            "a eq (1)",
            "a in ()",
            "a in ('x'",
            "a in ('x',)",
            "not",
            "and a eq 1",
            "()",
            "startswith(a)",
            "startswith(a,b)",
            "startswith('x',a)",
            "startswith(a,'x') eq false",
            "a/all(x:x eq 'b')",
            "a/any(x)",
            "a/any(x:)",
            "a eq 'x'y'",
            "a = 1",
            "a eq \"x\"",
            "a;b",
        ] {
            assert!(parse(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn limits_hold_to_the_letter() {
        let nested = |depth: usize| format!("{}a eq 1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH)).is_ok() && parse(&nested(DEPTH + 1)).is_err());
        let negated = |depth: usize| format!("{}a eq 1", "not ".repeat(depth));
        assert!(parse(&negated(DEPTH)).is_ok() && parse(&negated(DEPTH + 1)).is_err());
        let lambdas = |depth: usize| format!("{}a eq 1{}", "a/any(x:".repeat(depth), ")".repeat(depth));
        assert!(parse(&lambdas(DEPTH)).is_ok() && parse(&lambdas(DEPTH + 1)).is_err());
        // Each comparison and each `or` between them is a node.
        let wide = |count: usize| vec!["a eq 1"; count].join(" or ");
        assert!(parse(&wide(NODES / 2)).is_ok() && parse(&wide(NODES / 2 + 1)).is_err());
        let list = |count: usize| format!("a in ({})", vec!["1"; count].join(","));
        assert!(parse(&list(NODES)).is_ok() && parse(&list(NODES + 1)).is_err());
    }

    /// Writes an expression with all its parentheses.
    fn write(expression: &Expr) -> String {
        let literal = |value: &Literal| match value {
            Literal::Bool(value) => value.to_string(),
            Literal::Null => "null".to_owned(),
            Literal::Bare(word) => word.clone(),
            Literal::Text(text) => format!("'{}'", text.replace('\'', "''")),
        };
        match expression {
            Expr::And(left, right) => format!("({}) and ({})", write(left), write(right)),
            Expr::Or(left, right) => format!("({}) or ({})", write(left), write(right)),
            Expr::Not(inner) => format!("not ({})", write(inner)),
            Expr::Any { path, body: None, .. } => format!("{path}/any()"),
            Expr::Any { path, variable, body: Some(body) } => {
                format!("{path}/any({variable}:{})", write(body))
            }
            Expr::Call { function, path, text } => format!("{function}({path},{})", literal(&quoted(text))),
            Expr::In { path, values } => {
                format!("{path} in ({})", values.iter().map(literal).collect::<Vec<_>>().join(","))
            }
            Expr::Compare { path, operator, value } => {
                format!("{path} {} {}", format!("{operator:?}").to_lowercase(), literal(value))
            }
        }
    }

    fn expressions() -> impl proptest::strategy::Strategy<Value = Expr> {
        use proptest::prelude::{Just, Strategy, any, prop_oneof};
        // No keyword begins with q.
        let path = || "q[a-z]{0,5}(/q[a-z]{1,5})?";
        let literal = || {
            prop_oneof![
                any::<bool>().prop_map(Literal::Bool),
                Just(Literal::Null),
                "[0-9][0-9a-f:.T+-]{0,12}".prop_map(Literal::Bare),
                "\\PC{0,12}".prop_map(Literal::Text),
            ]
        };
        use Operator::{Eq, Ge, Gt, Le, Lt, Ne};
        let operator = proptest::sample::select(vec![Eq, Ge, Gt, Le, Lt, Ne]);
        let leaf =
            prop_oneof![
                (path(), operator, literal()).prop_map(|(path, operator, value)| Expr::Compare {
                    path,
                    operator,
                    value
                }),
                (path(), proptest::collection::vec(literal(), 1..4))
                    .prop_map(|(path, values)| Expr::In { path, values }),
                ("(startswith|contains)", path(), "\\PC{0,12}")
                    .prop_map(|(function, path, text)| Expr::Call { function, path, text }),
                path().prop_map(|path| Expr::Any { path, variable: String::new(), body: None }),
            ];
        leaf.prop_recursive(6, 40, 2, move |inner| {
            let pair = (inner.clone(), inner.clone());
            prop_oneof![
                pair.clone().prop_map(|(left, right)| Expr::And(Box::new(left), Box::new(right))),
                pair.prop_map(|(left, right)| Expr::Or(Box::new(left), Box::new(right))),
                inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
                (path(), "q[a-z]{0,3}", inner).prop_map(|(path, variable, body)| Expr::Any {
                    path,
                    variable,
                    body: Some(Box::new(body)),
                }),
            ]
        })
    }

    #[test]
    fn errors_say_where() {
        for (text, position) in [
            ("a eq", 4),
            ("a xx 1", 2),
            ("(a eq 1", 7),
            ("a eq 'x", 5),
            ("a eq 1 b", 7),
            ("", 0),
            ("a eq 1 and", 10),
            // In bytes, whatever the letters.
            ("é eq 'é' é", 11),
            ("a in (1;2)", 7),
            ("startswith(a,'x') eq false", 21),
        ] {
            assert_eq!(parse(text).unwrap_err().position, position, "{text}");
        }
    }

    #[test]
    fn deep_and_wide_filters_are_refused() {
        assert!(parse(&format!("{}a eq 1{}", "(".repeat(100), ")".repeat(100))).is_err());
        assert!(parse(&vec!["a eq 1"; 600].join(" or ")).is_err());
        assert!(parse(&format!("a eq '{}'", "x".repeat(9000))).is_err());
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(expression in expressions()) {
            proptest::prop_assert_eq!(parse(&write(&expression)), Ok(expression));
        }

        #[test]
        fn no_text_breaks_the_parser(text in "[a-z'() ,:/0-9]{0,60}|\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
