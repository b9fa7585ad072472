//! Token lifetime policies: what an application is read with, and how a policy ends.

use super::builders::*;
use domain::directory::application::{Application, Lifetimes, ServicePrincipal};
use domain::directory::group::LinkedKind;
use domain::directory::token_lifetime_policy::TokenLifetimePolicy;
use domain::time::Span;
use store::{Store, TenantStore};

/// The lifetimes in seconds: of the instance, of the organisation, of the registration.
fn lifetimes(tenant: &TenantStore) -> [Option<i64>; 3] {
    let app = tenant.read(|tx| tx.find_app(application(30).app_id)).unwrap().unwrap();
    let Lifetimes { instance, organization, application } = app.lifetimes;
    [instance, organization, application].map(|lifetime| lifetime.map(Span::as_seconds))
}

/// Contoso with an application, Fabrikam with an instance of it, and policies of 1, 2 and 3 seconds in each.
async fn both(store: &Store) -> (TenantStore, TenantStore) {
    let (contoso, fabrikam) = (contoso(store).await, fabrikam(store).await);
    put(&contoso, |tx| tx.add_application(&application(30))).await;
    for (tenant, number) in [(&contoso, 40), (&fabrikam, 50)] {
        put(tenant, move |tx| {
            for seconds in 1..=3 {
                tx.put_token_lifetime_policy(&lifetime_policy(
                    number + seconds,
                    seconds.try_into().unwrap(),
                ))?;
            }
            tx.add_service_principal(&instance(number, application(30).app_id))
        })
        .await;
    }
    (contoso, fabrikam)
}

async fn assign(tenant: &TenantStore, kind: LinkedKind, object: u128, policy: u128) -> bool {
    let object = uuid::Uuid::from_u128(object);
    put(tenant, move |tx| tx.assign_token_lifetime_policy((kind, object), lifetime_policy(policy, 1).id))
        .await
}

async fn r38_a_policy_counts_from_its_commit_on_and_in_its_own_tenant(store: Store) {
    let (contoso, fabrikam) = both(&store).await;
    assert_eq!((lifetimes(&contoso), lifetimes(&fabrikam)), ([None; 3], [None; 3]));
    assert!(assign(&contoso, LinkedKind::ServicePrincipal, 40, 41).await);
    let for_all = TokenLifetimePolicy { is_organization_default: true, ..lifetime_policy(42, 2) };
    put(&contoso, move |tx| tx.put_token_lifetime_policy(&for_all)).await;
    assert_eq!((lifetimes(&contoso), lifetimes(&fabrikam)), ([Some(1), Some(2), None], [None; 3]));
    // A registration's policy goes wherever the registration is used.
    assert!(assign(&contoso, LinkedKind::Application, 30, 43).await);
    let (here, there) = (lifetimes(&contoso), lifetimes(&fabrikam));
    assert_eq!((here, there), ([Some(1), Some(2), Some(3)], [None, None, Some(3)]));
    put(&contoso, |tx| tx.put_token_lifetime_policy(&lifetime_policy(43, 9))).await;
    assert_eq!(lifetimes(&fabrikam), [None, None, Some(9)]);
    // Nobody sets it from elsewhere: the object is another tenant's.
    assert!(assign(&fabrikam, LinkedKind::Application, 30, 51).await);
    assert_eq!(lifetimes(&fabrikam), [None, None, Some(9)]);
}

async fn an_object_has_one_policy_until_it_is_taken_away(store: Store) {
    let (contoso, _) = both(&store).await;
    assert!(assign(&contoso, LinkedKind::ServicePrincipal, 40, 41).await);
    assert!(!assign(&contoso, LinkedKind::ServicePrincipal, 40, 42).await);
    let object = uuid::Uuid::from_u128(40);
    let take = |policy| {
        put(&contoso, move |tx| tx.unassign_token_lifetime_policy(object, lifetime_policy(policy, 1).id))
    };
    assert!(!take(42).await);
    assert!(take(41).await && !take(41).await);
    assert_eq!(lifetimes(&contoso), [None; 3]);
}

async fn a_removed_policy_is_taken_from_everything(store: Store) {
    let (contoso, _) = both(&store).await;
    assert!(assign(&contoso, LinkedKind::ServicePrincipal, 40, 41).await);
    assert!(assign(&contoso, LinkedKind::Application, 30, 41).await);
    let policy = lifetime_policy(41, 1);
    let id = policy.id;
    let objects = || contoso.read(|tx| tx.objects_of_token_lifetime_policy(id, None, 9)).unwrap();
    assert_eq!(objects().len(), 2);
    put(&contoso, move |tx| tx.remove_token_lifetime_policy(id, LATER)).await;
    assert!(objects().is_empty());
    assert_eq!(lifetimes(&contoso), [None; 3]);
    assert!(contoso.read(|tx| tx.find_token_lifetime_policy(id)).unwrap().is_none());
    // Its id is nobody's from now on (R22).
    assert!(put(&contoso, move |tx| tx.is_buried(id.uuid())).await);
}

/// The bin brings back what lay in it with its policy; what goes for good leaves nothing.
async fn what_goes_leaves_its_policy(store: Store) {
    let (contoso, fabrikam) = both(&store).await;
    assert!(assign(&contoso, LinkedKind::ServicePrincipal, 40, 41).await);
    assert!(assign(&contoso, LinkedKind::Application, 30, 41).await);
    assert!(assign(&fabrikam, LinkedKind::ServicePrincipal, 50, 51).await);
    let objects = |tenant: &TenantStore, policy| {
        let id = lifetime_policy(policy, 1).id;
        tenant.read(|tx| tx.objects_of_token_lifetime_policy(id, None, 9)).unwrap().len()
    };
    let written = |deleted_at| {
        let gone = ServicePrincipal { deleted_at, ..instance(40, application(30).app_id) };
        put(&contoso, move |tx| tx.update_service_principal(&gone, LATER))
    };
    assert!(written(Some(LATER)).await);
    assert_eq!(objects(&contoso, 41), 1);
    assert!(written(None).await);
    assert_eq!(objects(&contoso, 41), 2);
    let deleted = Application { deleted_at: Some(LATER), ..application(30) };
    let app = deleted.clone();
    put(&contoso, move |tx| tx.update_application(&app, LATER)).await;
    assert_eq!((objects(&contoso, 41), objects(&fabrikam, 51)), (0, 1));
    put(&contoso, |tx| tx.update_application(&application(30), LATER)).await;
    assert_eq!(objects(&contoso, 41), 2);
    put(&contoso, move |tx| tx.purge_application(&deleted, LATER)).await;
    assert_eq!((objects(&contoso, 41), objects(&fabrikam, 51)), (0, 0));
    for (tenant, object) in [(&contoso, 30), (&contoso, 40), (&fabrikam, 50)] {
        let object = uuid::Uuid::from_u128(object);
        assert!(tenant.read(|tx| tx.token_lifetime_policy_of(object)).unwrap().is_none());
    }
}

for_every_engine! {
    a_removed_policy_is_taken_from_everything,
    an_object_has_one_policy_until_it_is_taken_away,
    r38_a_policy_counts_from_its_commit_on_and_in_its_own_tenant,
    what_goes_leaves_its_policy,
}
