//! Acceptance tests over the real router.
