//! Registrations and service principals behind Graph.

use crate::directory::{allow, record};
use crate::{Fault, Moment, Service};
use domain::directory::application::{App, Application, ClientSecret, Platform, ServicePrincipal, SharedApp};
use domain::directory::permission::{Operation, Refused, Viewer};
use domain::id::{AppId, ApplicationId, PartId, ServicePrincipalId};
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::Tenant;
use domain::time::{Span, Timestamp};
use standards::crypto;
use standards::oauth::redirect;
use standards::odata::filter::{Expr, Literal, Operator};
use standards::odata::query::Query;
pub use store::ServicePrincipalRow as InstanceRow;
use store::{ReadTx, Recorded, ServicePrincipalRow, WriteTx};
use uuid::Uuid;

/// Why a call about applications is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationRefusal {
    Invalid { property: &'static str, problem: String },
    InstanceExists,
    NotFound,
    Permission(Refused),
    RoleAssigned,
    UriTaken,
}

impl From<Refused> for ApplicationRefusal {
    fn from(refused: Refused) -> Self {
        Self::Permission(refused)
    }
}

/// An answer or a refusal; faults are apart.
pub type Answer<T> = Result<Result<T, ApplicationRefusal>, Fault>;

/// Which application is meant.
#[derive(Clone, Copy, Debug)]
pub enum ApplicationKey {
    AppId(AppId),
    Id(ApplicationId),
}

/// Which service principal is meant.
#[derive(Clone, Copy, Debug)]
pub enum InstanceKey {
    AppId(AppId),
    Id(ServicePrincipalId),
}

/// A secret that was made; its text is shown this once.
#[derive(Clone, Debug)]
pub struct NewSecret {
    pub secret: ClientSecret,
    pub text: String,
}

/// An app role that a service principal holds.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub id: Uuid,
    pub role: PartId,
    pub principal: ServicePrincipalId,
    pub principal_name: String,
    pub resource: ServicePrincipalId,
    pub resource_name: String,
    pub created_at: Timestamp,
}

/// How long a secret lives when nobody says.
// DEFAULT: two years, as documented; longer is refused, so that every secret is seen to again.
const SECRET_LIFETIME: Span = Span::days(730);
const LONGEST_SECRET_LIFETIME: Span = Span::days(3_660);
/// Registrations of one page.
const PAGE: u32 = 100;

fn invalid(property: &'static str, problem: impl Into<String>) -> ApplicationRefusal {
    ApplicationRefusal::Invalid { property, problem: problem.into() }
}

fn name(refusal: &ApplicationRefusal) -> &'static str {
    match refusal {
        ApplicationRefusal::Invalid { .. } => "invalid",
        ApplicationRefusal::InstanceExists => "instanceExists",
        ApplicationRefusal::NotFound => "notFound",
        ApplicationRefusal::Permission(refused) => refused.as_str(),
        ApplicationRefusal::RoleAssigned => "roleAssigned",
        ApplicationRefusal::UriTaken => "uriTaken",
    }
}

/// Checks a registration as a whole (facts: limits §3, protocol §9).
pub fn check(app: &Application, tenant: &Tenant) -> Result<(), ApplicationRefusal> {
    let length = app.display_name.chars().count();
    if length == 0 || length > 120 || app.display_name.chars().any(char::is_control) {
        return Err(invalid("displayName", "Give 1 to 120 characters."));
    }
    if app.redirect_uris.len() > 256 {
        return Err(invalid("redirectUris", "At most 256 addresses are allowed."));
    }
    for uri in &app.redirect_uris {
        let is_native = uri.platform == Platform::Native;
        redirect::check_registrable(&uri.uri, is_native)
            .map_err(|error| invalid("redirectUris", error.to_string()))?;
    }
    if app.identifier_uris.len() > 50 {
        return Err(invalid("identifierUris", "At most 50 addresses are allowed."));
    }
    for uri in &app.identifier_uris {
        if !is_identifier(uri, app, tenant) {
            let problem = "Use api://{appId}, or an address in a verified domain of the organization.";
            return Err(invalid("identifierUris", problem));
        }
    }
    let scopes: Vec<&str> = app.scopes.iter().map(|scope| scope.value.as_str()).collect();
    let roles: Vec<&str> = app.roles.iter().map(|role| role.value.as_str()).collect();
    for (property, values) in [("api", scopes), ("appRoles", roles)] {
        let is_value = |value: &&str| {
            (1..=120).contains(&value.len())
                && value.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'"')
        };
        let is_unique =
            values.iter().enumerate().all(|(at, value)| !values.iter().take(at).any(|other| other == value));
        if values.len() > 400 || !values.iter().all(is_value) || !is_unique {
            return Err(invalid(property, "Each value must be unique and have 1 to 120 plain characters."));
        }
    }
    if app.required_access.len() > 50 {
        return Err(invalid("requiredResourceAccess", "At most 50 resources are allowed."));
    }
    let is_url = |url: &Option<String>| {
        url.as_ref().is_none_or(|url| {
            url.len() <= 255 && url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "https" | "http"))
        })
    };
    if !is_url(&app.logout_url) || !is_url(&app.home_page_url) {
        return Err(invalid(
            "web",
            "homePageUrl and logoutUrl must be web addresses of at most 255 characters.",
        ));
    }
    Ok(())
}

fn is_identifier(uri: &str, app: &Application, tenant: &Tenant) -> bool {
    if uri.len() > 255 || uri.ends_with('/') || uri.contains('#') {
        return false;
    }
    if let Some(rest) = uri.strip_prefix("api://") {
        let first = rest.split('/').next().unwrap_or_default();
        return first.eq_ignore_ascii_case(&app.app_id.to_string())
            || first.eq_ignore_ascii_case(&tenant.id.to_string())
            || DomainName::parse(first).is_some_and(|domain| tenant.owns(&domain));
    }
    let host = url::Url::parse(uri)
        .ok()
        .filter(|url| url.scheme() == "https")
        .and_then(|url| url.host_str().map(str::to_owned));
    let domain = host.as_deref().and_then(DomainName::parse);
    domain.is_some_and(|domain| {
        tenant.domains.iter().any(|own| {
            own.is_verified && (own.name == domain || domain.as_str().ends_with(&format!(".{}", own.name)))
        })
    })
}

/// Whether an application fits a filter on `appId`, `displayName` or `id`: registrations are few, so they are looked
/// through; a filter on anything else is refused.
fn fits(filter: &Expr, id: Uuid, app_id: AppId, display_name: &str) -> Result<bool, ApplicationRefusal> {
    let value_of = |path: &str| match path {
        "appId" => Ok(app_id.to_string()),
        "displayName" => Ok(display_name.to_lowercase()),
        "id" => Ok(id.to_string()),
        _ => Err(invalid("$filter", "Filter on appId, displayName or id.")),
    };
    let text = |literal: &Literal| match literal {
        Literal::Text(text) | Literal::Bare(text) => text.to_lowercase(),
        Literal::Bool(_) | Literal::Null => String::new(),
    };
    let both = |left: &Expr, right: &Expr| {
        Ok((fits(left, id, app_id, display_name)?, fits(right, id, app_id, display_name)?))
    };
    match filter {
        Expr::And(left, right) => both(left, right).map(|(left, right)| left && right),
        Expr::Or(left, right) => both(left, right).map(|(left, right)| left || right),
        Expr::Not(inner) => fits(inner, id, app_id, display_name).map(|fits| !fits),
        Expr::Compare { path, operator: Operator::Eq, value } => Ok(value_of(path)? == text(value)),
        Expr::Compare { path, operator: Operator::Ne, value } => Ok(value_of(path)? != text(value)),
        Expr::In { path, values } => {
            let own = value_of(path)?;
            Ok(values.iter().any(|value| text(value) == own))
        }
        Expr::Call { function, path, text } if function == "startswith" => {
            Ok(value_of(path)?.starts_with(&text.to_lowercase()))
        }
        Expr::Any { .. } | Expr::Call { .. } | Expr::Compare { .. } => {
            Err(invalid("$filter", "Use eq, ne, in or startsWith."))
        }
    }
}

fn lookup(
    tx: &ReadTx<'_>,
    viewer: &Viewer,
    key: ApplicationKey,
) -> Result<Option<Application>, store::Fault> {
    let found = match key {
        ApplicationKey::Id(id) => tx.find_application(id)?,
        ApplicationKey::AppId(app_id) => tx.find_registration(app_id)?,
    };
    // A registration belongs to one tenant; elsewhere it is not found (R21).
    Ok(found.filter(|app| app.owner == Some(viewer.tenant)))
}

fn lookup_instance(tx: &ReadTx<'_>, key: InstanceKey) -> Result<Option<ServicePrincipalRow>, store::Fault> {
    match key {
        InstanceKey::Id(id) => tx.find_service_principal(id),
        InstanceKey::AppId(app_id) => {
            let app = tx.find_app(app_id)?;
            let id = app.and_then(|app| app.instance.as_ref().map(|instance| instance.id));
            id.map_or(Ok(None), |id| tx.find_service_principal(id))
        }
    }
}

type Written<T> = Result<Result<T, ApplicationRefusal>, store::Fault>;

impl Service {
    /// Registrations after a key, and the key to go on from.
    pub fn list_applications(
        &self,
        viewer: &Viewer,
        query: &Query,
        after: i64,
        deleted: bool,
    ) -> Answer<(Vec<Application>, Option<i64>)> {
        if let Err(refused) = allow(viewer, Operation::ReadApplications, &[]) {
            return Ok(Err(refused.into()));
        }
        let top = i64::from(query.top.unwrap_or(PAGE));
        // A filter may pass over rows: everything is looked through, page by page, until the page is full.
        let mut found = Vec::new();
        let mut after = after;
        loop {
            let page =
                self.store.tenant(viewer.tenant).read(|tx| tx.list_applications(after, top + 1, deleted))?;
            let is_last = i64::try_from(page.rows.len()).unwrap_or(i64::MAX) <= top;
            for (row, app) in page.rows {
                let is_wanted = match &query.filter {
                    None => Ok(true),
                    Some(filter) => fits(filter, app.id.uuid(), app.app_id, &app.display_name),
                };
                match is_wanted {
                    Err(refusal) => return Ok(Err(refusal)),
                    Ok(false) => {}
                    Ok(true) if i64::try_from(found.len()).unwrap_or(i64::MAX) == top => {
                        return Ok(Ok((found, Some(after))));
                    }
                    Ok(true) => found.push(app),
                }
                after = row;
            }
            if is_last {
                return Ok(Ok((found, None)));
            }
        }
    }

    pub fn find_application(&self, viewer: &Viewer, key: ApplicationKey) -> Answer<Application> {
        if let Err(refused) = allow(viewer, Operation::ReadApplications, &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| lookup(tx, viewer, key))?;
        Ok(found.filter(|app| app.deleted_at.is_none()).ok_or(ApplicationRefusal::NotFound))
    }

    pub fn find_deleted_application(&self, viewer: &Viewer, id: Uuid) -> Answer<Application> {
        if let Err(refused) = allow(viewer, Operation::ReadApplications, &[]) {
            return Ok(Err(refused.into()));
        }
        let found =
            self.store.tenant(viewer.tenant).read(|tx| tx.find_application(ApplicationId::new(id)))?;
        Ok(found.filter(|app| app.deleted_at.is_some()).ok_or(ApplicationRefusal::NotFound))
    }

    /// The ids of a registration that is about to be made: identifier addresses may name them.
    pub fn new_application_ids(&self, moment: &Moment) -> (ApplicationId, AppId) {
        (ApplicationId::new(moment.entropy.uuid("application")), AppId::new(moment.entropy.uuid("app id")))
    }

    /// Registers an application. Its service principal is made apart, as on Graph.
    pub async fn create_application(
        &self,
        viewer: &Viewer,
        app: Application,
        moment: &Moment,
    ) -> Answer<Application> {
        self.change("Add application", viewer, moment, move |tx, viewer, _| {
            if let Err(refused) = allow(viewer, Operation::WriteApplications, &[]) {
                return Ok(Err(refused.into()));
            }
            if let Err(refusal) = check(&app, &*tx.load_tenant()?).and_then(|()| uris_free(tx, &app)) {
                return Ok(Err(refusal));
            }
            if !tx.add_application(&app)? {
                return Err(store::Fault::Bug("fresh ids of an application were taken"));
            }
            Ok(Ok(app.clone()))
        })
        .await
    }

    /// Changes a registration by a function of what it is now.
    pub async fn update_application(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        edit: impl Fn(&mut Application) -> Result<(), ApplicationRefusal> + Send + 'static,
        moment: &Moment,
    ) -> Answer<()> {
        self.change("Update application", viewer, moment, move |tx, viewer, moment| {
            let mut app = match writable(tx, viewer, key)? {
                Ok(app) => app,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let tenant = tx.load_tenant()?;
            let checked =
                edit(&mut app).and_then(|()| check(&app, &tenant)).and_then(|()| uris_free(tx, &app));
            if let Err(refusal) = checked {
                return Ok(Err(refusal));
            }
            tx.update_application(&app, moment.now)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Deletes a registration; its tokens and secrets stop working with the commit.
    pub async fn delete_application(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        moment: &Moment,
    ) -> Answer<()> {
        self.change("Delete application", viewer, moment, move |tx, viewer, moment| {
            let mut app = match writable(tx, viewer, key)? {
                Ok(app) => app,
                Err(refusal) => return Ok(Err(refusal)),
            };
            app.deleted_at = Some(moment.now);
            tx.update_application(&app, moment.now)?;
            Ok(Ok(()))
        })
        .await
    }

    pub async fn restore_application(
        &self,
        viewer: &Viewer,
        id: Uuid,
        moment: &Moment,
    ) -> Answer<Application> {
        self.change("Restore application", viewer, moment, move |tx, viewer, moment| {
            if let Err(refused) = allow(viewer, Operation::WriteApplications, &[]) {
                return Ok(Err(refused.into()));
            }
            let found = tx.find_application(ApplicationId::new(id))?.filter(|app| {
                app.deleted_at.is_some_and(|at| moment.now.since(at) <= crate::directory::RESTORABLE)
            });
            let Some(mut app) = found else { return Ok(Err(ApplicationRefusal::NotFound)) };
            app.deleted_at = None;
            tx.update_application(&app, moment.now)?;
            Ok(Ok(app))
        })
        .await
    }

    pub async fn purge_application(&self, viewer: &Viewer, id: Uuid, moment: &Moment) -> Answer<()> {
        self.change("Hard Delete application", viewer, moment, move |tx, viewer, moment| {
            if let Err(refused) = allow(viewer, Operation::WriteApplications, &[]) {
                return Ok(Err(refused.into()));
            }
            let found = tx.find_application(ApplicationId::new(id))?.filter(|app| app.deleted_at.is_some());
            let Some(app) = found else { return Ok(Err(ApplicationRefusal::NotFound)) };
            tx.purge_application(&app, moment.now)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Makes a client secret. Only its hash is kept.
    pub async fn add_password(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        display_name: Option<String>,
        expires_at: Option<Timestamp>,
        moment: &Moment,
    ) -> Answer<NewSecret> {
        let now = moment.now;
        let expires_at = expires_at.unwrap_or(now + SECRET_LIFETIME);
        let problem = if expires_at <= now || expires_at > now + LONGEST_SECRET_LIFETIME {
            Some("The end must lie ahead, at most ten years.")
        } else if display_name.as_ref().is_some_and(|name| name.chars().count() > 90) {
            Some("The name may have at most 90 characters.")
        } else {
            None
        };
        if let Some(problem) = problem {
            let refusal = invalid("passwordCredential", problem);
            return self
                .change("Update application", viewer, moment, move |_, _, _| Ok(Err(refusal.clone())))
                .await;
        }
        let text =
            format!("hp~{}", moment.entropy.secret("client secret").chars().take(37).collect::<String>());
        let secret = ClientSecret {
            id: PartId::new(moment.entropy.uuid("client secret id")),
            display_name,
            hint: text.chars().take(3).collect(),
            hash: crypto::sha256(&[text.as_bytes()]),
            starts_at: now,
            expires_at,
        };
        let made = NewSecret { secret, text };
        self.change(
            "Update application – Certificates and secrets management",
            viewer,
            moment,
            move |tx, viewer, _| {
                let app = match writable(tx, viewer, key)? {
                    Ok(app) => app,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                if app.secrets.len() >= 100 {
                    return Ok(Err(invalid(
                        "passwordCredentials",
                        "Remove an old secret first; at most 100 are kept.",
                    )));
                }
                tx.add_client_secret(app.app_id, &made.secret)?;
                Ok(Ok(made.clone()))
            },
        )
        .await
    }

    pub async fn remove_password(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        id: PartId,
        moment: &Moment,
    ) -> Answer<()> {
        self.change(
            "Update application – Certificates and secrets management",
            viewer,
            moment,
            move |tx, viewer, _| {
                let app = match writable(tx, viewer, key)? {
                    Ok(app) => app,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                let is_removed = tx.remove_client_secret(app.app_id, id)?;
                Ok(if is_removed { Ok(()) } else { Err(invalid("keyId", "There is no such secret.")) })
            },
        )
        .await
    }

    /// Service principals after a key.
    pub fn list_service_principals(
        &self,
        viewer: &Viewer,
        query: &Query,
        after: i64,
    ) -> Answer<(Vec<ServicePrincipalRow>, Option<i64>)> {
        if let Err(refused) = allow(viewer, Operation::ReadServicePrincipals, &[]) {
            return Ok(Err(refused.into()));
        }
        let top = usize::try_from(query.top.unwrap_or(PAGE)).unwrap_or(usize::MAX);
        let mut found: Vec<ServicePrincipalRow> = Vec::new();
        let mut after = after;
        loop {
            let rows = self.store.tenant(viewer.tenant).read(|tx| tx.list_service_principals(after, 200))?;
            let is_last = rows.len() < 200;
            for row in rows {
                let is_wanted = match &query.filter {
                    None => Ok(true),
                    Some(filter) => fits(
                        filter,
                        row.instance.id.uuid(),
                        row.instance.app_id,
                        &row.registration.display_name,
                    ),
                };
                match is_wanted {
                    Err(refusal) => return Ok(Err(refusal)),
                    Ok(false) => {}
                    Ok(true) if found.len() == top => return Ok(Ok((found, Some(after)))),
                    Ok(true) => {
                        after = row.row;
                        found.push(row);
                        continue;
                    }
                }
                after = row.row;
            }
            if is_last {
                return Ok(Ok((found, None)));
            }
        }
    }

    pub fn find_service_principal(&self, viewer: &Viewer, key: InstanceKey) -> Answer<ServicePrincipalRow> {
        if let Err(refused) = allow(viewer, Operation::ReadServicePrincipals, &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| lookup_instance(tx, key))?;
        Ok(found.ok_or(ApplicationRefusal::NotFound))
    }

    /// Makes an application's instance in the viewer's tenant: its own application, or another's multi-tenant one.
    pub async fn create_service_principal(
        &self,
        viewer: &Viewer,
        app_id: AppId,
        moment: &Moment,
    ) -> Answer<ServicePrincipalRow> {
        self.change("Add service principal", viewer, moment, move |tx, viewer, moment| {
            if let Err(refused) = allow(viewer, Operation::WriteServicePrincipals, &[]) {
                return Ok(Err(refused.into()));
            }
            let app: Option<SharedApp> = tx.find_app(app_id)?;
            let is_usable = |app: &App| {
                let registration = &app.registration;
                registration.deleted_at.is_none()
                    && (registration.owner == Some(viewer.tenant) || registration.audience.is_multi_tenant())
            };
            let Some(app) = app.filter(|app| is_usable(app)) else {
                return Ok(Err(invalid(
                    "appId",
                    "There is no such application that this directory could use.",
                )));
            };
            if app.instance.is_some() {
                return Ok(Err(ApplicationRefusal::InstanceExists));
            }
            let id = ServicePrincipalId::new(moment.entropy.uuid("service principal"));
            tx.add_service_principal(&ServicePrincipal {
                id,
                app_id,
                is_enabled: true,
                is_assignment_required: false,
                created_at: moment.now,
                deleted_at: None,
            })?;
            let row = tx
                .find_service_principal(id)?
                .ok_or(store::Fault::Bug("a fresh service principal is missing"))?;
            Ok(Ok(row))
        })
        .await
    }

    /// Switches a service principal on or off, or demands assignment; `delete` removes it.
    pub async fn update_service_principal(
        &self,
        viewer: &Viewer,
        key: InstanceKey,
        edit: InstanceEdit,
        moment: &Moment,
    ) -> Answer<()> {
        let activity = if edit.delete { "Remove service principal" } else { "Update service principal" };
        self.change(activity, viewer, moment, move |tx, viewer, moment| {
            if let Err(refused) = allow(viewer, Operation::WriteServicePrincipals, &[]) {
                return Ok(Err(refused.into()));
            }
            let Some(row) = lookup_instance(tx, key)? else { return Ok(Err(ApplicationRefusal::NotFound)) };
            let is_first_party = row.registration.owner.is_none();
            if is_first_party && (edit.delete || edit.is_enabled == Some(false)) {
                return Ok(Err(invalid(
                    "id",
                    "The applications that come with the product cannot be removed.",
                )));
            }
            let mut instance = row.instance;
            instance.is_enabled = edit.is_enabled.unwrap_or(instance.is_enabled);
            instance.is_assignment_required =
                edit.is_assignment_required.unwrap_or(instance.is_assignment_required);
            if edit.delete {
                instance.deleted_at = Some(moment.now);
            }
            tx.update_service_principal(&instance, moment.now)?;
            Ok(Ok(()))
        })
        .await
    }

    /// The app roles that a service principal holds.
    pub fn list_assignments(&self, viewer: &Viewer, key: InstanceKey) -> Answer<Vec<Assignment>> {
        let row = match self.find_service_principal(viewer, key)? {
            Ok(row) => row,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let found = self.store.tenant(viewer.tenant).read(|tx| assignments(tx, &row))?;
        Ok(Ok(found))
    }

    /// Gives a service principal an app role. Rights over both ends are one right here: to write service principals
    /// (R36).
    pub async fn assign_app_role(
        &self,
        viewer: &Viewer,
        principal: ServicePrincipalId,
        resource: ServicePrincipalId,
        role: PartId,
        moment: &Moment,
    ) -> Answer<Assignment> {
        let activity = "Add app role assignment to service principal";
        self.change(activity, viewer, moment, move |tx, viewer, moment| {
            if let Err(refusal) = may_assign(viewer) {
                return Ok(Err(refusal));
            }
            let pair = tx.find_service_principal(principal)?.zip(tx.find_service_principal(resource)?);
            let Some((client, target)) = pair else { return Ok(Err(ApplicationRefusal::NotFound)) };
            let is_offered = target
                .registration
                .roles
                .iter()
                .any(|offered| offered.id == role && offered.for_applications && offered.is_enabled);
            if !is_offered {
                return Ok(Err(invalid("appRoleId", "The resource offers no such role to applications.")));
            }
            let id = moment.entropy.uuid("app role assignment");
            if !tx.assign_app_role(id, principal.uuid(), resource, role, moment.now)? {
                return Ok(Err(ApplicationRefusal::RoleAssigned));
            }
            Ok(Ok(Assignment {
                id,
                role,
                principal,
                principal_name: client.registration.display_name,
                resource,
                resource_name: target.registration.display_name,
                created_at: moment.now,
            }))
        })
        .await
    }

    /// One write with its record, for grants and refusals alike.
    async fn change<T, W>(
        &self,
        activity: &'static str,
        viewer: &Viewer,
        moment: &Moment,
        work: W,
    ) -> Answer<T>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>, &Viewer, &Moment) -> Written<T> + Send + 'static,
    {
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let outcome = work(tx, &viewer_in, &moment_in)?;
            let refusal = outcome.as_ref().err().map(name);
            let record = record(activity, "ApplicationManagement", &viewer_in, None, refusal, &moment_in);
            Ok(Recorded::new(record, outcome))
        });
        Ok(written.await?)
    }
}

/// What may change of a service principal.
#[derive(Clone, Copy, Debug, Default)]
pub struct InstanceEdit {
    pub is_enabled: Option<bool>,
    pub is_assignment_required: Option<bool>,
    pub delete: bool,
}

/// To give permissions away takes its own permission (Graph: AppRoleAssignment.ReadWrite.All), and for people a role that
/// may consent for everybody.
fn may_assign(viewer: &Viewer) -> Result<(), ApplicationRefusal> {
    use domain::directory::permission::Actor;
    const PERMISSION: &str = "AppRoleAssignment.ReadWrite.All";
    let has = |held: &[String]| held.iter().any(|permission| permission == PERMISSION);
    match &viewer.actor {
        Actor::Application { roles, .. } if has(roles) => Ok(()),
        Actor::User { scopes, directory_roles, .. } if has(scopes) => {
            let may = directory_roles.iter().any(|role| domain::directory::role::can_consent_for_all(*role));
            if may { Ok(()) } else { Err(ApplicationRefusal::Permission(Refused::RoleMissing)) }
        }
        Actor::Application { .. } | Actor::User { .. } => {
            Err(ApplicationRefusal::Permission(Refused::ScopeMissing))
        }
    }
}

fn assignments(tx: &ReadTx<'_>, row: &ServicePrincipalRow) -> Result<Vec<Assignment>, store::Fault> {
    let mut found = Vec::new();
    for held in tx.app_role_assignments(row.instance.id)? {
        let Some(resource) = tx.find_service_principal(held.resource)? else { continue };
        found.push(Assignment {
            id: held.id,
            role: held.role,
            principal: row.instance.id,
            principal_name: row.registration.display_name.clone(),
            resource: held.resource,
            resource_name: resource.registration.display_name,
            created_at: held.created_at,
        });
    }
    Ok(found)
}

fn writable(tx: &ReadTx<'_>, viewer: &Viewer, key: ApplicationKey) -> Written<Application> {
    if let Err(refused) = allow(viewer, Operation::WriteApplications, &[]) {
        return Ok(Err(refused.into()));
    }
    let found = lookup(tx, viewer, key)?.filter(|app| app.deleted_at.is_none());
    Ok(found.ok_or(ApplicationRefusal::NotFound))
}

/// Looked up before anything is written: a refusal leaves nothing behind.
fn uris_free(tx: &ReadTx<'_>, app: &Application) -> Result<(), ApplicationRefusal> {
    for uri in &app.identifier_uris {
        let owner = tx.identifier_uri_owner(uri).map_err(|_| ApplicationRefusal::UriTaken)?;
        if owner.is_some_and(|owner| owner != app.app_id) {
            return Err(ApplicationRefusal::UriTaken);
        }
    }
    Ok(())
}
