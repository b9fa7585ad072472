//! The authorization policy behind Graph: settings of the tenant under the names that Graph gives them.

use crate::directory::{Answer, DirectoryRefusal, allow, record, refusal_name};
use crate::{Moment, Service, modified};
use domain::directory::permission::{Operation, Viewer};
use domain::tenancy::tenant::{AllowInvitesFrom, GuestLevel, Tenant, UserConsent};
use std::sync::Arc;
use store::Recorded;

/// What is to be changed; the rest stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyPatch {
    pub allow_invites_from: Option<AllowInvitesFrom>,
    pub can_users_create_groups: Option<bool>,
    pub can_users_create_tenants: Option<bool>,
    pub can_users_register_applications: Option<bool>,
    pub guest_level: Option<GuestLevel>,
    pub user_consent: Option<UserConsent>,
}

impl Service {
    /// The viewer's organisation, for its authorization policy.
    pub fn authorization_policy(&self, viewer: &Viewer) -> Answer<Arc<Tenant>> {
        if let Err(refused) = allow(viewer, Operation::ReadPolicies, &[]) {
            return Ok(Err(refused.into()));
        }
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| tx.load_tenant())?))
    }

    /// Changes the policy; it holds at the next request.
    pub async fn update_authorization_policy(
        &self,
        viewer: &Viewer,
        patch: PolicyPatch,
        moment: &Moment,
    ) -> Answer<()> {
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let before = tx.load_tenant()?;
            let mut tenant = (*before).clone();
            let outcome =
                allow(&viewer_in, Operation::WriteAuthorizationPolicy, &[]).map_err(DirectoryRefusal::from);
            if outcome.is_ok() {
                let settings = &mut tenant.settings;
                settings.allow_invites_from = patch.allow_invites_from.unwrap_or(settings.allow_invites_from);
                settings.can_users_create_tenants =
                    patch.can_users_create_tenants.unwrap_or(settings.can_users_create_tenants);
                let without_role = &mut settings.without_role;
                without_role.guest_level = patch.guest_level.unwrap_or(without_role.guest_level);
                without_role.can_create_groups =
                    patch.can_users_create_groups.unwrap_or(without_role.can_create_groups);
                without_role.can_register_applications =
                    patch.can_users_register_applications.unwrap_or(without_role.can_register_applications);
                settings.user_consent = patch.user_consent.unwrap_or(settings.user_consent);
                tx.update_tenant(&tenant, moment_in.now)?;
            }
            let refusal = outcome.as_ref().err().map(refusal_name);
            let target = Some((tenant.id.uuid(), tenant.display_name.clone()));
            let activity = "Update authorization policy";
            let record = record(activity, "Policy", &viewer_in, target, refusal, &moment_in);
            let modified = if outcome.is_ok() { modified::of_tenant(&before, &tenant) } else { Vec::new() };
            Ok(Recorded::new(record.telling(modified), outcome.map(|_| ())))
        });
        Ok(written.await?)
    }
}
