//! Worlds, browsers and clocks for tests.
