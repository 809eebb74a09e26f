//! Records which database a write-ahead log was written for. SQLite applies a log to whatever file lies beside it: an
//! older copy that was put in the database's place after a crash would be mixed with the newer log.
//!
//! When the server opens a database without a log, it puts a random mark into the header, where SQLite counts changes
//! of the schema, and the same mark into a file beside it. Checkpoints don't change the mark, and a copy from an
//! earlier run has another one. An orderly stop removes the log and the file.

use std::io::{self, Read, Write};
use std::path::Path;

use rusqlite::Connection;

use crate::platform::files::{self, NewFile};
use crate::store::engine::sqlite::file::with_suffix;

/// The end of the record's name.
pub const SUFFIX: &str = "-log-owner";
/// The bits that changes of the schema count in, such as those of a migration or VACUUM.
const COUNTED_BITS: u32 = 12;

/// Whether a log belongs to the database beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOwner {
    /// There is no record.
    Unknown,
    /// The log was written for this database, or for a copy from the same run.
    ThisDatabase,
    /// The log was written for another database, or for this one in another run.
    Another,
}

/// Compares the record with the schema counter in the header of the database at `path` (SQLite's file format, section
/// 1.3). The header is the file's own, without the log.
pub fn of_log(path: &Path, header: &[u8]) -> LogOwner {
    let recorded = files::read_regular(&with_suffix(path, SUFFIX), 64).ok();
    let recorded = recorded.and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse::<u32>().ok());
    let counter = header.get(40..44).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    match (recorded, counter) {
        (Some(recorded), Some(counter)) if (recorded ^ counter) >> COUNTED_BITS == 0 => LogOwner::ThisDatabase,
        (Some(_), Some(_)) => LogOwner::Another,
        _ => LogOwner::Unknown,
    }
}

/// Marks a database that was opened without a log. If other processes keep the mark from reaching the file, nothing is
/// recorded.
pub fn mark(path: &Path, writer: &Connection) -> io::Result<()> {
    forget(path)?;
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mark = (u32::from_ne_bytes(random) >> 1 >> COUNTED_BITS | 1) << COUNTED_BITS;
    // The checkpoint syncs the log before it writes to the file, so the transaction needs no sync of its own.
    let unsynced = writer.pragma_update(None, "synchronous", "OFF");
    let marked = unsynced.and_then(|()| writer.pragma_update(None, "schema_version", mark));
    let is_in_file = writer
        .pragma_update(None, "synchronous", "FULL")
        .and(marked)
        .and_then(|()| {
            writer.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok(row.get::<_, i64>(0)? == 0 && row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
            })
        })
        .map_err(io::Error::other)?;
    if is_in_file {
        let file = NewFile::create(&with_suffix(path, SUFFIX))?;
        writeln!(file.file(), "{mark}")?;
        // If the machine stops before this is on the disk, the log has no record, and is accepted.
        file.publish_unsynced()?;
    }
    Ok(())
}

/// Removes the record if it isn't of the database at `path`, which has no log: somebody deleted the log with its
/// database.
pub fn forget_former(path: &Path) -> io::Result<()> {
    let mut header = Vec::with_capacity(100);
    files::open_regular(path)?.take(100).read_to_end(&mut header)?;
    if of_log(path, &header) == LogOwner::Another { forget(path) } else { Ok(()) }
}

/// Removes the record if the last connection has removed the log.
pub fn forget_without_log(path: &Path) -> io::Result<()> {
    if with_suffix(path, "-wal").exists() { Ok(()) } else { forget(path) }
}

/// Removes the record. Synced, because an old record that came back would refuse the next log.
pub fn forget(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(with_suffix(path, SUFFIX)) {
        Ok(()) => files::sync_dir(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
