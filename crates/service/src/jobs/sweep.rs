//! Frees space. What is swept was void before: expiry is looked at when something is used (R04).

use crate::{Fault, Service};
use domain::time::{Span, Timestamp};
use store::{Chore, Recorded};

/// How long expired things are kept, for whoever looks into an incident.
const KEPT: Span = Span::days(2);

impl Service {
    /// Removes expired sign-ins, codes and visits in small steps, so that no write waits long.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, Fault> {
        let before = now - KEPT;
        let mut swept = 0;
        loop {
            let step =
                self.store.write(move |tx| Ok(Recorded::chore(Chore::Sweep, tx.sweep(before)?))).await?;
            swept += step;
            if step == 0 {
                return Ok(swept);
            }
        }
    }
}
