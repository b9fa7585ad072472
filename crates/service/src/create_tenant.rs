//! A person makes a tenant of their own: one write makes it, with the person as its first administrator who signs in at
//! home, or records the refusal at home.

use crate::directory::{Answer, DirectoryRefusal, allow};
use crate::tenants::{First, NewTenant, write_tenant};
use crate::{Fault, Moment, Service};
use domain::audit::{DirectoryRecord, Record, RecordActor, shorten};
use domain::directory::group::LinkedKind;
use domain::directory::permission::{Operation, Viewer};
use domain::directory::role::{self, RoleAssignment};
use domain::directory::user::{
    External, ExternalState, HomeIdentity, SignInUser, User, UserType, guest_sign_in_name,
};
use domain::id::{AppId, TenantId, UserId};
use domain::tenancy::creation::{self, Ask, Facts, Refusal};
use domain::tenancy::domain_name::{Address, DomainName};
use domain::tenancy::tenant::{Tenant, TenantSettings};
use domain::verdict::Verdict;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Person, Recorded, WriteTx};

const ACTIVITY: &str = "Create tenant";

impl Service {
    /// Asks for leave to make a tenant through an application; answers whose it would be.
    pub async fn may_create_tenant(&self, viewer: &Viewer, moment: &Moment) -> Answer<UserId> {
        let allowed = allow(viewer, Operation::CreateTenant, &[]);
        match (allowed, viewer.actor.user()) {
            (Ok(_), Some(user)) => Ok(Ok(user)),
            (Ok(_), None) => self.refuse(ACTIVITY, viewer, DirectoryRefusal::NeedsUser, moment).await,
            (Err(refused), _) => self.refuse(ACTIVITY, viewer, refused.into(), moment).await,
        }
    }

    /// Makes a tenant for a user, from the user's home. `home` is the tenant where the user acts.
    pub async fn create_own_tenant(
        &self,
        home: TenantId,
        user: UserId,
        ask: Ask,
        moment: &Moment,
    ) -> Result<Verdict<Arc<Tenant>, Refusal>, Fault> {
        let id = TenantId::new(moment.entropy.uuid("tenant"));
        let identity = HomeIdentity {
            issuer: self.settings.issuer_v2(home),
            // What the home will say of the person to a tenant of this id.
            subject: self.keys.subject(AppId::new(id.uuid()), home, user),
            home_user: user,
            home_tenant: home,
        };
        let (settings, moment) = (Arc::clone(&self.settings), moment.clone());
        let written = self.store.tenant(id).write(move |tx| {
            let person = Person { home, user };
            let domain = settings
                .tenants_under
                .as_ref()
                .and_then(|suffix| creation::initial_domain(&ask.name, suffix));
            let facts = Facts {
                home: (*tx.find_tenant(home)?.ok_or(store::Fault::Bug("a home vanished"))?).clone(),
                person: tx.find_at_home(person)?,
                suffix: settings.tenants_under.clone(),
                is_domain_taken: match &domain {
                    Some(domain) => {
                        tx.find_domain_owner(domain)?.is_some() || tx.is_name_kept(domain, moment.now)?
                    }
                    None => false,
                },
                created: tx.tenants_created(person, &settings.limits)?,
                directories: tx.directories(person, &settings.limits)?,
            };
            let verdict = creation::decide(&facts, &ask);
            let refusal = match &verdict {
                Verdict::Granted(..) => None,
                Verdict::Refused(refusal, _) => Some(refusal.as_str()),
            };
            let record = Record::Directory(DirectoryRecord {
                activity: ACTIVITY,
                category: "DirectoryManagement",
                actor: RecordActor::User { user: user.uuid() },
                target: Some(id.uuid()),
                target_name: Some(shorten(&ask.display_name, 256)),
                refusal,
                reasons: verdict.trace().summary(),
                modified: Vec::new(),
                origin: moment.origin.clone(),
            });
            // The home has a record of its own person, whatever comes of it.
            tx.note_at(home, record.clone());
            let outcome = match (verdict, &facts.person) {
                (Verdict::Refused(refusal, trace), _) => {
                    return Recorded::elsewhere(tx, Verdict::Refused(refusal, trace));
                }
                (Verdict::Granted(domain, trace), Some(creator)) => {
                    let new = new_tenant(id, &ask, domain, &facts.home);
                    let first = First { people: &[], others: 1, limits: &settings.limits };
                    if write_tenant(tx, id, &new, &first, &moment)?.is_err() {
                        return Err(store::Fault::Bug("a tenant that was decided could not be written"));
                    }
                    write_creator(tx, creator, &identity, &new, &moment)?;
                    tx.count_created_tenant(person)?;
                    Verdict::Granted(tx.load_tenant()?, trace)
                }
                (Verdict::Granted(..), None) => return Err(store::Fault::Bug("nobody made a tenant")),
            };
            Ok(Recorded::new(record, outcome))
        });
        Ok(written.await?)
    }
}

/// It lies where the home lies.
fn new_tenant(id: TenantId, ask: &Ask, domain: DomainName, home: &Tenant) -> NewTenant {
    NewTenant {
        id: Some(id),
        display_name: ask.display_name.trim().to_owned(),
        initial_domain: domain,
        other_domains: Vec::new(),
        region_scope: home.region_scope.clone(),
        region_sub_scope: home.region_sub_scope.clone(),
        settings: TenantSettings::for_region(&home.region_scope),
    }
}

/// The creator is a member who signs in at home, bound from the start.
fn write_creator(
    tx: &WriteTx<'_>,
    creator: &SignInUser,
    identity: &HomeIdentity,
    new: &NewTenant,
    moment: &Moment,
) -> Result<(), store::Fault> {
    let now = moment.now;
    let name = Address::parse(&creator.sign_in_name)
        .ok_or(store::Fault::Bug("a member's sign-in name is no address"))?;
    let mail = creator.mail.clone().unwrap_or_else(|| creator.sign_in_name.clone());
    let id = UserId::new(moment.entropy.uuid("creator"));
    let sign_in_name = guest_sign_in_name(&name, new.initial_domain.as_str(), 0);
    let mail_nickname = sign_in_name.split_once("#EXT#").map(|(stem, _)| format!("{stem}#EXT#"));
    let user = User {
        id,
        sign_in_name,
        display_name: creator.display_name.clone(),
        user_type: UserType::Member,
        is_enabled: true,
        mail: Some(mail.clone()),
        mail_nickname,
        other_mails: vec![mail.clone()],
        proxy_addresses: vec![format!("SMTP:{mail}")],
        business_phones: Vec::new(),
        creation: None,
        external: Some(External { state: ExternalState::Accepted, changed_at: now }),
        identity: None,
        created_at: now,
        deleted_at: None,
        is_shown_in_address_list: true,
        profile: BTreeMap::new(),
        sessions_valid_from: now,
        last_password_change_at: None,
    };
    if !tx.add_user(&user, Some(identity.home_tenant))? || !tx.bind_identity(id, identity, now)? {
        return Err(store::Fault::Bug("the first user of a new tenant could not be written"));
    }
    let role = role::GLOBAL_ADMINISTRATOR.id;
    tx.assign_role(&RoleAssignment { principal: id.uuid(), kind: LinkedKind::User, role }, now)?;
    Ok(())
}
