//! Relations between objects: found by an index from either end.

use super::builders::*;
use domain::id::ServicePrincipalId;
use store::{Assigned, ConsentFilter, Store};
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

for_every_engine! {
    relations_are_found_by_an_index,
}
