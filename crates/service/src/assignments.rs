//! Who holds which app roles: service principals, users and groups, whose direct members hold them, too. Whoever gives
//! one needs rights over both ends (R36).

use crate::applications::{Answer, Decided, Deciding, InstanceKey, ask, instance};
use crate::directory::{UserKey, user_at};
use crate::expand::Objects;
use crate::groups::Linked;
use crate::{Moment, Service, paging};
use domain::directory::application_change::{self as change, ApplicationRefusal};
pub use domain::directory::application_change::{NewAssignment, PrincipalKind};
use domain::directory::group::LinkedKind;
use domain::directory::permission::{Actor, Operation, Viewer};
use domain::directory::query::{PAGE, Position};
use domain::id::{GroupId, PartId, ServicePrincipalId, UserId};
use domain::tenancy::limits::Limit;
use domain::time::Timestamp;
use domain::verdict::Verdict;
use std::sync::Arc;
pub use store::AssignmentFilter;
use store::{AppRoleAssignment, Assigned, Page, ReadTx, WriteTx};
use uuid::Uuid;

/// An assignment with the names of both ends.
#[derive(Clone, Debug)]
pub struct SeenAssignment {
    pub id: Uuid,
    pub role: PartId,
    pub principal: Uuid,
    pub principal_kind: PrincipalKind,
    pub principal_name: String,
    pub resource: ServicePrincipalId,
    pub resource_name: String,
    pub created_at: Timestamp,
}

/// From which end a service principal's assignments are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `appRoleAssignments`: what the service principal holds.
    Principal,
    /// `appRoleAssignedTo`: who holds its roles.
    Resource,
}

/// The object in whose address assignments are read and written.
#[derive(Clone, Debug)]
pub enum Place {
    Group(GroupId),
    Instance(InstanceKey, End),
    User(UserKey),
}

impl Place {
    /// What the log calls giving a role here, and taking it.
    const fn activities(&self) -> (&'static str, &'static str) {
        match self {
            Self::Group(_) => ("Add app role assignment to group", "Remove app role assignment from group"),
            Self::Instance(..) => (
                "Add app role assignment to service principal",
                "Remove app role assignment from service principal",
            ),
            Self::User(_) => {
                ("Add app role assignment grant to user", "Remove app role assignment grant from user")
            }
        }
    }

    fn find(&self, tx: &ReadTx<'_>, viewer: &Viewer) -> Result<Option<Assigned>, store::Fault> {
        Ok(match self {
            Self::Group(id) => {
                let group = tx.find_group(*id)?.filter(|group| group.deleted_at.is_none());
                group.map(|group| Assigned::Of(group.id.uuid()))
            }
            Self::Instance(key, end) => instance(tx, *key)?.map(|row| match end {
                End::Principal => Assigned::Of(row.instance.id.uuid()),
                End::Resource => Assigned::To(row.instance.id),
            }),
            Self::User(key) => user_at(tx, viewer, key)?.map(|user| Assigned::OfUser(user.id.uuid())),
        })
    }

    fn needs_user(&self, viewer: &Viewer) -> bool {
        matches!(
            (self, &viewer.actor),
            (Self::User(UserKey::Me), Actor::Application { .. } | Actor::Operator)
        )
    }
}

/// The end of an assignment that an address names, and the property of that end.
const fn named(assigned: Assigned) -> (&'static str, Uuid) {
    match assigned {
        Assigned::Of(id) | Assigned::OfUser(id) => ("principalId", id),
        Assigned::To(id) => ("resourceId", id.uuid()),
    }
}

impl Service {
    /// A page of the assignments at a place.
    pub fn list_assignments(
        &self,
        viewer: &Viewer,
        place: &Place,
        filter: &AssignmentFilter,
        top: Option<u32>,
        after: Option<&Position>,
    ) -> Answer<Page<SeenAssignment>> {
        let tenant = self.store.tenant(viewer.tenant);
        let found = tenant.read(|tx| place.find(tx, viewer))?;
        // Asked before it is told whether the place exists (R23).
        let operation = match (place, found) {
            (Place::Instance(..), _) => Operation::ReadServicePrincipals,
            (Place::User(_), Some(Assigned::OfUser(id))) => Operation::ReadAssignments(Some(UserId::new(id))),
            (Place::Group(_) | Place::User(_), _) => Operation::ReadAssignments(None),
        };
        if let Err((refusal, _)) = ask(viewer, operation) {
            return Ok(Err(refusal));
        }
        let Some(assigned) = found else {
            let needs_user = place.needs_user(viewer);
            return Ok(Err(if needs_user {
                ApplicationRefusal::NeedsUser
            } else {
                ApplicationRefusal::NotFound
            }));
        };
        let top = top.unwrap_or(PAGE);
        let page = tenant.read(|tx| {
            let rows = tx.list_assignments(assigned, filter, paging::id_of(after), top + 1)?;
            let Page { items, next, count } = paging::page_of(rows, top, |row| row.id);
            let seen = seen_assignments(tx, items)?;
            Ok(Page { items: seen.into_iter().flatten().collect(), next, count })
        })?;
        Ok(Ok(page))
    }

    /// Gives a principal an app role of a resource. The object of the address must be the one that the body names.
    pub async fn assign_app_role(
        &self,
        viewer: &Viewer,
        place: Place,
        new: NewAssignment,
        moment: &Moment,
    ) -> Answer<SeenAssignment> {
        let settings = Arc::clone(&self.settings);
        self.decided(place.activities().0, viewer, moment, move |tx, viewer, moment| {
            let resource = tx.find_service_principal(ServicePrincipalId::new(new.resource))?;
            let holder = holder(tx, new.principal)?;
            let deciding = match may_assign(viewer, resource.as_ref(), holder.as_ref()) {
                Ok(deciding) => deciding,
                Err(refused) => return Ok(*refused),
            };
            if place.needs_user(viewer) {
                return deciding.refuse(ApplicationRefusal::NeedsUser);
            }
            let (Some(resource), Some(holder), Some(at)) = (resource, holder, place.find(tx, viewer)?) else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(new.principal, &holder.name);
            let (property, id) = named(at);
            if id != if property == "resourceId" { new.resource } else { new.principal } {
                let problem = "It must be the object of the address.";
                return deciding.refuse(ApplicationRefusal::Invalid { property, problem });
            }
            if !holder.is_fit {
                let problem = "Only security groups hold app roles.";
                return deciding.refuse(ApplicationRefusal::Invalid { property: "principalId", problem });
            }
            if let Err(refusal) = change::check_role(&resource.registration, new.role, holder.kind) {
                return deciding.refuse(refusal);
            }
            let most = tx.load_tenant()?.limit(Limit::AppRolesOfPrincipal, &settings.limits);
            if tx.count_assignments_of(new.principal)? >= most {
                return deciding.refuse(ApplicationRefusal::TooManyRoles(most));
            }
            let id = moment.entropy.uuid("app role assignment");
            let resource_id = resource.instance.id;
            if !tx.assign_app_role(id, new.principal, resource_id, new.role, moment.now)? {
                return deciding.refuse(ApplicationRefusal::RoleAssigned);
            }
            deciding.grant(SeenAssignment {
                id,
                role: new.role,
                principal: new.principal,
                principal_kind: holder.kind,
                principal_name: holder.name,
                resource: resource_id,
                resource_name: resource.registration.display_name,
                created_at: moment.now,
            })
        })
        .await
    }

    /// Takes an app role back; tokens that are issued later do not name it.
    pub async fn remove_assignment(
        &self,
        viewer: &Viewer,
        place: Place,
        id: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided(place.activities().1, viewer, moment, move |tx, viewer, _| {
            let at = place.find(tx, viewer)?;
            // What a user holds through a group is taken from the group, not here.
            let is_here = |row: &AppRoleAssignment| match at.map(named) {
                Some(("resourceId", id)) => row.resource.uuid() == id,
                Some((_, id)) => row.principal == id,
                None => false,
            };
            let found = tx.find_assignment(id)?.filter(is_here);
            let resource = found.map_or(Ok(None), |found| tx.find_service_principal(found.resource))?;
            let holder = found.map_or(Ok(None), |found| holder(tx, found.principal))?;
            let deciding = match may_assign(viewer, resource.as_ref(), holder.as_ref()) {
                Ok(deciding) => deciding,
                Err(refused) => return Ok(*refused),
            };
            if place.needs_user(viewer) {
                return deciding.refuse(ApplicationRefusal::NeedsUser);
            }
            let Some(found) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            remove(tx, found.id)?;
            let name = holder.map(|holder| holder.name).unwrap_or_default();
            deciding.about(found.principal, &name).grant(())
        })
        .await
    }
}

fn remove(tx: &WriteTx<'_>, id: Uuid) -> Result<(), store::Fault> {
    tx.remove_assignment(id).map(|_| ())
}

/// Asked before it is told which end is missing (R21, R36).
fn may_assign<T>(
    viewer: &Viewer,
    resource: Option<&store::ServicePrincipalRow>,
    holder: Option<&Holder>,
) -> Result<Deciding, Box<Decided<T>>> {
    let kind = holder.map_or(PrincipalKind::Application, |holder| holder.kind);
    match change::may_assign(viewer, resource.map(|row| row.registration.app_id), kind) {
        Verdict::Granted((), trace) => Ok(Deciding::new(trace)),
        Verdict::Refused(refusal, trace) => {
            Err(Box::new(Decided::refused(None, Verdict::Refused(refusal, trace))))
        }
    }
}

/// Who may hold a role.
struct Holder {
    kind: PrincipalKind,
    name: String,
    /// Groups for mail alone hold no roles.
    is_fit: bool,
}

/// Who in this tenant has that object id, and what it is called.
fn holder(tx: &ReadTx<'_>, id: Uuid) -> Result<Option<Holder>, store::Fault> {
    if let Some(row) = tx.find_service_principal(ServicePrincipalId::new(id))? {
        let (kind, name) = (PrincipalKind::Application, row.registration.display_name);
        return Ok(Some(Holder { kind, name, is_fit: true }));
    }
    if let Some(group) = tx.find_group(GroupId::new(id))?.filter(|group| group.deleted_at.is_none()) {
        let (kind, name) = (PrincipalKind::Group, group.display_name);
        return Ok(Some(Holder { kind, name, is_fit: group.is_security_enabled }));
    }
    let user = tx.find_user(UserId::new(id))?.filter(|user| user.deleted_at.is_none());
    Ok(user.map(|user| Holder { kind: PrincipalKind::User, name: user.display_name, is_fit: true }))
}

/// Assignments with the names of both ends, in their order; `None` where one end is gone: what it was given is gone with it.
pub(crate) fn seen_assignments(
    tx: &ReadTx<'_>,
    rows: Vec<AppRoleAssignment>,
) -> Result<Vec<Option<SeenAssignment>>, store::Fault> {
    // Whoever holds a role is of one of three kinds, and no row says of which.
    const KINDS: [LinkedKind; 3] = [LinkedKind::Group, LinkedKind::ServicePrincipal, LinkedKind::User];
    let resources = rows.iter().map(|row| (LinkedKind::ServicePrincipal, row.resource.uuid()));
    let principals = rows.iter().flat_map(|row| KINDS.map(|kind| (kind, row.principal)));
    let known = Objects::load(tx, resources.chain(principals))?;
    let named = |id| match known.find(id)? {
        // No registration holds roles, and no directory role does.
        Linked::Application(_) | Linked::Role(_) => None,
        Linked::Group(group) => Some((PrincipalKind::Group, group.display_name)),
        Linked::ServicePrincipal(row) => Some((PrincipalKind::Application, row.registration.display_name)),
        Linked::User(user) => Some((PrincipalKind::User, user.display_name)),
    };
    let seen = |row: AppRoleAssignment| {
        let (principal_kind, principal_name) = named(row.principal)?;
        let (_, resource_name) = named(row.resource.uuid())?;
        Some(SeenAssignment {
            id: row.id,
            role: row.role,
            principal: row.principal,
            principal_kind,
            principal_name,
            resource: row.resource,
            resource_name,
            created_at: row.created_at,
        })
    };
    Ok(rows.into_iter().map(seen).collect())
}
