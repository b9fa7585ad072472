//! What a tenant's directory holds: typed objects, and who may do what with them.

pub mod application;
pub mod first_party;
pub mod permission;
pub mod role;
pub mod user;
