//! Sends what waits in the outbox. A crash between sending and marking sends a mail twice; losing one is worse.

use crate::{Fault, Service};
use domain::time::{Span, Timestamp};
use store::{Chore, OutboxRow, Recorded};

/// Mails taken at a time.
const BATCH: i64 = 50;
/// How long a mail is tried.
// DEFAULT: three days, as mail servers do among themselves (RFC 5321 §4.5.4.1 says four to five).
const PATIENCE: Span = Span::days(3);

impl Service {
    /// Sends what is due; answers how many left.
    pub async fn send_due_mail(&self, now: Timestamp) -> Result<usize, Fault> {
        let due = self.store.read(|tx| tx.due_outbox(now, BATCH))?;
        let mut sent = 0;
        for row in due {
            sent += usize::from(self.send_one(row, now).await?);
        }
        Ok(sent)
    }

    async fn send_one(&self, row: OutboxRow, now: Timestamp) -> Result<bool, Fault> {
        let (seq, outcome) = (row.seq, self.mailer.send(&row.mail).await);
        let failure = outcome.err().map(|error| {
            let gives_up = error.is_final() || now.since(row.created_at) > PATIENCE;
            tracing::warn!(%error, tenant = %row.tenant, mail = %row.id, tries = row.tries + 1, gives_up, "a mail did not leave");
            (error.to_string(), gives_up.then_some(now))
        });
        let is_sent = failure.is_none();
        self.store
            .write(move |tx| {
                match &failure {
                    None => tx.mark_sent(seq, now)?,
                    Some((failure, gives_up)) => {
                        tx.put_off(seq, failure, now + pause(row.tries), *gives_up)?
                    }
                }
                Ok(Recorded::chore(Chore::Delivery, ()))
            })
            .await?;
        Ok(is_sent)
    }
}

/// One minute, doubled at each failure, six hours at most.
fn pause(tries: i64) -> Span {
    let minutes = 1_i64 << tries.clamp(0, 9);
    Span::minutes(minutes.min(360))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_six_hours() {
        assert_eq!(pause(0), Span::minutes(1));
        assert_eq!(pause(3), Span::minutes(8));
        assert_eq!(pause(50), Span::hours(6));
    }
}
