//! Owns copies of the database: a whole and checked one from a file that is being written, compressed. It appears
//! whole or not at all. Opens connections of its own, so that neither door to the database waits for it.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use r2d2::ManageConnection;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::domain::cancel_flag::CancelFlag;
use crate::platform;
use crate::store::engine::connection::{ConnectionKind, ConnectionManager};
use crate::store::engine::error::{StorageCondition, StoreError};
use crate::store::engine::file::{self, OpenError, suffixed};
use crate::store::engine::readonly_open::{self, ReadonlyDatabase};

/// Pages between two looks at the progress: about a megabyte.
const STEP: i32 = 256;
/// Bytes between two of them where bytes are counted, and between two syncs of what is written: many small ones, so
/// that nobody else's sync waits for one large.
const CHUNK: usize = 1 << 20;
const SYNC_EVERY: usize = 8 << 20;
/// Steps of SQLite's machine between two questions whether to go on.
const CHECK_STEPS: i32 = 100_000;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupStage {
    /// Pages are copied, or a backup is unpacked.
    Copying,
    /// The copy is checked; how much is left nobody knows.
    Checking,
    /// The copy is compressed.
    Packing,
}

/// Who watches a copy being made.
pub struct BackupProgress {
    /// Ends it early.
    pub stop: CancelFlag,
    /// Is told what is being done, how much of it is done, and how much there is in all.
    pub progress: Box<dyn FnMut(BackupStage, u64, u64) + Send>,
}

impl BackupProgress {
    /// Tells how far it is, and says whether to go on.
    pub(crate) fn goes_on(&mut self, stage: BackupStage, done: u64, whole: u64) -> Result<(), StepError> {
        (self.progress)(stage, done, whole);
        if self.stop.asked() { Err(StepError::Stopped) } else { Ok(()) }
    }
}

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
    /// The disk is full.
    #[error(
        "there is no room for {0}: free some, or choose another place; until it is packed it takes the database's size again"
    )]
    NoRoom(PathBuf),
    /// Something is there that must not be overwritten.
    #[error("{0} exists; move it away, or choose another name")]
    Exists(PathBuf),
    /// A directory was named.
    #[error("{0} is a directory; name a file in it, such as {example}", example = .0.join("usher.db.gz").display())]
    Directory(PathBuf),
    /// The file's directory is not there.
    #[error("{0} is no directory; make it, or choose another place")]
    NoDirectory(PathBuf),
    /// Somebody else is making the same file.
    #[error("another backup to {0} is under way")]
    UnderWay(PathBuf),
    /// The database that is to be copied is damaged.
    #[error("{path} is damaged ({fault}), so that no backup was made; restore one, `usher doctor` says more")]
    Unsound {
        /// Which file.
        path: PathBuf,
        /// What SQLite found first.
        fault: String,
    },
    /// The backup is damaged.
    #[error("{path} is damaged ({fault}); nothing was changed; use another backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was found first.
        fault: String,
    },
    /// It is something else.
    #[error("{0} is no backup of usher's; nothing was changed")]
    NoBackup(PathBuf),
    /// It is no database of usher's, or one of a newer usher.
    #[error(transparent)]
    ReadonlyDatabase(#[from] OpenError),
    /// It was told to stop.
    #[error("stopped; nothing was changed")]
    Stopped,
    /// SQLite failed.
    #[error("{path}: {}", cause.described())]
    Store {
        /// Which database.
        path: PathBuf,
        /// What it said.
        cause: StoreError,
    },
}

/// A file that is only a step on the way, removed however the way ends.
pub(crate) struct TemporaryFile {
    pub path: PathBuf,
    /// Held by this process, so that no other one takes the same way.
    _lock: Option<File>,
}

impl TemporaryFile {
    /// Makes an empty one for `target`, which only its owner can read. SQLite has locks of its own: a file for it is
    /// not `locked`.
    pub fn new(path: PathBuf, target: &Path, locked: bool) -> Result<Self, BackupError> {
        let failed = |cause| io_error(target, cause);
        let file = platform::create_private(&path).map_err(failed)?;
        if locked && matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
            return Err(BackupError::UnderWay(target.to_owned()));
        }
        let cleared = file.set_len(0);
        let scratch = Self { path, _lock: locked.then_some(file) };
        cleared.map_err(failed)?;
        Ok(scratch)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            // It may never have been made, or have been renamed.
            let _ = fs::remove_file(suffixed(&self.path, suffix));
        }
    }
}

/// An error about the file at `path`.
pub fn io_error(path: &Path, cause: io::Error) -> BackupError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BackupError::NoRoom(path.to_owned()),
        _ => BackupError::Io { path: path.to_owned(), cause },
    }
}

/// What went wrong with SQLite on the way from the database at `path` to the file `target`.
pub fn store_error(path: &Path, target: &Path, cause: impl Into<StoreError>) -> BackupError {
    let cause = cause.into();
    match cause.trouble() {
        StorageCondition::DiskFull => BackupError::NoRoom(target.to_owned()),
        StorageCondition::Damaged => BackupError::Unsound { path: path.to_owned(), fault: cause.described() },
        _ => BackupError::Store { path: path.to_owned(), cause },
    }
}

/// Copies the database at `database`, which a server may be writing, as it is at this moment, to the new file `target`,
/// checks the copy and compresses it; says how many bytes it became. The database may be of an older schema.
pub fn make(database: &Path, target: &Path, watch: &mut BackupProgress) -> Result<u64, BackupError> {
    free_to_write(target)?;
    let failed = |error: rusqlite::Error| store_error(database, target, error);
    if !file::check_header(database)? {
        return Err(OpenError::Missing(database.to_owned()).into());
    }
    let source = opened(database, target)?;
    let connection = source.connection();
    let packed = TemporaryFile::new(suffixed(target, ".new"), target, true)?;
    let copy = TemporaryFile::new(suffixed(target, ".copy"), target, false)?;
    let why = |fault| match fault {
        StepError::Stopped => BackupError::Stopped,
        StepError::Damaged(fault) => BackupError::Unsound { path: database.to_owned(), fault },
        StepError::Sqlite(error) => failed(error),
        StepError::Io(cause) => io_error(target, cause),
    };
    pages(connection, &copy.path, watch).map_err(why)?;
    drop(source);
    check(&copy.path, watch).map_err(why)?;
    let bytes = pack(&copy.path, &packed.path, watch).map_err(why)?;
    let place = || -> io::Result<()> {
        fs::rename(&packed.path, target)?;
        std::path::absolute(target)?.parent().map_or(Ok(()), platform::sync_dir)
    };
    place().map_err(|cause| io_error(target, cause))?;
    Ok(bytes)
}

/// The open database that is copied.
enum Source {
    Ours(Connection),
    Looked(ReadonlyDatabase),
}

impl Source {
    fn connection(&self) -> &Connection {
        match self {
            Self::Ours(connection) => connection,
            Self::Looked(foreign) => &foreign.connection,
        }
    }
}

/// Opens it as the server does, or, where this user may not write beside it, as one looks at another program's.
fn opened(database: &Path, target: &Path) -> Result<Source, BackupError> {
    let error =
        match (ConnectionManager { path: database.to_owned(), kind: ConnectionKind::Reader, setup: "" }).connect() {
            // One snapshot for all steps: without it every write of the server would make the copy begin anew.
            Ok(connection) => match connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema") {
                Ok(()) => return Ok(Source::Ours(connection)),
                Err(error) => error,
            },
            Err(error) => error,
        };
    let closed = matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen));
    let beside = target.parent().unwrap_or(target);
    match closed.then(|| readonly_open::open(database, beside)) {
        Some(Ok(foreign)) => Ok(Source::Looked(foreign)),
        _ => Err(store_error(database, target, error)),
    }
}

fn free_to_write(target: &Path) -> Result<(), BackupError> {
    if target.is_dir() {
        return Err(BackupError::Directory(target.to_owned()));
    }
    if target.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let parent = std::path::absolute(target).ok().and_then(|path| path.parent().map(Path::to_owned));
    match parent {
        Some(parent) if !parent.is_dir() => Err(BackupError::NoDirectory(parent)),
        _ => Ok(()),
    }
}

/// What ends a step early.
pub(crate) enum StepError {
    Stopped,
    Damaged(String),
    Sqlite(rusqlite::Error),
    Io(io::Error),
}

impl From<rusqlite::Error> for StepError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<io::Error> for StepError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn pages(from: &Connection, to: &Path, watch: &mut BackupProgress) -> Result<(), StepError> {
    let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // A copy that is cut off is thrown away, so that nothing needs to be undone or synced.
    copy.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")?;
    {
        let backup = Backup::new(from, &mut copy)?;
        loop {
            let outcome = backup.step(STEP)?;
            let state = backup.progress();
            let count = |pages: i32| u64::try_from(pages).unwrap_or(0);
            watch.goes_on(BackupStage::Copying, count(state.pagecount - state.remaining), count(state.pagecount))?;
            match outcome {
                StepResult::Done => break,
                StepResult::More => {}
                // Nobody else has the copy open, and readers of a write-ahead log do not wait.
                _ => return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into()),
            }
        }
    }
    // One file, without a log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// That the database at `path` is sound.
pub(crate) fn check(path: &Path, watch: &mut BackupProgress) -> Result<(), StepError> {
    watch.goes_on(BackupStage::Checking, 0, 0)?;
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let stop = watch.stop.clone();
    connection.progress_handler(CHECK_STEPS, Some(move || stop.asked()))?;
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

fn pack(copy: &Path, packed: &Path, watch: &mut BackupProgress) -> Result<u64, StepError> {
    let mut input = File::open(copy)?;
    let whole = input.metadata()?.len();
    let out = File::options().write(true).open(packed)?;
    let mut encoder = GzEncoder::new(BufWriter::with_capacity(CHUNK, &out), Compression::fast());
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
            out.sync_data()?;
        }
        watch.goes_on(BackupStage::Packing, done as u64, whole)?;
    }
    encoder.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.sync_all()?;
    // Read back: the format's own checksum says whether it holds what went in.
    let mut unpacked = GzDecoder::new(BufReader::with_capacity(CHUNK, File::open(packed)?));
    if io::copy(&mut unpacked, &mut io::sink())? != whole {
        return Err(io::Error::other("it does not hold what was written").into());
    }
    Ok(out.metadata()?.len())
}
