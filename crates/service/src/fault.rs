//! Something broke. Refusals are verdicts and never end here.

/// Why a request could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Constant text, for the log; the caller hears only that something broke.
    #[error("broken invariant: {0}")]
    Bug(&'static str),
    /// Asking again later helps.
    #[error("busy")]
    Busy,
    #[error("{0}")]
    Failed(String),
}

impl From<store::Fault> for Fault {
    fn from(fault: store::Fault) -> Self {
        match fault {
            store::Fault::Bug(text) => Self::Bug(text),
            // Asked again, the request hears that there is no such tenant.
            store::Fault::Busy | store::Fault::Gone => Self::Busy,
            store::Fault::Engine(text) | store::Fault::Refused(text) => Self::Failed(text),
        }
    }
}
