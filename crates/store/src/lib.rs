//! What we remember. Read this file first: `Store`, `TenantStore`, `ReadTx`, `WriteTx`, `Recorded`.
//!
//! Data of a tenant is reached only through a handle opened for it (S3). A write is a short synchronous function that
//! may run twice, cannot wait for the network, and cannot end without a record (R32).

mod applications;
mod applied;
mod assignments;
mod audit;
mod cache;
mod changes;
mod consent_requests;
mod consents;
mod deleted;
mod deleted_tenants;
mod device_codes;
mod engine;
mod fault;
mod groups;
mod invitations;
mod keys;
mod listing;
mod membership_rules;
mod migrations;
mod outbox;
mod people;
mod plans;
mod proofs;
mod quota;
mod records;
mod relations;
mod roles;
mod sealed;
mod sessions;
mod signins;
mod sql;
mod sweep;
mod tenants;
mod terms;
mod token_groups;
mod token_lifetime_policies;
mod users;

pub use applications::ServicePrincipalRow;
pub use applied::Applied;
pub use assignments::{AppRoleAssignment, Assigned, AssignmentFilter};
pub use audit::RecordCounts;
pub use changes::{LinkState, LogBounds, Span};
pub use consents::{ConsentFilter, ConsentRow};
pub use device_codes::DeviceCode;
pub use engine::sqlite::Place;
pub use fault::Fault;
pub use invitations::InvitationRow;
pub use keys::KeyRow;
pub use listing::{Among, Page, Within};
pub use migrations::SCHEMA;
pub use outbox::OutboxRow;
pub use people::{Membership, Person};
pub use plans::refuse_walks;
pub use proofs::{CodeRow, PartnerCode};
pub use records::{DirectoryFilter, DirectoryRow, During, RecordActorFilter, SignInFilter, SignInRow};
pub use roles::Going;
pub use sealed::RootKey;
pub use sessions::HomeVisit;
pub use users::{Failures, Password};

use cache::{Cache, Ticket};
use domain::audit::Record;
use domain::id::TenantId;
use domain::tenancy::tenant::{Tenant, TenantState};
use engine::sqlite::{Engine, Job, Pace};
use sealed::Sealer;
use sql::Link;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use tokio::sync::oneshot;

/// The memory of a deployment. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    engine: Engine,
    sealer: Sealer,
    cache: Cache,
    /// Runs every write twice and keeps the second run: what a conflict does on an engine with concurrent writers.
    reruns: bool,
}

/// How a store is opened.
#[derive(Debug)]
pub struct Options {
    pub place: Place,
    /// Seals secrets and private keys at rest.
    pub root_key: RootKey,
    pub readers: usize,
    /// For tests: every write runs twice.
    pub reruns: bool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// A handle on one tenant's data.
#[derive(Clone, Debug)]
pub struct TenantStore {
    store: Store,
    tenant: TenantId,
}

/// What a write hands back: a value, and the records that are committed with it. There is no other way out of a write.
#[derive(Debug)]
#[must_use]
pub struct Recorded<T> {
    value: T,
    records: Vec<Record>,
}

/// Writes that are records themselves or only keep house. The list is closed on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// What `hospes apply` made is remembered as its own; that it was made is recorded already.
    Applied,
    /// What a deleted tenant held goes, a step at a time; its deletion has a record.
    Clearing,
    /// A row of the outbox is marked as delivered or to be tried again.
    Delivery,
    /// A new membership rule is carried out over the directory, a step at a time; its own change has a record.
    Membership,
    /// A signing key was made or retired; the key row carries its times.
    KeyRoll,
    /// An unfinished sign-in moved on; it ends in a record.
    Progress,
    /// Expired rows are removed to save space; nothing depends on it (R04).
    Sweep,
}

impl<T> Recorded<T> {
    pub fn new(record: Record, value: T) -> Self {
        Self { value, records: vec![record] }
    }
    pub fn with(records: Vec<Record>, value: T) -> Result<Self, Fault> {
        if records.is_empty() {
            return Err(Fault::Bug("a write ended without a record"));
        }
        Ok(Self { value, records })
    }
    /// Ends a write whose record is another tenant's (`note_at`), because its own does not exist.
    pub fn elsewhere(tx: &WriteTx<'_>, value: T) -> Result<Self, Fault> {
        if tx.elsewhere.borrow().is_empty() {
            return Err(Fault::Bug("a write ended without a record"));
        }
        Ok(Self { value, records: Vec::new() })
    }
    /// Ends a write that needs no record of its own.
    pub fn chore(_why: Chore, value: T) -> Self {
        Self { value, records: Vec::new() }
    }
}

/// A read of one snapshot.
pub struct ReadTx<'c> {
    link: Link<'c>,
    inner: &'c Inner,
    tenant: Option<TenantId>,
    ticket: Ticket,
    /// Off once a write changed configuration: what it reads from then on is its own and nobody else's yet.
    uses_cache: Cell<bool>,
}

/// A write in progress.
pub struct WriteTx<'c> {
    read: ReadTx<'c>,
    records: RefCell<Vec<Record>>,
    /// For the log of another tenant that has a part in this write.
    elsewhere: RefCell<Vec<(TenantId, Record)>>,
    touches_config: Cell<bool>,
    /// This write deletes its own tenant, and may still tell of it.
    is_closing: Cell<bool>,
}

impl std::fmt::Debug for ReadTx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReadTx")
    }
}

impl std::fmt::Debug for WriteTx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WriteTx")
    }
}

impl<'c> std::ops::Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;
    fn deref(&self) -> &ReadTx<'c> {
        &self.read
    }
}

impl Store {
    /// Opens a store, bringing its schema up to this release.
    ///
    /// # Errors
    /// `Refused` when the file was written by a newer release or under another root key.
    pub fn open(options: Options) -> Result<Self, Fault> {
        Self::open_at(options, Pace::Durable)
    }

    /// Opens a store to fill it: nobody is answered by it yet, so that it writes without a log and without waiting for the
    /// disk. Whatever fails leaves a file that is to be thrown away.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_to_fill(options: Options) -> Result<Self, Fault> {
        Self::open_at(options, Pace::Filling)
    }

    fn open_at(options: Options, pace: Pace) -> Result<Self, Fault> {
        let sealer = Sealer::new(options.root_key);
        let prepare = |link: Link<'_>| migrations::run(link, &sealer);
        let engine = Engine::open(&options.place, options.readers, pace, prepare)?;
        Ok(Self(Arc::new(Inner { engine, sealer, cache: Cache::default(), reruns: options.reruns })))
    }

    /// The handle of one tenant. Whether the tenant exists shows when it is used.
    pub fn tenant(&self, tenant: TenantId) -> TenantStore {
        TenantStore { store: self.clone(), tenant }
    }

    /// A secret of the deployment for one purpose, the same after every start.
    pub fn deployment_secret(&self, purpose: &str) -> [u8; 32] {
        self.0.sealer.secret(purpose)
    }

    /// A tenant from the cache, without a transaction; `None` when it must be read.
    pub fn cached_tenant(&self, id: TenantId) -> Option<Arc<Tenant>> {
        self.0.cache.tenant(id).filter(|tenant| tenant.state != TenantState::Deleted)
    }

    /// Reads what belongs to no tenant: tenants by name, keys, public registrations, the outbox.
    pub fn read<T>(&self, work: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.read_as(None, work)
    }

    /// Writes what belongs to no tenant.
    pub fn write<T, W>(&self, work: W) -> impl Future<Output = Result<T, Fault>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>) -> Result<Recorded<T>, Fault> + Send + 'static,
    {
        self.write_as(None, work)
    }

    /// Finishes waiting writes and stops the writer. Later writes hear "busy".
    pub fn close(&self) {
        self.0.engine.close();
    }

    fn read_as<T>(
        &self,
        tenant: Option<TenantId>,
        work: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.0.engine.read(|link| work(&ReadTx::new(link, &self.0, tenant)))
    }

    /// Hands the write over at once; the future only waits for the answer, so dropping it undoes nothing.
    fn write_as<T, W>(
        &self,
        tenant: Option<TenantId>,
        work: W,
    ) -> impl Future<Output = Result<T, Fault>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>) -> Result<Recorded<T>, Fault> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        self.0.engine.submit(Box::new(Write {
            store: self.clone(),
            tenant,
            work,
            value: None,
            touches_config: false,
            answer: Some(answer),
        }));
        async move { outcome.await.unwrap_or(Err(Fault::Busy)) }
    }
}

impl TenantStore {
    pub fn id(&self) -> TenantId {
        self.tenant
    }

    /// A short read (points and pages) in one snapshot, on the calling thread.
    pub fn read<T>(&self, work: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.store.read_as(Some(self.tenant), work)
    }

    /// A write. `work` runs on the store's thread, may run twice, and its answer is given after the commit.
    ///
    /// # Errors
    /// `Busy` when too many writes wait or the engine is locked: nothing was written, asking again is safe.
    pub fn write<T, W>(&self, work: W) -> impl Future<Output = Result<T, Fault>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: Fn(&WriteTx<'_>) -> Result<Recorded<T>, Fault> + Send + 'static,
    {
        self.store.write_as(Some(self.tenant), work)
    }
}

struct Write<T, W> {
    store: Store,
    tenant: Option<TenantId>,
    work: W,
    value: Option<T>,
    touches_config: bool,
    answer: Option<oneshot::Sender<Result<T, Fault>>>,
}

impl<T, W> Write<T, W>
where
    T: Send + 'static,
    W: Fn(&WriteTx<'_>) -> Result<Recorded<T>, Fault> + Send + 'static,
{
    fn attempt(&mut self, link: Link<'_>) -> Result<T, Fault> {
        let tx = WriteTx {
            read: ReadTx::new(link, &self.store.0, self.tenant),
            records: RefCell::new(Vec::new()),
            elsewhere: RefCell::new(Vec::new()),
            touches_config: Cell::new(false),
            is_closing: Cell::new(false),
        };
        let Recorded { value, records } = (self.work)(&tx)?;
        let (own, elsewhere) = (tx.records.borrow(), tx.elsewhere.borrow());
        let own = own.iter().chain(&records).map(|record| (tx.tenant, record));
        // A refusal changed nothing, and sign-ins are refused by their own rules.
        let mut done =
            own.clone().filter(|(_, record)| matches!(record, Record::Directory(it) if it.refusal.is_none()));
        if done.next().is_some() && !tx.is_closing.get() && tx.is_gone()? {
            return Err(Fault::Gone);
        }
        let all = own.chain(elsewhere.iter().map(|(tenant, record)| (Some(*tenant), record)));
        for (place, (tenant, record)) in all.enumerate() {
            audit::append(&tx, tenant, record, place)?;
        }
        if tx.touches_config.get() {
            tx.raise_config_revision()?;
            self.touches_config = true;
        }
        Ok(value)
    }
}

impl<T, W> Job for Write<T, W>
where
    T: Send + 'static,
    W: Fn(&WriteTx<'_>) -> Result<Recorded<T>, Fault> + Send + 'static,
{
    fn run(&mut self, link: Link<'_>) -> Result<(), Fault> {
        if self.store.0.reruns {
            link.run("SAVEPOINT rerun", &[])?;
            let first = self.attempt(link);
            link.run("ROLLBACK TO rerun", &[])?;
            link.run("RELEASE rerun", &[])?;
            first?;
        }
        self.touches_config = false;
        self.value = Some(self.attempt(link)?);
        if self.touches_config {
            // From here on no later write of this batch may use what was cached before.
            self.store.0.cache.suspend();
        }
        Ok(())
    }

    fn answer(mut self: Box<Self>, outcome: Result<(), Fault>) {
        if self.touches_config {
            self.store.0.cache.settle();
        }
        let value = self.value.take();
        let outcome = outcome.and_then(|()| value.ok_or(Fault::Bug("a write has no value")));
        if let Some(answer) = self.answer.take() {
            // The caller may have gone away; what was written stays written.
            let _ = answer.send(outcome);
        }
    }
}

impl<'c> ReadTx<'c> {
    fn new(link: Link<'c>, inner: &'c Inner, tenant: Option<TenantId>) -> Self {
        Self { link, inner, tenant, ticket: inner.cache.ticket(), uses_cache: Cell::new(true) }
    }
    /// The tenant of this transaction.
    pub(crate) fn tenant(&self) -> Result<TenantId, Fault> {
        self.tenant.ok_or(Fault::Bug("tenant data was asked of a transaction without a tenant"))
    }
    /// The cache, unless this transaction must not see or fill it.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.uses_cache.get().then_some(&self.inner.cache)
    }
    /// The same snapshot, seen from another tenant.
    pub(crate) fn from(&self, tenant: TenantId) -> Self {
        let uses_cache = Cell::new(self.uses_cache.get());
        Self { uses_cache, ..Self::new(self.link, self.inner, Some(tenant)) }
    }
    pub(crate) fn link(&self) -> Link<'c> {
        self.link
    }
    pub(crate) fn sealer(&self) -> &Sealer {
        &self.inner.sealer
    }
}

impl WriteTx<'_> {
    /// Adds a record to those that the write returns: for what one write causes besides its own matter.
    pub fn note(&self, record: Record) {
        self.records.borrow_mut().push(record);
    }
    /// Adds a record to the log of another tenant, whose own person or setting had a part in it.
    pub fn note_at(&self, tenant: TenantId, record: Record) {
        self.elsewhere.borrow_mut().push((tenant, record));
    }
    /// This write changes what issuance keeps in its cache.
    pub(crate) fn touch_config(&self) {
        self.touches_config.set(true);
        self.read.uses_cache.set(false);
    }
}
