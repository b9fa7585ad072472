//! Interactive sign-in: stored state and facts in, next step out. Steps do not know each other.

pub mod anywhere;
pub mod attempt;
pub mod evidence;
pub mod next;
pub mod session;
