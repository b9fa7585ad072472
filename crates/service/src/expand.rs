//! `$expand`: with each object of an answer, the first of what one relation links it to (facts: graph §1).

use crate::Service;
use crate::directory::{Answer, DirectoryRefusal, allow};
use crate::groups::{Linked, LinkedPage, SeenKinds, Within};
use crate::roles::held;
use domain::directory::group::{Link, LinkedKind};
use domain::directory::permission::{Operation, Refused, Tie, Viewer, Visibility};
use domain::directory::role;
use domain::id::GroupId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::{Page, ReadTx};
use uuid::Uuid;

/// Linked objects that are shown of one object.
// DEFAULT: 20, as the directory is documented to show.
const SHOWN: u32 = 20;
/// Objects loaded by one statement.
const LOADED: usize = 500;

/// A relation that can be expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    MemberOf,
    Members,
    Owners,
    TransitiveMemberOf,
}

impl Relation {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MemberOf => "memberOf",
            Self::Members => "members",
            Self::Owners => "owners",
            Self::TransitiveMemberOf => "transitiveMemberOf",
        }
    }

    const fn within(self, id: Uuid) -> Within {
        match self {
            Self::MemberOf => Within::GroupsOf(id),
            Self::Members => Within::LinkedTo(GroupId::new(id), Link::Member),
            Self::Owners => Within::LinkedTo(GroupId::new(id), Link::Owner),
            Self::TransitiveMemberOf => Within::AllGroupsOf(id),
        }
    }
}

/// How the objects came to be seen.
#[derive(Clone, Copy, Debug)]
pub enum Reached {
    Group(GroupId),
    Groups,
    Me,
    User(Visibility),
    Users,
}

/// What was found, by the object that it is linked to.
pub type Expanded = BTreeMap<Uuid, LinkedPage>;

impl Service {
    /// Expands a relation of objects that the viewer was let see; whether it may see the relation is asked here (R23).
    pub fn expand(
        &self,
        viewer: &Viewer,
        reached: Reached,
        relation: Relation,
        objects: &[Uuid],
    ) -> Answer<Expanded> {
        let may = match (reached, relation) {
            (Reached::Group(id), Relation::Members | Relation::Owners) => {
                self.links_scope(viewer, id)?.map(|_| ())
            }
            (Reached::Groups, Relation::Members | Relation::Owners) => {
                let asked = allow(viewer, Operation::ReadGroupLinks(Tie::default()), &[]);
                asked.map(|_| ()).map_err(DirectoryRefusal::from)
            }
            (Reached::Group(_) | Reached::Groups | Reached::Me, _) => Ok(()),
            (Reached::User(visibility), _) => whole(visibility),
            (Reached::Users, _) => match allow(viewer, Operation::ListUsers, &[]) {
                Ok(scope) => whole(scope.visibility),
                Err(refused) => Err(refused.into()),
            },
        };
        if let Err(refusal) = may {
            return Ok(Err(refusal));
        }
        let seen = SeenKinds::of(viewer);
        // One's own groups need no right to read all groups.
        let is_own = matches!(reached, Reached::Me) && viewer.actor.sees_own_groups();
        let own = is_own.then_some(Visibility::Limited);
        let seen = SeenKinds { groups: seen.groups.or(own), ..seen };
        let has_roles = matches!(reached, Reached::Me | Reached::User(_) | Reached::Users);
        let (linked, tenant) = self
            .store
            .tenant(viewer.tenant)
            .read(|tx| Ok((load(tx, relation, objects, has_roles)?, tx.load_tenant()?)))?;
        let page = |(id, items): (Uuid, Vec<Linked>)| {
            let page = Page { items, next: None, count: None };
            (id, LinkedPage { page, seen, tenant: Arc::clone(&tenant) })
        };
        Ok(Ok(linked.into_iter().map(page).collect()))
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

/// Ids come by a statement for each object of the page, which reads twenty of an index; one for all would read every
/// link of a large group to number them. The linked objects themselves are loaded together.
fn load(
    tx: &ReadTx<'_>,
    relation: Relation,
    objects: &[Uuid],
    has_roles: bool,
) -> Result<BTreeMap<Uuid, Vec<Linked>>, store::Fault> {
    let mut named: BTreeMap<Uuid, Vec<(LinkedKind, Uuid)>> = BTreeMap::new();
    for object in objects {
        named.insert(*object, tx.linked(&relation.within(*object), None, SHOWN)?);
    }
    let ids = |wanted: LinkedKind| -> Vec<Uuid> {
        let all = named.values().flatten().filter(|(kind, _)| *kind == wanted).map(|(_, id)| *id);
        all.collect::<BTreeSet<_>>().into_iter().collect()
    };
    let (mut users, mut groups, mut instances) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for ids in ids(LinkedKind::User).chunks(LOADED) {
        users.extend(tx.users_of_ids(ids)?.into_iter().map(|user| (user.id.uuid(), user)));
    }
    for ids in ids(LinkedKind::Group).chunks(LOADED) {
        groups.extend(tx.groups_of_ids(ids)?.into_iter().map(|group| (group.id.uuid(), group)));
    }
    for ids in ids(LinkedKind::ServicePrincipal).chunks(LOADED) {
        let rows = tx.service_principals_of_ids(ids)?;
        instances.extend(rows.into_iter().map(|row| (row.instance.id.uuid(), row)));
    }
    let find = |(kind, id): (LinkedKind, Uuid)| match kind {
        // No relation that is expanded leads to a registration.
        LinkedKind::Application => None,
        LinkedKind::Group => groups.get(&id).map(|group| Linked::Group(Box::new(group.clone()))),
        LinkedKind::ServicePrincipal => {
            instances.get(&id).map(|row| Linked::ServicePrincipal(Box::new(row.clone())))
        }
        LinkedKind::User => users.get(&id).map(|user| Linked::User(Box::new(user.clone()))),
    };
    let mut found = BTreeMap::new();
    for (object, named) in named {
        let mut linked: Vec<Linked> = named.into_iter().filter_map(find).collect();
        if has_roles {
            let roles = held(tx, object, relation == Relation::TransitiveMemberOf)?;
            linked.extend(roles.into_iter().filter_map(role::find).map(Linked::Role));
            linked.truncate(usize::try_from(SHOWN).unwrap_or(usize::MAX));
        }
        found.insert(object, linked);
    }
    Ok(found)
}
