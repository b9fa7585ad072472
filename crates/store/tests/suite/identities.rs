//! A guest is recognised by issuer and subject, and by nothing else (R02).

use super::builders::*;
use super::everything::{ADDRESS, assertion};
use domain::directory::user::User;
use store::{Store, TenantStore};

const ISSUER: &str = "https://home.test";

/// Grace, bound to her home's word for her.
async fn bound(store: &Store) -> TenantStore {
    let tenant = contoso(store).await;
    put(&tenant, |tx| {
        tx.add_user(&guest(2, ADDRESS), Some(FABRIKAM))?;
        tx.bind_identity(user_id(2), &identity(ISSUER, "grace"), NOW)
    })
    .await;
    tenant
}

async fn r02_a_guest_is_found_by_exactly_issuer_and_subject(store: Store) {
    let tenant = bound(&store).await;
    let find = |issuer: &str, subject: &str| {
        tenant.read(|tx| tx.find_user_by_identity(issuer, subject)).unwrap().map(|user| user.id)
    };
    assert_eq!(find(ISSUER, "grace"), Some(user_id(2)));
    for (issuer, subject) in [
        ("https://other.test", "grace"),
        (ISSUER, "Grace"),
        (ISSUER, "grac"),
        (ISSUER, "grace "),
        (ISSUER, "%"),
        (ISSUER, ""),
        ("https://HOME.test", "grace"),
        ("https://home.test/", "grace"),
        ("", "grace"),
        ("grace", ISSUER),
        ("https://home.testg", "race"),
        (ISSUER, ADDRESS),
        (ADDRESS, ADDRESS),
    ] {
        assert_eq!(find(issuer, subject), None, "{issuer} {subject}");
    }
}

async fn r02_nothing_a_guest_is_called_changes_who_she_is(store: Store) {
    let tenant = bound(&store).await;
    let renamed = User { mail: Some("mallory@evil.test".to_owned()), ..guest(2, "mallory@evil.test") };
    assert!(put(&tenant, move |tx| tx.update_user(&renamed, LATER)).await);
    // Another one takes the address that was hers.
    put(&tenant, |tx| tx.add_user(&guest(3, ADDRESS), None)).await;
    let facts = tenant.read(|tx| tx.redemption_facts(&assertion("grace", &[ADDRESS]), None)).unwrap();
    assert_eq!(facts.bound.map(|user| user.id), Some(user_id(2)));
    let stranger = tenant.read(|tx| tx.redemption_facts(&assertion("mallory", &[ADDRESS]), None)).unwrap();
    assert!(stranger.bound.is_none(), "the same address is not the same person");
}

async fn r02_what_the_home_proved_is_kept_with_the_identity(store: Store) {
    let tenant = bound(&store).await;
    let proved = || {
        let grace = tenant.read(|tx| tx.find_user_by_identity(ISSUER, "grace")).unwrap().unwrap();
        grace.proved_addresses
    };
    assert!(proved().is_empty());
    for addresses in [vec![ADDRESS.to_owned(), "g@fabrikam.test".to_owned()], Vec::new()] {
        let kept = addresses.clone();
        put(&tenant, move |tx| tx.keep_proved_addresses(user_id(2), &kept)).await;
        assert_eq!(proved(), addresses);
        // What administrators write changes none of it.
        let renamed = User { mail: Some("mallory@evil.test".to_owned()), ..guest(2, ADDRESS) };
        assert!(put(&tenant, move |tx| tx.update_user(&renamed, LATER)).await);
        assert_eq!(proved(), addresses);
    }
}

async fn r02_an_identity_that_is_bound_is_not_bound_again(store: Store) {
    let tenant = bound(&store).await;
    put(&tenant, |tx| tx.add_user(&guest(3, "other@fabrikam.test"), None)).await;
    assert!(!put(&tenant, |tx| tx.bind_identity(user_id(3), &identity(ISSUER, "grace"), LATER)).await);
    assert!(!put(&tenant, |tx| tx.bind_identity(user_id(2), &identity(ISSUER, "second"), LATER)).await);
    let user = tenant.read(|tx| tx.find_user_by_identity(ISSUER, "grace")).unwrap().unwrap();
    assert_eq!(user.id, user_id(2));
    assert!(tenant.read(|tx| tx.find_user_by_identity(ISSUER, "second")).unwrap().is_none());
}

async fn r01_a_users_home_ids_do_not_find_her(store: Store) {
    let tenant = bound(&store).await;
    let bound = tenant.read(|tx| tx.find_user(user_id(2))).unwrap().unwrap().identity.unwrap();
    assert_eq!(bound, identity(ISSUER, "grace"));
    assert!(tenant.read(|tx| tx.find_user(bound.home_user)).unwrap().is_none());
    assert!(tenant.read(|tx| tx.find_sign_in_user(bound.home_user)).unwrap().is_none());
}

async fn a_deleted_guest_is_not_recognised_and_a_restored_one_is(store: Store) {
    let tenant = bound(&store).await;
    let is_known = || tenant.read(|tx| tx.find_user_by_identity(ISSUER, "grace")).unwrap().is_some();
    let set_deleted = |deleted_at| {
        let tenant = tenant.clone();
        async move {
            let user = User { deleted_at, ..guest(2, ADDRESS) };
            put(&tenant, move |tx| tx.update_user(&user, LATER)).await
        }
    };
    assert!(set_deleted(Some(LATER)).await);
    assert!(!is_known());
    assert!(set_deleted(None).await);
    assert!(is_known());
}

async fn a_deleted_guest_who_comes_again_is_the_new_guest(store: Store) {
    let tenant = bound(&store).await;
    let deleted = User { deleted_at: Some(LATER), ..guest(2, ADDRESS) };
    assert!(put(&tenant, move |tx| tx.update_user(&deleted, LATER)).await);
    assert!(
        put(&tenant, |tx| {
            tx.add_user(&guest(3, "second@fabrikam.test"), None)?;
            tx.bind_identity(user_id(3), &identity(ISSUER, "grace"), LATER)
        })
        .await
    );
    let user = tenant.read(|tx| tx.find_user_by_identity(ISSUER, "grace")).unwrap().unwrap();
    assert_eq!(user.id, user_id(3));
    // Restored, the old one has no identity, and does not get it back by itself.
    assert!(put(&tenant, |tx| tx.update_user(&guest(2, ADDRESS), LATER)).await);
    assert_eq!(tenant.read(|tx| tx.find_user(user_id(2))).unwrap().unwrap().identity, None);
    assert!(!put(&tenant, |tx| tx.bind_identity(user_id(2), &identity(ISSUER, "grace"), LATER)).await);
}

async fn a_purged_guests_identity_can_be_bound_afresh(store: Store) {
    let tenant = bound(&store).await;
    put(&tenant, |tx| tx.purge_user(user_id(2), LATER)).await;
    assert!(tenant.read(|tx| tx.find_user_by_identity(ISSUER, "grace")).unwrap().is_none());
    let again = put(&tenant, |tx| {
        tx.add_user(&guest(3, ADDRESS), None)?;
        tx.bind_identity(user_id(3), &identity(ISSUER, "grace"), LATER)
    });
    assert!(again.await);
    let user = tenant.read(|tx| tx.find_user_by_identity(ISSUER, "grace")).unwrap().unwrap();
    assert_eq!(user.id, user_id(3));
}

for_every_engine! {
    r02_a_guest_is_found_by_exactly_issuer_and_subject,
    r02_nothing_a_guest_is_called_changes_who_she_is,
    r02_what_the_home_proved_is_kept_with_the_identity,
    r02_an_identity_that_is_bound_is_not_bound_again,
    r01_a_users_home_ids_do_not_find_her,
    a_deleted_guest_is_not_recognised_and_a_restored_one_is,
    a_deleted_guest_who_comes_again_is_the_new_guest,
    a_purged_guests_identity_can_be_bound_afresh,
}
