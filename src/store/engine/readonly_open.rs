//! Owns how the database of another program is opened so that nothing is written there, not even the files that SQLite
//! makes beside a database in order to read it. Must not know what is in it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use url::Url;

use crate::platform;
use crate::store::engine::file::suffixed;

/// How long to wait while the other program writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An open database, and the copy that it may be of.
pub struct ReadonlyDatabase {
    pub connection: Connection,
    /// Removed with it.
    _copy: Option<Copy>,
}

/// Why it is not opened.
#[derive(Debug)]
pub enum ReadonlyOpenError {
    Io(io::Error),
    Sqlite(rusqlite::Error),
}

impl From<io::Error> for ReadonlyOpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for ReadonlyOpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A private copy in a directory of ours.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // Not all of them are there.
            let _ = fs::remove_file(suffixed(&self.0, suffix));
        }
    }
}

/// Opens the database at `path` at one moment of its life: what is read from now on is of that moment. `spare` is a
/// directory for a copy, where one is needed.
pub fn open(path: &Path, spare: &Path) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    // A pipe would be waited for.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no file but something else").into());
    }
    let log = suffixed(path, "-wal");
    let has = |suffix: &str| suffixed(path, suffix).exists();
    let logged = fs::metadata(&log).is_ok_and(|found| found.len() > 0);
    // Whoever uses a write-ahead log keeps its index beside it. Without one nobody does: a file without a log is all
    // there is to read, and one with a log was left by a program that was cut off.
    if uses_log(path)? && !has("-shm") {
        return if logged { copied(path, spare) } else { immutable(path) };
    }
    shared(path).or_else(|error| match error {
        // A journal that must be undone first.
        ReadonlyOpenError::Sqlite(cause) if may_be_copied(&cause) && has("-journal") => copied(path, spare),
        other => Err(other),
    })
}

fn may_be_copied(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Whether the file's header says that it is written by way of a write-ahead log (file format, section 1.3).
fn uses_log(path: &Path) -> io::Result<bool> {
    let mut header = Vec::with_capacity(20);
    File::open(path)?.take(20).read_to_end(&mut header)?;
    Ok(header.get(18..20) == Some(&[2, 2]))
}

/// Beside the program that has it open, by its locks.
fn shared(path: &Path) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    begun(connection, None)
}

/// As a file that nobody writes.
fn immutable(path: &Path) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    let unusual = || io::Error::new(io::ErrorKind::InvalidInput, "the path cannot be written as a URL");
    let mut url = Url::from_file_path(std::path::absolute(path)?).map_err(|()| unusual())?;
    url.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    begun(Connection::open_with_flags(url.as_str(), flags)?, None)
}

/// A copy with its log or journal, which SQLite may then work on.
fn copied(path: &Path, spare: &Path) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    let copy = Copy(spare.join(format!("import-{}.copy", std::process::id())));
    for suffix in ["", "-wal", "-journal"] {
        let (from, to) = (suffixed(path, suffix), suffixed(&copy.0, suffix));
        if from.exists() {
            // Not fs::copy, which copies the mode as well.
            let mut out = platform::create_private(&to)?;
            out.set_len(0)?;
            io::copy(&mut File::open(&from)?, &mut out)?;
        }
    }
    let connection = Connection::open_with_flags(&copy.0, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    begun(connection, Some(copy))
}

fn begun(connection: Connection, copy: Option<Copy>) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    Ok(ReadonlyDatabase { connection, _copy: copy })
}
