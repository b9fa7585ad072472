//! Removes what deleted tenants held. They were closed before: nothing depends on when this is done.

use crate::{Fault, Moment, Service, deleted};
use store::{Chore, Recorded};

impl Service {
    /// Removes a little of what each deleted tenant held; answers how many tenants still hold something.
    pub async fn empty_deleted_tenants(&self, moment: &Moment) -> Result<usize, Fault> {
        let tenants = self.store.read(|tx| tx.tenants_to_empty())?;
        let (mut left, mut failed) = (0, None);
        for tenant in tenants {
            let moment = moment.clone();
            let step = self.store.tenant(tenant).write(move |tx| {
                let is_empty = match tx.application_to_empty()? {
                    Some(app) => {
                        deleted::purge_application(tx, &app, &moment)?;
                        false
                    }
                    None => tx.empty_tenant(moment.now)?,
                };
                Ok(Recorded::chore(Chore::Clearing, is_empty))
            });
            match step.await {
                Ok(is_empty) => left += usize::from(!is_empty),
                // One that fails keeps no other waiting.
                Err(fault) => failed = Some(fault),
            }
        }
        failed.map_or(Ok(left), |fault| Err(fault.into()))
    }
}
