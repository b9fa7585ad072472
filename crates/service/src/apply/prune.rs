//! What an earlier description made and this one does not name any more.

use super::applications::{granted_resource, held_grant};
use super::groups::link_name;
use super::here::Here;
use super::people::{described_role, role_holders};
use super::work::{Work, assignment_name, link_key, role_name};
use super::{Action, Found, PlanError};
use domain::directory::first_party;
use domain::directory::group::Link;
use domain::directory::role;
use domain::id::{ApplicationId, GroupId, RoleTemplateId, ServicePrincipalId, UserId};
use domain::tenancy::domain_name::Address;
use std::collections::BTreeSet;
use store::Applied;
use uuid::Uuid;

/// What is described, by the ids and names under which it was remembered.
#[derive(Default)]
struct Kept {
    objects: BTreeSet<Uuid>,
    /// Agreements, by their ids.
    grants: BTreeSet<Uuid>,
    /// Kind and name of links, assignments and the like.
    ties: BTreeSet<(String, String)>,
}

pub(super) fn find(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    let kept = kept(here)?;
    let gone: Vec<&Applied> = here.applied.iter().filter(|made| !kept.has(made)).collect();
    // The links of a group go with it; those that lead to what goes stay with it in the bin, so they are taken away.
    let leaving: BTreeSet<Uuid> = gone.iter().map(|made| made.object).collect();
    let mut objects = Vec::new();
    for made in gone {
        let delete = |kind: &str, name: &str| {
            let work = Work::Delete { at: here.at, made: made.clone() };
            here.step(Action::Delete, kind, name, Vec::new(), work)
        };
        let id = made.object;
        match made.kind.as_str() {
            "user" | "guest" => {
                let user = here.read(|tx| tx.find_user(UserId::new(id)))?.flatten();
                if user.is_some_and(|user| user.deleted_at.is_none()) {
                    objects.push(delete(&made.kind, &made.name));
                }
            }
            "group" => {
                let group = here.read(|tx| tx.find_group(GroupId::new(id)))?.flatten();
                if let Some(group) = group.filter(|group| group.deleted_at.is_none()) {
                    objects.push(delete("group", &group.display_name));
                }
            }
            "application" => {
                let app = here.read(|tx| tx.find_application(ApplicationId::new(id)))?.flatten();
                if let Some(app) = app.filter(|app| app.deleted_at.is_none()) {
                    objects.push(delete("application", &app.display_name));
                }
            }
            "member" | "owner" => {
                let link = if made.kind == "member" { Link::Member } else { Link::Owner };
                let group = made.name.split(' ').next().and_then(|id| id.parse().ok()).map(GroupId::new);
                let Some(group) = group else { continue };
                let is_linked = here.read(|tx| tx.is_linked(group, link, id))?.unwrap_or(false);
                let found_group = here.read(|tx| tx.find_group(group))?.flatten();
                let found_group = found_group.filter(|group| group.deleted_at.is_none());
                // Whoever fits a rule by now stays, whoever once added them.
                let found_group = found_group.filter(|group| link == Link::Owner || group.dynamic.is_none());
                let found_group =
                    found_group.filter(|group| is_linked && !leaving.contains(&group.id.uuid()));
                if let (Some(group), Some(name)) = (found_group, label(here, id)?) {
                    let kind = format!("{} of group \"{}\"", link_name(link), group.display_name);
                    found.steps.push(delete(&kind, &name));
                }
            }
            "grant" => {
                let Some(held) = here.read(|tx| tx.find_consent(id))?.flatten() else { continue };
                let resource = here.read(|tx| tx.find_service_principal(held.resource))?.flatten();
                let resource = resource.map(|row| row.registration.display_name).unwrap_or_default();
                if let Some(name) = label(here, held.client.uuid())? {
                    let kind = format!("permission grant on \"{resource}\" of application");
                    found.steps.push(delete(&kind, &name));
                }
            }
            "role" => {
                let role =
                    made.name.split(' ').nth(1).and_then(|id| id.parse().ok()).map(RoleTemplateId::new);
                let held = here.read(|tx| tx.assigned_roles_of(id))?.unwrap_or_default();
                let role = role.filter(|role| held.contains(role)).and_then(role::find);
                if let (Some(role), Some(name)) = (role, label(here, id)?) {
                    found.steps.push(delete(&format!("role \"{}\" of", role.name), &name));
                }
            }
            "appRole" => {
                let Some(held) = here.read(|tx| tx.find_assignment(id))?.flatten() else { continue };
                let principal = held.principal;
                let resource = here.read(|tx| tx.find_service_principal(held.resource))?.flatten();
                let Some(resource) = resource.map(|row| row.registration) else { continue };
                let role = resource.roles.iter().find(|role| role.id == held.role);
                let role = role.map_or_else(String::new, |role| role.value.clone());
                if let Some(name) = label(here, principal)? {
                    let kind = format!("app role \"{role}\" of \"{}\" to", resource.display_name);
                    found.steps.push(delete(&kind, &name));
                }
            }
            _ => {}
        }
    }
    found.steps.extend(objects);
    Ok(())
}

impl Kept {
    fn has(&self, made: &Applied) -> bool {
        match made.kind.as_str() {
            "application" | "group" | "guest" | "user" => self.objects.contains(&made.object),
            "grant" => self.grants.contains(&made.object),
            _ => self.ties.contains(&(made.kind.clone(), made.name.clone())),
        }
    }
}

fn kept(here: &Here<'_>) -> Result<Kept, PlanError> {
    let mut kept = Kept::default();
    for user in &here.described.users {
        kept.objects.extend(here.user(&user.user_principal_name)?.map(|user| user.id.uuid()));
    }
    for guest in &here.described.guests {
        let Some(address) = Address::parse_invitable(&guest.email) else { continue };
        let user = here.read(|tx| tx.find_user_by_address(&address))?.flatten();
        kept.objects.extend(user.map(|user| user.id.uuid()));
    }
    for described in &here.described.groups {
        let Some(group) = here.group(described)? else { continue };
        kept.objects.insert(group.id.uuid());
        for (kind, names) in [("member", &described.members), ("owner", &described.owners)] {
            for name in names {
                let object = here.find(&here.named(name, kind)?)?;
                kept.ties.extend(object.map(|object| (kind.to_owned(), link_key(group.id, object))));
            }
        }
    }
    for (_, _, principal, roles) in role_holders(here) {
        let Some(principal) = here.find(&principal)? else { continue };
        let roles = roles.iter().filter_map(|name| described_role(name));
        kept.ties.extend(roles.map(|role| ("role".to_owned(), role_name(principal, role.id))));
    }
    for described in &here.described.applications {
        let Some(app) = here.application(described)? else { continue };
        kept.objects.insert(app.id.uuid());
        kept.ties.insert(("secret".to_owned(), described.key()));
        for given in &described.permission_grants {
            let Some((resource, _)) = granted_resource(here, given) else { continue };
            kept.grants.extend(held_grant(here, described, resource)?.map(|row| row.id));
        }
        let Some(instance) = here.instance(&app)? else { continue };
        let mut keep = |principal: Uuid, resource: ServicePrincipalId, role| {
            kept.ties.insert(("appRole".to_owned(), assignment_name(principal, resource, role)));
        };
        for given in &described.app_role_assigned_to {
            let principal = here.find(&here.named(&given.principal, "appRoleAssignedTo")?)?;
            let role = app.roles.iter().find(|role| role.value == given.app_role);
            if let (Some(principal), Some(role)) = (principal, role) {
                keep(principal, instance.id, role.id);
            }
        }
        let graph = first_party::graph();
        if let (true, Some(resource)) = (described.kind == "daemon", here.instance(graph)?) {
            for role in graph.roles.iter().filter(|role| described.permissions.contains(&role.value)) {
                keep(instance.id.uuid(), resource.id, role.id);
            }
        }
    }
    Ok(kept)
}

/// What an object is called; nothing where it lies in the bin or is gone, for then there is nothing to take away.
fn label(here: &Here<'_>, id: Uuid) -> Result<Option<String>, PlanError> {
    let name = here.read(|tx| {
        if let Some(user) = tx.find_user(UserId::new(id))? {
            let name = user.mail.filter(|_| user.external.is_some()).unwrap_or(user.sign_in_name);
            return Ok(user.deleted_at.is_none().then_some(name));
        }
        if let Some(group) = tx.find_group(GroupId::new(id))? {
            return Ok(group.deleted_at.is_none().then_some(group.display_name));
        }
        let row = tx.find_service_principal(ServicePrincipalId::new(id))?;
        Ok(row.map(|row| row.registration.display_name))
    })?;
    Ok(name.flatten())
}
