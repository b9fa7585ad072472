//! Agreements to delegated permissions, read and written by administrators: the same rows that sign-in writes and every
//! token is decided by, so a change holds at the next token (R38).

use crate::applications::{Answer, InstanceKey, ask, instance, leave};
use crate::directory::{UserKey, user_at};
use crate::{Moment, Service, paging};
use domain::directory::application_change::ApplicationRefusal;
use domain::directory::consent_change as change;
pub use domain::directory::consent_change::NewConsent;
use domain::directory::permission::{Actor, Operation, Viewer};
use domain::directory::query::{PAGE, Position};
use domain::id::{ServicePrincipalId, UserId};
pub use store::{ConsentFilter, ConsentRow};
use store::{Page, ReadTx};
use uuid::Uuid;

/// Whose agreements an address asks for.
#[derive(Clone, Debug)]
pub enum Whose {
    Everybody,
    /// Those that an application was given.
    Instance(InstanceKey),
    /// Those of one user; not those that cover everybody.
    User(UserKey),
}

impl Service {
    /// A page of agreements.
    pub fn list_consents(
        &self,
        viewer: &Viewer,
        whose: &Whose,
        mut filter: ConsentFilter,
        top: Option<u32>,
        after: Option<&Position>,
    ) -> Answer<Page<ConsentRow>> {
        let tenant = self.store.tenant(viewer.tenant);
        // Whose they are goes before what the caller's filter says of the same end: both must hold.
        let (operation, is_there) = match whose {
            Whose::Everybody => (Operation::ReadConsents(None), true),
            Whose::Instance(key) => {
                let found = tenant.read(|tx| instance(tx, *key))?.map(|row| row.instance.id.uuid());
                let asked = filter.client.replace(found.unwrap_or_default());
                (
                    Operation::ReadConsents(None),
                    found.is_some() && asked.is_none_or(|asked| Some(asked) == found),
                )
            }
            Whose::User(key) => {
                if matches!((key, &viewer.actor), (UserKey::Me, Actor::Application { .. })) {
                    return Ok(Err(ApplicationRefusal::NeedsUser));
                }
                let found = tenant.read(|tx| user_at(tx, viewer, key))?.map(|user| user.id);
                let asked = filter.principal.replace(Some(found.unwrap_or(UserId::new(Uuid::nil()))));
                (Operation::ReadConsents(found), found.is_some() && asked.is_none_or(|asked| asked == found))
            }
        };
        // Asked before it is told whether the object of the address exists (R23).
        if let Err((refusal, _)) = ask(viewer, operation) {
            return Ok(Err(refusal));
        }
        if !is_there {
            return Ok(Err(ApplicationRefusal::NotFound));
        }
        let top = top.unwrap_or(PAGE);
        let found = tenant.read(|tx| tx.list_consents(&filter, paging::id_of(after), top + 1))?;
        Ok(Ok(paging::page_of(found, top, |row| row.id)))
    }

    /// One agreement.
    pub fn find_consent(&self, viewer: &Viewer, id: Uuid) -> Answer<ConsentRow> {
        if let Err((refusal, _)) = ask(viewer, Operation::ReadConsents(None)) {
            return Ok(Err(refusal));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| tx.find_consent(id))?;
        Ok(found.ok_or(ApplicationRefusal::NotFound))
    }

    /// Agrees for one user or for everybody.
    pub async fn create_consent(
        &self,
        viewer: &Viewer,
        new: NewConsent,
        moment: &Moment,
    ) -> Answer<ConsentRow> {
        self.decided("Add delegated permission grant", viewer, moment, move |tx, viewer, moment| {
            let deciding = leave!(viewer, Operation::WriteConsents);
            let find = |id| tx.find_service_principal(ServicePrincipalId::new(id));
            let (Some(client), Some(resource)) = (find(new.client)?, find(new.resource)?) else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(client.instance.id.uuid(), &client.registration.display_name);
            let is_there = match new.principal {
                None => true,
                Some(user) => tx.find_user(user)?.is_some_and(|user| user.deleted_at.is_none()),
            };
            if !is_there {
                return deciding.refuse(ApplicationRefusal::NotFound);
            }
            let scopes = match change::scopes(&new.scope, &resource.registration) {
                Ok(scopes) => scopes,
                Err(refusal) => return deciding.refuse(refusal),
            };
            let (client, resource) = (client.instance.id, resource.instance.id);
            if tx.find_consent_between(client, new.principal, resource)?.is_some() {
                return deciding.refuse(ApplicationRefusal::ConsentExists);
            }
            let id = moment.entropy.uuid("delegated permission grant");
            tx.add_consent(id, client, new.principal, resource, &scopes, moment.now)?;
            deciding.grant(ConsentRow { id, client, principal: new.principal, resource, scopes })
        })
        .await
    }

    /// Replaces what was agreed to.
    pub async fn update_consent(
        &self,
        viewer: &Viewer,
        id: Uuid,
        scope: String,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided("Update delegated permission grant", viewer, moment, move |tx, viewer, moment| {
            let deciding = leave!(viewer, Operation::WriteConsents);
            let Some(row) = tx.find_consent(id)? else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(row.client.uuid(), &client_name(tx, &row)?);
            let Some(resource) = tx.find_service_principal(row.resource)? else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let scopes = match change::scopes(&scope, &resource.registration) {
                Ok(scopes) => scopes,
                Err(refusal) => return deciding.refuse(refusal),
            };
            tx.set_consent_scopes(id, &scopes, moment.now)?;
            deciding.grant(())
        })
        .await
    }

    /// Withdraws an agreement.
    pub async fn delete_consent(&self, viewer: &Viewer, id: Uuid, moment: &Moment) -> Answer<()> {
        self.decided("Remove delegated permission grant", viewer, moment, move |tx, viewer, _| {
            let deciding = leave!(viewer, Operation::WriteConsents);
            let Some(row) = tx.find_consent(id)? else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(row.client.uuid(), &client_name(tx, &row)?);
            tx.remove_consent(id)?;
            deciding.grant(())
        })
        .await
    }
}

/// What the client of an agreement is called; nothing once it is gone.
fn client_name(tx: &ReadTx<'_>, row: &ConsentRow) -> Result<String, store::Fault> {
    let client = tx.find_service_principal(row.client)?;
    Ok(client.map(|client| client.registration.display_name).unwrap_or_default())
}
