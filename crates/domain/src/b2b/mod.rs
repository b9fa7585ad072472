//! The B2B decisions: inviting and redeeming.

pub mod invitation;
pub mod lure;
pub mod redemption;
