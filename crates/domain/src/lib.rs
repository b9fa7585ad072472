//! What we decide. Pure: no clock, no chance, no I/O; the same facts give the same verdict.
//!
//! Reading order: `verdict` (how a decision answers), `issuance::decide` (the one gate for every token, code and
//! session), `signin::next` (the one dispatcher of an interactive sign-in), `b2b` (invitation and redemption),
//! `directory` (what there is), `tenancy` (who is served).

pub mod audit;
pub mod b2b;
pub mod directory;
pub mod entropy;
pub mod federation;
pub mod id;
pub mod issuance;
pub mod mail;
pub mod proof;
pub mod signin;
pub mod tenancy;
pub mod throttling;
pub mod time;
pub mod verdict;
