//! Things to store, and hands to write with. Ids are small numbers, so that a case reads as it stands.

use domain::audit::{DirectoryRecord, Origin, Record, RecordActor, SignInKind, SignInRecord};
use domain::directory::application::{
    Application, ClientSecret, Details, Information, Platform, RedirectUri, ServicePrincipal, SignInAudience,
    TokenVersion,
};
use domain::directory::federated_credential::FederatedCredential;
use domain::directory::group::Group;
use domain::directory::permission::Actor;
use domain::directory::query::{self, Plan};
use domain::directory::token_claims::{Additional, ClaimName, GroupClaims, OptionalClaim, TokenClaims};
use domain::directory::token_lifetime_policy::TokenLifetimePolicy;
use domain::directory::user::{CreationType, External, ExternalState, HomeIdentity, User, UserType};
use domain::id::{
    AppId, ApplicationId, GrantId, GroupId, InvitationId, PartId, PolicyId, ServicePrincipalId, SessionId,
    TenantId, UserId,
};
use domain::issuance::decide::{CodeFacts, GrantFacts, Via};
use domain::mail::Mail;
use domain::proof::ProofHash;
use domain::signin::attempt::WaitingDevice;
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::{Tenant, TenantDomain, TenantSettings, TenantState};
use domain::time::{Span, Timestamp};
use standards::jose::Algorithm;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use store::{CodeRow, Fault, InvitationRow, Recorded, Store, TenantStore, WriteTx};
use uuid::Uuid;

/// 2026-11-23T12:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_435_200_000);
pub(crate) const LATER: Timestamp = Timestamp::from_millis(1_795_435_200_000 + 60_000);
pub(crate) const CONTOSO: TenantId = TenantId::new(Uuid::from_u128(0xC0));
pub(crate) const FABRIKAM: TenantId = TenantId::new(Uuid::from_u128(0xFA));

pub(crate) fn hash(number: u64) -> ProofHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    ProofHash(bytes)
}

pub(crate) fn user_id(number: u128) -> UserId {
    UserId::new(Uuid::from_u128(number))
}

pub(crate) fn tenant(id: TenantId, domain: &str) -> Tenant {
    Tenant {
        id,
        display_name: domain.to_owned(),
        state: TenantState::Active,
        created_at: NOW,
        region_scope: "EU".to_owned(),
        region_sub_scope: None,
        settings: TenantSettings::for_region("EU"),
        domains: vec![TenantDomain {
            name: DomainName::parse(domain).unwrap(),
            is_default: true,
            is_initial: true,
            is_verified: true,
        }],
    }
}

/// Adds Contoso, and answers its handle.
pub(crate) async fn contoso(store: &Store) -> TenantStore {
    add_tenant(store, tenant(CONTOSO, "contoso.test")).await
}

pub(crate) async fn fabrikam(store: &Store) -> TenantStore {
    add_tenant(store, tenant(FABRIKAM, "fabrikam.test")).await
}

pub(crate) async fn add_tenant(store: &Store, tenant: Tenant) -> TenantStore {
    let handle = store.tenant(tenant.id);
    assert!(put(&handle, move |tx| tx.add_tenant(&tenant)).await);
    handle
}

pub(crate) fn member(number: u128, name: &str) -> User {
    User {
        id: user_id(number),
        sign_in_name: name.to_owned(),
        display_name: name.to_owned(),
        user_type: UserType::Member,
        is_enabled: true,
        mail: Some(name.to_owned()),
        mail_nickname: None,
        other_mails: Vec::new(),
        proxy_addresses: Vec::new(),
        business_phones: Vec::new(),
        creation: None,
        external: None,
        identity: None,
        created_at: NOW,
        deleted_at: None,
        is_shown_in_address_list: true,
        profile: BTreeMap::from([("jobTitle".to_owned(), "Engineer".to_owned())]),
        sessions_valid_from: NOW,
        last_password_change_at: None,
    }
}

/// A guest who was invited and has not come yet.
pub(crate) fn guest(number: u128, address: &str) -> User {
    User {
        sign_in_name: format!("{}#EXT#@contoso.test", address.replace('@', "_")),
        mail: Some(address.to_owned()),
        user_type: UserType::Guest,
        creation: Some(CreationType::Invitation),
        external: Some(External { state: ExternalState::PendingAcceptance, changed_at: NOW }),
        ..member(number, address)
    }
}

pub(crate) fn identity(issuer: &str, subject: &str) -> HomeIdentity {
    HomeIdentity {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        home_user: user_id(77),
        home_tenant: FABRIKAM,
    }
}

/// Who invites.
pub(crate) fn daemon() -> Actor {
    Actor::Application {
        app_id: AppId::new(Uuid::from_u128(90)),
        service_principal: ServicePrincipalId::new(Uuid::from_u128(91)),
        roles: Vec::new(),
    }
}

pub(crate) fn invitation(number: u64, guest: UserId, address: &str) -> InvitationRow {
    InvitationRow {
        id: InvitationId::new(Uuid::from_u128(u128::from(number))),
        user: guest,
        inviter: daemon().principal(),
        address: address.to_owned(),
        copied_to: None,
        ticket: hash(number),
        redirect_url: "https://app.contoso.test/start".to_owned(),
        is_redirect_known: true,
        created_at: NOW,
        expires_at: NOW + Span::days(90),
        accepted_at: None,
        withdrawn_at: None,
    }
}

pub(crate) fn application(number: u128) -> Application {
    Application {
        id: ApplicationId::new(Uuid::from_u128(number)),
        app_id: AppId::new(Uuid::from_u128(number + 1)),
        owner: Some(CONTOSO),
        display_name: "Portal".to_owned(),
        audience: SignInAudience::AnyTenant,
        identifier_uris: vec![format!("api://app-{number}")],
        redirect_uris: vec![RedirectUri {
            uri: format!("https://app-{number}.contoso.test/back"),
            platform: Platform::Web,
        }],
        logout_url: None,
        home_page_url: None,
        is_fallback_public: false,
        front_channel: Default::default(),
        token_claims: TokenClaims {
            groups: GroupClaims { application: true, ..GroupClaims::default() },
            id_token: vec![OptionalClaim {
                name: ClaimName::Groups,
                is_essential: true,
                additional: vec![Additional::EmitAsRoles],
            }],
            access_token: Vec::new(),
        },
        secrets: Vec::new(),
        certificates: Vec::new(),
        federated_credentials: vec![FederatedCredential {
            id: PartId::new(Uuid::from_u128(number + 2)),
            name: "build".to_owned(),
            issuer: "https://issuer.test".to_owned(),
            subject: "repo:portal".to_owned(),
            audiences: vec!["api://AzureADTokenExchange".to_owned()],
            description: None,
        }],
        scopes: Vec::new(),
        roles: Vec::new(),
        required_access: Vec::new(),
        known_clients: Vec::new(),
        pre_authorized: Vec::new(),
        token_version: TokenVersion::V2,
        token_algorithm: Algorithm::Es256,
        tags: vec!["one".to_owned()],
        notes: None,
        description: Some("of the suite".to_owned()),
        info: Information { support_url: Some("https://app.test/help".to_owned()), ..Information::default() },
        service_reference: Some("CMDB-1".to_owned()),
        created_at: NOW,
        deleted_at: None,
    }
}

pub(crate) fn client_secret(number: u8) -> ClientSecret {
    ClientSecret {
        id: PartId::new(Uuid::from_u128(u128::from(number))),
        display_name: None,
        hint: "abc".to_owned(),
        hash: [number; 32],
        starts_at: NOW,
        expires_at: NOW + Span::days(180),
    }
}

pub(crate) fn instance(number: u128, app: AppId) -> ServicePrincipal {
    ServicePrincipal {
        id: ServicePrincipalId::new(Uuid::from_u128(number)),
        app_id: app,
        is_enabled: true,
        is_assignment_required: false,
        details: Details::default(),
        secrets: Vec::new(),
        created_at: NOW,
        deleted_at: None,
    }
}

pub(crate) fn lifetime_policy(number: u128, seconds: i64) -> TokenLifetimePolicy {
    TokenLifetimePolicy {
        id: PolicyId::new(Uuid::from_u128(number)),
        display_name: format!("Policy {number}"),
        description: None,
        definition: "as it was written".to_owned(),
        lifetime: Span::seconds(seconds),
        is_organization_default: false,
    }
}

pub(crate) fn group(number: u128) -> Group {
    Group {
        id: GroupId::new(Uuid::from_u128(number)),
        display_name: format!("Group {number}"),
        description: None,
        mail_nickname: format!("group{number}"),
        mail: None,
        is_security_enabled: true,
        is_unified: false,
        is_role_assignable: false,
        visibility: None,
        dynamic: None,
        created_at: NOW,
        deleted_at: None,
    }
}

pub(crate) fn password_proof() -> Vec<Proved> {
    vec![Proved { method: Method::Password, at: NOW, verifier: Verifier::ThisTenant }]
}

pub(crate) fn session_id(number: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(number))
}

pub(crate) fn grant(number: u128, user: UserId, session: SessionId) -> GrantFacts {
    GrantFacts {
        id: GrantId::new(Uuid::from_u128(number)),
        client: AppId::new(Uuid::from_u128(9)),
        user,
        session,
        evidence: password_proof(),
        platform: Platform::Spa,
        via: Via::Browser,
        parent: None,
        scopes: vec!["openid".to_owned(), "offline_access".to_owned()],
        started_at: NOW,
        used_at: NOW,
        revoked_at: None,
    }
}

pub(crate) fn code(hash: ProofHash, grant: GrantFacts) -> CodeRow {
    let facts = CodeFacts {
        grant,
        redirect_uri: "https://app.contoso.test/back".to_owned(),
        challenge: None,
        nonce: Some("nonce".to_owned()),
        expires_at: NOW + Span::minutes(10),
        redeemed_at: None,
    };
    CodeRow { hash, facts }
}

pub(crate) fn device(number: u64) -> WaitingDevice {
    WaitingDevice {
        code: hash(number),
        client: AppId::new(Uuid::from_u128(30)),
        scopes: vec!["openid".to_owned(), "User.Read".to_owned()],
        address: Some("192.0.2.7".to_owned()),
    }
}

pub(crate) fn mail(to: &str) -> Mail {
    Mail {
        to: to.to_owned(),
        cc: vec!["copy@contoso.test".to_owned()],
        reply_to: Some("inviter@contoso.test".to_owned()),
        subject: "You are invited".to_owned(),
        text: "https://localhost/redeem?ticket=secret".to_owned(),
        html: "<a href='https://localhost/redeem?ticket=secret'>Accept</a>".to_owned(),
    }
}

/// A page of everybody.
pub(crate) fn everybody(top: u32) -> Plan {
    Plan { wants_count: true, ..query::everything(top) }
}

fn origin() -> Origin {
    Origin { at: NOW, correlation: Uuid::from_u128(42), address: None, user_agent: None }
}

pub(crate) fn record(activity: &'static str) -> Record {
    Record::Directory(DirectoryRecord {
        activity,
        category: "UserManagement",
        actor: RecordActor::Operator,
        target: None,
        target_name: None,
        refusal: None,
        reasons: String::new(),
        modified: Vec::new(),
        origin: origin(),
    })
}

pub(crate) fn refusal(activity: &'static str, name: &'static str) -> Record {
    match record(activity) {
        Record::Directory(record) => Record::Directory(DirectoryRecord { refusal: Some(name), ..record }),
        Record::SignIn(_) => unreachable!("made above"),
    }
}

pub(crate) fn sign_in(error_code: u32) -> Record {
    Record::SignIn(Box::new(SignInRecord {
        kind: SignInKind::Interactive,
        user: None,
        user_name: Some("somebody".to_owned()),
        service_principal: None,
        app: None,
        resource: None,
        home_tenant: None,
        session: None,
        token: None,
        error_code,
        reasons: String::new(),
        origin: origin(),
    }))
}

/// Writes with a record; what breaks fails the test.
pub(crate) async fn put<T, W>(tenant: &TenantStore, work: W) -> T
where
    T: Send + 'static,
    W: Fn(&WriteTx<'_>) -> Result<T, Fault> + Send + 'static,
{
    tenant.write(move |tx| Ok(Recorded::new(record("Test"), work(tx)?))).await.unwrap()
}

/// The newest directory records of a tenant, oldest first.
pub(crate) fn activities(tenant: &TenantStore) -> Vec<String> {
    let records = tenant.read(|tx| tx.recent_directory_records(1_000)).unwrap();
    records.into_iter().rev().map(|(activity, _)| activity).collect()
}

/// Asks from many tasks that start together; answers in the order of the tasks.
pub(crate) async fn all_at_once<T, F>(
    count: usize,
    ask: impl Fn(usize) -> F + Send + Sync + 'static,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
{
    let (ask, start) = (Arc::new(ask), Arc::new(tokio::sync::Barrier::new(count)));
    let tasks: Vec<_> = (0..count)
        .map(|index| {
            let (ask, start) = (Arc::clone(&ask), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                ask(index).await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(count);
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

/// What a future has to say already, without waiting.
pub(crate) fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    // Outside the runtime's budget, which would say "not yet" after a hundred answers.
    match pin!(tokio::task::unconstrained(future)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => None,
        Poll::Ready(value) => Some(value),
    }
}

/// A door that writes wait at until the case opens it, or ends: a case that fails must not wait for itself.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Door>, Condvar)>);

#[derive(Default)]
struct Door {
    is_open: bool,
    arrived: usize,
}

pub(crate) struct Opener(Gate);

impl Gate {
    pub(crate) fn new() -> (Self, Opener) {
        let gate = Self::default();
        (gate.clone(), Opener(gate))
    }
    /// Waits, in a write, until the gate is open.
    pub(crate) fn pass(&self) {
        let (door, changed) = &*self.0;
        let mut door = door.lock().unwrap();
        door.arrived += 1;
        changed.notify_all();
        drop(changed.wait_while(door, |door| !door.is_open).unwrap());
    }
    /// Waits, in a case, until a write stands at the gate.
    pub(crate) fn await_arrival(&self) {
        let (door, changed) = &*self.0;
        drop(changed.wait_while(door.lock().unwrap(), |door| door.arrived == 0).unwrap());
    }
}

impl Opener {
    pub(crate) fn open(self) {}
}

impl Drop for Opener {
    fn drop(&mut self) {
        let (door, changed) = &*self.0.0;
        door.lock().unwrap().is_open = true;
        changed.notify_all();
    }
}

/// Keeps one write under way, so that what is written meanwhile waits together.
pub(crate) fn hold_the_writer(store: &Store) -> Opener {
    let (gate, opener) = Gate::new();
    let standing = gate.clone();
    drop(store.write(move |_| {
        standing.pass();
        Ok(Recorded::new(record("Hold"), ()))
    }));
    gate.await_arrival();
    opener
}
