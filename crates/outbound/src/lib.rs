//! Whom we call. Never used inside a transaction: the store does not know this crate.

pub mod mail;
pub mod web;
