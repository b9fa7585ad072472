//! Tenants are apart: what another one holds is simply not found, and cannot be touched.

use super::builders::*;
use super::everything::{
    self, ATTEMPT, BROWSER, CODE, GRANT, NAME, PARTNER_CODE, SESSION, TICKET, VISIT, ada, assert_all_found,
};
use domain::directory::user::UserType;
use domain::id::{AttemptId, GrantId, InvitationId};
use domain::time::Span;
use store::{Among, Store};
use uuid::Uuid;

async fn r21_a_tenant_finds_what_it_holds_and_another_finds_nothing_of_it(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    everything::fill(&contoso).await;
    assert_all_found(&contoso, true);
    assert_all_found(&fabrikam, false);
}

async fn r21_a_tenant_that_does_not_exist_finds_nothing(store: Store) {
    everything::fill(&contoso(&store).await).await;
    let nobody = store.tenant(FABRIKAM);
    assert_all_found(&nobody, false);
    assert!(nobody.read(|tx| tx.find_tenant_here()).unwrap().is_none());
}

async fn r21_a_tenant_cannot_use_up_or_end_what_another_holds(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    everything::fill(&contoso).await;
    let attempt = AttemptId::new(Uuid::from_u128(ATTEMPT));
    let grant = GrantId::new(Uuid::from_u128(GRANT));
    let answers = put(&fabrikam, move |tx| {
        tx.revoke_grant(grant, LATER)?;
        tx.touch_grant(grant, LATER)?;
        tx.touch_session(session_id(SESSION), LATER)?;
        tx.hand_over_session(session_id(SESSION), session_id(1_000), LATER)?;
        tx.clear_failures("192.0.2.1")?;
        Ok([
            tx.consume_code(hash(CODE), LATER)?,
            tx.consume_code(hash(PARTNER_CODE), LATER)?,
            tx.consume_home_visit(hash(VISIT), LATER)?,
            tx.accept_invitations(user_id(2), LATER)?,
            tx.end_attempt(attempt, LATER)?,
            tx.end_session(session_id(SESSION), LATER)?,
            tx.remove_assignment(Uuid::from_u128(33))?,
        ])
    });
    assert_eq!(answers.await, [false; 7]);
    assert_all_found(&contoso, true);
    let (code, partner, session, grant) = contoso
        .read(|tx| {
            Ok((
                tx.find_code(hash(CODE))?.unwrap(),
                tx.find_partner_code(hash(PARTNER_CODE))?.unwrap(),
                tx.find_session(session_id(SESSION))?.unwrap(),
                tx.find_grant(grant)?.unwrap(),
            ))
        })
        .unwrap();
    assert_eq!((code.redeemed_at, partner.redeemed_at, session.ended_at), (None, None, None));
    assert_eq!((grant.revoked_at, grant.used_at, session.used_at), (None, NOW, NOW));
    assert_eq!(grant.session, session_id(SESSION));
}

async fn r21_a_tenant_cannot_change_or_remove_anothers_objects(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    everything::fill(&contoso).await;
    put(&fabrikam, |tx| {
        let mut evil = member(1, "evil@fabrikam.test");
        evil.deleted_at = Some(LATER);
        tx.update_user(&evil, LATER)?;
        tx.set_password(user_id(1), "$argon2id$evil", true, LATER)?;
        let mut disabled = instance(32, application(30).app_id);
        (disabled.is_enabled, disabled.deleted_at) = (false, Some(LATER));
        tx.update_service_principal(&disabled, LATER)
    })
    .await;
    put(&fabrikam, |tx| tx.purge_user(user_id(1), LATER)).await;
    assert_all_found(&contoso, true);
    let (user, signs_in, password, app) = contoso
        .read(|tx| {
            Ok((
                tx.find_user(user_id(1))?.unwrap(),
                tx.find_sign_in_user(user_id(1))?.unwrap(),
                tx.find_password(user_id(1))?.unwrap(),
                tx.find_app(application(30).app_id)?.unwrap(),
            ))
        })
        .unwrap();
    assert_eq!((user.sign_in_name.as_str(), user.deleted_at), (NAME, None));
    assert_eq!((password.phc.as_str(), signs_in.must_change_password), ("$argon2id$ada", false));
    assert!(app.instance.as_ref().is_some_and(|instance| instance.is_enabled));
}

async fn r21_lists_and_counts_hold_only_ones_own(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    everything::fill(&contoso).await;
    put(&fabrikam, |tx| tx.add_user(&member(9, "eve@fabrikam.test"), None)).await;
    let page = fabrikam.read(|tx| tx.list_users(&everybody(10), None, Among::Living)).unwrap();
    assert_eq!((page.items.len(), page.count), (1, Some(1)));
    assert_eq!(page.items[0].id, user_id(9));
}

async fn one_name_one_address_and_one_id_may_stand_in_two_tenants(store: Store) {
    let tenants = [contoso(&store).await, fabrikam(&store).await];
    for (tenant, user_type) in tenants.iter().zip([UserType::Member, UserType::Guest]) {
        let user = domain::directory::user::User { user_type, ..ada() };
        assert!(put(tenant, move |tx| tx.add_user(&user, None)).await);
        assert!(
            put(tenant, |tx| tx.bind_identity(user_id(1), &identity("https://home.test", "ada"), NOW)).await
        );
    }
    for (tenant, user_type) in tenants.iter().zip([UserType::Member, UserType::Guest]) {
        let by_name = tenant.read(|tx| tx.find_user_by_name(NAME)).unwrap().unwrap();
        let bound = tenant.read(|tx| tx.find_user_by_identity("https://home.test", "ada")).unwrap().unwrap();
        assert_eq!((by_name.user_type, bound.user_type), (user_type, user_type));
    }
}

/// The same secret in two tenants is two objects: using one up leaves the other.
async fn r10_the_same_hash_in_two_tenants_is_two_objects(store: Store) {
    let tenants = [contoso(&store).await, fabrikam(&store).await];
    for tenant in &tenants {
        everything::fill_apart(tenant).await;
    }
    let [contoso, fabrikam] = &tenants;
    assert!(put(contoso, |tx| tx.consume_code(hash(CODE), LATER)).await);
    assert!(put(contoso, |tx| tx.consume_home_visit(hash(VISIT), LATER)).await);
    assert!(put(contoso, |tx| tx.end_session(session_id(SESSION), LATER)).await);
    assert!(put(contoso, |tx| tx.accept_invitations(user_id(2), LATER)).await);
    let unused = fabrikam
        .read(|tx| {
            let invitation = InvitationId::new(Uuid::from_u128(u128::from(TICKET)));
            Ok((
                tx.find_code(hash(CODE))?.unwrap().redeemed_at,
                tx.find_home_visit(hash(VISIT), hash(BROWSER), NOW)?.is_some(),
                tx.find_session(session_id(SESSION))?.unwrap().ended_at,
                tx.find_invitation_by_ticket(invitation, hash(TICKET))?.unwrap().accepted_at,
            ))
        })
        .unwrap();
    assert_eq!(unused, (None, true, None, None));
}

async fn one_tenants_failures_and_mail_blocks_are_its_own(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    put(&contoso, |tx| tx.count_failure("192.0.2.1", NOW, NOW - Span::hours(1))).await;
    assert_eq!(fabrikam.read(|tx| tx.failures("192.0.2.1")).unwrap().count, 0);
    assert!(put(&contoso, |tx| tx.block_mail("g@x.test", NOW)).await);
    assert!(!put(&contoso, |tx| tx.block_mail("g@x.test", NOW)).await);
    assert!(put(&fabrikam, |tx| tx.block_mail("g@x.test", NOW)).await);
}

async fn a_browser_is_known_where_it_has_sessions(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    put(&contoso, |tx| tx.touch_browser(hash(BROWSER), NOW)).await;
    put(&fabrikam, |tx| tx.touch_browser(hash(BROWSER), LATER)).await;
    put(&contoso, |tx| tx.touch_browser(hash(99), NOW)).await;
    let tenants = |browser| store.read(|tx| tx.tenants_of_browser(hash(browser))).unwrap();
    assert_eq!(tenants(BROWSER), [FABRIKAM, CONTOSO], "latest first");
    assert_eq!(tenants(99), [CONTOSO]);
    assert!(tenants(98).is_empty());
}

async fn secrets_of_the_deployment_differ_by_purpose_and_stay_the_same(store: Store) {
    assert_eq!(store.deployment_secret("form"), store.deployment_secret("form"));
    assert_ne!(store.deployment_secret("form"), store.deployment_secret("page"));
}

for_every_engine! {
    r21_a_tenant_finds_what_it_holds_and_another_finds_nothing_of_it,
    r21_a_tenant_that_does_not_exist_finds_nothing,
    r21_a_tenant_cannot_use_up_or_end_what_another_holds,
    r21_a_tenant_cannot_change_or_remove_anothers_objects,
    r21_lists_and_counts_hold_only_ones_own,
    one_name_one_address_and_one_id_may_stand_in_two_tenants,
    r10_the_same_hash_in_two_tenants_is_two_objects,
    one_tenants_failures_and_mail_blocks_are_its_own,
    a_browser_is_known_where_it_has_sessions,
    secrets_of_the_deployment_differ_by_purpose_and_stay_the_same,
}
