//! Owners of registrations and service principals. An owner may change what it owns; a guest gains nothing by it (R24).

use crate::applications::{Answer, ApplicationKey, InstanceKey, InstanceRow, ask, instance, leave, live};
use crate::directory::{self, DirectoryRefusal};
use crate::groups::{Cast, LinkedPage, SeenKinds, kind_of};
use crate::{Moment, Service};
use domain::directory::application::Application;
use domain::directory::application_change::ApplicationRefusal;
use domain::directory::group::LinkedKind;
use domain::directory::permission::{Actor, Operation, Viewer};
use domain::directory::query::Position;
use domain::directory::user::UserType;
use domain::id::UserId;
use domain::tenancy::limits::Limit;
use domain::time::Timestamp;
use standards::odata::query::Query;
use std::sync::Arc;
use store::{ReadTx, Within, WriteTx};
use uuid::Uuid;

/// What is owned, or has policies.
#[derive(Clone, Copy, Debug)]
pub enum Owned {
    Application(ApplicationKey),
    Instance(InstanceKey),
}

impl Owned {
    pub(crate) const fn kind(self) -> LinkedKind {
        match self {
            Self::Application(_) => LinkedKind::Application,
            Self::Instance(_) => LinkedKind::ServicePrincipal,
        }
    }

    /// What reading it needs.
    pub(crate) const fn read(self) -> Operation {
        match self {
            Self::Application(_) => Operation::ReadApplications,
            Self::Instance(_) => Operation::ReadServicePrincipals,
        }
    }

    /// Id and name of the object, and what changing it needs of this caller.
    pub(crate) fn find(
        self,
        tx: &ReadTx<'_>,
        viewer: &Viewer,
    ) -> Result<(Option<(Uuid, String)>, Operation), store::Fault> {
        Ok(match self {
            Self::Application(key) => {
                let app = live(tx, viewer.tenant, key)?;
                let operation = write_application(tx, viewer, app.as_ref())?;
                (app.map(|app| (app.id.uuid(), app.display_name)), operation)
            }
            Self::Instance(key) => {
                let row = instance(tx, key)?;
                let operation = write_instance(tx, viewer, row.as_ref())?;
                (row.map(|row| (row.instance.id.uuid(), row.registration.display_name)), operation)
            }
        })
    }
}

fn owns(tx: &ReadTx<'_>, viewer: &Viewer, object: Uuid) -> Result<bool, store::Fault> {
    tx.is_owner(object, viewer.actor.principal())
}

/// What changing a registration needs of this caller.
pub(crate) fn write_application(
    tx: &ReadTx<'_>,
    viewer: &Viewer,
    app: Option<&Application>,
) -> Result<Operation, store::Fault> {
    let is_owner = app.map_or(Ok(false), |app| owns(tx, viewer, app.id.uuid()))?;
    Ok(if is_owner { Operation::WriteOwnApplication } else { Operation::WriteApplications })
}

/// What changing an instance needs of this caller.
pub(crate) fn write_instance(
    tx: &ReadTx<'_>,
    viewer: &Viewer,
    row: Option<&InstanceRow>,
) -> Result<Operation, store::Fault> {
    let is_owner = row.map_or(Ok(false), |row| owns(tx, viewer, row.instance.id.uuid()))?;
    Ok(if is_owner { Operation::WriteOwnApplication } else { Operation::WriteServicePrincipals })
}

/// Makes the caller the owner of what it made; a guest does not own it (R24).
pub(crate) fn own(
    tx: &WriteTx<'_>,
    viewer: &Viewer,
    object: (LinkedKind, Uuid),
    at: Timestamp,
) -> Result<(), store::Fault> {
    let owner = match &viewer.actor {
        Actor::Application { service_principal, .. } => {
            Some((LinkedKind::ServicePrincipal, service_principal.uuid()))
        }
        Actor::User { user, user_type: UserType::Member, .. } => Some((LinkedKind::User, user.uuid())),
        // The operator is no object of the directory.
        Actor::Operator | Actor::User { user_type: UserType::Guest, .. } => None,
    };
    owner.map_or(Ok(()), |owner| tx.add_owner(object, owner, at).map(|_| ()))
}

impl Service {
    /// Who owns a registration or a service principal.
    pub fn list_owners(
        &self,
        viewer: &Viewer,
        owned: Owned,
        cast: Cast,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
    ) -> directory::Answer<LinkedPage> {
        if let Err(refused) = directory::allow(viewer, owned.read(), &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| owned.find(tx, viewer))?;
        let Some((id, _)) = found.0 else { return Ok(Err(DirectoryRefusal::NotFound)) };
        let seen = SeenKinds::of(viewer);
        self.linked(viewer, Within::OwnersOf(id), cast, query, is_advanced, after, seen, None)
    }

    /// Makes a user or a service principal an owner: the caller may change the object, and sees the owner (R36).
    pub async fn add_owner(&self, viewer: &Viewer, owned: Owned, owner: Uuid, moment: &Moment) -> Answer<()> {
        let activity = match owned {
            Owned::Application(_) => "Add owner to application",
            Owned::Instance(_) => "Add owner to service principal",
        };
        let settings = Arc::clone(&self.settings);
        self.decided(activity, viewer, moment, move |tx, viewer, moment| {
            let (found, operation) = owned.find(tx, viewer)?;
            let deciding = leave!(viewer, operation);
            let Some((id, name)) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(id, &name);
            let kind = kind_of(tx, owner)?;
            let read = match kind {
                Some(LinkedKind::User) => Operation::ReadUser(UserId::new(owner)),
                Some(LinkedKind::Application | LinkedKind::Group | LinkedKind::ServicePrincipal) | None => {
                    Operation::ReadServicePrincipals
                }
            };
            if let Err((refusal, _)) = ask(viewer, read) {
                return deciding.refuse(refusal);
            }
            let kind = match kind {
                None => return deciding.refuse(ApplicationRefusal::NotFound),
                Some(LinkedKind::Application | LinkedKind::Group) => {
                    let problem = "Only users and service principals own applications.";
                    return deciding.refuse(ApplicationRefusal::Invalid { property: "owners", problem });
                }
                Some(kind @ (LinkedKind::ServicePrincipal | LinkedKind::User)) => kind,
            };
            if tx.is_owner(id, owner)? {
                return deciding.refuse(ApplicationRefusal::OwnerExists);
            }
            let most = tx.load_tenant()?.limit(Limit::OwnersOfApplication, &settings.limits);
            if tx.count_owners(id)? >= most {
                let problem = "It has as many owners as it may. Remove one first.";
                return deciding.refuse(ApplicationRefusal::Invalid { property: "owners", problem });
            }
            tx.add_owner((owned.kind(), id), (kind, owner), moment.now)?;
            deciding.grant(())
        })
        .await
    }

    /// Takes ownership away.
    pub async fn remove_owner(
        &self,
        viewer: &Viewer,
        owned: Owned,
        owner: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        let activity = match owned {
            Owned::Application(_) => "Remove owner from application",
            Owned::Instance(_) => "Remove owner from service principal",
        };
        self.decided(activity, viewer, moment, move |tx, viewer, moment| {
            let (found, operation) = owned.find(tx, viewer)?;
            let deciding = leave!(viewer, operation);
            let Some((id, name)) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(id, &name);
            match tx.remove_owner((owned.kind(), id), owner, moment.now)? {
                true => deciding.grant(()),
                false => deciding.refuse(ApplicationRefusal::NotFound),
            }
        })
        .await
    }
}
