//! Owns the knowledge of which files were opened, so that nothing is acknowledged once somebody deleted or replaced
//! them under the server: SQLite would go on writing to files that no name leads to, and that end with the process.

use std::io;
use std::path::{Path, PathBuf};

use crate::platform::{self, FileId};
use crate::store::engine::error::StoreError;
use crate::store::engine::file::suffixed;

/// The database and its write-ahead log, as they were when they were opened.
pub struct OpenFiles {
    files: Vec<(PathBuf, FileId)>,
    /// Once so, always so: what came and went in between nobody knows.
    replaced: bool,
}

impl OpenFiles {
    /// Notes the files of the database at `path`, which is open, and its log with it.
    pub fn of(path: &Path) -> Self {
        let paths = [path.to_owned(), suffixed(path, "-wal")];
        let files = paths.into_iter().filter_map(|path| platform::file_id(&path).ok().map(|id| (path, id))).collect();
        Self { files, replaced: false }
    }

    /// Whether they are still there; two looks at the file system, for each group of writes and not for each write.
    ///
    /// # Errors
    /// [`StoreError::Replaced`] from the first time that they are not.
    pub fn check(&mut self) -> Result<(), StoreError> {
        if self.replaced {
            return Err(StoreError::Replaced);
        }
        for (path, opened) in &self.files {
            match platform::file_id(path) {
                Ok(found) if found == *opened => {}
                // Not to be seen right now, which need not mean that it is gone.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::Replaced),
                _ => {
                    self.replaced = true;
                    log::error!(
                        "{} was deleted or replaced while usher ran: nothing is written from now on; restart usher",
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
