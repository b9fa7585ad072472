//! The directory behind Graph: users, deleted users, organization, domains. Each call asks whether the caller may, then
//! reads or writes in the caller's own tenant (R21).

use crate::deleted::{self, bin, is_in_bin};
use crate::invite::record_actor;
use crate::roles::{guarding_roles, is_last_administrator};
use crate::tenants::password_problem;
use crate::{Fault, Moment, Service};
use crate::{modified, quota, relations};
use domain::audit::{DirectoryRecord, Record};
use domain::directory::change::{self, Change, ChangeRefusal, NewValue};
use domain::directory::delta::Asked;
use domain::directory::group::LinkedKind;
use domain::directory::permission::{self, Actor, Operation, Refused, Scope, UserPart, Viewer, Visibility};
use domain::directory::property::{Source, USER};
use domain::directory::query::{self, Plan, Position, QueryRefusal};
use domain::directory::user::{ExternalState, User, UserType};
use domain::id::{TenantId, UserId};
use domain::tenancy::domain_name::Address;
use domain::tenancy::limits::{Full, Limits};
use domain::tenancy::tenant::Tenant;
use domain::time::{Span, Timestamp};
use standards::odata::query::Query;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{Among, Page, ReadTx, Recorded, WriteTx};
use uuid::Uuid;

/// Why a directory call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryRefusal {
    Change(ChangeRefusal),
    /// There is no room for one more object.
    Full(Full),
    /// A delta token of before the log that is kept; what was asked then.
    DeltaTooOld(Asked),
    /// Nobody would be left who administers the tenant.
    LastAdministrator,
    /// The object is linked already by that relation, or is not.
    LinkExists(&'static str),
    LinkMissing,
    /// Why the two objects cannot be linked.
    LinkNotAllowed(&'static str),
    /// Another object has the value already.
    Taken(&'static str),
    /// As many groups as there may be have members by a rule.
    TooManyDynamicGroups(i64),
    /// With how many a group may have.
    TooManyOwners(i64),
    /// With how many a guest may have.
    TooManySponsors(i64),
    /// With how many groups there may be that hold roles.
    TooManyRoleGroups(i64),
    /// The role is activated, or held, already.
    RoleExists,
    /// An application asked for `/me`.
    NeedsUser,
    NotFound,
    Permission(Refused),
    /// The person is in as many directories as one may be.
    PersonFull,
    Query(QueryRefusal),
    /// A skip token of another query.
    SkipToken,
}

impl From<Refused> for DirectoryRefusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotVisible => Self::NotFound,
            Refused::RoleMissing | Refused::ScopeMissing => Self::Permission(refused),
        }
    }
}

impl From<QueryRefusal> for DirectoryRefusal {
    fn from(refusal: QueryRefusal) -> Self {
        Self::Query(refusal)
    }
}

impl From<Full> for DirectoryRefusal {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}

impl From<ChangeRefusal> for DirectoryRefusal {
    fn from(refusal: ChangeRefusal) -> Self {
        Self::Change(refusal)
    }
}

/// An answer or a refusal; faults are apart.
pub type Answer<T> = Result<Result<T, DirectoryRefusal>, Fault>;

/// A user and what of it is shown.
#[derive(Debug)]
pub struct SeenUser {
    pub user: User,
    pub visibility: Visibility,
    pub tenant: Arc<Tenant>,
}

/// Which user is meant.
#[derive(Clone, Debug)]
pub enum UserKey {
    Id(UserId),
    Me,
    Name(String),
}

/// A user to be made (Graph: Create user).
#[derive(Clone, Debug)]
pub struct NewUser {
    pub changes: Vec<Change>,
    /// Who is to be the manager.
    pub manager: Option<Uuid>,
    pub password: Option<String>,
    pub must_change_password: bool,
}

/// A change of a user.
#[derive(Clone, Debug)]
pub struct UserPatch {
    pub changes: Vec<Change>,
    /// Who is to be the manager; `None` leaves whoever is.
    pub manager: Option<Uuid>,
    pub password: Option<String>,
    pub must_change_password: bool,
}

/// What began in the very moment of a revocation is revoked, too.
pub(crate) const REVOKED: Span = Span::millis(1);

/// Asks for leave; the rights of both sides are in the verdict's reasons.
pub(crate) fn allow(
    viewer: &Viewer,
    operation: Operation,
    target_roles: &[domain::id::RoleTemplateId],
) -> Result<Scope, Refused> {
    permission::decide(viewer, &operation, target_roles).into_result()
}

/// A record of a directory call.
pub(crate) fn record(
    activity: &'static str,
    category: &'static str,
    viewer: &Viewer,
    target: Option<(Uuid, String)>,
    refusal: Option<&'static str>,
    moment: &Moment,
) -> Record {
    Record::Directory(DirectoryRecord {
        activity,
        category,
        actor: record_actor(&viewer.actor),
        target: target.as_ref().map(|(id, _)| *id),
        target_name: target.map(|(_, name)| name),
        refusal,
        reasons: String::new(),
        modified: Vec::new(),
        origin: moment.origin.clone(),
    })
}

pub(crate) fn refusal_name(refusal: &DirectoryRefusal) -> &'static str {
    match refusal {
        DirectoryRefusal::Change(_) => "changeRefused",
        DirectoryRefusal::Full(full) => full.as_str(),
        DirectoryRefusal::DeltaTooOld(_) => "deltaTooOld",
        DirectoryRefusal::LastAdministrator => "lastAdministrator",
        DirectoryRefusal::LinkExists(_) => "linkExists",
        DirectoryRefusal::LinkMissing => "linkMissing",
        DirectoryRefusal::LinkNotAllowed(_) => "linkNotAllowed",
        DirectoryRefusal::NeedsUser => "needsUser",
        DirectoryRefusal::NotFound => "notFound",
        DirectoryRefusal::Permission(refused) => refused.as_str(),
        DirectoryRefusal::PersonFull => "personFull",
        DirectoryRefusal::Query(_) => "queryRefused",
        DirectoryRefusal::RoleExists => "roleExists",
        DirectoryRefusal::SkipToken => "skipToken",
        DirectoryRefusal::Taken(_) => "taken",
        DirectoryRefusal::TooManyDynamicGroups(_) => "tooManyDynamicGroups",
        DirectoryRefusal::TooManyOwners(_) => "tooManyOwners",
        DirectoryRefusal::TooManySponsors(_) => "tooManySponsors",
        DirectoryRefusal::TooManyRoleGroups(_) => "tooManyRoleGroups",
    }
}

/// Undoes what a refused write did: the refusal is carried out of the transaction as a value of its own, so a write that
/// may be refused looks before it writes.
pub(crate) type Written<T> = Result<Result<T, DirectoryRefusal>, store::Fault>;

impl Service {
    /// Records a request that was refused and changed nothing: a read, or what could not be understood (R32).
    /// `asked` is its method and address, `refusal` Graph's own code.
    pub async fn record_refused_request(
        &self,
        viewer: &Viewer,
        asked: &str,
        refusal: &'static str,
        moment: &Moment,
    ) -> Result<(), Fault> {
        let record = Record::Directory(DirectoryRecord {
            activity: "Graph request",
            category: "DirectoryManagement",
            actor: record_actor(&viewer.actor),
            target: None,
            target_name: Some(asked.to_owned()),
            refusal: Some(refusal),
            reasons: String::new(),
            modified: Vec::new(),
            origin: moment.origin.clone(),
        });
        Ok(self.store.tenant(viewer.tenant).write(move |_| Ok(Recorded::new(record.clone(), ()))).await?)
    }

    /// Plans a list of users for what the viewer may see.
    fn plan_users(
        &self,
        viewer: &Viewer,
        query: &Query,
        is_advanced: bool,
    ) -> Result<Plan, DirectoryRefusal> {
        let scope = allow(viewer, Operation::ListUsers, &[])?;
        Ok(query::plan(&USER, query, scope.visibility, is_advanced)?)
    }

    /// A page of users, after the key of the page before.
    pub fn list_users(
        &self,
        viewer: &Viewer,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
    ) -> Answer<(Page<User>, Plan, Arc<Tenant>)> {
        let plan = match self.plan_users(viewer, query, is_advanced) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (page, tenant) = self
            .store
            .tenant(viewer.tenant)
            .read(|tx| Ok((tx.list_users(&plan, after, Among::Living)?, tx.load_tenant()?)))?;
        Ok(Ok((page, plan, tenant)))
    }

    /// `/users/$count`.
    pub fn count_users(&self, viewer: &Viewer, query: &Query, is_advanced: bool) -> Answer<i64> {
        let plan = match self.plan_users(viewer, &query::counting(query), is_advanced) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| tx.count_users(plan.filter.as_ref()))?))
    }

    /// One user by id or sign-in name, as far as the viewer may see it.
    pub fn find_user(&self, viewer: &Viewer, key: &UserKey) -> Answer<SeenUser> {
        let own = match &viewer.actor {
            Actor::User { user, .. } => Some(*user),
            Actor::Application { .. } | Actor::Operator => None,
        };
        let is_me = matches!(key, UserKey::Me);
        let (found, tenant) = self.store.tenant(viewer.tenant).read(|tx| {
            let found = match key {
                UserKey::Me => own.map_or(Ok(None), |own| tx.find_user(own))?,
                UserKey::Id(id) => tx.find_user(*id)?,
                UserKey::Name(name) => tx.find_user_by_name(name)?,
            };
            Ok((found.filter(|user| user.deleted_at.is_none()), tx.load_tenant()?))
        })?;
        if is_me && own.is_none() {
            return Ok(Err(DirectoryRefusal::NeedsUser));
        }
        // Asked before it is told whether the user exists: 403 and 404 must not tell (R21, R23).
        let asked = found.as_ref().map_or_else(|| UserId::new(Uuid::nil()), |user| user.id);
        let operation = if is_me { Operation::ReadMe } else { Operation::ReadUser(asked) };
        let scope = match allow(viewer, operation, &[]) {
            Ok(scope) => scope,
            Err(refused) => return Ok(Err(refused.into())),
        };
        Ok(match found {
            Some(user) => Ok(SeenUser { user, visibility: scope.visibility, tenant }),
            None => Err(DirectoryRefusal::NotFound),
        })
    }

    /// Makes a member of the tenant.
    pub async fn create_user(&self, viewer: &Viewer, new: NewUser, moment: &Moment) -> Answer<SeenUser> {
        let scope = match allow(viewer, Operation::CreateUser, &[]) {
            Ok(scope) => scope,
            Err(refused) => return self.refuse("Add user", viewer, refused.into(), moment).await,
        };
        let tenant = self.store.tenant(viewer.tenant).read(|tx| tx.load_tenant())?;
        let user = match new_user(&new, &scope, &tenant, moment) {
            Ok(user) => user,
            Err(refusal) => return self.refuse("Add user", viewer, refusal.into(), moment).await,
        };
        let phc = match &new.password {
            Some(password) => match password_problem(password) {
                Some(problem) => {
                    let refusal = ChangeRefusal::PasswordWeak(problem);
                    return self.refuse("Add user", viewer, refusal.into(), moment).await;
                }
                None => Some(self.passwords.hash(password.clone(), salt(moment)).await?),
            },
            None => {
                let refusal = ChangeRefusal::Missing("passwordProfile");
                return self.refuse("Add user", viewer, refusal.into(), moment).await;
            }
        };
        let (viewer_in, moment_in, must_change) = (viewer.clone(), moment.clone(), new.must_change_password);
        let settings = Arc::clone(&self.settings);
        let (scope_in, manager) = (scope.clone(), new.manager);
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let target = || Some((user.id.uuid(), user.sign_in_name.clone()));
            let room = quota::ask(tx, Some(&viewer_in.actor), &settings.limits, moment_in.now)?;
            let manager = relations::manager_to_be(tx, &viewer_in, &scope_in, user.id, manager)?;
            let added = match (room, manager) {
                (Err(full), _) => Err(full.into()),
                (Ok(()), Err(refusal)) => Err(refusal),
                (Ok(()), Ok(manager)) if tx.add_user(&user, None)? => Ok(manager),
                (Ok(()), Ok(_)) => Err(DirectoryRefusal::Change(ChangeRefusal::NameTaken)),
            };
            let refusal = added.as_ref().err().map(refusal_name);
            let record = record("Add user", "UserManagement", &viewer_in, target(), refusal, &moment_in);
            let manager = match added {
                Ok(manager) => manager,
                Err(refusal) => return Ok(Recorded::new(record, Err(refusal))),
            };
            if let Some(phc) = &phc {
                tx.set_password(user.id, phc, must_change, moment_in.now)?;
            }
            quota::credit(tx, &viewer_in.actor, user.id.uuid())?;
            if let Some(manager) = manager {
                relations::put_manager(tx, &viewer_in, (user.id, &user.display_name), manager, &moment_in)?;
            }
            Ok(Recorded::new(record, Ok(user.clone())))
        });
        Ok(written.await?.map(|user| SeenUser { user, visibility: scope.visibility, tenant }))
    }

    /// Changes a user.
    pub async fn update_user(
        &self,
        viewer: &Viewer,
        key: &UserKey,
        patch: UserPatch,
        moment: &Moment,
    ) -> Answer<()> {
        let found = match self.target(viewer, key)? {
            Some(user) => user,
            None => {
                return self
                    .refuse_unknown(
                        "Update user",
                        viewer,
                        Operation::UpdateUser(UserId::new(Uuid::nil())),
                        moment,
                    )
                    .await;
            }
        };
        let phc = match &patch.password {
            None => None,
            Some(password) => match password_problem(password) {
                Some(problem) => {
                    let refusal = ChangeRefusal::PasswordWeak(problem);
                    return self.refuse("Update user", viewer, refusal.into(), moment).await;
                }
                None => Some(self.passwords.hash(password.clone(), salt(moment)).await?),
            },
        };
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let before = tx.find_user(found)?;
            let outcome = update(tx, &viewer_in, found, &patch, phc.as_deref(), &moment_in)?;
            let refusal = outcome.as_ref().err().map(refusal_name);
            let target = Some((found.uuid(), String::new()));
            let mut modified = match (before, tx.find_user(found)?) {
                (Some(before), Some(after)) => modified::of_user(&before, &after),
                _ => Vec::new(),
            };
            if phc.is_some() && outcome.is_ok() {
                modified.push(modified::password());
            }
            let record = record("Update user", "UserManagement", &viewer_in, target, refusal, &moment_in);
            Ok(Recorded::new(record.telling(modified), outcome))
        });
        Ok(written.await?)
    }

    /// Deletes a user: for 30 days it can be restored; sessions and tokens end now.
    pub async fn delete_user(&self, viewer: &Viewer, key: &UserKey, moment: &Moment) -> Answer<()> {
        let found = match self.target(viewer, key)? {
            Some(user) => user,
            None => {
                return self
                    .refuse_unknown(
                        "Delete user",
                        viewer,
                        Operation::DeleteUser(UserId::new(Uuid::nil())),
                        moment,
                    )
                    .await;
            }
        };
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let outcome = delete(tx, &viewer_in, found, &moment_in)?;
            let refusal = outcome.as_ref().err().map(refusal_name);
            let target = Some((found.uuid(), String::new()));
            Ok(Recorded::new(
                record("Delete user", "UserManagement", &viewer_in, target, refusal, &moment_in),
                outcome,
            ))
        });
        Ok(written.await?)
    }

    /// Deleted users, after a key.
    pub fn list_deleted_users(
        &self,
        viewer: &Viewer,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
        now: Timestamp,
    ) -> Answer<(Page<User>, Plan, Arc<Tenant>)> {
        let plan = match allow(viewer, Operation::ReadDeleted, &[]) {
            Ok(scope) => query::plan(&USER, query, scope.visibility, is_advanced),
            Err(refused) => return Ok(Err(refused.into())),
        };
        let plan = match plan {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let (page, tenant) = self
            .store
            .tenant(viewer.tenant)
            .read(|tx| Ok((tx.list_users(&plan, after, bin(now))?, tx.load_tenant()?)))?;
        Ok(Ok((page, plan, tenant)))
    }

    /// One deleted user.
    pub fn find_deleted_user(&self, viewer: &Viewer, id: Uuid, now: Timestamp) -> Answer<SeenUser> {
        let scope = match allow(viewer, Operation::ReadDeleted, &[]) {
            Ok(scope) => scope,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let (found, tenant) = self
            .store
            .tenant(viewer.tenant)
            .read(|tx| Ok((tx.find_user(UserId::new(id))?, tx.load_tenant()?)))?;
        Ok(match found.filter(|user| is_in_bin(user.deleted_at, now)) {
            Some(user) => Ok(SeenUser { user, visibility: scope.visibility, tenant }),
            None => Err(DirectoryRefusal::NotFound),
        })
    }

    /// Brings a deleted user back.
    pub async fn restore_user(&self, viewer: &Viewer, id: Uuid, moment: &Moment) -> Answer<SeenUser> {
        let (viewer_in, moment_in, user) = (viewer.clone(), moment.clone(), UserId::new(id));
        let settings = Arc::clone(&self.settings);
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let outcome = restore(tx, &viewer_in, user, &settings.limits, &moment_in)?;
            let refusal = outcome.as_ref().err().map(refusal_name);
            let target = Some((id, String::new()));
            Ok(Recorded::new(
                record("Restore user", "UserManagement", &viewer_in, target, refusal, &moment_in),
                outcome,
            ))
        });
        Ok(written.await?)
    }

    /// Removes a deleted user for good.
    pub async fn purge_user(&self, viewer: &Viewer, id: Uuid, moment: &Moment) -> Answer<()> {
        let (viewer_in, moment_in, user) = (viewer.clone(), moment.clone(), UserId::new(id));
        let (activity, category) = deleted::activity(LinkedKind::User);
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let found = tx.find_user(user)?.filter(|user| is_in_bin(user.deleted_at, moment_in.now));
            let allowed = allow(&viewer_in, Operation::PurgeDeleted, &guarding_roles(tx, user)?);
            let outcome = match (allowed, found) {
                (Err(refused), _) => Err(refused.into()),
                (Ok(_), None) => Err(DirectoryRefusal::NotFound),
                (Ok(_), Some(_)) => {
                    tx.purge_user(user, moment_in.now)?;
                    Ok(())
                }
            };
            let refusal = outcome.as_ref().err().map(refusal_name);
            let target = Some((id, String::new()));
            Ok(Recorded::new(record(activity, category, &viewer_in, target, refusal, &moment_in), outcome))
        });
        Ok(written.await?)
    }

    /// The viewer's organisation.
    pub fn organization(&self, viewer: &Viewer) -> Answer<(Arc<Tenant>, Visibility)> {
        let tenant = self.store.tenant(viewer.tenant).read(|tx| tx.load_tenant())?;
        Ok(match allow(viewer, Operation::ReadOrganization, &[]) {
            Ok(scope) => Ok((tenant, scope.visibility)),
            Err(refused) => Err(refused.into()),
        })
    }

    /// How many objects an organisation has, and may have, as whole ones.
    pub fn directory_size(&self, tenant: TenantId, now: Timestamp) -> Result<(i64, i64), Fault> {
        let (room, tenant) =
            self.store.tenant(tenant).read(|tx| Ok((tx.room(None, now)?, tx.load_tenant()?)))?;
        Ok((room.tenant.whole(), tenant.most_objects(&self.settings.limits)))
    }

    /// The viewer's organisation, for its domains.
    pub fn domains(&self, viewer: &Viewer) -> Answer<Arc<Tenant>> {
        let tenant = self.store.tenant(viewer.tenant).read(|tx| tx.load_tenant())?;
        Ok(allow(viewer, Operation::ReadDomains, &[]).map(|_| tenant).map_err(Into::into))
    }

    /// Changes the organisation's settings.
    pub async fn update_organization(
        &self,
        viewer: &Viewer,
        change: impl Fn(&mut Tenant) -> Result<(), ChangeRefusal> + Send + 'static,
        moment: &Moment,
    ) -> Answer<()> {
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let before = tx.load_tenant()?;
            let mut tenant = (*before).clone();
            let outcome = match allow(&viewer_in, Operation::UpdateOrganization, &[]) {
                Err(refused) => Err(DirectoryRefusal::from(refused)),
                Ok(_) => change(&mut tenant).map_err(DirectoryRefusal::Change),
            };
            if outcome.is_ok() {
                tx.update_tenant(&tenant, moment_in.now)?;
            }
            let refusal = outcome.as_ref().err().map(refusal_name);
            let target = Some((tenant.id.uuid(), tenant.display_name.clone()));
            let record = record(
                "Update company settings",
                "DirectoryManagement",
                &viewer_in,
                target,
                refusal,
                &moment_in,
            );
            let modified = if outcome.is_ok() { modified::of_tenant(&before, &tenant) } else { Vec::new() };
            Ok(Recorded::new(record.telling(modified), outcome))
        });
        Ok(written.await?)
    }

    pub(crate) fn target(&self, viewer: &Viewer, key: &UserKey) -> Result<Option<UserId>, Fault> {
        let found = self.store.tenant(viewer.tenant).read(|tx| user_at(tx, viewer, key))?;
        Ok(found.map(|user| user.id))
    }

    /// A target that does not exist: whoever may not do it anyway hears that, and nothing of the target (R21).
    pub(crate) async fn refuse_unknown<T>(
        &self,
        activity: &'static str,
        viewer: &Viewer,
        operation: Operation,
        moment: &Moment,
    ) -> Answer<T> {
        let refusal = match allow(viewer, operation, &[]) {
            Ok(_) => DirectoryRefusal::NotFound,
            Err(refused) => refused.into(),
        };
        self.refuse(activity, viewer, refusal, moment).await
    }

    /// Records a refusal that needs no transaction of its own.
    pub(crate) async fn refuse<T>(
        &self,
        activity: &'static str,
        viewer: &Viewer,
        refusal: DirectoryRefusal,
        moment: &Moment,
    ) -> Answer<T> {
        let record = record(activity, "UserManagement", viewer, None, Some(refusal_name(&refusal)), moment);
        self.store.tenant(viewer.tenant).write(move |_| Ok(Recorded::new(record.clone(), ()))).await?;
        Ok(Err(refusal))
    }
}

/// Whether a user could be made so; for a plan, which makes nothing.
pub(crate) fn check_new_user(
    new: &NewUser,
    viewer: &Viewer,
    tenant: &Tenant,
    moment: &Moment,
) -> Result<(), DirectoryRefusal> {
    let scope = allow(viewer, Operation::CreateUser, &[])?;
    new_user(new, &scope, tenant, moment)?;
    match new.password.as_deref().and_then(password_problem) {
        Some(problem) => Err(ChangeRefusal::PasswordWeak(problem).into()),
        None => Ok(()),
    }
}

fn salt(moment: &Moment) -> [u8; 16] {
    let mut salt = [0; 16];
    salt.iter_mut().zip(moment.entropy.bytes("password salt")).for_each(|(to, from)| *to = from);
    salt
}

/// A member from a body: name, nickname and display name are required (facts: graph §2).
fn new_user(new: &NewUser, scope: &Scope, tenant: &Tenant, moment: &Moment) -> Result<User, ChangeRefusal> {
    let has = |source: Source| {
        new.changes.iter().any(|change| change.property.source == source && change.value != NewValue::Null)
    };
    for (source, name) in [
        (Source::AccountEnabled, "accountEnabled"),
        (Source::DisplayName, "displayName"),
        (Source::MailNickname, "mailNickname"),
        (Source::SignInName, "userPrincipalName"),
    ] {
        if !has(source) {
            return Err(ChangeRefusal::Missing(name));
        }
    }
    let now = moment.now;
    let mut user = User {
        id: UserId::new(moment.entropy.uuid("user")),
        sign_in_name: String::new(),
        display_name: String::new(),
        user_type: UserType::Member,
        is_enabled: true,
        mail: None,
        mail_nickname: None,
        other_mails: Vec::new(),
        proxy_addresses: Vec::new(),
        business_phones: Vec::new(),
        creation: None,
        external: None,
        identity: None,
        created_at: now,
        deleted_at: None,
        is_shown_in_address_list: true,
        profile: BTreeMap::new(),
        sessions_valid_from: now,
        last_password_change_at: Some(now),
    };
    change::apply(&mut user, &new.changes, scope, tenant)?;
    if let Some(mail) = &user.mail {
        user.proxy_addresses = vec![format!("SMTP:{mail}")];
    }
    Ok(user)
}

/// The user that a key means, if it is there.
pub(crate) fn user_at(tx: &ReadTx<'_>, viewer: &Viewer, key: &UserKey) -> Result<Option<User>, store::Fault> {
    let found = match (key, &viewer.actor) {
        (UserKey::Me, Actor::User { user, .. }) => tx.find_user(*user)?,
        (UserKey::Me, Actor::Application { .. } | Actor::Operator) => None,
        (UserKey::Id(id), _) => tx.find_user(*id)?,
        (UserKey::Name(name), _) => tx.find_user_by_name(name)?,
    };
    Ok(found.filter(|user| user.deleted_at.is_none()))
}

fn update(
    tx: &WriteTx<'_>,
    viewer: &Viewer,
    id: UserId,
    patch: &UserPatch,
    phc: Option<&str>,
    moment: &Moment,
) -> Written<()> {
    let now = moment.now;
    let scope = match allow(viewer, Operation::UpdateUser(id), &guarding_roles(tx, id)?) {
        Ok(scope) => scope,
        Err(refused) => return Ok(Err(refused.into())),
    };
    let Some(mut user) = tx.find_user(id)?.filter(|user| user.deleted_at.is_none()) else {
        return Ok(Err(DirectoryRefusal::NotFound));
    };
    let was_enabled = user.is_enabled;
    let tenant = tx.load_tenant()?;
    if let Err(refusal) = change::apply(&mut user, &patch.changes, &scope, &tenant) {
        return Ok(Err(refusal.into()));
    }
    let manager = match relations::manager_to_be(tx, viewer, &scope, id, patch.manager)? {
        Ok(manager) => manager,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let is_external = user.external.is_some();
    if phc.is_some() && (is_external || !scope.may_change(UserPart::Anything)) {
        // A guest's password is its home's business.
        return Ok(Err(ChangeRefusal::Forbidden("passwordProfile".to_owned()).into()));
    }
    let is_disabled = was_enabled && !user.is_enabled;
    if is_disabled && is_last_administrator(tx, id)? {
        return Ok(Err(DirectoryRefusal::LastAdministrator));
    }
    if phc.is_some() || is_disabled {
        user.sessions_valid_from = now + REVOKED;
    }
    // Looked up before anything is written: a refusal leaves nothing behind.
    let taken = tx.find_user_by_name(&user.sign_in_name)?.is_some_and(|other| other.id != id);
    if taken {
        return Ok(Err(ChangeRefusal::NameTaken.into()));
    }
    if !tx.update_user(&user, now)? {
        return Err(store::Fault::Bug("a name that was free could not be written"));
    }
    if let Some(phc) = phc {
        tx.set_password(id, phc, patch.must_change_password, now)?;
    }
    if let Some(manager) = manager {
        relations::put_manager(tx, viewer, (id, &user.display_name), manager, moment)?;
    }
    Ok(Ok(()))
}

fn delete(tx: &WriteTx<'_>, viewer: &Viewer, id: UserId, moment: &Moment) -> Written<()> {
    if let Err(refused) = allow(viewer, Operation::DeleteUser(id), &guarding_roles(tx, id)?) {
        return Ok(Err(refused.into()));
    }
    let Some(user) = tx.find_user(id)?.filter(|user| user.deleted_at.is_none()) else {
        return Ok(Err(DirectoryRefusal::NotFound));
    };
    if is_last_administrator(tx, id)? {
        return Ok(Err(DirectoryRefusal::LastAdministrator));
    }
    put_in_bin(tx, user, moment.now)?;
    Ok(Ok(()))
}

/// Puts a user into the bin, whoever wants it; sessions and tokens end now (R38).
pub(crate) fn put_in_bin(tx: &WriteTx<'_>, mut user: User, now: Timestamp) -> Result<(), store::Fault> {
    user.deleted_at = Some(now);
    user.sessions_valid_from = now + REVOKED;
    tx.update_user(&user, now)?;
    Ok(())
}

fn restore(
    tx: &WriteTx<'_>,
    viewer: &Viewer,
    id: UserId,
    limits: &Limits,
    moment: &Moment,
) -> Written<SeenUser> {
    let scope = match allow(viewer, Operation::RestoreDeleted, &guarding_roles(tx, id)?) {
        Ok(scope) => scope,
        Err(refused) => return Ok(Err(refused.into())),
    };
    let found = tx.find_user(id)?.filter(|user| is_in_bin(user.deleted_at, moment.now));
    let Some(mut user) = found else { return Ok(Err(DirectoryRefusal::NotFound)) };
    let is_accepted =
        user.external.as_ref().is_some_and(|external| external.state == ExternalState::Accepted);
    if is_accepted && user.identity.is_none() {
        return Ok(Err(ChangeRefusal::IdentityTaken.into()));
    }
    if tx.find_user_by_name(&user.sign_in_name)?.is_some() {
        return Ok(Err(ChangeRefusal::NameTaken.into()));
    }
    if let Some(mail) = user.mail.as_deref().and_then(Address::parse) {
        // Someone else may have the address by now; two users must not answer to one invitation.
        if user.external.is_some() && tx.find_user_by_address(&mail)?.is_some() {
            return Ok(Err(ChangeRefusal::NameTaken.into()));
        }
    }
    // The object was counted all the time; the person's directory was not.
    if !quota::may_join(tx, tx.person_of(id)?, limits)? {
        return Ok(Err(DirectoryRefusal::PersonFull));
    }
    user.deleted_at = None;
    tx.update_user(&user, moment.now)?;
    Ok(Ok(SeenUser { user, visibility: scope.visibility, tenant: tx.load_tenant()? }))
}
