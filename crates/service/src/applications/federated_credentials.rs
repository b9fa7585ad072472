//! Federated credentials of applications. They belong to the registration and are written with it.

use super::{Answer, ApplicationKey, ApplicationRefusal, UPDATE_SECRETS, live};
use crate::{Moment, Service, owners};
use domain::directory::federated_credential::{self, CredentialChange, FederatedCredential};
use domain::directory::permission::Viewer;
use domain::id::PartId;
use domain::tenancy::limits::Limit;
use std::sync::Arc;

/// Which credential is meant: by its id or its name.
fn find<'a>(known: &'a [FederatedCredential], part: &str) -> Option<&'a FederatedCredential> {
    let by_id = part.parse::<PartId>().ok().and_then(|id| known.iter().find(|one| one.id == id));
    by_id.or_else(|| known.iter().find(|one| one.name == part))
}

impl Service {
    pub fn list_federated_credentials(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
    ) -> Answer<Vec<FederatedCredential>> {
        Ok(self.find_application(viewer, key)?.map(|app| app.registration.federated_credentials))
    }

    pub fn find_federated_credential(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        part: &str,
    ) -> Answer<FederatedCredential> {
        Ok(self
            .list_federated_credentials(viewer, key)?
            .and_then(|known| find(&known, part).cloned().ok_or(ApplicationRefusal::NotFound)))
    }

    pub async fn add_federated_credential(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        new: CredentialChange,
        moment: &Moment,
    ) -> Answer<FederatedCredential> {
        let settings = Arc::clone(&self.settings);
        self.decided(UPDATE_SECRETS, viewer, moment, move |tx, viewer, moment| {
            let found = live(tx, viewer.tenant, key)?;
            let deciding = leave!(viewer, owners::write_application(tx, viewer, found.as_ref())?);
            let Some(mut app) = found else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(app.id.uuid(), &app.display_name);
            let most = tx.load_tenant()?.limit(Limit::FederatedCredentialsOfApplication, &settings.limits);
            let id = PartId::new(moment.entropy.uuid("federated credential"));
            match federated_credential::add(&app.federated_credentials, id, &new, most) {
                Ok(after) => app.federated_credentials = after,
                Err(refusal) => return deciding.refuse(refusal),
            }
            tx.update_application(&app, moment.now)?;
            match app.federated_credentials.pop() {
                Some(made) => deciding.grant(made),
                None => deciding.refuse(ApplicationRefusal::NotFound),
            }
        })
        .await
    }

    pub async fn update_federated_credential(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        part: String,
        change: CredentialChange,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided(UPDATE_SECRETS, viewer, moment, move |tx, viewer, moment| {
            let found = live(tx, viewer.tenant, key)?;
            let deciding = leave!(viewer, owners::write_application(tx, viewer, found.as_ref())?);
            let Some(mut app) = found else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(app.id.uuid(), &app.display_name);
            let Some(id) = find(&app.federated_credentials, &part).map(|one| one.id) else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            match federated_credential::change(&app.federated_credentials, id, &change) {
                Ok(after) => app.federated_credentials = after,
                Err(refusal) => return deciding.refuse(refusal),
            }
            tx.update_application(&app, moment.now)?;
            deciding.grant(())
        })
        .await
    }

    /// Removes a credential; it stops working with the commit.
    pub async fn remove_federated_credential(
        &self,
        viewer: &Viewer,
        key: ApplicationKey,
        part: String,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided(UPDATE_SECRETS, viewer, moment, move |tx, viewer, moment| {
            let found = live(tx, viewer.tenant, key)?;
            let deciding = leave!(viewer, owners::write_application(tx, viewer, found.as_ref())?);
            let Some(mut app) = found else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(app.id.uuid(), &app.display_name);
            let Some(id) = find(&app.federated_credentials, &part).map(|one| one.id) else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            app.federated_credentials.retain(|one| one.id != id);
            tx.update_application(&app, moment.now)?;
            deciding.grant(())
        })
        .await
    }
}
