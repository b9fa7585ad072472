//! Throttling: what each application used of Graph, in this process, and the 429 that says when to come back (facts:
//! limits §7, graph §1). What things cost and what is allowed is `domain::throttling`.

use super::Ask;
use super::error::GraphError;
use domain::directory::permission::Actor;
use domain::id::{AppId, TenantId};
use domain::throttling::{Asked, Bucket, Cost, Quota, Size};
use domain::time::{Span, Timestamp};
use http::Method;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How long a tenant's size is believed.
// DEFAULT: 15 minutes; a tenant that grows over a border meanwhile loses little.
const SIZE_LIFE: Span = Span::minutes(15);
/// How long the record of a refusal stands for those that follow it (R32).
// DEFAULT: 5 minutes; a record of each would be a write of each, and throttling would add to the flood that it holds off.
const RECORD_LIFE: Span = Span::minutes(5);
/// Entries after which those that say nothing any more are dropped.
const ENTRIES: usize = 10_000;

/// Whose bucket: parts that a quota does not look at are absent.
type Key = (Quota, Option<AppId>, Option<TenantId>);

/// What was used until now.
#[derive(Debug)]
pub struct Throttle {
    /// Of the documented numbers.
    percent: u32,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    buckets: BTreeMap<Key, Bucket>,
    /// Since when a record says that a quota is used up.
    recorded: BTreeMap<(Quota, AppId, TenantId), Timestamp>,
    sizes: BTreeMap<TenantId, (Size, Timestamp)>,
}

/// A request that has to wait.
#[derive(Debug)]
pub(crate) struct Throttled {
    quota: Quota,
    app: AppId,
    tenant: TenantId,
    wait: Span,
    /// Whether a record already says it: the first refusal leaves one, and so does the first after `RECORD_LIFE`.
    pub(super) is_recorded: bool,
}

impl Throttle {
    /// With a percentage of the documented numbers.
    pub fn new(percent: u32) -> Self {
        Self { percent, used: Mutex::default() }
    }

    /// Takes a request's cost from every quota that it touches, or from none.
    fn take(
        &self,
        cost: Cost,
        app: AppId,
        tenant: TenantId,
        size: Size,
        now: Timestamp,
    ) -> Result<(), Throttled> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.buckets.len() >= ENTRIES {
            used.buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let mut taken = Vec::new();
        for (quota, units) in cost.charges() {
            let key = key(quota, app, tenant);
            let bucket = used.buckets.get(&key).copied().unwrap_or_default();
            match bucket.take(units, quota.limit(size, self.percent), now) {
                Ok(bucket) => taken.push((key, bucket)),
                Err(wait) => {
                    let is_recorded = used.is_recorded((quota, app, tenant), now);
                    return Err(Throttled { quota, app, tenant, wait, is_recorded });
                }
            }
        }
        used.buckets.extend(taken);
        Ok(())
    }

    /// The tenant's size if it is still believed.
    fn size(&self, tenant: TenantId, now: Timestamp) -> Option<Size> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, since) = used.sizes.get(&tenant)?;
        (now < *since + SIZE_LIFE).then_some(*size)
    }

    fn keep_size(&self, tenant: TenantId, size: Size, now: Timestamp) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.sizes.len() >= ENTRIES {
            used.sizes.retain(|_, (_, since)| now < *since + SIZE_LIFE);
        }
        used.sizes.insert(tenant, (size, now));
    }
}

impl Used {
    /// Whether a record of that stands; if not, the one that is made now does.
    fn is_recorded(&mut self, refused: (Quota, AppId, TenantId), now: Timestamp) -> bool {
        if self.recorded.get(&refused).is_some_and(|since| now < *since + RECORD_LIFE) {
            return true;
        }
        if self.recorded.len() >= ENTRIES {
            self.recorded.retain(|_, since| now < *since + RECORD_LIFE);
        }
        self.recorded.insert(refused, now);
        false
    }
}

const fn key(quota: Quota, app: AppId, tenant: TenantId) -> Key {
    match quota {
        Quota::App | Quota::AppRequests | Quota::AppWrites => (quota, Some(app), None),
        Quota::AppTenant | Quota::AppTenantWrites | Quota::Logs => (quota, Some(app), Some(tenant)),
        Quota::TenantWrites => (quota, None, Some(tenant)),
    }
}

/// Lets a request in, if throttling is off or there is enough left. Each request of a batch comes here; the batch does not.
pub(super) fn admit(ask: &Ask<'_>, method: &Method, template: &str) -> Result<(), GraphError> {
    let Some(throttle) = &ask.app.throttle else { return Ok(()) };
    if template == "/v1.0/$batch" {
        return Ok(());
    }
    let (tenant, now) = (ask.viewer.tenant, ask.moment.now);
    let app = match &ask.viewer.actor {
        Actor::Application { app_id, .. } | Actor::User { app_id, .. } => *app_id,
        // Whoever runs the server waits for nobody.
        Actor::Operator => return Ok(()),
    };
    let size = match throttle.size(tenant, now) {
        Some(size) => size,
        None => {
            let size = ask.app.service.tenant_size(tenant)?;
            throttle.keep_size(tenant, size, now);
            size
        }
    };
    let query = &ask.query;
    let asked = Asked {
        has_selection: query.select.is_some(),
        has_expansion: query.expand.is_some(),
        top: query.top,
    };
    throttle
        .take(Cost::of(method.as_str(), template, asked), app, tenant, size, now)
        .map_err(GraphError::Throttled)
}

impl Throttled {
    /// Whole seconds, rounded up: who comes back then is let in, if nobody else comes first.
    pub(super) fn seconds(&self) -> i64 {
        (self.wait.as_millis() + 999) / 1_000
    }

    /// `x-ms-throttle-scope` and `x-ms-throttle-information`.
    pub(super) fn headers(&self) -> [(&'static str, String); 2] {
        let scope = match self.quota {
            Quota::App | Quota::AppRequests | Quota::AppWrites => "Application",
            Quota::AppTenant | Quota::AppTenantWrites | Quota::Logs => "Tenant_Application",
            Quota::TenantWrites => "Tenant",
        };
        let (limit, information) = match self.quota {
            Quota::App | Quota::AppRequests | Quota::AppTenant | Quota::Logs => {
                ("ReadWrite", "ResourceUnitLimitExceeded")
            }
            Quota::AppTenantWrites | Quota::AppWrites | Quota::TenantWrites => {
                ("Write", "WriteLimitExceeded")
            }
        };
        let scope = format!("{scope}/{limit}/{}/{}", self.app, self.tenant);
        [("x-ms-throttle-scope", scope), ("x-ms-throttle-information", information.to_owned())]
    }
}
