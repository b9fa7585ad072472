//! One tenant of a description beside what is there: objects are found by the names that the description has for them.

use super::work::Work;
use super::{Action, Changed, PlanError, Step, wrong};
use crate::seed::new_tenant;
use crate::tenants::tenant_of;
use crate::world::{SeedError, WorldApplication, WorldGroup, WorldTenant};
use crate::{Fault, Moment, Service};
use domain::directory::application::{Application, ServicePrincipal};
use domain::directory::group::Group;
use domain::directory::permission::{Actor, Viewer, Visibility};
use domain::directory::property::{APPLICATION, GROUP, Resource};
use domain::directory::query;
use domain::directory::user::User;
use domain::id::{AppId, ApplicationId, TenantId};
use domain::tenancy::domain_name::{Address, DomainName};
use domain::tenancy::tenant::Tenant;
use standards::odata::query::Query;
use std::sync::Arc;
use store::{Among, Applied, ReadTx};
use uuid::Uuid;

/// One described tenant.
pub(super) struct Here<'a> {
    pub(super) service: &'a Service,
    pub(super) described: &'a WorldTenant,
    /// Its place in the description.
    pub(super) at: usize,
    /// The tenant as it is, or as it will be made.
    pub(super) tenant: Arc<Tenant>,
    pub(super) exists: bool,
    /// What earlier descriptions made here.
    pub(super) applied: Vec<Applied>,
    pub(super) moment: Moment,
}

/// Somebody or something that the description names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Application(String),
    ApplicationId(AppId),
    Group(String),
    Person(String),
}

/// The operator, in a tenant.
pub(super) fn operator(tenant: TenantId) -> Viewer {
    Viewer { tenant, actor: Actor::Operator }
}

impl<'a> Here<'a> {
    pub(super) fn new(
        service: &'a Service,
        described: &'a WorldTenant,
        at: usize,
        moment: &Moment,
    ) -> Result<Self, PlanError> {
        let place = &described.domain;
        let name = DomainName::parse(place).ok_or_else(|| {
            let known_by = if place.is_empty() { &described.display_name } else { place };
            wrong(known_by, "`domain` must be a domain name; it says which tenant is meant")
        })?;
        let moment = Moment { entropy: moment.entropy.child("apply tenant", at), ..moment.clone() };
        let found = service.store.read(|tx| {
            let owner = tx.find_domain_owner(&name)?;
            owner.map_or(Ok(None), |owner| tx.find_tenant(owner))
        })?;
        let (tenant, exists) = match found {
            Some(tenant) => (tenant, true),
            None => {
                let new = new_tenant(described, place).map_err(|error| match error {
                    SeedError::Description { place, problem } => PlanError::Description { place, problem },
                    SeedError::Fault(fault) => PlanError::Fault(fault),
                    SeedError::Plan(error) => error,
                })?;
                let id = TenantId::new(moment.entropy.uuid("tenant"));
                (Arc::new(tenant_of(&new, id, moment.now)), false)
            }
        };
        if described.id.is_some_and(|id| !exists || tenant.id.uuid() != id) {
            return Err(id_is_made(place));
        }
        let applied = match exists {
            true => service.store.tenant(tenant.id).read(|tx| tx.list_applied())?,
            false => Vec::new(),
        };
        Ok(Self { service, described, at, tenant, exists, applied, moment })
    }

    pub(super) fn place(&self, part: &str) -> String {
        format!("{} / {part}", self.described.domain)
    }

    pub(super) fn viewer(&self) -> Viewer {
        operator(self.tenant.id)
    }

    pub(super) fn step(
        &self,
        action: Action,
        kind: &str,
        name: &str,
        changed: Vec<Changed>,
        work: Work,
    ) -> Step {
        let tenant = self.described.domain.clone();
        Step { tenant, action, kind: kind.to_owned(), name: name.to_owned(), changed, work }
    }

    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&ReadTx<'_>) -> Result<T, store::Fault>,
    ) -> Result<Option<T>, PlanError> {
        if !self.exists {
            return Ok(None);
        }
        Ok(Some(self.service.store.tenant(self.tenant.id).read(work)?))
    }

    pub(super) fn user(&self, name: &str) -> Result<Option<User>, PlanError> {
        Ok(self.read(|tx| tx.find_user_by_name(name))?.flatten())
    }

    pub(super) fn group(&self, described: &WorldGroup) -> Result<Option<Group>, PlanError> {
        match self.exists {
            true => find_group(self.service, self.tenant.id, described),
            false => Ok(None),
        }
    }

    pub(super) fn application(&self, described: &WorldApplication) -> Result<Option<Application>, PlanError> {
        match self.exists {
            true => find_application(self.service, self.tenant.id, described),
            false => Ok(None),
        }
    }

    pub(super) fn instance(&self, app: &Application) -> Result<Option<ServicePrincipal>, PlanError> {
        let found = self.read(|tx| tx.find_app(app.app_id))?.flatten();
        Ok(found.and_then(|app| app.instance.clone()))
    }

    /// Whom a text means: somebody with an address, a group, or an application, described or there already.
    pub(super) fn named(&self, text: &str, place: &str) -> Result<Named, PlanError> {
        if text.contains('@') {
            let is_described = self.described.users.iter().any(|user| same(&user.user_principal_name, text))
                || self.described.guests.iter().any(|guest| same(&guest.email, text));
            let named = Named::Person(text.to_owned());
            if is_described || self.find(&named)?.is_some() {
                return Ok(named);
            }
            return Err(wrong(
                place,
                format!("nobody here is called `{text}`, and the description adds nobody"),
            ));
        }
        if let Ok(id) = text.parse::<Uuid>() {
            let named = Named::ApplicationId(AppId::new(id));
            let is_described = self.described.applications.iter().any(|app| app.app_id == Some(id));
            if is_described || self.find(&named)?.is_some() {
                return Ok(named);
            }
            return Err(wrong(place, format!("no application here has the appId {text}")));
        }
        let group = self.described.groups.iter().any(|group| {
            same(&group.display_name, text)
                || group.mail_nickname.as_deref().is_some_and(|name| same(name, text))
        });
        let app = self.described.applications.iter().any(|app| same(&app.display_name, text));
        let (as_group, as_app) = (Named::Group(text.to_owned()), Named::Application(text.to_owned()));
        let group = group || self.find(&as_group)?.is_some();
        let app = app || self.find(&as_app)?.is_some();
        match (group, app) {
            (true, false) => Ok(as_group),
            (false, true) => Ok(as_app),
            (true, true) => Err(wrong(
                place,
                format!(
                    "`{text}` is a group and an application; name the group by its mailNickname or the application by its appId"
                ),
            )),
            (false, false) => Err(wrong(
                place,
                format!("no group or application here is called `{text}`; people are named by an address"),
            )),
        }
    }

    /// The object that is meant, if it is there already.
    pub(super) fn find(&self, named: &Named) -> Result<Option<Uuid>, PlanError> {
        match self.exists {
            true => find(self.service, self.tenant.id, named),
            false => Ok(None),
        }
    }
}

pub(super) fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

/// Ids are the server's, so that one that was used before never comes back (R22).
pub(super) fn id_is_made(place: &str) -> PlanError {
    wrong(
        place,
        "there is no object with this id; ids are chosen in a fresh `hospes dev` world only, so leave it out and one is made",
    )
}

/// The object that is meant: a service principal where an application is.
pub(super) fn find(service: &Service, tenant: TenantId, named: &Named) -> Result<Option<Uuid>, PlanError> {
    let instance = |app_id| -> Result<Option<Uuid>, PlanError> {
        let app = service.store.tenant(tenant).read(|tx| tx.find_app(app_id))?;
        Ok(app.and_then(|app| app.instance.as_ref().map(|instance| instance.id.uuid())))
    };
    match named {
        Named::Application(name) => {
            let described = WorldApplication { display_name: name.clone(), ..WorldApplication::default() };
            match find_application(service, tenant, &described)? {
                Some(app) => instance(app.app_id),
                None => Ok(None),
            }
        }
        Named::ApplicationId(app_id) => instance(*app_id),
        Named::Group(name) => {
            let by_nickname = WorldGroup { mail_nickname: Some(name.clone()), ..WorldGroup::default() };
            let by_name = WorldGroup { display_name: name.clone(), ..WorldGroup::default() };
            let found = match find_group(service, tenant, &by_nickname)? {
                Some(group) => Some(group),
                None => find_group(service, tenant, &by_name)?,
            };
            Ok(found.map(|group| group.id.uuid()))
        }
        Named::Person(name) => Ok(service.store.tenant(tenant).read(|tx| {
            let found = match tx.find_user_by_name(name)? {
                Some(user) => Some(user),
                None => Address::parse(name).map_or(Ok(None), |address| tx.find_user_by_address(&address))?,
            };
            Ok(found.map(|user| user.id.uuid()))
        })?),
    }
}

/// A group by its `mailNickname`, or by its name where none is described.
pub(super) fn find_group(
    service: &Service,
    tenant: TenantId,
    described: &WorldGroup,
) -> Result<Option<Group>, PlanError> {
    let (property, value) = match &described.mail_nickname {
        Some(nickname) => ("mailNickname", nickname),
        None => ("displayName", &described.display_name),
    };
    let plan = equal(&GROUP, property, value)?;
    let page = service.store.tenant(tenant).read(|tx| tx.list_groups(&plan, None, Among::Living))?;
    only(page.items, value, "groups", "give its mailNickname")
}

/// An application by its `appId`, or by its name where none is described: the one that an earlier description made, else one
/// that is nobody's own. A name is free to all, and who registered an application may hold a secret of it, so a name alone
/// must not hand out what the description gives (R24).
pub(super) fn find_application(
    service: &Service,
    tenant: TenantId,
    described: &WorldApplication,
) -> Result<Option<Application>, PlanError> {
    let store = service.store.tenant(tenant);
    if let Some(app_id) = described.app_id {
        let found = store.read(|tx| tx.find_registration(AppId::new(app_id)))?;
        return Ok(found.filter(|app| app.owner == Some(tenant) && app.deleted_at.is_none()));
    }
    let (name, key) = (&described.display_name, described.key());
    let made = store.read(|tx| match tx.find_applied("application", &key)? {
        Some(made) => tx.find_application(ApplicationId::new(made)),
        None => Ok(None),
    })?;
    if let Some(made) = made.filter(|app| app.deleted_at.is_none() && same(&app.display_name, name)) {
        return Ok(Some(made));
    }
    let plan = equal(&APPLICATION, "displayName", name)?;
    let page = store.read(|tx| tx.list_applications(&plan, None, Among::Living))?;
    let Some(app) = only(page.items, name, "applications", "give its appId")? else { return Ok(None) };
    let id = app.id.uuid();
    match store.read(|tx| Ok(tx.is_made_by_a_user(id)? || tx.count_owners(id)? > 0))? {
        false => Ok(Some(app)),
        true => Err(wrong(
            name,
            format!(
                "somebody registered an application of this name; if that one is meant, give its appId, {}",
                app.app_id
            ),
        )),
    }
}

fn equal(resource: &'static Resource, property: &str, value: &str) -> Result<query::Plan, PlanError> {
    let filter = format!("{property} eq '{}'", value.replace('\'', "''"));
    let raw = url::form_urlencoded::Serializer::new(String::new()).append_pair("$filter", &filter).finish();
    let asked = Query::parse(&raw).map_err(|error| wrong(value, error.to_string()))?;
    query::plan(resource, &asked, Visibility::Full, true)
        .map_err(|_| PlanError::Fault(Fault::from(store::Fault::Bug("names are not searched by"))))
}

fn only<T>(mut found: Vec<T>, name: &str, kind: &str, advice: &str) -> Result<Option<T>, PlanError> {
    match found.len() {
        0 | 1 => Ok(found.pop()),
        count => Err(wrong(
            name,
            format!("{count} {kind} have this name, so it is not clear which is meant; {advice}"),
        )),
    }
}
