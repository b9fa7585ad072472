//! Directory roles: read, activated, given and taken back. Who gives one needs the right over roles, and whoever is to hold it
//! must be there and may hold it (R36). A tenant always keeps a Global Administrator who can sign in.

use crate::directory::{Answer, DirectoryRefusal, Written, allow, record, refusal_name};
use crate::groups::{Cast, Holder, Linked, LinkedPage, SeenKinds, Within, kind_of, load_linked};
use crate::{Moment, Service};
use domain::directory::group::Group;
use domain::directory::permission::{Operation, Viewer};
use domain::directory::query::{Key, Position};
use domain::directory::role::{self, RoleAssignment, RoleTemplate};
use domain::directory::role_query::Wanted;
use domain::id::{GroupId, RoleTemplateId, UserId};
use domain::tenancy::tenant::Tenant;
use standards::odata::query::Query;
use std::sync::Arc;
use store::{Going, ReadTx, Recorded, WriteTx};
use uuid::Uuid;

const CATEGORY: &str = "RoleManagement";

/// Which role of the tenant is meant (Graph: directoryRole).
#[derive(Clone, Copy, Debug)]
pub enum RoleKey {
    /// Its object in the tenant.
    Object(Uuid),
    Template(RoleTemplateId),
}

/// Assignments and, where asked for, who holds them, as far as the caller sees that.
#[derive(Debug)]
pub struct AssignmentPage {
    pub items: Vec<(RoleAssignment, Option<Linked>)>,
    pub next: Option<Position>,
    pub seen: SeenKinds,
    pub tenant: Arc<Tenant>,
}

impl Service {
    /// Whether the viewer may read roles at all: the built-in ones are the same everywhere.
    pub fn may_read_roles(&self, viewer: &Viewer) -> Result<(), DirectoryRefusal> {
        allow(viewer, Operation::ReadRoles, &[]).map(|_| ()).map_err(Into::into)
    }

    /// The roles that are activated in the tenant.
    pub fn activated_roles(&self, viewer: &Viewer) -> Answer<Vec<RoleTemplate>> {
        if let Err(refusal) = self.may_read_roles(viewer) {
            return Ok(Err(refusal));
        }
        let ids = self.store.tenant(viewer.tenant).read(|tx| tx.activated_roles())?;
        Ok(Ok(ids.into_iter().filter_map(role::find).collect()))
    }

    /// One activated role.
    pub fn find_activated_role(&self, viewer: &Viewer, key: RoleKey) -> Answer<RoleTemplate> {
        if let Err(refusal) = self.may_read_roles(viewer) {
            return Ok(Err(refusal));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| activated(tx, viewer, key))?;
        Ok(found.ok_or(DirectoryRefusal::NotFound))
    }

    /// Makes a role's object appear in the tenant.
    pub async fn activate_role(
        &self,
        viewer: &Viewer,
        template: RoleTemplateId,
        moment: &Moment,
    ) -> Answer<RoleTemplate> {
        let target = (role::object_id(viewer.tenant, template), template);
        self.write_role("Add role from template", viewer, target, moment, move |tx, viewer, moment| {
            if let Err(refused) = allow(viewer, Operation::WriteRoles, &[]) {
                return Ok(Err(refused.into()));
            }
            let Some(role) = role::find(template) else { return Ok(Err(DirectoryRefusal::NotFound)) };
            let is_new = tx.activate_role(template, moment.now)?;
            Ok(if is_new { Ok(role) } else { Err(DirectoryRefusal::RoleExists) })
        })
        .await
    }

    /// Who was given a role, narrowed to one kind or of all kinds.
    pub fn list_role_members(
        &self,
        viewer: &Viewer,
        key: RoleKey,
        cast: Cast,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
    ) -> Answer<LinkedPage> {
        let role = match self.find_activated_role(viewer, key)? {
            Ok(role) => role,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (within, seen) = (Within::HoldersOf(role.id), SeenKinds::of(viewer));
        self.linked(viewer, within, cast, query, is_advanced, after, seen, None)
    }

    /// The roles that an object holds: those given to it, or also those of the groups it is in.
    pub fn list_held_roles(
        &self,
        viewer: &Viewer,
        holder: &Holder,
        is_transitive: bool,
    ) -> Answer<Vec<RoleTemplate>> {
        let object = match self.holder(viewer, holder)? {
            Ok(object) => object,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let held = self.store.tenant(viewer.tenant).read(|tx| held(tx, object, is_transitive))?;
        Ok(Ok(held.into_iter().filter_map(role::find).collect()))
    }

    /// Gives an activated role to an object by its address (Graph: add directory role member).
    pub async fn add_role_member(
        &self,
        viewer: &Viewer,
        key: RoleKey,
        principal: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        let target = (principal, template_of(viewer, key));
        self.write_role("Add member to role", viewer, target, moment, move |tx, viewer, moment| {
            let role = match writable(tx, viewer, key)? {
                Ok(role) => role,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let given = assign(tx, role.id, principal, DirectoryRefusal::LinkExists("members"), moment)?;
            Ok(given.map(|_| ()))
        })
        .await
    }

    /// Takes an activated role from an object.
    pub async fn remove_role_member(
        &self,
        viewer: &Viewer,
        key: RoleKey,
        principal: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        let target = (principal, template_of(viewer, key));
        self.write_role("Remove member from role", viewer, target, moment, move |tx, viewer, moment| {
            match writable(tx, viewer, key)? {
                Ok(role) => unassign(tx, role.id, principal, moment),
                Err(refusal) => Ok(Err(refusal)),
            }
        })
        .await
    }

    /// Assignments in the whole tenant, after a position.
    pub fn list_role_assignments(
        &self,
        viewer: &Viewer,
        wanted: &Wanted,
        has_principals: bool,
        top: u32,
        after: Option<&Position>,
    ) -> Answer<AssignmentPage> {
        if let Err(refusal) = self.may_read_roles(viewer) {
            return Ok(Err(refusal));
        }
        let from = match after.and_then(|position| position.key.as_ref()) {
            Some(Key::Text(id)) => RoleAssignment::parse_id(id),
            Some(Key::Int(_)) | None => None,
        };
        let page = self.store.tenant(viewer.tenant).read(|tx| {
            let mut found = match wanted {
                Wanted::Nothing => Vec::new(),
                Wanted::Of { principal, role } => {
                    tx.list_role_assignments(*role, *principal, from, top + 1)?
                }
            };
            let page = usize::try_from(top).unwrap_or(usize::MAX);
            let has_more = found.len() > page;
            found.truncate(page);
            let next = found.last().filter(|_| has_more);
            let next = next.map(|last| Position { key: Some(Key::Text(last.id())), row: 0 });
            let items = found.into_iter().map(|assignment| with_principal(tx, assignment, has_principals));
            let items = items.collect::<Result<_, store::Fault>>()?;
            Ok(AssignmentPage { items, next, seen: SeenKinds::of(viewer), tenant: tx.load_tenant()? })
        })?;
        Ok(Ok(page))
    }

    /// One assignment, in a page of its own.
    pub fn find_role_assignment(
        &self,
        viewer: &Viewer,
        id: &str,
        has_principal: bool,
    ) -> Answer<AssignmentPage> {
        let wanted = match RoleAssignment::parse_id(id) {
            Some((role, principal)) => Wanted::Of { principal: Some(principal), role: Some(role) },
            None => Wanted::Nothing,
        };
        let page = self.list_role_assignments(viewer, &wanted, has_principal, 1, None)?;
        Ok(page
            .and_then(|page| if page.items.is_empty() { Err(DirectoryRefusal::NotFound) } else { Ok(page) }))
    }

    /// Gives a role in the whole tenant, activating it if need be (Graph: create unifiedRoleAssignment).
    pub async fn assign_role(
        &self,
        viewer: &Viewer,
        role: RoleTemplateId,
        principal: Uuid,
        moment: &Moment,
    ) -> Answer<RoleAssignment> {
        let target = (principal, role);
        self.write_role("Add member to role", viewer, target, moment, move |tx, viewer, moment| {
            if let Err(refused) = allow(viewer, Operation::WriteRoles, &[]) {
                return Ok(Err(refused.into()));
            }
            assign(tx, role, principal, DirectoryRefusal::RoleExists, moment)
        })
        .await
    }

    /// Takes a role back.
    pub async fn unassign_role(&self, viewer: &Viewer, id: &str, moment: &Moment) -> Answer<()> {
        let nobody = (RoleTemplateId::new(Uuid::nil()), Uuid::nil());
        let (role, principal) = RoleAssignment::parse_id(id).unwrap_or(nobody);
        let target = (principal, role);
        self.write_role("Remove member from role", viewer, target, moment, move |tx, viewer, moment| {
            if let Err(refused) = allow(viewer, Operation::WriteRoles, &[]) {
                return Ok(Err(refused.into()));
            }
            unassign(tx, role, principal, moment)
        })
        .await
    }

    /// The record names the object and the role.
    async fn write_role<T: Send + 'static>(
        &self,
        activity: &'static str,
        viewer: &Viewer,
        (target, role): (Uuid, RoleTemplateId),
        moment: &Moment,
        work: impl Fn(&WriteTx<'_>, &Viewer, &Moment) -> Written<T> + Send + 'static,
    ) -> Answer<T> {
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let name = role::find(role).map(|role| role.name).unwrap_or_default();
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let outcome = work(tx, &viewer_in, &moment_in)?;
            let refusal = outcome.as_ref().err().map(refusal_name);
            let target = Some((target, name.to_owned()));
            Ok(Recorded::new(record(activity, CATEGORY, &viewer_in, target, refusal, &moment_in), outcome))
        });
        Ok(written.await?)
    }
}

/// The role that a key names, whether it is activated or not; for records.
fn template_of(viewer: &Viewer, key: RoleKey) -> RoleTemplateId {
    match key {
        RoleKey::Template(id) => id,
        RoleKey::Object(id) => {
            let named = role::ALL.iter().find(|role| role::object_id(viewer.tenant, role.id) == id);
            named.map_or(RoleTemplateId::new(Uuid::nil()), |role| role.id)
        }
    }
}

fn activated(tx: &ReadTx<'_>, viewer: &Viewer, key: RoleKey) -> Result<Option<RoleTemplate>, store::Fault> {
    let ids = tx.activated_roles()?;
    Ok(role::find(template_of(viewer, key)).filter(|role| ids.contains(&role.id)))
}

/// The activated role that is to be written, with leave for it.
fn writable(tx: &WriteTx<'_>, viewer: &Viewer, key: RoleKey) -> Written<RoleTemplate> {
    if let Err(refused) = allow(viewer, Operation::WriteRoles, &[]) {
        return Ok(Err(refused.into()));
    }
    Ok(activated(tx, viewer, key)?.ok_or(DirectoryRefusal::NotFound))
}

/// The roles of an object: its own, or with those of its groups.
pub(crate) fn held(
    tx: &ReadTx<'_>,
    object: Uuid,
    is_transitive: bool,
) -> Result<Vec<RoleTemplateId>, store::Fault> {
    if is_transitive { tx.roles_of(object) } else { tx.assigned_roles_of(object) }
}

fn with_principal(
    tx: &ReadTx<'_>,
    assignment: RoleAssignment,
    is_wanted: bool,
) -> Result<(RoleAssignment, Option<Linked>), store::Fault> {
    let principal = if is_wanted { load_linked(tx, assignment.kind, assignment.principal)? } else { None };
    Ok((assignment, principal))
}

/// Gives a role; `taken` is what is said where the object holds it already.
fn assign(
    tx: &WriteTx<'_>,
    role: RoleTemplateId,
    principal: Uuid,
    taken: DirectoryRefusal,
    moment: &Moment,
) -> Written<RoleAssignment> {
    let Some(kind) = kind_of(tx, principal)?.filter(|_| role::find(role).is_some()) else {
        return Ok(Err(DirectoryRefusal::NotFound));
    };
    let group = tx.find_group(GroupId::new(principal))?;
    let is_role_assignable = group.is_some_and(|group| group.is_role_assignable);
    if let Err(problem) = role::may_hold(kind, is_role_assignable) {
        return Ok(Err(DirectoryRefusal::LinkNotAllowed(problem)));
    }
    let assignment = RoleAssignment { principal, kind, role };
    Ok(if tx.assign_role(&assignment, moment.now)? { Ok(assignment) } else { Err(taken) })
}

fn unassign(tx: &WriteTx<'_>, role: RoleTemplateId, principal: Uuid, moment: &Moment) -> Written<()> {
    if tx.find_role_assignment(role, principal)?.is_none() {
        return Ok(Err(DirectoryRefusal::NotFound));
    }
    let going = Going::Assignment(principal);
    if role == role::GLOBAL_ADMINISTRATOR.id && !tx.is_held_without(role, going)? {
        return Ok(Err(DirectoryRefusal::LastAdministrator));
    }
    tx.unassign_role(role, principal, moment.now)?;
    Ok(Ok(()))
}

/// Whether the tenant is left without a Global Administrator when a person is deleted or disabled.
pub(crate) fn is_last_administrator(tx: &ReadTx<'_>, user: UserId) -> Result<bool, store::Fault> {
    let administrator = role::GLOBAL_ADMINISTRATOR.id;
    Ok(tx.roles_of(user.uuid())?.contains(&administrator)
        && !tx.is_held_without(administrator, Going::Person(user))?)
}

/// Whether it is when a group goes, or a member of it.
pub(crate) fn holds_last_administrator(
    tx: &ReadTx<'_>,
    group: &Group,
    member: Option<Uuid>,
) -> Result<bool, store::Fault> {
    let (administrator, id) = (role::GLOBAL_ADMINISTRATOR.id, group.id);
    let going = member.map_or(Going::Assignment(id.uuid()), |member| Going::Membership(id, member));
    Ok(tx.assigned_roles_of(id.uuid())?.contains(&administrator)
        && !tx.is_held_without(administrator, going)?)
}

/// The roles that keep a user out of reach of those who manage users. Members and owners of a group that may hold roles count
/// as if it held one: whoever takes such a person over need only wait for the role.
pub(crate) fn guarding_roles(tx: &ReadTx<'_>, user: UserId) -> Result<Vec<RoleTemplateId>, store::Fault> {
    let mut roles = tx.roles_of(user.uuid())?;
    if roles.is_empty() && tx.is_in_a_role_group(user)? {
        roles.push(role::PRIVILEGED_ROLE_ADMINISTRATOR.id);
    }
    Ok(roles)
}
