//! Groups: made, changed, and who is in them. A link is written only with rights over both ends (R36).

use crate::applications::{self, SeenApplication};
use crate::deleted::{self, bin, is_in_bin};
use crate::directory::{Answer, DirectoryRefusal, UserKey, Written, allow, record, refusal_name};
use crate::quota;
use crate::roles::{held, holds_last_administrator};
use crate::{Fault, Moment, Service, paging};
use domain::directory::group::{self, ADDED_AT_ONCE, Change, Group, Link, LinkedKind};
use domain::directory::permission::{Actor, Operation, Refused, Tie, Viewer, Visibility};
use domain::directory::property::{APPLICATION, GROUP, SERVICE_PRINCIPAL, USER};
use domain::directory::query::{self, Plan, Position, QueryRefusal};
use domain::directory::role::{self, RoleTemplate};
use domain::directory::user::User;
use domain::id::{ApplicationId, GroupId, ServicePrincipalId, UserId};
use domain::tenancy::limits::{Limit, Limits};
use domain::tenancy::tenant::Tenant;
use domain::time::Timestamp;
use standards::odata::query::Query;
use std::collections::BTreeMap;
use std::sync::Arc;
pub use store::Within;
use store::{Among, Page, ReadTx, Recorded, ServicePrincipalRow, WriteTx};
use uuid::Uuid;

const CATEGORY: &str = "GroupManagement";

/// A group and what of it is shown.
#[derive(Debug)]
pub struct SeenGroup {
    pub group: Group,
    pub visibility: Visibility,
}

/// A group to be made (Graph: create group).
#[derive(Clone, Debug)]
pub struct NewGroup {
    pub changes: Vec<Change>,
    pub members: Vec<Uuid>,
    pub owners: Vec<Uuid>,
}

/// One of the objects that stand together in a list (Graph: directoryObject).
#[derive(Clone, Debug)]
pub enum Linked {
    Application(Box<SeenApplication>),
    Group(Box<Group>),
    Role(RoleTemplate),
    ServicePrincipal(Box<ServicePrincipalRow>),
    User(Box<User>),
}

/// Linked objects, and how much of each kind the caller sees.
#[derive(Debug)]
pub struct LinkedPage {
    pub page: Page<Linked>,
    pub seen: SeenKinds,
    pub tenant: Arc<Tenant>,
}

/// How much of each kind the caller may read; of a kind without an answer only ids are shown, and nothing is asked.
#[derive(Clone, Copy, Debug)]
pub struct SeenKinds {
    pub applications: Option<Visibility>,
    pub groups: Option<Visibility>,
    pub service_principals: Option<Visibility>,
    pub users: Option<Visibility>,
}

impl SeenKinds {
    pub(crate) fn of(viewer: &Viewer) -> Self {
        let seen = |operation| allow(viewer, operation, &[]).ok().map(|scope| scope.visibility);
        Self {
            applications: seen(Operation::ReadApplications),
            groups: seen(Operation::ListGroups),
            service_principals: seen(Operation::ReadServicePrincipals),
            users: seen(Operation::ReadUser(UserId::new(Uuid::nil()))),
        }
    }
}

/// Whose groups are asked for.
#[derive(Clone, Debug)]
pub enum Holder {
    Group(GroupId),
    ServicePrincipal(ServicePrincipalId),
    User(UserKey),
}

/// What a list of linked objects is narrowed to.
pub type Cast = Option<LinkedKind>;

impl Service {
    /// A page of groups, after a position.
    pub fn list_groups(
        &self,
        viewer: &Viewer,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
    ) -> Answer<(Page<Group>, Plan)> {
        self.group_page(viewer, Operation::ListGroups, query, is_advanced, after, Among::Living)
    }

    /// The same of deleted groups.
    pub fn list_deleted_groups(
        &self,
        viewer: &Viewer,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
        now: Timestamp,
    ) -> Answer<(Page<Group>, Plan)> {
        self.group_page(viewer, Operation::ReadDeletedGroups, query, is_advanced, after, bin(now))
    }

    fn group_page(
        &self,
        viewer: &Viewer,
        operation: Operation,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
        among: Among,
    ) -> Answer<(Page<Group>, Plan)> {
        let plan = match plan(viewer, operation, query, is_advanced) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let page = self.store.tenant(viewer.tenant).read(|tx| tx.list_groups(&plan, after, among))?;
        Ok(Ok((page, plan)))
    }

    /// `/groups/$count`.
    pub fn count_groups(&self, viewer: &Viewer, query: &Query, is_advanced: bool) -> Answer<i64> {
        let plan = match plan(viewer, Operation::ListGroups, &query::counting(query), is_advanced) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| tx.count_groups(plan.filter.as_ref()))?))
    }

    /// One group, as far as the viewer may see it.
    pub fn find_group(&self, viewer: &Viewer, id: GroupId) -> Answer<SeenGroup> {
        let found = self.store.tenant(viewer.tenant).read(|tx| {
            let group = tx.find_group(id)?.filter(|group| group.deleted_at.is_none());
            Ok((group, tie(tx, viewer, id)?))
        })?;
        // Asked before it is told whether the group exists (R23).
        let (group, tie) = found;
        Ok(match (allow(viewer, Operation::ReadGroup(tie), &[]), group) {
            (Err(refused), _) => Err(refused.into()),
            (Ok(_), None) => Err(DirectoryRefusal::NotFound),
            (Ok(scope), Some(group)) => Ok(SeenGroup { group, visibility: scope.visibility }),
        })
    }

    /// One deleted group.
    pub fn find_deleted_group(&self, viewer: &Viewer, id: Uuid, now: Timestamp) -> Answer<SeenGroup> {
        if let Err(refused) = allow(viewer, Operation::ReadDeletedGroups, &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| tx.find_group(GroupId::new(id)))?;
        let found = found.filter(|group| is_in_bin(group.deleted_at, now));
        Ok(found
            .map(|group| SeenGroup { group, visibility: Visibility::Full })
            .ok_or(DirectoryRefusal::NotFound))
    }

    /// Makes a group. A user who makes one owns it.
    pub async fn create_group(&self, viewer: &Viewer, new: NewGroup, moment: &Moment) -> Answer<SeenGroup> {
        let id = GroupId::new(moment.entropy.uuid("group"));
        let settings = Arc::clone(&self.settings);
        self.write_group("Add group", viewer, id, moment, move |tx, viewer, moment| {
            create(tx, viewer, id, &new, &settings.limits, moment)
        })
        .await
    }

    /// Changes a group, and adds members named in the same body.
    pub async fn update_group(
        &self,
        viewer: &Viewer,
        id: GroupId,
        changes: Vec<Change>,
        members: Vec<Uuid>,
        moment: &Moment,
    ) -> Answer<()> {
        let settings = Arc::clone(&self.settings);
        self.write_group("Update group", viewer, id, moment, move |tx, viewer, moment| {
            let group = match target(
                tx,
                viewer,
                id,
                if changes.is_empty() { Operation::WriteGroupLinks } else { Operation::WriteGroup },
            )? {
                Ok(group) => group,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let changed = match group::apply(&group, &changes, &*tx.load_tenant()?) {
                Ok(changed) => changed,
                Err(refusal) => return Ok(Err(refusal.into())),
            };
            if let Err(refusal) = may_rule(tx, viewer, Some(&group), &changed, &settings.limits)? {
                return Ok(Err(refusal));
            }
            // All links are looked at before the first is written: a refusal leaves nothing behind.
            let mut kinds = Vec::new();
            for member in &members {
                match may_link(tx, viewer, &changed, Link::Member, *member)? {
                    Ok(_) if tx.is_linked(id, Link::Member, *member)? => {
                        return Ok(Err(DirectoryRefusal::LinkExists("members")));
                    }
                    Ok(kind) => kinds.push((kind, *member)),
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            if changed != group && !tx.update_group(&changed, moment.now)? {
                return Ok(Err(DirectoryRefusal::Taken("mailNickname")));
            }
            for (kind, member) in kinds {
                tx.add_link(id, Link::Member, kind, member, moment.now)?;
            }
            Ok(Ok(()))
        })
        .await
    }

    /// Deletes a group: for 30 days it can be restored, with its links.
    pub async fn delete_group(&self, viewer: &Viewer, id: GroupId, moment: &Moment) -> Answer<()> {
        self.write_group("Delete group", viewer, id, moment, move |tx, viewer, moment| {
            Ok(match target(tx, viewer, id, Operation::WriteGroup)? {
                Ok(group) if holds_last_administrator(tx, &group, None)? => {
                    Err(DirectoryRefusal::LastAdministrator)
                }
                Ok(group) => {
                    tx.update_group(&Group { deleted_at: Some(moment.now), ..group }, moment.now)?;
                    Ok(())
                }
                Err(refusal) => Err(refusal),
            })
        })
        .await
    }

    /// Brings a deleted group back.
    pub async fn restore_group(&self, viewer: &Viewer, id: GroupId, moment: &Moment) -> Answer<SeenGroup> {
        let settings = Arc::clone(&self.settings);
        self.write_group("Restore group", viewer, id, moment, move |tx, viewer, moment| {
            let found = match in_bin(tx, viewer, id, moment.now)? {
                Ok(found) => found,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if found.dynamic.is_some()
                && let Err(refusal) = has_room_for_a_rule(tx, &settings.limits)?
            {
                return Ok(Err(refusal));
            }
            if found.is_role_assignable
                && let Err(refusal) = has_room_for_roles(tx, &settings.limits)?
            {
                return Ok(Err(refusal));
            }
            let group = Group { deleted_at: None, ..found };
            if !tx.update_group(&group, moment.now)? {
                return Ok(Err(DirectoryRefusal::Taken("mailNickname")));
            }
            Ok(Ok(SeenGroup { group, visibility: Visibility::Full }))
        })
        .await
    }

    /// Removes a deleted group for good.
    pub async fn purge_group(&self, viewer: &Viewer, id: GroupId, moment: &Moment) -> Answer<()> {
        let (activity, _) = deleted::activity(LinkedKind::Group);
        self.write_group(activity, viewer, id, moment, move |tx, viewer, moment| {
            Ok(match in_bin(tx, viewer, id, moment.now)? {
                Ok(_) => {
                    tx.purge_group(id, moment.now)?;
                    Ok(())
                }
                Err(refusal) => Err(refusal),
            })
        })
        .await
    }

    /// Links an object to a group.
    pub async fn add_link(
        &self,
        viewer: &Viewer,
        id: GroupId,
        link: Link,
        object: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        let activity = match link {
            Link::Member => "Add member to group",
            Link::Owner => "Add owner to group",
        };
        let settings = Arc::clone(&self.settings);
        self.write_group(activity, viewer, id, moment, move |tx, viewer, moment| {
            let group = match target(tx, viewer, id, write_operation(link))? {
                Ok(group) => group,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let kind = match may_link(tx, viewer, &group, link, object)? {
                Ok(kind) => kind,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let most = tx.load_tenant()?.limit(Limit::OwnersOfGroup, &settings.limits);
            if link == Link::Owner && tx.count_links(id, Link::Owner)? >= most {
                return Ok(Err(DirectoryRefusal::TooManyOwners(most)));
            }
            let is_new = tx.add_link(id, link, kind, object, moment.now)?;
            let name = match link {
                Link::Member => "members",
                Link::Owner => "owners",
            };
            Ok(if is_new { Ok(()) } else { Err(DirectoryRefusal::LinkExists(name)) })
        })
        .await
    }

    /// Takes a link away.
    pub async fn remove_link(
        &self,
        viewer: &Viewer,
        id: GroupId,
        link: Link,
        object: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        let activity = match link {
            Link::Member => "Remove member from group",
            Link::Owner => "Remove owner from group",
        };
        self.write_group(activity, viewer, id, moment, move |tx, viewer, moment| {
            let group = match target(tx, viewer, id, write_operation(link))? {
                Ok(group) => group,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if let Err(text) = group::may_unlink(&group, link) {
                return Ok(Err(DirectoryRefusal::LinkNotAllowed(text)));
            }
            if link == Link::Member && holds_last_administrator(tx, &group, Some(object))? {
                return Ok(Err(DirectoryRefusal::LastAdministrator));
            }
            let is_removed = tx.remove_link(id, link, object, moment.now)?;
            Ok(if is_removed { Ok(()) } else { Err(DirectoryRefusal::LinkMissing) })
        })
        .await
    }

    /// What is linked to a group, narrowed to one kind or of all kinds.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the address or its options")]
    pub fn list_links(
        &self,
        viewer: &Viewer,
        id: GroupId,
        within: Within,
        cast: Cast,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
    ) -> Answer<LinkedPage> {
        if let Err(refusal) = self.links_scope(viewer, id)? {
            return Ok(Err(refusal));
        }
        self.linked(viewer, within, cast, query, is_advanced, after, SeenKinds::of(viewer), None)
    }

    /// How many objects are linked to a group.
    pub fn count_links(
        &self,
        viewer: &Viewer,
        id: GroupId,
        within: Within,
        is_advanced: bool,
    ) -> Answer<i64> {
        if let Err(refusal) = self.links_scope(viewer, id)? {
            return Ok(Err(refusal));
        }
        if !is_advanced {
            return Ok(Err(QueryRefusal::NeedsAdvanced.into()));
        }
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| tx.count_linked(&within))?))
    }

    pub(crate) fn links_scope(&self, viewer: &Viewer, id: GroupId) -> Answer<Visibility> {
        let (group, tie) = self.store.tenant(viewer.tenant).read(|tx| {
            Ok((tx.find_group(id)?.filter(|group| group.deleted_at.is_none()), tie(tx, viewer, id)?))
        })?;
        Ok(match (allow(viewer, Operation::ReadGroupLinks(tie), &[]), group) {
            (Err(refused), _) => Err(refused.into()),
            (Ok(_), None) => Err(DirectoryRefusal::NotFound),
            (Ok(scope), Some(_)) => Ok(scope.visibility),
        })
    }

    /// The groups and, where all kinds are asked for, directory roles that an object holds.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the address or its options")]
    pub fn list_memberships(
        &self,
        viewer: &Viewer,
        holder: &Holder,
        is_transitive: bool,
        cast: Cast,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
    ) -> Answer<LinkedPage> {
        let object = match self.holder(viewer, holder)? {
            Ok(object) => object,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let within = if is_transitive { Within::AllGroupsOf(object) } else { Within::GroupsOf(object) };
        let seen = SeenKinds::of(viewer);
        // One's own groups need no right to read all groups.
        let is_own = is_caller(viewer, object) && viewer.actor.sees_own_groups();
        let own = is_own.then_some(Visibility::Limited);
        let seen = SeenKinds { groups: seen.groups.or(own), ..seen };
        let roles = cast.is_none().then_some(is_transitive);
        self.linked(viewer, within, cast, query, is_advanced, after, seen, roles)
    }

    /// A page of linked objects; with `roles` also the directory roles of the object, those of its groups where it is true.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the address or its options")]
    pub(crate) fn linked(
        &self,
        viewer: &Viewer,
        within: Within,
        cast: Cast,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
        seen: SeenKinds,
        roles: Option<bool>,
    ) -> Answer<LinkedPage> {
        let planned = match cast {
            None => mixed(query, is_advanced),
            Some(kind) => {
                let (resource, visibility) = match kind {
                    LinkedKind::Application => (&APPLICATION, seen.applications),
                    LinkedKind::Group => (&GROUP, seen.groups),
                    LinkedKind::ServicePrincipal => (&SERVICE_PRINCIPAL, seen.service_principals),
                    LinkedKind::User => (&USER, seen.users),
                };
                match visibility {
                    Some(visibility) => query::plan(resource, query, visibility, is_advanced),
                    // Only ids: an answer to a question about anything else would tell what it is (R23).
                    None => mixed(query, is_advanced),
                }
            }
        };
        let plan = match planned {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let (page, tenant) = self.store.tenant(viewer.tenant).read(|tx| {
            let boxed = |page: Page<Group>| {
                page.try_map(|group| Ok::<_, store::Fault>(Linked::Group(Box::new(group))))
            };
            let page = match cast {
                None => mixed_page(tx, viewer, &within, &plan, after, roles)?,
                Some(LinkedKind::Application) => {
                    let page = tx.list_applications_within(&within, &plan, after)?;
                    page.try_map(|app| {
                        Ok::<_, store::Fault>(Linked::Application(Box::new(applications::seen(tx, app)?)))
                    })?
                }
                Some(LinkedKind::Group) => boxed(tx.list_groups_within(&within, &plan, after)?)?,
                Some(LinkedKind::ServicePrincipal) => {
                    let page = tx.list_service_principals_within(&within, &plan, after)?;
                    page.try_map(|row| Ok::<_, store::Fault>(Linked::ServicePrincipal(Box::new(row))))?
                }
                Some(LinkedKind::User) => {
                    let page = tx.list_users_within(&within, &plan, after)?;
                    page.try_map(|user| Ok::<_, store::Fault>(Linked::User(Box::new(user))))?
                }
            };
            Ok((page, tx.load_tenant()?))
        })?;
        Ok(Ok(LinkedPage { page, seen, tenant }))
    }

    /// The object whose groups are asked for, if the viewer may read it.
    pub(crate) fn holder(&self, viewer: &Viewer, holder: &Holder) -> Answer<Uuid> {
        Ok(match holder {
            Holder::Group(id) => self.find_group(viewer, *id)?.map(|seen| seen.group.id.uuid()),
            Holder::ServicePrincipal(id) => {
                if let Err(refused) = allow(viewer, Operation::ReadServicePrincipals, &[]) {
                    return Ok(Err(refused.into()));
                }
                let found = self.store.tenant(viewer.tenant).read(|tx| tx.find_service_principal(*id))?;
                found.map(|row| row.instance.id.uuid()).ok_or(DirectoryRefusal::NotFound)
            }
            Holder::User(key) => {
                let seen = self.find_user(viewer, key)?;
                // Another's groups and roles are more than a name, and more than a guest sees of another (R23).
                seen.and_then(|seen| match (key, seen.visibility) {
                    (UserKey::Me, _) | (_, Visibility::Full) => Ok(seen.user.id.uuid()),
                    (_, Visibility::Basic) => Err(DirectoryRefusal::Permission(Refused::ScopeMissing)),
                    (_, Visibility::Limited) => Err(DirectoryRefusal::NotFound),
                })
            }
        })
    }

    /// `getMemberGroups` and `getMemberObjects`: ids of all groups, and of directory roles with `has_roles`.
    pub fn member_groups(
        &self,
        viewer: &Viewer,
        holder: &Holder,
        is_security_only: bool,
        has_roles: bool,
    ) -> Answer<Vec<Uuid>> {
        let object = match self.holder(viewer, holder)? {
            Ok(object) => object,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // An application follows the address in a token, which names its person by id.
        if !is_caller(viewer, object)
            && let Err(refused) = allow(viewer, Operation::ReadGroupLinks(Tie::default()), &[])
        {
            return Ok(Err(refused.into()));
        }
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| {
            let groups = tx.groups_of(object)?.into_iter();
            let mut ids: Vec<Uuid> = groups
                .filter(|group| group.is_security_enabled || !is_security_only)
                .map(|group| group.id.uuid())
                .collect();
            if has_roles && !is_security_only {
                let roles = tx.roles_of(object)?;
                ids.extend(roles.into_iter().map(|role| role::object_id(viewer.tenant, role)));
            }
            Ok(ids)
        })?))
    }

    async fn write_group<T: Send + 'static>(
        &self,
        activity: &'static str,
        viewer: &Viewer,
        id: GroupId,
        moment: &Moment,
        work: impl Fn(&WriteTx<'_>, &Viewer, &Moment) -> Written<T> + Send + 'static,
    ) -> Result<Result<T, DirectoryRefusal>, Fault> {
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            // What it was called before it was changed or deleted; what is made now has its name afterwards.
            let name = || Ok::<_, store::Fault>(tx.find_group(id)?.map(|group| group.display_name));
            let before = name()?;
            let outcome = work(tx, &viewer_in, &moment_in)?;
            let refusal = outcome.as_ref().err().map(refusal_name);
            let called = match before {
                Some(name) => Some(name),
                None => name()?,
            };
            let target = Some((id.uuid(), called.unwrap_or_default()));
            Ok(Recorded::new(record(activity, CATEGORY, &viewer_in, target, refusal, &moment_in), outcome))
        });
        Ok(written.await?)
    }
}

/// Whether the object is the person who asks, by whatever address.
fn is_caller(viewer: &Viewer, object: Uuid) -> bool {
    viewer.actor.user().is_some_and(|user| user.uuid() == object)
}

fn plan(
    viewer: &Viewer,
    operation: Operation,
    query: &Query,
    is_advanced: bool,
) -> Result<Plan, DirectoryRefusal> {
    let scope = allow(viewer, operation, &[])?;
    Ok(query::plan(&GROUP, query, scope.visibility, is_advanced)?)
}

/// Owners may change the group itself: who names them needs the right over it.
fn write_operation(link: Link) -> fn(Tie) -> Operation {
    match link {
        Link::Member => Operation::WriteGroupLinks,
        Link::Owner => Operation::WriteGroup,
    }
}

/// What the caller is to a group.
fn tie(tx: &ReadTx<'_>, viewer: &Viewer, group: GroupId) -> Result<Tie, store::Fault> {
    match &viewer.actor {
        Actor::Application { .. } | Actor::Operator => Ok(Tie::default()),
        Actor::User { user, .. } => tx.tie_of(group, user.uuid()),
    }
}

/// The group that is to be written, with leave for it.
fn target(
    tx: &WriteTx<'_>,
    viewer: &Viewer,
    id: GroupId,
    operation: impl Fn(Tie) -> Operation,
) -> Written<Group> {
    let tie = tie(tx, viewer, id)?;
    if let Err(refused) = allow(viewer, operation(tie), &[]) {
        return Ok(Err(refused.into()));
    }
    let Some(group) = tx.find_group(id)?.filter(|group| group.deleted_at.is_none()) else {
        return Ok(Err(DirectoryRefusal::NotFound));
    };
    if group.is_role_assignable
        && let Err(refused) = allow(viewer, Operation::WriteRoleGroup(tie), &[])
    {
        return Ok(Err(refused.into()));
    }
    Ok(Ok(group))
}

/// A group in the bin, with leave to take it out.
fn in_bin(tx: &WriteTx<'_>, viewer: &Viewer, id: GroupId, now: Timestamp) -> Written<Group> {
    let tie = tie(tx, viewer, id)?;
    if let Err(refused) = allow(viewer, Operation::WriteGroup(tie), &[]) {
        return Ok(Err(refused.into()));
    }
    let found = tx.find_group(id)?.filter(|group| is_in_bin(group.deleted_at, now));
    let Some(group) = found else { return Ok(Err(DirectoryRefusal::NotFound)) };
    if group.is_role_assignable
        && let Err(refused) = allow(viewer, Operation::WriteRoleGroup(tie), &[])
    {
        return Ok(Err(refused.into()));
    }
    Ok(Ok(group))
}

/// Whether the viewer may change how a group gets its members, and whether there may be one more with a rule.
fn may_rule(
    tx: &WriteTx<'_>,
    viewer: &Viewer,
    before: Option<&Group>,
    after: &Group,
    limits: &Limits,
) -> Written<()> {
    let before = before.and_then(|group| group.dynamic.as_ref());
    if before == after.dynamic.as_ref() {
        return Ok(Ok(()));
    }
    if let Err(refused) = allow(viewer, Operation::WriteMembershipRule, &[]) {
        return Ok(Err(refused.into()));
    }
    match before.is_none() {
        true => has_room_for_a_rule(tx, limits),
        false => Ok(Ok(())),
    }
}

fn has_room_for_a_rule(tx: &WriteTx<'_>, limits: &Limits) -> Written<()> {
    let most = tx.load_tenant()?.limit(Limit::DynamicGroups, limits);
    let has_room = tx.count_dynamic_groups()? < most;
    Ok(if has_room { Ok(()) } else { Err(DirectoryRefusal::TooManyDynamicGroups(most)) })
}

/// The same of groups that roles can be given to.
fn has_room_for_roles(tx: &WriteTx<'_>, limits: &Limits) -> Written<()> {
    let most = tx.load_tenant()?.limit(Limit::RoleAssignableGroups, limits);
    let has_room = tx.count_role_groups()? < most;
    Ok(if has_room { Ok(()) } else { Err(DirectoryRefusal::TooManyRoleGroups(most)) })
}

/// Whether the viewer may link the object to the group: it must be visible to the viewer (R36), and fit.
fn may_link(
    tx: &WriteTx<'_>,
    viewer: &Viewer,
    group: &Group,
    link: Link,
    object: Uuid,
) -> Written<LinkedKind> {
    let Some(kind) = kind_of(tx, object)? else { return Ok(Err(DirectoryRefusal::NotFound)) };
    let read = match kind {
        LinkedKind::Application => Operation::ReadApplications,
        LinkedKind::Group => Operation::ReadGroup(tie(tx, viewer, GroupId::new(object))?),
        LinkedKind::ServicePrincipal => Operation::ReadServicePrincipals,
        LinkedKind::User => Operation::ReadUser(UserId::new(object)),
    };
    if let Err(refused) = allow(viewer, read, &[]) {
        return Ok(Err(refused.into()));
    }
    let circles = kind == LinkedKind::Group
        && (object == group.id.uuid() || tx.is_inside(GroupId::new(object), group.id.uuid())?);
    Ok(group::may_link(group, link, kind, circles).map(|()| kind).map_err(DirectoryRefusal::LinkNotAllowed))
}

/// What an object of this tenant is, if it is there.
pub(crate) fn kind_of(tx: &ReadTx<'_>, object: Uuid) -> Result<Option<LinkedKind>, store::Fault> {
    if tx.find_user(UserId::new(object))?.is_some_and(|user| user.deleted_at.is_none()) {
        return Ok(Some(LinkedKind::User));
    }
    if tx.find_group(GroupId::new(object))?.is_some_and(|group| group.deleted_at.is_none()) {
        return Ok(Some(LinkedKind::Group));
    }
    if tx.find_service_principal(ServicePrincipalId::new(object))?.is_some() {
        return Ok(Some(LinkedKind::ServicePrincipal));
    }
    let app = tx.find_application(ApplicationId::new(object))?.filter(|app| app.deleted_at.is_none());
    Ok(app.map(|_| LinkedKind::Application))
}

fn create(
    tx: &WriteTx<'_>,
    viewer: &Viewer,
    id: GroupId,
    new: &NewGroup,
    limits: &Limits,
    moment: &Moment,
) -> Written<SeenGroup> {
    let scope = match allow(viewer, Operation::CreateGroup, &[]) {
        Ok(scope) => scope,
        Err(refused) => return Ok(Err(refused.into())),
    };
    let tenant = tx.load_tenant()?;
    let group = match group::create(&new.changes, id, &tenant, moment.now) {
        Ok(group) => group,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    if group.is_role_assignable
        && let Err(refused) = allow(viewer, Operation::WriteRoleGroup(Tie::default()), &[])
    {
        return Ok(Err(refused.into()));
    }
    if let Err(refusal) = may_rule(tx, viewer, None, &group, limits)? {
        return Ok(Err(refusal));
    }
    if group.is_role_assignable
        && let Err(refusal) = has_room_for_roles(tx, limits)?
    {
        return Ok(Err(refusal));
    }
    if new.members.len() > ADDED_AT_ONCE || new.owners.len() > ADDED_AT_ONCE {
        return Ok(Err(DirectoryRefusal::LinkNotAllowed(
            "At most 20 members and 20 owners are added at once.",
        )));
    }
    // All links are looked at before anything is written: a refusal leaves nothing behind.
    let mut links = Vec::new();
    for (link, objects) in [(Link::Member, &new.members), (Link::Owner, &new.owners)] {
        for object in objects {
            match may_link(tx, viewer, &group, link, *object)? {
                Ok(kind) if !links.contains(&(link, kind, *object)) => links.push((link, kind, *object)),
                Ok(_) => {}
                Err(refusal) => return Ok(Err(refusal)),
            }
        }
    }
    if let Err(full) = quota::ask(tx, Some(&viewer.actor), limits, moment.now)? {
        return Ok(Err(full.into()));
    }
    if let Actor::User { user, .. } = &viewer.actor {
        let own = (Link::Owner, LinkedKind::User, user.uuid());
        if !links.contains(&own) {
            links.push(own);
        }
    }
    let most = tenant.limit(Limit::OwnersOfGroup, limits);
    if links.iter().filter(|(link, ..)| *link == Link::Owner).count() as i64 > most {
        return Ok(Err(DirectoryRefusal::TooManyOwners(most)));
    }
    if !tx.add_group(&group)? {
        return Ok(Err(DirectoryRefusal::Taken("mailNickname")));
    }
    quota::credit(tx, &viewer.actor, id.uuid())?;
    for (link, kind, object) in links {
        tx.add_link(id, link, kind, object, moment.now)?;
    }
    Ok(Ok(SeenGroup { group, visibility: scope.visibility }))
}

/// A plan for objects of several kinds: they share no property that could be asked about.
fn mixed(query: &Query, is_advanced: bool) -> Result<Plan, QueryRefusal> {
    let asked = [
        ("$expand", query.expand.is_some()),
        ("$filter", query.filter.is_some()),
        ("$orderby", !query.orderby.is_empty()),
        ("$search", query.search.is_some()),
    ];
    if let Some((option, _)) = asked.iter().find(|(_, is_asked)| *is_asked) {
        let text = format!(
            "{option} needs one kind of object here: add a cast to the address, such as /microsoft.graph.user."
        );
        return Err(QueryRefusal::Unsupported(text));
    }
    if query.count && !is_advanced {
        return Err(QueryRefusal::NeedsAdvanced);
    }
    let plan = query::everything(query.top.unwrap_or(query::PAGE));
    Ok(Plan { has_select: query.select.is_some(), wants_count: query.count, ..plan })
}

/// Objects of several kinds in the order of their ids.
fn mixed_page(
    tx: &ReadTx<'_>,
    viewer: &Viewer,
    within: &Within,
    plan: &Plan,
    after: Option<&Position>,
    roles: Option<bool>,
) -> Result<Page<Linked>, store::Fault> {
    let from = paging::id_of(after);
    let roles = match (within, roles) {
        (Within::AllGroupsOf(object) | Within::GroupsOf(object), Some(is_transitive)) => {
            held(tx, *object, is_transitive)?
        }
        _ => Vec::new(),
    };
    let roles = roles.into_iter().filter_map(role::find);
    let roles: BTreeMap<Uuid, RoleTemplate> =
        roles.map(|role| (role::object_id(viewer.tenant, role.id), role)).collect();
    let linked = tx.linked(within, from, plan.top + 1)?;
    let mut found: Vec<(Uuid, Option<LinkedKind>)> =
        linked.into_iter().map(|(kind, id)| (id, Some(kind))).collect();
    found.extend(roles.keys().filter(|id| from.is_none_or(|from| **id > from)).map(|id| (*id, None)));
    found.sort_unstable();
    let Page { items: found, next, .. } = paging::page_of(found, plan.top, |(id, _)| *id);
    let mut items = Vec::with_capacity(found.len());
    for (id, kind) in found {
        items.extend(match kind {
            Some(kind) => load_linked(tx, kind, id)?,
            None => roles.get(&id).copied().map(Linked::Role),
        });
    }
    let count = match plan.wants_count && after.is_none() {
        true => Some(tx.count_linked(within)? + i64::try_from(roles.len()).unwrap_or(i64::MAX)),
        false => None,
    };
    Ok(Page { items, next, count })
}

pub(crate) fn load_linked(
    tx: &ReadTx<'_>,
    kind: LinkedKind,
    id: Uuid,
) -> Result<Option<Linked>, store::Fault> {
    Ok(match kind {
        LinkedKind::Application => {
            let app = tx.find_application(ApplicationId::new(id))?;
            let seen = app.map(|app| applications::seen(tx, app)).transpose()?;
            seen.map(|app| Linked::Application(Box::new(app)))
        }
        LinkedKind::Group => tx.find_group(GroupId::new(id))?.map(|group| Linked::Group(Box::new(group))),
        LinkedKind::ServicePrincipal => tx
            .find_service_principal(ServicePrincipalId::new(id))?
            .map(|row| Linked::ServicePrincipal(Box::new(row))),
        LinkedKind::User => tx.find_user(UserId::new(id))?.map(|user| Linked::User(Box::new(user))),
    })
}
