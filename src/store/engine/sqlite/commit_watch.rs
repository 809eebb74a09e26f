//! Tells whether anything was committed to the file, without the wait for a reader thread.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::store::engine::sqlite::open::{ConnectionKind, SqliteOpener};

/// A connection that reads nothing but `PRAGMA data_version`.
pub struct CommitWatch {
    opener: SqliteOpener,
    state: Mutex<State>,
}

enum State {
    /// Nobody has asked yet.
    New,
    Open(rusqlite::Connection),
    /// It failed, or the database is closed.
    Closed,
}

impl CommitWatch {
    /// Watches the file of this opener from the first question on.
    pub fn new(opener: SqliteOpener) -> Self {
        Self { opener: SqliteOpener { kind: ConnectionKind::Reader, ..opener }, state: Mutex::new(State::New) }
    }

    /// Returns a number that changes with each commit of any process, before the commit is acknowledged. `None` if that
    /// can't be told. Takes two file locks and reads shared memory, so that a worker can ask.
    ///
    /// SQLite's documentation of `data_version`: on one connection, equal values mean that the file didn't change in
    /// between, by whichever connection of whichever process.
    pub fn version(&self) -> Option<i64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::New = *state {
            *state = self.open().map_or(State::Closed, State::Open);
        }
        let State::Open(connection) = &*state else { return None };
        match connection.prepare_cached("PRAGMA data_version").and_then(|mut sql| sql.query_row([], |row| row.get(0))) {
            Ok(version) => Some(version),
            Err(error) => {
                log::debug!("Whether anything was committed can't be told: {error}");
                None
            }
        }
    }

    fn open(&self) -> rusqlite::Result<rusqlite::Connection> {
        let connection = self.opener.open()?;
        // A worker doesn't wait for locks.
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    }

    /// Closes the connection. Afterwards no version can be told.
    pub fn close(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed;
    }
}
