//! The change log as delta queries read it: each object once, by the last that happened to it, and links as they are.

use super::builders::*;
use domain::directory::delta::{Happened, LOG_KEPT, Tracked};
use domain::directory::group::{Link, LinkedKind};
use domain::directory::user::User;
use domain::time::{Span as Time, Timestamp};
use store::{Chore, Recorded, Span, Store, TenantStore};
use uuid::Uuid;

fn last(tenant: &TenantStore) -> i64 {
    tenant.read(|tx| tx.log_bounds()).unwrap().last
}

async fn trim(store: &Store, before: Timestamp) -> usize {
    store.write(move |tx| Ok(Recorded::chore(Chore::Sweep, tx.sweep(before)?))).await.unwrap()
}

/// Ids of the users that the log names in a span.
fn named(tenant: &TenantStore, span: Span, ids: Option<&[Uuid]>, limit: u32) -> Vec<u128> {
    let found = tenant.read(|tx| tx.changed_after(Tracked::Users, ids, span, limit)).unwrap();
    found.into_iter().map(|(_, id)| id.as_u128()).collect()
}

async fn objects_are_named_once_in_the_order_of_their_last_change(store: Store) {
    let tenant = contoso(&store).await;
    let elsewhere = fabrikam(&store).await;
    let since = last(&tenant);
    for number in 1..=3 {
        put(&tenant, move |tx| tx.add_user(&member(number, &format!("m{number}@contoso.test")), None)).await;
    }
    put(&elsewhere, |tx| tx.add_user(&member(9, "m9@fabrikam.test"), None)).await;
    let middle = last(&tenant);
    let renamed = User { display_name: "Renamed".to_owned(), ..member(1, "m1@contoso.test") };
    put(&tenant, move |tx| tx.update_user(&renamed, LATER)).await;
    let until = last(&tenant);
    let span = Span { since, until };
    assert_eq!(named(&tenant, span, None, 10), [2, 3, 1]);
    assert_eq!(named(&tenant, span, None, 2), [2, 3]);
    assert_eq!(named(&tenant, Span { since, until: middle }, None, 10), [1, 2, 3], "as it was then");
    assert_eq!(named(&tenant, span, Some(&[Uuid::from_u128(1), Uuid::from_u128(9)]), 10), [1]);
    assert_eq!(named(&tenant, span, Some(&[]), 10), Vec::<u128>::new());
    let happened = tenant.read(|tx| tx.happened(&[Uuid::from_u128(1)], span)).unwrap();
    let what: Vec<Happened> = happened.into_iter().map(|(_, what)| what).collect();
    assert!(what.contains(&Happened::Appeared) && what.len() == 2, "{what:?}");
    assert!(what.contains(&Happened::Changed(Some(vec!["displayName".to_owned()]))), "{what:?}");
}

async fn links_are_told_as_they_are_now(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.add_group(&group(50))).await;
    for number in 1..=3 {
        put(&tenant, move |tx| tx.add_user(&member(number, &format!("m{number}@contoso.test")), None)).await;
        put(&tenant, move |tx| {
            tx.add_link(group(50).id, Link::Member, LinkedKind::User, Uuid::from_u128(number), NOW)
        })
        .await;
    }
    let since = last(&tenant);
    put(&tenant, |tx| tx.remove_link(group(50).id, Link::Member, Uuid::from_u128(2), LATER)).await;
    let gone = User { deleted_at: Some(LATER), ..member(3, "m3@contoso.test") };
    put(&tenant, move |tx| tx.update_user(&gone, LATER)).await;
    let span = Span { since, until: last(&tenant) };
    let states = |is_whole: bool, after: u128, limit: u32| {
        let (group, after) = (Uuid::from_u128(50), Uuid::from_u128(after));
        let found = tenant.read(|tx| tx.link_states(group, Link::Member, span, is_whole, after, limit));
        let state = |state: store::LinkState| (state.object.as_u128(), state.is_linked);
        found.unwrap().into_iter().map(state).collect::<Vec<_>>()
    };
    assert_eq!(states(false, 0, 10), [(2, false), (3, false)]);
    assert_eq!(states(true, 0, 10), [(1, true), (2, false), (3, false)]);
    assert_eq!(states(true, 0, 1), [(1, true)]);
    assert_eq!(states(true, 2, 10), [(3, false)]);
}

async fn a_trimmed_log_says_so_and_gives_no_number_twice(store: Store) {
    let tenant = contoso(&store).await;
    for number in 1..=3 {
        put(&tenant, move |tx| tx.add_user(&member(number, &format!("m{number}@contoso.test")), None)).await;
    }
    let before = tenant.read(|tx| tx.log_bounds()).unwrap();
    assert_eq!(trim(&store, NOW + LOG_KEPT).await, 0, "what is as old as that is kept");
    assert!(trim(&store, NOW + LOG_KEPT + Time::millis(1)).await > 0);
    let after = tenant.read(|tx| tx.log_bounds()).unwrap();
    assert_eq!((after.last, after.trimmed), (before.last, before.last - 1));
    put(&tenant, |tx| tx.add_user(&member(4, "m4@contoso.test"), None)).await;
    assert_eq!(last(&tenant), before.last + 1);
}

for_every_engine! {
    objects_are_named_once_in_the_order_of_their_last_change,
    links_are_told_as_they_are_now,
    a_trimmed_log_says_so_and_gives_no_number_twice,
}
