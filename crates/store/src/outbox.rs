//! Effects that leave: written with the change that causes them, sent by a job, marked when done. A crash loses
//! nothing; a rerun of the write sends nothing twice.

use crate::fault::Fault;
use crate::sql::{Value, to_json};
use crate::{ReadTx, WriteTx};
use domain::b2b::invitation::Mailbox;
use domain::id::TenantId;
use domain::mail::Mail;
use domain::tenancy::domain_name::Address;
use domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A mail as it is kept, sealed.
#[derive(Serialize, Deserialize)]
struct MailDocument {
    to: String,
    cc: Vec<String>,
    reply_to: Option<String>,
    subject: String,
    text: String,
    html: String,
}

/// A row that is due.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    pub seq: i64,
    pub id: Uuid,
    pub tenant: TenantId,
    pub mail: Mail,
    pub created_at: Timestamp,
    pub tries: i64,
}

fn place(id: Uuid) -> String {
    format!("outbox.sealed:{id}")
}

impl ReadTx<'_> {
    /// Rows to be sent now, those that waited longest first, of every tenant.
    pub fn due_outbox(&self, now: Timestamp, limit: i64) -> Result<Vec<OutboxRow>, Fault> {
        self.outbox_rows(
            "done_at IS NULL AND due_at <= $1 ORDER BY due_at, seq LIMIT $2",
            &[now.into(), limit.into()],
        )
    }

    /// The newest mails, sent or not, newest first; for the development mailbox.
    pub fn recent_mail(&self, limit: i64) -> Result<Vec<OutboxRow>, Fault> {
        self.outbox_rows("1 = 1 ORDER BY seq DESC LIMIT $1", &[limit.into()])
    }

    fn outbox_rows(&self, condition: &str, values: &[Value<'_>]) -> Result<Vec<OutboxRow>, Fault> {
        let sql = format!("SELECT seq, id, tenant, sealed, created_at, tries FROM outbox WHERE {condition}");
        self.link().all(&sql, values, |row| {
            let (id, tenant) = (row.uuid(1)?, TenantId::new(row.uuid(2)?));
            let opened = self.sealer().open(Some(tenant), &place(id), &row.bytes(3)?)?;
            let mail: MailDocument =
                serde_json::from_slice(&opened).map_err(|_| Fault::Bug("a stored mail does not parse"))?;
            let MailDocument { to, cc, reply_to, subject, text, html } = mail;
            let mail = Mail { to, cc, reply_to, subject, text, html };
            Ok(OutboxRow { seq: row.int(0)?, id, tenant, mail, created_at: row.time(4)?, tries: row.int(5)? })
        })
    }

    /// What this tenant sent to an address lately, in the mail or in a copy (R07).
    pub fn mailbox(&self, address: &Address, now: Timestamp) -> Result<Mailbox, Fault> {
        let tenant = self.tenant()?.uuid();
        let count = |condition: &str, value: &str, since: Timestamp| {
            let sql = format!(
                "SELECT COUNT(*) FROM mail_recipients WHERE tenant = $1 AND {condition} = $2 AND sent_at > $3"
            );
            let values = [(&tenant).into(), Value::Text(value), since.into()];
            let count = self.link().one(&sql, &values, |row| row.int(0))?;
            Ok::<_, Fault>(u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX))
        };
        let folded = address.folded();
        Ok(Mailbox {
            mailed_today: count("address_folded", &folded, now - Span::days(1))?,
            mailed_to_domain_this_hour: count("domain", address.domain().as_str(), now - Span::hours(1))?,
            is_blocked: self.is_mail_blocked(&folded)?,
        })
    }
}

impl WriteTx<'_> {
    pub fn enqueue_mail(&self, id: Uuid, mail: &Mail, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?;
        let Mail { to, cc, reply_to, subject, text, html } = mail.clone();
        let document = to_json(&MailDocument { to, cc, reply_to, subject, text, html })?;
        let sealed = self.sealer().seal(Some(tenant), &place(id), document.as_bytes());
        self.link().run(
            "INSERT INTO outbox (tenant, id, kind, sealed, created_at, due_at, tries)
             VALUES ($1, $2, 'mail', $3, $4, $4, 0)",
            &[(&tenant.uuid()).into(), (&id).into(), (&sealed).into(), at.into()],
        )?;
        for address in std::iter::once(&mail.to).chain(&mail.cc) {
            let folded = address.to_ascii_lowercase();
            let domain = folded.rsplit_once('@').map_or("", |(_, domain)| domain);
            // Whoever gets the mail and its copy gets it once.
            self.link().insert(
                "INSERT INTO mail_recipients (tenant, address_folded, mail, domain, sent_at) VALUES ($1, $2, $3, $4, $5)",
                &[
                    (&tenant.uuid()).into(),
                    Value::Text(&folded),
                    (&id).into(),
                    Value::Text(domain),
                    at.into(),
                ],
            )?;
        }
        Ok(())
    }

    pub fn mark_sent(&self, seq: i64, at: Timestamp) -> Result<(), Fault> {
        self.link()
            .run("UPDATE outbox SET done_at = $1, failure = NULL WHERE seq = $2", &[at.into(), seq.into()])?;
        Ok(())
    }

    /// Puts a row off after a failure; `gives_up` ends the trying and keeps the reason.
    pub fn put_off(
        &self,
        seq: i64,
        failure: &str,
        due_at: Timestamp,
        gives_up: Option<Timestamp>,
    ) -> Result<(), Fault> {
        self.link().run(
            "UPDATE outbox SET tries = tries + 1, failure = $1, due_at = $2, done_at = $3 WHERE seq = $4",
            &[Value::Text(failure), due_at.into(), gives_up.into(), seq.into()],
        )?;
        Ok(())
    }
}
