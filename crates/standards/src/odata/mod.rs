//! OData as Graph speaks it: syntax only, text to untyped expressions, with limits (OData URL Conventions §5).

pub mod expand;
pub mod filter;
pub mod orderby;
pub mod path;
pub mod prefer;
pub mod query;
pub mod search;
