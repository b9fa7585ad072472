//! Removes what deleted tenants held. They were closed before: nothing depends on when this is done.

use crate::{Fault, Service};
use domain::time::Timestamp;
use store::{Chore, Recorded};

impl Service {
    /// Removes a little of what each deleted tenant held; answers how many tenants still hold something.
    pub async fn empty_deleted_tenants(&self, now: Timestamp) -> Result<usize, Fault> {
        let tenants = self.store.read(|tx| tx.tenants_to_empty())?;
        let (mut left, mut failed) = (0, None);
        for tenant in tenants {
            let step = self
                .store
                .tenant(tenant)
                .write(move |tx| Ok(Recorded::chore(Chore::Clearing, tx.empty_tenant(now)?)));
            match step.await {
                Ok(is_empty) => left += usize::from(!is_empty),
                // One that fails keeps no other waiting.
                Err(fault) => failed = Some(fault),
            }
        }
        failed.map_or(Ok(left), |fault| Err(fault.into()))
    }
}
