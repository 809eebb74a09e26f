//! Reads Langflow's database without writing to it: the tables `user` and `apikey` as versions 1.3 to 1.13 write them,
//! in SQLite or PostgreSQL. Keys are returned as stored.

pub mod postgres;
pub mod rows;
pub mod sqlite;

use std::io;
use std::path::PathBuf;

use crate::store::engine::error::StoreError;

/// Rows between two progress reports.
const PROGRESS_INTERVAL: u64 = 1024;
/// The columns that the tables have in every version.
const TABLES: [(&str, &[&str]); 2] = [
    ("user", &["id", "username", "password", "is_active", "is_superuser", "create_at", "updated_at"]),
    ("apikey", &["id", "api_key", "user_id"]),
];

/// Why the database can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LangflowError {
    /// The file doesn't exist or can't be read.
    #[error("{path}: {cause}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Another program holds the lock.
    #[error("{0} is locked by another program; try again, or stop Langflow for the import")]
    Locked(PathBuf),
    /// This user can't open the file.
    #[error(
        "{0} can't be opened by this user; run this as the user that Langflow runs as, or import from a copy made while Langflow is stopped"
    )]
    PermissionDenied(PathBuf),
    /// The file isn't a SQLite database.
    #[error("{0} is not a SQLite database")]
    NotSqlite(PathBuf),
    /// The file is corrupt.
    #[error("{0} is damaged; repair it, as by `sqlite3 {name} .recover`, and import from what comes out", name = .0.display())]
    Damaged(PathBuf),
    /// SQLite can't read it.
    #[error("{path} can't be read: {}", cause.described())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        cause: StoreError,
    },
    /// The import was cancelled.
    #[error("stopped; nothing was imported")]
    Stopped,
    /// PostgreSQL can't read it.
    #[error("{address} can't be read: {}", cause.described())]
    Server {
        /// The address of the database.
        address: String,
        /// The reason.
        cause: StoreError,
    },
    /// It is another program's database.
    #[error("{database} is not a Langflow database: it has no table `{table}` with a column `{column}`")]
    NotLangflowAccounts {
        /// The file or the address.
        database: String,
        /// The table that was looked for.
        table: &'static str,
        /// The missing column.
        column: &'static str,
    },
}

/// Counts the rows that are read.
struct ProgressCounter<'a> {
    done: u64,
    whole: u64,
    on_progress: &'a mut dyn FnMut(u64, u64) -> bool,
}

impl ProgressCounter<'_> {
    /// Counts a row. Returns false if the import was cancelled.
    fn row(&mut self) -> bool {
        self.done += 1;
        !self.done.is_multiple_of(PROGRESS_INTERVAL) || (self.on_progress)(self.done, self.whole)
    }
}

/// Returns a column that every version has, and that isn't among those found.
fn missing_column(columns: &[&'static str], found: &[String]) -> Option<&'static str> {
    columns.iter().copied().find(|&column| !found.iter().any(|name| name == column))
}
