//! Making tenants and their first people, and the one-time link that makes the first administrator.

use crate::{Fault, Moment, NOWHERE, Service, quota};
use domain::audit::{DirectoryRecord, Record, RecordActor};
use domain::directory::application::{Details, ServicePrincipal};
use domain::directory::group::LinkedKind;
use domain::directory::role::RoleAssignment;
use domain::directory::user::{User, UserType};
use domain::directory::{first_party, role};
use domain::entropy::Entropy;
use domain::id::{AppId, RoleTemplateId, ServicePrincipalId, TenantId, UserId};
use domain::proof::{ProofHash, ProofKind, ProofToken};
use domain::tenancy::domain_name::{Address, DomainName};
use domain::tenancy::limits::Limits;
use domain::tenancy::tenant::{Tenant, TenantDomain, TenantSettings, TenantState};
use domain::throttling::Size;
use domain::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Recorded, WriteTx};
use uuid::Uuid;

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    pub id: Option<TenantId>,
    pub display_name: String,
    /// Guests' sign-in names end with it; verified by being given here.
    pub initial_domain: DomainName,
    pub other_domains: Vec<DomainName>,
    pub region_scope: String,
    pub region_sub_scope: Option<String>,
    pub settings: TenantSettings,
}

/// A person to be made with a tenant, by the operator.
#[derive(Clone, Debug)]
pub struct NewPerson {
    pub id: Option<UserId>,
    pub sign_in_name: String,
    pub display_name: String,
    pub password: String,
    pub roles: Vec<RoleTemplateId>,
    pub profile: BTreeMap<String, String>,
}

/// Why a tenant or person is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupRefusal {
    DirectoryFull,
    DomainTaken,
    IdTaken,
    LinkInvalid,
    NameNotInDomain,
    NameTaken,
    PasswordWeak(&'static str),
}

impl SetupRefusal {
    /// Stable name for records.
    const fn name(self) -> &'static str {
        match self {
            Self::DirectoryFull => "directoryFull",
            Self::DomainTaken => "domainTaken",
            Self::IdTaken => "idTaken",
            Self::LinkInvalid => "linkInvalid",
            Self::NameNotInDomain => "nameNotInDomain",
            Self::NameTaken => "nameTaken",
            Self::PasswordWeak(_) => "passwordWeak",
        }
    }
    /// What happened and what to do, for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DirectoryFull => {
                "The organisation has as many objects as it may. Delete some, or raise the limit `objects`."
            }
            Self::DomainTaken => "Another organisation here has that domain already. Choose another one.",
            Self::IdTaken => "That id was used before. Ids never come back; leave it out and one is made.",
            Self::LinkInvalid => "The link was used or has expired. Restart the server to get a new one.",
            Self::NameNotInDomain => "The user name must end with one of the organisation's own domains.",
            Self::NameTaken => "That user name is taken. Choose another one.",
            Self::PasswordWeak(text) => text,
        }
    }
}

/// How long a set-up link is honoured.
// DEFAULT: one day: it stands in a console that others may read later.
const SETUP_LINK: Span = Span::days(1);

/// What is wrong with a new password, and what to do about it.
pub fn password_problem(password: &str) -> Option<&'static str> {
    let length = password.chars().count();
    if length < 8 {
        return Some("The password must have at least 8 characters.");
    }
    if password.len() > crate::password::LONGEST {
        return Some("The password must have at most 256 characters.");
    }
    let kinds = [
        password.chars().any(|c| c.is_lowercase()),
        password.chars().any(|c| c.is_uppercase()),
        password.chars().any(|c| c.is_numeric()),
        password.chars().any(|c| !c.is_alphanumeric()),
    ];
    let has_variety = kinds.into_iter().filter(|has| *has).count() >= 3 || length >= 20;
    (!has_variety)
        .then_some("Use three of these: lower case, upper case, digits, symbols; or 20 characters or more.")
}

/// A record about a user that nobody but the person or the operator caused.
pub fn user_record(activity: &'static str, user: UserId, moment: &Moment) -> Record {
    Record::Directory(DirectoryRecord {
        activity,
        category: "UserManagement",
        actor: RecordActor::User { user: user.uuid() },
        target: Some(user.uuid()),
        target_name: None,
        refusal: None,
        reasons: String::new(),
        modified: Vec::new(),
        origin: moment.origin.clone(),
    })
}

fn operator_record(
    activity: &'static str,
    target: (Uuid, &str),
    refusal: Option<SetupRefusal>,
    moment: &Moment,
) -> Record {
    let category = if activity == ADD_USER { "UserManagement" } else { "DirectoryManagement" };
    Record::Directory(DirectoryRecord {
        activity,
        category,
        actor: RecordActor::Operator,
        target: Some(target.0),
        target_name: Some(target.1.to_owned()),
        refusal: refusal.map(SetupRefusal::name),
        reasons: String::new(),
        modified: Vec::new(),
        origin: moment.origin.clone(),
    })
}

const ADD_USER: &str = "Add user";
const CREATE_TENANT: &str = "Create tenant";

/// What a write says: a value, or why not. The "no" comes before anything is written, so that nothing is left behind.
pub(crate) type Written<T> = Result<Result<T, SetupRefusal>, store::Fault>;

/// A person whose password is hashed: that is slow, so it happens before the write (R38).
pub(crate) struct Prepared {
    id: UserId,
    new: NewPerson,
    phc: String,
}

impl NewTenant {
    pub(crate) fn tenant_id(&self, moment: &Moment) -> TenantId {
        self.id.unwrap_or_else(|| TenantId::new(moment.entropy.uuid("tenant")))
    }
}

impl Service {
    /// Makes a tenant with its first people. All or nothing.
    pub async fn create_tenant(
        &self,
        new: NewTenant,
        people: Vec<NewPerson>,
        moment: &Moment,
    ) -> Result<Result<TenantId, SetupRefusal>, Fault> {
        let prepared = match self.prepare(people, &moment.entropy).await? {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = new.tenant_id(moment);
        let (settings, moment) = (Arc::clone(&self.settings), moment.clone());
        let written = self.store.tenant(id).write(move |tx| {
            let first = First { people: &prepared, others: 0, limits: &settings.limits };
            let outcome = write_tenant(tx, id, &new, &first, &moment)?;
            Ok(Recorded::new(tenant_record(id, &new, outcome.err(), &moment), outcome.map(|()| id)))
        });
        Ok(written.await?)
    }

    /// Makes a person in a tenant, by the operator.
    pub async fn create_person(
        &self,
        tenant: TenantId,
        person: NewPerson,
        moment: &Moment,
    ) -> Result<Result<UserId, SetupRefusal>, Fault> {
        let prepared = match self.prepare(vec![person], &moment.entropy).await? {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (settings, moment) = (Arc::clone(&self.settings), moment.clone());
        let written = self.store.tenant(tenant).write(move |tx| {
            let Some(person) = prepared.first() else { return Err(store::Fault::Bug("nobody was prepared")) };
            let owner = tx.load_tenant()?;
            let is_own =
                Address::parse(&person.new.sign_in_name).is_some_and(|name| owner.owns(name.domain()));
            let has_room = quota::ask(tx, None, &settings.limits, moment.now)?.is_ok();
            let outcome = match (is_own, has_room) {
                (false, _) => Err(SetupRefusal::NameNotInDomain),
                (true, false) => Err(SetupRefusal::DirectoryFull),
                (true, true) => write_person(tx, person, &moment)?,
            };
            let target = (person.id.uuid(), person.new.sign_in_name.as_str());
            Ok(Recorded::new(
                operator_record(ADD_USER, target, outcome.err(), &moment),
                outcome.map(|()| person.id),
            ))
        });
        Ok(written.await?)
    }

    /// Gives a tenant one more domain, on the operator's word that it is the tenant's own.
    pub async fn add_domain(
        &self,
        tenant: TenantId,
        name: DomainName,
        moment: &Moment,
    ) -> Result<Result<(), SetupRefusal>, Fault> {
        let moment = moment.clone();
        let written = self.store.tenant(tenant).write(move |tx| {
            let domain =
                TenantDomain { name: name.clone(), is_default: false, is_initial: false, is_verified: true };
            let outcome = match tx.find_domain_owner(&name)? {
                Some(_) => Err(SetupRefusal::DomainTaken),
                None if tx.put_domain(&domain, moment.now)? => Ok(()),
                None => Err(SetupRefusal::DomainTaken),
            };
            let target = (tenant.uuid(), name.as_str());
            Ok(Recorded::new(operator_record("Add verified domain", target, outcome.err(), &moment), outcome))
        });
        Ok(written.await?)
    }

    pub(crate) async fn prepare(
        &self,
        people: Vec<NewPerson>,
        entropy: &Entropy,
    ) -> Result<Result<Vec<Prepared>, SetupRefusal>, Fault> {
        let mut prepared = Vec::new();
        for (index, new) in people.into_iter().enumerate() {
            if let Some(problem) = password_problem(&new.password) {
                return Ok(Err(SetupRefusal::PasswordWeak(problem)));
            }
            if holds_name(&new.password, &new.sign_in_name) {
                return Ok(Err(SetupRefusal::PasswordWeak("The password must not contain the user name.")));
            }
            let entropy = entropy.child("person", index);
            let mut salt = [0; 16];
            salt.iter_mut().zip(entropy.bytes("password salt")).for_each(|(to, from)| *to = from);
            let phc = self.passwords.hash(new.password.clone(), salt).await?;
            prepared.push(Prepared {
                id: new.id.unwrap_or_else(|| UserId::new(entropy.uuid("user"))),
                new,
                phc,
            });
        }
        Ok(Ok(prepared))
    }

    /// A one-time link with which somebody becomes the first administrator. Shown on the console, nowhere else.
    pub async fn create_setup_link(&self, moment: &Moment) -> Result<String, Fault> {
        let token = ProofToken::new(ProofKind::SetupLink, NOWHERE, moment.entropy.bytes("set-up link"));
        let (hash, moment) = (token.hash(), moment.clone());
        self.store
            .write(move |tx| {
                tx.add_setup_link(hash, moment.now, moment.now + SETUP_LINK)?;
                let record = operator_record("Create set-up link", (Uuid::nil(), ""), None, &moment);
                Ok(Recorded::new(record, ()))
            })
            .await?;
        Ok(format!("{}/setup?token={}", self.settings.base, token.text()))
    }

    /// Whether a set-up link could be used now. None can once there is a tenant: an older link of the same console
    /// must not make a second first administrator.
    pub fn is_setup_link_open(&self, token: &str, now: Timestamp) -> Result<bool, Fault> {
        let Some(token) = ProofToken::parse(ProofKind::SetupLink, token) else { return Ok(false) };
        Ok(self.store.read(|tx| is_link_open(tx, token.hash(), now))?)
    }

    /// Uses a set-up link: makes the first tenant and its administrator. A refusal leaves the link usable.
    pub async fn redeem_setup_link(
        &self,
        token: &str,
        new: NewTenant,
        admin: NewPerson,
        moment: &Moment,
    ) -> Result<Result<TenantId, SetupRefusal>, Fault> {
        let Some(token) = ProofToken::parse(ProofKind::SetupLink, token) else {
            return Ok(Err(SetupRefusal::LinkInvalid));
        };
        let hash = token.hash();
        // Strangers must not be able to make us hash.
        if !self.store.read(|tx| is_link_open(tx, hash, moment.now))? {
            return Ok(Err(SetupRefusal::LinkInvalid));
        }
        let prepared = match self.prepare(vec![admin], &moment.entropy).await? {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = new.tenant_id(moment);
        let (settings, moment) = (Arc::clone(&self.settings), moment.clone());
        let written = self.store.tenant(id).write(move |tx| {
            let first = First { people: &prepared, others: 0, limits: &settings.limits };
            let outcome = if is_link_open(tx, hash, moment.now)? {
                write_tenant(tx, id, &new, &first, &moment)?
            } else {
                Err(SetupRefusal::LinkInvalid)
            };
            if outcome.is_ok() && !tx.consume_setup_link(hash, moment.now)? {
                return Err(store::Fault::Bug("an open set-up link could not be used"));
            }
            Ok(Recorded::new(tenant_record(id, &new, outcome.err(), &moment), outcome.map(|()| id)))
        });
        Ok(written.await?)
    }

    /// How large a tenant is, where that decides how much its applications may ask.
    pub fn tenant_size(&self, tenant: TenantId) -> Result<Size, Fault> {
        let users = self.store.tenant(tenant).read(|tx| tx.count_users_up_to(Size::COUNTED))?;
        Ok(Size::of(users))
    }

    /// Whether somebody set something up already.
    pub fn has_tenants(&self) -> Result<bool, Fault> {
        Ok(!self.store.read(|tx| tx.list_tenants())?.is_empty())
    }
}

/// Whether a password holds the name before the `@`; names of one or two letters are in too many words.
fn holds_name(password: &str, sign_in_name: &str) -> bool {
    let local = sign_in_name.split_once('@').map_or(sign_in_name, |(local, _)| local).to_lowercase();
    local.chars().count() > 2 && password.to_lowercase().contains(&local)
}

fn is_link_open(tx: &store::ReadTx<'_>, hash: ProofHash, now: Timestamp) -> Result<bool, store::Fault> {
    Ok(tx.is_setup_link_open(hash, now)? && tx.list_tenants()?.is_empty())
}

pub(crate) fn tenant_record(
    id: TenantId,
    new: &NewTenant,
    refusal: Option<SetupRefusal>,
    moment: &Moment,
) -> Record {
    operator_record(CREATE_TENANT, (id.uuid(), &new.display_name), refusal, moment)
}

/// The tenant that is made of what was asked.
pub(crate) fn tenant_of(new: &NewTenant, id: TenantId, now: Timestamp) -> Tenant {
    let domain = |name: &DomainName, is_initial| TenantDomain {
        name: name.clone(),
        // The first name of the organisation's own is what people see; without one, the initial name.
        is_default: new.other_domains.first().map_or(is_initial, |first| first == name),
        is_initial,
        is_verified: true,
    };
    let mut domains = vec![domain(&new.initial_domain, true)];
    domains.extend(new.other_domains.iter().map(|name| domain(name, false)));
    Tenant {
        id,
        display_name: new.display_name.clone(),
        state: TenantState::Active,
        created_at: now,
        region_scope: new.region_scope.clone(),
        region_sub_scope: new.region_sub_scope.clone(),
        settings: new.settings.clone(),
        domains,
    }
}

/// Writes a tenant, its instances of our own applications, and its first people, or nothing.
pub(crate) fn write_tenant(
    tx: &WriteTx<'_>,
    id: TenantId,
    new: &NewTenant,
    first: &First<'_>,
    moment: &Moment,
) -> Written<()> {
    let tenant = tenant_of(new, id, moment.now);
    if let Some(refusal) = refusal(tx, &tenant, first)? {
        return Ok(Err(refusal));
    }
    if !tx.add_tenant(&tenant)? {
        return Err(store::Fault::Bug("a tenant whose names were free could not be written"));
    }
    for app in first_party::all() {
        tx.add_service_principal(&ServicePrincipal {
            id: first_party_instance(app.app_id, id, moment),
            app_id: app.app_id,
            is_enabled: true,
            is_assignment_required: false,
            details: Details::default(),
            secrets: Vec::new(),
            created_at: moment.now,
            deleted_at: None,
        })?;
    }
    for person in first.people {
        if write_person(tx, person, moment)?.is_err() {
            return Err(store::Fault::Bug("a person whose name was free could not be written"));
        }
        let target = (person.id.uuid(), person.new.sign_in_name.as_str());
        tx.note(operator_record(ADD_USER, target, None, moment));
    }
    Ok(Ok(()))
}

/// The id that an application of our own gets in a tenant made at this moment.
pub(crate) fn first_party_instance(app: AppId, tenant: TenantId, moment: &Moment) -> ServicePrincipalId {
    ServicePrincipalId::new(moment.entropy.uuid(&format!("first-party instance {app} {tenant}")))
}

/// What a tenant is made with.
pub(crate) struct First<'a> {
    pub people: &'a [Prepared],
    /// Objects of other kinds that the same write adds.
    pub others: usize,
    /// Of the deployment.
    pub limits: &'a Limits,
}

/// What stands against a new tenant with these people.
fn refusal(
    tx: &WriteTx<'_>,
    tenant: &Tenant,
    First { people, others, limits }: &First<'_>,
) -> Result<Option<SetupRefusal>, store::Fault> {
    if tx.find_tenant(tenant.id)?.is_some() || tx.is_buried(tenant.id.uuid())? {
        return Ok(Some(SetupRefusal::IdTaken));
    }
    let objects = first_party::all().len() + people.len() + others;
    if objects as i64 > tenant.most_objects(limits) {
        return Ok(Some(SetupRefusal::DirectoryFull));
    }
    let mut domains = BTreeSet::new();
    for TenantDomain { name, .. } in &tenant.domains {
        if !domains.insert(name) || tx.find_domain_owner(name)?.is_some() {
            return Ok(Some(SetupRefusal::DomainTaken));
        }
    }
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for person in *people {
        let Some(name) =
            Address::parse(&person.new.sign_in_name).filter(|name| domains.contains(name.domain()))
        else {
            return Ok(Some(SetupRefusal::NameNotInDomain));
        };
        if !names.insert(name.folded()) {
            return Ok(Some(SetupRefusal::NameTaken));
        }
        if !ids.insert(person.id.uuid()) || tx.is_buried(person.id.uuid())? {
            return Ok(Some(SetupRefusal::IdTaken));
        }
    }
    Ok(None)
}

/// Writes a person. `NameTaken` when name or id is; nothing is written then.
fn write_person(tx: &WriteTx<'_>, person: &Prepared, moment: &Moment) -> Written<()> {
    let new = &person.new;
    let now = moment.now;
    let user = User {
        id: person.id,
        sign_in_name: new.sign_in_name.clone(),
        display_name: new.display_name.clone(),
        user_type: UserType::Member,
        is_enabled: true,
        mail: Some(new.sign_in_name.clone()),
        mail_nickname: new.sign_in_name.split_once('@').map(|(local, _)| local.to_owned()),
        other_mails: Vec::new(),
        proxy_addresses: vec![format!("SMTP:{}", new.sign_in_name)],
        business_phones: Vec::new(),
        creation: None,
        external: None,
        identity: None,
        created_at: now,
        deleted_at: None,
        is_shown_in_address_list: true,
        profile: new.profile.clone(),
        sessions_valid_from: now,
        last_password_change_at: Some(now),
    };
    if !tx.add_user(&user, None)? {
        return Ok(Err(SetupRefusal::NameTaken));
    }
    tx.set_password(person.id, &person.phc, false, now)?;
    for role in &new.roles {
        let principal = person.id.uuid();
        tx.assign_role(&RoleAssignment { principal, kind: LinkedKind::User, role: *role }, now)?;
    }
    Ok(Ok(()))
}

/// The role of a tenant's first administrator.
pub fn first_administrator() -> Vec<RoleTemplateId> {
    vec![role::GLOBAL_ADMINISTRATOR.id]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_named_with_what_to_do() {
        for weak in ["", "short1!", "alllowercase", "12345678", "lower123"] {
            assert!(password_problem(weak).is_some(), "{weak}");
        }
        for fine in ["Winter-2026", "correct horse battery staple", "Aa1aaaaa"] {
            assert_eq!(password_problem(fine), None, "{fine}");
        }
        assert!(password_problem(&"aA1".repeat(100)).is_some());
    }

    mod with_a_store {
        use super::*;
        use crate::Settings;
        use crate::keys::KeyRing;
        use crate::password::Passwords;
        use domain::audit::Origin;
        use outbound::mail::Mailer;
        use store::{Options, Place, RootKey, Store};

        fn moment(seed: u8) -> Moment {
            let (now, entropy) = (Timestamp::from_millis(1_795_435_200_000), Entropy::new([seed; 32]));
            let origin = Origin { at: now, correlation: Uuid::nil(), address: None, user_agent: None };
            Moment { now, entropy, origin }
        }

        async fn service() -> Service {
            let root_key = RootKey::new([7; 32]);
            let store =
                Store::open(Options { place: Place::Memory, root_key, readers: 1, reruns: true }).unwrap();
            let keys = KeyRing::open(&store, &moment(0)).await.unwrap();
            let mailer = Mailer::in_memory("invites@localhost");
            Service::new(store, keys, Settings::new("https://localhost"), Passwords::new(1).unwrap(), mailer)
        }

        fn tenant(domain: &str) -> NewTenant {
            NewTenant {
                id: None,
                display_name: "Contoso".to_owned(),
                initial_domain: DomainName::parse(domain).unwrap(),
                other_domains: Vec::new(),
                region_scope: "WW".to_owned(),
                region_sub_scope: None,
                settings: TenantSettings::for_region("WW"),
            }
        }

        fn admin(name: &str, password: &str) -> NewPerson {
            NewPerson {
                id: None,
                sign_in_name: name.to_owned(),
                display_name: "Alice".to_owned(),
                password: password.to_owned(),
                roles: first_administrator(),
                profile: BTreeMap::new(),
            }
        }

        fn token(link: &str) -> &str {
            link.split_once("token=").unwrap().1
        }

        #[tokio::test]
        async fn a_set_up_link_makes_one_administrator_and_then_no_link_does() {
            let service = service().await;
            let earlier = service.create_setup_link(&moment(1)).await.unwrap();
            let link = service.create_setup_link(&moment(2)).await.unwrap();
            let now = moment(0).now;
            // What is refused leaves the link as it was.
            for (name, password, refusal) in [
                ("alice@fabrikam.test", "Winter-2026", SetupRefusal::NameNotInDomain),
                (
                    "alice@contoso.test",
                    "Alice-2026",
                    SetupRefusal::PasswordWeak("The password must not contain the user name."),
                ),
            ] {
                let person = admin(name, password);
                let outcome =
                    service.redeem_setup_link(token(&link), tenant("contoso.test"), person, &moment(3)).await;
                assert_eq!(outcome.unwrap(), Err(refusal));
                assert!(service.is_setup_link_open(token(&link), now).unwrap());
                assert!(!service.has_tenants().unwrap());
            }
            let person = || admin("alice@contoso.test", "Winter-2026");
            let id =
                service.redeem_setup_link(token(&link), tenant("contoso.test"), person(), &moment(4)).await;
            let id = id.unwrap().unwrap();
            let alice =
                service.store.tenant(id).read(|tx| tx.find_user_by_name("alice@contoso.test")).unwrap();
            assert!(alice.is_some());
            for link in [&link, &earlier] {
                assert!(!service.is_setup_link_open(token(link), now).unwrap());
                let again = admin("mallory@tailspin.test", "Winter-2026");
                let outcome =
                    service.redeem_setup_link(token(link), tenant("tailspin.test"), again, &moment(5)).await;
                assert_eq!(outcome.unwrap(), Err(SetupRefusal::LinkInvalid));
            }
        }

        #[tokio::test]
        async fn a_set_up_link_expires() {
            let service = service().await;
            let link = service.create_setup_link(&moment(1)).await.unwrap();
            let late = Moment { now: moment(1).now + SETUP_LINK, ..moment(2) };
            assert!(!service.is_setup_link_open(token(&link), late.now).unwrap());
            let person = admin("alice@contoso.test", "Winter-2026");
            let outcome =
                service.redeem_setup_link(token(&link), tenant("contoso.test"), person, &late).await;
            assert_eq!(outcome.unwrap(), Err(SetupRefusal::LinkInvalid));
        }

        #[tokio::test]
        async fn a_domain_belongs_to_one_tenant() {
            let service = service().await;
            service.create_tenant(tenant("contoso.test"), Vec::new(), &moment(1)).await.unwrap().unwrap();
            let second = service.create_tenant(tenant("contoso.test"), Vec::new(), &moment(2)).await.unwrap();
            assert_eq!(second, Err(SetupRefusal::DomainTaken));
        }
    }
}
