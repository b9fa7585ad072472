//! Groups with dynamic membership: after whatever was written, the members are those whom a naive reading of the rule takes
//! in, looking at everybody in turn.

use super::builders::*;
use domain::directory::group::{Dynamic, Group, Link, LinkedKind};
use domain::directory::membership_rule::MembershipRule;
use domain::directory::user::{User, UserType};
use domain::id::GroupId;
use std::collections::{BTreeMap, BTreeSet};
use store::{Chore, Recorded, Store, TenantStore, Within};
use uuid::Uuid;

const ROUNDS: usize = 250;
const USERS: u128 = 9;
const GROUPS: u128 = 4;
const WORDS: [&str; 5] = ["Sales", "sales west", "Straße", "O'Neil \"X\"", "west"];
const MAILS: [&str; 3] = ["ada@Home.test", "bob@home.test", "x@west.test"];

/// Chance that is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
    fn number(&mut self, from: u128, many: u128) -> u128 {
        from + self.roll(usize::try_from(many).unwrap()) as u128
    }
}

/// A rule with its own meaning, written down apart from the server's.
#[derive(Clone, Debug)]
enum Wish {
    And(Vec<Wish>),
    Enabled(bool),
    Everybody,
    Mails { is_all: bool, end: &'static str },
    Member,
    Not(Box<Wish>),
    Null(&'static str),
    Or(Vec<Wish>),
    Text { property: &'static str, operator: &'static str, value: &'static str },
    TextIn { property: &'static str, values: Vec<&'static str> },
}

impl Wish {
    fn random(dice: &mut Dice, depth: usize) -> Self {
        let property = dice.pick(&["department", "city", "displayName"]);
        if depth > 0 && dice.roll(3) > 0 {
            let some =
                |dice: &mut Dice| (0..2 + dice.roll(2)).map(|_| Self::random(dice, depth - 1)).collect();
            return match dice.roll(3) {
                0 => Self::And(some(dice)),
                1 => Self::Or(some(dice)),
                _ => Self::Not(Box::new(Self::random(dice, depth - 1))),
            };
        }
        match dice.roll(8) {
            0 => Self::Enabled(dice.roll(2) == 0),
            1 => Self::Everybody,
            2 => Self::Mails { is_all: dice.roll(2) == 0, end: dice.pick(&["@home.test", "WEST.test"]) },
            3 => Self::Member,
            4 => Self::Null(property),
            5 => Self::TextIn { property, values: vec![dice.pick(&WORDS), dice.pick(&WORDS)] },
            _ => {
                let operators = [
                    "eq",
                    "ne",
                    "startsWith",
                    "notStartsWith",
                    "endsWith",
                    "contains",
                    "notContains",
                    "match",
                    "notMatch",
                ];
                Self::Text { property, operator: dice.pick(&operators), value: dice.pick(&WORDS) }
            }
        }
    }

    fn text(&self) -> String {
        let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let joined = |all: &[Self], word: &str| {
            let parts: Vec<String> = all.iter().map(Self::text).collect();
            format!("({})", parts.join(word))
        };
        match self {
            Self::And(all) => joined(all, " -and "),
            Self::Enabled(is) => format!("user.accountEnabled -eq {is}"),
            Self::Everybody => "user.objectId -ne null".to_owned(),
            Self::Mails { is_all, end } => {
                let word = if *is_all { "all" } else { "any" };
                format!("user.otherMails -{word} (_ -endsWith {})", quoted(end))
            }
            Self::Member => "(user.userType -eq \"Member\")".to_owned(),
            Self::Not(inner) => format!("-not {}", inner.text()),
            Self::Null(property) => format!("user.{property} -eq null"),
            Self::Or(all) => joined(all, " OR "),
            Self::Text { property, operator, value } => {
                format!("user.{property} -{operator} {}", quoted(value))
            }
            Self::TextIn { property, values } => {
                let list: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                format!("user.{property} -in [{}]", list.join(", "))
            }
        }
    }

    fn takes(&self, user: &User) -> bool {
        let value = |property: &str| match property {
            "displayName" => Some(user.display_name.to_lowercase()),
            _ => user.profile.get(property).map(|text| text.to_lowercase()),
        };
        match self {
            Self::And(all) => all.iter().all(|wish| wish.takes(user)),
            Self::Enabled(is) => user.is_enabled == *is,
            Self::Everybody => true,
            Self::Mails { is_all, end } => {
                let fitting = user
                    .other_mails
                    .iter()
                    .filter(|mail| mail.to_lowercase().ends_with(&end.to_lowercase()))
                    .count();
                if *is_all { fitting == user.other_mails.len() } else { fitting > 0 }
            }
            Self::Member => user.user_type == UserType::Member,
            Self::Not(inner) => !inner.takes(user),
            Self::Null(property) => value(property).is_none(),
            Self::Or(all) => all.iter().any(|wish| wish.takes(user)),
            Self::Text { property, operator, value: wanted } => {
                let (found, wanted) = (value(property), wanted.to_lowercase());
                let is =
                    |test: fn(&str, &str) -> bool| found.as_deref().is_some_and(|found| test(found, &wanted));
                match *operator {
                    "eq" => is(|found, wanted| found == wanted),
                    "ne" => !is(|found, wanted| found == wanted),
                    "startsWith" => is(|found, wanted| found.starts_with(wanted)),
                    "notStartsWith" => !is(|found, wanted| found.starts_with(wanted)),
                    "endsWith" => is(|found, wanted| found.ends_with(wanted)),
                    // The words mean themselves as regular expressions.
                    "contains" | "match" => is(|found, wanted| found.contains(wanted)),
                    _ => !is(|found, wanted| found.contains(wanted)),
                }
            }
            Self::TextIn { property, values } => {
                let found = value(property);
                values.iter().any(|wanted| found.as_deref() == Some(wanted.to_lowercase().as_str()))
            }
        }
    }
}

fn group(number: u128, rule: Option<&str>) -> Group {
    Group {
        id: GroupId::new(Uuid::from_u128(number)),
        display_name: format!("Group {number}"),
        description: None,
        mail_nickname: format!("group{number}"),
        mail: None,
        is_security_enabled: true,
        is_unified: false,
        is_role_assignable: false,
        visibility: None,
        dynamic: rule.map(|rule| Dynamic { rule: rule.to_owned(), is_on: true }),
        created_at: NOW,
        deleted_at: None,
    }
}

fn members(tenant: &TenantStore, group: GroupId) -> BTreeSet<u128> {
    let within = Within::LinkedTo(group, Link::Member);
    let linked = tenant.read(|tx| tx.linked(&within, None, 10_000)).unwrap();
    linked.into_iter().map(|(_, id)| id.as_u128()).collect()
}

fn random_person(number: u128, dice: &mut Dice) -> User {
    let mut user = member(number, &format!("user-{number}@contoso.test"));
    change(&mut user, dice);
    change(&mut user, dice);
    user
}

/// Changes one property at random.
fn change(user: &mut User, dice: &mut Dice) {
    match dice.roll(6) {
        0 => user.display_name = dice.pick(&WORDS).to_owned(),
        1 => user.is_enabled = !user.is_enabled,
        2 => {
            user.user_type = if dice.roll(2) == 0 { UserType::Guest } else { UserType::Member };
        }
        3 => user.other_mails = (0..dice.roll(3)).map(|_| dice.pick(&MAILS).to_owned()).collect(),
        _ => {
            let property = dice.pick(&["department", "city"]).to_owned();
            match dice.roll(4) {
                0 => user.profile.remove(&property),
                _ => user.profile.insert(property, dice.pick(&WORDS).to_owned()),
            };
        }
    }
}

/// What there should be: users by number, and each group with its wish and its members, deleted users among them.
#[derive(Default)]
struct Expected {
    users: BTreeMap<u128, User>,
    groups: BTreeMap<u128, (Group, Wish, BTreeSet<u128>)>,
}

impl Expected {
    fn settle(&mut self) {
        for (group, wish, members) in self.groups.values_mut() {
            if group.living_rule().is_some() {
                *members = self
                    .users
                    .values()
                    .filter(|user| wish.takes(user))
                    .map(|user| user.id.uuid().as_u128())
                    .collect();
            }
            members.retain(|number| self.users.contains_key(number));
        }
    }
}

async fn membership_is_what_a_naive_reading_says_after_any_write(store: Store) {
    let tenant = contoso(&store).await;
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut expected = Expected::default();
    let (mut taken_in, mut next_user) = (0, 1_000);
    for round in 0..ROUNDS {
        let (number, at) = (dice.number(100, GROUPS), LATER);
        match dice.roll(8) {
            0 | 1 if (expected.users.len() as u128) < USERS => {
                next_user += 1;
                let user = random_person(next_user, &mut dice);
                expected.users.insert(next_user, user.clone());
                assert!(put(&tenant, move |tx| tx.add_user(&user, None)).await);
            }
            2..=4 => {
                let many = expected.users.len();
                let Some(user) =
                    (many > 0).then(|| dice.roll(many)).and_then(|at| expected.users.values_mut().nth(at))
                else {
                    continue;
                };
                match (dice.roll(6), user.deleted_at) {
                    (0, None) => user.deleted_at = Some(LATER),
                    (0 | 1, Some(_)) => user.deleted_at = None,
                    (2, Some(_)) => {
                        let id = user.id;
                        put(&tenant, move |tx| tx.purge_user(id, at)).await;
                        expected.users.remove(&id.uuid().as_u128());
                        expected.settle();
                        continue;
                    }
                    (_, None) => change(user, &mut dice),
                    (_, Some(_)) => {}
                }
                let user = user.clone();
                assert!(put(&tenant, move |tx| tx.update_user(&user, at)).await);
            }
            _ => match expected.groups.get_mut(&number) {
                None => {
                    let wish = Wish::random(&mut dice, 2);
                    let group = group(number, Some(&wish.text()));
                    expected.groups.insert(number, (group.clone(), wish, BTreeSet::new()));
                    assert!(put(&tenant, move |tx| tx.add_group(&group)).await);
                }
                Some((group, wish, _)) => {
                    match dice.roll(6) {
                        0 => group.deleted_at = group.deleted_at.is_none().then_some(LATER),
                        1 => {
                            let dynamic = group.dynamic.as_mut().unwrap();
                            dynamic.is_on = !dynamic.is_on;
                        }
                        _ => {
                            *wish = Wish::random(&mut dice, 2);
                            group.dynamic.as_mut().unwrap().rule = wish.text();
                        }
                    }
                    let group = group.clone();
                    assert!(put(&tenant, move |tx| tx.update_group(&group, at)).await);
                }
            },
        }
        expected.settle();
        for (group, wish, wanted) in expected.groups.values() {
            let living: BTreeSet<u128> = wanted
                .iter()
                .filter(|number| expected.users[*number].deleted_at.is_none())
                .copied()
                .collect();
            taken_in += living.len();
            assert_eq!(members(&tenant, group.id), living, "round {round}: {}", wish.text());
        }
    }
    assert!(taken_in > ROUNDS, "the rules take somebody in");
    assert!(tenant.read(|tx| tx.count_dynamic_groups()).unwrap() > 0);
}

async fn a_group_becomes_dynamic_and_assigned_again(store: Store) {
    let tenant = contoso(&store).await;
    let (plain, inner) = (group(10, None), group(11, None));
    let (by_hand, within) = (plain.clone(), inner.clone());
    put(&tenant, move |tx| {
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        tx.add_user(&member(2, "bob@contoso.test"), None)?;
        assert!(tx.add_group(&by_hand)? && tx.add_group(&within)?);
        tx.add_link(by_hand.id, Link::Member, LinkedKind::User, Uuid::from_u128(2), NOW)?;
        tx.add_link(by_hand.id, Link::Member, LinkedKind::Group, within.id.uuid(), NOW)?;
        tx.add_link(by_hand.id, Link::Owner, LinkedKind::User, Uuid::from_u128(2), NOW)
    })
    .await;
    assert_eq!(members(&tenant, plain.id), [2, 11].into());
    let dynamic = group(10, Some("user.displayName -startsWith 'ADA'"));
    put(&tenant, move |tx| tx.update_group(&dynamic, LATER)).await;
    assert_eq!(members(&tenant, plain.id), [1].into(), "whoever was there by hand goes, groups as well");
    assert!(tenant.read(|tx| tx.is_linked(plain.id, Link::Owner, Uuid::from_u128(2))).unwrap());
    let (id, assigned) = (plain.id, plain.clone());
    put(&tenant, move |tx| tx.update_group(&assigned, LATER)).await;
    let renamed = User { display_name: "Zoe".to_owned(), ..member(1, "ada@contoso.test") };
    put(&tenant, move |tx| tx.update_user(&renamed, LATER)).await;
    assert_eq!(members(&tenant, id), [1].into(), "the members stay, and no rule looks at them any more");
    put(&tenant, move |tx| {
        assert!(tx.update_group(&Group { deleted_at: Some(LATER), ..plain.clone() }, LATER)?);
        tx.purge_group(id, LATER)
    })
    .await;
    assert_eq!(tenant.read(|tx| tx.count_dynamic_groups()).unwrap(), 0);
}

/// More users than one write looks at.
const CROWD: u128 = 1_100;

async fn a_rule_goes_over_a_large_directory_in_steps_that_nothing_falls_between(store: Store) {
    let (tenant, elsewhere) = (contoso(&store).await, fabrikam(&store).await);
    put(&tenant, |tx| {
        for number in 1..=CROWD {
            let mut user = member(number, &format!("user-{number}@contoso.test"));
            user.profile.insert("city".to_owned(), if number % 2 == 0 { "Even" } else { "Odd" }.to_owned());
            assert!(tx.add_user(&user, None)?);
        }
        Ok(())
    })
    .await;
    put(&elsewhere, |tx| tx.add_user(&member(5_000, "eve@fabrikam.test"), None)).await;
    let id = GroupId::new(Uuid::from_u128(9_000));
    let rule = |text: &str| group(9_000, Some(text));
    let made = rule("user.city -eq 'Odd'");
    put(&tenant, move |tx| tx.add_group(&made)).await;
    let runs = || store.read(|tx| tx.rule_runs()).unwrap();
    assert_eq!(runs(), [(CONTOSO, id)], "the rest is left for the job");
    assert_eq!(members(&tenant, id).len(), 500);
    // Meanwhile everybody goes on: one who was passed, one who was not, and somebody new.
    let moved = |number: u128, city: &str| {
        let mut user = member(number, &format!("user-{number}@contoso.test"));
        user.profile.insert("city".to_owned(), city.to_owned());
        user
    };
    let (passed, ahead, new) = (moved(1, "Even"), moved(CROWD, "Odd"), moved(CROWD + 1, "Odd"));
    put(&tenant, move |tx| {
        assert!(tx.update_user(&passed, LATER)? && tx.update_user(&ahead, LATER)?);
        tx.add_user(&new, None)
    })
    .await;
    let step = || {
        let write = tenant.write(move |tx| {
            tx.continue_rule_run(id, LATER)?;
            Ok(Recorded::chore(Chore::Membership, ()))
        });
        async move { write.await.unwrap() }
    };
    step().await;
    assert!(runs().is_empty());
    let expected: BTreeSet<u128> = (2..=CROWD).filter(|n| n % 2 == 1).chain([CROWD, CROWD + 1]).collect();
    assert_eq!(members(&tenant, id), expected);
    step().await;
    assert_eq!(members(&tenant, id), expected, "a step too many does nothing");
    // A rule that changes on the way begins anew; a pause ends the run.
    for text in ["user.city -eq 'Even'", "user.objectId -ne null", "user.city -eq 'Nowhere'"] {
        let changed = rule(text);
        put(&tenant, move |tx| tx.update_group(&changed, LATER)).await;
        assert_eq!(runs().len(), 1);
    }
    step().await;
    assert!(runs().is_empty() && members(&tenant, id).is_empty());
    let everybody = rule("user.objectId -ne null");
    let paused = Group {
        dynamic: Some(Dynamic { is_on: false, rule: "user.objectId -ne null".to_owned() }),
        ..everybody.clone()
    };
    put(&tenant, move |tx| {
        assert!(tx.update_group(&everybody, LATER)?);
        tx.update_group(&paused, LATER)
    })
    .await;
    assert!(runs().is_empty());
    assert_eq!(members(&tenant, id).len(), 1_000, "as far as it had come");
}

#[test]
fn wishes_are_rules() {
    let mut dice = Dice(7);
    for _ in 0..500 {
        let text = Wish::random(&mut dice, 3).text();
        assert!(MembershipRule::parse(&text).is_ok(), "{text}");
    }
}

for_every_engine! {
    membership_is_what_a_naive_reading_says_after_any_write,
    a_group_becomes_dynamic_and_assigned_again,
    a_rule_goes_over_a_large_directory_in_steps_that_nothing_falls_between,
}
