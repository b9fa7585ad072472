//! Something broke. A "no" is never a fault; it is a verdict.

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// An invariant does not hold; the text is constant and holds no data.
    #[error("broken invariant: {0}")]
    Bug(&'static str),
    /// Too many writes wait already, or the engine is locked; asking again later helps.
    #[error("the store is busy")]
    Busy,
    /// The engine failed: disk full, file damaged, I/O error.
    #[error("the store failed: {0}")]
    Engine(String),
    /// The tenant was deleted since the request began; nothing was written.
    #[error("the tenant was deleted")]
    Gone,
    /// The store was written by a newer release, or with another root key.
    #[error("{0}")]
    Refused(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(_) | None => Self::Engine(error.to_string()),
        }
    }
}
