//! Errors of backups and restores, and their progress reports.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::cancel_flag::CancelFlag;
use crate::store::engine::error::{StorageCondition, StoreError};
use crate::store::engine::sqlite::file::OpenError;

/// The stage of a backup or a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupStage {
    /// Copying pages, or unpacking a backup.
    Copying,
    /// Checking the copy. The amount of work is unknown.
    Checking,
    /// Compressing the copy.
    Packing,
}

/// Progress reports and cancellation.
pub struct BackupProgress {
    /// Cancels the work.
    pub stop: CancelFlag,
    /// Receives the stage, the amount done, and the total (0 if unknown).
    pub progress: Box<dyn FnMut(BackupStage, u64, u64) + Send>,
}

impl BackupProgress {
    /// Reports progress, and fails if the work was cancelled.
    pub(crate) fn report(&mut self, stage: BackupStage, done: u64, whole: u64) -> Result<(), StepError> {
        (self.progress)(stage, done, whole);
        if self.stop.is_cancelled() { Err(StepError::Stopped) } else { Ok(()) }
    }
}

/// Why a backup or a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file can't be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// The disk is full.
    #[error(
        "the disk is full: {0} needs the database's size again until it is compressed; free some space, or choose another place"
    )]
    NoRoom(PathBuf),
    /// The path is a directory.
    #[error("{0} is a directory; name a file in it, such as {example}", example = .0.join("usher.db.gz").display())]
    Directory(PathBuf),
    /// The database is damaged.
    #[error("{path} is damaged ({fault}); no backup was made; restore one, and see `usher doctor`")]
    Unsound {
        /// Which file.
        path: PathBuf,
        /// The first error that SQLite found.
        fault: String,
    },
    /// The backup is damaged.
    #[error("{path} is damaged ({fault}); nothing was changed; use another backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The first error found.
        fault: String,
    },
    /// The file isn't a backup.
    #[error("{0} is not a backup of usher; nothing was changed")]
    NotABackup(PathBuf),
    /// The file isn't usher's database, or a newer usher wrote it.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The work was cancelled.
    #[error("stopped; nothing was changed")]
    Stopped,
    /// SQLite failed.
    #[error("{path}: {}", cause.described())]
    Store {
        /// Which database.
        path: PathBuf,
        /// SQLite's error.
        cause: StoreError,
    },
}

/// Wraps an I/O error about the file at `path`.
pub fn io_error(path: &Path, cause: io::Error) -> BackupError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BackupError::NoRoom(path.to_owned()),
        _ => BackupError::Io { path: path.to_owned(), cause },
    }
}

/// Wraps an error of SQLite while copying the database at `path` to `target`.
pub fn store_error(path: &Path, target: &Path, cause: impl Into<StoreError>) -> BackupError {
    let cause = cause.into();
    match cause.condition() {
        StorageCondition::DiskFull => BackupError::NoRoom(target.to_owned()),
        StorageCondition::Damaged => BackupError::Unsound { path: path.to_owned(), fault: cause.described() },
        _ => BackupError::Store { path: path.to_owned(), cause },
    }
}

/// Why a step failed.
pub(crate) enum StepError {
    Stopped,
    Damaged(String),
    Sqlite(rusqlite::Error),
    Io(io::Error),
}

impl From<rusqlite::Error> for StepError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<io::Error> for StepError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
