//! What was deleted: for thirty days it can be restored, then it goes for good. Whether it can be is looked at when
//! somebody asks (R04); `jobs/bins` only frees the space.

use crate::{Fault, Moment, Service};
use domain::audit::{DirectoryRecord, Origin, Record, RecordActor, shorten};
use domain::directory::application::Application;
use domain::directory::group::LinkedKind;
use domain::directory::permission::Viewer;
use domain::id::{ApplicationId, GroupId, ServicePrincipalId, TenantId, UserId};
use domain::time::{Span, Timestamp};
use store::{Among, ReadTx, ServicePrincipalRow, WriteTx};
use uuid::Uuid;

/// How long what was deleted can be restored.
// DEFAULT: 30 days, as documented (facts: limits §1).
pub const RESTORABLE: Span = Span::days(30);

/// What lies in the bin at a time.
pub fn bin(now: Timestamp) -> Among {
    Among::DeletedSince(now - RESTORABLE)
}

/// Whether an object lies in the bin: what was deleted longer ago is gone, whoever swept when (R04).
pub(crate) fn is_in_bin(deleted_at: Option<Timestamp>, now: Timestamp) -> bool {
    deleted_at.is_some_and(|at| now.since(at) <= RESTORABLE)
}

/// An instance in the bin.
pub(crate) fn instance(
    tx: &ReadTx<'_>,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<ServicePrincipalRow>, store::Fault> {
    let found = tx.find_deleted_service_principal(ServicePrincipalId::new(id))?;
    Ok(found.filter(|row| is_in_bin(row.instance.deleted_at, now)))
}

/// What the log calls it when an object goes for good: activity and category.
pub(crate) const fn activity(kind: LinkedKind) -> (&'static str, &'static str) {
    match kind {
        LinkedKind::Application => ("Hard delete application", "ApplicationManagement"),
        LinkedKind::Group => ("Hard Delete group", "GroupManagement"),
        LinkedKind::ServicePrincipal => ("Hard delete service principal", "ApplicationManagement"),
        LinkedKind::User => ("Hard Delete user", "UserManagement"),
    }
}

/// The record of an object that went for good without anybody's asking.
pub(crate) fn record(kind: LinkedKind, target: Uuid, name: &str, why: &str, moment: &Moment) -> Record {
    let (activity, category) = activity(kind);
    Record::Directory(DirectoryRecord {
        activity,
        category,
        actor: RecordActor::Service,
        target: Some(target),
        target_name: Some(shorten(name, 256)),
        refusal: None,
        reasons: why.to_owned(),
        modified: Vec::new(),
        // Not where a request came from: in another tenant's log that would be somebody else's affair.
        origin: Origin { address: None, user_agent: None, ..moment.origin.clone() },
    })
}

/// Removes a registration for good. Its instances go with it, and the log of each one's tenant says so.
pub(crate) fn purge_application(
    tx: &WriteTx<'_>,
    app: &Application,
    moment: &Moment,
) -> Result<(), store::Fault> {
    let gone: Vec<(TenantId, ServicePrincipalId)> = tx.purge_application(app, moment.now)?;
    for (tenant, id) in gone {
        let kind = LinkedKind::ServicePrincipal;
        let why = "its application was deleted for good";
        tx.note_at(tenant, record(kind, id.uuid(), &app.display_name, why, moment));
    }
    Ok(())
}

impl Service {
    /// What lies in the bin under an id. Whether the viewer may know is asked by what follows.
    pub fn deleted_kind(
        &self,
        viewer: &Viewer,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Option<LinkedKind>, Fault> {
        Ok(self.store.tenant(viewer.tenant).read(|tx| {
            let app = tx.find_application(ApplicationId::new(id))?.and_then(|app| app.deleted_at);
            let group = tx.find_group(GroupId::new(id))?.and_then(|group| group.deleted_at);
            let user = tx.find_user(UserId::new(id))?.and_then(|user| user.deleted_at);
            let instance = instance(tx, id, now)?.and_then(|row| row.instance.deleted_at);
            Ok([
                (LinkedKind::Application, app),
                (LinkedKind::Group, group),
                (LinkedKind::ServicePrincipal, instance),
                (LinkedKind::User, user),
            ]
            .into_iter()
            .find(|(_, deleted_at)| is_in_bin(*deleted_at, now))
            .map(|(kind, _)| kind))
        })?)
    }
}
