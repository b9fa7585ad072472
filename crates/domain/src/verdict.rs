//! How a decision answers: granted or refused, and in both cases why.
//!
//! A refusal is an outcome, not an error: it is committed with its record like a grant is (R32).

use std::borrow::Cow;

/// A decision with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<T, R> {
    Granted(T, Trace),
    Refused(R, Trace),
}

impl<T, R> Verdict<T, R> {
    /// Changes what was granted and keeps the reasons.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Verdict<U, R> {
        match self {
            Self::Granted(value, trace) => Verdict::Granted(change(value), trace),
            Self::Refused(reason, trace) => Verdict::Refused(reason, trace),
        }
    }

    pub fn trace(&self) -> &Trace {
        match self {
            Self::Granted(_, trace) | Self::Refused(_, trace) => trace,
        }
    }

    /// The refusal as an `Err`, for callers that are past recording.
    pub fn into_result(self) -> Result<T, R> {
        match self {
            Self::Granted(value, _) => Ok(value),
            Self::Refused(reason, _) => Err(reason),
        }
    }
}

/// Whose setting or fact decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    HomeTenant,
    ResourceTenant,
    User,
}

/// One finding of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub side: Side,
    /// Stable name of the rule, kebab case: what the explain page and the tests compare.
    pub rule: &'static str,
    pub passed: bool,
    /// What was seen, for the administrator of that side. Never shown to the other tenant.
    pub detail: Cow<'static, str>,
}

/// The reasons of a decision in the order they were looked at; the last one decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(Vec<Finding>);

impl Trace {
    pub const fn new() -> Self {
        Self(Vec::new())
    }
    pub fn passed(&mut self, side: Side, rule: &'static str, detail: impl Into<Cow<'static, str>>) {
        self.0.push(Finding { side, rule, passed: true, detail: detail.into() });
    }
    /// Notes the finding that ends the decision and hands back the refusal with all reasons.
    pub fn refuse<T, R>(
        mut self,
        reason: R,
        side: Side,
        rule: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Verdict<T, R> {
        self.0.push(Finding { side, rule, passed: false, detail: detail.into() });
        Verdict::Refused(reason, self)
    }
    pub fn grant<T, R>(self, value: T) -> Verdict<T, R> {
        Verdict::Granted(value, self)
    }
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }
    /// The rules in order, `!` before the one that refused: the compact form of logs and test cases.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for finding in &self.0 {
            if !text.is_empty() {
                text.push(' ');
            }
            if !finding.passed {
                text.push('!');
            }
            text.push_str(finding.rule);
        }
        text
    }
}
