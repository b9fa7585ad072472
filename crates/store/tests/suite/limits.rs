//! Counts that limits are compared with, against a naive count of everything after every step.

use super::builders::*;
use domain::directory::group::Group;
use domain::directory::user::ExternalState;
use domain::id::GroupId;
use domain::tenancy::limits::{Limits, Quarters};
use domain::time::{Span, Timestamp};
use std::collections::BTreeMap;
use store::{Chore, Person, Recorded, Store, TenantStore};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Here,
    Binned(Timestamp),
    /// For good at the first time, after it was binned at the second.
    Gone(Timestamp, Option<Timestamp>),
}

const DAYS_30: Span = Span::days(30);

impl State {
    /// What facts: limits §1 say.
    fn quarters(self, now: Timestamp) -> i64 {
        let lost = match self {
            Self::Here => return 4,
            Self::Binned(at) if now <= at + DAYS_30 => return 4,
            Self::Binned(at) => at + DAYS_30,
            Self::Gone(at, Some(binned)) if at > binned + DAYS_30 => binned + DAYS_30,
            Self::Gone(at, _) => at,
        };
        i64::from(now <= lost + DAYS_30)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Application,
    Group,
    ServicePrincipal,
    User,
}

#[derive(Clone, Copy, Debug)]
struct Object {
    kind: Kind,
    number: u128,
    creator: Option<Uuid>,
    state: State,
}

impl Object {
    async fn add(self, tenant: &TenantStore) {
        let number = self.number;
        let id = Uuid::from_u128(number);
        let added = put(tenant, move |tx| {
            let added = match self.kind {
                Kind::Application => tx.add_application(&application(number))?,
                Kind::Group => tx.add_group(&group(number))?,
                Kind::ServicePrincipal => {
                    tx.add_service_principal(&instance(number, application(30).app_id))?
                }
                Kind::User => tx.add_user(&member(number, &format!("{number}@contoso.test")), None)?,
            };
            if let Some(creator) = self.creator {
                tx.credit(id, creator)?;
            }
            Ok(added)
        });
        assert!(added.await);
    }

    async fn set_deleted(self, tenant: &TenantStore, deleted_at: Option<Timestamp>, now: Timestamp) {
        let number = self.number;
        put(tenant, move |tx| match self.kind {
            Kind::Application => {
                let app = domain::directory::application::Application { deleted_at, ..application(number) };
                tx.update_application(&app, now).map(|_| ())
            }
            Kind::Group => tx.update_group(&Group { deleted_at, ..group(number) }, now).map(|_| ()),
            Kind::ServicePrincipal => {
                let instance = domain::directory::application::ServicePrincipal {
                    deleted_at,
                    ..instance(number, application(30).app_id)
                };
                tx.update_service_principal(&instance, now).map(|is_alone| assert!(is_alone))
            }
            Kind::User => {
                let user = domain::directory::user::User {
                    deleted_at,
                    ..member(number, &format!("{number}@contoso.test"))
                };
                tx.update_user(&user, now).map(|_| ())
            }
        })
        .await;
    }

    async fn purge(self, tenant: &TenantStore, now: Timestamp) {
        let number = self.number;
        put(tenant, move |tx| match self.kind {
            Kind::Application => {
                tx.purge_application(&application(number), now).map(|gone| assert!(gone.is_empty()))
            }
            Kind::Group => tx.purge_group(GroupId::new(Uuid::from_u128(number)), now),
            Kind::ServicePrincipal => {
                let id = instance(number, application(30).app_id).id;
                let living = tx.find_service_principal(id)?;
                let row = living.or(tx.find_deleted_service_principal(id)?).unwrap();
                tx.purge_service_principal(&row, now)
            }
            Kind::User => tx.purge_user(user_id(number), now),
        })
        .await;
    }
}

fn assert_counts(tenant: &TenantStore, objects: &[Object], creators: &[Uuid], now: Timestamp, what: &str) {
    let sum = |of: Option<Uuid>| {
        let counted = objects.iter().filter(|object| of.is_none() || object.creator == of);
        Quarters(counted.map(|object| object.state.quarters(now)).sum())
    };
    for creator in creators {
        let room = tenant.read(|tx| tx.room(Some(*creator), now)).unwrap();
        assert_eq!((room.tenant, room.creator), (sum(None), sum(Some(*creator))), "{what}");
    }
}

async fn sweep(store: &Store, before: Timestamp) {
    while store.write(move |tx| Ok(Recorded::chore(Chore::Sweep, tx.sweep(before)?))).await.unwrap() > 0 {}
}

async fn objects_are_counted_as_if_all_were_looked_at(store: Store) {
    let tenant = contoso(&store).await;
    let creators = [Uuid::from_u128(0xA1), Uuid::from_u128(0xA2)];
    // The registration that instances are of.
    let mut objects = vec![Object { kind: Kind::Application, number: 30, creator: None, state: State::Here }];
    objects[0].add(&tenant).await;
    let (mut now, mut draw, mut next) = (NOW, 0x2026_u64, 1_000_u128);
    let mut random = move |below: u64| {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (draw >> 33) % below
    };
    let mut done = BTreeMap::<String, usize>::new();
    // There is one at most that is not deleted.
    let is_instance = |o: &Object| o.kind == Kind::ServicePrincipal && o.state == State::Here;
    for _ in 0..250 {
        let picked = 1 + usize::try_from(random(objects.len() as u64)).unwrap();
        let what = match (random(6), objects.get(picked).copied()) {
            (0, _) => {
                now = now + Span::days(i64::try_from(random(20)).unwrap()) + Span::millis(1);
                "time passes".to_owned()
            }
            (1, _) => {
                sweep(&store, now).await;
                "a sweep".to_owned()
            }
            (2, _) | (_, None) => {
                // A registration takes two ids.
                next += 10;
                let kind = match random(4) {
                    0 => Kind::Application,
                    1 => Kind::Group,
                    2 if !objects.iter().any(is_instance) => Kind::ServicePrincipal,
                    _ => Kind::User,
                };
                let creator = creators.get(usize::try_from(random(3)).unwrap()).copied();
                let object = Object { kind, number: next, creator, state: State::Here };
                object.add(&tenant).await;
                objects.push(object);
                format!("a new {kind:?}")
            }
            (_, Some(object)) => {
                let (kind, purges) = (object.kind, random(2) == 0);
                match object.state {
                    State::Here if purges => {
                        object.purge(&tenant, now).await;
                        objects[picked].state = State::Gone(now, None);
                    }
                    State::Here => {
                        object.set_deleted(&tenant, Some(now), now).await;
                        objects[picked].state = State::Binned(now);
                    }
                    State::Binned(_) if kind == Kind::ServicePrincipal && objects.iter().any(is_instance) => {
                    }
                    State::Binned(at) if !purges && now <= at + DAYS_30 => {
                        object.set_deleted(&tenant, None, now).await;
                        objects[picked].state = State::Here;
                    }
                    State::Binned(at) => {
                        object.purge(&tenant, now).await;
                        objects[picked].state = State::Gone(now, Some(at));
                    }
                    State::Gone(..) => {}
                }
                format!("{kind:?} {:?} to {:?}", object.state, objects[picked].state)
            }
        };
        *done.entry(what.split(['(', ' ']).next().unwrap().to_owned()).or_default() += 1;
        assert_counts(&tenant, &objects, &creators, now, &what);
    }
    assert_eq!(done.len(), 6, "{done:?}");
    // Whatever was deleted is forgotten in the end.
    assert_counts(&tenant, &objects, &creators, now + Span::days(1_000), "the end");
    sweep(&store, now + Span::days(1_000)).await;
    assert_counts(&tenant, &objects, &creators, now + Span::days(1_000), "the end, swept");
}

async fn a_refused_name_is_not_counted(store: Store) {
    let tenant = contoso(&store).await;
    assert!(put(&tenant, |tx| tx.add_user(&member(1, "ada@contoso.test"), None)).await);
    assert!(!put(&tenant, |tx| tx.add_user(&member(2, "ada@contoso.test"), None)).await);
    assert_eq!(tenant.read(|tx| tx.room(None, NOW)).unwrap().tenant, Quarters(4));
}

/// In how many directories Grace is, her home included.
fn directories(store: &Store, person: Person) -> i64 {
    store.read(|tx| tx.directories(person, &Limits::default())).unwrap().0
}

async fn a_person_is_counted_once_in_each_directory_where_a_guest_of_theirs_is(store: Store) {
    let (contoso, home) = (contoso(&store).await, fabrikam(&store).await);
    let grace = Person { home: home.id(), user: user_id(77) };
    let hank = Person { home: home.id(), user: user_id(78) };
    assert!(put(&home, |tx| tx.add_user(&member(77, "grace@fabrikam.test"), None)).await);
    assert!(put(&home, |tx| tx.add_user(&member(78, "hank@fabrikam.test"), None)).await);
    assert_eq!(directories(&store, grace), 1);

    // Invited: known by the address, wherever the home knows it; nobody without it.
    assert!(put(&contoso, |tx| tx.add_user(&guest(1, "grace@fabrikam.test"), Some(FABRIKAM))).await);
    assert!(put(&contoso, |tx| tx.add_user(&guest(2, "nobody@fabrikam.test"), Some(FABRIKAM))).await);
    assert_eq!((directories(&store, grace), directories(&store, hank)), (2, 1));

    // Redeemed by the same person: no change. By another: that one's.
    put(&contoso, |tx| tx.bind_identity(user_id(1), &identity("https://home.test", "grace"), NOW)).await;
    assert_eq!(directories(&store, grace), 2);
    let other = domain::directory::user::HomeIdentity {
        home_user: user_id(78),
        ..identity("https://home.test", "hank")
    };
    put(&contoso, move |tx| tx.bind_identity(user_id(2), &other, NOW)).await;
    assert_eq!((directories(&store, grace), directories(&store, hank)), (2, 2));

    // Deleted, restored, deleted and purged, and purged while there.
    let set = async |number: u128, address: &'static str, deleted_at: Option<Timestamp>| {
        let mut user = domain::directory::user::User { deleted_at, ..guest(number, address) };
        user.external.as_mut().unwrap().state = ExternalState::Accepted;
        put(&contoso, move |tx| tx.update_user(&user, LATER)).await;
    };
    set(1, "grace@fabrikam.test", Some(LATER)).await;
    assert_eq!(directories(&store, grace), 1);
    set(1, "grace@fabrikam.test", None).await;
    assert_eq!(directories(&store, grace), 2);
    set(1, "grace@fabrikam.test", Some(LATER)).await;
    put(&contoso, |tx| tx.purge_user(user_id(1), LATER)).await;
    assert_eq!(directories(&store, grace), 1);
    put(&contoso, |tx| tx.purge_user(user_id(2), LATER)).await;
    assert_eq!(directories(&store, hank), 1);
}

for_every_engine! {
    objects_are_counted_as_if_all_were_looked_at,
    a_refused_name_is_not_counted,
    a_person_is_counted_once_in_each_directory_where_a_guest_of_theirs_is,
}
