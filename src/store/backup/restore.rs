//! Replaces the database with a backup. The backup is checked and migrated first, and the replaced database is kept.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use rusqlite::OpenFlags;

use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::platform::files;
use crate::store::backup::error::{BackupError, BackupProgress, BackupStage, StepError, io_error, store_error};
use crate::store::backup::make::check_integrity;
use crate::store::backup::revocations::{KeyRevocation, revoke_keys};
use crate::store::engine::commit_hooks;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::file::{self, DATABASE_FILE, OpenError, with_suffix};
use crate::store::engine::sqlite::log_owner;
use crate::store::engine::sqlite::open;
use crate::store::engine::sqlite::schema;
use crate::store::engine::sqlite::temporary_database::TemporaryDatabase;
use crate::store::{audit, invitations, reserved_names, reset_links, sessions};

/// Bytes between two progress reports.
const CHUNK: usize = 1 << 20;

/// A checked backup with the current schema, in the data directory.
pub struct PreparedBackup {
    unpacked: TemporaryDatabase,
    connection: Connection,
    /// The database that it will replace.
    path: PathBuf,
    /// How many users it has.
    pub users: i64,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreOutcome {
    /// The path of the database that was replaced.
    pub kept: Option<PathBuf>,
    /// What happened to the API keys.
    pub keys: KeyRevocation,
}

/// Unpacks, checks and migrates a backup for the data directory. Dropping it changes nothing.
pub fn prepare(backup: &Path, data_dir: &Path, progress: &mut BackupProgress) -> Result<PreparedBackup, BackupError> {
    let path = data_dir.join(DATABASE_FILE);
    if backup.is_dir() {
        return Err(BackupError::Directory(backup.to_owned()));
    }
    let unpacked = TemporaryDatabase::create(&path).map_err(|cause| io_error(&path, cause))?;
    let step_error = |fault| match fault {
        StepError::Stopped => BackupError::Stopped,
        StepError::Damaged(fault) => BackupError::Damaged { path: backup.to_owned(), fault },
        StepError::Sqlite(error) => store_error(&path, &path, error),
        StepError::Io(cause) if cause.kind() == io::ErrorKind::StorageFull => BackupError::NoRoom(path.clone()),
        StepError::Io(cause) => io_error(backup, cause),
    };
    unpack(backup, &unpacked, progress).map_err(step_error)?;
    // Check the header first, with errors that name the backup.
    file::check_header(unpacked.path()).map_err(|error| renamed(error, backup))?;
    check_integrity(unpacked.path(), progress).map_err(step_error)?;
    let failed = |error: StoreError| store_error(&path, &path, error);
    let connection =
        open::open(unpacked.path(), OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| failed(error.into()))?;
    if schema::version(&connection).map_err(failed)? == 0 {
        return Err(BackupError::NotABackup(backup.to_owned()));
    }
    schema::migrate(&connection).map_err(failed)?;
    let connection = Connection::from(connection);
    let users = connection.one("SELECT count(*) FROM users", &[], |row| row.get(0)).map_err(failed)?;
    Ok(PreparedBackup { unpacked, connection, path, users })
}

impl PreparedBackup {
    /// Replaces the database, whose directory's lock the caller holds. Sessions and reset links of the backup are
    /// deleted: they may have been ended since. So are API keys that were revoked since.
    pub fn replace(self, keep_keys: bool, event: &Event, now: Timestamp) -> Result<RestoreOutcome, BackupError> {
        let Self { unpacked, connection, path, .. } = self;
        let failed = |error: StoreError| store_error(&path, &path, error);
        let replaced = Some(path.as_path()).filter(|path| path.exists());
        // SQLite would apply another database's log to it.
        let readable = replaced.filter(|path| file::check_header(path).is_ok());
        let current = || -> Result<KeyRevocation, StoreError> {
            if let Some(replaced) = readable
                && let Err(error) = reserved_names::copy_from(&connection, replaced)
            {
                // The replaced database may be unreadable, or older than reserved names.
                log::debug!("No reserved names were copied from {}: {}", path.display(), error.described());
            }
            let keys = revoke_keys(&connection, readable, keep_keys)?;
            connection.batch("BEGIN")?;
            sessions::end_all(&connection)?;
            reset_links::delete_all(&connection)?;
            invitations::delete_all(&connection)?;
            audit::record(&connection, event, now)?;
            connection.batch("COMMIT; PRAGMA journal_mode = DELETE")?;
            Ok(keys)
        };
        let keys = current().map_err(failed)?;
        connection.close().map_err(failed)?;
        let kept = replaced.map(|path| keep(path, now)).transpose().map_err(|cause| io_error(&path, cause))?;
        let place = || -> io::Result<()> {
            // A log must never be applied to another database.
            for beside in ["-wal", "-shm", log_owner::SUFFIX].map(|suffix| with_suffix(&path, suffix)) {
                match fs::remove_file(&beside) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            unpacked.publish()
        };
        place().map_err(|cause| io_error(&path, cause))?;
        commit_hooks::run_pending();
        Ok(RestoreOutcome { kept, keys })
    }
}

fn renamed(error: OpenError, backup: &Path) -> BackupError {
    let path = backup.to_owned();
    match error {
        OpenError::Newer { found, .. } => OpenError::Newer { path, found }.into(),
        OpenError::NotSqlite(_) | OpenError::NotOurs(_) => BackupError::NotABackup(path),
        OpenError::Io { cause, .. } => BackupError::Io { path, cause },
        other => other.into(),
    }
}

/// Gives the replaced database a second name. Checkpoints its log; if that fails, or the log belongs to another
/// database, keeps the log beside it.
fn keep(path: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let kept = with_suffix(path, &format!(".before-restore-{}", now.format("%Y%m%dT%H%M%S%6f")));
    let is_folded = file::check_header(path).is_ok()
        && open::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .and_then(|connection| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)))
            .is_ok_and(|busy: i64| busy == 0);
    let log = with_suffix(path, "-wal");
    if !is_folded && log.exists() {
        let kept = with_suffix(&kept, "-wal");
        files::copy_private(&log, &kept)?;
    }
    files::keep_copy(path, &kept)
}

/// Unpacks the backup to `to`: a compressed database, or a plain one with the log beside it.
fn unpack(backup: &Path, to: &TemporaryDatabase, progress: &mut BackupProgress) -> Result<(), StepError> {
    let file = File::open(backup)?;
    let whole = file.metadata()?.len();
    let mut input = BufReader::with_capacity(CHUNK, file);
    let packed = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut out = to.file();
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
        progress.report(BackupStage::Copying, done, if packed { 0 } else { whole })?;
    }
    let log = with_suffix(backup, "-wal");
    if !packed && log.exists() {
        io::copy(&mut File::open(log)?, &mut files::create_private(&with_suffix(to.path(), "-wal"))?)?;
    }
    Ok(())
}
