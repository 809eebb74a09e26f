//! The database file: creates it with its mode, refuses files of other programs without touching them, and migrates it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::platform::files::{self, NewFile};
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::log_owner::{self, LogOwner};
use crate::store::engine::sqlite::open;
use crate::store::engine::sqlite::schema::{self, APPLICATION_ID, VERSION};

/// The database's name in the data directory.
pub const DATABASE_FILE: &str = "usher.db";

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Why a database couldn't be opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its directory can't be read or written.
    #[error("{path}: {cause}; make it readable and writable for usher")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// The file isn't a SQLite database.
    #[error("{0} is not a SQLite database; move it away, or choose another data directory")]
    NotSqlite(PathBuf),
    /// The file is another program's database.
    #[error("{0} is another program's SQLite database; move it away, or choose another data directory")]
    NotOurs(PathBuf),
    /// The file was written by a newer usher.
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
    /// The log beside the file was written for another file. SQLite would apply it without a word.
    #[error(
        "{} was written for another database than the {DATABASE_FILE} beside it, which was replaced; \
         delete it to use {DATABASE_FILE} as it is, or put the former {DATABASE_FILE} back",
        with_suffix(.0, "-wal").display()
    )]
    ForeignLog(PathBuf),
    /// The log beside the file was written for the file that was there before, or for this one before it was replaced.
    #[error(
        "{} was written for another {DATABASE_FILE} than the one beside it, such as a newer one; \
         delete it to use {DATABASE_FILE} as it is, put the former {DATABASE_FILE} back, \
         or, if you are sure that the two belong together, delete {}",
        with_suffix(.0, "-wal").display(), with_suffix(.0, log_owner::SUFFIX).display()
    )]
    LogOfFormer(PathBuf),
    /// The file doesn't exist.
    #[error("{0} does not exist; start the server once, or choose the data directory that it uses")]
    Missing(PathBuf),
    /// SQLite couldn't open or migrate it.
    #[error("{path}: {}", cause.described())]
    Store {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        cause: StoreError,
    },
}

/// Returns whether there is a database of usher's at `path`. It reads only the header (SQLite's file format, section
/// 1.3): a file that isn't ours must not be touched, not even by a lock.
pub fn check_header(path: &Path) -> Result<bool, OpenError> {
    let failed = |cause| OpenError::Io { path: path.to_owned(), cause };
    let mut file = match files::open_regular(path) {
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
        // A start that was interrupted before its first commit leaves a file without tables, which counts as empty.
        return if version == 0 && is_without_tables(path) {
            Ok(true)
        } else {
            Err(OpenError::NotOurs(path.to_owned()))
        };
    }
    if version > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found: version });
    }
    // A database gets its mark of WAL mode before its first log. usher's backups don't have it.
    if has_log(path) {
        if header.get(18..20) != Some(&[2, 2]) {
            return Err(OpenError::ForeignLog(path.to_owned()));
        }
        if log_owner::of_log(path, &header) == LogOwner::Another {
            return Err(OpenError::LogOfFormer(path.to_owned()));
        }
    }
    Ok(true)
}

/// Whether there is a write-ahead log that SQLite would apply.
pub fn has_log(path: &Path) -> bool {
    std::fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0)
}

fn is_without_tables(path: &Path) -> bool {
    open::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|connection| connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))
        .is_ok_and(|tables: i64| tables == 0)
}

/// Creates a database that only its owner can read; SQLite gives the log and its index the same mode. The file is
/// completed under another name and then renamed, so that a power cut leaves either no database or a complete one.
pub fn create(path: &Path) -> Result<(), OpenError> {
    let failed = |cause| OpenError::Io { path: path.to_owned(), cause };
    // Remove a log without a database: SQLite would apply it to the new one.
    for old in ["-wal", "-journal", log_owner::SUFFIX].map(|suffix| with_suffix(path, suffix)) {
        match std::fs::remove_file(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let file = NewFile::create(path).map_err(failed)?;
    write_schema(file.temporary_path()).map_err(|cause| OpenError::Store { path: path.to_owned(), cause })?;
    file.publish().map_err(failed)
}

/// Writes the schema into a temporary file. A crash discards the file, so nothing needs a journal or a sync.
fn write_schema(path: &Path) -> Result<(), StoreError> {
    let connection = open::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "journal_mode", "MEMORY")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    schema::migrate(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.close().map_err(|(_, error)| error.into())
}

/// Returns the name of a file beside the database, such as `usher.db-wal`.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Restricts the database and its log to their owner, and makes sure that the database can be written. They may have
/// been copied here with another mode.
pub fn make_private(path: &Path) -> Result<(), OpenError> {
    for file in [path.to_owned(), with_suffix(path, "-wal"), with_suffix(path, "-shm")] {
        match files::make_private(&file) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(OpenError::Io { path: file, cause }),
            _ => {}
        }
    }
    // SQLite would open it for reading only, and fail later.
    if files::is_writable(path) {
        Ok(())
    } else {
        Err(OpenError::Io { path: path.to_owned(), cause: io::ErrorKind::PermissionDenied.into() })
    }
}

/// Returns the schema version of the database at `path`, which another process may have open.
pub fn schema_version(path: &Path) -> Result<u32, StoreError> {
    schema::version(&open::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

/// Migrates the open database at `path` to the current schema. A copy of an older file is kept beside it, named after
/// its version.
pub fn migrate(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |cause: StoreError| OpenError::Store { path: path.to_owned(), cause };
    let found = schema::version(connection).map_err(failed)?;
    if found > VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found });
    }
    if (1..VERSION).contains(&found) {
        let copy = path.with_file_name(format!("{DATABASE_FILE}.version-{found}"));
        let unwritable = |cause| OpenError::Io { path: copy.clone(), cause };
        let file = NewFile::create(&copy).map_err(unwritable)?;
        connection
            .backup("main", file.temporary_path(), None::<fn(rusqlite::backup::Progress)>)
            .map_err(|error| failed(error.into()))?;
        file.publish().map_err(unwritable)?;
        log::info!("Kept a copy of the database from before the migration: {}", copy.display());
    }
    schema::migrate(connection).map_err(failed)
}
