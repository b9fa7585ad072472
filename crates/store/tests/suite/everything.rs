//! One thing of each kind in a tenant, and whether each is found: the same list shows that a tenant keeps what it was
//! given, that another tenant finds none of it, and that a file brings it back.

use super::builders::*;
use domain::directory::group::LinkedKind;
use domain::directory::role::{RoleAssignment, find_by_name};
use domain::directory::user::User;
use domain::federation::assertion::HomeAssertion;
use domain::id::{AttemptId, InvitationId, PartId, ServicePrincipalId};
use domain::signin::attempt::{Attempt, Purpose};
use domain::tenancy::domain_name::Address;
use domain::time::Span;
use standards::oauth::authorize::{ChallengeMethod, CodeChallenge};
use store::{
    Among, AppRoleAssignment, Applied, Assigned, AssignmentFilter, ConsentFilter, Fault, Going, HomeVisit,
    PartnerCode, ReadTx, TenantStore,
};
use uuid::Uuid;

pub(crate) const NAME: &str = "ada@contoso.test";
pub(crate) const ADDRESS: &str = "grace@fabrikam.test";
pub(crate) const APP: u128 = 30;
pub(crate) const CODE: u64 = 50;
pub(crate) const PARTNER_CODE: u64 = 51;
pub(crate) const REFRESH: u64 = 52;
pub(crate) const VISIT: u64 = 53;
pub(crate) const BROWSER: u64 = 54;
pub(crate) const DEVICE: u64 = 55;
pub(crate) const USER_CODE: u64 = 56;
pub(crate) const TICKET: u64 = 60;
pub(crate) const SESSION: u128 = 70;
pub(crate) const GRANT: u128 = 71;
pub(crate) const ATTEMPT: u128 = 72;

pub(crate) fn ada() -> User {
    member(1, NAME)
}

pub(crate) fn attempt(tenant: &TenantStore) -> Attempt {
    Attempt {
        id: AttemptId::new(Uuid::from_u128(ATTEMPT)),
        tenant: tenant.id(),
        purpose: Purpose::Portal,
        created_at: NOW,
        login: Some(NAME.to_owned()),
        picked: None,
        wants_other_account: false,
        proved: None,
        assertion: None,
        redemption_accepted_at: None,
        consented: None,
        device_confirmed_by: None,
        stay_signed_in: None,
    }
}

pub(crate) fn visit() -> HomeVisit {
    HomeVisit {
        attempt: AttemptId::new(Uuid::from_u128(ATTEMPT)),
        home: FABRIKAM,
        nonce: "visit-nonce".to_owned(),
        verifier: "visit-verifier".to_owned(),
        expires_at: NOW + Span::minutes(10),
    }
}

pub(crate) fn partner_code() -> PartnerCode {
    PartnerCode {
        partner: FABRIKAM,
        user: ada().id,
        session: session_id(SESSION),
        evidence: password_proof(),
        nonce: Some("partner-nonce".to_owned()),
        challenge: CodeChallenge { method: ChallengeMethod::S256, value: "challenge".to_owned() },
        expires_at: NOW + Span::minutes(2),
        redeemed_at: None,
    }
}

pub(crate) fn assertion(subject: &str, addresses: &[&str]) -> HomeAssertion {
    HomeAssertion {
        identity: identity("https://home.test", subject),
        name: "Grace".to_owned(),
        sign_in_name: None,
        proved_addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        evidence: password_proof(),
        authenticated_at: NOW,
    }
}

/// Ada with a password, a role and a session; Grace, her guest; an application with an instance; codes and tokens.
pub(crate) async fn fill(tenant: &TenantStore) {
    let attempt = attempt(tenant);
    put(tenant, move |tx| {
        let (ada, grace) = (ada(), guest(2, ADDRESS));
        let all = [
            tx.add_user(&ada, None)?,
            tx.add_user(&grace, Some(FABRIKAM))?,
            tx.assign_role(&held(), NOW)?,
            tx.add_sponsor(grace.id, ada.id)?,
            tx.bind_identity(grace.id, &identity("https://home.test", "grace"), NOW)?,
        ];
        tx.set_password(ada.id, "$argon2id$ada", false, NOW)?;
        tx.count_failure("192.0.2.1", NOW, NOW - Span::hours(1))?;
        tx.put_invitation(&invitation(TICKET, grace.id, ADDRESS))?;
        tx.enqueue_mail(Uuid::from_u128(80), &mail(ADDRESS), NOW)?;
        tx.block_mail("nobody@fabrikam.test", NOW)?;
        let (app, portal) = (application(APP), instance(32, application(APP).app_id));
        let more = [
            tx.add_application(&app)?,
            tx.add_service_principal(&portal)?,
            tx.assign_app_role(Uuid::from_u128(33), ada.id.uuid(), portal.id, role(), NOW)?,
            tx.assign_token_lifetime_policy(
                (LinkedKind::ServicePrincipal, portal.id.uuid()),
                lifetime_policy(36, 600).id,
            )?,
        ];
        tx.put_token_lifetime_policy(&lifetime_policy(36, 600))?;
        tx.add_client_secret(app.app_id, &client_secret(3))?;
        tx.add_consent(
            Uuid::from_u128(34),
            portal.id,
            Some(ada.id),
            portal.id,
            &["User.Read".to_owned()],
            NOW,
        )?;
        tx.put_session(session_id(SESSION), hash(BROWSER), ada.id, &password_proof(), true, NOW)?;
        let grant = grant(GRANT, ada.id, session_id(SESSION));
        tx.put_code(&code(hash(CODE), grant.clone()))?;
        tx.put_partner_code(hash(PARTNER_CODE), &partner_code())?;
        tx.add_refresh_token(hash(REFRESH), grant.id, NOW)?;
        tx.add_attempt(&attempt, hash(BROWSER), "")?;
        tx.add_device_code(&device(DEVICE), hash(USER_CODE), NOW + Span::minutes(15))?;
        tx.add_home_visit(hash(VISIT), hash(BROWSER), &visit())?;
        tx.put_applied(
            &Applied { kind: "user".to_owned(), name: NAME.to_owned(), object: ada.id.uuid() },
            NOW,
        )?;
        tx.note(sign_in(0));
        tx.note(record("Fill"));
        let is_whole = all.into_iter().chain(more).all(|is_new| is_new);
        if is_whole { Ok(()) } else { Err(Fault::Bug("the tenant was not empty")) }
    })
    .await;
}

/// Ada's proofs alone: what may stand in two tenants under the same hashes and ids.
pub(crate) async fn fill_apart(tenant: &TenantStore) {
    put(tenant, |tx| {
        let (ada, grace) = (ada(), guest(2, ADDRESS));
        tx.add_user(&ada, None)?;
        tx.add_user(&grace, None)?;
        tx.put_invitation(&invitation(TICKET, grace.id, ADDRESS))?;
        tx.put_session(session_id(SESSION), hash(BROWSER), ada.id, &password_proof(), true, NOW)?;
        tx.put_code(&code(hash(CODE), grant(GRANT, ada.id, session_id(SESSION))))?;
        tx.add_home_visit(hash(VISIT), hash(BROWSER), &visit())
    })
    .await;
}

/// Ada is User Administrator.
fn held() -> RoleAssignment {
    let role = find_by_name("User Administrator").unwrap().id;
    RoleAssignment { principal: ada().id.uuid(), kind: LinkedKind::User, role }
}

fn role() -> PartId {
    PartId::new(Uuid::from_u128(35))
}

fn app_roles(tx: &ReadTx<'_>, assigned: Assigned) -> Result<Vec<AppRoleAssignment>, Fault> {
    tx.list_assignments(assigned, &AssignmentFilter::default(), None, 9)
}

/// What a tenant finds of what [`fill`] put into one.
pub(crate) fn found(tenant: &TenantStore) -> Vec<(&'static str, bool)> {
    tenant.read(look).unwrap()
}

fn look(tx: &ReadTx<'_>) -> Result<Vec<(&'static str, bool)>, Fault> {
    let (ada, grace, app) = (ada().id, guest(2, ADDRESS).id, application(APP));
    let portal = ServicePrincipalId::new(Uuid::from_u128(32));
    let attempt = AttemptId::new(Uuid::from_u128(ATTEMPT));
    let invitation = InvitationId::new(Uuid::from_u128(u128::from(TICKET)));
    let address = Address::parse(ADDRESS).unwrap();
    let answer = assertion("grace", &[ADDRESS]);
    let redemption = tx.redemption_facts(&answer, Some(invitation))?;
    Ok(vec![
        ("user", tx.find_user(ada)?.is_some()),
        ("user by name", tx.find_user_by_name(NAME)?.is_some()),
        ("user by address", tx.find_user_by_address(&address)?.is_some()),
        ("user for sign-in", tx.find_sign_in_user(ada)?.is_some()),
        ("user by identity", tx.find_user_by_identity("https://home.test", "grace")?.is_some()),
        ("user of a typed name", tx.realm_facts(NAME)?.user.is_some()),
        ("guest of a typed name", tx.realm_facts(ADDRESS)?.guest.is_some()),
        ("users listed", !tx.list_users(&everybody(10), None, Among::Living)?.items.is_empty()),
        ("users counted", tx.count_users(None)? > 0),
        ("roles", !tx.roles_of(ada.uuid())?.is_empty()),
        ("roles given", !tx.assigned_roles_of(ada.uuid())?.is_empty()),
        ("activated roles", !tx.activated_roles()?.is_empty()),
        ("role assignments", !tx.list_role_assignments(None, None, None, 10)?.is_empty()),
        ("role assignment", tx.find_role_assignment(held().role, ada.uuid())?.is_some()),
        ("holders of a role", tx.is_held_without(held().role, Going::Assignment(Uuid::nil()))?),
        ("sponsors", !tx.sponsors_of(grace)?.is_empty()),
        ("password", tx.find_password(ada)?.is_some()),
        ("failures", tx.failures("192.0.2.1")?.count > 0),
        ("invitation", tx.find_invitation(invitation)?.is_some()),
        ("invitation by ticket", tx.find_invitation_by_ticket(invitation, hash(TICKET))?.is_some()),
        ("bound guest", redemption.bound.is_some()),
        ("opened invitation", redemption.opened.is_some()),
        ("pending invitation", redemption.pending.is_some()),
        ("application", tx.find_application(app.id)?.is_some()),
        ("applications listed", !tx.list_applications(&everybody(10), None, Among::Living)?.items.is_empty()),
        ("instance", tx.find_app(app.app_id)?.is_some_and(|app| app.instance.is_some())),
        ("policy", tx.find_token_lifetime_policy(lifetime_policy(36, 600).id)?.is_some()),
        ("policies listed", !tx.list_token_lifetime_policies()?.is_empty()),
        ("policy of an instance", tx.token_lifetime_policy_of(portal.uuid())?.is_some()),
        (
            "objects of a policy",
            !tx.objects_of_token_lifetime_policy(lifetime_policy(36, 600).id, None, 9)?.is_empty(),
        ),
        ("app by identifier", tx.find_app_by_uri("api://app-30")?.is_some()),
        ("identifier's owner", tx.identifier_uri_owner("api://app-30")?.is_some()),
        ("registered redirect", tx.is_redirect_registered("https://app-30.contoso.test/back")?),
        ("service principal", tx.find_service_principal(portal)?.is_some()),
        (
            "service principals listed",
            !tx.list_service_principals(&everybody(10), None, Among::Living)?.items.is_empty(),
        ),
        ("what apply made", !tx.list_applied()?.is_empty()),
        ("assignments of a user", !app_roles(tx, Assigned::Of(ada.uuid()))?.is_empty()),
        ("assignments of a user and groups", !app_roles(tx, Assigned::OfUser(ada.uuid()))?.is_empty()),
        ("assignment by id", tx.find_assignment(Uuid::from_u128(33))?.is_some()),
        ("assignments to a resource", !app_roles(tx, Assigned::To(portal))?.is_empty()),
        ("app roles", !tx.user_app_roles(ada.uuid(), portal)?.is_empty()),
        ("consent", !tx.consented_scopes(portal, ada, portal)?.is_empty()),
        ("consent by id", tx.find_consent(Uuid::from_u128(34))?.is_some()),
        ("consent between two ends", tx.find_consent_between(portal, Some(ada), portal)?.is_some()),
        ("consents listed", !tx.list_consents(&ConsentFilter::default(), None, 9)?.is_empty()),
        ("session", tx.find_session(session_id(SESSION))?.is_some()),
        ("sessions of a browser", !tx.sessions_of_browser(hash(BROWSER))?.is_empty()),
        ("grant", tx.find_grant(grant(GRANT, ada, session_id(SESSION)).id)?.is_some()),
        ("grant by refresh token", tx.find_grant_by_refresh_token(hash(REFRESH))?.is_some()),
        ("code", tx.find_code(hash(CODE))?.is_some()),
        ("partner code", tx.find_partner_code(hash(PARTNER_CODE))?.is_some()),
        ("device code", tx.find_device_code(hash(DEVICE))?.is_some()),
        ("attempt", tx.find_attempt(attempt, hash(BROWSER))?.is_some()),
        ("attempt's request", tx.attempt_request(attempt)?.is_some()),
        ("home visit", tx.find_home_visit(hash(VISIT), hash(BROWSER), NOW)?.is_some()),
        (
            "directory records",
            tx.recent_directory_records(10)?.iter().any(|(activity, _)| activity == "Fill"),
        ),
        ("sign-in records", tx.count_sign_in_records()?.granted > 0),
    ])
}

/// Fails unless every kind of thing is found, or none, and names those that are not as they should be.
#[track_caller]
pub(crate) fn assert_all_found(tenant: &TenantStore, is_expected: bool) {
    let wrong: Vec<_> = found(tenant).into_iter().filter(|(_, is_found)| *is_found != is_expected).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
