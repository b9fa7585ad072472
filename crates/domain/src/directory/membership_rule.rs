//! Who is in a group with dynamic membership: a rule, checked against what users have, and whether a user fits it
//! (Entra: "Manage rules for dynamic membership groups"). Texts are compared without case.

use crate::directory::property::{Kind, Property, Source, USER};
use crate::directory::user::User;
use standards::membership_rule::{self as syntax, Comparison, Expr, Left, Operator, Value};
use standards::pattern::Pattern;
use std::collections::BTreeSet;

/// Properties that Entra's rules call otherwise than Graph does.
const NAMES: [(&str, &str); 5] = [
    ("facsimileTelephoneNumber", "faxNumber"),
    ("mobile", "mobilePhone"),
    ("objectId", "id"),
    ("physicalDeliveryOfficeName", "officeLocation"),
    ("telephoneNumber", "businessPhones"),
];

/// A rule that can be asked.
#[derive(Clone, Debug)]
pub struct MembershipRule {
    root: Node,
    reads: BTreeSet<&'static str>,
    has_patterns: bool,
}

/// What is wrong with a rule, and where: counted in characters from zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    pub position: usize,
    pub problem: String,
}

#[derive(Clone, Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Flag {
        source: Source,
        is: bool,
    },
    /// One of the values, or each of them, passes.
    Items {
        property: &'static Property,
        is_all: bool,
        body: Item,
    },
    Not(Box<Node>),
    /// One of the values passes.
    Text {
        property: &'static Property,
        test: Test,
    },
}

/// What is asked of one value.
#[derive(Clone, Debug)]
enum Item {
    All(Vec<Item>),
    Any(Vec<Item>),
    Not(Box<Item>),
    Test(Test),
}

/// Texts are folded.
#[derive(Clone, Debug)]
enum Test {
    Contains(String),
    EndsWith(String),
    Equals(String),
    In(BTreeSet<String>),
    /// The only test of the text as it stands; the expression is folded itself.
    Match(Pattern),
    /// There is no value.
    Null,
    StartsWith(String),
}

impl MembershipRule {
    /// Reads a rule, and checks it against the properties of users.
    pub fn parse(text: &str) -> Result<Self, RuleProblem> {
        let expression = syntax::parse(text)
            .map_err(|error| RuleProblem { position: error.position, problem: error.message })?;
        let mut reads = BTreeSet::new();
        let root = node(&expression, &mut reads)?;
        Ok(Self { root, reads, has_patterns: has_patterns(&expression) })
    }

    /// Whether the rule has regular expressions, which take longer than other tests.
    pub const fn has_patterns(&self) -> bool {
        self.has_patterns
    }

    /// Graph's names of the properties that the rule looks at.
    pub fn reads(&self) -> impl Iterator<Item = &'static str> {
        self.reads.iter().copied()
    }

    /// Whether a user fits.
    pub fn matches(&self, user: &User) -> bool {
        self.root.holds(user)
    }
}

fn has_patterns(expression: &Expr) -> bool {
    match expression {
        Expr::And(all) | Expr::Or(all) => all.iter().any(has_patterns),
        Expr::Compare(comparison) => matches!(comparison.operator, Operator::Match | Operator::NotMatch),
        Expr::Items { body, .. } => has_patterns(body),
        Expr::Not(inner) => has_patterns(inner),
    }
}

impl Node {
    fn holds(&self, user: &User) -> bool {
        match self {
            Self::All(all) => all.iter().all(|node| node.holds(user)),
            Self::Any(all) => all.iter().any(|node| node.holds(user)),
            Self::Flag { source, is } => user.flag(*source) == *is,
            Self::Items { property, is_all: true, body } => {
                user.texts(property).iter().all(|value| body.holds(value))
            }
            Self::Items { property, is_all: false, body } => {
                user.texts(property).iter().any(|value| body.holds(value))
            }
            Self::Not(inner) => !inner.holds(user),
            Self::Text { property, test: Test::Null } => user.texts(property).is_empty(),
            Self::Text { property, test } => user.texts(property).iter().any(|value| test.passes(value)),
        }
    }
}

impl Item {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::All(all) => all.iter().all(|item| item.holds(value)),
            Self::Any(all) => all.iter().any(|item| item.holds(value)),
            Self::Not(inner) => !inner.holds(value),
            Self::Test(test) => test.passes(value),
        }
    }
}

impl Test {
    fn passes(&self, value: &str) -> bool {
        let folded = || value.to_lowercase();
        match self {
            Self::Contains(part) => folded().contains(part),
            Self::EndsWith(part) => folded().ends_with(part),
            Self::Equals(text) => folded() == *text,
            Self::In(texts) => texts.contains(&folded()),
            Self::Match(pattern) => pattern.fits(value),
            Self::Null => false,
            Self::StartsWith(part) => folded().starts_with(part),
        }
    }
}

fn problem<T>(position: usize, problem: impl Into<String>) -> Result<T, RuleProblem> {
    Err(RuleProblem { position, problem: problem.into() })
}

/// The property that a rule names; those that users here do not have, or that are no text and no flag, are refused.
fn property(name: &str, at: usize) -> Result<&'static Property, RuleProblem> {
    let name_here = NAMES.iter().find(|(entra, _)| entra.eq_ignore_ascii_case(name)).map(|(_, graph)| *graph);
    let shown: String = name.chars().take(64).collect();
    match USER.find(name_here.unwrap_or(name)) {
        Some(found) => match found.kind {
            Kind::Bool | Kind::Id | Kind::Text | Kind::Texts => Ok(found),
            Kind::Identities | Kind::Time => problem(at, format!("Rules cannot ask about user.{shown}")),
        },
        None => problem(at, format!("Users have no property '{shown}' here that a rule could ask about")),
    }
}

fn node(expression: &Expr, reads: &mut BTreeSet<&'static str>) -> Result<Node, RuleProblem> {
    let each = |all: &[Expr], reads: &mut BTreeSet<&'static str>| {
        all.iter().map(|one| node(one, reads)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match expression {
        Expr::And(all) => Node::All(each(all, reads)?),
        Expr::Compare(comparison) => compared(comparison, reads)?,
        Expr::Items { at, property: name, is_all, body } => {
            let property = property(name, *at)?;
            if property.kind != Kind::Texts {
                return problem(*at, format!("'{name}' has one value; -any and -all are for lists"));
            }
            reads.insert(property.name);
            Node::Items { property, is_all: *is_all, body: item(body)? }
        }
        Expr::Not(inner) => Node::Not(Box::new(node(inner, reads)?)),
        Expr::Or(all) => Node::Any(each(all, reads)?),
    })
}

fn compared(comparison: &Comparison, reads: &mut BTreeSet<&'static str>) -> Result<Node, RuleProblem> {
    let Left::Property(name) = &comparison.left else {
        return problem(comparison.at, "'_' stands for a value inside -any and -all only");
    };
    let property = property(name, comparison.at)?;
    reads.insert(property.name);
    let (found, is_negated) = if property.kind == Kind::Bool {
        let is_negated = match comparison.operator {
            Operator::Eq => false,
            Operator::Ne => true,
            Operator::Contains
            | Operator::EndsWith
            | Operator::In
            | Operator::Match
            | Operator::NotContains
            | Operator::NotEndsWith
            | Operator::NotIn
            | Operator::NotMatch
            | Operator::NotStartsWith
            | Operator::StartsWith => {
                return problem(comparison.at, format!("'{name}' is compared with -eq and -ne only"));
            }
        };
        let is = match &comparison.value {
            Value::Bool(is) => *is,
            Value::Text(text) if text.eq_ignore_ascii_case("true") => true,
            Value::Text(text) if text.eq_ignore_ascii_case("false") => false,
            Value::List(_) | Value::Null | Value::Text(_) => {
                return problem(comparison.value_at, "true or false expected");
            }
        };
        (Node::Flag { source: property.source, is }, is_negated)
    } else {
        let (test, is_negated) = test(comparison)?;
        (Node::Text { property, test }, is_negated)
    };
    // Also of lists: "not contains" says of all values what "contains" says of one.
    Ok(if is_negated { Node::Not(Box::new(found)) } else { found })
}

fn item(expression: &Expr) -> Result<Item, RuleProblem> {
    Ok(match expression {
        Expr::And(all) => Item::All(all.iter().map(item).collect::<Result<_, _>>()?),
        Expr::Compare(comparison) => {
            let (test, is_negated) = test(comparison)?;
            if is_negated { Item::Not(Box::new(Item::Test(test))) } else { Item::Test(test) }
        }
        Expr::Items { at, .. } => return problem(*at, "-any and -all do not nest"),
        Expr::Not(inner) => Item::Not(Box::new(item(inner)?)),
        Expr::Or(all) => Item::Any(all.iter().map(item).collect::<Result<_, _>>()?),
    })
}

/// What a comparison asks, and whether it asks for the opposite.
fn test(comparison: &Comparison) -> Result<(Test, bool), RuleProblem> {
    let text = || match &comparison.value {
        Value::Text(text) => Ok(text.to_lowercase()),
        Value::Bool(_) | Value::List(_) | Value::Null => {
            problem(comparison.value_at, "a text in quotes expected")
        }
    };
    let texts = || match &comparison.value {
        Value::List(texts) => Ok(texts.iter().map(|text| text.to_lowercase()).collect()),
        Value::Bool(_) | Value::Null | Value::Text(_) => {
            problem(comparison.value_at, "a list such as [\"a\",\"b\"] expected")
        }
    };
    let pattern = || match &comparison.value {
        Value::Text(text) => match Pattern::parse(text) {
            Ok(pattern) => Ok(Test::Match(pattern)),
            Err(text) => problem(comparison.value_at, text),
        },
        Value::Bool(_) | Value::List(_) | Value::Null => {
            problem(comparison.value_at, "a regular expression in quotes expected")
        }
    };
    let equals = || match &comparison.value {
        Value::Null => Ok(Test::Null),
        Value::Bool(_) | Value::List(_) | Value::Text(_) => text().map(Test::Equals),
    };
    Ok(match comparison.operator {
        Operator::Contains => (Test::Contains(text()?), false),
        Operator::EndsWith => (Test::EndsWith(text()?), false),
        Operator::Eq => (equals()?, false),
        Operator::In => (Test::In(texts()?), false),
        Operator::Match => (pattern()?, false),
        Operator::Ne => (equals()?, true),
        Operator::NotContains => (Test::Contains(text()?), true),
        Operator::NotEndsWith => (Test::EndsWith(text()?), true),
        Operator::NotIn => (Test::In(texts()?), true),
        Operator::NotMatch => (pattern()?, true),
        Operator::NotStartsWith => (Test::StartsWith(text()?), true),
        Operator::StartsWith => (Test::StartsWith(text()?), false),
    })
}
