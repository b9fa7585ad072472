//! Carries new membership rules out over large directories. A small one is done in the write that changed the rule.

use crate::{Fault, Service};
use domain::time::Timestamp;
use store::{Chore, Recorded};

impl Service {
    /// Moves every rule that is being carried out one step on; answers how many there were. What was done is kept, so
    /// that a stop loses nothing.
    pub async fn settle_memberships(&self, now: Timestamp) -> Result<usize, Fault> {
        let runs = self.store.read(|tx| tx.rule_runs())?;
        let mut failed = None;
        for (tenant, group) in &runs {
            let group = *group;
            let step = self.store.tenant(*tenant).write(move |tx| {
                tx.continue_rule_run(group, now)?;
                Ok(Recorded::chore(Chore::Membership, ()))
            });
            // One that fails keeps no other tenant waiting.
            if let Err(fault) = step.await {
                failed = Some(fault);
            }
        }
        failed.map_or(Ok(runs.len()), |fault| Err(fault.into()))
    }
}
