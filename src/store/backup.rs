//! Owns copies of the database: a whole and checked one from a file that is being written, compressed; and a copy put
//! in the database's place. Every file appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::audit;
use super::error::StoreError;
use super::file::{self, DATABASE_FILE, OpenError, suffixed};
use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::platform;

/// Pages between two looks at the progress: about a megabyte.
const STEP: i32 = 256;

/// Why there is no copy, or why it does not take the database's place.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Something is there that must not be overwritten.
    #[error("{0} exists; move it away, or choose another name")]
    Exists(PathBuf),
    /// The copy is damaged.
    #[error("{path} is damaged ({fault}); nothing was changed; use another backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite found first.
        fault: String,
    },
    /// It is no database of usher's, or one of a newer usher.
    #[error(transparent)]
    Foreign(#[from] OpenError),
    /// SQLite failed.
    #[error("{}", .0.described())]
    Store(StoreError),
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Removes a file that is only a step on the way, however the way ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        for path in
            [self.0.clone(), suffixed(&self.0, "-wal"), suffixed(&self.0, "-shm"), suffixed(&self.0, "-journal")]
        {
            // It may never have been made, or have been renamed.
            let _ = fs::remove_file(path);
        }
    }
}

/// Copies the open database as it is at this moment to a new file, checks the copy and compresses it. `progress` is
/// told of pages done and pages in all.
pub fn make(connection: &Connection, target: &Path, mut progress: impl FnMut(i32, i32)) -> Result<(), BackupError> {
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let copy = Scratch(suffixed(target, ".copy"));
    let packed = Scratch(suffixed(target, ".new"));
    let failed = |cause| BackupError::Io { path: target.to_owned(), cause };
    for scratch in [&copy, &packed] {
        platform::create_private(&scratch.0).and_then(|file| file.set_len(0)).map_err(failed)?;
    }
    // One snapshot for all steps: without it every write of the server would make the copy begin anew.
    connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    let copied = pages(connection, &copy.0, &mut progress);
    connection.execute_batch("COMMIT")?;
    copied?;
    check(&copy.0, target)?;
    let pack = || -> io::Result<()> {
        let out = File::options().write(true).open(&packed.0)?;
        let mut encoder = GzEncoder::new(BufWriter::new(out), Compression::fast());
        io::copy(&mut BufReader::with_capacity(1 << 20, File::open(&copy.0)?), &mut encoder)?;
        encoder.finish()?.into_inner()?.sync_all()?;
        fs::rename(&packed.0, target)?;
        std::path::absolute(target)?.parent().map_or(Ok(()), platform::sync_dir)
    };
    pack().map_err(failed)
}

fn pages(from: &Connection, to: &Path, progress: &mut impl FnMut(i32, i32)) -> Result<(), BackupError> {
    let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    {
        let backup = Backup::new(from, &mut copy)?;
        loop {
            let outcome = backup.step(STEP)?;
            let state = backup.progress();
            progress(state.pagecount - state.remaining, state.pagecount);
            match outcome {
                rusqlite::backup::StepResult::Done => break,
                rusqlite::backup::StepResult::More => {}
                // Nobody else has the copy open, and readers of a write-ahead log do not wait.
                _ => return Err(BackupError::Store(StoreError::Overloaded)),
            }
        }
    }
    // One file, without a log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// That the database at `path`, which `shown` stands for, is ours and sound.
fn check(path: &Path, shown: &Path) -> Result<(), BackupError> {
    file::check_header(path)?;
    let damaged = |fault: String| BackupError::Damaged { path: shown.to_owned(), fault };
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let found: rusqlite::Result<String> = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    match found {
        Ok(word) if word == "ok" => Ok(()),
        Ok(fault) => Err(damaged(fault)),
        Err(error) => Err(damaged(error.to_string())),
    }
}

/// Puts a backup in the place of the database in `data_dir`, whose lock the caller holds; the database that was there
/// is kept under the name that is returned. Sessions and reset links of the backup are ended: some of them had been
/// ended since.
pub fn restore(backup: &Path, data_dir: &Path, event: &Event, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    let path = data_dir.join(DATABASE_FILE);
    let unpacked = Scratch(suffixed(&path, ".restored"));
    let failed = |at: &Path| {
        let at = at.to_owned();
        move |cause| BackupError::Io { path: at, cause }
    };
    unpack(backup, &unpacked.0)?;
    check(&unpacked.0, backup)?;
    platform::give_to_owner_of_dir(&unpacked.0).map_err(failed(&unpacked.0))?;
    let connection = Connection::open_with_flags(&unpacked.0, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.execute_batch("BEGIN; DELETE FROM sessions; DELETE FROM reset_links")?;
    audit::record(&connection, event, now)?;
    connection.execute_batch("COMMIT")?;
    audit::log_lines();
    connection.close().map_err(|(_, error)| error)?;
    File::open(&unpacked.0).and_then(|file| file.sync_all()).map_err(failed(&unpacked.0))?;

    let kept = if path.exists() { Some(keep(&path, now)?) } else { None };
    // A log must never meet a database that it was not written for.
    for beside in ["-wal", "-shm"].map(|suffix| suffixed(&path, suffix)) {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&beside)(error)),
            _ => {}
        }
    }
    fs::rename(&unpacked.0, &path).and_then(|()| platform::sync_dir(data_dir)).map_err(failed(&path))?;
    Ok(kept)
}

/// A second name for the database that is replaced, with its log folded in or, if that fails, kept beside it.
fn keep(path: &Path, now: Timestamp) -> Result<PathBuf, BackupError> {
    let failed = |cause| BackupError::Io { path: path.to_owned(), cause };
    let kept = suffixed(path, &format!(".before-restore-{}", now.format("%Y%m%dT%H%M%S%6f")));
    let folded = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)));
    let log = suffixed(path, "-wal");
    if folded.ok() != Some(0) && log.exists() {
        fs::copy(&log, suffixed(&kept, "-wal")).map_err(failed)?;
    }
    // Not every file system has hard links.
    fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(drop)).map_err(failed)?;
    Ok(kept)
}

fn unpack(backup: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |cause| BackupError::Io { path: backup.to_owned(), cause };
    let mut input = BufReader::with_capacity(1 << 20, File::open(backup).map_err(failed)?);
    let mut out = platform::create_private(to).map_err(|cause| BackupError::Io { path: to.to_owned(), cause })?;
    out.set_len(0).map_err(|cause| BackupError::Io { path: to.to_owned(), cause })?;
    let start = io::BufRead::fill_buf(&mut input).map_err(failed)?;
    let mut reader: Box<dyn Read> =
        if start.starts_with(&[0x1f, 0x8b]) { Box::new(GzDecoder::new(input)) } else { Box::new(input) };
    match io::copy(&mut reader, &mut out) {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Err(BackupError::Damaged { path: backup.to_owned(), fault: error.to_string() })
        }
        Err(error) => Err(failed(error)),
    }
}
