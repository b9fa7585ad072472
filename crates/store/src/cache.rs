//! Configuration that every token needs: tenants and applications, valid until the next change of any of them.
//!
//! One revision for the whole deployment: registrations of one tenant are used in others, and changes are rare.

use domain::directory::application::SharedApp;
use domain::id::{AppId, TenantId};
use domain::tenancy::tenant::Tenant;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Entries kept; beyond it the cache starts afresh.
// DEFAULT: 20,000 applications, some 40 MB at two kilobytes each.
const ENTRIES: usize = 20_000;

#[derive(Default)]
pub(crate) struct Cache(RwLock<State>);

#[derive(Default)]
struct State {
    /// Raised by every change; what was read under an older one is not put in.
    generation: u64,
    /// Changes that ran and are not committed yet: meanwhile nobody uses or fills the cache.
    pending: u32,
    tenants: HashMap<TenantId, Arc<Tenant>>,
    apps: HashMap<(TenantId, AppId), SharedApp>,
}

/// Leave to put in what is read from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Cache {
    /// Drawn before a transaction's snapshot can open: one that is drawn later would vouch for what is read from an
    /// older snapshot.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.0.read().unwrap_or_else(PoisonError::into_inner).generation)
    }

    pub(crate) fn tenant(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.look(|state| state.tenants.get(&id).cloned())
    }

    pub(crate) fn app(&self, tenant: TenantId, app: AppId) -> Option<SharedApp> {
        self.look(|state| state.apps.get(&(tenant, app)).cloned())
    }

    fn look<T>(&self, find: impl FnOnce(&State) -> Option<T>) -> Option<T> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if state.pending == 0 { find(&state) } else { None }
    }

    pub(crate) fn put_tenant(&self, ticket: Ticket, tenant: &Arc<Tenant>) {
        self.put(ticket, |state| {
            state.tenants.insert(tenant.id, Arc::clone(tenant));
        });
    }

    pub(crate) fn put_app(&self, ticket: Ticket, tenant: TenantId, app: &SharedApp) {
        self.put(ticket, |state| {
            state.apps.insert((tenant, app.registration.app_id), Arc::clone(app));
        });
    }

    fn put(&self, Ticket(generation): Ticket, insert: impl FnOnce(&mut State)) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if state.generation != generation || state.pending > 0 {
            return;
        }
        if state.tenants.len() + state.apps.len() >= ENTRIES {
            state.tenants.clear();
            state.apps.clear();
        }
        insert(&mut state);
    }

    /// A change ran inside a transaction: until it is settled everybody reads the store.
    pub(crate) fn suspend(&self) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.pending += 1;
    }

    /// The change was committed or undone.
    pub(crate) fn settle(&self) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.pending = state.pending.saturating_sub(1);
        state.generation += 1;
        state.tenants.clear();
        state.apps.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_change_is_not_put_in_after_it() {
        let cache = Cache::default();
        let tenant = TenantId::new(uuid::Uuid::from_u128(1));
        let ticket = cache.ticket();
        cache.suspend();
        assert!(cache.tenant(tenant).is_none());
        cache.settle();
        let mut filled = false;
        cache.put(ticket, |_| filled = true);
        assert!(!filled);
    }
}
