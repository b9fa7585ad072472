//! A tenant is deleted: one small write closes it, whoever wants it, or records the refusal; a job empties it afterwards.

use crate::directory::put_in_bin;
use crate::{Fault, Moment, Service, Settings};
use domain::audit::{DirectoryRecord, Record, RecordActor, shorten};
use domain::id::TenantId;
use domain::signin::session::Session;
use domain::tenancy::deletion::{self, Asker, Facts, Left, Refusal};
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::Tenant;
use domain::verdict::Verdict;
use std::sync::Arc;
use store::{Person, Recorded, WriteTx};
use uuid::Uuid;

const ACTIVITY: &str = "Delete tenant";

impl Service {
    /// What is still in a tenant, besides what every tenant has and one administrator.
    pub fn left_in_tenant(&self, tenant: TenantId) -> Result<Left, Fault> {
        Ok(self.store.tenant(tenant).read(|tx| tx.left_in_tenant())?)
    }

    /// Deletes a tenant for the person who made it, seen from home as in `leave_organization`.
    pub async fn delete_own_tenant(
        &self,
        home: TenantId,
        session: &Session,
        tenant: TenantId,
        moment: &Moment,
    ) -> Result<Result<(), Refusal>, Fault> {
        let person = Person { home, user: session.user.id };
        let actor = RecordActor::User { user: person.user.uuid() };
        let (session, settings, moment) = (session.id, Arc::clone(&self.settings), moment.clone());
        if self.store.tenant(tenant).read(|tx| tx.find_account_of(person))?.is_none() {
            // Nobody writes into the log of an organisation that they are not in.
            let record = record(actor, tenant, None, Some(Refusal::NotThere), String::new(), &moment);
            self.store.tenant(home).write(move |_| Ok(Recorded::new(record.clone(), ()))).await?;
            return Ok(Err(Refusal::NotThere));
        }
        let written = self.store.tenant(tenant).write(move |tx| {
            let living = tx.find_session_at_home(home, session)?.filter(|found| found.is_alive(moment.now));
            let asker = Asker {
                person: living.map(|session| session.user),
                account: tx.find_account_of(person)?,
                is_creator: tx.creator_of_tenant()? == Some(person),
            };
            let (record, outcome) = close(tx, Some(asker), actor.clone(), tenant, &settings, &moment)?;
            // The home has a record of its own person; nobody reads the log of a tenant that is gone.
            tx.note_at(home, record.clone());
            Ok(Recorded::new(record, outcome))
        });
        Ok(written.await?)
    }

    /// Deletes a tenant for the operator.
    pub async fn delete_tenant(
        &self,
        tenant: TenantId,
        moment: &Moment,
    ) -> Result<Result<(), Refusal>, Fault> {
        let (settings, moment) = (Arc::clone(&self.settings), moment.clone());
        if self.store.tenant(tenant).read(|tx| tx.find_tenant_here())?.is_none() {
            let refusal = Some(Refusal::NotThere);
            let record = record(RecordActor::Operator, tenant, None, refusal, String::new(), &moment);
            self.store.write(move |_| Ok(Recorded::new(record.clone(), ()))).await?;
            return Ok(Err(Refusal::NotThere));
        }
        let written = self.store.tenant(tenant).write(move |tx| {
            let (record, outcome) = close(tx, None, RecordActor::Operator, tenant, &settings, &moment)?;
            Ok(Recorded::new(record, outcome))
        });
        Ok(written.await?)
    }
}

/// Decides, and does it.
fn close(
    tx: &WriteTx<'_>,
    asker: Option<Asker>,
    actor: RecordActor,
    id: TenantId,
    settings: &Settings,
    moment: &Moment,
) -> Result<(Record, Result<(), Refusal>), store::Fault> {
    let found = tx.find_tenant_here()?;
    let left = tx.left_in_tenant()?;
    let verdict = deletion::decide(&Facts { exists: found.is_some(), asker, left });
    let reasons = verdict.trace().summary();
    let outcome = match (verdict, &found) {
        (Verdict::Refused(refusal, _), _) => Err(refusal),
        (Verdict::Granted((), _), Some(tenant)) => {
            // Sessions and tokens end with the last account (R38), and it takes no place of its person any more.
            for user in tx.some_living_users()? {
                let user = tx.find_user(user)?.ok_or(store::Fault::Bug("an account vanished"))?;
                put_in_bin(tx, user, moment.now)?;
            }
            tx.close_tenant(&names_to_keep(tenant, settings.tenants_under.as_ref()), moment.now)?;
            Ok(())
        }
        (Verdict::Granted((), _), None) => return Err(store::Fault::Bug("a tenant vanished")),
    };
    let record = record(actor, id, found.as_deref(), outcome.err(), reasons, moment);
    Ok((record, outcome))
}

/// Those that anybody may choose. The operator answers for the others, and gives them as they see fit.
fn names_to_keep(tenant: &Tenant, suffix: Option<&DomainName>) -> Vec<DomainName> {
    let is_chosen = |name: &DomainName| {
        let below = suffix.and_then(|suffix| name.as_str().strip_suffix(suffix.as_str()));
        below.is_some_and(|rest| rest.ends_with('.'))
    };
    tenant.domains.iter().map(|domain| domain.name.clone()).filter(is_chosen).collect()
}

fn record(
    actor: RecordActor,
    id: TenantId,
    tenant: Option<&Tenant>,
    refusal: Option<Refusal>,
    reasons: String,
    moment: &Moment,
) -> Record {
    let target: Uuid = id.uuid();
    Record::Directory(DirectoryRecord {
        activity: ACTIVITY,
        category: "DirectoryManagement",
        actor,
        target: Some(target),
        target_name: tenant.map(|tenant| shorten(&tenant.display_name, 256)),
        refusal: refusal.map(|refusal| refusal.as_str()),
        reasons,
        modified: Vec::new(),
        origin: moment.origin.clone(),
    })
}
