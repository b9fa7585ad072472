//! Relations between objects: found by an index from either end.

use super::builders::*;
use domain::id::ServicePrincipalId;
use store::{Assigned, ConsentFilter, DirectoryFilter, During, RecordActorFilter, SignInFilter, Store};
use uuid::Uuid;

async fn relations_are_found_by_an_index(store: Store) {
    let tenant = contoso(&store).await;
    let id = Uuid::from_u128(7);
    let filters = [
        ConsentFilter::default(),
        ConsentFilter { client: Some(id), ..ConsentFilter::default() },
        ConsentFilter { principal: Some(Some(user_id(1))), ..ConsentFilter::default() },
        ConsentFilter { principal: Some(None), ..ConsentFilter::default() },
        ConsentFilter { resource: Some(id), is_of_users: true, ..ConsentFilter::default() },
        ConsentFilter { client: Some(id), resource: Some(id), ..ConsentFilter::default() },
    ];
    let mut plans: Vec<_> =
        filters.iter().map(|filter| tenant.read(|tx| tx.explain_consents(filter)).unwrap()).collect();
    for assigned in [Assigned::Of(id), Assigned::To(ServicePrincipalId::new(id))] {
        plans.push(tenant.read(|tx| tx.explain_assignments(assigned)).unwrap());
    }
    for steps in plans {
        assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:?}");
        assert!(steps.iter().all(|step| step.contains("tenant=?")), "{steps:?}");
    }
    // What a user holds is put together from two finds and then sorted; nobody else's is looked at.
    let steps = tenant.read(|tx| tx.explain_assignments(Assigned::OfUser(id))).unwrap();
    let reads = steps.iter().filter(|step| step.contains("SCAN a") || step.ends_with("(tenant=?)"));
    assert_eq!(reads.count(), 0, "{steps:?}");
}

async fn managers_above_are_found_level_by_level_and_once(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| {
        for (number, name) in [(1, "One"), (2, "Two"), (3, "Three"), (4, "Four")] {
            tx.add_user(&member(number, name), None)?;
        }
        // A circle of two with one below it, and somebody apart.
        tx.set_manager(user_id(1), user_id(2), NOW)?;
        tx.set_manager(user_id(2), user_id(3), NOW)?;
        tx.set_manager(user_id(3), user_id(2), NOW)
    })
    .await;
    let above = |number, levels| tenant.read(|tx| tx.managers_above(user_id(number), levels)).unwrap();
    assert_eq!(above(1, 1), [user_id(2)]);
    assert_eq!(above(1, 2), [user_id(2), user_id(3)]);
    assert_eq!(above(1, 1_000), [user_id(2), user_id(3)]);
    assert_eq!(above(2, 1_000), [user_id(3)]);
    assert_eq!(above(4, 1_000), []);
    let other = fabrikam(&store).await;
    assert_eq!(other.read(|tx| tx.managers_above(user_id(1), 9)).unwrap(), []);
}

async fn records_are_found_by_an_index_in_the_order_of_time(store: Store) {
    let tenant = contoso(&store).await;
    let id = Some(Uuid::from_u128(7));
    let during = During { from: Some(NOW), until: Some(LATER) };
    let sign_ins = [
        SignInFilter::default(),
        SignInFilter { during, ..SignInFilter::default() },
        SignInFilter { app: id, during, ..SignInFilter::default() },
        SignInFilter { correlation: id, ..SignInFilter::default() },
        SignInFilter { error_code: Some(50_126), during, ..SignInFilter::default() },
        SignInFilter { user: id, ..SignInFilter::default() },
    ];
    let user = RecordActorFilter::User(Uuid::from_u128(7));
    let changes = [
        DirectoryFilter::default(),
        DirectoryFilter { activity: Some("Add user".to_owned()), ..DirectoryFilter::default() },
        DirectoryFilter { actor: Some(user), during, ..DirectoryFilter::default() },
        DirectoryFilter { category: Some("UserManagement".to_owned()), ..DirectoryFilter::default() },
        DirectoryFilter { correlation: id, ..DirectoryFilter::default() },
        DirectoryFilter { target: id, is_refused: Some(true), ..DirectoryFilter::default() },
    ];
    for (sign_in, change) in sign_ins.iter().zip(&changes) {
        let steps = tenant.read(|tx| tx.explain_records(sign_in, change)).unwrap();
        assert_eq!(steps.len(), 2, "{steps:?}");
        for step in steps {
            assert!(step.starts_with("SEARCH") && step.contains("tenant=?"), "{step}");
        }
    }
}

async fn every_record_has_an_id_of_its_own(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| {
        tx.note(record("Twice"));
        tx.note(record("Twice"));
        tx.note(sign_in(50_126));
        tx.note(sign_in(50_126));
        Ok(())
    })
    .await;
    let (changes, sign_ins) = tenant
        .read(|tx| {
            let changes = tx.list_changes(&DirectoryFilter::default(), true, None, 9)?;
            Ok((changes, tx.list_sign_ins(&SignInFilter::default(), true, None, 9)?))
        })
        .unwrap();
    let mut ids: Vec<_> = changes.iter().map(|row| row.id).chain(sign_ins.iter().map(|row| row.id)).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all);
    for row in changes {
        assert_eq!(tenant.read(|tx| tx.find_change(row.id)).unwrap().unwrap().seq, row.seq);
    }
}

for_every_engine! {
    managers_above_are_found_level_by_level_and_once,
    every_record_has_an_id_of_its_own,
    records_are_found_by_an_index_in_the_order_of_time,
    relations_are_found_by_an_index,
}
