//! Makes a checked, compressed copy of a database that may be in use. It uses connections of its own, so the server's
//! reads and writes don't wait for it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{ErrorCode, OpenFlags, ffi};

use crate::store::backup::error::{BackupError, BackupProgress, BackupStage, StepError, io_error, store_error};
use crate::store::engine::sqlite::file::{self, OpenError};
use crate::store::engine::sqlite::open::{self, ConnectionKind, SqliteOpener};
use crate::store::engine::sqlite::readonly_open::{self, ReadonlyDatabase};
use crate::store::engine::sqlite::temporary_database::TemporaryDatabase;

/// Pages per step: about a megabyte.
const STEP: i32 = 256;
/// Bytes per step, and bytes between two syncs. Many small syncs delay other programs less than a large one.
const CHUNK: usize = 1 << 20;
const SYNC_EVERY: usize = 8 << 20;
/// SQLite virtual machine instructions between two checks for cancellation.
const CHECK_STEPS: i32 = 100_000;

/// The name of the uncompressed copy, before its random part.
pub(crate) const COPY_NAME: &str = "copy";

/// Copies the current state of the database at `database`, checks and compresses the copy, writes it to `output`, and
/// returns its size in bytes. A server may be writing the database, and it may have an older schema. Errors name
/// `target`; `scratch` is a directory for the uncompressed copy.
pub fn make(
    database: &Path,
    output: &File,
    target: &Path,
    scratch: &Path,
    progress: &mut BackupProgress,
) -> Result<u64, BackupError> {
    let failed = |error: rusqlite::Error| store_error(database, target, error);
    if !file::check_header(database)? {
        return Err(OpenError::Missing(database.to_owned()).into());
    }
    let source = open_source(database, target, scratch)?;
    let copy = TemporaryDatabase::create(&scratch.join(COPY_NAME)).map_err(|cause| io_error(target, cause))?;
    let step_error = |fault| match fault {
        StepError::Stopped => BackupError::Stopped,
        StepError::Damaged(fault) => BackupError::Unsound { path: database.to_owned(), fault },
        StepError::Sqlite(error) => failed(error),
        StepError::Io(cause) => io_error(target, cause),
    };
    copy_pages(source.connection(), copy.path(), progress).map_err(step_error)?;
    drop(source);
    check_integrity(copy.path(), progress).map_err(step_error)?;
    pack(&copy, output, progress).map_err(step_error)
}

/// The open source database.
enum Source {
    Ours(rusqlite::Connection),
    Foreign(ReadonlyDatabase),
}

impl Source {
    fn connection(&self) -> &rusqlite::Connection {
        match self {
            Self::Ours(connection) => connection,
            Self::Foreign(foreign) => &foreign.connection,
        }
    }
}

/// Opens the database as the server does. If this user can't write beside it, opens it like another program's database.
fn open_source(database: &Path, target: &Path, scratch: &Path) -> Result<Source, BackupError> {
    let error = match (SqliteOpener { path: database.to_owned(), kind: ConnectionKind::Reader, setup: "" }).open() {
        // One snapshot for all steps. Without it every write of the server would restart the copy.
        Ok(connection) => match connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema") {
            Ok(()) => return Ok(Source::Ours(connection)),
            Err(error) => error,
        },
        Err(error) => error,
    };
    let closed = matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen));
    match closed.then(|| readonly_open::open(database, scratch)) {
        Some(Ok(foreign)) => Ok(Source::Foreign(foreign)),
        _ => Err(store_error(database, target, error)),
    }
}

fn copy_pages(from: &rusqlite::Connection, to: &Path, progress: &mut BackupProgress) -> Result<(), StepError> {
    let mut copy = open::open(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // An interrupted copy is discarded, so it needs no journal and no sync.
    copy.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")?;
    {
        let backup = Backup::new(from, &mut copy)?;
        loop {
            let outcome = backup.step(STEP)?;
            let state = backup.progress();
            let count = |pages: i32| u64::try_from(pages).unwrap_or(0);
            progress.report(BackupStage::Copying, count(state.pagecount - state.remaining), count(state.pagecount))?;
            match outcome {
                StepResult::Done => break,
                StepResult::More => {}
                // Can't happen: no other process has the copy open, and WAL readers don't wait.
                _ => return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into()),
            }
        }
    }
    // A single file without a log.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// Checks the integrity of the database at `path`.
pub(crate) fn check_integrity(path: &Path, progress: &mut BackupProgress) -> Result<(), StepError> {
    progress.report(BackupStage::Checking, 0, 0)?;
    let mut connection = open::open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let stop = progress.stop.clone();
    connection.progress_handler(CHECK_STEPS, Some(move || stop.is_cancelled()))?;
    let found: rusqlite::Result<String> = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    match found {
        Ok(word) if word == "ok" => Ok(()),
        Ok(fault) => Err(StepError::Damaged(fault)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Err(StepError::Stopped),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => Err(StepError::Sqlite(error)),
            _ => Err(StepError::Damaged(error.to_string())),
        },
    }
}

fn pack(copy: &TemporaryDatabase, mut output: &File, progress: &mut BackupProgress) -> Result<u64, StepError> {
    let mut input = copy.file();
    let whole = input.seek(SeekFrom::End(0))?;
    input.rewind()?;
    let mut encoder = GzEncoder::new(BufWriter::with_capacity(CHUNK, output), Compression::fast());
    let mut chunk = vec![0; CHUNK];
    let (mut done, mut synced) = (0, 0);
    loop {
        let read = input.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        encoder.write_all(&chunk[..read])?;
        done += read;
        if done - synced >= SYNC_EVERY {
            synced = done;
            output.sync_data()?;
        }
        progress.report(BackupStage::Packing, done as u64, whole)?;
    }
    encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    output.sync_all()?;
    // Read it back: gzip's checksum tells whether it holds what was written.
    output.rewind()?;
    let mut unpacked = GzDecoder::new(BufReader::with_capacity(CHUNK, output));
    if io::copy(&mut unpacked, &mut io::sink())? != whole {
        return Err(io::Error::other("the compressed file doesn't hold what was written").into());
    }
    Ok(output.seek(SeekFrom::End(0))?)
}
