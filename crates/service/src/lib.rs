//! What we do, step by step: load facts, decide, commit. The only place where facts, decision and write meet.
//!
//! Reading order: `moment` (what a request brings), `issue` (the one place that mints), `signin` (interactive sign-in),
//! `token` (grants), `issuers` (what other issuers say of clients), `abroad` (those of guests), `device` (sign-in for a
//! device without a browser), `password_grant`, `invite` (B2B), `directory`, `groups`, `roles`, `relations`, `objects`,
//! `expand`, `delta`, `deleted`, `applications`, `owners`, `assignments`, `consents`, `token_lifetime_policies`, `logs` (and
//! `modified`, what they tell of a change), `branding` and `authorization_policy` (Graph), `tenants`, `create_tenant`,
//! `delete_tenant` and `organizations`, `quota` (room for one more), `keys`, `jobs`.

mod abroad;
pub mod applications;
pub mod apply;
pub mod assignments;
pub mod authorization_policy;
pub mod branding;
pub mod certificate;
pub mod consent_requests;
pub mod consents;
mod create_tenant;
mod delete_tenant;
pub mod deleted;
pub mod delta;
pub mod device;
pub mod directory;
pub mod expand;
pub mod fault;
pub mod groups;
pub mod invite;
pub mod issue;
mod issuers;
pub mod jobs;
pub mod keys;
pub mod logs;
mod modified;
pub mod moment;
mod notices;
pub mod objects;
pub mod organizations;
pub mod owners;
pub mod paging;
pub mod password;
mod password_grant;
pub mod portal;
mod quota;
pub mod relations;
pub mod roles;
pub mod seed;
pub mod signin;
pub mod tenants;
pub mod token;
pub mod token_lifetime_policies;
pub mod world;

use domain::id::TenantId;
use domain::issuance::scope::GraphAliases;
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::limits::Limits;
use domain::tenancy::tenant::{OptionalGrants, Tenant};
pub use fault::Fault;
use issuers::Issuers;
use keys::KeyRing;
pub use moment::Moment;
use outbound::mail::Mailer;
use outbound::web::Web;
use password::Passwords;
use std::sync::Arc;
use store::Store;
use uuid::Uuid;

/// What the deployment is called and where it is reached. Links are built from here and nothing else (R39).
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://host[:port]`, no slash at the end.
    pub base: Arc<str>,
    pub cloud_instance_name: String,
    /// Other origins that name Graph in scopes: this one without its port, for instance.
    pub graph_aliases: GraphAliases,
    /// What tenants that say nothing themselves let be used. Nothing of it unless the program says so (R33).
    pub grants: OptionalGrants,
    /// How much there may be of what in tenants that say nothing themselves.
    pub limits: Limits,
    /// What the initial domains of tenants end with that people make; nobody makes any without it.
    pub tenants_under: Option<DomainName>,
}

impl Settings {
    /// Settings for an origin: Graph answers to it with and without its port (clients 21).
    pub fn new(base: &str) -> Self {
        let base: Arc<str> = base.trim_end_matches('/').into();
        let parsed = url::Url::parse(&base).ok();
        let host = parsed.as_ref().and_then(|url| url.host_str()).unwrap_or("localhost").to_owned();
        let graph_aliases =
            GraphAliases(vec![base.to_string(), format!("https://{host}"), format!("{base}/v1.0")]);
        Self {
            base,
            cloud_instance_name: host,
            graph_aliases,
            grants: OptionalGrants::default(),
            limits: Limits::default(),
            tenants_under: None,
        }
    }

    /// `{base}/{tenant}/v2.0`, byte for byte the `iss` of v2 tokens.
    pub fn issuer_v2(&self, tenant: TenantId) -> String {
        format!("{}/{tenant}/v2.0", self.base)
    }
    /// `{base}/{tenant}/`, the `iss` of v1 tokens and the `idp` of a guest from that tenant.
    pub fn issuer_v1(&self, tenant: TenantId) -> String {
        format!("{}/{tenant}/", self.base)
    }
    /// Where a home's answer for this resource tenant arrives.
    pub fn federation_redirect(&self, tenant: TenantId) -> String {
        format!("{}/federation/{tenant}/oidc", self.base)
    }
}

/// Everything a request needs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Service {
    pub(crate) store: Store,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) passwords: Passwords,
    pub(crate) mailer: Mailer,
    pub(crate) issuers: Issuers,
    /// Marks skip tokens.
    paging: [u8; 32],
}

/// Whom the first segment of a path names.
#[derive(Clone, Debug)]
pub enum TenantSegment {
    /// `common` or `organizations`: the home tenant of whoever signs in.
    Any,
    /// Personal accounts; there are none here.
    Consumers,
    One(Arc<Tenant>),
    Unknown,
}

impl Service {
    pub fn new(
        store: Store,
        keys: KeyRing,
        settings: Settings,
        passwords: Passwords,
        mailer: Mailer,
    ) -> Self {
        let paging = store.deployment_secret("skip tokens");
        Self {
            store,
            keys: Arc::new(keys),
            settings: Arc::new(settings),
            passwords,
            mailer,
            issuers: Issuers::new(Web::Closed),
            paging,
        }
    }

    /// The same, with a way to ask other issuers for their keys. Without one nobody is asked.
    pub fn with_web(self, web: Web) -> Self {
        Self { issuers: Issuers::new(web), ..self }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }
    pub fn store(&self) -> &Store {
        &self.store
    }
    pub fn mailer(&self) -> &Mailer {
        &self.mailer
    }

    /// Finds the tenant of a path segment: an id, a verified domain, or one of the aliases.
    pub fn find_tenant(&self, segment: &str) -> Result<TenantSegment, Fault> {
        let segment = match segment {
            "common" | "organizations" => return Ok(TenantSegment::Any),
            "consumers" | "9188040d-6c67-4c5b-b112-36a304b66dad" => return Ok(TenantSegment::Consumers),
            _ => segment.to_ascii_lowercase(),
        };
        let id = segment.parse::<TenantId>();
        if let Some(tenant) = id.as_ref().ok().and_then(|id| self.store.cached_tenant(*id)) {
            return Ok(TenantSegment::One(tenant));
        }
        let found = self.store.read(|tx| {
            let id = match id {
                Ok(id) => Some(id),
                Err(_) => match DomainName::parse(&segment) {
                    Some(name) => tx.find_domain_owner(&name)?,
                    None => None,
                },
            };
            id.map_or(Ok(None), |id| tx.find_tenant(id))
        })?;
        Ok(found.map_or(TenantSegment::Unknown, TenantSegment::One))
    }

    /// Whether the store answers; for readiness probes.
    pub fn is_ready(&self) -> bool {
        self.store.read(|tx| tx.list_tenants()).is_ok()
    }
}

/// The place of sign-ins at `common`, before a tenant is known; no directory stands there.
pub(crate) const NOWHERE: TenantId = TenantId::new(Uuid::nil());
