//! Data and record stand or fall together, and nobody pays for another's mistake.

use super::builders::*;
use domain::audit::Record;
use domain::directory::user::User;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use store::{Chore, Fault, Recorded, Store, TenantStore};
use uuid::Uuid;

fn is_user(tenant: &TenantStore, user: &User) -> bool {
    tenant.read(|tx| tx.find_user(user.id)).unwrap().is_some()
}

async fn r32_a_failing_write_leaves_neither_data_nor_record(store: Store) {
    let tenant = contoso(&store).await;
    let before = activities(&tenant);
    let failing = tenant.write::<(), _>(|tx| {
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        tx.enqueue_mail(Uuid::from_u128(5), &mail("a@b.test"), NOW)?;
        tx.note(record("Noted"));
        Err(Fault::Bug("on purpose"))
    });
    assert!(matches!(failing.await, Err(Fault::Bug("on purpose"))));
    assert!(!is_user(&tenant, &member(1, "")));
    assert_eq!(activities(&tenant), before);
    assert!(store.read(|tx| tx.due_outbox(LATER, 10)).unwrap().is_empty());
    // And nothing of it stands in the way of doing it right.
    assert!(put(&tenant, |tx| tx.add_user(&member(1, "ada@contoso.test"), None)).await);
}

/// A statement that the engine refuses inside a write ends it, whatever came before.
async fn r32_a_write_that_breaks_a_key_leaves_neither_data_nor_record(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.put_invitation(&invitation(7, user_id(1), "a@b.test"))).await;
    let before = activities(&tenant);
    let again = tenant.write(|tx| {
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        tx.put_invitation(&invitation(7, user_id(1), "a@b.test"))?;
        Ok(Recorded::new(record("Twice"), ()))
    });
    assert!(matches!(again.await, Err(Fault::Engine(_))));
    assert!(!is_user(&tenant, &member(1, "")));
    assert_eq!(activities(&tenant), before);
}

async fn r32_a_refusal_is_committed_with_its_record(store: Store) {
    let tenant = contoso(&store).await;
    let refused = tenant.write(|_| Ok(Recorded::new(refusal("Invite", "inviterNotAllowed"), "no"))).await;
    assert_eq!(refused.unwrap(), "no");
    let newest = tenant.read(|tx| tx.recent_directory_records(1)).unwrap();
    assert_eq!(newest, [("Invite".to_owned(), Some("inviterNotAllowed".to_owned()))]);
}

async fn r32_a_write_without_a_record_is_a_fault_and_changes_nothing(store: Store) {
    let tenant = contoso(&store).await;
    let silent = tenant.write(|tx| {
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        Recorded::with(Vec::new(), ())
    });
    assert!(matches!(silent.await, Err(Fault::Bug(_))));
    assert!(!is_user(&tenant, &member(1, "")));
}

async fn r32_every_record_of_a_write_is_kept_once_and_in_order(store: Store) {
    let tenant = contoso(&store).await;
    let before = activities(&tenant).len();
    let write = tenant.write(|tx| {
        tx.note(record("First"));
        tx.note(sign_in(0));
        tx.note(sign_in(50_126));
        let records: Vec<Record> = vec![record("Second"), record("Third")];
        Recorded::with(records, ())
    });
    write.await.unwrap();
    assert_eq!(activities(&tenant)[before..], ["First", "Second", "Third"]);
    let counts = tenant.read(|tx| tx.count_sign_in_records()).unwrap();
    assert_eq!((counts.granted, counts.refused), (1, 1));
}

async fn r32_records_of_no_tenant_stand_apart(store: Store) {
    let tenant = contoso(&store).await;
    store.write(|_| Ok(Recorded::new(sign_in(90_002), ()))).await.unwrap();
    assert_eq!(store.read(|tx| tx.count_sign_in_records()).unwrap().refused, 1);
    assert_eq!(tenant.read(|tx| tx.count_sign_in_records()).unwrap().refused, 0);
}

async fn r32_text_of_any_length_is_recorded(store: Store) {
    let tenant = contoso(&store).await;
    // No engine may choke on it: neither on the length nor on a character that one of them has no place for.
    let write = tenant.write(|_| {
        let Record::SignIn(mut long) = sign_in(1) else { return Err(Fault::Bug("made otherwise")) };
        long.user_name = Some("ä".repeat(100_000));
        long.reasons = "ö".repeat(100_000);
        long.origin.user_agent = Some("\u{0}ü".repeat(100_000));
        Ok(Recorded::new(Record::SignIn(long), ()))
    });
    write.await.unwrap();
    let newest = tenant.read(|tx| tx.recent_sign_in_records(1)).unwrap();
    assert_eq!(newest[0].0, 1);
    assert!(newest[0].2.len() < 10_000, "{}", newest[0].2.len());
}

async fn a_failing_write_takes_no_other_with_it(store: Store) {
    let tenant = contoso(&store).await;
    let opener = hold_the_writer(&store);
    let writes: Vec<_> = (0..30_u128)
        .map(|number| {
            tenant.write(move |tx| {
                tx.add_user(&member(number, &format!("user-{number}@contoso.test")), None)?;
                if number % 3 == 1 { Err(Fault::Bug("on purpose")) } else { Ok(()) }?;
                Ok(Recorded::new(record("Add"), number))
            })
        })
        .collect();
    opener.open();
    for (number, write) in (0..30_u128).zip(writes) {
        let (answer, should_fail) = (write.await, number % 3 == 1);
        assert_eq!(answer.is_err(), should_fail, "{number}: {answer:?}");
        assert_eq!(is_user(&tenant, &member(number, "")), !should_fail, "{number}");
    }
    assert_eq!(activities(&tenant).iter().filter(|activity| *activity == "Add").count(), 20);
}

async fn a_write_that_panics_fails_only_its_caller(store: Store) {
    let tenant = contoso(&store).await;
    let opener = hold_the_writer(&store);
    let add = |number: u128| {
        tenant.write(move |tx| {
            tx.add_user(&member(number, &format!("user-{number}@contoso.test")), None)?;
            assert!(number != 2, "on purpose");
            Ok(Recorded::new(record("Add"), ()))
        })
    };
    let (one, two, three) = (add(1), add(2), add(3));
    opener.open();
    assert!(one.await.is_ok());
    assert!(matches!(two.await, Err(Fault::Bug(_))));
    assert!(three.await.is_ok());
    let found = [1, 2, 3].map(|number| is_user(&tenant, &member(number, "")));
    assert_eq!(found, [true, false, true]);
    assert!(add(4).await.is_ok(), "the store goes on");
}

async fn a_read_that_fails_leaves_the_store_readable(store: Store) {
    let tenant = contoso(&store).await;
    for _ in 0..20 {
        let failing = tenant.read::<()>(|tx| {
            tx.count_users(None)?;
            Err(Fault::Bug("on purpose"))
        });
        assert!(matches!(failing, Err(Fault::Bug("on purpose"))));
    }
    assert!(put(&tenant, |tx| tx.add_user(&member(1, "ada@contoso.test"), None)).await);
    for _ in 0..20 {
        assert!(is_user(&tenant, &member(1, "")));
    }
}

async fn a_read_that_panics_leaves_the_store_usable(store: Store) {
    let tenant = contoso(&store).await;
    for _ in 0..20 {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            tenant.read::<()>(|tx| {
                tx.count_users(None)?;
                panic!("on purpose")
            })
        }));
        assert!(!matches!(outcome, Ok(Ok(()))));
    }
    assert!(put(&tenant, |tx| tx.add_user(&member(1, "ada@contoso.test"), None)).await);
    for _ in 0..20 {
        assert!(is_user(&tenant, &member(1, "")));
    }
}

async fn a_write_may_run_twice_and_counts_once(store: Store) {
    let tenant = contoso(&store).await;
    let before = activities(&tenant).len();
    put(&tenant, |tx| {
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        tx.count_failure("192.0.2.1", NOW, NOW)?;
        tx.enqueue_mail(Uuid::from_u128(5), &mail("a@b.test"), NOW)
    })
    .await;
    assert_eq!(tenant.read(|tx| tx.failures("192.0.2.1")).unwrap().count, 1);
    assert_eq!(store.read(|tx| tx.due_outbox(NOW, 10)).unwrap().len(), 1);
    assert_eq!(activities(&tenant).len(), before + 1);
}

async fn a_write_whose_caller_goes_away_is_still_done(store: Store) {
    let tenant = contoso(&store).await;
    drop(tenant.write(|tx| {
        let is_new = tx.add_user(&member(1, "ada@contoso.test"), None)?;
        Ok(Recorded::new(record("Left"), is_new))
    }));
    put(&tenant, |_| Ok(())).await;
    assert!(is_user(&tenant, &member(1, "")));
    assert!(activities(&tenant).contains(&"Left".to_owned()));
}

async fn a_write_reads_what_it_wrote(store: Store) {
    let tenant = contoso(&store).await;
    let seen = put(&tenant, |tx| {
        let before = tx.find_user_by_name("ada@contoso.test")?.is_some();
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        Ok((before, tx.find_user_by_name("ada@contoso.test")?.is_some(), tx.count_users(None)?))
    });
    assert_eq!(seen.await, (false, true, 1));
}

async fn what_was_answered_is_read_by_everybody_at_once(store: Store) {
    let tenant = contoso(&store).await;
    let asked = tenant.clone();
    let seen = all_at_once(40, move |index| {
        let tenant = asked.clone();
        async move {
            let user = member(index as u128 + 1, &format!("user-{index}@contoso.test"));
            let written = user.clone();
            put(&tenant, move |tx| tx.add_user(&written, None)).await;
            // As many readers as the store has, at once, none of which took part in the write.
            let all = all_at_once(4, move |_| {
                let (tenant, user) = (tenant.clone(), user.clone());
                async move { is_user(&tenant, &user) }
            });
            all.await.into_iter().all(|is_seen| is_seen)
        }
    });
    assert!(seen.await.into_iter().all(|is_seen| is_seen));
}

async fn writes_of_one_caller_are_done_in_their_order(store: Store) {
    let tenant = contoso(&store).await;
    for number in 0..50_i64 {
        let seen = put(&tenant, move |tx| {
            let seen = tx.failures("192.0.2.1")?.count;
            tx.count_failure("192.0.2.1", NOW, NOW)?;
            Ok(seen)
        });
        assert_eq!(seen.await, number);
    }
}

/// Tenant data cannot be asked of a transaction that has no tenant.
async fn r21_a_transaction_without_a_tenant_reads_and_writes_no_tenant_data(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.add_user(&member(1, "ada@contoso.test"), None)).await;
    assert!(matches!(store.read(|tx| tx.find_user(user_id(1))), Err(Fault::Bug(_))));
    assert!(matches!(store.read(|tx| tx.find_code(hash(1))), Err(Fault::Bug(_))));
    let write =
        store.write(|tx| Ok(Recorded::chore(Chore::Progress, tx.add_user(&member(2, "x@y.test"), None)?)));
    assert!(matches!(write.await, Err(Fault::Bug(_))));
}

for_every_engine! {
    r32_a_failing_write_leaves_neither_data_nor_record,
    r32_a_write_that_breaks_a_key_leaves_neither_data_nor_record,
    r32_a_refusal_is_committed_with_its_record,
    r32_a_write_without_a_record_is_a_fault_and_changes_nothing,
    r32_every_record_of_a_write_is_kept_once_and_in_order,
    r32_records_of_no_tenant_stand_apart,
    r32_text_of_any_length_is_recorded,
    a_failing_write_takes_no_other_with_it,
    a_write_that_panics_fails_only_its_caller,
    a_read_that_fails_leaves_the_store_readable,
    a_read_that_panics_leaves_the_store_usable,
    a_write_may_run_twice_and_counts_once,
    a_write_whose_caller_goes_away_is_still_done,
    a_write_reads_what_it_wrote,
    what_was_answered_is_read_by_everybody_at_once,
    writes_of_one_caller_are_done_in_their_order,
    r21_a_transaction_without_a_tenant_reads_and_writes_no_tenant_data,
}

async fn what_is_not_committed_is_seen_by_nobody(store: Store) {
    let tenant = contoso(&store).await;
    let (gate, opener) = Gate::new();
    let standing = gate.clone();
    let write = tenant.write(move |tx| {
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        tx.enqueue_mail(Uuid::from_u128(5), &mail("a@b.test"), NOW)?;
        standing.pass();
        Ok(Recorded::new(record("Add"), ()))
    });
    gate.await_arrival();
    assert!(!is_user(&tenant, &member(1, "")));
    assert!(store.read(|tx| tx.due_outbox(LATER, 10)).unwrap().is_empty());
    opener.open();
    write.await.unwrap();
    assert!(is_user(&tenant, &member(1, "")));
    assert_eq!(store.read(|tx| tx.due_outbox(LATER, 10)).unwrap().len(), 1);
}

async fn a_read_sees_one_moment_from_its_first_look_to_its_last(store: Store) {
    let tenant = contoso(&store).await;
    let (looked, written) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let reader = std::thread::spawn({
        let (tenant, looked, written) = (tenant.clone(), Arc::clone(&looked), Arc::clone(&written));
        move || {
            tenant.read(|tx| {
                let first = tx.count_users(None)?;
                looked.wait();
                written.wait();
                Ok((first, tx.count_users(None)?, tx.find_user(user_id(1))?.is_some()))
            })
        }
    });
    looked.wait();
    put(&tenant, |tx| tx.add_user(&member(1, "ada@contoso.test"), None)).await;
    written.wait();
    assert_eq!(reader.join().unwrap().unwrap(), (0, 0, false));
    assert!(is_user(&tenant, &member(1, "")));
}

async fn readers_see_both_halves_of_a_write_or_none(store: Store) {
    let tenant = contoso(&store).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (tenant, is_over) = (tenant.clone(), Arc::clone(&is_over));
        move || {
            let (mut torn, mut looks) = (0, 0);
            while !is_over.load(Ordering::SeqCst) || looks == 0 {
                let read = tenant.read(|tx| Ok((tx.count_users(None)?, tx.failures("pair")?.count)));
                torn += usize::from(read.map(|(users, failures)| users != failures).unwrap());
                looks += 1;
            }
            torn
        }
    });
    for number in 0..200_u128 {
        put(&tenant, move |tx| {
            tx.add_user(&member(number, &format!("user-{number}@contoso.test")), None)?;
            tx.count_failure("pair", NOW, NOW)
        })
        .await;
    }
    is_over.store(true, Ordering::SeqCst);
    assert_eq!(reader.join().unwrap(), 0);
}

for_engines_that_read_beside_a_write! {
    what_is_not_committed_is_seen_by_nobody,
    a_read_sees_one_moment_from_its_first_look_to_its_last,
    readers_see_both_halves_of_a_write_or_none,
}
