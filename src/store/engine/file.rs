//! Owns the database file before SQLite sees it: makes it with its mode, and refuses what is not ours without
//! touching it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::store::engine::error::StoreError;
use crate::store::engine::schema::{self, APPLICATION_ID, VERSION};

/// The database's name in the data directory.
pub const DATABASE_FILE: &str = "usher.db";

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Why a database is not opened; each reads as one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its directory cannot be read or written.
    #[error("{path}: {cause}; usher must be able to read and write it")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// It is some other kind of file.
    #[error("{0} is not a SQLite database; move it away, or choose another data directory")]
    NotSqlite(PathBuf),
    /// It is some other program's database.
    #[error("{0} is a SQLite database, but not one of usher's; move it away, or choose another data directory")]
    NotOurs(PathBuf),
    /// It was written by a newer usher.
    #[error(
        "{path} has schema version {found}, and this usher knows versions up to {VERSION}; \
         start the newer usher that wrote it, or restore a backup made before the update"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its schema version.
        found: u32,
    },
    /// There is no database, where one was expected.
    #[error("{0} does not exist; start the server once, or choose the data directory that it uses")]
    Missing(PathBuf),
    /// SQLite could not open it or bring its schema up to date.
    #[error("{path}: {}", cause.described())]
    Store {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        cause: StoreError,
    },
}

/// What is at `path`, judged by the file's header alone (SQLite's file format, section 1.3), so that a file which
/// is not ours is not touched, not even by a lock.
pub fn check_header(path: &Path) -> Result<bool, OpenError> {
    let failed = |cause| OpenError::Io { path: path.to_owned(), cause };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    let mut header = Vec::with_capacity(100);
    file.by_ref().take(100).read_to_end(&mut header).map_err(failed)?;
    if header.is_empty() {
        return Ok(true);
    }
    let word = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let (Some(version), Some(application)) = (word(60), word(68)) else {
        return Err(OpenError::NotSqlite(path.to_owned()));
    };
    if !header.starts_with(MAGIC) {
        return Err(OpenError::NotSqlite(path.to_owned()));
    }
    if application != APPLICATION_ID.cast_unsigned() {
        // A start that was cut off before its first commit leaves a file without tables, which is as good as none.
        return if version == 0 && is_without_tables(path) {
            Ok(true)
        } else {
            Err(OpenError::NotOurs(path.to_owned()))
        };
    }
    if version > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found: version });
    }
    Ok(true)
}

fn is_without_tables(path: &Path) -> bool {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    Connection::open_with_flags(path, flags)
        .and_then(|connection| connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))
        .is_ok_and(|tables: i64| tables == 0)
}

/// Makes a new database that only its owner can read; SQLite gives its log and index the same mode. It is made whole
/// under another name and then renamed, so that a power cut leaves either no database or a sound one: half a header
/// could not be told from a file that is not ours.
pub fn create(path: &Path) -> Result<(), OpenError> {
    let beside = path.with_file_name(format!("{DATABASE_FILE}.new"));
    let failed = |cause| OpenError::Io { path: path.to_owned(), cause };
    // What an earlier start left, and a log whose database is gone: SQLite would take it for the new one's.
    for old in [&beside, &suffixed(&beside, "-journal"), &suffixed(path, "-wal"), &suffixed(path, "-journal")] {
        match std::fs::remove_file(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let file = crate::platform::create_private(&beside).map_err(failed)?;
    fill(&beside).map_err(|cause| OpenError::Store { path: path.to_owned(), cause })?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)?;
    path.parent().map_or(Ok(()), crate::platform::sync_dir).map_err(failed)
}

/// Writes the schema into an empty file that may still be thrown away, so that nothing needs to be undone or synced.
fn fill(path: &Path) -> Result<(), StoreError> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    schema::bring_up_to_date(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.close().map_err(|(_, error)| error.into())
}

/// The name that SQLite gives to a file beside the database.
pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes the database and its log from everybody but its owner, as somebody may have copied them here.
pub fn make_private(path: &Path) -> Result<(), OpenError> {
    for file in [path.to_owned(), suffixed(path, "-wal"), suffixed(path, "-shm")] {
        match crate::platform::make_private(&file) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(OpenError::Io { path: file, cause }),
            _ => {}
        }
    }
    Ok(())
}

/// The schema's version of the database at `path`, which another process has open.
pub fn schema_version(path: &Path) -> Result<u32, StoreError> {
    schema::version(&Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

/// Brings the open database at `path` to the present schema; before an older one is changed, a copy of it is kept
/// beside it, named after its version.
pub fn bring_up_to_date(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |cause: StoreError| OpenError::Store { path: path.to_owned(), cause };
    let found = schema::version(connection).map_err(failed)?;
    if found > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found });
    }
    if (1..VERSION).contains(&found) {
        let copy = path.with_file_name(format!("{DATABASE_FILE}.version-{found}"));
        crate::platform::create_private(&copy)
            .and_then(|_| crate::platform::give_to_owner_of_dir(&copy))
            .map_err(|cause| OpenError::Io { path: copy.clone(), cause })?;
        connection
            .backup("main", &copy, None::<fn(rusqlite::backup::Progress)>)
            .map_err(|error| failed(error.into()))?;
        log::info!("{} is kept as it was before the update", copy.display());
    }
    schema::bring_up_to_date(connection).map_err(failed)
}
