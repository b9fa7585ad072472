//! Making tenants and their first people, and the one-time link that makes the first administrator.

use crate::{Fault, Moment, NOWHERE, Service};
use domain::audit::{DirectoryRecord, Record, RecordActor};
use domain::directory::application::ServicePrincipal;
use domain::directory::user::{User, UserType};
use domain::directory::{first_party, role};
use domain::entropy::Entropy;
use domain::id::{RoleTemplateId, ServicePrincipalId, TenantId, UserId};
use domain::proof::{ProofKind, ProofToken};
use domain::tenancy::domain_name::{Address, DomainName};
use domain::tenancy::tenant::{Tenant, TenantDomain, TenantSettings, TenantState};
use domain::time::{Span, Timestamp};
use std::collections::BTreeMap;
use store::{Recorded, WriteTx};

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
    DomainTaken,
    IdTaken,
    LinkInvalid,
    NameNotInDomain,
    NameTaken,
    PasswordWeak(&'static str),
}

impl SetupRefusal {
    /// What happened and what to do, for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
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
        return Some("The two passwords must be the same and have at least 8 characters.");
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
        origin: moment.origin.clone(),
    })
}

fn operator_record(
    activity: &'static str,
    category: &'static str,
    target: uuid::Uuid,
    name: &str,
    moment: &Moment,
) -> Record {
    Record::Directory(DirectoryRecord {
        activity,
        category,
        actor: RecordActor::Operator,
        target: Some(target),
        target_name: Some(name.to_owned()),
        refusal: None,
        reasons: String::new(),
        origin: moment.origin.clone(),
    })
}

/// Undoes a write that was refused half-way: a refusal inside a write must leave nothing behind.
type Written<T> = Result<Result<T, SetupRefusal>, store::Fault>;

impl Service {
    /// Makes a tenant with its first person. All or nothing.
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
        let id = new.id.unwrap_or_else(|| TenantId::new(moment.entropy.uuid("tenant")));
        let is_free = self.store.tenant(id).read(|tx| is_free(tx, id, &new))?;
        if let Err(refusal) = is_free {
            return Ok(Err(refusal));
        }
        let moment = moment.clone();
        let written = self.store.tenant(id).write(move |tx| {
            // Read again: another set-up may have come first.
            if let Err(refusal) = is_free_now(tx, id, &new)? {
                let record = operator_record(
                    "Create tenant",
                    "DirectoryManagement",
                    id.uuid(),
                    &new.display_name,
                    &moment,
                );
                return Ok(Recorded::new(record, Err(refusal)));
            }
            write_tenant(tx, id, &new, &moment)?;
            for person in &prepared {
                if let Err(refusal) = write_person(tx, person, &moment)? {
                    tracing::warn!(?refusal, "a person of a new tenant was not made");
                }
            }
            let record = operator_record(
                "Create tenant",
                "DirectoryManagement",
                id.uuid(),
                &new.display_name,
                &moment,
            );
            Ok(Recorded::new(record, Ok(id)))
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
        let moment = moment.clone();
        let written = self.store.tenant(tenant).write(move |tx| {
            let Some(person) = prepared.first() else { return Err(store::Fault::Bug("nobody was prepared")) };
            let outcome = write_person(tx, person, &moment)?;
            let record = operator_record(
                "Add user",
                "UserManagement",
                person.id.uuid(),
                &person.new.sign_in_name,
                &moment,
            );
            Ok(Recorded::new(record, outcome))
        });
        Ok(written.await?)
    }

    async fn prepare(
        &self,
        people: Vec<NewPerson>,
        entropy: &Entropy,
    ) -> Result<Result<Vec<Prepared>, SetupRefusal>, Fault> {
        let mut prepared = Vec::new();
        for (index, new) in people.into_iter().enumerate() {
            if let Some(problem) = password_problem(&new.password) {
                return Ok(Err(SetupRefusal::PasswordWeak(problem)));
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
                let nobody = uuid::Uuid::nil();
                Ok(Recorded::new(
                    operator_record("Create set-up link", "DirectoryManagement", nobody, "", &moment),
                    (),
                ))
            })
            .await?;
        Ok(format!("{}/setup?token={}", self.settings.base, token.text()))
    }

    /// Whether a set-up link could be used now.
    pub fn is_setup_link_open(&self, token: &str, now: Timestamp) -> Result<bool, Fault> {
        let Some(token) = ProofToken::parse(ProofKind::SetupLink, token) else { return Ok(false) };
        Ok(self.store.read(|tx| tx.is_setup_link_open(token.hash(), now))?)
    }

    /// Uses a set-up link: makes the first tenant and its administrator.
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
        if let Some(problem) = password_problem(&admin.password) {
            return Ok(Err(SetupRefusal::PasswordWeak(problem)));
        }
        let is_in_domain =
            Address::parse(&admin.sign_in_name).is_some_and(|name| name.domain() == &new.initial_domain);
        if !is_in_domain {
            return Ok(Err(SetupRefusal::NameNotInDomain));
        }
        if self.store.read(|tx| tx.find_domain_owner(&new.initial_domain))?.is_some() {
            return Ok(Err(SetupRefusal::DomainTaken));
        }
        let (hash, inner) = (token.hash(), moment.clone());
        let is_used = self
            .store
            .write(move |tx| {
                let is_used = tx.consume_setup_link(hash, inner.now)?;
                let nobody = uuid::Uuid::nil();
                Ok(Recorded::new(
                    operator_record("Use set-up link", "DirectoryManagement", nobody, "", &inner),
                    is_used,
                ))
            })
            .await?;
        if !is_used {
            return Ok(Err(SetupRefusal::LinkInvalid));
        }
        self.create_tenant(new, vec![admin], moment).await
    }

    /// Whether nobody set anything up yet.
    pub fn has_tenants(&self) -> Result<bool, Fault> {
        Ok(!self.store.read(|tx| tx.list_tenants())?.is_empty())
    }
}

struct Prepared {
    id: UserId,
    new: NewPerson,
    phc: String,
}

fn is_free(tx: &store::ReadTx<'_>, id: TenantId, new: &NewTenant) -> Written<()> {
    if tx.find_tenant(id)?.is_some() {
        return Ok(Err(SetupRefusal::IdTaken));
    }
    for domain in std::iter::once(&new.initial_domain).chain(&new.other_domains) {
        if tx.find_domain_owner(domain)?.is_some() {
            return Ok(Err(SetupRefusal::DomainTaken));
        }
    }
    Ok(Ok(()))
}

fn is_free_now(tx: &WriteTx<'_>, id: TenantId, new: &NewTenant) -> Written<()> {
    if tx.is_buried(id.uuid())? {
        return Ok(Err(SetupRefusal::IdTaken));
    }
    is_free(tx, id, new)
}

fn write_tenant(
    tx: &WriteTx<'_>,
    id: TenantId,
    new: &NewTenant,
    moment: &Moment,
) -> Result<(), store::Fault> {
    let domain = |name: &DomainName, is_initial| TenantDomain {
        name: name.clone(),
        // The first name of the organisation's own is what people see; without one, the initial name.
        is_default: new.other_domains.first().map_or(is_initial, |first| first == name),
        is_initial,
        is_verified: true,
    };
    let mut domains = vec![domain(&new.initial_domain, true)];
    domains.extend(new.other_domains.iter().map(|name| domain(name, false)));
    let tenant = Tenant {
        id,
        display_name: new.display_name.clone(),
        state: TenantState::Active,
        created_at: moment.now,
        region_scope: new.region_scope.clone(),
        region_sub_scope: new.region_sub_scope.clone(),
        settings: new.settings.clone(),
        domains,
    };
    if !tx.add_tenant(&tenant)? {
        return Err(store::Fault::Bug("a tenant whose names were free could not be written"));
    }
    for app in first_party::all() {
        tx.add_service_principal(&ServicePrincipal {
            id: ServicePrincipalId::new(
                moment.entropy.uuid(&format!("first-party instance {} {id}", app.app_id)),
            ),
            app_id: app.app_id,
            is_enabled: true,
            is_assignment_required: false,
            created_at: moment.now,
            deleted_at: None,
        })?;
    }
    Ok(())
}

fn write_person(tx: &WriteTx<'_>, person: &Prepared, moment: &Moment) -> Written<UserId> {
    let new = &person.new;
    let tenant = tx.load_tenant()?;
    if Address::parse(&new.sign_in_name).is_none_or(|name| !tenant.owns(name.domain())) {
        return Ok(Err(SetupRefusal::NameNotInDomain));
    }
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
        tx.assign_role(person.id.uuid(), *role)?;
    }
    Ok(Ok(person.id))
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
}
