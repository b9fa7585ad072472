//! The store suite: written once against `Store`, compiled and run for every engine.
//!
//! This file is the only place that knows engines. A new one gets a function in `engines` and a line in each macro that
//! fits it; the suite stays as it is. What needs a file on disk stands in `sqlite_file`, with its reasons.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: what does not hold fails the test"
)]

/// Makes a test of every case, on one engine. A case that is in no list is dead code, and the lints say so. A case of a
/// known flaw may stand in a list as `#[ignore = "the flaw"] its_name`.
macro_rules! on_engine {
    ($engine:ident: $($(#[$note:meta])* $case:ident)*) => {
        mod $engine {
            $(
                $(#[$note])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let place = crate::engines::$engine();
                    super::$case(place.store.clone()).await;
                }
            )*
        }
    };
}

macro_rules! for_every_engine {
    ($($(#[$note:meta])* $case:ident,)*) => {
        on_engine! { sqlite_memory: $($(#[$note])* $case)* }
        on_engine! { sqlite_memory_rerun: $($(#[$note])* $case)* }
        on_engine! { sqlite_file: $($(#[$note])* $case)* }
    };
}

/// For cases that read while a write is under way. Exception: SQLite in memory has one connection that writer and readers
/// take turns with, so nobody can read beside a write, and such a case would wait for itself.
macro_rules! for_engines_that_read_beside_a_write {
    ($($(#[$note:meta])* $case:ident,)*) => {
        mod beside_a_write {
            $(use super::$case;)*
            on_engine! { sqlite_file: $($(#[$note])* $case)* }
        }
    };
}

mod sqlite_file;
mod suite;

mod engines {
    use store::{Options, Place, RootKey, Store};

    /// A store, and where it lives: the directory goes after the store.
    pub(crate) struct Opened {
        pub(crate) store: Store,
        _directory: Option<tempfile::TempDir>,
    }

    fn open(place: Place, reruns: bool) -> Store {
        store::refuse_walks();
        let root_key = RootKey::new([7; 32]);
        Store::open(Options { place, root_key, readers: 4, reruns }).unwrap()
    }

    pub(crate) fn sqlite_memory() -> Opened {
        Opened { store: open(Place::Memory, false), _directory: None }
    }

    /// Every write runs twice, as after a conflict.
    pub(crate) fn sqlite_memory_rerun() -> Opened {
        Opened { store: open(Place::Memory, true), _directory: None }
    }

    pub(crate) fn sqlite_file() -> Opened {
        let directory = tempfile::tempdir().unwrap();
        let store = open(Place::File(directory.path().join("store.db")), false);
        Opened { store, _directory: Some(directory) }
    }
}

/// A file of cases that `suite/mod.rs` does not name would never run, and nothing else would say so.
#[test]
fn every_file_of_the_suite_is_compiled() {
    let named = include_str!("suite/mod.rs");
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite")).unwrap();
    let names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.len() > 1, "{names:?}");
    for name in names.iter().filter(|name| *name != "mod.rs") {
        let module = format!("mod {};", name.strip_suffix(".rs").unwrap());
        assert!(named.lines().any(|line| line.trim_start_matches("pub(crate) ") == module), "{name}");
    }
}
