//! Sweeping saves space and decides nothing (R04): what still counts stays, what was void long ago goes.

use super::builders::*;
use super::everything::{self, BROWSER, CODE, DEVICE, GRANT, PARTNER_CODE, REFRESH, SESSION, VISIT};
use domain::id::GrantId;
use domain::time::{Span, Timestamp};
use store::{Chore, Recorded, Store, TenantStore};
use uuid::Uuid;

/// Sweeps until nothing is left to; answers how many rows went.
async fn sweep(store: &Store, before: Timestamp) -> usize {
    let mut removed = 0;
    loop {
        let step = store.write(move |tx| Ok(Recorded::chore(Chore::Sweep, tx.sweep(before)?))).await.unwrap();
        removed += step;
        if step == 0 {
            return removed;
        }
    }
}

async fn filled(store: &Store) -> TenantStore {
    let tenant = contoso(store).await;
    everything::fill(&tenant).await;
    tenant
}

async fn r04_what_still_counts_is_not_swept(store: Store) {
    let tenant = filled(&store).await;
    assert_eq!(sweep(&store, NOW).await, 0);
    everything::assert_all_found(&tenant, true);
}

async fn r04_codes_and_visits_go_after_their_end_and_sessions_stay(store: Store) {
    let tenant = filled(&store).await;
    let removed = sweep(&store, NOW + Span::days(1)).await;
    assert!(removed >= 4, "{removed}");
    let (gone, kept) = tenant
        .read(|tx| {
            let gone = [
                tx.find_code(hash(CODE))?.is_some(),
                tx.find_device_code(hash(DEVICE))?.is_some(),
                tx.find_partner_code(hash(PARTNER_CODE))?.is_some(),
                tx.find_home_visit(hash(VISIT), hash(BROWSER), NOW)?.is_some(),
                tx.failures("192.0.2.1")?.count > 0,
            ];
            let kept = [
                tx.find_grant_by_refresh_token(hash(REFRESH))?.is_some(),
                tx.find_session(session_id(SESSION))?.is_some(),
            ];
            Ok((gone, kept))
        })
        .unwrap();
    assert_eq!((gone, kept), ([false; 5], [true; 2]));
    assert_eq!(store.read(|tx| tx.due_outbox(NOW, 10)).unwrap().len(), 1, "a mail that waits is not old");
}

async fn an_unused_grant_goes_with_its_tokens_and_its_session(store: Store) {
    let tenant = filled(&store).await;
    sweep(&store, NOW + Span::days(89)).await;
    assert!(tenant.read(|tx| tx.find_grant_by_refresh_token(hash(REFRESH))).unwrap().is_some());
    sweep(&store, NOW + Span::days(91)).await;
    let left = tenant.read(|tx| {
        Ok([
            tx.find_grant_by_refresh_token(hash(REFRESH))?.is_some(),
            tx.find_grant(GrantId::new(Uuid::from_u128(GRANT)))?.is_some(),
            tx.find_session(session_id(SESSION))?.is_some(),
        ])
    });
    assert_eq!(left.unwrap(), [false; 3]);
    assert!(tenant.read(|tx| tx.find_user(user_id(1))).unwrap().is_some());
}

async fn a_session_stays_as_long_as_a_used_grant_hangs_on_it(store: Store) {
    let tenant = filled(&store).await;
    let lately = NOW + Span::days(80);
    put(&tenant, move |tx| tx.touch_grant(GrantId::new(Uuid::from_u128(GRANT)), lately)).await;
    sweep(&store, NOW + Span::days(120)).await;
    assert!(tenant.read(|tx| tx.find_session(session_id(SESSION))).unwrap().is_some());
    assert!(tenant.read(|tx| tx.find_grant_by_refresh_token(hash(REFRESH))).unwrap().is_some());
}

async fn mail_that_left_goes_a_month_later_and_mail_that_waits_never(store: Store) {
    let tenant = contoso(&store).await;
    for number in [1, 2] {
        put(&tenant, move |tx| tx.enqueue_mail(Uuid::from_u128(number), &mail("g@x.test"), NOW)).await;
    }
    let sent = store.read(|tx| tx.due_outbox(NOW, 1)).unwrap()[0].seq;
    store.write(move |tx| Ok(Recorded::chore(Chore::Delivery, tx.mark_sent(sent, NOW)?))).await.unwrap();
    let left = || store.read(|tx| tx.recent_mail(10)).unwrap().len();
    sweep(&store, NOW + Span::days(30)).await;
    assert_eq!(left(), 2);
    sweep(&store, NOW + Span::days(31)).await;
    assert_eq!(left(), 1);
    sweep(&store, NOW + Span::days(3_650)).await;
    assert_eq!(store.read(|tx| tx.due_outbox(NOW, 10)).unwrap().len(), 1);
}

async fn a_step_removes_a_little_and_the_next_goes_on(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| {
        for number in 0..500 {
            tx.put_code(&code(hash(number), grant(u128::from(number), user_id(1), session_id(1))))?;
        }
        Ok(())
    })
    .await;
    let at = NOW + Span::days(1);
    let step = store.write(move |tx| Ok(Recorded::chore(Chore::Sweep, tx.sweep(at)?))).await.unwrap();
    assert!((1..500).contains(&step), "{step}");
    assert_eq!(step + sweep(&store, at).await, 500);
}

async fn sweeping_never_touches_the_directory_or_the_records(store: Store) {
    let tenant = filled(&store).await;
    put(&tenant, |tx| tx.purge_user(user_id(2), LATER)).await;
    let records = activities(&tenant);
    sweep(&store, NOW + Span::days(36_500)).await;
    assert_eq!(activities(&tenant), records);
    assert_eq!(tenant.read(|tx| tx.count_sign_in_records()).unwrap().granted, 1);
    assert_eq!(tenant.read(|tx| tx.count_users(None)).unwrap(), 1);
    assert!(tenant.read(|tx| tx.find_password(user_id(1))).unwrap().is_some());
    assert!(tenant.read(|tx| tx.find_app(application(30).app_id)).unwrap().is_some());
    // R22: a purged id is never forgotten.
    assert!(put(&tenant, |tx| tx.is_buried(user_id(2).uuid())).await);
}

for_every_engine! {
    r04_what_still_counts_is_not_swept,
    r04_codes_and_visits_go_after_their_end_and_sessions_stay,
    an_unused_grant_goes_with_its_tokens_and_its_session,
    a_session_stays_as_long_as_a_used_grant_hangs_on_it,
    mail_that_left_goes_a_month_later_and_mail_that_waits_never,
    a_step_removes_a_little_and_the_next_goes_on,
    sweeping_never_touches_the_directory_or_the_records,
}
