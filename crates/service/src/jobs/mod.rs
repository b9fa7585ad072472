//! What happens without a request: mail leaves, keys roll, space is freed. Nothing depends on when (R04).

pub mod outbox;
pub mod sweep;
