//! The organisations of a person, seen from home: which there are, and leaving one.

use crate::directory::put_in_bin;
use crate::roles::is_last_administrator;
use crate::{Fault, Moment, Service};
use domain::audit::{DirectoryRecord, Record, RecordActor};
use domain::b2b::leaving::{self, Refusal};
use domain::directory::user::SignInUser;
use domain::id::TenantId;
use domain::signin::session::Session;
use domain::tenancy::deletion;
use domain::tenancy::tenant::Tenant;
use domain::verdict::Verdict;
use std::sync::Arc;
use store::{Membership, Person, Recorded};
use uuid::Uuid;

/// Organisations that are listed at most; the limit of a person is half of it unless somebody raised it.
const LISTED: i64 = 1000;

/// The organisations of a person.
#[derive(Clone, Debug)]
pub struct Organizations {
    pub home: Arc<Tenant>,
    /// The others, by name.
    pub others: Vec<Organization>,
}

/// One, and the person's account in it.
#[derive(Clone, Debug)]
pub struct Organization {
    pub tenant: Arc<Tenant>,
    pub account: SignInUser,
    /// The person made it and still administers it.
    pub may_delete: bool,
}

impl From<Membership> for Organization {
    fn from(Membership { tenant, account, is_creator }: Membership) -> Self {
        Self { tenant, may_delete: deletion::is_offered(&account, is_creator), account }
    }
}

impl Service {
    /// The organisations of whoever is signed in at home.
    pub fn organizations(&self, home: TenantId, session: &Session) -> Result<Organizations, Fault> {
        let person = Person { home, user: session.user.id };
        let (home, found) =
            self.store.tenant(home).read(|tx| Ok((tx.load_tenant()?, tx.memberships_of(person, LISTED)?)))?;
        let mut others: Vec<Organization> = found.into_iter().map(Organization::from).collect();
        others.sort_by_cached_key(|other| (other.tenant.display_name.to_lowercase(), other.tenant.id));
        Ok(Organizations { home, others })
    }

    /// One of the others.
    pub fn organization_of(
        &self,
        home: TenantId,
        session: &Session,
        place: TenantId,
    ) -> Result<Option<Organization>, Fault> {
        let person = Person { home, user: session.user.id };
        let found = self.store.tenant(place).read(|tx| tx.find_membership(person))?;
        Ok(found.map(Organization::from))
    }

    /// Removes the account that a person has in an organisation other than the home, as its administrator would: for 30 days
    /// it can be restored; sessions and tokens there end now (R38).
    pub async fn leave_organization(
        &self,
        home: TenantId,
        session: &Session,
        place: TenantId,
        moment: &Moment,
    ) -> Result<Result<(), Refusal>, Fault> {
        let person = Person { home, user: session.user.id };
        let (session, moment) = (session.id, moment.clone());
        if self.store.tenant(place).read(|tx| tx.find_account_of(person))?.is_none() {
            // Nobody writes into the log of an organisation that they are not in.
            let record = record(person.user.uuid(), None, Some(Refusal::NotThere), String::new(), &moment);
            self.store.tenant(home).write(move |_| Ok(Recorded::new(record.clone(), ()))).await?;
            return Ok(Err(Refusal::NotThere));
        }
        let written = self.store.tenant(place).write(move |tx| {
            let living = tx.find_session_at_home(home, session)?.filter(|found| found.is_alive(moment.now));
            let account = tx.find_account_of(person)?;
            let facts = leaving::Facts {
                home,
                person: living.map(|session| session.user),
                is_last_administrator: match &account {
                    Some(account) => is_last_administrator(tx, account.id)?,
                    None => false,
                },
                account,
            };
            let verdict = leaving::decide(&facts);
            let reasons = verdict.trace().summary();
            let outcome = match verdict {
                Verdict::Granted(account, _) => {
                    let user = tx.find_user(account.id)?.ok_or(store::Fault::Bug("an account vanished"))?;
                    put_in_bin(tx, user, moment.now)?;
                    Ok(())
                }
                Verdict::Refused(refusal, _) => Err(refusal),
            };
            let actor = facts.account.as_ref().map_or(person.user, |account| account.id).uuid();
            if place != home {
                // What a session at home did elsewhere is that home's affair, too: its own person, and where.
                let left = Some((place.uuid(), tx.load_tenant()?.display_name.clone()));
                tx.note_at(home, record(person.user.uuid(), left, outcome.err(), reasons.clone(), &moment));
            }
            let account = facts.account.map(|account| (account.id.uuid(), account.sign_in_name));
            Ok(Recorded::new(record(actor, account, outcome.err(), reasons, &moment), outcome))
        });
        Ok(written.await?)
    }
}

/// Whoever leaves acts themselves.
fn record(
    actor: Uuid,
    target: Option<(Uuid, String)>,
    refusal: Option<Refusal>,
    reasons: String,
    moment: &Moment,
) -> Record {
    let (target, target_name) = target.unzip();
    Record::Directory(DirectoryRecord {
        activity: "Delete user",
        category: "UserManagement",
        actor: RecordActor::User { user: actor },
        target,
        target_name,
        refusal: refusal.map(Refusal::as_str),
        reasons,
        modified: Vec::new(),
        origin: moment.origin.clone(),
    })
}
