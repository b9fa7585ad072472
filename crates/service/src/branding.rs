//! What a tenant shows on its pages, read and changed behind Graph.

use crate::directory::{allow, record};
use crate::{Fault, Moment, Service, modified};
use domain::directory::permission::{Operation, Refused, Viewer};
use domain::tenancy::branding::{self, Change};
use domain::tenancy::tenant::Tenant;
use std::sync::Arc;
use store::Recorded;

/// Why a call about branding is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrandingRefusal {
    Change(branding::Refusal),
    Permission(Refused),
}

impl BrandingRefusal {
    /// Stable name for records.
    const fn name(self) -> &'static str {
        match self {
            Self::Change(refusal) => refusal.name(),
            Self::Permission(refused) => refused.as_str(),
        }
    }
}

/// An answer or a refusal; faults are apart.
pub type Answer<T> = Result<Result<T, BrandingRefusal>, Fault>;

impl Service {
    /// The viewer's organisation, for its branding.
    pub fn branding(&self, viewer: &Viewer) -> Answer<Arc<Tenant>> {
        let tenant = self.store.tenant(viewer.tenant).read(|tx| tx.load_tenant())?;
        let allowed = allow(viewer, Operation::ReadBranding, &[]);
        Ok(allowed.map(|_| tenant).map_err(BrandingRefusal::Permission))
    }

    /// Changes the organisation's branding. All or nothing.
    pub async fn update_branding(
        &self,
        viewer: &Viewer,
        changes: Vec<Change>,
        moment: &Moment,
    ) -> Answer<()> {
        let (viewer_in, moment) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let before = tx.load_tenant()?;
            let mut tenant = (*before).clone();
            let outcome = match allow(&viewer_in, Operation::UpdateBranding, &[]) {
                Err(refused) => Err(BrandingRefusal::Permission(refused)),
                Ok(_) => branding::apply(&mut tenant.settings, &changes).map_err(BrandingRefusal::Change),
            };
            if outcome.is_ok() {
                tx.update_tenant(&tenant, moment.now)?;
            }
            let refusal = outcome.err().map(BrandingRefusal::name);
            let target = Some((tenant.id.uuid(), tenant.display_name.clone()));
            let (activity, category) = ("Update company branding", "DirectoryManagement");
            let modified = if outcome.is_ok() { modified::of_tenant(&before, &tenant) } else { Vec::new() };
            let record = record(activity, category, &viewer_in, target, refusal, &moment);
            Ok(Recorded::new(record.telling(modified), outcome))
        });
        Ok(written.await?)
    }
}
