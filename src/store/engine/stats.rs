//! Owns what the store counts of itself, for whoever watches the server: how many writes share a commit, how long one
//! takes, how much waits and how much there is.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use rusqlite::Connection;

use crate::domain::clock::Timestamp;
use crate::store::engine::error::StoreError;
use crate::store::engine::file::suffixed;

/// What the writing thread counts.
#[derive(Clone, Debug)]
pub struct WriterStats {
    /// How many writes each transaction held.
    pub group_size: Histogram,
    /// How many seconds each took, its commit and the wait for a lock included.
    pub group_seconds: Histogram,
    /// Writes that were lost with their transaction.
    pub failed: Counter,
}

impl Default for WriterStats {
    fn default() -> Self {
        Self {
            group_size: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            group_seconds: Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]),
            failed: Counter::default(),
        }
    }
}

/// How many jobs wait for the threads that read, and for the one that writes.
#[derive(Clone, Copy, Debug)]
pub struct QueueLengths {
    /// For the readers.
    pub reads: usize,
    /// For the writer.
    pub writes: usize,
}

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseCounts {
    /// Accounts that can sign in.
    pub active: i64,
    /// Accounts that wait for approval.
    pub waiting: i64,
    /// Accounts that were deactivated.
    pub inactive: i64,
    /// Sessions that have not ended.
    pub sessions: i64,
    /// The database file's size in bytes.
    pub database_bytes: i64,
    /// Its write-ahead log's.
    pub log_bytes: i64,
}

/// Counts what there is at `now`.
pub fn amounts(connection: &Connection, now: Timestamp) -> Result<DatabaseCounts, StoreError> {
    let sql = "SELECT active, waiting, n - active - waiting, (SELECT count(*) FROM sessions WHERE expires_at > ?), \
         (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size) FROM user_count";
    let log = connection.path().map(|path| suffixed(path.as_ref(), "-wal"));
    // None there, as after a checkpoint at the end of a server, is a size of nothing.
    let log_bytes = log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |log| log.len());
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([now], |row| {
        Ok(DatabaseCounts {
            active: row.get(0)?,
            waiting: row.get(1)?,
            inactive: row.get(2)?,
            sessions: row.get(3)?,
            database_bytes: row.get(4)?,
            log_bytes: i64::try_from(log_bytes).unwrap_or(i64::MAX),
        })
    })?)
}
