//! The B2B decisions: inviting, redeeming and leaving.

pub mod invitation;
pub mod leaving;
pub mod lure;
pub mod redemption;
