//! Too much at once, and the end.

use super::builders::*;
use domain::audit::Record;
use store::{Fault, Recorded, Store, TenantStore};

/// More writes than any engine lets wait.
const FLOOD: usize = 20_000;

fn granted(tenant: &TenantStore) -> i64 {
    tenant.read(|tx| tx.count_sign_in_records()).unwrap().granted
}

fn signed_in() -> Record {
    sign_in(0)
}

async fn writes_beyond_the_queue_hear_busy_at_once_and_leave_nothing(store: Store) {
    let tenant = contoso(&store).await;
    let (gate, opener) = Gate::new();
    let mut waiting = Vec::new();
    let refused = loop {
        let standing = gate.clone();
        let mut write = Box::pin(tenant.write(move |_| {
            standing.pass();
            Ok(Recorded::new(signed_in(), ()))
        }));
        match now_or_never(&mut write) {
            None => waiting.push(write),
            Some(answer) => break answer,
        }
        assert!(waiting.len() < FLOOD, "nobody hears busy");
    };
    assert!(matches!(refused, Err(Fault::Busy)), "{refused:?}");
    opener.open();
    let accepted = waiting.len() as i64;
    for write in waiting {
        write.await.unwrap();
    }
    assert_eq!(granted(&tenant), accepted);
    // Asking again later helps.
    tenant.write(|_| Ok(Recorded::new(signed_in(), ()))).await.unwrap();
    assert_eq!(granted(&tenant), accepted + 1);
}

async fn closing_finishes_the_writes_that_wait(store: Store) {
    let tenant = contoso(&store).await;
    let opener = hold_the_writer(&store);
    let writes: Vec<_> = (0..1_000).map(|_| tenant.write(|_| Ok(Recorded::new(signed_in(), ())))).collect();
    let closing = store.clone();
    let closer = std::thread::spawn(move || closing.close());
    opener.open();
    closer.join().unwrap();
    for write in writes {
        // The answer is there already: closing waited for it.
        assert!(matches!(now_or_never(write), Some(Ok(()))));
    }
    assert_eq!(granted(&tenant), 1_000);
}

async fn a_closed_store_answers_busy_to_writes_and_reads_on(store: Store) {
    let tenant = contoso(&store).await;
    store.close();
    let write = tenant.write(|tx| {
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        Ok(Recorded::new(record("Late"), ()))
    });
    assert!(matches!(write.await, Err(Fault::Busy)));
    assert_eq!(tenant.read(|tx| tx.count_users(None)).unwrap(), 0);
    assert_eq!(tenant.read(|tx| tx.load_tenant()).unwrap().id, CONTOSO);
    store.close();
}

for_every_engine! {
    writes_beyond_the_queue_hear_busy_at_once_and_leave_nothing,
    closing_finishes_the_writes_that_wait,
    a_closed_store_answers_busy_to_writes_and_reads_on,
}
