//! The B2B decisions: inviting and redeeming.

pub mod invitation;
pub mod redemption;
