//! Queries against a naive reading of them: the server, with its indexes, terms and pages, must answer as somebody would who
//! looks at every object in turn. `cargo xtask differential` runs more cases than the tests do.

use axum::body::Body;
use domain::directory::user::{User, UserType};
use domain::id::UserId;
use domain::time::{Span, Timestamp};
use http::Request;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use store::{Chore, Recorded};
use testkit::{BASE, CONTOSO, World};
use uuid::Uuid;

const OBJECTS: usize = 5_000;
const CASES: usize = 2_000;

const NAMES: [&str; 10] =
    ["Ada", "ada lovelace", "Änne Groß", "Bob-Smith", "O'Neil", "100% Bob", "HelpDesk2", "Zoë", "_x", "İpek"];
const WORDS: [&str; 8] = ["Sales", "sales west", "Engineering", "R&D", "Ops", "straße", "a", "A%"];
const MAILS: [&str; 4] = ["example.test", "contoso.test", "Fabrikam.test", "b.test"];
const TEXTS: [&str; 11] = [
    "displayName",
    "givenName",
    "surname",
    "mail",
    "userPrincipalName",
    "jobTitle",
    "department",
    "city",
    "mailNickname",
    "userType",
    "companyName",
];
const LISTS: [&str; 2] = ["otherMails", "businessPhones"];
const ORDERS: [&str; 3] = ["displayName", "userPrincipalName", "createdDateTime"];

/// Chance that is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
    fn is(&mut self, in_how_many: usize) -> bool {
        self.roll(in_how_many) == 0
    }
}

fn person(number: usize, dice: &mut Dice, start: Timestamp) -> User {
    let name = match dice.roll(3) {
        0 => dice.pick(&NAMES).to_owned(),
        1 => format!("{} {}", dice.pick(&NAMES), dice.pick(&WORDS)),
        _ => format!("{}{}", dice.pick(&NAMES), dice.roll(50)),
    };
    let mut profile = BTreeMap::new();
    for property in ["givenName", "surname", "jobTitle", "department", "city", "companyName"] {
        if !dice.is(3) {
            let list: &[&str] = if dice.is(2) { &NAMES } else { &WORDS };
            profile.insert(property.to_owned(), dice.pick(list).to_owned());
        }
    }
    let mail = |dice: &mut Dice| {
        format!("{}{}@{}", dice.pick(&["ann", "Bob", "c.d"]), dice.roll(40), dice.pick(&MAILS))
    };
    let other_mails = (0..dice.roll(3)).map(|_| mail(dice)).collect();
    User {
        id: UserId::new(Uuid::from_u128(0x5000_0000 + number as u128)),
        sign_in_name: format!("{}.{number}@contoso.test", dice.pick(&["Kim", "lee", "ZOE"])),
        display_name: name,
        user_type: if dice.is(4) { UserType::Guest } else { UserType::Member },
        is_enabled: !dice.is(3),
        mail: (!dice.is(3)).then(|| mail(dice)),
        mail_nickname: (!dice.is(4))
            .then(|| format!("{}{}", dice.pick(&["Nick", "nick", "n"]), dice.roll(9))),
        other_mails,
        proxy_addresses: Vec::new(),
        business_phones: (0..dice.roll(2)).map(|_| format!("+1 555 {}", dice.roll(20))).collect(),
        creation: None,
        external: None,
        identity: None,
        created_at: start + Span::seconds(dice.roll(2_000) as i64),
        deleted_at: None,
        is_shown_in_address_list: true,
        profile,
        sessions_valid_from: start,
        last_password_change_at: None,
    }
}

/// A filter with its own meaning, written down apart from the server's.
enum Filter {
    And(Box<Filter>, Box<Filter>),
    AnyList { list: &'static str, test: Option<(ListTest, String)> },
    Bool { is: bool, negated: bool },
    Count { list: &'static str, operator: &'static str, count: usize },
    Ids(Vec<String>),
    Not(Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Text { property: &'static str, operator: &'static str, value: Option<String> },
    TextIn { property: &'static str, values: Vec<String> },
    TextPart { property: &'static str, is_start: bool, part: String },
    Time { operator: &'static str, at: String },
}

#[derive(Clone, Copy)]
enum ListTest {
    Ends,
    Is,
    Starts,
}

const COMPARISONS: [&str; 6] = ["eq", "ne", "ge", "gt", "le", "lt"];

fn value_of(objects: &[Value], property: &str, dice: &mut Dice) -> String {
    let found = &objects[dice.roll(objects.len())][property];
    let text = match found {
        Value::Array(list) => list.first().and_then(Value::as_str).unwrap_or("x").to_owned(),
        other => other.as_str().unwrap_or("x").to_owned(),
    };
    // Case must not matter.
    if dice.is(3) { text.to_uppercase() } else { text }
}

fn part_of(objects: &[Value], property: &str, is_start: bool, dice: &mut Dice) -> String {
    let letters: Vec<char> = value_of(objects, property, dice).chars().collect();
    let length = dice.roll(letters.len().min(6) + 1);
    match is_start {
        true => letters[..length].iter().collect(),
        false => letters[letters.len() - length..].iter().collect(),
    }
}

fn filter(objects: &[Value], dice: &mut Dice, depth: usize) -> Filter {
    if depth < 3 && !dice.is(2) {
        let left = Box::new(filter(objects, dice, depth + 1));
        return match dice.roll(5) {
            0 | 1 => Filter::And(left, Box::new(filter(objects, dice, depth + 1))),
            2 | 3 => Filter::Or(left, Box::new(filter(objects, dice, depth + 1))),
            _ => Filter::Not(left),
        };
    }
    let property = dice.pick(&TEXTS);
    let list = dice.pick(&LISTS);
    match dice.roll(12) {
        0..=2 => {
            let operator = dice.pick(&COMPARISONS);
            let may_be_null = matches!(operator, "eq" | "ne") && dice.is(6);
            let value = (!may_be_null).then(|| value_of(objects, property, dice));
            Filter::Text { property, operator, value }
        }
        3 => {
            let values = (0..1 + dice.roll(3)).map(|_| value_of(objects, property, dice)).collect();
            Filter::TextIn { property, values }
        }
        4 | 5 => {
            let is_start = !dice.is(3);
            Filter::TextPart { property, is_start, part: part_of(objects, property, is_start, dice) }
        }
        6 => Filter::Bool { is: dice.is(2), negated: dice.is(3) },
        7 => Filter::Time {
            operator: dice.pick(&COMPARISONS),
            at: value_of(objects, "createdDateTime", dice).to_uppercase(),
        },
        8 => {
            Filter::Ids((0..1 + dice.roll(3)).map(|_| value_of(objects, "id", dice).to_lowercase()).collect())
        }
        9 => Filter::Count { list, operator: dice.pick(&COMPARISONS), count: dice.roll(3) },
        10 if dice.is(4) => Filter::AnyList { list, test: None },
        _ => {
            let (test, value) = match dice.roll(3) {
                0 => (ListTest::Is, value_of(objects, list, dice)),
                1 => (ListTest::Starts, part_of(objects, list, true, dice)),
                _ => (ListTest::Ends, part_of(objects, list, false, dice)),
            };
            Filter::AnyList { list, test: Some((test, value)) }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Filter {
    fn text(&self) -> String {
        match self {
            Self::And(left, right) => format!("({} and {})", left.text(), right.text()),
            Self::Or(left, right) => format!("({} or {})", left.text(), right.text()),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::AnyList { list, test: None } => format!("{list}/any()"),
            Self::AnyList { list, test: Some((ListTest::Is, value)) } => {
                format!("{list}/any(v:v eq {})", quoted(value))
            }
            Self::AnyList { list, test: Some((ListTest::Starts, value)) } => {
                format!("{list}/any(v:startsWith(v,{}))", quoted(value))
            }
            Self::AnyList { list, test: Some((ListTest::Ends, value)) } => {
                format!("{list}/any(v:endsWith(v,{}))", quoted(value))
            }
            Self::Bool { is, negated } => {
                format!("accountEnabled {} {is}", if *negated { "ne" } else { "eq" })
            }
            Self::Count { list, operator, count } => format!("{list}/$count {operator} {count}"),
            Self::Ids(ids) => {
                format!("id in ({})", ids.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(","))
            }
            Self::Text { property, operator, value } => {
                format!("{property} {operator} {}", value.as_deref().map_or("null".to_owned(), quoted))
            }
            Self::TextIn { property, values } => {
                let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                format!("{property} in ({})", values.join(","))
            }
            Self::TextPart { property, is_start, part } => {
                format!("{}({property},{})", if *is_start { "startsWith" } else { "endsWith" }, quoted(part))
            }
            Self::Time { operator, at } => format!("createdDateTime {operator} {at}"),
        }
    }

    fn fits(&self, object: &Value) -> bool {
        let texts = |name: &str| -> Vec<String> {
            let texts = object[name].as_array().into_iter().flatten();
            texts.filter_map(Value::as_str).map(str::to_lowercase).collect()
        };
        let text = |name: &str| object[name].as_str().map(str::to_lowercase);
        match self {
            Self::And(left, right) => left.fits(object) && right.fits(object),
            Self::Or(left, right) => left.fits(object) || right.fits(object),
            Self::Not(inner) => !inner.fits(object),
            Self::AnyList { list, test: None } => !texts(list).is_empty(),
            Self::AnyList { list, test: Some((test, value)) } => {
                let value = value.to_lowercase();
                texts(list).iter().any(|text| match test {
                    ListTest::Is => *text == value,
                    ListTest::Starts => text.starts_with(&value),
                    ListTest::Ends => text.ends_with(&value),
                })
            }
            Self::Bool { is, negated } => (object["accountEnabled"].as_bool() == Some(*is)) != *negated,
            Self::Count { list, operator, count } => compare(operator, &texts(list).len(), count),
            Self::Ids(ids) => ids.iter().any(|id| object["id"].as_str() == Some(id)),
            Self::Text { property, operator, value } => match (text(property), value, *operator) {
                (found, None, "eq") => found.is_none(),
                (found, None, _) => found.is_some(),
                (None, Some(_), operator) => operator == "ne",
                (Some(found), Some(value), operator) => compare(operator, &found, &value.to_lowercase()),
            },
            Self::TextIn { property, values } => {
                text(property).is_some_and(|found| values.iter().any(|value| value.to_lowercase() == found))
            }
            Self::TextPart { property, is_start, part } => text(property).is_some_and(|found| {
                let part = part.to_lowercase();
                if *is_start { found.starts_with(&part) } else { found.ends_with(&part) }
            }),
            Self::Time { operator, at } => {
                compare(operator, &object["createdDateTime"].as_str().unwrap(), &at.as_str())
            }
        }
    }
}

fn compare<T: Ord>(operator: &str, left: &T, right: &T) -> bool {
    match operator {
        "eq" => left == right,
        "ne" => left != right,
        "ge" => left >= right,
        "gt" => left > right,
        "le" => left <= right,
        _ => left < right,
    }
}

/// A clause of `$search`: words of the display name, or the beginning of another property.
struct Clause {
    property: &'static str,
    text: String,
}

impl Clause {
    fn new(objects: &[Value], dice: &mut Dice) -> Self {
        let property = dice.pick(&["displayName", "displayName", "mail", "surname", "otherMails"]);
        let text = part_of(objects, property, true, dice).replace(['"', '\\'], "");
        let text = if text.trim().is_empty() { "a".to_owned() } else { text.trim().to_owned() };
        Self { property, text }
    }

    fn fits(&self, object: &Value) -> bool {
        let text = self.text.to_lowercase();
        match &object[self.property] {
            Value::Array(list) => {
                list.iter().filter_map(Value::as_str).any(|value| value.to_lowercase().starts_with(&text))
            }
            Value::String(value) if self.property == "displayName" => {
                let (found, wanted) = (words(value), words(&self.text));
                !wanted.is_empty()
                    && wanted.iter().all(|word| found.iter().any(|known| known.starts_with(word)))
            }
            Value::String(value) => value.to_lowercase().starts_with(&text),
            _ => false,
        }
    }
}

/// Words as the documentation of `$search` cuts them, letter by letter.
fn words(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let last = at.checked_sub(1).map(|at| letters[at]);
        let begins = last.is_some_and(|last| {
            letter.is_numeric() != last.is_numeric() || letter.is_uppercase() && last.is_lowercase()
        });
        if !letter.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

async fn ask(world: &World, token: &str, path: &str) -> Value {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {token}"))
        .header("consistencylevel", "eventual")
        .body(Body::empty())
        .unwrap();
    let answer = world.send(request).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

/// All pages of a listing: the objects' ids in order, and the count of the first page.
async fn walk(world: &World, token: &str, path: &str) -> (Vec<String>, i64) {
    let mut page = ask(world, token, path).await;
    let count = page["@odata.count"].as_i64().unwrap();
    let mut ids = Vec::new();
    loop {
        let value = page["value"].as_array().unwrap();
        ids.extend(value.iter().map(|object| object["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["@odata.nextLink"].as_str() else { return (ids, count) };
        page = ask(world, token, next.strip_prefix(BASE).unwrap()).await;
    }
}

fn address(parts: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parts);
    format!("/v1.0/users?{}", query.finish())
}

#[tokio::test]
async fn every_query_is_answered_as_a_look_at_each_object_would() {
    let world = World::new().await;
    let token = world.daemon_token(CONTOSO).await;
    let (mut dice, start) = (Dice(0x2545_F491_4F6C_DD1D), world.moment().now);
    let people: Vec<User> = (0..OBJECTS).map(|number| person(number, &mut dice, start)).collect();
    let write = move |tx: &store::WriteTx<'_>| {
        for person in &people {
            assert!(tx.add_user(person, None)?);
        }
        Ok(Recorded::chore(Chore::Sweep, ()))
    };
    world.service.store().tenant(world.tenant_id(CONTOSO)).write(write).await.unwrap();

    let select = "id,displayName,givenName,surname,mail,userPrincipalName,jobTitle,department,city,mailNickname,userType,\
        companyName,accountEnabled,createdDateTime,otherMails,businessPhones";
    let (mut objects, mut path) = (Vec::new(), address(&[("$select", select), ("$top", "999")]));
    loop {
        let page = ask(&world, &token, &path).await;
        objects.extend(page["value"].as_array().unwrap().iter().cloned());
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        path = next.strip_prefix(BASE).unwrap().to_owned();
    }
    assert!(objects.len() > OBJECTS);

    let cases = option_env!("HOSPES_DIFFERENTIAL").map_or(CASES, |text| text.parse().unwrap());
    let mut hits = 0;
    for case in 0..cases {
        let filter = (!dice.is(6)).then(|| filter(&objects, &mut dice, 0));
        let clauses: Vec<Clause> = match dice.is(4) || filter.is_none() {
            true => (0..1 + dice.roll(2)).map(|_| Clause::new(&objects, &mut dice)).collect(),
            false => Vec::new(),
        };
        let joint = if dice.is(2) { "AND" } else { "OR" };
        let order = dice.is(2).then(|| (dice.pick(&ORDERS), dice.is(2)));
        let is_searched = |object: &Value| match (clauses.is_empty(), joint) {
            (true, _) => true,
            (false, "AND") => clauses.iter().all(|clause| clause.fits(object)),
            (false, _) => clauses.iter().any(|clause| clause.fits(object)),
        };
        let mut expected: Vec<(usize, &Value)> = objects
            .iter()
            .enumerate()
            .filter(|(_, object)| {
                filter.as_ref().is_none_or(|filter| filter.fits(object)) && is_searched(object)
            })
            .collect();
        if let Some((property, is_descending)) = order {
            let key = |object: &Value| object[property].as_str().unwrap().to_lowercase();
            expected.sort_by_cached_key(|(row, object)| (key(object), *row));
            if is_descending {
                expected.reverse();
            }
        }
        hits += usize::from(!expected.is_empty());
        let top = (expected.len() / (1 + dice.roll(3)) + 1).min(999).to_string();
        let mut parts = vec![("$count", "true".to_owned()), ("$select", "id".to_owned()), ("$top", top)];
        if let Some(filter) = &filter {
            parts.push(("$filter", filter.text()));
        }
        if !clauses.is_empty() {
            let mut search = String::new();
            for (at, Clause { property, text }) in clauses.iter().enumerate() {
                let joint = if at > 0 { format!(" {joint} ") } else { String::new() };
                write!(search, "{joint}\"{property}:{text}\"").unwrap();
            }
            parts.push(("$search", search));
        }
        if let Some((property, is_descending)) = order {
            parts.push(("$orderby", format!("{property}{}", if is_descending { " desc" } else { "" })));
        }
        let shown: Vec<(&str, &str)> = parts.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (mut found, count) = walk(&world, &token, &address(&shown)).await;
        let mut wanted: Vec<String> =
            expected.iter().map(|(_, object)| object["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(usize::try_from(count).unwrap(), wanted.len(), "case {case}: {parts:?}");
        if order.is_none() {
            // Nobody asked for an order; that pages leave none out and show none twice is what counts.
            found.sort();
            wanted.sort();
        }
        assert_eq!(found, wanted, "case {case}: {parts:?}");
    }
    assert!(hits > cases / 2, "most queries should find something: {hits} of {cases}");
}
