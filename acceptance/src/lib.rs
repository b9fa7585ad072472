//! Acceptance tests over the real router; see `tests/it`.
