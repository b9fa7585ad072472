//! SQLite: one writer thread that commits waiting writes together, and a pool of readers.
//!
//! Every write runs in its own savepoint, so one failure fails only its caller; nobody is answered before the commit
//! reached the disk.

use super::log::Log;
use super::statistics;
use crate::fault::Fault;
use crate::sql::Link;
use rusqlite::{Connection, OpenFlags};
use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Writes that may wait for the writer before callers hear "busy".
// DEFAULT: 4,096, about a third of a second of work at the measured 12,000 writes a second.
const QUEUE: usize = 4_096;
/// Writes in one commit.
// DEFAULT: 256; beyond it the commit gets long and the gain is gone (docs/decisions/0002).
const BATCH: usize = 256;
/// While there is company, the writer lets more writes come before it commits, in steps, as long as some do come: a commit
/// costs some 60 us of CPU and a wait for the disk, whatever it holds. A write that is alone never waits.
// DEFAULT: at most 8 ms, what a commit takes on a slow disk, in steps of what one takes on most disks.
const GATHER_STEP: Duration = Duration::from_millis(1);
const GATHER_STEPS: usize = 8;
/// Writes in the last commit that count as company.
const COMPANY: usize = 4;

/// Where a store lives.
#[derive(Clone, Debug)]
pub enum Place {
    File(PathBuf),
    /// In this process only; gone with the store.
    Memory,
}

/// How a store is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// What was answered is on the disk.
    Durable,
    /// As fast as may be; only a store that is closed in order is whole.
    Filling,
}

/// A write on its way to the writer. Runs inside a savepoint; answers its caller after the commit.
pub(crate) trait Job: Send {
    fn run(&mut self, link: Link<'_>) -> Result<(), Fault>;
    /// After the commit, or with the fault that undid the write.
    fn answer(self: Box<Self>, outcome: Result<(), Fault>);
}

pub(crate) struct Engine {
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    readers: Readers,
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
}

enum Readers {
    /// A memory store has one connection that writer and readers take turns with.
    Shared(Arc<Mutex<Connection>>),
    Pool(Pool),
}

struct Pool {
    idle: Mutex<Idle>,
    returned: Condvar,
}

struct Idle {
    connections: Vec<Connection>,
    /// Reads that wait for one: nobody is woken, at the price of a system call, when nobody waits.
    waiting: usize,
}

/// A read's connection: taken from the pool with its first statement, because what the cache knows needs none, and given
/// back when the read ends.
pub(crate) struct Lent<'p> {
    pool: &'p Pool,
    connection: OnceCell<Connection>,
}

impl Lent<'_> {
    /// The connection, inside a snapshot that opens with the first call.
    pub(crate) fn connection(&self) -> Result<&Connection, Fault> {
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let connection = self.connection.get_or_init(|| self.pool.take());
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(connection)
    }

    fn commit(&self) -> Result<(), Fault> {
        if let Some(connection) = self.connection.get() {
            connection.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
            tracing::error!("a reader could not leave its snapshot");
        }
        self.pool.give_back(connection);
    }
}

impl Pool {
    fn take(&self) -> Connection {
        let mut idle = lock(&self.idle);
        idle.waiting += 1;
        loop {
            if let Some(connection) = idle.connections.pop() {
                idle.waiting -= 1;
                return connection;
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        idle.connections.push(connection);
        let is_awaited = idle.waiting > 0;
        drop(idle);
        if is_awaited {
            self.returned.notify_one();
        }
    }
}

/// `PoisonError` means another thread panicked while it held the lock; the connection itself is sound, because every
/// use of it is a transaction that was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    pub(crate) fn open(
        place: &Place,
        readers: usize,
        pace: Pace,
        prepare: impl FnOnce(Link<'_>) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let mut writer = match place {
            Place::Memory => Connection::open_in_memory()?,
            Place::File(path) => open_file(path)?,
        };
        configure(&writer)?;
        if pace == Pace::Filling {
            // Pages of all indexes stay in memory, or each would be written again for every few objects.
            writer.execute_batch(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1500000",
            )?;
        }
        writer.execute_batch("BEGIN IMMEDIATE")?;
        prepare(Link::open(&writer))?;
        statistics::set(&writer)?;
        writer.execute_batch("COMMIT")?;

        let (sender, receiver) = sync_channel(QUEUE);
        let (readers, log, writer) = match place {
            Place::Memory => {
                let shared = Arc::new(Mutex::new(writer));
                (Readers::Shared(Arc::clone(&shared)), Log::none(), shared)
            }
            Place::File(path) => {
                let open = || -> Result<Connection, Fault> {
                    let reader = Connection::open_with_flags(
                        path,
                        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                    )?;
                    reader.execute_batch("PRAGMA query_only = 1; PRAGMA mmap_size = 2147418112; PRAGMA cache_size = -2000; PRAGMA busy_timeout = 5000")?;
                    keep_plans(&reader)?;
                    reader.set_prepared_statement_cache_capacity(128);
                    Ok(reader)
                };
                let idle = (0..readers).map(|_| open()).collect::<Result<Vec<_>, _>>()?;
                let idle = Mutex::new(Idle { connections: idle, waiting: 0 });
                let pool = Pool { idle, returned: Condvar::new() };
                let log = Log::of(path, &mut writer)?;
                (Readers::Pool(pool), log, Arc::new(Mutex::new(writer)))
            }
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run_writer(&receiver, &writer, log))
            .map_err(|error| Fault::Engine(error.to_string()))?;
        Ok(Self { queue: Mutex::new(Some(sender)), readers, writer: Mutex::new(Some(thread)) })
    }

    /// Hands a write to the writer; refuses at once when too many wait.
    pub(crate) fn submit(&self, job: Box<dyn Job>) {
        let sender = lock(&self.queue).clone();
        let refused = match sender.map(|sender| sender.try_send(job)) {
            Some(Ok(())) => return,
            Some(Err(TrySendError::Full(job))) => job,
            Some(Err(TrySendError::Disconnected(job))) => job,
            None => return,
        };
        refused.answer(Err(Fault::Busy));
    }

    /// Reads in one snapshot, on the calling thread.
    pub(crate) fn read<T>(&self, work: impl FnOnce(Link<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        match &self.readers {
            Readers::Shared(connection) => work(Link::open(&lock(connection))),
            Readers::Pool(pool) => {
                let lent = Lent { pool, connection: OnceCell::new() };
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    let value = work(Link::lent(&lent))?;
                    lent.commit()?;
                    Ok(value)
                }));
                outcome.unwrap_or(Err(Fault::Bug("a read panicked")))
            }
        }
    }

    /// Lets waiting writes finish and stops the writer.
    pub(crate) fn close(&self) {
        drop(lock(&self.queue).take());
        let Some(thread) = lock(&self.writer).take() else { return };
        // The last handle may go away with a write's answer, on the writer itself; it ends by itself then.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}

pub(super) fn open_file(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open(path)
        .map_err(|error| Fault::Refused(format!("cannot open the store {}: {error}", path.display())))?;
    // The store holds sealed secrets and personal data: nobody else on the machine reads it.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(|error| {
            Fault::Refused(format!("cannot protect the store {}: {error}", path.display()))
        })?;
    }
    Ok(connection)
}

/// Plans do not depend on bound values: without this SQLite prepares a statement anew for each new value of a parameter
/// that a partial index or a statistic could speak to, which cost a third of a point read.
fn keep_plans(connection: &Connection) -> Result<(), Fault> {
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

pub(super) fn configure(writer: &Connection) -> Result<(), Fault> {
    writer.execute_batch(
        "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = 1;
         PRAGMA busy_timeout = 5000; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;
         PRAGMA locking_mode = NORMAL",
    )?;
    keep_plans(writer)?;
    writer.set_prepared_statement_cache_capacity(256);
    Ok(())
}

fn run_writer(queue: &Receiver<Box<dyn Job>>, connection: &Mutex<Connection>, mut log: Log) {
    let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(BATCH);
    let mut last = 0;
    loop {
        let first = match queue.recv_timeout(Duration::from_millis(200)) {
            Ok(job) => job,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                log.idle();
                continue;
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                drop(log);
                // A stopped server leaves one whole file behind: what operators copy.
                if let Err(error) = lock(connection).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
                    tracing::warn!(%error, "the last checkpoint failed; the log beside the file holds the rest");
                }
                return;
            }
        };
        batch.push(first);
        take_waiting(queue, &mut batch);
        if last >= COMPANY {
            for _ in 0..GATHER_STEPS {
                let before = batch.len();
                std::thread::sleep(GATHER_STEP);
                take_waiting(queue, &mut batch);
                if batch.len() == before {
                    break;
                }
            }
        }
        last = batch.len();
        let connection = lock(connection);
        commit(&connection, &mut batch);
        log.committed(&connection);
    }
}

fn take_waiting(queue: &Receiver<Box<dyn Job>>, batch: &mut Vec<Box<dyn Job>>) {
    while batch.len() < BATCH {
        let Ok(job) = queue.try_recv() else { break };
        batch.push(job);
    }
}

fn commit(connection: &Connection, batch: &mut Vec<Box<dyn Job>>) {
    let run =
        |sql: &str| -> Result<(), Fault> { Ok(connection.prepare_cached(sql)?.execute([]).map(|_| ())?) };
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut whole = run("BEGIN IMMEDIATE");
    if whole.is_ok() {
        for job in batch.iter_mut() {
            outcomes.push(run_one(connection, job.as_mut(), &run));
        }
        whole = run("COMMIT");
        if whole.is_err() && !connection.is_autocommit() {
            // Nothing of the batch is kept; every caller hears so.
            if let Err(error) = run("ROLLBACK") {
                tracing::error!(%error, "rollback failed");
            }
        }
    }
    let mut outcomes = outcomes.into_iter();
    for job in batch.drain(..) {
        let outcome = match &whole {
            Ok(()) => outcomes.next().unwrap_or(Err(Fault::Bug("a write has no outcome"))),
            Err(Fault::Busy) => Err(Fault::Busy),
            Err(error) => Err(Fault::Engine(error.to_string())),
        };
        job.answer(outcome);
    }
}

fn run_one(
    connection: &Connection,
    job: &mut dyn Job,
    run: &impl Fn(&str) -> Result<(), Fault>,
) -> Result<(), Fault> {
    run("SAVEPOINT w")?;
    let outcome = catch_unwind(AssertUnwindSafe(|| job.run(Link::open(connection))))
        .unwrap_or(Err(Fault::Bug("a write panicked")));
    if outcome.is_err() {
        run("ROLLBACK TO w")?;
    }
    run("RELEASE w")?;
    outcome
}
