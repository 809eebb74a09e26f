//! Detects that the database files were deleted or replaced while they were open. SQLite would keep writing to unlinked
//! files, which are lost when the process ends; no such write may be acknowledged. Without the log's index (`-shm`),
//! the next process makes one of its own, and the two overwrite what the other writes to the log.

use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{self, FileId};
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::file::with_suffix;

/// The identities of the database, its write-ahead log and the log's index at opening.
pub struct OpenFiles {
    database: PathBuf,
    files: Vec<(PathBuf, FileId)>,
    /// Stays set: what happened in between is unknown.
    replaced: bool,
}

impl OpenFiles {
    /// Records the files of the open database at `path`.
    pub fn of(path: &Path) -> Self {
        let paths = [path.to_owned(), with_suffix(path, "-wal"), with_suffix(path, "-shm")];
        let files = paths.into_iter().filter_map(|path| platform::file_id(&path).ok().map(|id| (path, id))).collect();
        Self { database: path.to_owned(), files, replaced: false }
    }

    /// The database's path.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Checks that the files are still in place: three `stat` calls per group of writes.
    ///
    /// # Errors
    /// Returns [`StoreError::Replaced`] from the first time that a file is missing or another one.
    pub fn check(&mut self) -> Result<(), StoreError> {
        if self.replaced {
            return Err(StoreError::Replaced);
        }
        for (path, opened) in &self.files {
            match platform::file_id(path) {
                Ok(found) if found == *opened => {}
                // The file can't be examined right now, which doesn't mean that it is gone.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::Replaced),
                _ => {
                    self.replaced = true;
                    log::error!(
                        "{} was deleted or replaced while usher ran; usher refuses all writes until you restart it",
                        path.display()
                    );
                    return Err(StoreError::Replaced);
                }
            }
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_replaced_stays_so_even_when_it_is_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let (path, away) = (dir.path().join("db"), dir.path().join("away"));
        std::fs::write(&path, "").unwrap();
        let mut files = OpenFiles::of(&path);
        files.check().unwrap();
        std::fs::rename(&path, &away).unwrap();
        assert!(matches!(files.check(), Err(StoreError::Replaced)));
        std::fs::rename(&away, &path).unwrap();
        assert!(matches!(files.check(), Err(StoreError::Replaced)));
    }
}
