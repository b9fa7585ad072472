//! Devices that wait for a person: answered once, redeemed once, by the tenant that may.

use super::builders::*;
use super::everything::{ATTEMPT, BROWSER, DEVICE, USER_CODE, attempt};
use domain::id::{AttemptId, GrantId, TenantId};
use domain::issuance::decide::DeviceAnswer;
use domain::signin::attempt::{Attempt, Purpose};
use domain::time::Span;
use store::{Store, TenantStore};
use uuid::Uuid;

const END: Span = Span::minutes(15);
const GRANTED: GrantId = GrantId::new(Uuid::from_u128(71));

/// A device waits at a place.
async fn waiting_at(store: &Store, place: TenantId) -> TenantStore {
    let place = store.tenant(place);
    assert!(put(&place, |tx| tx.add_device_code(&device(DEVICE), hash(USER_CODE), NOW + END)).await);
    place
}

fn answer(tenant: &TenantStore) -> Option<DeviceAnswer> {
    tenant.read(|tx| tx.find_device_code(hash(DEVICE))).unwrap().map(|found| found.facts.answer)
}

async fn a_device_comes_back_as_it_was_put(store: Store) {
    let contoso = waiting_at(&store, contoso(&store).await.id()).await;
    let found = contoso.read(|tx| tx.find_device_code(hash(DEVICE))).unwrap().unwrap();
    assert_eq!((found.tenant, &found.device), (CONTOSO, &device(DEVICE)));
    assert_eq!((found.facts.client, found.facts.expires_at), (device(DEVICE).client, NOW + END));
    assert_eq!((found.facts.redeemed_at, found.approved), (None, None));
}

async fn a_user_code_in_use_is_not_given_again(store: Store) {
    waiting_at(&store, contoso(&store).await.id()).await;
    let fabrikam = fabrikam(&store).await;
    assert!(!put(&fabrikam, |tx| tx.add_device_code(&device(2), hash(USER_CODE), NOW + END)).await);
    assert!(put(&fabrikam, |tx| tx.add_device_code(&device(2), hash(3), NOW + END)).await);
}

async fn r10_neither_code_passes_for_the_other(store: Store) {
    let contoso = waiting_at(&store, contoso(&store).await.id()).await;
    let found = contoso.read(|tx| {
        Ok((
            tx.find_device_code(hash(USER_CODE))?.is_some(),
            tx.find_waiting_device(hash(DEVICE), NOW)?.is_some(),
        ))
    });
    assert_eq!(found.unwrap(), (false, false));
}

async fn r04_a_typed_code_leads_nowhere_from_its_last_moment_on(store: Store) {
    waiting_at(&store, contoso(&store).await.id()).await;
    let found = |at| store.read(|tx| tx.find_waiting_device(hash(USER_CODE), at)).unwrap().is_some();
    assert!(found(NOW + END - Span::millis(1)) && !found(NOW + END));
}

async fn r04_a_device_is_not_let_in_from_the_last_moment_on(store: Store) {
    let contoso = waiting_at(&store, contoso(&store).await.id()).await;
    assert!(!put(&contoso, |tx| tx.approve_device(hash(DEVICE), GRANTED, NOW + END)).await);
    assert!(put(&contoso, |tx| tx.approve_device(hash(DEVICE), GRANTED, NOW + END - Span::millis(1))).await);
}

async fn r14_a_device_is_answered_once(store: Store) {
    let contoso = waiting_at(&store, contoso(&store).await.id()).await;
    assert!(put(&contoso, |tx| tx.decline_device(hash(DEVICE), LATER)).await);
    assert!(!put(&contoso, |tx| tx.approve_device(hash(DEVICE), GRANTED, LATER)).await);
    assert_eq!(answer(&contoso), Some(DeviceAnswer::Declined));
    assert!(!put(&contoso, |tx| tx.consume_device_code(hash(DEVICE), LATER)).await);
    assert!(store.read(|tx| tx.find_waiting_device(hash(USER_CODE), NOW)).unwrap().is_none());
}

async fn r14_a_device_code_is_used_once_and_known_as_used(store: Store) {
    let contoso = waiting_at(&store, contoso(&store).await.id()).await;
    assert!(!put(&contoso, |tx| tx.consume_device_code(hash(DEVICE), LATER)).await, "nobody answered yet");
    assert!(put(&contoso, |tx| tx.approve_device(hash(DEVICE), GRANTED, LATER)).await);
    assert!(put(&contoso, |tx| tx.consume_device_code(hash(DEVICE), LATER)).await);
    assert!(!put(&contoso, |tx| tx.consume_device_code(hash(DEVICE), LATER + END)).await);
    let found = contoso.read(|tx| tx.find_device_code(hash(DEVICE))).unwrap().unwrap();
    assert_eq!((found.facts.redeemed_at, found.approved), (Some(LATER), Some((CONTOSO, GRANTED))));
}

async fn r21_another_tenant_neither_finds_nor_answers_a_device(store: Store) {
    let contoso = waiting_at(&store, contoso(&store).await.id()).await;
    let fabrikam = fabrikam(&store).await;
    assert_eq!(answer(&fabrikam), None);
    assert!(!put(&fabrikam, |tx| tx.approve_device(hash(DEVICE), GRANTED, LATER)).await);
    assert!(!put(&fabrikam, |tx| tx.decline_device(hash(DEVICE), LATER)).await);
    assert_eq!(answer(&contoso), Some(DeviceAnswer::Pending));
    assert!(put(&contoso, |tx| tx.approve_device(hash(DEVICE), GRANTED, LATER)).await);
    assert!(!put(&fabrikam, |tx| tx.consume_device_code(hash(DEVICE), LATER)).await);
}

async fn r21_a_device_of_no_tenant_belongs_to_the_one_that_answers(store: Store) {
    let nowhere = waiting_at(&store, TenantId::new(Uuid::nil())).await;
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    assert_eq!((answer(&nowhere), answer(&contoso)), (Some(DeviceAnswer::Pending), None));
    assert!(put(&contoso, |tx| tx.approve_device(hash(DEVICE), GRANTED, LATER)).await);
    assert_eq!((answer(&nowhere), answer(&fabrikam)), (Some(DeviceAnswer::Approved), None));
    assert_eq!(answer(&contoso), Some(DeviceAnswer::Approved));
    assert!(!put(&fabrikam, |tx| tx.consume_device_code(hash(DEVICE), LATER)).await);
    assert!(put(&contoso, |tx| tx.consume_device_code(hash(DEVICE), LATER)).await);
}

async fn r28_an_unfinished_sign_in_remembers_the_device(store: Store) {
    let contoso = contoso(&store).await;
    let purpose = Purpose::Device(Box::new(device(DEVICE)));
    let begun = Attempt { purpose, device_confirmed_by: Some(user_id(1)), ..attempt(&contoso) };
    put(&contoso, move |tx| tx.add_attempt(&begun, hash(BROWSER), "")).await;
    let id = AttemptId::new(Uuid::from_u128(ATTEMPT));
    let found = contoso.read(|tx| tx.find_attempt(id, hash(BROWSER))).unwrap().unwrap();
    assert_eq!(found.device_confirmed_by, Some(user_id(1)));
    let Purpose::Device(kept) = found.purpose else { panic!("{found:?}") };
    assert_eq!(*kept, device(DEVICE));
}

for_every_engine! {
    a_device_comes_back_as_it_was_put,
    a_user_code_in_use_is_not_given_again,
    r10_neither_code_passes_for_the_other,
    r04_a_typed_code_leads_nowhere_from_its_last_moment_on,
    r04_a_device_is_not_let_in_from_the_last_moment_on,
    r14_a_device_is_answered_once,
    r14_a_device_code_is_used_once_and_known_as_used,
    r21_another_tenant_neither_finds_nor_answers_a_device,
    r21_a_device_of_no_tenant_belongs_to_the_one_that_answers,
    r28_an_unfinished_sign_in_remembers_the_device,
}
