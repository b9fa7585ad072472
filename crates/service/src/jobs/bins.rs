//! Empties the bins: what was deleted longer ago than it can be restored goes for good, with a record for each.

use crate::deleted::{self, RESTORABLE, is_in_bin};
use crate::{Fault, Moment, Service};
use domain::directory::group::LinkedKind;
use domain::id::{ApplicationId, GroupId, ServicePrincipalId, TenantId, UserId};
use store::{Chore, Recorded, WriteTx};
use uuid::Uuid;

/// Objects of a kind looked up at a time.
const BATCH: i64 = 100;

impl Service {
    /// Removes what is due in every tenant, each object in a write of its own, so that no other write waits long; answers
    /// how many went.
    pub async fn empty_bins(&self, moment: &Moment) -> Result<usize, Fault> {
        let mut gone = 0;
        loop {
            let due = self.store.read(|tx| tx.deleted_before(moment.now - RESTORABLE, BATCH))?;
            if due.is_empty() {
                return Ok(gone);
            }
            let mut failed = None;
            for (tenant, kind, id) in due {
                // One that fails keeps no other waiting.
                match self.purge_due(tenant, kind, id, moment).await {
                    Ok(is_gone) => gone += usize::from(is_gone),
                    Err(fault) => failed = Some(fault),
                }
            }
            if let Some(fault) = failed {
                return Err(fault);
            }
        }
    }

    async fn purge_due(
        &self,
        tenant: TenantId,
        kind: LinkedKind,
        id: Uuid,
        moment: &Moment,
    ) -> Result<bool, Fault> {
        let moment = moment.clone();
        let purged = self.store.tenant(tenant).write(move |tx| {
            Ok(match purge(tx, kind, id, &moment)? {
                Some(name) => {
                    let why = "deleted for as long as it could be restored";
                    Recorded::new(deleted::record(kind, id, &name, why, &moment), true)
                }
                // It went with another since.
                None => Recorded::chore(Chore::Sweep, false),
            })
        });
        Ok(purged.await?)
    }
}

/// Removes an object that cannot be restored any more; answers what it was called.
fn purge(
    tx: &WriteTx<'_>,
    kind: LinkedKind,
    id: Uuid,
    moment: &Moment,
) -> Result<Option<String>, store::Fault> {
    let now = moment.now;
    let is_due = |deleted_at| Option::is_some(&deleted_at) && !is_in_bin(deleted_at, now);
    Ok(match kind {
        LinkedKind::Application => {
            let found = tx.find_application(ApplicationId::new(id))?;
            let Some(app) = found.filter(|app| is_due(app.deleted_at)) else { return Ok(None) };
            deleted::purge_application(tx, &app, moment)?;
            Some(app.display_name)
        }
        LinkedKind::Group => {
            let found = tx.find_group(GroupId::new(id))?;
            let Some(group) = found.filter(|group| is_due(group.deleted_at)) else { return Ok(None) };
            tx.purge_group(group.id, now)?;
            Some(group.display_name)
        }
        LinkedKind::ServicePrincipal => {
            let found = tx.find_deleted_service_principal(ServicePrincipalId::new(id))?;
            let Some(row) = found.filter(|row| is_due(row.instance.deleted_at)) else { return Ok(None) };
            tx.purge_service_principal(&row, now)?;
            Some(row.registration.display_name)
        }
        LinkedKind::User => {
            let found = tx.find_user(UserId::new(id))?;
            let Some(user) = found.filter(|user| is_due(user.deleted_at)) else { return Ok(None) };
            tx.purge_user(user.id, now)?;
            Some(user.display_name)
        }
    })
}
