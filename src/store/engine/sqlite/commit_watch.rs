//! Tells whether anything was committed to the file, without the wait for a reader thread.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::engine::sqlite::open::{ConnectionKind, SqliteOpener};

/// How long nothing is asked after a failure. If a process is stopped while it writes the log's index, SQLite waits ten
/// seconds before it fails, and so does the worker that asks, and all that ask meanwhile.
const PAUSE: Duration = Duration::from_mins(1);

/// A connection that reads nothing but `PRAGMA data_version`.
pub struct CommitWatch {
    opener: SqliteOpener,
    state: Mutex<State>,
}

enum State {
    /// Nobody has asked yet.
    New,
    Open {
        connection: rusqlite::Connection,
        /// Set after a failure.
        paused_until: Option<Instant>,
    },
    /// It couldn't be opened, or the database is closed.
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
            *state = match self.open() {
                Ok(connection) => State::Open { connection, paused_until: None },
                Err(error) => {
                    log::warn!("Until the next start, each request looks its sender up in the database: {error}");
                    State::Closed
                }
            };
        }
        let State::Open { connection, paused_until } = &mut *state else { return None };
        if paused_until.is_some_and(|end| Instant::now() < end) {
            return None;
        }
        match connection.prepare_cached("PRAGMA data_version").and_then(|mut sql| sql.query_row([], |row| row.get(0))) {
            Ok(version) => {
                *paused_until = None;
                Some(version)
            }
            Err(error) => {
                log::warn!(
                    "Whether anything was committed can't be told: {error}. For a minute, nobody is remembered."
                );
                *paused_until = Some(Instant::now() + PAUSE);
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

#[cfg(all(test, unix))]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::store::engine::sqlite::file;

    #[test]
    fn a_process_that_stops_while_it_writes_the_index_makes_one_request_wait_and_not_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("usher.db");
        file::create(&path).unwrap();
        let opener = |kind| SqliteOpener { path: path.clone(), kind, setup: "" };
        let writer = opener(ConnectionKind::Writer).open().unwrap();
        let watch = CommitWatch::new(opener(ConnectionKind::Reader));
        writer.execute_batch("CREATE TABLE t (n); BEGIN IMMEDIATE").unwrap();
        let before = watch.version();
        assert!(before.is_some());

        // The two copies of the header differ (SQLite's WAL format, section 2.1), while the writer holds its lock.
        let index = File::options().read(true).write(true).open(file::with_suffix(&path, "-shm")).unwrap();
        let mut byte = [0];
        index.read_exact_at(&mut byte, 8).unwrap();
        index.write_all_at(&[!byte[0]], 8).unwrap();
        assert_eq!(watch.version(), None);
        let asked = Instant::now();
        assert_eq!(watch.version(), None);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());

        index.write_all_at(&byte, 8).unwrap();
        writer.execute_batch("INSERT INTO t VALUES (1); COMMIT").unwrap();
        assert_eq!(watch.version(), None, "paused");
        if let State::Open { paused_until, .. } = &mut *watch.state.lock().unwrap() {
            *paused_until = Some(Instant::now());
        }
        let after = watch.version();
        assert!(after.is_some() && after != before, "{after:?}");
    }
}
