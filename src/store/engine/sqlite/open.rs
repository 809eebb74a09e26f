//! Opens connections to a SQLite file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use crate::store::engine::connection::Connection;

/// How long SQLite waits for a lock that another process holds, such as a command beside the server.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Room for every statement, so that each connection prepares a statement once.
const STATEMENTS: usize = 128;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    /// Opened read-only.
    Reader,
    /// Opened for reading and writing.
    Writer,
}

/// Opens connections of one kind to one file.
#[derive(Debug)]
pub struct SqliteOpener {
    pub path: PathBuf,
    pub kind: ConnectionKind,
    /// SQL that a new writer connection runs last. Empty except in tests.
    pub setup: &'static str,
}

/// Opens a database in the data directory. Another user may control the directory, so links are not followed.
pub fn open(path: &Path, access: OpenFlags) -> rusqlite::Result<rusqlite::Connection> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    rusqlite::Connection::open_with_flags(path, flags)
}

impl SqliteOpener {
    /// Opens a connection of the store.
    pub fn connect(&self) -> Result<Connection, rusqlite::Error> {
        self.open().map(Connection::from)
    }

    /// Opens a connection.
    pub fn open(&self) -> Result<rusqlite::Connection, rusqlite::Error> {
        // Never CREATE: store/engine/file.rs creates the file with its mode. A file that vanished must not come back
        // empty.
        let access = match self.kind {
            ConnectionKind::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
            ConnectionKind::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let connection = open(&self.path, access)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // With QPSG, plans don't depend on bound values. Otherwise SQLite prepares a statement on a table with a
        // partial index again whenever it is bound, which takes longer than running it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        if self.kind == ConnectionKind::Writer {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.execute_batch(self.setup)?;
        }
        // SQLite opens the log and its index at the first read. Do that now, before they can be moved away.
        connection.pragma_query_value(None, "user_version", |_| Ok(()))?;
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    #[test]
    fn statements_are_prepared_once_for_all_parameters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("usher.db");
        crate::store::engine::sqlite::file::create(&path).unwrap();
        let connection = SqliteOpener { path, kind: ConnectionKind::Writer, setup: "" }.open().unwrap();
        crate::store::engine::sqlite::schema::migrate(&connection).unwrap();
        let sql = "SELECT username FROM users WHERE uuid = ?";
        for id in [1, 2, 3] {
            let mut statement = connection.prepare_cached(sql).unwrap();
            assert!(!statement.exists([uuid::Uuid::from_u128(id)]).unwrap());
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
