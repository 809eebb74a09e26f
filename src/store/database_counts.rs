//! Row counts and file sizes, for metrics.

use crate::domain::clock::Timestamp;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::file::with_suffix;
use crate::store::engine::value::bind;

/// Row counts and file sizes at one moment.
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

/// Counts rows and reads file sizes at `now`.
pub fn count(connection: &Connection, now: Timestamp) -> Result<DatabaseCounts, StoreError> {
    let size = connection.dialect().database_size;
    let sql = format!(
        "SELECT active, waiting, n - active - waiting, (SELECT count(*) FROM sessions WHERE expires_at > ?), ({size}) \
         FROM user_count"
    );
    let log = connection.sqlite().and_then(|connection| Some(with_suffix(connection.path()?.as_ref(), "-wal")));
    // A missing log has size 0.
    let log_bytes = log.and_then(|log| std::fs::metadata(log).ok()).map_or(0, |log| log.len());
    connection.one(&sql, bind![now], |row| {
        Ok(DatabaseCounts {
            active: row.get(0)?,
            waiting: row.get(1)?,
            inactive: row.get(2)?,
            sessions: row.get(3)?,
            database_bytes: row.get(4)?,
            log_bytes: i64::try_from(log_bytes).unwrap_or(i64::MAX),
        })
    })
}
