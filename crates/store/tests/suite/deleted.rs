//! What lies in the bin, comes back, and goes for good.

use super::builders::*;
use super::everything::{self, APP};
use domain::directory::application::{Application, ServicePrincipal};
use domain::directory::group::{Group, Link, LinkedKind};
use domain::directory::user::User;
use domain::id::{PartId, ServicePrincipalId};
use domain::time::{Span, Timestamp};
use store::{Among, AppRoleAssignment, Assigned, AssignmentFilter, ConsentFilter, Store, TenantStore};
use uuid::Uuid;

const PORTAL: u128 = 32;

fn portal() -> ServicePrincipal {
    instance(PORTAL, application(APP).app_id)
}

async fn set_deleted(
    tenant: &TenantStore,
    instance: ServicePrincipal,
    deleted_at: Option<Timestamp>,
) -> bool {
    let instance = ServicePrincipal { deleted_at, ..instance };
    put(tenant, move |tx| tx.update_service_principal(&instance, LATER)).await
}

async fn set_app_deleted(tenant: &TenantStore, deleted_at: Option<Timestamp>) {
    let app = Application { deleted_at, ..application(APP) };
    assert!(put(tenant, move |tx| tx.update_application(&app, LATER)).await);
}

/// The instances that are there, and those in the bin.
fn instances(tenant: &TenantStore) -> (Vec<u128>, Vec<u128>) {
    let among = |among| {
        let page = tenant.read(|tx| tx.list_service_principals(&everybody(10), None, among)).unwrap();
        assert_eq!(page.count, Some(page.items.len() as i64));
        page.items.iter().map(|row| row.instance.id.uuid().as_u128()).collect()
    };
    (among(Among::Living), among(Among::DeletedSince(LATER)))
}

fn assignments(tenant: &TenantStore, of: Assigned) -> Vec<AppRoleAssignment> {
    tenant.read(|tx| tx.list_assignments(of, &AssignmentFilter::default(), None, 10)).unwrap()
}

async fn a_deleted_instance_is_in_the_bin_only_and_comes_back_with_what_it_was_given(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    assert!(put(&tenant, |tx| tx.add_group(&group(50))).await);
    let member = (LinkedKind::ServicePrincipal, portal().id.uuid());
    assert!(put(&tenant, move |tx| tx.add_link(group(50).id, Link::Member, member.0, member.1, NOW)).await);
    let members = || tenant.read(|tx| tx.count_linked(&store::Within::LinkedTo(group(50).id, Link::Member)));
    let consents = || tenant.read(|tx| tx.list_consents(&ConsentFilter::default(), None, 10)).unwrap().len();
    let secrets = portal().secrets;
    assert_eq!((members().unwrap(), consents()), (1, 1));

    assert!(set_deleted(&tenant, portal(), Some(LATER)).await);
    assert_eq!(instances(&tenant), (vec![], vec![PORTAL]));
    let app = tenant.read(|tx| tx.find_app(application(APP).app_id)).unwrap().unwrap();
    assert!(app.instance.is_none() && app.granted_roles.is_empty());
    assert!(tenant.read(|tx| tx.find_app_by_uri("api://app-30")).unwrap().is_none());
    assert!(tenant.read(|tx| tx.find_service_principal(portal().id)).unwrap().is_none());
    let row = tenant.read(|tx| tx.find_deleted_service_principal(portal().id)).unwrap().unwrap();
    assert_eq!((row.instance.deleted_at, row.instance.secrets), (Some(LATER), secrets));
    assert_eq!((members().unwrap(), consents()), (0, 0), "what was agreed to is not shown");
    assert!(tenant.read(|tx| tx.find_consent(Uuid::from_u128(34))).unwrap().is_none());
    // Whoever holds a role of it goes on holding it, and it counts.
    assert_eq!(assignments(&tenant, Assigned::To(portal().id)).len(), 1);
    assert_eq!(tenant.read(|tx| tx.count_assignments_of(everything::ada().id.uuid())).unwrap(), 1);

    assert!(set_deleted(&tenant, portal(), None).await);
    assert_eq!(instances(&tenant), (vec![PORTAL], vec![]));
    assert_eq!((members().unwrap(), consents()), (1, 1));
    everything::assert_all_found(&tenant, true);
}

async fn a_new_instance_has_nothing_of_the_deleted_one_and_keeps_it_in_the_bin(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    let app_id = application(APP).app_id;
    assert!(!put(&tenant, move |tx| tx.add_service_principal(&instance(40, app_id))).await);
    assert!(set_deleted(&tenant, portal(), Some(LATER)).await);
    assert!(put(&tenant, move |tx| tx.add_service_principal(&instance(40, app_id))).await);
    let app = tenant.read(|tx| tx.find_app(app_id)).unwrap().unwrap();
    assert_eq!(app.instance.as_ref().unwrap().id, instance(40, app_id).id);
    assert!(assignments(&tenant, Assigned::To(instance(40, app_id).id)).is_empty());
    assert!(!set_deleted(&tenant, portal(), None).await);
    assert_eq!(instances(&tenant), (vec![40], vec![PORTAL]));
    assert!(set_deleted(&tenant, instance(40, app_id), Some(LATER)).await);
    assert!(set_deleted(&tenant, portal(), None).await);
    assert_eq!(instances(&tenant), (vec![PORTAL], vec![40]));
}

async fn an_instance_goes_and_comes_back_with_its_registration(store: Store) {
    let (tenant, elsewhere) = (contoso(&store).await, fabrikam(&store).await);
    everything::fill(&tenant).await;
    let other = instance(41, application(APP).app_id);
    assert!(put(&elsewhere, move |tx| tx.add_service_principal(&other)).await);
    set_app_deleted(&tenant, Some(LATER)).await;
    assert_eq!((instances(&tenant), instances(&elsewhere)), ((vec![], vec![PORTAL]), (vec![41], vec![])));
    set_app_deleted(&tenant, None).await;
    assert_eq!(instances(&tenant), (vec![PORTAL], vec![]));
    // One that was deleted by itself stays deleted.
    assert!(set_deleted(&tenant, portal(), Some(LATER)).await);
    set_app_deleted(&tenant, Some(LATER)).await;
    set_app_deleted(&tenant, None).await;
    assert_eq!(instances(&tenant), (vec![], vec![PORTAL]));
}

async fn r22_a_purged_instance_leaves_nothing_and_its_id_never_comes_back(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    let app_id = application(APP).app_id;
    put(&tenant, |tx| tx.add_instance_secret(portal().id, &client_secret(90))).await;
    let role = PartId::new(Uuid::from_u128(91));
    put(&tenant, move |tx| {
        tx.assign_app_role(Uuid::from_u128(92), portal().id.uuid(), portal().id, role, NOW)?;
        tx.add_owner(
            (LinkedKind::ServicePrincipal, portal().id.uuid()),
            (LinkedKind::User, user_id(1).uuid()),
            NOW,
        )
    })
    .await;
    assert!(set_deleted(&tenant, portal(), Some(LATER)).await);
    put(&tenant, |tx| {
        let row = tx.find_deleted_service_principal(portal().id)?.unwrap();
        tx.purge_service_principal(&row, LATER)
    })
    .await;
    assert_eq!(instances(&tenant), (vec![], vec![]));
    for of in [Assigned::To(portal().id), Assigned::Of(portal().id.uuid()), Assigned::Of(user_id(1).uuid())] {
        assert!(assignments(&tenant, of).is_empty());
    }
    assert!(!tenant.read(|tx| tx.is_owner(portal().id.uuid(), user_id(1).uuid())).unwrap());
    assert!(put(&tenant, |tx| tx.is_buried(portal().id.uuid())).await);
    assert!(!put(&tenant, |tx| tx.add_service_principal(&portal())).await);
    // Another instance finds neither the agreement nor the secret.
    assert!(put(&tenant, move |tx| tx.add_service_principal(&instance(40, app_id))).await);
    let consents = tenant.read(|tx| tx.list_consents(&ConsentFilter::default(), None, 10)).unwrap();
    assert!(consents.is_empty());
    let row = tenant.read(|tx| tx.find_service_principal(instance(40, app_id).id)).unwrap().unwrap();
    assert!(row.instance.secrets.is_empty());
}

async fn a_purged_registration_takes_its_instances_of_every_tenant(store: Store) {
    let (tenant, elsewhere) = (contoso(&store).await, fabrikam(&store).await);
    everything::fill(&tenant).await;
    let other = instance(41, application(APP).app_id);
    assert!(put(&elsewhere, move |tx| tx.add_service_principal(&other)).await);
    set_app_deleted(&tenant, Some(LATER)).await;
    let mut gone = put(&tenant, |tx| tx.purge_application(&application(APP), LATER)).await;
    gone.sort_by_key(|(_, id)| *id);
    let id = |number| ServicePrincipalId::new(Uuid::from_u128(number));
    assert_eq!(gone, [(tenant.id(), id(PORTAL)), (elsewhere.id(), id(41))]);
    for (tenant, number) in [(&tenant, PORTAL), (&elsewhere, 41)] {
        assert_eq!(instances(tenant), (vec![], vec![]));
        assert!(put(tenant, move |tx| tx.is_buried(Uuid::from_u128(number))).await);
    }
}

async fn what_is_due_is_found_in_every_tenant_and_nothing_else(store: Store) {
    let (tenant, elsewhere) = (contoso(&store).await, fabrikam(&store).await);
    everything::fill(&tenant).await;
    assert!(put(&tenant, |tx| tx.add_group(&group(50))).await);
    assert!(put(&elsewhere, |tx| tx.add_user(&member(60, "eve@fabrikam.test"), None)).await);
    let due = |time| store.read(|tx| tx.deleted_before(time, 10)).unwrap();
    assert!(due(LATER + Span::days(1)).is_empty());
    let (ada, eve) = (everything::ada(), member(60, "eve@fabrikam.test"));
    let (sooner, later) = (LATER, LATER + Span::hours(1));
    put(&tenant, move |tx| tx.update_user(&User { deleted_at: Some(later), ..ada.clone() }, later)).await;
    put(&elsewhere, move |tx| tx.update_user(&User { deleted_at: Some(sooner), ..eve.clone() }, sooner))
        .await;
    put(&tenant, move |tx| tx.update_group(&Group { deleted_at: Some(later), ..group(50) }, later)).await;
    set_app_deleted(&tenant, Some(LATER)).await;
    assert_eq!(due(LATER), [], "not before, but then");
    let (here, there) = (tenant.id(), elsewhere.id());
    let all = [
        (there, LinkedKind::User, Uuid::from_u128(60)),
        (here, LinkedKind::User, user_id(1).uuid()),
        (here, LinkedKind::Group, Uuid::from_u128(50)),
        (here, LinkedKind::ServicePrincipal, portal().id.uuid()),
        (here, LinkedKind::Application, application(APP).id.uuid()),
    ];
    assert_eq!(due(later + Span::millis(1)), all);
    assert_eq!(due(later), [all[0], all[3], all[4]]);
    assert_eq!(store.read(|tx| tx.deleted_before(later + Span::millis(1), 1)).unwrap().len(), 4);
    // The bin ends where that begins.
    let listed = |since| {
        let page = tenant.read(|tx| tx.list_users(&everybody(10), None, Among::DeletedSince(since)));
        page.unwrap().items.len()
    };
    assert_eq!((listed(later), listed(later + Span::millis(1))), (1, 0));
}

for_every_engine! {
    a_deleted_instance_is_in_the_bin_only_and_comes_back_with_what_it_was_given,
    a_new_instance_has_nothing_of_the_deleted_one_and_keeps_it_in_the_bin,
    an_instance_goes_and_comes_back_with_its_registration,
    r22_a_purged_instance_leaves_nothing_and_its_id_never_comes_back,
    a_purged_registration_takes_its_instances_of_every_tenant,
    what_is_due_is_found_in_every_tenant_and_nothing_else,
}
