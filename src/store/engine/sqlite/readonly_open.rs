//! Opens another program's SQLite database without writing anything there, not even the files that SQLite creates
//! beside a database to read it.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rusqlite::{ErrorCode, OpenFlags};
use url::Url;

use crate::platform::files;
use crate::store::engine::sqlite::file::with_suffix;
use crate::store::engine::sqlite::open;
use crate::store::engine::sqlite::temporary_database::TemporaryDatabase;

/// How long SQLite waits for the other program's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An open database, possibly a private copy of the original.
pub struct ReadonlyDatabase {
    pub connection: rusqlite::Connection,
    /// Deleted on drop, after the connection.
    pub copy: Option<TemporaryDatabase>,
}

/// Why a database couldn't be opened.
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

/// Opens the database at `path` and starts a read transaction, so that all reads see one moment. The path must not
/// contain links. `scratch` is a directory for a copy, if one is needed.
pub fn open(path: &Path, scratch: &Path) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    let uses_log = uses_log(path)?;
    let log = with_suffix(path, "-wal");
    let has = |suffix: &str| with_suffix(path, suffix).exists();
    let logged = fs::metadata(&log).is_ok_and(|found| found.len() > 0);
    // A program that has a WAL database open keeps the `-shm` file beside it. Without that file no program has it open:
    // if there is no log, the file is complete; if there is one, the last program crashed.
    if uses_log && !has("-shm") {
        return if logged { open_copy(path, scratch) } else { open_immutable(path) };
    }
    open_shared(path).or_else(|error| match error {
        // A hot journal must be rolled back first.
        ReadonlyOpenError::Sqlite(cause) if may_be_copied(&cause) && has("-journal") => open_copy(path, scratch),
        other => Err(other),
    })
}

fn may_be_copied(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Reports whether the header says WAL mode (file format, section 1.3).
fn uses_log(path: &Path) -> io::Result<bool> {
    let mut header = Vec::with_capacity(20);
    files::open_regular(path)?.take(20).read_to_end(&mut header)?;
    Ok(header.get(18..20) == Some(&[2, 2]))
}

/// Opens the file with SQLite's locks, beside the program that has it open.
fn open_shared(path: &Path) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    let connection = open::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    begin_read(connection, None)
}

/// Opens a file that no program writes.
fn open_immutable(path: &Path) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    let unusual = || io::Error::new(io::ErrorKind::InvalidInput, "the path can't be written as a URL");
    let mut url = Url::from_file_path(std::path::absolute(path)?).map_err(|()| unusual())?;
    url.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    begin_read(open::open(Path::new(url.as_str()), flags)?, None)
}

/// Copies the file with its log or journal, and lets SQLite recover the copy.
fn open_copy(path: &Path, scratch: &Path) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    let copy = TemporaryDatabase::create(&scratch.join("copy"))?;
    io::copy(&mut files::open_regular(path)?, &mut copy.file())?;
    for suffix in ["-wal", "-journal"] {
        let from = with_suffix(path, suffix);
        if from.exists() {
            files::copy_private(&from, &with_suffix(copy.path(), suffix))?;
        }
    }
    let connection = open::open(copy.path(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    begin_read(connection, Some(copy))
}

fn begin_read(
    connection: rusqlite::Connection,
    copy: Option<TemporaryDatabase>,
) -> Result<ReadonlyDatabase, ReadonlyOpenError> {
    connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    Ok(ReadonlyDatabase { connection, copy })
}
