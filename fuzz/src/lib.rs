//! What fuzzing tries: bytes in, and what must hold whatever they are. `fuzz/engine` feeds these functions from libFuzzer,
//! `tests/corpus.rs` from the inputs under `corpus`. A target panics where something does not hold.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what does not hold ends the run"
)]

mod odata;
mod rule;
mod server;
mod tokens;

/// Something that reads what strangers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// `$batch` bodies.
    Batch,
    /// `$filter`.
    Filter,
    /// Forms of the token, authorization and device endpoints.
    Forms,
    /// JSON bodies of Graph's writes.
    Graph,
    /// Addresses below a version.
    Path,
    /// Whole query strings: `$orderby`, `$search`, `$select` and the rest.
    Query,
    /// Rules of groups with dynamic membership.
    Rule,
    /// JWTs: client assertions and bearer tokens.
    Tokens,
}

impl Target {
    pub const ALL: [Self; 8] = [
        Self::Batch,
        Self::Filter,
        Self::Forms,
        Self::Graph,
        Self::Path,
        Self::Query,
        Self::Rule,
        Self::Tokens,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Filter => "filter",
            Self::Forms => "forms",
            Self::Graph => "graph",
            Self::Path => "path",
            Self::Query => "query",
            Self::Rule => "rule",
            Self::Tokens => "tokens",
        }
    }

    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Tries one input.
    pub fn run(self, data: &[u8]) {
        match self {
            Self::Batch => server::batch(data),
            Self::Filter => odata::filter(data),
            Self::Forms => server::form(data),
            Self::Graph => server::graph(data),
            Self::Path => odata::path(data),
            Self::Query => odata::query(data),
            Self::Rule => rule::rule(data),
            Self::Tokens => tokens::tokens(data),
        }
    }
}
