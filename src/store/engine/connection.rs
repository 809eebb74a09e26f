//! The connection that the tables' queries use, to SQLite or PostgreSQL.
//!
//! Statements are written once, with parameters `?` or `?1`. [`Dialect`] has the parts that differ between the engines.

use rusqlite::params_from_iter;

use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::session::PostgresSession;
use crate::store::engine::value::{Row, Value};

/// A connection to the database. Each statement is prepared once per connection.
pub struct Connection(Engine);

enum Engine {
    Sqlite(rusqlite::Connection),
    Postgres(Box<PostgresSession>),
}

use Engine::{Postgres, Sqlite};

/// Counts all users again.
const RECOUNT: &str = "ALTER TABLE users ENABLE TRIGGER users_counted;
    UPDATE user_count SET (n, waiting, active, superusers) = (
        SELECT count(*), count(*) FILTER (WHERE is_active = 0 AND last_login_at IS NULL),
            count(*) FILTER (WHERE is_active = 1), count(*) FILTER (WHERE is_superuser = 1)
        FROM users)";

/// The SQL that differs between the engines.
#[derive(Debug)]
pub struct Dialect {
    /// The function that finds a text in another.
    pub position: &'static str,
    /// The query of the database's size in bytes.
    pub database_size: &'static str,
    /// Whether a statement can name the index that it uses.
    has_index_hints: bool,
}

const SQLITE: Dialect = Dialect {
    position: "instr",
    database_size: "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    has_index_hints: true,
};
const POSTGRES: Dialect = Dialect {
    position: "strpos",
    database_size: "SELECT pg_database_size(current_database())",
    has_index_hints: false,
};

impl Dialect {
    /// Returns `hint` if the engine has index hints. PostgreSQL chooses by its statistics.
    pub fn index_hint(&self, hint: &'static str) -> &'static str {
        if self.has_index_hints { hint } else { "" }
    }
}

impl Connection {
    /// Returns the engine's SQL.
    pub fn dialect(&self) -> &'static Dialect {
        match &self.0 {
            Sqlite(_) => &SQLITE,
            Postgres(_) => &POSTGRES,
        }
    }

    /// Returns what `read` makes of the first row; no row is an error.
    pub fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.maybe(sql, values, read)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// Returns what `read` makes of the first row, if there is one.
    pub fn maybe<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match &self.0 {
            Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(params_from_iter(values))?;
                rows.next()?.map(|row| read(&Row::Sqlite(row))).transpose()
            }
            Postgres(session) => session.query(sql, values)?.first().map(|row| read(&Row::Postgres(row))).transpose(),
        }
    }

    /// Returns what `read` makes of each row.
    pub fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.each(sql, values, |row| {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Calls `read` with each row. It must not use the connection.
    pub fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(params_from_iter(values))?;
                while let Some(row) = rows.next()? {
                    read(&Row::Sqlite(row))?;
                }
                Ok(())
            }
            Postgres(session) => session.each(sql, values, |row| read(&Row::Postgres(row))),
        }
    }

    /// Runs a query with one parameter for each id, and calls `read` with the id and the first row.
    pub fn lookup(
        &self,
        sql: &str,
        ids: &[i64],
        mut read: impl FnMut(i64, Option<&Row<'_>>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(connection) => {
                let mut statement = connection.prepare_cached(sql)?;
                for &id in ids {
                    let mut rows = statement.query([id])?;
                    read(id, rows.next()?.map(Row::Sqlite).as_ref())?;
                }
            }
            Postgres(session) => {
                for &id in ids {
                    read(id, session.query(sql, &[id.into()])?.first().map(Row::Postgres).as_ref())?;
                }
            }
        }
        Ok(())
    }

    /// Runs a statement that returns no rows, and returns the number of rows that it changed. If it fails, the
    /// transaction can't go on; see [`Connection::try_run`].
    pub fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        match &self.0 {
            Sqlite(connection) => Ok(connection.prepare_cached(sql)?.execute(params_from_iter(values))?),
            Postgres(session) => session.execute(sql, values),
        }
    }

    /// Like [`Connection::run`], for a statement that can violate a constraint: the transaction goes on without it.
    pub fn try_run(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        match &self.0 {
            // SQLite undoes a failed statement by itself.
            Sqlite(_) => self.run(sql, values),
            Postgres(session) => session.execute_in_savepoint(sql, values),
        }
    }

    /// Runs statements without parameters, separated by semicolons.
    pub fn batch(&self, sql: &str) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Postgres(session) => session.batch(sql),
        }
    }

    /// Reports whether the query returns a row.
    pub fn exists(&self, sql: &str, values: &[Value<'_>]) -> Result<bool, StoreError> {
        Ok(self.maybe(sql, values, |_| Ok(()))?.is_some())
    }

    /// Runs `reads` in one transaction, so that all of them see the same state.
    pub fn snapshot<T, E: From<StoreError>>(&self, reads: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        match &self.0 {
            Sqlite(connection) => {
                let _transaction = connection.unchecked_transaction().map_err(StoreError::from)?;
                reads()
            }
            Postgres(session) => {
                session.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
                let result = reads();
                session.end("COMMIT")?;
                result
            }
        }
    }

    /// Begins a transaction that writes. There is one at a time, among all processes and servers.
    pub fn begin_write(&self) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(_) => self.control("BEGIN IMMEDIATE"),
            Postgres(session) => session.begin("BEGIN READ WRITE; SELECT id FROM writer FOR UPDATE"),
        }
    }

    /// Begins to add many users in the open transaction. PostgreSQL would count each of them in the same row, which
    /// takes longer with every user.
    pub fn begin_bulk(&self) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(_) => Ok(()),
            Postgres(session) => session.batch("ALTER TABLE users DISABLE TRIGGER users_counted"),
        }
    }

    /// Ends the phase that [`Connection::begin_bulk`] began.
    pub fn end_bulk(&self) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(_) => Ok(()),
            Postgres(session) => session.batch(RECOUNT),
        }
    }

    /// Commits the transaction. Afterwards its changes are on the disk.
    pub fn commit(&self) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(_) => self.control("COMMIT"),
            Postgres(session) => session.commit(),
        }
    }

    /// Rolls the transaction back, if one is open.
    pub fn roll_back(&self) -> Result<(), StoreError> {
        match &self.0 {
            _ if !self.in_transaction() => Ok(()),
            Sqlite(_) => self.control("ROLLBACK"),
            Postgres(session) => session.end("ROLLBACK"),
        }
    }

    /// Begins a savepoint, the only one.
    pub fn begin_savepoint(&self) -> Result<(), StoreError> {
        self.control("SAVEPOINT job")
    }

    /// Rolls back to the savepoint, which stays.
    pub fn roll_back_to_savepoint(&self) -> Result<(), StoreError> {
        self.control("ROLLBACK TO job")
    }

    /// Ends the savepoint and keeps its changes.
    pub fn release_savepoint(&self) -> Result<(), StoreError> {
        self.control("RELEASE job")
    }

    fn control(&self, sql: &str) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(_) => self.run(sql, &[]).map(drop),
            Postgres(session) => {
                session.defer(sql);
                Ok(())
            }
        }
    }

    /// Reports whether a transaction is open. An error can have ended it.
    pub fn in_transaction(&self) -> bool {
        match &self.0 {
            Sqlite(connection) => !connection.is_autocommit(),
            Postgres(session) => session.in_transaction(),
        }
    }

    /// Reports whether the connection is lost.
    pub fn is_broken(&self) -> bool {
        match &self.0 {
            Sqlite(_) => false,
            Postgres(session) => session.is_broken(),
        }
    }

    /// Returns the most writes in one transaction. With PostgreSQL other servers wait for it.
    pub fn max_group(&self) -> usize {
        match &self.0 {
            Sqlite(_) => 256,
            Postgres(_) => 16,
        }
    }

    /// Moves SQLite's write-ahead log into the file.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        match &self.0 {
            Sqlite(_) => self.one("PRAGMA wal_checkpoint(TRUNCATE)", &[], |_| Ok(())),
            Postgres(_) => Ok(()),
        }
    }

    /// Returns SQLite's connection, for what only SQLite has: files, backups and pragmas.
    pub fn sqlite(&self) -> Option<&rusqlite::Connection> {
        match &self.0 {
            Sqlite(connection) => Some(connection),
            Postgres(_) => None,
        }
    }

    /// Returns PostgreSQL's session, for what only PostgreSQL has.
    pub fn postgres(&self) -> Option<&PostgresSession> {
        match &self.0 {
            Sqlite(_) => None,
            Postgres(session) => Some(session),
        }
    }

    /// Closes the connection, and reports what goes wrong.
    pub fn close(self) -> Result<(), StoreError> {
        match self.0 {
            Sqlite(connection) => connection.close().map_err(|(_, error)| error.into()),
            Postgres(session) => {
                drop(session);
                Ok(())
            }
        }
    }
}

impl From<rusqlite::Connection> for Connection {
    fn from(connection: rusqlite::Connection) -> Self {
        Self(Sqlite(connection))
    }
}

impl From<PostgresSession> for Connection {
    fn from(session: PostgresSession) -> Self {
        Self(Postgres(Box::new(session)))
    }
}

/// Opens an empty database in memory, with the schema.
#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    crate::store::engine::sqlite::schema::migrate(&connection).unwrap();
    connection.into()
}
