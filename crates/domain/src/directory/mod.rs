//! What a tenant's directory holds: typed objects, and who may do what with them.

pub mod application;
pub mod application_change;
pub mod change;
pub mod consent_change;
pub mod delta;
pub mod federated_credential;
pub mod first_party;
pub mod group;
pub mod membership_rule;
pub mod permission;
pub mod property;
pub mod query;
pub mod role;
pub mod role_query;
pub mod token_claims;
pub mod token_lifetime_policy;
pub mod user;
