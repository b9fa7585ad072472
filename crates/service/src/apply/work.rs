//! How a step is made: by the functions behind Graph, as the operator. What was made is remembered right after, so that it
//! may be pruned one day; if the program ends in between, it is merely never pruned.

use super::here::{Named, find, find_application, find_group, operator};
use super::{Made, PlanError, Refusal, Step, tenant};
use crate::applications::{ApplicationKey, InstanceChange, InstanceKey, NewSecret};
use crate::assignments::{End, NewAssignment, Place};
use crate::consents::NewConsent;
use crate::directory::{DirectoryRefusal, NewUser, UserKey, UserPatch};
use crate::groups::NewGroup;
use crate::seed::new_tenant;
use crate::world::{SeedError, World, WorldApplication, made_password};
use crate::{Fault, Moment, Service};
use domain::b2b::invitation::NewInvitation;
use domain::directory::application::Application;
use domain::directory::application_change as application;
use domain::directory::change::Change;
use domain::directory::first_party;
use domain::directory::group::{self, Link};
use domain::directory::permission::Viewer;
use domain::id::{ApplicationId, GroupId, PartId, RoleTemplateId, ServicePrincipalId, TenantId, UserId};
use domain::tenancy::branding;
use domain::tenancy::domain_name::{Address, DomainName};
use domain::verdict::Verdict;
use store::{Applied, Chore, Recorded};
use uuid::Uuid;

/// What a step does. `at` and `index` are places in the description; people and things that a step before may have made are
/// found again by name.
#[derive(Clone, Debug)]
pub(super) enum Work {
    AddDomain(usize, DomainName),
    AddInstance { at: usize, index: usize },
    AddSecret { at: usize, index: usize },
    AssignAppRole { at: usize, principal: Named, resource: Resource, role: String },
    AssignRole { at: usize, principal: Named, role: RoleTemplateId },
    CreateApplication { at: usize, index: usize, changes: Vec<application::Change> },
    CreateGroup { at: usize, index: usize, changes: Vec<group::Change> },
    CreateTenant(usize),
    CreateUser { at: usize, index: usize, new: NewUser },
    Delete { at: usize, made: Applied },
    Grant { at: usize, client: usize, resource: Resource, scope: String },
    Invite { at: usize, index: usize, address: Address, sponsors: Vec<Named> },
    Link { at: usize, index: usize, link: Link, object: Named },
    UpdateApplication { at: usize, application: ApplicationId, changes: Vec<application::Change> },
    UpdateGroup { at: usize, group: GroupId, changes: Vec<group::Change> },
    UpdateInstance { at: usize, instance: ServicePrincipalId, change: InstanceChange },
    UpdateTenant { at: usize, organization: bool, looks: Vec<branding::Change> },
    UpdateUser { at: usize, user: UserId, changes: Vec<Change> },
}

/// Whose role is given.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resource {
    /// An application of the description.
    Described(usize),
    Graph,
}

impl Work {
    const fn at(&self) -> usize {
        match self {
            Self::AddDomain(at, _)
            | Self::AddInstance { at, .. }
            | Self::AddSecret { at, .. }
            | Self::AssignAppRole { at, .. }
            | Self::AssignRole { at, .. }
            | Self::CreateApplication { at, .. }
            | Self::CreateGroup { at, .. }
            | Self::CreateTenant(at)
            | Self::CreateUser { at, .. }
            | Self::Delete { at, .. }
            | Self::Grant { at, .. }
            | Self::Invite { at, .. }
            | Self::Link { at, .. }
            | Self::UpdateApplication { at, .. }
            | Self::UpdateGroup { at, .. }
            | Self::UpdateInstance { at, .. }
            | Self::UpdateTenant { at, .. }
            | Self::UpdateUser { at, .. } => *at,
        }
    }
}

/// Under which name a link is remembered.
pub(super) fn link_key(group: GroupId, object: Uuid) -> String {
    format!("{group} {object}")
}

/// Under which name an app role assignment is remembered.
pub(super) fn assignment_name(principal: Uuid, resource: ServicePrincipalId, role: PartId) -> String {
    format!("{principal} {resource} {role}")
}

/// Under which name a directory role is remembered.
pub(super) fn role_name(principal: Uuid, role: RoleTemplateId) -> String {
    format!("{principal} {role}")
}

/// A value, or why a step is refused; faults are apart.
type Answer<T> = Result<Result<T, Refusal>, Fault>;

/// Leaves with the refusal, if there is one.
macro_rules! granted {
    ($answer:expr) => {
        match $answer {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal.into())),
        }
    };
}

fn gone<T>(what: &str) -> Answer<T> {
    Ok(Err(Refusal::Gone(format!("{what} is not there any more; plan again"))))
}

impl Service {
    pub(super) async fn make(&self, world: &World, step: &Step, moment: &Moment) -> Answer<Vec<Made>> {
        let Some(described) = world.tenants.get(step.work.at()) else { return gone("the tenant") };
        if let Work::CreateTenant(_) = &step.work {
            let new = match new_tenant(described, &described.domain) {
                Ok(new) => new,
                Err(SeedError::Description { problem, .. }) => return Ok(Err(Refusal::Gone(problem))),
                Err(SeedError::Fault(fault)) => return Err(fault),
                Err(SeedError::Plan(error)) => return Ok(Err(Refusal::Gone(error.to_string()))),
            };
            granted!(self.create_tenant(new, Vec::new(), moment).await?);
            return Ok(Ok(Vec::new()));
        }
        let Some(id) = self.described_tenant(&described.domain)? else { return gone("the tenant") };
        let viewer = operator(id);
        let remember = |kind: &'static str, name: String, object: Uuid| {
            self.remember(id, Applied { kind: kind.to_owned(), name, object }, moment)
        };
        match &step.work {
            Work::CreateTenant(_) => {}
            Work::AddDomain(_, name) => granted!(self.add_domain(id, name.clone(), moment).await?),
            Work::AddInstance { index, .. } => {
                let Some(app) = described.applications.get(*index) else { return gone("the application") };
                granted!(self.add_described_instance(&viewer, app, moment).await?);
            }
            Work::AddSecret { index, .. } => {
                let Some(app) = described.applications.get(*index) else { return gone("the application") };
                let made = granted!(self.add_described_secret(&viewer, app, step, moment).await?);
                return Ok(Ok(vec![made]));
            }
            Work::AssignAppRole { principal, resource, role, .. } => {
                let resource = match resource {
                    Resource::Described(index) => described.applications.get(*index),
                    Resource::Graph => None,
                };
                granted!(self.give_app_role(&viewer, principal, resource, role, moment).await?);
            }
            Work::AssignRole { principal, role, .. } => {
                let Some(principal) = self.found(id, principal)? else { return gone(&step.name) };
                granted!(self.assign_role(&viewer, *role, principal, moment).await?);
                remember("role", role_name(principal, *role), principal).await?;
            }
            Work::CreateApplication { index, changes, .. } => {
                let Some(app) = described.applications.get(*index) else { return gone("the application") };
                return self.create_described_application(&viewer, app, changes, step, moment).await;
            }
            Work::CreateGroup { index, changes, .. } => {
                let Some(group) = described.groups.get(*index) else { return gone("the group") };
                let new = NewGroup { changes: changes.clone(), members: Vec::new(), owners: Vec::new() };
                let made = granted!(self.create_group(&viewer, new, moment).await?);
                remember("group", group.key().to_lowercase(), made.group.id.uuid()).await?;
            }
            Work::CreateUser { index, new, .. } => {
                let Some(user) = described.users.get(*index) else { return gone("the user") };
                let mut new = new.clone();
                let made = new.password.is_none().then(|| made_password(&moment.entropy));
                new.password = new.password.or_else(|| made.clone());
                let seen = granted!(self.create_user(&viewer, new, moment).await?);
                let name = user.user_principal_name.to_ascii_lowercase();
                remember("user", name, seen.user.id.uuid()).await?;
                let made = made.map(|secret| Made {
                    tenant: step.tenant.clone(),
                    kind: "user",
                    name: step.name.clone(),
                    app_id: None,
                    secret,
                });
                return Ok(Ok(made.into_iter().collect()));
            }
            Work::Delete { made, .. } => granted!(self.delete_made(&viewer, made, moment).await?),
            Work::Grant { client, resource, scope, .. } => {
                let Some(client) = described.applications.get(*client) else {
                    return gone("the application");
                };
                let resource = match resource {
                    Resource::Described(index) => described.applications.get(*index),
                    Resource::Graph => None,
                };
                granted!(self.grant_for_everybody(&viewer, client, resource, scope, moment).await?);
            }
            Work::Invite { index, address, sponsors, .. } => {
                let Some(guest) = described.guests.get(*index) else { return gone("the guest") };
                let mut answering = Vec::new();
                for sponsor in sponsors {
                    let Some(found) = self.found(id, sponsor)? else { return gone("a sponsor") };
                    answering.push(UserId::new(found));
                }
                let my_apps = || format!("{}/myapps", self.settings.base);
                let ask = NewInvitation {
                    address: address.clone(),
                    redirect_url: guest.redirect_url.clone().unwrap_or_else(my_apps),
                    display_name: guest.display_name.clone(),
                    user_type: None,
                    wants_mail: guest.send_invitation_message.unwrap_or(true),
                    message: None,
                    message_language: None,
                    cc: Vec::new(),
                    sponsors: answering,
                };
                match self.invite(&viewer, ask, moment).await? {
                    Verdict::Granted(invited, _) => {
                        remember("guest", address.folded(), invited.guest.uuid()).await?;
                    }
                    Verdict::Refused(refusal, _) => return Ok(Err(Refusal::Invitation(refusal))),
                }
            }
            Work::Link { index, link, object, .. } => {
                let Some(group) = described.groups.get(*index) else { return gone("the group") };
                let group = find_group(self, id, group).map_err(fault)?.map(|group| group.id);
                let (Some(group), Some(object)) = (group, self.found(id, object)?) else {
                    return gone(&step.name);
                };
                match self.add_link(&viewer, group, *link, object, moment).await? {
                    Ok(()) => {
                        let kind = super::groups::link_name(*link);
                        remember(kind, link_key(group, object), object).await?;
                    }
                    // Two names in the description may mean one object.
                    Err(DirectoryRefusal::LinkExists(_)) => {}
                    Err(refusal) => return Ok(Err(refusal.into())),
                }
            }
            Work::UpdateApplication { application, changes, .. } => {
                let key = ApplicationKey::Id(*application);
                granted!(self.update_application(&viewer, key, changes.clone(), moment).await?);
            }
            Work::UpdateGroup { group, changes, .. } => {
                let changes = changes.clone();
                granted!(self.update_group(&viewer, *group, changes, Vec::new(), moment).await?);
            }
            Work::UpdateInstance { instance, change, .. } => {
                let key = InstanceKey::Id(*instance);
                granted!(self.update_service_principal(&viewer, key, change.clone(), moment).await?);
            }
            Work::UpdateTenant { organization, looks, .. } => {
                if *organization {
                    let settings = described.clone();
                    let change = move |tenant: &mut _| tenant::organization(&settings, tenant);
                    granted!(self.update_organization(&viewer, change, moment).await?);
                }
                if !looks.is_empty() {
                    granted!(self.update_branding(&viewer, looks.clone(), moment).await?);
                }
            }
            Work::UpdateUser { user, changes, .. } => {
                let patch = UserPatch {
                    changes: changes.clone(),
                    manager: None,
                    password: None,
                    must_change_password: false,
                };
                granted!(self.update_user(&viewer, &UserKey::Id(*user), patch, moment).await?);
            }
        }
        Ok(Ok(Vec::new()))
    }

    fn described_tenant(&self, domain: &str) -> Result<Option<TenantId>, Fault> {
        let Some(name) = DomainName::parse(domain) else { return Ok(None) };
        Ok(self.store.read(|tx| tx.find_domain_owner(&name))?)
    }

    fn found(&self, tenant: TenantId, named: &Named) -> Result<Option<Uuid>, Fault> {
        find(self, tenant, named).map_err(fault)
    }

    async fn remember(&self, tenant: TenantId, made: Applied, moment: &Moment) -> Result<(), Fault> {
        let now = moment.now;
        let written = self.store.tenant(tenant).write(move |tx| {
            tx.put_applied(&made, now)?;
            Ok(Recorded::chore(Chore::Applied, ()))
        });
        Ok(written.await?)
    }

    async fn create_described_application(
        &self,
        viewer: &Viewer,
        described: &WorldApplication,
        changes: &[application::Change],
        step: &Step,
        moment: &Moment,
    ) -> Answer<Vec<Made>> {
        let made = granted!(self.create_application(viewer, changes.to_vec(), moment).await?).registration;
        let remembered =
            Applied { kind: "application".to_owned(), name: described.key(), object: made.id.uuid() };
        self.remember(viewer.tenant, remembered, moment).await?;
        if described.kind == "api" && made.identifier_uris.is_empty() {
            let uris = vec![format!("api://{}", made.app_id)];
            let change = vec![application::Change::IdentifierUris(uris)];
            granted!(self.update_application(viewer, ApplicationKey::Id(made.id), change, moment).await?);
        }
        granted!(self.add_described_instance(viewer, described, moment).await?);
        if !described.has_secret() {
            return Ok(Ok(Vec::new()));
        }
        Ok(self.add_described_secret(viewer, described, step, moment).await?.map(|made| vec![made]))
    }

    fn described_application(
        &self,
        tenant: TenantId,
        described: &WorldApplication,
    ) -> Result<Option<Application>, Fault> {
        find_application(self, tenant, described).map_err(fault)
    }

    async fn add_described_instance(
        &self,
        viewer: &Viewer,
        described: &WorldApplication,
        moment: &Moment,
    ) -> Answer<()> {
        let Some(app) = self.described_application(viewer.tenant, described)? else {
            return gone(&described.display_name);
        };
        let first = InstanceChange {
            is_assignment_required: described.app_role_assignment_required,
            ..InstanceChange::default()
        };
        granted!(self.create_service_principal(viewer, app.app_id, first, moment).await?);
        Ok(Ok(()))
    }

    async fn add_described_secret(
        &self,
        viewer: &Viewer,
        described: &WorldApplication,
        step: &Step,
        moment: &Moment,
    ) -> Answer<Made> {
        let Some(app) = self.described_application(viewer.tenant, described)? else {
            return gone(&described.display_name);
        };
        let key = ApplicationKey::Id(app.id);
        let new = NewSecret { display_name: Some("hospes apply".to_owned()), ..NewSecret::default() };
        let made = granted!(self.add_password(viewer, key, new, moment).await?);
        let remembered = Applied { kind: "secret".to_owned(), name: described.key(), object: app.id.uuid() };
        self.remember(viewer.tenant, remembered, moment).await?;
        Ok(Ok(Made {
            tenant: step.tenant.clone(),
            kind: "application",
            name: step.name.clone(),
            app_id: Some(app.app_id.to_string()),
            secret: made.text,
        }))
    }

    /// Agrees for everybody, or to other scopes than before.
    async fn grant_for_everybody(
        &self,
        viewer: &Viewer,
        client: &WorldApplication,
        resource: Option<&WorldApplication>,
        scope: &str,
        moment: &Moment,
    ) -> Answer<()> {
        let instance = |described: Option<&WorldApplication>| -> Result<Option<ServicePrincipalId>, Fault> {
            let app_id = match described {
                None => Some(first_party::GRAPH_APP_ID),
                Some(described) => {
                    self.described_application(viewer.tenant, described)?.map(|app| app.app_id)
                }
            };
            let app =
                app_id.map_or(Ok(None), |id| self.store.tenant(viewer.tenant).read(|tx| tx.find_app(id)))?;
            Ok(app.and_then(|app| app.instance.as_ref().map(|instance| instance.id)))
        };
        let (Some(client), Some(resource)) = (instance(Some(client))?, instance(resource)?) else {
            return gone("one of the two applications");
        };
        let held =
            self.store.tenant(viewer.tenant).read(|tx| tx.find_consent_between(client, None, resource))?;
        if let Some(held) = held {
            granted!(self.update_consent(viewer, held.id, scope.to_owned(), moment).await?);
            return Ok(Ok(()));
        }
        let new = NewConsent {
            client: client.uuid(),
            principal: None,
            resource: resource.uuid(),
            scope: scope.to_owned(),
        };
        let made = granted!(self.create_consent(viewer, new, moment).await?);
        let name = format!("{client} {resource}");
        let remembered = Applied { kind: "grant".to_owned(), name, object: made.id };
        self.remember(viewer.tenant, remembered, moment).await?;
        Ok(Ok(()))
    }

    /// Gives an app role of an application of the description, or of Graph.
    async fn give_app_role(
        &self,
        viewer: &Viewer,
        principal: &Named,
        resource: Option<&WorldApplication>,
        value: &str,
        moment: &Moment,
    ) -> Answer<()> {
        let app_id = match resource {
            None => Some(first_party::GRAPH_APP_ID),
            Some(described) => self.described_application(viewer.tenant, described)?.map(|app| app.app_id),
        };
        let app =
            app_id.map_or(Ok(None), |id| self.store.tenant(viewer.tenant).read(|tx| tx.find_app(id)))?;
        let role =
            app.as_ref().and_then(|app| app.registration.roles.iter().find(|role| role.value == value));
        let instance = app.as_ref().and_then(|app| app.instance.as_ref().map(|instance| instance.id));
        let (Some(role), Some(instance), Some(principal)) =
            (role.map(|role| role.id), instance, self.found(viewer.tenant, principal)?)
        else {
            return gone(&format!("the app role {value}, or one of its ends,"));
        };
        let new = NewAssignment { principal, resource: instance.uuid(), role };
        let place = Place::Instance(InstanceKey::Id(instance), End::Resource);
        let made = granted!(self.assign_app_role(viewer, place, new, moment).await?);
        let name = assignment_name(principal, instance, role);
        let remembered = Applied { kind: "appRole".to_owned(), name, object: made.id };
        self.remember(viewer.tenant, remembered, moment).await?;
        Ok(Ok(()))
    }

    /// Deletes what an earlier description made, and forgets it.
    async fn delete_made(&self, viewer: &Viewer, made: &Applied, moment: &Moment) -> Answer<()> {
        let id = made.object;
        match made.kind.as_str() {
            "application" => {
                let key = ApplicationKey::Id(ApplicationId::new(id));
                granted!(self.delete_application(viewer, key, moment).await?);
            }
            "group" => granted!(self.delete_group(viewer, GroupId::new(id), moment).await?),
            "guest" | "user" => {
                granted!(self.delete_user(viewer, &UserKey::Id(UserId::new(id)), moment).await?);
            }
            "member" | "owner" => {
                let link = if made.kind == "member" { Link::Member } else { Link::Owner };
                let group = made.name.split(' ').next().and_then(|id| id.parse::<Uuid>().ok());
                let Some(group) = group else { return gone("the group") };
                granted!(self.remove_link(viewer, GroupId::new(group), link, id, moment).await?);
            }
            "appRole" => {
                let resource = made.name.split(' ').nth(1).and_then(|id| id.parse::<Uuid>().ok());
                let Some(resource) = resource else { return gone("the resource") };
                let key = InstanceKey::Id(ServicePrincipalId::new(resource));
                let place = Place::Instance(key, End::Resource);
                granted!(self.remove_assignment(viewer, place, id, moment).await?);
            }
            "grant" => granted!(self.delete_consent(viewer, id, moment).await?),
            "role" => {
                let role = made.name.split(' ').nth(1).and_then(|id| id.parse::<Uuid>().ok());
                let Some(role) = role.map(RoleTemplateId::new) else { return gone("the role") };
                let held = self.store.tenant(viewer.tenant).read(|tx| tx.find_role_assignment(role, id))?;
                let Some(held) = held else { return gone("the role assignment") };
                granted!(self.unassign_role(viewer, &held.id(), moment).await?);
            }
            _ => return gone(&made.name),
        }
        let (made, tenant) = (made.clone(), viewer.tenant);
        let written = self.store.tenant(tenant).write(move |tx| {
            tx.forget_applied(&made.kind, &made.name)?;
            if made.kind == "application" {
                tx.forget_applied("secret", &made.name)?;
            }
            Ok(Recorded::chore(Chore::Applied, ()))
        });
        written.await?;
        Ok(Ok(()))
    }
}

/// Of what a step looks for: a description that was planned has no mistakes left but that a name is not clear any more.
fn fault(error: PlanError) -> Fault {
    match error {
        PlanError::Fault(fault) => fault,
        PlanError::Description { .. } | PlanError::Refused { .. } => Fault::from(store::Fault::Refused(
            "a name of the description means two objects by now".to_owned(),
        )),
    }
}
