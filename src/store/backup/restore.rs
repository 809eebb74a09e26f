//! Owns how a backup takes the database's place: checked first, brought to the present schema, and what it replaces is
//! kept.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use rusqlite::{Connection, OpenFlags};

use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::platform;
use crate::store::backup::make::{
    BackupError, BackupProgress, BackupStage, StepError, TemporaryFile, check, io_error, store_error,
};
use crate::store::engine::commit_hooks;
use crate::store::engine::error::StoreError;
use crate::store::engine::file::{self, DATABASE_FILE, OpenError, suffixed};
use crate::store::engine::schema;
use crate::store::{audit, reserved_names, reset_links, sessions};

/// Bytes between two looks at the progress.
const CHUNK: usize = 1 << 20;

/// Puts a backup in the place of the database in `data_dir`, whose lock the caller holds; the database that was there
/// is kept under the name that is returned. Sessions and reset links of the backup are ended: some of them had been
/// ended since.
pub fn restore(
    backup: &Path,
    data_dir: &Path,
    event: &Event,
    now: Timestamp,
    watch: &mut BackupProgress,
) -> Result<Option<PathBuf>, BackupError> {
    let path = data_dir.join(DATABASE_FILE);
    if backup.is_dir() {
        return Err(BackupError::Directory(backup.to_owned()));
    }
    let unpacked = TemporaryFile::new(suffixed(&path, ".restored"), &path, false)?;
    let why = |fault| match fault {
        StepError::Stopped => BackupError::Stopped,
        StepError::Damaged(fault) => BackupError::Damaged { path: backup.to_owned(), fault },
        StepError::Sqlite(error) => store_error(&path, &path, error),
        StepError::Io(cause) if cause.kind() == io::ErrorKind::StorageFull => BackupError::NoRoom(path.clone()),
        StepError::Io(cause) => io_error(backup, cause),
    };
    unpack(backup, &unpacked.path, watch).map_err(why)?;
    platform::give_to_owner_of_dir(&unpacked.path).map_err(|cause| io_error(&path, cause))?;
    // Judged by its header first, and in words that name the backup.
    file::check_header(&unpacked.path).map_err(|error| renamed(error, backup))?;
    check(&unpacked.path, watch).map_err(why)?;
    let failed = |error: StoreError| store_error(&path, &path, error);
    let connection = Connection::open_with_flags(&unpacked.path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| failed(error.into()))?;
    if schema::version(&connection).map_err(failed)? == 0 {
        return Err(BackupError::NoBackup(backup.to_owned()));
    }
    let current = schema::bring_up_to_date(&connection).and_then(|()| {
        if path.exists()
            && let Err(error) = reserved_names::carry_over(&connection, &path)
        {
            // It may be the very database that nothing can be read from any more, or one of before names were kept.
            log::debug!("no names are taken over from {}: {}", path.display(), error.described());
        }
        connection.execute_batch("BEGIN")?;
        sessions::end_everybodys(&connection)?;
        reset_links::forget_all(&connection)?;
        audit::record(&connection, event, now)?;
        Ok(connection.execute_batch("COMMIT; PRAGMA journal_mode = DELETE")?)
    });
    current.map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error.into()))?;
    File::open(&unpacked.path).and_then(|file| file.sync_all()).map_err(|cause| io_error(&path, cause))?;

    let kept = if path.exists() { Some(keep(&path, now).map_err(|cause| io_error(&path, cause))?) } else { None };
    let place = || -> io::Result<()> {
        // A log must never meet a database that it was not written for.
        for beside in ["-wal", "-shm"].map(|suffix| suffixed(&path, suffix)) {
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&unpacked.path, &path)?;
        platform::sync_dir(data_dir)
    };
    place().map_err(|cause| io_error(&path, cause))?;
    commit_hooks::run_pending();
    Ok(kept)
}

fn renamed(error: OpenError, backup: &Path) -> BackupError {
    let path = backup.to_owned();
    match error {
        OpenError::Newer { found, .. } => OpenError::Newer { path, found }.into(),
        OpenError::NotSqlite(_) | OpenError::NotOurs(_) => BackupError::NoBackup(path),
        OpenError::Io { cause, .. } => BackupError::Io { path, cause },
        other => other.into(),
    }
}

/// A second name for the database that is replaced, with its log folded in or, if that fails, kept beside it.
fn keep(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let kept = suffixed(path, &format!(".before-restore-{}", now.format("%Y%m%dT%H%M%S%6f")));
    let folded = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)));
    let log = suffixed(path, "-wal");
    if folded.ok() != Some(0) && log.exists() {
        let kept = suffixed(&kept, "-wal");
        fs::copy(&log, &kept)?;
        platform::give_to_owner_of_dir(&kept)?;
        File::open(&kept)?.sync_all()?;
    }
    // Not every file system has hard links.
    fs::hard_link(path, &kept).or_else(|_| fs::copy(path, &kept).map(drop))?;
    platform::give_to_owner_of_dir(&kept)?;
    Ok(kept)
}

/// Writes what the backup holds to `to`: a compressed database, or a plain one with the log that may be beside it.
fn unpack(backup: &Path, to: &Path, watch: &mut BackupProgress) -> Result<(), StepError> {
    let file = File::open(backup)?;
    let whole = file.metadata()?.len();
    let mut input = BufReader::with_capacity(CHUNK, file);
    let packed = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut out = File::options().write(true).open(to)?;
    let mut reader: Box<dyn Read> = if packed { Box::new(GzDecoder::new(input)) } else { Box::new(input) };
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    loop {
        let read = reader.read(&mut chunk).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                StepError::Damaged(error.to_string())
            }
            _ => error.into(),
        })?;
        if read == 0 {
            break;
        }
        out.write_all(&chunk[..read])?;
        done += read as u64;
        watch.goes_on(BackupStage::Copying, done, if packed { 0 } else { whole })?;
    }
    let log = suffixed(backup, "-wal");
    if !packed && log.exists() {
        fs::copy(log, suffixed(to, "-wal"))?;
    }
    Ok(())
}
