//! Objects of any kind by their ids, and other organisations by their names.

use crate::directory::{Answer, DirectoryRefusal, allow};
use crate::groups::{LinkedPage, SeenKinds, kind_of, load_linked};
use crate::{Fault, Service};
use domain::directory::group::LinkedKind;
use domain::directory::permission::{Operation, Viewer};
use domain::id::TenantId;
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::{Tenant, TenantState};
use std::sync::Arc;
use store::Page;
use uuid::Uuid;

/// How another organisation is looked up.
#[derive(Clone, Debug)]
pub enum OrganizationKey {
    Domain(String),
    Id(String),
}

impl Service {
    /// The objects that have one of the ids; of some kinds only, where `kinds` says so.
    pub fn find_objects(
        &self,
        viewer: &Viewer,
        ids: &[Uuid],
        kinds: Option<&[LinkedKind]>,
    ) -> Answer<LinkedPage> {
        if let Err(refused) = allow(viewer, Operation::ReadObjects, &[]) {
            return Ok(Err(refused.into()));
        }
        let (items, tenant) = self.store.tenant(viewer.tenant).read(|tx| {
            let mut items = Vec::new();
            for id in ids {
                let kind = kind_of(tx, *id)?;
                let kind = kind.filter(|kind| kinds.is_none_or(|kinds| kinds.contains(kind)));
                if let Some(kind) = kind {
                    items.extend(load_linked(tx, kind, *id)?);
                }
            }
            Ok((items, tx.load_tenant()?))
        })?;
        let page = Page { items, next: None, count: None };
        Ok(Ok(LinkedPage { page, seen: SeenKinds::of(viewer), tenant }))
    }

    /// What kind of object has the id, for an address that does not say.
    pub fn object_kind(&self, viewer: &Viewer, id: Uuid) -> Result<Option<LinkedKind>, Fault> {
        Ok(self.store.tenant(viewer.tenant).read(|tx| kind_of(tx, id))?)
    }

    /// Whether the viewer may read service principals at all.
    pub fn may_read_instances(&self, viewer: &Viewer) -> bool {
        allow(viewer, Operation::ReadServicePrincipals, &[]).is_ok()
    }

    /// Another organisation, or one's own: what everybody may know of it (Graph: tenantInformation).
    pub fn find_organization(&self, viewer: &Viewer, key: &OrganizationKey) -> Answer<Arc<Tenant>> {
        if let Err(refused) = allow(viewer, Operation::FindOrganization, &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.read(|tx| {
            let id = match key {
                OrganizationKey::Domain(name) => match DomainName::parse(&name.to_ascii_lowercase()) {
                    Some(name) => tx.find_domain_owner(&name)?,
                    None => None,
                },
                OrganizationKey::Id(id) => id.parse::<TenantId>().ok(),
            };
            id.map_or(Ok(None), |id| tx.find_tenant(id))
        })?;
        let found = found.filter(|tenant| tenant.state == TenantState::Active);
        Ok(found.ok_or(DirectoryRefusal::NotFound))
    }
}
