//! Owns what can go wrong in the store. Constraint violations become named variants here, so that nobody above
//! reads SQLite's codes.

use std::sync::Arc;

use rusqlite::ErrorCode;

/// What went wrong. Cheap to clone, as one failed commit answers many writes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has this name, in some case or Unicode form.
    #[error("the user name is taken")]
    UsernameTaken,
    /// Somebody had this name before, and sites behind the proxy would take anybody else who has it for them.
    #[error("the user name was somebody else's")]
    FormerUsername,
    /// More work is queued than the store will hold; try again in a moment.
    #[error("the queue to the database is full")]
    Overloaded,
    /// The store is shutting down, or a closure panicked.
    #[error("the store has stopped answering")]
    Stopped,
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull(#[source] Arc<rusqlite::Error>),
    /// The database cannot be used right now: locked by another process, read-only, an I/O error.
    #[error("the database cannot be used right now")]
    Unavailable(#[source] Arc<rusqlite::Error>),
    /// The database's file was deleted or replaced while it was open; only a restart helps.
    #[error("the database file was deleted or replaced while it was open; restart usher")]
    Replaced,
    /// A pool could not open its connections.
    #[error("the database's connections could not be opened")]
    Pool(#[source] Arc<r2d2::Error>),
    /// Anything else that SQLite reports.
    #[error("the database reported an error")]
    Sqlite(#[source] Arc<rusqlite::Error>),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let error = Arc::new(error);
        match code {
            Some(ErrorCode::DiskFull) => Self::DiskFull(error),
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Unavailable(error),
            _ => Self::Sqlite(error),
        }
    }
}

/// Whether `error` says that a value of the unique column `table.column` exists already.
pub fn violates_unique(error: &rusqlite::Error, column: &str) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(code, Some(text))
        if code.code == ErrorCode::ConstraintViolation && text.ends_with(column))
}

/// What is wrong with the database, as far as an operator can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageCondition {
    /// The disk is full.
    DiskFull,
    /// Another process holds its lock.
    Locked,
    /// Its file or file system cannot be written.
    ReadOnly,
    /// The disk reports errors.
    Disk,
    /// Its file was deleted or replaced under the server.
    Replaced,
    /// What is in the file is no longer a sound database.
    Damaged,
    /// More is asked of it than it can do.
    Busy,
    /// Something else, that the log tells.
    Other,
}

impl StoreError {
    /// What is wrong, for whoever looks after the server.
    pub fn trouble(&self) -> StorageCondition {
        match self {
            Self::DiskFull(_) => StorageCondition::DiskFull,
            Self::Overloaded => StorageCondition::Busy,
            Self::Replaced => StorageCondition::Replaced,
            Self::Unavailable(error) | Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                    StorageCondition::Locked
                }
                Some(ErrorCode::ReadOnly) => StorageCondition::ReadOnly,
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => StorageCondition::Disk,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StorageCondition::Damaged,
                _ => StorageCondition::Other,
            },
            Self::UsernameTaken | Self::FormerUsername | Self::Stopped | Self::Pool(_) => StorageCondition::Other,
        }
    }

    /// The error with its cause, for the log alone.
    pub fn described(&self) -> String {
        let Some(cause) = std::error::Error::source(self) else { return self.to_string() };
        // SQLite has no other word for a disk on which there is no room for the files beside the database.
        let hint = match self {
            Self::Unavailable(error) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => {
                "; the disk may be full or broken, `usher doctor` says more"
            }
            _ => "",
        };
        format!("{self}: {cause}{hint}")
    }
}

/// An error of a use case that runs inside a write: it may be the store's own, or the use case's refusal.
pub trait WriteError: From<StoreError> {
    /// The store's error inside, if it is one that SQLite caused and not a mere refusal.
    fn store_error(&self) -> Option<&StoreError>;
}

impl WriteError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::UsernameTaken | Self::FormerUsername => None,
            failure => Some(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_disk_says_what_to_look_at() {
        let failed = |code| StoreError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        assert!(failed(rusqlite::ffi::SQLITE_IOERR_SHMSIZE).described().ends_with("`usher doctor` says more"));
        assert!(!failed(rusqlite::ffi::SQLITE_BUSY).described().contains("doctor"));
    }
}
