//! Engines: how transactions begin, run, commit and meet conflicts. One today; PostgreSQL fits the same seam.

pub(crate) mod sqlite;
mod statistics;
