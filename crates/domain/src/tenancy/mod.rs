//! Who is served, and which home an address belongs to.

pub mod branding;
pub mod creation;
pub mod deletion;
pub mod domain_name;
pub mod limits;
pub mod realm_discovery;
pub mod tenant;
