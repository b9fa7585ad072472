//! Applications, their secrets and their instances. Each call asks for leave first, then reads
//! or writes in the caller's own tenant; what is refused is recorded like what is done (R21, R32).

use crate::deleted::{self, is_in_bin};
use crate::invite::record_actor;
use crate::quota;
use crate::{Fault, Moment, Service, owners};
use domain::audit::{DirectoryRecord, Record, shorten};
use domain::directory::application::{Application, ClientSecret, Details, ServicePrincipal};
use domain::directory::application_change as change;
pub use domain::directory::application_change::{
    ApplicationRefusal, Change, InstanceChange, NewCertificate, NewSecret,
};
use domain::directory::group::LinkedKind;
use domain::directory::permission::{self, Operation, Viewer, Visibility};
use domain::directory::property::{APPLICATION, Resource, SERVICE_PRINCIPAL};
use domain::directory::query::{self, Plan, Position, counting};
use domain::id::{AppId, ApplicationId, PartId, ServicePrincipalId, TenantId};
use domain::time::Timestamp;
use domain::verdict::{Side, Trace, Verdict};
use standards::crypto;
use standards::odata::query::Query;
use std::sync::Arc;
pub use store::Among;
pub use store::ServicePrincipalRow as InstanceRow;
use store::{Page, ReadTx, Recorded, WriteTx};
use uuid::Uuid;

/// An answer or a refusal; faults are apart.
pub type Answer<T> = Result<Result<T, ApplicationRefusal>, Fault>;

/// A registration as it is shown.
#[derive(Clone, Debug)]
pub struct SeenApplication {
    pub registration: Application,
    pub publisher_domain: Option<String>,
}

/// A secret that was made; its text is shown this once.
#[derive(Clone, Debug)]
pub struct MadeSecret {
    pub secret: ClientSecret,
    pub text: String,
}

/// Which registration is meant.
#[derive(Clone, Copy, Debug)]
pub enum ApplicationKey {
    AppId(AppId),
    Id(ApplicationId),
}

/// Which instance is meant.
#[derive(Clone, Copy, Debug)]
pub enum InstanceKey {
    AppId(AppId),
    Id(ServicePrincipalId),
}

const CATEGORY: &str = "ApplicationManagement";
const UPDATE_SECRETS: &str = "Update application – Certificates and secrets management";
const UPDATE_INSTANCE_SECRETS: &str = "Update service principal – Certificates and secrets management";
const NO_SUCH_SECRET: ApplicationRefusal =
    ApplicationRefusal::Invalid { property: "keyId", problem: "No password credential has this keyId." };

/// What a write came to, and whom it was about.
pub(crate) struct Decided<T> {
    pub(crate) target: Option<(Uuid, String)>,
    pub(crate) verdict: Verdict<T, ApplicationRefusal>,
}

pub(crate) type Decision<T> = Result<Decided<T>, store::Fault>;

/// A decision in the making: the reasons so far and the object that it is about.
pub(crate) struct Deciding {
    pub(crate) trace: Trace,
    pub(crate) target: Option<(Uuid, String)>,
}

impl Deciding {
    pub(crate) fn about(mut self, id: Uuid, name: &str) -> Self {
        self.target = Some((id, name.to_owned()));
        self
    }
    pub(crate) fn grant<T>(self, value: T) -> Decision<T> {
        Ok(Decided { target: self.target, verdict: self.trace.grant(value) })
    }
    pub(crate) fn refuse<T>(self, refusal: ApplicationRefusal) -> Decision<T> {
        let rule = match &refusal {
            ApplicationRefusal::Full(_) => "room",
            ApplicationRefusal::ConsentExists
            | ApplicationRefusal::InstanceExists
            | ApplicationRefusal::OwnerExists
            | ApplicationRefusal::PolicyAssigned
            | ApplicationRefusal::RoleAssigned
            | ApplicationRefusal::UriTaken => "not-taken",
            ApplicationRefusal::Invalid { .. } | ApplicationRefusal::Query(_) => "well-formed",
            ApplicationRefusal::NeedsUser => "signed-in-user",
            ApplicationRefusal::NotFound => "found",
            ApplicationRefusal::Permission(_) => "permission",
            ApplicationRefusal::TooManyRoles(_) => "roles-held",
        };
        Ok(Decided { target: self.target, verdict: self.trace.refuse(refusal, Side::Client, rule, "") })
    }
}

/// Asks for leave; a refusal keeps its reasons.
pub(crate) fn ask(viewer: &Viewer, operation: Operation) -> Result<Deciding, (ApplicationRefusal, Trace)> {
    match permission::decide(viewer, &operation, &[]) {
        Verdict::Granted(_, trace) => Ok(Deciding { trace, target: None }),
        Verdict::Refused(refused, trace) => Err((refused.into(), trace)),
    }
}

/// The same inside a write: leaves the decision with the refusal.
macro_rules! leave {
    ($viewer:expr, $operation:expr) => {
        match $crate::applications::ask($viewer, $operation) {
            Ok(deciding) => deciding,
            Err((refusal, trace)) => {
                return Ok($crate::applications::Decided {
                    target: None,
                    verdict: ::domain::verdict::Verdict::Refused(refusal, trace),
                });
            }
        }
    };
}
pub(crate) use leave;

mod federated_credentials;

fn make_secret(
    new: &NewSecret,
    (starts_at, expires_at): (Timestamp, Timestamp),
    moment: &Moment,
) -> MadeSecret {
    // 37 characters of six bits: 222 bits of chance behind the mark that secret scanners look for.
    let random: String = moment.entropy.secret("client secret").chars().take(37).collect();
    let text = format!("hp~{random}");
    let secret = ClientSecret {
        id: PartId::new(moment.entropy.uuid("client secret id")),
        display_name: new.display_name.clone(),
        hint: text.chars().take(3).collect(),
        hash: crypto::sha256(&[text.as_bytes()]),
        starts_at,
        expires_at,
    };
    MadeSecret { secret, text }
}

impl Service {
    /// A page of the tenant's registrations, or of deleted ones, after a position.
    pub fn list_applications(
        &self,
        viewer: &Viewer,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
        among: Among,
    ) -> Answer<Page<SeenApplication>> {
        let plan = match plan(viewer, &APPLICATION, query, is_advanced) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| {
            let publisher_domain = publisher_domain(tx)?;
            let seen = |registration| {
                Ok::<_, store::Fault>(SeenApplication {
                    registration,
                    publisher_domain: publisher_domain.clone(),
                })
            };
            tx.list_applications(&plan, after, among)?.try_map(seen)
        })?))
    }

    /// `/applications/$count`.
    pub fn count_applications(&self, viewer: &Viewer, query: &Query, is_advanced: bool) -> Answer<i64> {
        let plan = match plan(viewer, &APPLICATION, &counting(query), is_advanced) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| tx.count_applications(plan.filter.as_ref()))?))
    }

    /// One registration of the tenant.
    pub fn find_application(&self, viewer: &Viewer, key: ApplicationKey) -> Answer<SeenApplication> {
        self.find(viewer, |tx| live(tx, viewer.tenant, key))
    }

    /// One deleted registration of the tenant.
    pub fn find_deleted_application(
        &self,
        viewer: &Viewer,
        id: Uuid,
        now: Timestamp,
    ) -> Answer<SeenApplication> {
        self.find(viewer, |tx| {
            let found = tx.find_application(ApplicationId::new(id))?;
            Ok(found.filter(|app| is_in_bin(app.deleted_at, now)))
        })
    }

    fn find(
        &self,
        viewer: &Viewer,
        look_up: impl FnOnce(&ReadTx<'_>) -> Result<Option<Application>, store::Fault>,
    ) -> Answer<SeenApplication> {
        if let Err((refusal, _)) = ask(viewer, Operation::ReadApplications) {
            return Ok(Err(refusal));
        }
        let found =
            self.store.tenant(viewer.tenant).read(|tx| look_up(tx)?.map(|app| seen(tx, app)).transpose())?;
        Ok(found.ok_or(ApplicationRefusal::NotFound))
    }

    /// Registers an application. Its instance is made apart, as on Graph.
    pub async fn create_application(
        &self,
        viewer: &Viewer,
        changes: Vec<Change>,
        moment: &Moment,
    ) -> Answer<SeenApplication> {
        let settings = Arc::clone(&self.settings);
        self.decided("Add application", viewer, moment, move |tx, viewer, moment| {
            let deciding = leave!(viewer, Operation::RegisterApplication);
            let id = ApplicationId::new(moment.entropy.uuid("application"));
            let app_id = AppId::new(moment.entropy.uuid("app id"));
            let made = change::create(&changes, (id, app_id), &*tx.load_tenant()?, moment.now);
            let app = match made {
                Ok(app) => app,
                Err(refusal) => return deciding.refuse(refusal),
            };
            let deciding = deciding.about(id.uuid(), &app.display_name);
            // Looked up before anything is written: a refusal leaves nothing behind.
            if is_uri_taken(tx, &app)? {
                return deciding.refuse(ApplicationRefusal::UriTaken);
            }
            if let Err(full) = quota::ask(tx, Some(&viewer.actor), &settings.limits, moment.now)? {
                return deciding.refuse(ApplicationRefusal::Full(full));
            }
            if !tx.add_application(&app)? {
                return Err(store::Fault::Bug("fresh ids of an application were taken"));
            }
            owners::own(tx, viewer, (LinkedKind::Application, id.uuid()), moment.now)?;
            quota::credit(tx, &viewer.actor, id.uuid())?;
            deciding.grant(seen(tx, app)?)
        })
        .await
    }

    /// Changes a registration.
    pub async fn update_application(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        changes: Vec<Change>,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided("Update application", viewer, moment, move |tx, viewer, moment| {
            let found = live(tx, viewer.tenant, key)?;
            let deciding = leave!(viewer, owners::write_application(tx, viewer, found.as_ref())?);
            let Some(before) = found else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(before.id.uuid(), &before.display_name);
            let after = match change::apply(&before, &changes, &*tx.load_tenant()?) {
                Ok(after) => after,
                Err(refusal) => return deciding.refuse(refusal),
            };
            if is_uri_taken(tx, &after)? {
                return deciding.refuse(ApplicationRefusal::UriTaken);
            }
            tx.update_application(&after, moment.now)?;
            deciding.grant(())
        })
        .await
    }

    /// Deletes a registration for 30 days; its secrets and tokens stop working with the commit. Its instance here goes
    /// into the bin with it; those elsewhere stay and are of no use. Restoring brings back what they were granted.
    pub async fn delete_application(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided("Delete application", viewer, moment, move |tx, viewer, moment| {
            let found = live(tx, viewer.tenant, key)?;
            let deciding = leave!(viewer, owners::write_application(tx, viewer, found.as_ref())?);
            let Some(mut app) = found else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(app.id.uuid(), &app.display_name);
            app.deleted_at = Some(moment.now);
            tx.update_application(&app, moment.now)?;
            deciding.grant(())
        })
        .await
    }

    /// Brings a deleted registration back, with the instance that went with it.
    pub async fn restore_application(
        &self,
        viewer: &Viewer,
        id: Uuid,
        moment: &Moment,
    ) -> Answer<SeenApplication> {
        self.decided("Restore application", viewer, moment, move |tx, viewer, moment| {
            let deciding = leave!(viewer, Operation::WriteApplications);
            let found = tx.find_application(ApplicationId::new(id))?;
            let Some(mut app) = found.filter(|app| is_in_bin(app.deleted_at, moment.now)) else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(id, &app.display_name);
            app.deleted_at = None;
            tx.update_application(&app, moment.now)?;
            deciding.grant(seen(tx, app)?)
        })
        .await
    }

    /// Removes a deleted registration for good.
    pub async fn purge_application(&self, viewer: &Viewer, id: Uuid, moment: &Moment) -> Answer<()> {
        let (activity, _) = deleted::activity(LinkedKind::Application);
        self.decided(activity, viewer, moment, move |tx, viewer, moment| {
            let deciding = leave!(viewer, Operation::WriteApplications);
            let found = tx.find_application(ApplicationId::new(id))?;
            let Some(app) = found.filter(|app| is_in_bin(app.deleted_at, moment.now)) else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            deleted::purge_application(tx, &app, moment)?;
            deciding.about(id, &app.display_name).grant(())
        })
        .await
    }

    /// Makes a client secret. Only its hash is kept.
    pub async fn add_password(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        new: NewSecret,
        moment: &Moment,
    ) -> Answer<MadeSecret> {
        self.decided(UPDATE_SECRETS, viewer, moment, move |tx, viewer, moment| {
            let found = live(tx, viewer.tenant, key)?;
            let deciding = leave!(viewer, owners::write_application(tx, viewer, found.as_ref())?);
            let Some(app) = found else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(app.id.uuid(), &app.display_name);
            let (starts_at, expires_at) = match change::plan_secret(&app.secrets, &new, moment.now) {
                Ok(times) => times,
                Err(refusal) => return deciding.refuse(refusal),
            };
            let made = make_secret(&new, (starts_at, expires_at), moment);
            tx.add_client_secret(app.app_id, &made.secret)?;
            tx.log_credentials(app.id, moment.now)?;
            deciding.grant(made)
        })
        .await
    }

    /// Removes a client secret; it stops working with the commit.
    pub async fn remove_password(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        id: PartId,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided(UPDATE_SECRETS, viewer, moment, move |tx, viewer, moment| {
            let found = live(tx, viewer.tenant, key)?;
            let deciding = leave!(viewer, owners::write_application(tx, viewer, found.as_ref())?);
            let Some(app) = found else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(app.id.uuid(), &app.display_name);
            if tx.remove_client_secret(app.app_id, id)? {
                tx.log_credentials(app.id, moment.now)?;
                return deciding.grant(());
            }
            deciding.refuse(NO_SUCH_SECRET)
        })
        .await
    }

    /// A page of the tenant's instances, or of deleted ones, after a position.
    pub fn list_service_principals(
        &self,
        viewer: &Viewer,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
        among: Among,
    ) -> Answer<Page<InstanceRow>> {
        let plan = match plan(viewer, &SERVICE_PRINCIPAL, query, is_advanced) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| tx.list_service_principals(&plan, after, among))?))
    }

    /// `/servicePrincipals/$count`.
    pub fn count_service_principals(&self, viewer: &Viewer, query: &Query, is_advanced: bool) -> Answer<i64> {
        let plan = match plan(viewer, &SERVICE_PRINCIPAL, &counting(query), is_advanced) {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(self
            .store
            .tenant(viewer.tenant)
            .read(|tx| tx.count_service_principals(plan.filter.as_ref()))?))
    }

    /// One instance of the tenant.
    pub fn find_service_principal(&self, viewer: &Viewer, key: InstanceKey) -> Answer<InstanceRow> {
        self.find_instance(viewer, |tx| instance(tx, key))
    }

    /// One deleted instance of the tenant.
    pub fn find_deleted_service_principal(
        &self,
        viewer: &Viewer,
        id: Uuid,
        now: Timestamp,
    ) -> Answer<InstanceRow> {
        self.find_instance(viewer, |tx| deleted::instance(tx, id, now))
    }

    fn find_instance(
        &self,
        viewer: &Viewer,
        look_up: impl FnOnce(&ReadTx<'_>) -> Result<Option<InstanceRow>, store::Fault>,
    ) -> Answer<InstanceRow> {
        if let Err((refusal, _)) = ask(viewer, Operation::ReadServicePrincipals) {
            return Ok(Err(refusal));
        }
        let found = self.store.tenant(viewer.tenant).read(look_up)?;
        Ok(found.ok_or(ApplicationRefusal::NotFound))
    }

    /// Makes an application's instance in the viewer's tenant: its own application, or another's multi-tenant one.
    pub async fn create_service_principal(
        &self,
        viewer: &Viewer,
        app_id: AppId,
        first: InstanceChange,
        moment: &Moment,
    ) -> Answer<InstanceRow> {
        let settings = Arc::clone(&self.settings);
        self.decided("Add service principal", viewer, moment, move |tx, viewer, moment| {
            // Whoever owns the registration may give it an instance at home.
            let app = tx.find_registration(app_id)?;
            let at_home = app.as_ref().filter(|app| app.owner == Some(viewer.tenant));
            let operation = match owners::write_application(tx, viewer, at_home)? {
                Operation::WriteOwnApplication => Operation::WriteOwnApplication,
                _ => Operation::WriteServicePrincipals,
            };
            let deciding = leave!(viewer, operation);
            let id = ServicePrincipalId::new(moment.entropy.uuid("service principal"));
            let bare = ServicePrincipal {
                id,
                app_id,
                is_enabled: true,
                is_assignment_required: false,
                details: Details::default(),
                secrets: Vec::new(),
                created_at: moment.now,
                deleted_at: None,
            };
            let made = change::may_have_instance(app.as_ref(), viewer.tenant)
                .and_then(|app| change::change_instance(app, &bare, &first));
            let made = match made {
                Ok(made) => made,
                Err(refusal) => return deciding.refuse(refusal),
            };
            if let Some(known) = instance(tx, InstanceKey::AppId(app_id))? {
                let deciding = deciding.about(known.instance.id.uuid(), &known.registration.display_name);
                return deciding.refuse(ApplicationRefusal::InstanceExists);
            }
            if let Err(full) = quota::ask(tx, Some(&viewer.actor), &settings.limits, moment.now)? {
                return deciding.refuse(ApplicationRefusal::Full(full));
            }
            tx.add_service_principal(&made)?;
            owners::own(tx, viewer, (LinkedKind::ServicePrincipal, id.uuid()), moment.now)?;
            quota::credit(tx, &viewer.actor, id.uuid())?;
            let made = tx.find_service_principal(id)?;
            let made = made.ok_or(store::Fault::Bug("a fresh service principal is missing"))?;
            deciding.about(id.uuid(), &made.registration.display_name).grant(made)
        })
        .await
    }

    /// Changes what a tenant decides about an instance, or writes about it.
    pub async fn update_service_principal(
        &self,
        viewer: &Viewer,
        key: InstanceKey,
        change: InstanceChange,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided("Update service principal", viewer, moment, move |tx, viewer, moment| {
            let found = instance(tx, key)?;
            let deciding = leave!(viewer, owners::write_instance(tx, viewer, found.as_ref())?);
            let Some(row) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(row.instance.id.uuid(), &row.registration.display_name);
            match change::change_instance(&row.registration, &row.instance, &change) {
                Err(refusal) => deciding.refuse(refusal),
                Ok(after) => {
                    tx.update_service_principal(&after, moment.now)?;
                    deciding.grant(())
                }
            }
        })
        .await
    }

    /// Adds a secret by which the application proves itself in this tenant only (Graph: servicePrincipal).
    pub async fn add_instance_password(
        &self,
        viewer: &Viewer,
        key: InstanceKey,
        new: NewSecret,
        moment: &Moment,
    ) -> Answer<MadeSecret> {
        self.decided(UPDATE_INSTANCE_SECRETS, viewer, moment, move |tx, viewer, moment| {
            let found = instance(tx, key)?;
            let deciding = leave!(viewer, owners::write_instance(tx, viewer, found.as_ref())?);
            let Some(row) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(row.instance.id.uuid(), &row.registration.display_name);
            let times = change::may_hold_instance_secrets(&row.registration)
                .and_then(|()| change::plan_secret(&row.instance.secrets, &new, moment.now));
            let times = match times {
                Ok(times) => times,
                Err(refusal) => return deciding.refuse(refusal),
            };
            let made = make_secret(&new, times, moment);
            tx.add_instance_secret(row.instance.id, &made.secret)?;
            tx.log_instance_credentials(row.instance.id, moment.now)?;
            deciding.grant(made)
        })
        .await
    }

    pub async fn remove_instance_password(
        &self,
        viewer: &Viewer,
        key: InstanceKey,
        id: PartId,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided(UPDATE_INSTANCE_SECRETS, viewer, moment, move |tx, viewer, moment| {
            let found = instance(tx, key)?;
            let deciding = leave!(viewer, owners::write_instance(tx, viewer, found.as_ref())?);
            let Some(row) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(row.instance.id.uuid(), &row.registration.display_name);
            if tx.remove_instance_secret(row.instance.id, id)? {
                tx.log_instance_credentials(row.instance.id, moment.now)?;
                return deciding.grant(());
            }
            deciding.refuse(NO_SUCH_SECRET)
        })
        .await
    }

    /// Deletes an instance for 30 days; its secrets and tokens stop working with the commit. What it was granted has no
    /// effect until it is restored. Meanwhile a new one may be made, as on Graph, which has nothing of it.
    pub async fn delete_service_principal(
        &self,
        viewer: &Viewer,
        key: InstanceKey,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided("Remove service principal", viewer, moment, move |tx, viewer, moment| {
            let found = instance(tx, key)?;
            let deciding = leave!(viewer, owners::write_instance(tx, viewer, found.as_ref())?);
            let Some(row) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(row.instance.id.uuid(), &row.registration.display_name);
            let switched_off = InstanceChange { is_enabled: Some(false), ..InstanceChange::default() };
            if let Err(refusal) = change::change_instance(&row.registration, &row.instance, &switched_off) {
                return deciding.refuse(refusal);
            }
            let mut instance = row.instance;
            instance.deleted_at = Some(moment.now);
            tx.update_service_principal(&instance, moment.now)?;
            deciding.grant(())
        })
        .await
    }

    /// Brings a deleted instance back, with what it was granted. Not before its registration is there, and not beside
    /// another.
    pub async fn restore_service_principal(
        &self,
        viewer: &Viewer,
        id: Uuid,
        moment: &Moment,
    ) -> Answer<InstanceRow> {
        self.decided("Restore service principal", viewer, moment, move |tx, viewer, moment| {
            let found = deleted::instance(tx, id, moment.now)?;
            let deciding = leave!(viewer, owners::write_instance(tx, viewer, found.as_ref())?);
            let Some(mut row) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(id, &row.registration.display_name);
            if let Err(refusal) = change::may_have_instance(Some(&row.registration), viewer.tenant) {
                return deciding.refuse(refusal);
            }
            if instance(tx, InstanceKey::AppId(row.registration.app_id))?.is_some() {
                return deciding.refuse(ApplicationRefusal::InstanceExists);
            }
            row.instance.deleted_at = None;
            tx.update_service_principal(&row.instance, moment.now)?;
            deciding.grant(row)
        })
        .await
    }

    /// Removes a deleted instance for good.
    pub async fn purge_service_principal(&self, viewer: &Viewer, id: Uuid, moment: &Moment) -> Answer<()> {
        let (activity, _) = deleted::activity(LinkedKind::ServicePrincipal);
        self.decided(activity, viewer, moment, move |tx, viewer, moment| {
            let found = deleted::instance(tx, id, moment.now)?;
            let deciding = leave!(viewer, owners::write_instance(tx, viewer, found.as_ref())?);
            let Some(row) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            tx.purge_service_principal(&row, moment.now)?;
            deciding.about(id, &row.registration.display_name).grant(())
        })
        .await
    }

    /// One write with its record, for grants and refusals alike.
    pub(crate) async fn decided<T, W>(
        &self,
        activity: &'static str,
        viewer: &Viewer,
        moment: &Moment,
        work: W,
    ) -> Answer<T>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>, &Viewer, &Moment) -> Decision<T> + Send + 'static,
    {
        self.decided_in(CATEGORY, activity, viewer, moment, work).await
    }

    /// The same, recorded in another category.
    pub(crate) async fn decided_in<T, W>(
        &self,
        category: &'static str,
        activity: &'static str,
        viewer: &Viewer,
        moment: &Moment,
        work: W,
    ) -> Answer<T>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>, &Viewer, &Moment) -> Decision<T> + Send + 'static,
    {
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let Decided { target, verdict } = work(tx, &viewer_in, &moment_in)?;
            let refusal = match &verdict {
                Verdict::Granted(..) => None,
                Verdict::Refused(refusal, _) => Some(refusal.as_str()),
            };
            let record = DirectoryRecord {
                activity,
                category,
                actor: record_actor(&viewer_in.actor),
                target: target.as_ref().map(|(id, _)| *id),
                target_name: target.map(|(_, name)| shorten(&name, 256)),
                refusal,
                reasons: verdict.trace().summary(),
                origin: moment_in.origin.clone(),
            };
            Ok(Recorded::new(Record::Directory(record), verdict.into_result()))
        });
        Ok(written.await?)
    }
}

fn plan(
    viewer: &Viewer,
    resource: &'static Resource,
    query: &Query,
    is_advanced: bool,
) -> Result<Plan, ApplicationRefusal> {
    let operation = match *resource == APPLICATION {
        true => Operation::ReadApplications,
        false => Operation::ReadServicePrincipals,
    };
    ask(viewer, operation).map_err(|(refusal, _)| refusal)?;
    query::plan(resource, query, Visibility::Full, is_advanced).map_err(ApplicationRefusal::Query)
}

/// A registration belongs to one tenant; elsewhere it is not found (R21).
fn registration(
    tx: &ReadTx<'_>,
    tenant: TenantId,
    key: ApplicationKey,
) -> Result<Option<Application>, store::Fault> {
    let found = match key {
        ApplicationKey::AppId(app_id) => tx.find_registration(app_id)?,
        ApplicationKey::Id(id) => tx.find_application(id)?,
    };
    Ok(found.filter(|app| app.owner == Some(tenant)))
}

pub(crate) fn live(
    tx: &ReadTx<'_>,
    tenant: TenantId,
    key: ApplicationKey,
) -> Result<Option<Application>, store::Fault> {
    Ok(registration(tx, tenant, key)?.filter(|app| app.deleted_at.is_none()))
}

pub(crate) fn instance(tx: &ReadTx<'_>, key: InstanceKey) -> Result<Option<InstanceRow>, store::Fault> {
    match key {
        InstanceKey::Id(id) => tx.find_service_principal(id),
        InstanceKey::AppId(app_id) => {
            let app = tx.find_app(app_id)?;
            let id = app.and_then(|app| app.instance.as_ref().map(|instance| instance.id));
            id.map_or(Ok(None), |id| tx.find_service_principal(id))
        }
    }
}

fn publisher_domain(tx: &ReadTx<'_>) -> Result<Option<String>, store::Fault> {
    Ok(tx.load_tenant()?.default_domain().map(ToString::to_string))
}

pub(crate) fn seen(tx: &ReadTx<'_>, registration: Application) -> Result<SeenApplication, store::Fault> {
    Ok(SeenApplication { publisher_domain: publisher_domain(tx)?, registration })
}

fn is_uri_taken(tx: &ReadTx<'_>, app: &Application) -> Result<bool, store::Fault> {
    for uri in &app.identifier_uris {
        if tx.identifier_uri_owner(uri)?.is_some_and(|owner| owner != app.app_id) {
            return Ok(true);
        }
    }
    Ok(false)
}
