//! A database that isn't complete yet, or only needed for a while.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::platform::files::NewFile;
use crate::store::engine::sqlite::file::with_suffix;

/// A private file for a database, deleted on drop with the files that SQLite puts beside it.
pub struct TemporaryDatabase {
    file: NewFile,
    _siblings: Siblings,
}

struct Siblings(PathBuf);

impl Drop for Siblings {
    fn drop(&mut self) {
        for suffix in ["-wal", "-shm", "-journal"] {
            // Some of these don't exist.
            let _ = fs::remove_file(with_suffix(&self.0, suffix));
        }
    }
}

impl TemporaryDatabase {
    /// Creates an empty file beside `target`.
    pub fn create(target: &Path) -> io::Result<Self> {
        let file = NewFile::create(target)?;
        let siblings = Siblings(file.temporary_path().to_owned());
        Ok(Self { file, _siblings: siblings })
    }

    /// The file, for the bytes of a database.
    pub fn file(&self) -> &fs::File {
        self.file.file()
    }

    /// The path, for SQLite.
    pub fn path(&self) -> &Path {
        self.file.temporary_path()
    }

    /// Syncs the file and moves it to its target.
    pub fn publish(self) -> io::Result<()> {
        self.file.publish()
    }
}
