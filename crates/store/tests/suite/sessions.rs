//! Sessions end at once, and what hangs on them with them.

use super::builders::*;
use super::everything::{self, BROWSER, REFRESH, SESSION, ada};
use domain::directory::user::User;
use domain::signin::session::Session;
use domain::time::Span;
use store::{Store, TenantStore};

async fn signed_in(store: &Store) -> TenantStore {
    let tenant = contoso(store).await;
    everything::fill(&tenant).await;
    assert!(is_refreshable(&tenant));
    tenant
}

fn session(tenant: &TenantStore, number: u128) -> Option<Session> {
    tenant.read(|tx| tx.find_session(session_id(number))).unwrap()
}

/// Whether a refresh token is still good for something, read as the token endpoint reads it.
fn is_refreshable(tenant: &TenantStore) -> bool {
    tenant
        .read(|tx| {
            let Some(grant) = tx.find_grant_by_refresh_token(hash(REFRESH))? else { return Ok(false) };
            let session = tx.find_session(grant.session)?;
            let is_alive = session.is_some_and(|session| {
                session.ended_at.is_none() && grant.started_at >= session.user.sessions_valid_from
            });
            Ok(is_alive && grant.revoked_at.is_none())
        })
        .unwrap()
}

async fn ending_a_session_ends_its_refresh_tokens(store: Store) {
    let tenant = signed_in(&store).await;
    assert!(put(&tenant, |tx| tx.end_session(session_id(SESSION), LATER)).await);
    assert!(!is_refreshable(&tenant));
    assert_eq!(session(&tenant, SESSION).unwrap().ended_at, Some(LATER));
    assert!(tenant.read(|tx| tx.sessions_of_browser(hash(BROWSER))).unwrap().is_empty());
    // An ended session does not come back by being used.
    put(&tenant, |tx| tx.touch_session(session_id(SESSION), LATER + Span::hours(1))).await;
    assert_eq!(session(&tenant, SESSION).unwrap().used_at, NOW);
}

async fn revoking_all_sessions_of_a_user_ends_their_refresh_tokens(store: Store) {
    let tenant = signed_in(&store).await;
    let revoked = User { sessions_valid_from: LATER, ..ada() };
    put(&tenant, move |tx| tx.update_user(&revoked, LATER)).await;
    assert!(!is_refreshable(&tenant));
    assert!(!session(&tenant, SESSION).unwrap().is_alive(LATER));
    // A new sign-in counts again, and the old token stays void.
    put(&tenant, |tx| {
        tx.put_session(session_id(900), hash(BROWSER), ada().id, &password_proof(), false, LATER)
    })
    .await;
    assert!(session(&tenant, 900).unwrap().is_alive(LATER));
    assert!(!is_refreshable(&tenant));
}

async fn revoking_a_grant_ends_its_refresh_tokens_and_not_the_session(store: Store) {
    let tenant = signed_in(&store).await;
    let id = tenant.read(|tx| tx.find_grant_by_refresh_token(hash(REFRESH))).unwrap().unwrap().id;
    put(&tenant, move |tx| tx.revoke_grant(id, LATER)).await;
    assert!(!is_refreshable(&tenant));
    assert!(session(&tenant, SESSION).unwrap().is_alive(LATER));
    // The moment of the end is the first one, whoever revokes again.
    put(&tenant, move |tx| tx.revoke_grant(id, LATER + Span::hours(1))).await;
    assert_eq!(tenant.read(|tx| tx.find_grant(id)).unwrap().unwrap().revoked_at, Some(LATER));
}

async fn r38_a_deleted_or_purged_user_has_no_session_and_no_refresh_token(store: Store) {
    let tenant = signed_in(&store).await;
    let deleted = User { deleted_at: Some(LATER), ..ada() };
    put(&tenant, move |tx| tx.update_user(&deleted, LATER)).await;
    assert!(session(&tenant, SESSION).is_none());
    assert!(!is_refreshable(&tenant));
    assert!(tenant.read(|tx| tx.sessions_of_browser(hash(BROWSER))).unwrap().is_empty());
    put(&tenant, |tx| tx.purge_user(ada().id, LATER)).await;
    assert!(session(&tenant, SESSION).is_none());
    assert!(!is_refreshable(&tenant));
}

async fn r38_a_session_shows_its_user_as_the_directory_has_them_now(store: Store) {
    let tenant = signed_in(&store).await;
    assert!(session(&tenant, SESSION).unwrap().user.is_enabled);
    let disabled = User { is_enabled: false, ..ada() };
    put(&tenant, move |tx| tx.update_user(&disabled, LATER)).await;
    assert!(!session(&tenant, SESSION).unwrap().user.is_enabled);
}

async fn a_session_that_takes_anothers_place_takes_its_grants(store: Store) {
    let tenant = signed_in(&store).await;
    put(&tenant, |tx| {
        tx.put_session(session_id(900), hash(BROWSER), ada().id, &password_proof(), true, LATER)?;
        tx.hand_over_session(session_id(SESSION), session_id(900), LATER)
    })
    .await;
    assert!(is_refreshable(&tenant), "what was granted lives on");
    assert_eq!(session(&tenant, SESSION).unwrap().ended_at, Some(LATER));
    assert!(put(&tenant, |tx| tx.end_session(session_id(900), LATER)).await);
    assert!(!is_refreshable(&tenant), "and ends with its new session");
}

async fn sessions_of_a_browser_are_its_own_latest_first(store: Store) {
    let tenant = signed_in(&store).await;
    put(&tenant, |tx| {
        let (browser, proof) = (hash(BROWSER), password_proof());
        tx.put_session(session_id(900), browser, ada().id, &proof, false, LATER)?;
        tx.put_session(session_id(901), hash(99), ada().id, &proof, false, LATER)?;
        tx.put_session(session_id(902), browser, user_id(2), &proof, false, NOW - Span::hours(1))
    })
    .await;
    let ids = || -> Vec<_> {
        let sessions = tenant.read(|tx| tx.sessions_of_browser(hash(BROWSER))).unwrap();
        sessions.into_iter().map(|session| session.id).collect()
    };
    assert_eq!(ids(), [900, SESSION, 902].map(session_id));
    put(&tenant, |tx| tx.touch_session(session_id(902), LATER + Span::hours(1))).await;
    assert_eq!(ids(), [902, 900, SESSION].map(session_id));
}

async fn failures_are_forgotten_after_a_pause_and_when_cleared(store: Store) {
    let tenant = contoso(&store).await;
    let count = |at, forget_before| {
        let tenant = tenant.clone();
        async move {
            put(&tenant, move |tx| tx.count_failure("ada", at, forget_before)).await;
            let failures = tenant.read(|tx| tx.failures("ada")).unwrap();
            assert_eq!(failures.last_at, Some(at));
            failures.count
        }
    };
    assert_eq!(count(NOW, NOW - Span::hours(1)).await, 1);
    assert_eq!(count(LATER, NOW).await, 2);
    assert_eq!(count(LATER + Span::hours(2), LATER + Span::hours(1)).await, 1, "starts afresh");
    put(&tenant, |tx| tx.clear_failures("ada")).await;
    assert_eq!(tenant.read(|tx| tx.failures("ada")).unwrap(), store::Failures::default());
}

for_every_engine! {
    ending_a_session_ends_its_refresh_tokens,
    revoking_all_sessions_of_a_user_ends_their_refresh_tokens,
    revoking_a_grant_ends_its_refresh_tokens_and_not_the_session,
    r38_a_deleted_or_purged_user_has_no_session_and_no_refresh_token,
    r38_a_session_shows_its_user_as_the_directory_has_them_now,
    a_session_that_takes_anothers_place_takes_its_grants,
    sessions_of_a_browser_are_its_own_latest_first,
    failures_are_forgotten_after_a_pause_and_when_cleared,
}
