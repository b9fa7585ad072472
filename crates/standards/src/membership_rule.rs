//! Rules of groups with dynamic membership: text to an untyped expression (Entra: "Manage rules for dynamic membership
//! groups"), with limits on length, depth and nodes. Names and types are checked by whoever compiles the rule.

/// Longest text in characters, deepest nesting, most nodes.
const LONGEST: usize = 3_072;
const DEPTH: usize = 32;
const NODES: usize = 1_000;
/// Regular expressions in one rule.
// DEFAULT: 16: they are made anew for every user who is written.
const PATTERNS: usize = 4;

/// An expression; chains are kept flat, so that only brackets nest.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    And(Vec<Expr>),
    Compare(Comparison),
    /// `user.property -any (…)` or `-all (…)`.
    Items {
        at: usize,
        property: String,
        is_all: bool,
        body: Box<Expr>,
    },
    Not(Box<Expr>),
    Or(Vec<Expr>),
}

/// `user.property -operator value`. Places are counted in characters from zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub at: usize,
    pub left: Left,
    pub operator: Operator,
    pub value: Value,
    pub value_at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Left {
    /// `_`: the item that `-any` or `-all` looks at.
    Item,
    /// Without `user.`.
    Property(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Contains,
    EndsWith,
    Eq,
    In,
    Match,
    Ne,
    NotContains,
    NotEndsWith,
    NotIn,
    NotMatch,
    NotStartsWith,
    StartsWith,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bool(bool),
    List(Vec<String>),
    Null,
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at position {position}.")]
pub struct SyntaxError {
    pub message: String,
    /// Counted in characters from zero.
    pub position: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Close,
    CloseList,
    Comma,
    Open,
    OpenList,
    Text(String),
    /// As it stands, with its hyphen.
    Word(String),
}

/// Reads a rule.
pub fn parse(text: &str) -> Result<Expr, SyntaxError> {
    let letters: Vec<char> = text.chars().take(LONGEST + 1).collect();
    if letters.len() > LONGEST {
        let message = format!("A rule has at most {LONGEST} characters; this one goes on");
        return Err(SyntaxError { message, position: LONGEST });
    }
    let tokens = lex(&letters)?;
    let mut parser =
        Parser { tokens: &tokens, at: 0, end: letters.len(), nodes: 0, patterns: 0, is_in_items: false };
    let expression = parser.or(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(expression),
        Some(_) => parser.fail("-and, -or or the end of the rule expected"),
    }
}

const fn is_hyphen(letter: char) -> bool {
    // COMPAT: the documentation's own examples have dashes that a text processor made, and people copy them.
    matches!(letter, '-' | '\u{2013}' | '\u{2014}')
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '.' | '$')
}

fn lex(letters: &[char]) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(letter) = letters.get(at).copied() {
        let position = at;
        at += 1;
        let token = match letter {
            letter if letter.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '[' => Token::OpenList,
            ']' => Token::CloseList,
            ',' => Token::Comma,
            '"' | '\'' => {
                let (text, end) = quoted(letters, at, letter).ok_or_else(|| SyntaxError {
                    message: format!("The text that begins here has no closing {letter}"),
                    position,
                })?;
                at = end;
                Token::Text(text)
            }
            letter if is_word(letter) || is_hyphen(letter) => {
                let mut word = String::from(if is_hyphen(letter) { '-' } else { letter });
                while let Some(next) = letters.get(at).copied().filter(|next| is_word(*next)) {
                    word.push(next);
                    at += 1;
                }
                Token::Word(word)
            }
            _ => {
                let message = format!("Syntax error: character '{}' is not valid", letter.escape_debug());
                return Err(SyntaxError { message, position });
            }
        };
        tokens.push((position, token));
    }
    Ok(tokens)
}

/// A text from behind its opening quote, and where it ends. A quote inside is doubled, or has a backtick before it.
fn quoted(letters: &[char], mut at: usize, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    loop {
        let letter = letters.get(at).copied()?;
        let next = letters.get(at + 1).copied();
        match (letter, next) {
            ('`', Some(escaped @ ('"' | '\'' | '`'))) => {
                text.push(escaped);
                at += 2;
            }
            (letter, Some(next)) if letter == quote && next == quote => {
                text.push(quote);
                at += 2;
            }
            (letter, _) if letter == quote => return Some((text, at + 1)),
            (letter, _) => {
                text.push(letter);
                at += 1;
            }
        }
    }
}

struct Parser<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    end: usize,
    nodes: usize,
    patterns: usize,
    is_in_items: bool,
}

impl Parser<'_> {
    fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(position, _)| *position)
    }

    fn fail<T>(&self, message: &str) -> Result<T, SyntaxError> {
        Err(SyntaxError { message: format!("Syntax error: {message}"), position: self.position() })
    }

    fn count(&mut self, depth: usize) -> Result<(), SyntaxError> {
        self.nodes += 1;
        if self.nodes > NODES || depth > DEPTH {
            return self.fail("the rule is too complex");
        }
        Ok(())
    }

    fn next(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    fn take(&mut self, wanted: &Token, message: &str) -> Result<(), SyntaxError> {
        if self.next() != Some(wanted) {
            return self.fail(message);
        }
        self.at += 1;
        Ok(())
    }

    /// The next word in lower case and without its hyphen, if it is one.
    fn keyword(&self) -> Option<String> {
        match self.next() {
            Some(Token::Word(word)) => Some(word.strip_prefix('-').unwrap_or(word).to_ascii_lowercase()),
            Some(_) | None => None,
        }
    }

    fn takes(&mut self, keyword: &str) -> bool {
        let is_next = self.keyword().is_some_and(|next| next == keyword);
        self.at += usize::from(is_next);
        is_next
    }

    fn or(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        let first = self.and(depth)?;
        let mut all = vec![first];
        while self.takes("or") {
            all.push(self.and(depth)?);
        }
        Ok(one_or(all, Expr::Or))
    }

    fn and(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        let first = self.unary(depth)?;
        let mut all = vec![first];
        while self.takes("and") {
            all.push(self.unary(depth)?);
        }
        Ok(one_or(all, Expr::And))
    }

    fn unary(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        self.count(depth)?;
        if self.takes("not") {
            return Ok(Expr::Not(Box::new(self.unary(depth + 1)?)));
        }
        if self.next() == Some(&Token::Open) {
            self.at += 1;
            let inner = self.or(depth + 1)?;
            self.take(&Token::Close, "')' expected")?;
            return Ok(inner);
        }
        self.comparison(depth)
    }

    fn left(&mut self) -> Result<Left, SyntaxError> {
        let Some(Token::Word(word)) = self.next() else {
            return self.fail("a property such as user.department, or '(', expected");
        };
        let name = word.to_ascii_lowercase();
        let left = match (name.split_once('.'), self.is_in_items) {
            (Some((_, "")), _) => return self.fail("the name of a property expected after the dot"),
            (Some(("user", "memberof")), _) => {
                return self.fail("rules about other groups (user.memberOf) are not supported here");
            }
            (Some(("user", _)), false) => {
                Left::Property(word.get("user.".len()..).unwrap_or_default().to_owned())
            }
            (None, true) if name == "_" => Left::Item,
            (_, true) => return self.fail("'_', which stands for one of the values, expected"),
            (Some(("device", _)), false) => return self.fail("rules for devices are not supported here"),
            (None, false) if name == "direct" => {
                return self.fail("rules about direct reports are not supported here");
            }
            (_, false) => return self.fail("a property such as user.department, or '(', expected"),
        };
        self.at += 1;
        Ok(left)
    }

    fn comparison(&mut self, depth: usize) -> Result<Expr, SyntaxError> {
        let at = self.position();
        let left = self.left()?;
        let Some(operator) = self.keyword() else { return self.fail("an operator such as -eq expected") };
        let operator = match operator.as_str() {
            "all" | "any" => return self.items(left, at, operator == "all", depth),
            "contains" => Operator::Contains,
            "endswith" => Operator::EndsWith,
            "eq" => Operator::Eq,
            "in" => Operator::In,
            "match" => Operator::Match,
            "ne" => Operator::Ne,
            "notcontains" => Operator::NotContains,
            "notendswith" => Operator::NotEndsWith,
            "notin" => Operator::NotIn,
            "notmatch" => Operator::NotMatch,
            "notstartswith" => Operator::NotStartsWith,
            "startswith" => Operator::StartsWith,
            _ => return self.fail("an operator such as -eq expected"),
        };
        if matches!(operator, Operator::Match | Operator::NotMatch) {
            self.patterns += 1;
            if self.patterns > PATTERNS {
                return self.fail("the rule has too many regular expressions");
            }
        }
        self.at += 1;
        let value_at = self.position();
        let value = self.value()?;
        Ok(Expr::Compare(Comparison { at, left, operator, value, value_at }))
    }

    fn items(&mut self, left: Left, at: usize, is_all: bool, depth: usize) -> Result<Expr, SyntaxError> {
        let Left::Property(property) = left else {
            return self.fail("an operator such as -eq expected");
        };
        self.at += 1;
        self.take(&Token::Open, "'(' expected")?;
        self.is_in_items = true;
        let body = Box::new(self.or(depth + 1)?);
        self.is_in_items = false;
        self.take(&Token::Close, "')' expected")?;
        Ok(Expr::Items { at, property, is_all, body })
    }

    fn value(&mut self) -> Result<Value, SyntaxError> {
        const MESSAGE: &str = "a text in quotes, true, false, null or a list such as [\"a\",\"b\"] expected";
        let value = match self.next() {
            Some(Token::OpenList) => {
                self.at += 1;
                return self.list();
            }
            Some(Token::Text(text)) => Value::Text(text.clone()),
            Some(Token::Word(word)) => {
                match word.strip_prefix('$').unwrap_or(word).to_ascii_lowercase().as_str() {
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    "true" => Value::Bool(true),
                    _ => return self.fail(MESSAGE),
                }
            }
            Some(_) | None => return self.fail(MESSAGE),
        };
        self.at += 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Value, SyntaxError> {
        let mut texts = Vec::new();
        loop {
            self.count(0)?;
            let Some(Token::Text(text)) = self.next() else { return self.fail("a text in quotes expected") };
            texts.push(text.clone());
            self.at += 1;
            match self.next() {
                Some(Token::Comma) => self.at += 1,
                Some(Token::CloseList) => {
                    self.at += 1;
                    return Ok(Value::List(texts));
                }
                Some(_) | None => return self.fail("',' or ']' expected"),
            }
        }
    }
}

/// The only expression, or all of them together.
fn one_or(mut all: Vec<Expr>, together: fn(Vec<Expr>) -> Expr) -> Expr {
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            all.extend(last);
            together(all)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(property: &str, operator: Operator, value: Value) -> Expr {
        match parse(&format!("user.{property} -eq null")).unwrap() {
            Expr::Compare(found) => {
                Expr::Compare(Comparison { operator, value, at: 0, value_at: 0, ..found })
            }
            other => panic!("{other:?}"),
        }
    }

    /// Without places.
    fn shape(expression: Expr) -> Expr {
        match expression {
            Expr::And(all) => Expr::And(all.into_iter().map(shape).collect()),
            Expr::Compare(found) => Expr::Compare(Comparison { at: 0, value_at: 0, ..found }),
            Expr::Items { property, is_all, body, .. } => {
                Expr::Items { at: 0, property, is_all, body: Box::new(shape(*body)) }
            }
            Expr::Not(inner) => Expr::Not(Box::new(shape(*inner))),
            Expr::Or(all) => Expr::Or(all.into_iter().map(shape).collect()),
        }
    }

    fn read(text: &str) -> Expr {
        shape(parse(text).unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn eq(property: &str, value: &str) -> Expr {
        compare(property, Operator::Eq, text(value))
    }

    #[test]
    fn the_examples_of_the_documentation_are_read() {
        for rule in [
            "user.department -eq \"Sales\"",
            "(user.department -eq \"Sales\") -or (user.department -eq \"Marketing\")",
            "(user.department -eq \"Sales\") -and -not (user.jobTitle -startsWith \"SDE\")",
            "user.department -in [\"50001\",\"50002\",\"50003\"]",
            "user.mail \u{2013}ne null",
            "user.accountEnabled -eq true",
            "user.mail -notEndsWith \"@Contoso.com\"",
            "user.otherMails -endsWith\"@contoso.com\"",
            "(user.proxyAddresses -any (_ -startsWith \"contoso\"))",
            "user.country \u{2013}eq \"US\" \u{2013}and (user.department \u{2013}eq \"Marketing\" \u{2013}or user.department \u{2013}eq \"Sales\")",
            "user.objectId -ne null",
            "(user.objectId -ne null) -and (user.userType -eq \"Member\")",
            "USER.department EQ 'Sales' AND NOT user.city eq $null",
            "user.displayName -match \"^Da.*\" -or user.mail -notMatch '\\.test$'",
        ] {
            read(rule);
        }
    }

    #[test]
    fn not_binds_closer_than_and_and_and_closer_than_or() {
        let not = Expr::Not(Box::new(eq("b", "2")));
        let expected = Expr::Or(vec![eq("a", "1"), Expr::And(vec![not, eq("c", "3")])]);
        assert_eq!(read("user.a -eq '1' -or -not user.b -eq '2' -and user.c -eq '3'"), expected);
        let bracketed = Expr::And(vec![Expr::Or(vec![eq("a", "1"), eq("b", "2")]), eq("c", "3")]);
        assert_eq!(read("(user.a -eq '1' -or user.b -eq '2') -and user.c -eq '3'"), bracketed);
        assert_eq!(read("((user.a -eq '1'))"), eq("a", "1"));
    }

    #[test]
    fn quotes_in_texts_are_doubled_or_have_a_backtick() {
        for (written, meant) in [
            ("'O''Brien'", "O'Brien"),
            ("\"O'Brien\"", "O'Brien"),
            ("\"the `\"best`\"\"", "the \"best\""),
            ("\"the \"\"best\"\"\"", "the \"best\""),
            ("'C:\\`x'", "C:\\`x"),
            ("\"``\"", "`"),
            ("''", ""),
            ("'null'", "null"),
        ] {
            assert_eq!(read(&format!("user.a -eq {written}")), eq("a", meant), "{written}");
        }
    }

    #[test]
    fn lists_and_quantifiers_are_read() {
        let list = Value::List(vec!["a".to_owned(), "b,]".to_owned()]);
        assert_eq!(read("user.a -notIn ['a', \"b,]\"]"), compare("a", Operator::NotIn, list));
        let Expr::Items { property, is_all: true, body, .. } =
            read("user.otherMails -all (_ -ne null -or _ -contains '@')")
        else {
            panic!()
        };
        assert_eq!(property, "otherMails");
        let Expr::Or(both) = *body else { panic!() };
        assert!(matches!(&both[..], [Expr::Compare(one), Expr::Compare(_)] if one.left == Left::Item));
    }

    #[test]
    fn errors_name_the_place_and_what_was_expected() {
        for (rule, position, message) in [
            ("", 0, "a property such as user.department"),
            ("user.department", 15, "an operator such as -eq"),
            ("user.department -eq", 19, "a text in quotes, true"),
            ("user.department -eq Sales", 20, "a text in quotes, true"),
            ("user.department -is 'Sales'", 16, "an operator such as -eq"),
            ("user.department -eq 'Sales", 20, "no closing '"),
            ("user. -eq 'a'", 0, "after the dot"),
            ("(user.a -eq 'b'", 15, "')' expected"),
            ("user.a -eq 'b')", 14, "-and, -or or the end"),
            ("user.a -eq 'b' user.c -eq 'd'", 15, "-and, -or or the end"),
            ("user.\u{e4} -eq 'b' -and department -eq 'c'", 20, "a property such as"),
            ("user.a -in []", 12, "a text in quotes"),
            ("user.a -in ['b' 'c']", 16, "',' or ']'"),
            ("user.a -in ['b'", 15, "',' or ']'"),
            ("user.a -matches '.*'", 7, "an operator such as -eq"),
            ("device.displayName -eq 'x'", 0, "rules for devices"),
            ("Direct Reports for \"62e19b97-8b3d-4d4a-a106-4ce66896a863\"", 0, "direct reports"),
            ("user.memberof -any (group.objectId -in ['x'])", 0, "user.memberOf"),
            ("user.a -any (group.objectId -in ['x'])", 13, "'_', which stands"),
            ("user.a -any (_ -any (_ -eq 'x'))", 15, "an operator such as -eq"),
            ("user.a -any _ -eq 'x'", 12, "'(' expected"),
            ("_ -eq 'x'", 0, "a property such as"),
            ("user.a -eq 'b' & user.c -eq 'd'", 15, "'&' is not valid"),
            ("user.a -eq \u{201c}b\u{201d}", 11, "is not valid"),
        ] {
            let error = parse(rule).unwrap_err();
            assert_eq!(error.position, position, "{rule}: {error}");
            assert!(error.message.contains(message), "{rule}: {error}");
        }
    }

    #[test]
    fn length_depth_and_nodes_are_limited() {
        let nested = |depth: usize| format!("{}user.a -eq 'b'{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(DEPTH)).is_ok());
        assert!(parse(&nested(DEPTH + 1)).unwrap_err().message.contains("too complex"));
        assert!(parse(&nested(1_500)).is_err());
        assert!(parse(&format!("{}user.a -eq 'b'", "-not ".repeat(600))).is_err());
        let padded = |length: usize| format!("user.a -eq '{}'", "\u{e4}".repeat(length - 13));
        assert!(parse(&padded(LONGEST)).is_ok(), "counted in characters");
        assert_eq!(parse(&padded(LONGEST + 1)).unwrap_err().position, LONGEST);
        let patterns = |many| vec!["user.a -match 'b'"; many].join(" -or ");
        assert!(parse(&patterns(PATTERNS)).is_ok());
        assert!(parse(&patterns(PATTERNS + 1)).unwrap_err().message.contains("too many regular"));
        let long = vec!["user.a -eq 'b'"; 150].join(" -or ");
        assert!(matches!(parse(&long).unwrap(), Expr::Or(all) if all.len() == 150));
    }
}
