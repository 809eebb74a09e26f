//! Temporary files beside a backup or a database.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::platform;
use crate::store::backup::error::{BackupError, io_error};
use crate::store::engine::sqlite::file::with_suffix;

/// A temporary file, deleted on drop.
pub(crate) struct TemporaryFile {
    pub path: PathBuf,
    /// Locked, so that no other process uses the same file.
    _lock: Option<File>,
}

impl TemporaryFile {
    /// Creates an empty file for `target` that only its owner can read. SQLite has locks of its own: set `locked` only
    /// for other files.
    pub fn new(path: PathBuf, target: &Path, locked: bool) -> Result<Self, BackupError> {
        let failed = |cause| io_error(target, cause);
        let file = platform::create_private(&path).map_err(failed)?;
        if locked && matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
            return Err(BackupError::UnderWay(target.to_owned()));
        }
        let cleared = file.set_len(0);
        let scratch = Self { path, _lock: locked.then_some(file) };
        cleared.map_err(failed)?;
        Ok(scratch)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // It may not exist, or was renamed.
            let _ = fs::remove_file(with_suffix(&self.path, suffix));
        }
    }
}
