//! The errors of a move, and its progress reports.

use std::io;
use std::path::PathBuf;

use crate::domain::cancel_flag::CancelFlag;
use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::schema::SchemaError;
use crate::store::engine::sqlite::file::OpenError;
use crate::store::engine::sqlite::schema::VERSION;

/// The faults that an error lists.
const MAX_LISTED: usize = 10;

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The SQLite file can't be opened or created.
    #[error(transparent)]
    File(#[from] OpenError),
    /// The PostgreSQL database can't be used.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// An older usher wrote the source.
    #[error(
        "{source_name} has schema version {found}, and this usher moves version {VERSION}; start its server once, which upgrades it"
    )]
    Older {
        /// Which database.
        source_name: String,
        /// Its version.
        found: u32,
    },
    /// The target database has rows.
    #[error("the target isn't empty: its table `{0}` has rows; create an empty database for usher")]
    NotEmpty(String),
    /// The target directory has a database.
    #[error("{0} exists; move it away, or choose another directory")]
    Exists(PathBuf),
    /// A server uses the source.
    #[error("usher uses the database, from {0}; stop all its servers first")]
    InUse(String),
    /// The file can't be written.
    #[error("{path}: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Values of the source are invalid.
    #[error("{}; correct them, nothing was written", listed(.0))]
    InvalidValues(Vec<String>),
    /// The copy isn't equal.
    #[error("the copy of `{0}` differs from the original; nothing was moved, try again")]
    Differs(String),
    /// The move was cancelled.
    #[error("interrupted; nothing was moved")]
    Stopped,
    /// There was no answer to the commit.
    #[error("{}; whether the target has the data isn't known: if its table `users` exists, it has all of it", .0.described())]
    Uncertain(StoreError),
    /// An engine failed.
    #[error("{}; nothing was moved", .0.described())]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for MoveError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

fn listed(faults: &[String]) -> String {
    let count = match faults.len() {
        1 => "a value can't be moved".to_owned(),
        count => format!("{count} values can't be moved"),
    };
    let shown = faults.iter().take(MAX_LISTED).map(String::as_str).collect::<Vec<_>>().join("; ");
    let rest = if faults.len() > MAX_LISTED { "; …" } else { "" };
    format!("{count}: {shown}{rest}")
}

/// The part of the work that is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveStage {
    /// The source is read, and its checksums are computed.
    Checking,
    /// Rows are written.
    Copying,
    /// The target is read, and its checksums are compared.
    Comparing,
}

/// Shows the progress of a move, and cancels it.
pub struct MoveProgress<'a> {
    cancel: CancelFlag,
    show: Box<dyn FnMut(MoveStage, u64, u64) + 'a>,
    stage: MoveStage,
    done: u64,
    total: u64,
}

impl<'a> MoveProgress<'a> {
    /// `show` gets the stage, the rows done and their total.
    pub fn new(cancel: CancelFlag, show: impl FnMut(MoveStage, u64, u64) + 'a) -> Self {
        Self { cancel, show: Box::new(show), stage: MoveStage::Checking, done: 0, total: 0 }
    }

    /// Begins a stage with so many rows.
    pub fn begin(&mut self, stage: MoveStage, total: u64) {
        (self.stage, self.done, self.total) = (stage, 0, total);
        (self.show)(stage, 0, total);
    }

    /// Adds to the rows that are done. Returns false if the move was cancelled.
    pub fn advance(&mut self, rows: u64) -> bool {
        self.done += rows;
        (self.show)(self.stage, self.done, self.total);
        !self.cancel.is_cancelled()
    }
}
