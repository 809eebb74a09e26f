//! The store's errors. Constraint violations become named variants here, so that no caller reads SQLite's codes.

use std::sync::Arc;

use rusqlite::ErrorCode;
use rustls::CertificateError;
use tokio_postgres::error::SqlState;

/// What the engine reported.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Cause {
    /// An error of SQLite.
    #[error(transparent)]
    Sqlite(Arc<rusqlite::Error>),
    /// An error of PostgreSQL, or of the connection to it.
    #[error("{}", message(.0))]
    Postgres(Arc<tokio_postgres::Error>),
}

/// PostgreSQL's own message; the driver's names only the kind of error.
fn message(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || match std::error::Error::source(error) {
            Some(cause) => certificate_problem(cause).map_or_else(|| format!("{error}: {cause}"), ToOwned::to_owned),
            None => error.to_string(),
        },
        |error| error.message().to_owned(),
    )
}

/// The usual problems with a certificate, for which the TLS library has only technical terms.
fn certificate_problem(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let cause = cause.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(problem) = cause else { return None };
    match problem {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Some(
            "PostgreSQL's certificate isn't trusted; name the file of its certificate authority with \
             `?sslrootcert=FILE`",
        ),
        CertificateError::Other(_) if format!("{problem:?}").contains("CaUsedAsEndEntity") => Some(
            "PostgreSQL's certificate is that of an authority; give the server one with \
             `basicConstraints=CA:FALSE`",
        ),
        _ => None,
    }
}

impl Cause {
    fn sqlite_code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Postgres(_) => None,
        }
    }
}

/// An error of the store. Cheap to clone, because one failed commit is the answer to many writes.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another user has this name, in some case or Unicode form.
    #[error("the user name is taken")]
    UsernameTaken,
    /// Another user had this name before. Sites behind the proxy would take its new holder for the former one.
    #[error("the user name belonged to another user")]
    FormerUsername,
    /// The queue is full; try again in a moment.
    #[error("the queue to the database is full")]
    Overloaded,
    /// The store is closed, or a closure panicked.
    #[error("the database is closed")]
    Stopped,
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull(#[source] Cause),
    /// The database can't be used right now: it is locked by another process, read-only, or on a failing disk.
    #[error("the database can't be used right now")]
    Unavailable(#[source] Cause),
    /// The database file was deleted or replaced while it was open. Only a restart helps.
    #[error("the database file was deleted or replaced while it was open; restart usher")]
    Replaced,
    /// A connection pool couldn't open its connections.
    #[error("the connections to the database couldn't be opened")]
    Pool(#[source] Arc<r2d2::Error>),
    /// PostgreSQL didn't answer in time. It may or may not have run the statement.
    #[error("PostgreSQL didn't answer in time")]
    NoAnswer,
    /// PostgreSQL committed, but warned that a standby may lack it.
    #[error("PostgreSQL committed without waiting for its standby")]
    NotReplicated,
    /// The system has no resources for a connection.
    #[error("a connection can't be opened")]
    System(#[source] Arc<std::io::Error>),
    /// Any other error of the engine.
    #[error("the database reported an error")]
    Engine(#[source] Cause),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let error = Cause::Sqlite(Arc::new(error));
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
            _ => Self::Engine(error),
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let code = error.code().cloned();
        let error = Cause::Postgres(Arc::new(error));
        // Without a code it is an error of the connection.
        let Some(code) = code else { return Self::Unavailable(error) };
        match code {
            SqlState::DISK_FULL => Self::DiskFull(error),
            SqlState::LOCK_NOT_AVAILABLE
            | SqlState::READ_ONLY_SQL_TRANSACTION
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            | SqlState::TOO_MANY_CONNECTIONS => Self::Unavailable(error),
            // Connection exceptions, invalid authorization, missing databases, operator intervention, system errors.
            code if ["08", "28", "3D", "57", "58"].contains(&&code.code()[..2]) => Self::Unavailable(error),
            _ => Self::Engine(error),
        }
    }
}

/// The operator's view of a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageCondition {
    /// The disk is full.
    DiskFull,
    /// Another process holds the lock.
    Locked,
    /// The file or its file system is read-only.
    ReadOnly,
    /// PostgreSQL can't be reached, or refuses to work.
    Unreachable,
    /// The disk reports an I/O error.
    Disk,
    /// The file was deleted or replaced while the server ran.
    Replaced,
    /// The file is corrupt.
    Damaged,
    /// The queue is full.
    Busy,
    /// Something else; see the log.
    Other,
}

impl StoreError {
    /// Reports whether this is a violation of the unique column `table.column`.
    pub fn violates_unique(&self, column: &str) -> bool {
        match self {
            Self::Engine(Cause::Sqlite(error)) => matches!(&**error, rusqlite::Error::SqliteFailure(code, Some(text))
                if code.code == ErrorCode::ConstraintViolation && text.ends_with(column)),
            Self::Engine(Cause::Postgres(error)) => error
                .as_db_error()
                .is_some_and(|error| *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some(column)),
            _ => false,
        }
    }

    /// Reports whether PostgreSQL's connection must be replaced: it is lost, or leads to a server that can't write.
    pub fn loses_connection(&self) -> bool {
        match self {
            Self::NoAnswer | Self::NotReplicated => true,
            Self::Unavailable(Cause::Postgres(error)) => error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE),
            _ => false,
        }
    }

    /// Returns the condition to show an operator.
    pub fn condition(&self) -> StorageCondition {
        match self {
            Self::DiskFull(_) => StorageCondition::DiskFull,
            Self::Overloaded => StorageCondition::Busy,
            Self::Replaced => StorageCondition::Replaced,
            Self::Unavailable(Cause::Postgres(_)) | Self::Pool(_) | Self::NoAnswer | Self::NotReplicated => {
                StorageCondition::Unreachable
            }
            Self::Unavailable(error) | Self::Engine(error) => match error.sqlite_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
                    StorageCondition::Locked
                }
                Some(ErrorCode::ReadOnly) => StorageCondition::ReadOnly,
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => StorageCondition::Disk,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StorageCondition::Damaged,
                _ => StorageCondition::Other,
            },
            Self::UsernameTaken | Self::FormerUsername | Self::Stopped | Self::System(_) => StorageCondition::Other,
        }
    }

    /// Returns the error with its cause. For the log only: clients must not see causes.
    pub fn described(&self) -> String {
        let cause = match (self, std::error::Error::source(self)) {
            // SQLite says the same again.
            (Self::DiskFull(_), _) | (_, None) => return self.to_string(),
            (_, Some(cause)) => cause,
        };
        // SQLite reports the same error when the disk has no room for the files beside the database.
        let hint = match self {
            Self::Unavailable(error) if error.sqlite_code() == Some(ErrorCode::SystemIoFailure) => {
                "; the disk may be full or broken, `usher doctor` says more"
            }
            _ => "",
        };
        format!("{self}: {cause}{hint}")
    }
}

/// The error type of a write closure: either the store's error or the use case's refusal.
pub trait WriteError: From<StoreError> {
    /// Returns the store's error inside, unless it is a mere refusal such as a taken name.
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
    fn a_disk_error_says_what_to_check() {
        let failed = |code| StoreError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
        assert!(failed(rusqlite::ffi::SQLITE_IOERR_SHMSIZE).described().ends_with("`usher doctor` says more"));
        assert!(!failed(rusqlite::ffi::SQLITE_BUSY).described().contains("doctor"));
    }
}
