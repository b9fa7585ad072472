//! Points and spans of time. Nothing here reads a clock: `now` is an argument everywhere.

use std::ops::{Add, Sub};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }
    pub const fn millis(self) -> i64 {
        self.0
    }
    /// Whole seconds, as JWT's NumericDate wants them (RFC 7519 §2).
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
    /// How long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }
}

impl Span {
    pub const fn millis(count: i64) -> Self {
        Self(count)
    }
    pub const fn seconds(count: i64) -> Self {
        Self(count * 1000)
    }
    pub const fn minutes(count: i64) -> Self {
        Self::seconds(count * 60)
    }
    pub const fn hours(count: i64) -> Self {
        Self::minutes(count * 60)
    }
    pub const fn days(count: i64) -> Self {
        Self::hours(count * 24)
    }
    pub const fn as_seconds(self) -> i64 {
        self.0 / 1000
    }
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}
