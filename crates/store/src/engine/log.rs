//! SQLite's write-ahead log: copied into the file beside the writer, so that hardly a commit waits for it.

use super::sqlite::open_file;
use crate::fault::Fault;
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Pages by which the log grows before they are copied.
// DEFAULT: 1,000, SQLite's own: 4 MB are copied in some milliseconds.
const COPIED_AT: i32 = 1_000;
/// Pages that are copied when nothing waits to be written, so that the log starts over.
const COPIED_WHEN_IDLE: i32 = 250;
/// Pages after which the writer copies what is left itself. Only a log that is copied to its end is written over from its
/// start, and while writes keep coming the copy beside them is always some behind.
// DEFAULT: 8,500, 34 MB; half-way between two copies, so that few pages are left and nobody else is copying.
const WRITTEN_OVER_AT: i32 = 8_500;

/// The log of one writer. Dropping it waits for the copy that runs.
pub(super) struct Log {
    /// In the log after the last commit; 0 for a store without one.
    pages: Arc<AtomicI32>,
    /// In the log when a copy was last asked for.
    asked_at: i32,
    copier: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Log {
    /// Of a store in memory, which has none.
    pub(super) fn none() -> Self {
        Self { pages: Arc::default(), asked_at: 0, copier: None }
    }

    /// Takes the log of a file away from its writer.
    pub(super) fn of(path: &Path, writer: &mut Connection) -> Result<Self, Fault> {
        let pages = Arc::new(AtomicI32::new(0));
        let told = Arc::clone(&pages);
        // In place of SQLite's own, which copies inside the commit.
        writer.wal_hook(Some(move |_: &mut Wal, now| {
            told.store(now, Ordering::Relaxed);
            Ok(())
        }))?;
        let connection = open_file(path)?;
        connection.execute_batch("PRAGMA synchronous = FULL")?;
        // One that waits is enough: a copy takes whatever is there.
        let (sender, receiver) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store-log".to_owned())
            .spawn(move || run(&receiver, &connection))
            .map_err(|error| Fault::Engine(error.to_string()))?;
        Ok(Self { pages, asked_at: 0, copier: Some((sender, thread)) })
    }

    /// To be called when a commit has been answered.
    pub(super) fn committed(&mut self, writer: &Connection) {
        self.ask_if_grown(COPIED_AT);
        if self.pages.load(Ordering::Relaxed) >= WRITTEN_OVER_AT {
            copy(writer);
        }
    }

    /// To be called when nothing waits to be written.
    pub(super) fn idle(&mut self) {
        self.ask_if_grown(COPIED_WHEN_IDLE);
    }

    fn ask_if_grown(&mut self, by: i32) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.asked_at {
            self.asked_at = 0;
        }
        if pages - self.asked_at < by {
            return;
        }
        self.asked_at = pages;
        if let Some((sender, _)) = &self.copier {
            // One that cannot be sent is one that already waits.
            let _ = sender.try_send(());
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let Some((sender, thread)) = self.copier.take() else { return };
        drop(sender);
        if thread.join().is_err() {
            tracing::error!("the thread that copies the store's log panicked");
        }
    }
}

fn run(asked: &Receiver<()>, connection: &Connection) {
    while asked.recv().is_ok() {
        copy(connection);
    }
}

/// Copies as much as can be without waiting for anybody. The log keeps its size and is written over from its start: blocks
/// that are there already cost a commit less than new ones.
fn copy(connection: &Connection) {
    if let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)") {
        tracing::warn!(%error, "copying the log into the store failed; it is tried again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sqlite::configure;

    /// A store in which each commit writes ten pages and some.
    fn store(folder: &Path) -> (Connection, Log) {
        let path = folder.join("store.db");
        let mut writer = open_file(&path).unwrap();
        configure(&writer).unwrap();
        writer
            .execute_batch("PRAGMA synchronous = OFF; CREATE TABLE t (bytes); INSERT INTO t VALUES (NULL)")
            .unwrap();
        let log = Log::of(&path, &mut writer).unwrap();
        (writer, log)
    }

    fn commit(writer: &Connection, log: &mut Log) {
        writer.execute("UPDATE t SET bytes = randomblob(40960)", []).unwrap();
        log.committed(writer);
    }

    #[test]
    fn a_log_is_written_over_while_writes_keep_coming() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut log) = store(folder.path());
        for _ in 0..3 * WRITTEN_OVER_AT / 10 {
            commit(&writer, &mut log);
        }
        let pages = std::fs::metadata(folder.path().join("store.db-wal")).unwrap().len() / 4_096;
        assert!(pages < 2 * WRITTEN_OVER_AT as u64, "{pages} pages of log");
    }

    #[test]
    fn an_idle_store_has_its_log_copied_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, mut log) = store(folder.path());
        let file = || std::fs::metadata(folder.path().join("store.db")).unwrap().len();
        let before = file();
        for _ in 0..COPIED_WHEN_IDLE / 10 {
            commit(&writer, &mut log);
        }
        assert_eq!(file(), before, "a commit copied its pages");
        log.idle();
        drop(log);
        assert!(file() > before + 40_960, "{before} bytes before, {} after", file());
    }
}
