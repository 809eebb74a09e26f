//! Owns how connections are opened. r2d2_sqlite would do it, but it is bound to an older rusqlite, and its check on
//! every checkout would cost more than a point read.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

/// How long SQLite itself waits for a lock that another process holds, such as the command line beside the server.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Enough for every statement of usher, so that each is prepared once per connection.
const STATEMENTS: usize = 128;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    /// Cannot write, whatever is asked of it.
    Reader,
    /// The one that writes.
    Writer,
}

/// Opens connections of one kind to one file, for r2d2.
#[derive(Debug)]
pub struct ConnectionManager {
    pub path: PathBuf,
    pub kind: ConnectionKind,
    /// SQL that the writer runs last; empty but for tests.
    pub setup: &'static str,
}

impl r2d2::ManageConnection for ConnectionManager {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> Result<Connection, rusqlite::Error> {
        // Never CREATE: the file is made by store/file.rs, with its mode; one that vanished must not come back empty.
        let access = match self.kind {
            ConnectionKind::Reader => OpenFlags::SQLITE_OPEN_READ_ONLY,
            ConnectionKind::Writer => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let connection = Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // Plans do not depend on bound values: where a table has a partial index, SQLite would otherwise prepare a
        // statement anew each time it is bound, which takes longer than running it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        if self.kind == ConnectionKind::Writer {
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.execute_batch(self.setup)?;
        }
        // SQLite opens the log and its index with the first read: now, not when somebody may have moved them away.
        connection.pragma_query_value(None, "user_version", |_| Ok(()))?;
        Ok(connection)
    }

    fn is_valid(&self, connection: &mut Connection) -> Result<(), rusqlite::Error> {
        connection.execute_batch("SELECT 1")
    }

    fn has_broken(&self, _connection: &mut Connection) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use r2d2::ManageConnection;
    use rusqlite::StatementStatus;

    #[test]
    fn statements_are_prepared_once_whatever_is_bound_to_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("usher.db");
        super::super::file::create(&path).unwrap();
        let connection = ConnectionManager { path, kind: ConnectionKind::Writer, setup: "" }.connect().unwrap();
        super::super::schema::bring_up_to_date(&connection).unwrap();
        let sql = "SELECT username FROM users WHERE uuid = ?";
        for id in [1, 2, 3] {
            let mut statement = connection.prepare_cached(sql).unwrap();
            assert!(!statement.exists([uuid::Uuid::from_u128(id)]).unwrap());
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
        }
    }
}
