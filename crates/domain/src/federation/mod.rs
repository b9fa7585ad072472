//! What other identity providers say of a person, once it is verified.

pub mod assertion;
