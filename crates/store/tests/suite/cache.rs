//! A change of what issuance caches is read by the very next read, and nothing that was not committed is ever cached.

use super::builders::*;
use domain::directory::application::SharedApp;
use domain::id::PartId;
use domain::tenancy::tenant::{Tenant, TenantState};
use std::sync::{Arc, Barrier};
use store::{Fault, Recorded, Store, TenantStore};
use uuid::Uuid;

fn renamed(name: &str) -> Tenant {
    Tenant { display_name: name.to_owned(), ..tenant(CONTOSO, "contoso.test") }
}

fn name(tenant: &TenantStore) -> String {
    tenant.read(|tx| tx.load_tenant()).unwrap().display_name.clone()
}

fn app(tenant: &TenantStore) -> SharedApp {
    tenant.read(|tx| tx.find_app(application(30).app_id)).unwrap().unwrap()
}

async fn with_app(store: &Store) -> TenantStore {
    let tenant = contoso(store).await;
    put(&tenant, |tx| {
        let app = application(30);
        Ok((tx.add_application(&app)?, tx.add_service_principal(&instance(32, app.app_id))?))
    })
    .await;
    assert!(app(&tenant).instance.as_ref().unwrap().is_enabled);
    tenant
}

async fn a_read_tenant_is_cached(store: Store) {
    let tenant = contoso(&store).await;
    assert!(store.cached_tenant(CONTOSO).is_none());
    assert_eq!(name(&tenant), "contoso.test");
    assert_eq!(store.cached_tenant(CONTOSO).unwrap().display_name, "contoso.test");
    assert!(store.cached_tenant(FABRIKAM).is_none());
}

async fn a_changed_tenant_is_seen_by_the_very_next_read(store: Store) {
    let tenant = contoso(&store).await;
    for number in 0..50 {
        assert_ne!(name(&tenant), format!("Contoso {number}"));
        put(&tenant, move |tx| tx.update_tenant(&renamed(&format!("Contoso {number}")), LATER)).await;
        let cached = store.cached_tenant(CONTOSO);
        assert!(cached.is_none_or(|tenant| tenant.display_name == format!("Contoso {number}")));
        assert_eq!(name(&tenant), format!("Contoso {number}"));
    }
}

async fn r38_a_suspended_tenant_is_suspended_for_everybody_at_once(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    name(&contoso);
    let suspended = Tenant { state: TenantState::Suspended, ..renamed("Contoso") };
    put(&contoso, move |tx| tx.update_tenant(&suspended, LATER)).await;
    let seen = all_at_once(16, move |_| {
        let fabrikam = fabrikam.clone();
        async move { fabrikam.read(|tx| tx.find_tenant(CONTOSO)).unwrap().unwrap().state }
    });
    assert!(seen.await.into_iter().all(|state| state == TenantState::Suspended));
}

async fn r38_a_secret_works_from_its_commit_until_its_removal(store: Store) {
    let tenant = with_app(&store).await;
    put(&tenant, |tx| tx.add_client_secret(application(30).app_id, &client_secret(3))).await;
    assert_eq!(app(&tenant).registration.secrets, [client_secret(3)]);
    assert!(put(&tenant, |tx| tx.remove_client_secret(application(30).app_id, client_secret(3).id)).await);
    assert!(app(&tenant).registration.secrets.is_empty());
    assert!(!put(&tenant, |tx| tx.remove_client_secret(application(30).app_id, client_secret(3).id)).await);
}

async fn r38_a_disabled_instance_is_disabled_at_the_next_read(store: Store) {
    let tenant = with_app(&store).await;
    let mut disabled = instance(32, application(30).app_id);
    disabled.is_enabled = false;
    put(&tenant, move |tx| tx.update_service_principal(&disabled, LATER)).await;
    assert!(!app(&tenant).instance.as_ref().unwrap().is_enabled);
}

async fn r38_a_given_role_counts_at_the_next_read_and_not_after_it_was_taken_back(store: Store) {
    let tenant = with_app(&store).await;
    let (sp, id) = (instance(32, application(30).app_id).id, Uuid::from_u128(33));
    let role = PartId::new(Uuid::from_u128(35));
    assert!(put(&tenant, move |tx| tx.assign_app_role(id, sp.uuid(), sp, role, NOW)).await);
    assert_eq!(app(&tenant).granted_roles.len(), 1);
    assert!(put(&tenant, move |tx| tx.remove_assignment(id)).await);
    assert!(app(&tenant).granted_roles.is_empty());
}

/// A registration is used in other tenants than its own, so their view of it is as fresh.
async fn r38_a_changed_registration_is_seen_in_every_tenant_that_uses_it(store: Store) {
    let (contoso, fabrikam) = (with_app(&store).await, fabrikam(&store).await);
    put(&fabrikam, |tx| tx.add_service_principal(&instance(40, application(30).app_id))).await;
    assert!(app(&fabrikam).registration.deleted_at.is_none());
    put(&contoso, |tx| {
        let mut app = application(30);
        app.deleted_at = Some(LATER);
        tx.update_application(&app, LATER)
    })
    .await;
    assert_eq!(app(&fabrikam).registration.deleted_at, Some(LATER));
    put(&contoso, |tx| tx.purge_application(&application(30), LATER)).await;
    assert!(fabrikam.read(|tx| tx.find_app(application(30).app_id)).unwrap().is_none());
}

async fn a_tenant_is_found_as_soon_as_it_exists(store: Store) {
    assert!(store.read(|tx| tx.find_tenant(CONTOSO)).unwrap().is_none());
    contoso(&store).await;
    assert!(store.read(|tx| tx.find_tenant(CONTOSO)).unwrap().is_some());
}

async fn a_write_sees_its_own_change_of_the_tenant(store: Store) {
    let tenant = contoso(&store).await;
    name(&tenant);
    let seen = put(&tenant, |tx| {
        let before = tx.load_tenant()?.display_name.clone();
        tx.update_tenant(&renamed("Renamed"), LATER)?;
        Ok((before, tx.load_tenant()?.display_name.clone()))
    });
    assert_eq!(seen.await, ("contoso.test".to_owned(), "Renamed".to_owned()));
}

/// The rule that matters most here: what a write read of its own change dies with it.
async fn what_was_undone_was_never_cached(store: Store) {
    let tenant = contoso(&store).await;
    let undo = |should_panic: bool| {
        tenant.write::<(), _>(move |tx| {
            tx.update_tenant(&renamed("Undone"), LATER)?;
            assert!(tx.load_tenant()?.display_name == "Undone" && !should_panic, "on purpose");
            Err(Fault::Bug("on purpose"))
        })
    };
    for should_panic in [false, true] {
        assert!(undo(should_panic).await.is_err());
        assert_eq!(name(&tenant), "contoso.test");
        assert_eq!(store.cached_tenant(CONTOSO).unwrap().display_name, "contoso.test");
    }
}

async fn writes_that_wait_together_see_each_others_changes(store: Store) {
    let tenant = contoso(&store).await;
    name(&tenant);
    let opener = hold_the_writer(&store);
    let mut looks = Vec::new();
    for number in 0..10_u128 {
        drop(tenant.write(move |tx| {
            tx.update_tenant(&renamed(&format!("Contoso {number}")), LATER)?;
            tx.add_user(&member(number, &format!("user-{number}@contoso.test")), None)?;
            Ok(Recorded::new(record("Rename"), ()))
        }));
        // Whoever sees the user must see the name that was written with it, not one from the cache.
        looks.push(tenant.write(|tx| {
            let seen = (tx.count_users(None)?, tx.load_tenant()?.display_name.clone());
            Ok(Recorded::new(record("Look"), seen))
        }));
    }
    opener.open();
    for look in looks {
        let (users, name) = look.await.unwrap();
        let expected = if users == 0 { "contoso.test".to_owned() } else { format!("Contoso {}", users - 1) };
        assert_eq!(name, expected);
    }
    assert_eq!(name(&tenant), "Contoso 9");
}

for_every_engine! {
    a_read_tenant_is_cached,
    a_changed_tenant_is_seen_by_the_very_next_read,
    r38_a_suspended_tenant_is_suspended_for_everybody_at_once,
    r38_a_secret_works_from_its_commit_until_its_removal,
    r38_a_disabled_instance_is_disabled_at_the_next_read,
    r38_a_given_role_counts_at_the_next_read_and_not_after_it_was_taken_back,
    r38_a_changed_registration_is_seen_in_every_tenant_that_uses_it,
    a_tenant_is_found_as_soon_as_it_exists,
    a_write_sees_its_own_change_of_the_tenant,
    what_was_undone_was_never_cached,
    writes_that_wait_together_see_each_others_changes,
}

async fn what_is_read_while_a_change_waits_for_its_commit_does_not_outlive_it(store: Store) {
    let tenant = contoso(&store).await;
    let opener = hold_the_writer(&store);
    let change = tenant.write(|tx| {
        tx.update_tenant(&renamed("Renamed"), LATER)?;
        Ok(Recorded::new(record("Rename"), ()))
    });
    // A write behind the change keeps it from its commit.
    let (gate, late_opener) = Gate::new();
    let standing = gate.clone();
    let last = tenant.write(move |_| {
        standing.pass();
        Ok(Recorded::new(record("Last"), ()))
    });
    opener.open();
    gate.await_arrival();
    let meanwhile: Vec<String> = (0..8).map(|_| name(&tenant)).collect();
    late_opener.open();
    change.await.unwrap();
    last.await.unwrap();
    assert!(meanwhile.iter().all(|name| *name == "contoso.test" || *name == "Renamed"), "{meanwhile:?}");
    let cached = store.cached_tenant(CONTOSO);
    assert!(cached.is_none_or(|tenant| tenant.display_name == "Renamed"));
    assert_eq!(name(&tenant), "Renamed");
}

/// A read that began before a change sees the old tenant, and must keep it to itself.
async fn what_an_older_read_sees_is_not_cached_after_the_change(store: Store) {
    let tenant = contoso(&store).await;
    let (looked, changed) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let reader = std::thread::spawn({
        let (tenant, looked, changed) = (tenant.clone(), Arc::clone(&looked), Arc::clone(&changed));
        move || {
            tenant.read(|tx| {
                tx.count_users(None)?;
                looked.wait();
                changed.wait();
                Ok(tx.load_tenant()?.state)
            })
        }
    });
    looked.wait();
    let suspended = Tenant { state: TenantState::Suspended, ..renamed("Contoso") };
    put(&tenant, move |tx| tx.update_tenant(&suspended, LATER)).await;
    changed.wait();
    reader.join().unwrap().unwrap();
    assert_eq!(tenant.read(|tx| tx.load_tenant()).unwrap().state, TenantState::Suspended);
}

for_engines_that_read_beside_a_write! {
    what_is_read_while_a_change_waits_for_its_commit_does_not_outlive_it,
    what_an_older_read_sees_is_not_cached_after_the_change,
}
