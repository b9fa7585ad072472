//! Requests for approval: answered once, in time, and by the tenant that they were made in.

use super::builders::*;
use domain::id::AppId;
use domain::issuance::consent_request::{ConsentRequest, Decision, Outcome};
use domain::time::Span;
use store::Store;
use uuid::Uuid;

const APP: AppId = AppId::new(Uuid::from_u128(30));
const END: Span = Span::days(1);

fn request(id: u128) -> ConsentRequest {
    ConsentRequest {
        id: Uuid::from_u128(id),
        app: APP,
        user: user_id(id),
        reason: "For the\nbudget".to_owned(),
        scopes: vec!["openid".to_owned(), "api://orders/audit".to_owned()],
        permissions: vec!["audit".to_owned()],
        created_at: NOW,
        expires_at: NOW + END,
        decision: None,
    }
}

fn decision(outcome: Outcome) -> Decision {
    Decision { outcome, by: user_id(9), at: LATER, reason: Some("Not now".to_owned()) }
}

async fn r14_a_request_is_answered_once_and_keeps_its_answer(store: Store) {
    let contoso = contoso(&store).await;
    put(&contoso, |tx| tx.add_consent_request(&request(1))).await;
    let found = |id| contoso.read(move |tx| tx.find_consent_request(Uuid::from_u128(id))).unwrap();
    assert_eq!(found(1), Some(request(1)));
    let denied = decision(Outcome::Denied);
    let decide = |decision: Decision| {
        let id = Uuid::from_u128(1);
        put(&contoso, move |tx| tx.decide_consent_request(id, &decision))
    };
    assert!(decide(denied.clone()).await);
    assert!(!decide(decision(Outcome::Approved)).await);
    assert_eq!(found(1), Some(ConsentRequest { decision: Some(denied), ..request(1) }));
}

async fn r04_a_request_is_not_answered_from_its_last_moment_on(store: Store) {
    let contoso = contoso(&store).await;
    put(&contoso, |tx| tx.add_consent_request(&request(1))).await;
    let late = Decision { at: NOW + END, ..decision(Outcome::Denied) };
    assert!(!put(&contoso, move |tx| tx.decide_consent_request(Uuid::from_u128(1), &late)).await);
    let open = |at| contoso.read(move |tx| tx.open_consent_requests(Some(APP), at, 10)).unwrap().len();
    assert_eq!((open(NOW), open(NOW + END)), (1, 0));
}

async fn what_limits_requests_is_counted(store: Store) {
    let contoso = contoso(&store).await;
    for id in [1, 2, 3] {
        put(&contoso, move |tx| tx.add_consent_request(&request(id))).await;
    }
    let facts = |at| contoso.read(move |tx| tx.consent_request_facts(APP, user_id(1), at)).unwrap();
    let now = facts(NOW);
    assert_eq!((now.is_asked, now.asked_today, now.open_for_application), (true, 1, 3));
    let later = facts(NOW + END);
    assert_eq!((later.is_asked, later.asked_today, later.open_for_application), (false, 0, 0));
    let decide = |id: u128, outcome, at| {
        let decision = Decision { at, ..decision(outcome) };
        put(&contoso, move |tx| tx.decide_consent_request(Uuid::from_u128(id), &decision))
    };
    assert!(decide(2, Outcome::Blocked, LATER).await);
    assert!(facts(LATER).is_blocked);
    assert!(decide(3, Outcome::Approved, LATER + Span::millis(1)).await);
    assert!(!facts(LATER).is_blocked, "an agreement lifts it");
    let list = contoso.read(|tx| tx.consent_requests_for(APP, Some(Uuid::from_u128(1)), 1)).unwrap();
    assert_eq!(list.iter().map(|found| found.id).collect::<Vec<_>>(), [Uuid::from_u128(2)]);
    assert_eq!(contoso.read(|tx| tx.apps_asked_for(None, 5)).unwrap(), [APP]);
}

async fn r21_another_tenant_finds_and_answers_no_request(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    put(&contoso, |tx| tx.add_consent_request(&request(1))).await;
    let id = Uuid::from_u128(1);
    assert_eq!(fabrikam.read(|tx| tx.find_consent_request(id)).unwrap(), None);
    assert!(fabrikam.read(|tx| tx.open_consent_requests(None, NOW, 10)).unwrap().is_empty());
    assert!(fabrikam.read(|tx| tx.apps_asked_for(None, 10)).unwrap().is_empty());
    let denied = decision(Outcome::Denied);
    assert!(!put(&fabrikam, move |tx| tx.decide_consent_request(id, &denied)).await);
}

for_every_engine! {
    r04_a_request_is_not_answered_from_its_last_moment_on,
    r14_a_request_is_answered_once_and_keeps_its_answer,
    r21_another_tenant_finds_and_answers_no_request,
    what_limits_requests_is_counted,
}
