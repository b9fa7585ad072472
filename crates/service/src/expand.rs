//! `$expand`: with each object of an answer, the first of what one relation links it to (facts: graph §1).

use crate::Service;
use crate::applications;
use crate::assignments::{SeenAssignment, seen_assignments};
use crate::directory::{Answer, DirectoryRefusal, allow};
use crate::groups::{Linked, SeenKinds, Within};
use crate::roles::held;
use domain::directory::group::{Link, LinkedKind};
use domain::directory::permission::{Operation, Refused, Tie, Viewer, Visibility};
use domain::directory::role;
use domain::id::{GroupId, ServicePrincipalId, UserId};
use domain::tenancy::tenant::Tenant;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Assigned, AssignmentFilter, ReadTx};
use uuid::Uuid;

/// Linked objects that are shown of one object.
// DEFAULT: 20, as the directory is documented to show.
const SHOWN: u32 = 20;
/// Objects loaded by one statement.
const LOADED: usize = 500;

/// A relation that can be expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    AppRoleAssignedTo,
    AppRoleAssignments,
    DirectReports,
    /// The manager, and the manager's manager, and so on, so many in all.
    Manager(u32),
    MemberOf,
    Members,
    OwnedObjects,
    Owners,
    Sponsors,
    TransitiveMemberOf,
}

impl Relation {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppRoleAssignedTo => "appRoleAssignedTo",
            Self::AppRoleAssignments => "appRoleAssignments",
            Self::DirectReports => "directReports",
            Self::Manager(_) => "manager",
            Self::MemberOf => "memberOf",
            Self::Members => "members",
            Self::OwnedObjects => "ownedObjects",
            Self::Owners => "owners",
            Self::Sponsors => "sponsors",
            Self::TransitiveMemberOf => "transitiveMemberOf",
        }
    }
}

/// How the objects came to be seen.
#[derive(Clone, Copy, Debug)]
pub enum Reached {
    Applications,
    Group(GroupId),
    Groups,
    Me,
    ServicePrincipals,
    User(UserId, Visibility),
    Users,
}

/// What one object is related to.
#[derive(Debug)]
pub enum Related {
    Assignments(Vec<SeenAssignment>),
    /// Each the next above the one before.
    Chain(Vec<Linked>),
    Objects(Vec<Linked>),
}

/// What was found, by the object that it is related to, and how much of it the viewer sees.
#[derive(Debug)]
pub struct Expanded {
    pub found: BTreeMap<Uuid, Related>,
    pub seen: SeenKinds,
    pub tenant: Arc<Tenant>,
}

impl Service {
    /// Expands a relation of objects that the viewer was let see; whether it may see the relation is asked here (R23).
    pub fn expand(
        &self,
        viewer: &Viewer,
        reached: Reached,
        relation: Relation,
        objects: &[Uuid],
    ) -> Answer<Expanded> {
        if let Err(refusal) = self.may_expand(viewer, reached, relation)? {
            return Ok(Err(refusal));
        }
        let seen = SeenKinds::of(viewer);
        // One's own groups need no right to read all groups.
        let is_own = matches!(reached, Reached::Me) && viewer.actor.sees_own_groups();
        let own = is_own.then_some(Visibility::Limited);
        let seen = SeenKinds { groups: seen.groups.or(own), ..seen };
        let (found, tenant) = self
            .store
            .tenant(viewer.tenant)
            .read(|tx| Ok((load(tx, reached, relation, objects)?, tx.load_tenant()?)))?;
        Ok(Ok(Expanded { found, seen, tenant }))
    }

    /// What the address of the relation itself would ask of the viewer.
    fn may_expand(&self, viewer: &Viewer, reached: Reached, relation: Relation) -> Answer<()> {
        let asked = |operation| allow(viewer, operation, &[]).map(|_| ()).map_err(DirectoryRefusal::from);
        let all_users = || match allow(viewer, Operation::ListUsers, &[]) {
            Ok(scope) => whole(scope.visibility),
            Err(refused) => Err(refused.into()),
        };
        Ok(match (reached, relation) {
            (Reached::Group(id), Relation::Members | Relation::Owners) => {
                self.links_scope(viewer, id)?.map(|_| ())
            }
            (Reached::Groups, Relation::Members | Relation::Owners) => {
                asked(Operation::ReadGroupLinks(Tie::default()))
            }
            (Reached::Group(_) | Reached::Groups | Reached::Users, Relation::AppRoleAssignments) => {
                asked(Operation::ReadAssignments(None))
            }
            (Reached::Me, Relation::AppRoleAssignments) => {
                asked(Operation::ReadAssignments(viewer.actor.user()))
            }
            (Reached::User(id, _), Relation::AppRoleAssignments) => {
                asked(Operation::ReadAssignments(Some(id)))
            }
            // Whoever is above one's own manager is another's manager.
            (Reached::Me | Reached::User(..), Relation::Manager(2..)) => {
                match allow(viewer, Operation::ReadUser(UserId::new(Uuid::nil())), &[]) {
                    Ok(scope) => whole(scope.visibility),
                    Err(refused) => Err(refused.into()),
                }
            }
            // Whoever reads these reads what they hold and who owns them.
            (Reached::Applications | Reached::ServicePrincipals, _) => Ok(()),
            (Reached::Group(_) | Reached::Groups | Reached::Me, _) => Ok(()),
            (Reached::User(_, visibility), _) => whole(visibility),
            (Reached::Users, _) => all_users(),
        })
    }
}

/// Another's groups and roles are more than a name, and more than a guest sees of another (R23).
fn whole(visibility: Visibility) -> Result<(), DirectoryRefusal> {
    match visibility {
        Visibility::Full => Ok(()),
        Visibility::Basic => Err(DirectoryRefusal::Permission(Refused::ScopeMissing)),
        Visibility::Limited => Err(DirectoryRefusal::NotFound),
    }
}

type Found = Result<BTreeMap<Uuid, Related>, store::Fault>;

fn load(tx: &ReadTx<'_>, reached: Reached, relation: Relation, objects: &[Uuid]) -> Found {
    let is_of_group = matches!(reached, Reached::Group(_) | Reached::Groups);
    let is_of_user = matches!(reached, Reached::Me | Reached::User(..) | Reached::Users);
    let linked = |within: fn(Uuid) -> Within| {
        related(
            tx,
            objects,
            |id| tx.linked(&within(id), None, SHOWN),
            |_, found| Ok(Related::Objects(found.flatten().collect())),
        )
    };
    let groups = |within: fn(Uuid) -> Within, is_transitive| {
        related(
            tx,
            objects,
            |id| tx.linked(&within(id), None, SHOWN),
            |id, found| {
                let roles = if is_of_user { held(tx, id, is_transitive)? } else { Vec::new() };
                let roles = roles.into_iter().filter_map(role::find).map(Linked::Role);
                Ok(Related::Objects(found.flatten().chain(roles).take(SHOWN as usize).collect()))
            },
        )
    };
    let users = |ids: Vec<UserId>| ids.into_iter().map(|id| (LinkedKind::User, id.uuid())).collect();
    match relation {
        Relation::AppRoleAssignedTo => {
            assignments(tx, objects, |id| Assigned::To(ServicePrincipalId::new(id)))
        }
        Relation::AppRoleAssignments if is_of_user => assignments(tx, objects, Assigned::OfUser),
        Relation::AppRoleAssignments => assignments(tx, objects, Assigned::Of),
        Relation::DirectReports => linked(Within::ReportsOf),
        Relation::Manager(levels) => related(
            tx,
            objects,
            |id| Ok(users(tx.managers_above(UserId::new(id), levels)?)),
            // Nobody is above somebody who is gone.
            |_, found| Ok(Related::Chain(found.map_while(|manager| manager).collect())),
        ),
        Relation::MemberOf => groups(Within::GroupsOf, false),
        Relation::Members => linked(|id| Within::LinkedTo(GroupId::new(id), Link::Member)),
        Relation::OwnedObjects => linked(Within::OwnedBy),
        Relation::Owners if is_of_group => linked(|id| Within::LinkedTo(GroupId::new(id), Link::Owner)),
        Relation::Owners => linked(Within::OwnersOf),
        Relation::Sponsors => related(
            tx,
            objects,
            |id| Ok(users(tx.sponsors_of(UserId::new(id))?)),
            |_, found| Ok(Related::Objects(found.flatten().collect())),
        ),
        Relation::TransitiveMemberOf => groups(Within::AllGroupsOf, true),
    }
}

/// Ids come by a statement for each object of the page, which reads twenty of an index; one for all would read every
/// link of a large group to number them. The related objects themselves are loaded together.
fn related(
    tx: &ReadTx<'_>,
    objects: &[Uuid],
    ids: impl Fn(Uuid) -> Result<Vec<(LinkedKind, Uuid)>, store::Fault>,
    show: impl Fn(Uuid, &mut dyn Iterator<Item = Option<Linked>>) -> Result<Related, store::Fault>,
) -> Found {
    let mut named = Vec::with_capacity(objects.len());
    for object in objects {
        named.push((*object, ids(*object)?));
    }
    let known = Objects::load(tx, named.iter().flat_map(|(_, named)| named).copied())?;
    let mut found = BTreeMap::new();
    for (object, named) in named {
        let mut linked = named.into_iter().map(|(_, id)| known.find(id));
        found.insert(object, show(object, &mut linked)?);
    }
    Ok(found)
}

/// The app roles that objects hold, or that are held of them.
fn assignments(tx: &ReadTx<'_>, objects: &[Uuid], assigned: impl Fn(Uuid) -> Assigned) -> Found {
    let (mut rows, mut counts) = (Vec::new(), Vec::with_capacity(objects.len()));
    for object in objects {
        let found = tx.list_assignments(assigned(*object), &AssignmentFilter::default(), None, SHOWN)?;
        counts.push((*object, found.len()));
        rows.extend(found);
    }
    let mut seen = seen_assignments(tx, rows)?.into_iter();
    let of = |(object, count)| (object, Related::Assignments(seen.by_ref().take(count).flatten().collect()));
    Ok(counts.into_iter().map(of).collect())
}

/// Objects of several kinds, loaded together.
pub(crate) struct Objects(BTreeMap<Uuid, Linked>);

impl Objects {
    pub(crate) fn load(
        tx: &ReadTx<'_>,
        named: impl Iterator<Item = (LinkedKind, Uuid)>,
    ) -> Result<Self, store::Fault> {
        let mut ids: BTreeMap<LinkedKind, BTreeSet<Uuid>> = BTreeMap::new();
        for (kind, id) in named {
            ids.entry(kind).or_default().insert(id);
        }
        let mut known = BTreeMap::new();
        for (kind, ids) in ids {
            let ids: Vec<Uuid> = ids.into_iter().collect();
            for ids in ids.chunks(LOADED) {
                match kind {
                    LinkedKind::Application => {
                        for app in tx.applications_of_ids(ids)? {
                            let id = app.id.uuid();
                            let app = Box::new(applications::seen(tx, app)?);
                            known.insert(id, Linked::Application(app));
                        }
                    }
                    LinkedKind::Group => known.extend(
                        tx.groups_of_ids(ids)?
                            .into_iter()
                            .map(|group| (group.id.uuid(), Linked::Group(Box::new(group)))),
                    ),
                    LinkedKind::ServicePrincipal => {
                        known.extend(
                            tx.service_principals_of_ids(ids)?
                                .into_iter()
                                .map(|row| (row.instance.id.uuid(), Linked::ServicePrincipal(Box::new(row)))),
                        );
                    }
                    LinkedKind::User => known.extend(
                        tx.users_of_ids(ids)?
                            .into_iter()
                            .map(|user| (user.id.uuid(), Linked::User(Box::new(user)))),
                    ),
                }
            }
        }
        Ok(Self(known))
    }
    pub(crate) fn find(&self, id: Uuid) -> Option<Linked> {
        self.0.get(&id).cloned()
    }
}
