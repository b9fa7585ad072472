//! A deleted tenant is closed at once and emptied afterwards; what stays of it is its id and its records.

use super::builders::*;
use super::everything::{self, ADDRESS, APP, NAME};
use domain::id::{TenantId, UserId};
use domain::tenancy::deletion::{Left, NAME_KEPT};
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::limits::Limits;
use domain::tenancy::tenant::{TenantDomain, TenantState};
use domain::time::Span;
use store::{Chore, Fault, Person, Recorded, Store, TenantStore};
use uuid::Uuid;

/// Who made Contoso.
const MAKER: Person = Person { home: FABRIKAM, user: UserId::new(Uuid::from_u128(5)) };

fn created(store: &Store) -> i64 {
    store.read(|tx| tx.tenants_created(MAKER, &Limits::default())).unwrap().0
}

fn guest_of(store: &Store) -> i64 {
    let person = Person { home: FABRIKAM, user: identity("", "").home_user };
    store.read(|tx| tx.directories(person, &Limits::default())).unwrap().0 - 1
}

async fn filled(store: &Store) -> TenantStore {
    let tenant = contoso(store).await;
    everything::fill(&tenant).await;
    put(&tenant, |tx| tx.count_created_tenant(MAKER)).await;
    tenant
}

async fn close(tenant: &TenantStore, kept: &[&str]) {
    let kept: Vec<DomainName> = kept.iter().map(|name| DomainName::parse(name).unwrap()).collect();
    put(tenant, move |tx| tx.close_tenant(&kept, NOW)).await;
}

/// Empties it; answers how many steps it took.
async fn empty(store: &Store, tenant: &TenantStore) -> usize {
    let mut steps = 0;
    while store.read(|tx| tx.tenants_to_empty()).unwrap() == [tenant.id()] {
        let step = tenant.write(|tx| {
            match tx.application_to_empty()? {
                Some(app) => tx.purge_application(&app, LATER).map(|_| ())?,
                None => tx.empty_tenant(LATER).map(|_| ())?,
            }
            Ok(Recorded::chore(Chore::Clearing, ()))
        });
        step.await.unwrap();
        steps += 1;
        assert!(steps < 50, "it is never empty");
    }
    steps
}

async fn r22_a_closed_tenant_is_found_by_nothing_and_its_id_never_comes_back(store: Store) {
    let contoso = filled(&store).await;
    let fabrikam = fabrikam(&store).await;
    assert_eq!((created(&store), guest_of(&store)), (1, 1));
    close(&contoso, &["contoso.test"]).await;
    assert_eq!(created(&store), 0);
    let name = DomainName::parse("contoso.test").unwrap();
    store
        .read(|tx| {
            assert!(tx.find_tenant(CONTOSO)?.is_none());
            assert_eq!(tx.find_domain_owner(&name)?, None);
            assert_eq!(tx.list_tenants()?, [FABRIKAM]);
            assert!(tx.is_name_kept(&name, NOW + NAME_KEPT - Span::millis(1))?);
            assert!(!tx.is_name_kept(&name, NOW + NAME_KEPT)?, "nobody need sweep it (R04)");
            Ok(())
        })
        .unwrap();
    assert!(store.cached_tenant(CONTOSO).is_none());
    // Whatever is under way there must not go on.
    assert_eq!(contoso.read(|tx| tx.load_tenant()).unwrap().state, TenantState::Deleted);
    let late =
        contoso.write(|tx| Ok(Recorded::new(record("Add user"), tx.add_user(&member(77, NAME), None)?)));
    assert!(matches!(late.await, Err(Fault::Gone)));
    let late = contoso
        .write(|tx| Ok(Recorded::new(record("Add tenant"), tx.add_tenant(&tenant(CONTOSO, "other.test"))?)));
    assert!(matches!(late.await, Err(Fault::Gone)));
    assert!(contoso.read(|tx| tx.find_user(user_id(77))).unwrap().is_none());
    // Its names are no longer its own; who may have them is another question.
    let domain = TenantDomain { name, is_default: false, is_initial: false, is_verified: true };
    assert!(put(&fabrikam, move |tx| tx.put_domain(&domain, NOW)).await);
}

async fn what_a_closed_tenant_held_goes_and_its_records_and_ids_stay(store: Store) {
    let contoso = filled(&store).await;
    let fabrikam = fabrikam(&store).await;
    put(&fabrikam, |tx| tx.add_user(&member(500, "bob@fabrikam.test"), None)).await;
    close(&contoso, &[]).await;
    let told = fabrikam.read(|tx| tx.log_bounds()).unwrap();
    assert!(empty(&store, &contoso).await > 1, "in steps");
    // Numbers of the log do not come back: they would be behind tokens that were given out.
    assert!(fabrikam.read(|tx| tx.log_bounds()).unwrap().last >= told.last);
    let wrong: Vec<_> = everything::found(&contoso)
        .into_iter()
        .filter(|(name, is_found)| *is_found != name.ends_with(" records"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(guest_of(&store), 0, "Grace was a guest to the end");
    assert!(store.read(|tx| tx.due_outbox(LATER, 10)).unwrap().is_empty());
    let buried = [1, 2, 32, APP].map(Uuid::from_u128);
    let back = put(&fabrikam, move |tx| {
        buried.into_iter().map(|id| tx.is_buried(id)).collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(back.await, [true; 4]);
    assert!(!put(&fabrikam, |tx| tx.add_user(&member(1, NAME), None)).await);
    // Nobody else lost anything.
    assert!(fabrikam.read(|tx| tx.find_user(user_id(500))).unwrap().is_some());
}

async fn what_is_left_is_counted_without_one_user_and_what_every_tenant_has(store: Store) {
    let contoso = filled(&store).await;
    let left = || contoso.read(|tx| tx.left_in_tenant()).unwrap();
    assert_eq!(left(), Left { users: 1, groups: 0, applications: 1, service_principals: 1 });
    let own = domain::directory::first_party::all()[0].app_id;
    put(&contoso, move |tx| {
        let mut grace = tx.find_user_by_name(&guest(2, ADDRESS).sign_in_name)?.unwrap();
        grace.deleted_at = Some(NOW);
        tx.update_user(&grace, NOW)?;
        tx.add_service_principal(&instance(900, own))?;
        tx.add_group(&group(901))
    })
    .await;
    assert_eq!(left(), Left { users: 0, groups: 1, applications: 1, service_principals: 1 });
    let nobody = store.tenant(TenantId::new(Uuid::from_u128(7)));
    assert_eq!(nobody.read(|tx| tx.left_in_tenant()).unwrap(), Left::default());
}

for_every_engine! {
    r22_a_closed_tenant_is_found_by_nothing_and_its_id_never_comes_back,
    what_a_closed_tenant_held_goes_and_its_records_and_ids_stay,
    what_is_left_is_counted_without_one_user_and_what_every_tenant_has,
}
