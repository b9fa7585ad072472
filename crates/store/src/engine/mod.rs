//! Engines: how transactions begin, run, commit and meet conflicts. One today; PostgreSQL fits the same seam.

mod log;
pub(crate) mod sqlite;
mod statistics;
