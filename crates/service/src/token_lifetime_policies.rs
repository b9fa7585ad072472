//! Token lifetime policies, and what has them. Each needs leave over policies; giving or taking one needs that over the
//! application or service principal, too (Graph: tokenLifetimePolicy).

use crate::applications::{Answer, ask, leave};
use crate::directory::{self, DirectoryRefusal};
use crate::groups::{LinkedPage, SeenKinds, load_linked};
use crate::owners::Owned;
use crate::{Moment, Service, paging};
use domain::directory::application_change::ApplicationRefusal;
use domain::directory::permission::{Operation, Viewer};
use domain::directory::query::Position;
use domain::directory::token_lifetime_policy::{self as policy, Known, PolicyChange, TokenLifetimePolicy};
use domain::id::PolicyId;
use store::{Page, ReadTx};

const CATEGORY: &str = "Policy";

/// Policies, or objects, of a page.
// DEFAULT: 100, as of other lists: all policies that there can be.
const PAGE: u32 = 100;

/// What a list of policies is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct PolicyFilter {
    pub display_name: Option<String>,
    pub is_organization_default: Option<bool>,
}

impl PolicyFilter {
    fn fits(&self, policy: &TokenLifetimePolicy) -> bool {
        let name = self.display_name.as_ref().map(|name| name.to_lowercase());
        name.is_none_or(|name| policy.display_name.to_lowercase() == name)
            && self.is_organization_default.is_none_or(|is| policy.is_organization_default == is)
    }
}

impl Service {
    /// A page of the tenant's policies, in the order of their ids.
    pub fn list_token_lifetime_policies(
        &self,
        viewer: &Viewer,
        filter: &PolicyFilter,
        top: Option<u32>,
        after: Option<&Position>,
    ) -> Answer<Page<TokenLifetimePolicy>> {
        if let Err((refusal, _)) = ask(viewer, Operation::ReadTokenLifetimePolicies) {
            return Ok(Err(refusal));
        }
        let mut found = self.store.tenant(viewer.tenant).read(|tx| tx.list_token_lifetime_policies())?;
        let after = paging::id_of(after);
        found.retain(|policy| filter.fits(policy) && after.is_none_or(|after| policy.id.uuid() > after));
        Ok(Ok(paging::page_of(found, top.unwrap_or(PAGE), |policy| policy.id.uuid())))
    }

    pub fn find_token_lifetime_policy(&self, viewer: &Viewer, id: PolicyId) -> Answer<TokenLifetimePolicy> {
        if let Err((refusal, _)) = ask(viewer, Operation::ReadTokenLifetimePolicies) {
            return Ok(Err(refusal));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| tx.find_token_lifetime_policy(id))?;
        Ok(found.ok_or(ApplicationRefusal::NotFound))
    }

    /// Adds a policy. It changes no token until it is given to something, or is the organization's default.
    pub async fn create_token_lifetime_policy(
        &self,
        viewer: &Viewer,
        new: PolicyChange,
        moment: &Moment,
    ) -> Answer<TokenLifetimePolicy> {
        self.decided_in(CATEGORY, "Add policy", viewer, moment, move |tx, viewer, moment| {
            let deciding = leave!(viewer, Operation::WriteTokenLifetimePolicies);
            let id = PolicyId::new(moment.entropy.uuid("token lifetime policy"));
            match policy::create(id, &new, known(tx)?) {
                Err(refusal) => deciding.refuse(refusal),
                Ok(made) => {
                    tx.put_token_lifetime_policy(&made)?;
                    deciding.about(id.uuid(), &made.display_name).grant(made)
                }
            }
        })
        .await
    }

    /// Changes a policy; tokens are minted by it from the next one on.
    pub async fn update_token_lifetime_policy(
        &self,
        viewer: &Viewer,
        id: PolicyId,
        change: PolicyChange,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided_in(CATEGORY, "Update policy", viewer, moment, move |tx, viewer, _| {
            let deciding = leave!(viewer, Operation::WriteTokenLifetimePolicies);
            let Some(before) = tx.find_token_lifetime_policy(id)? else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            let deciding = deciding.about(id.uuid(), &before.display_name);
            match policy::change(&before, &change, known(tx)?) {
                Err(refusal) => deciding.refuse(refusal),
                Ok(after) => {
                    tx.put_token_lifetime_policy(&after)?;
                    deciding.grant(())
                }
            }
        })
        .await
    }

    /// Removes a policy, from everything that has it, too.
    pub async fn delete_token_lifetime_policy(
        &self,
        viewer: &Viewer,
        id: PolicyId,
        moment: &Moment,
    ) -> Answer<()> {
        self.decided_in(CATEGORY, "Delete policy", viewer, moment, move |tx, viewer, moment| {
            let deciding = leave!(viewer, Operation::WriteTokenLifetimePolicies);
            let Some(found) = tx.find_token_lifetime_policy(id)? else {
                return deciding.refuse(ApplicationRefusal::NotFound);
            };
            tx.remove_token_lifetime_policy(id, moment.now)?;
            deciding.about(id.uuid(), &found.display_name).grant(())
        })
        .await
    }

    /// The objects that have a policy.
    pub fn objects_of_token_lifetime_policy(
        &self,
        viewer: &Viewer,
        id: PolicyId,
        top: Option<u32>,
        after: Option<&Position>,
    ) -> directory::Answer<LinkedPage> {
        for operation in [Operation::ReadTokenLifetimePolicies, Operation::ReadApplications] {
            if let Err(refused) = directory::allow(viewer, operation, &[]) {
                return Ok(Err(refused.into()));
            }
        }
        let top = top.unwrap_or(PAGE);
        let found = self.store.tenant(viewer.tenant).read(|tx| {
            if tx.find_token_lifetime_policy(id)?.is_none() {
                return Ok(None);
            }
            let objects = tx.objects_of_token_lifetime_policy(id, paging::id_of(after), top + 1)?;
            let page = paging::page_of(objects, top, |(_, object)| *object);
            let mut items = Vec::new();
            for (kind, object) in page.items {
                items.extend(load_linked(tx, kind, object)?);
            }
            Ok(Some((Page { items, next: page.next, count: None }, tx.load_tenant()?)))
        })?;
        let Some((page, tenant)) = found else { return Ok(Err(DirectoryRefusal::NotFound)) };
        Ok(Ok(LinkedPage { page, seen: SeenKinds::of(viewer), tenant }))
    }

    /// The policy that an application or a service principal has.
    pub fn token_lifetime_policy_of(
        &self,
        viewer: &Viewer,
        holder: Owned,
    ) -> Answer<Option<TokenLifetimePolicy>> {
        for operation in [Operation::ReadTokenLifetimePolicies, holder.read()] {
            if let Err((refusal, _)) = ask(viewer, operation) {
                return Ok(Err(refusal));
            }
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| match holder.find(tx, viewer)? {
            (None, _) => Ok(None),
            (Some((object, _)), _) => tx.token_lifetime_policy_of(object).map(Some),
        })?;
        Ok(found.ok_or(ApplicationRefusal::NotFound))
    }

    /// Gives a policy to an application or a service principal; each has one at most.
    pub async fn assign_token_lifetime_policy(
        &self,
        viewer: &Viewer,
        holder: Owned,
        id: PolicyId,
        moment: &Moment,
    ) -> Answer<()> {
        let activity = match holder {
            Owned::Application(_) => "Add policy to application",
            Owned::Instance(_) => "Add policy to service principal",
        };
        self.decided(activity, viewer, moment, move |tx, viewer, _| {
            let (found, operation) = holder.find(tx, viewer)?;
            leave!(viewer, Operation::ReadTokenLifetimePolicies);
            let deciding = leave!(viewer, operation);
            let Some((object, name)) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(object, &name);
            if tx.find_token_lifetime_policy(id)?.is_none() {
                return deciding.refuse(ApplicationRefusal::NotFound);
            }
            match tx.token_lifetime_policy_of(object)? {
                Some(known) if known.id == id => deciding.refuse(ApplicationRefusal::PolicyAssigned),
                Some(_) => deciding.refuse(ApplicationRefusal::Invalid {
                    property: "tokenLifetimePolicies",
                    problem: "The object has another policy of this kind; remove that first.",
                }),
                None => {
                    tx.assign_token_lifetime_policy((holder.kind(), object), id)?;
                    deciding.grant(())
                }
            }
        })
        .await
    }

    pub async fn unassign_token_lifetime_policy(
        &self,
        viewer: &Viewer,
        holder: Owned,
        id: PolicyId,
        moment: &Moment,
    ) -> Answer<()> {
        let activity = match holder {
            Owned::Application(_) => "Remove policy from application",
            Owned::Instance(_) => "Remove policy from service principal",
        };
        self.decided(activity, viewer, moment, move |tx, viewer, _| {
            let (found, operation) = holder.find(tx, viewer)?;
            leave!(viewer, Operation::ReadTokenLifetimePolicies);
            let deciding = leave!(viewer, operation);
            let Some((object, name)) = found else { return deciding.refuse(ApplicationRefusal::NotFound) };
            let deciding = deciding.about(object, &name);
            match tx.unassign_token_lifetime_policy(object, id)? {
                true => deciding.grant(()),
                false => deciding.refuse(ApplicationRefusal::NotFound),
            }
        })
        .await
    }
}

fn known(tx: &ReadTx<'_>) -> Result<Known, store::Fault> {
    let policies = tx.list_token_lifetime_policies()?;
    let organization_default = policies.iter().find(|policy| policy.is_organization_default);
    Ok(Known { policies: policies.len(), organization_default: organization_default.map(|policy| policy.id) })
}
