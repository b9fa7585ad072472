//! What a store owes its callers, whatever the engine. `builders` makes the things; `everything` puts one of each kind
//! into a tenant.

pub(crate) mod builders;
mod cache;
mod changes;
mod closing;
mod consent_requests;
mod contention;
mod deleted;
mod deleted_tenants;
mod device_codes;
mod directory;
pub(crate) mod everything;
mod identities;
mod invitations;
mod limits;
mod links;
mod membership_rules;
mod outbox;
mod proofs;
mod roles;
mod sessions;
mod sweep;
mod tenants;
mod token_lifetimes;
mod transactions;
