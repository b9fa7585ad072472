//! Mail waits with the change that caused it, until somebody says that it left.

use super::builders::*;
use domain::mail::Mail;
use domain::time::{Span, Timestamp};
use store::{Chore, Fault, OutboxRow, Recorded, Store, TenantStore, WriteTx};
use uuid::Uuid;

async fn enqueue(tenant: &TenantStore, number: u128, at: Timestamp) {
    put(tenant, move |tx| tx.enqueue_mail(Uuid::from_u128(number), &mail("grace@fabrikam.test"), at)).await;
}

fn due(store: &Store, at: Timestamp) -> Vec<OutboxRow> {
    store.read(|tx| tx.due_outbox(at, 100)).unwrap()
}

fn numbers(rows: &[OutboxRow]) -> Vec<u128> {
    rows.iter().map(|row| row.id.as_u128()).collect()
}

/// What the job does between sending and the next row.
async fn deliver(store: &Store, work: impl Fn(&WriteTx<'_>) -> Result<(), Fault> + Send + 'static) {
    store.write(move |tx| Ok(Recorded::chore(Chore::Delivery, work(tx)?))).await.unwrap();
}

async fn a_mail_comes_back_whole_with_its_tenant(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    let plain = Mail { cc: Vec::new(), reply_to: None, ..mail("ä@x.test") };
    let expected = plain.clone();
    enqueue(&contoso, 1, NOW).await;
    put(&fabrikam, move |tx| tx.enqueue_mail(Uuid::from_u128(2), &plain, NOW)).await;
    let rows = due(&store, NOW);
    assert_eq!((rows[0].tenant, rows[1].tenant), (CONTOSO, FABRIKAM));
    assert_eq!((&rows[0].mail, &rows[1].mail), (&mail("grace@fabrikam.test"), &expected));
    assert_eq!((rows[0].created_at, rows[0].tries), (NOW, 0));
}

async fn what_was_due_first_is_handed_out_first_and_nothing_before_its_time(store: Store) {
    let tenant = contoso(&store).await;
    for number in 1..=5 {
        enqueue(&tenant, number, if number == 4 { LATER } else { NOW }).await;
    }
    assert!(due(&store, NOW - Span::millis(1)).is_empty());
    assert_eq!(numbers(&due(&store, NOW)), [1, 2, 3, 5]);
    assert_eq!(numbers(&due(&store, LATER)), [1, 2, 3, 5, 4]);
    assert_eq!(numbers(&store.read(|tx| tx.due_outbox(LATER, 2)).unwrap()), [1, 2]);
}

async fn what_left_is_not_sent_again(store: Store) {
    let tenant = contoso(&store).await;
    enqueue(&tenant, 1, NOW).await;
    enqueue(&tenant, 2, NOW).await;
    let first = due(&store, NOW)[0].seq;
    deliver(&store, move |tx| tx.mark_sent(first, LATER)).await;
    assert_eq!(numbers(&due(&store, LATER + Span::days(365))), [2]);
    let recent = store.read(|tx| tx.recent_mail(10)).unwrap();
    assert_eq!(numbers(&recent), [2, 1], "the mailbox shows what left too, newest first");
}

async fn what_did_not_leave_is_tried_again_at_its_time(store: Store) {
    let tenant = contoso(&store).await;
    enqueue(&tenant, 1, NOW).await;
    let mut at = NOW;
    for tries in 1..=3 {
        let (row, next) = (due(&store, at).remove(0), at + Span::minutes(tries));
        deliver(&store, move |tx| tx.put_off(row.seq, "421 later", next, None)).await;
        assert!(due(&store, next - Span::millis(1)).is_empty());
        assert_eq!(due(&store, next)[0].tries, tries);
        at = next;
    }
    let seq = due(&store, at)[0].seq;
    deliver(&store, move |tx| tx.mark_sent(seq, LATER)).await;
    assert!(due(&store, at + Span::days(365)).is_empty());
}

async fn what_is_given_up_is_never_tried_again(store: Store) {
    let tenant = contoso(&store).await;
    enqueue(&tenant, 1, NOW).await;
    let seq = due(&store, NOW)[0].seq;
    deliver(&store, move |tx| tx.put_off(seq, "550 unknown", LATER, Some(NOW))).await;
    assert!(due(&store, LATER + Span::days(365)).is_empty());
    assert_eq!(store.read(|tx| tx.recent_mail(10)).unwrap()[0].tries, 1);
}

/// Until it is said that a mail left, it has not: whoever dies in between sends it again.
async fn a_mail_handed_out_and_not_marked_is_handed_out_again(store: Store) {
    let tenant = contoso(&store).await;
    enqueue(&tenant, 1, NOW).await;
    let seq = due(&store, NOW)[0].seq;
    let failing = store.write::<(), _>(move |tx| {
        tx.mark_sent(seq, NOW)?;
        Err(Fault::Bug("the machine went away"))
    });
    assert!(failing.await.is_err());
    assert_eq!(numbers(&due(&store, NOW)), [1]);
}

async fn one_mail_is_enqueued_once(store: Store) {
    let tenant = contoso(&store).await;
    enqueue(&tenant, 1, NOW).await;
    let again = tenant.write(|tx| {
        tx.enqueue_mail(Uuid::from_u128(1), &mail("grace@fabrikam.test"), NOW)?;
        Ok(Recorded::new(record("Again"), ()))
    });
    assert!(again.await.is_err());
    assert_eq!(due(&store, NOW).len(), 1);
}

for_every_engine! {
    a_mail_comes_back_whole_with_its_tenant,
    what_was_due_first_is_handed_out_first_and_nothing_before_its_time,
    what_left_is_not_sent_again,
    what_did_not_leave_is_tried_again_at_its_time,
    what_is_given_up_is_never_tried_again,
    a_mail_handed_out_and_not_marked_is_handed_out_again,
    one_mail_is_enqueued_once,
}
