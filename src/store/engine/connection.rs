//! The connection that the tables' queries use.

use rusqlite::params_from_iter;

use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Row, Value};

/// A connection to the database. Each statement is prepared once per connection.
pub struct Connection(rusqlite::Connection);

impl Connection {
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
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        rows.next()?.map(|row| read(&Row(row))).transpose()
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

    /// Calls `read` with each row.
    pub fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            read(&Row(row))?;
        }
        Ok(())
    }

    /// Runs a query with one parameter for each id, and calls `read` with the id and the first row.
    pub fn lookup(
        &self,
        sql: &str,
        ids: &[i64],
        mut read: impl FnMut(i64, Option<&Row<'_>>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        for &id in ids {
            let mut rows = statement.query([id])?;
            read(id, rows.next()?.map(Row).as_ref())?;
        }
        Ok(())
    }

    /// Runs a statement that returns no rows, and returns the number of rows that it changed.
    pub fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<usize, StoreError> {
        Ok(self.0.prepare_cached(sql)?.execute(params_from_iter(values))?)
    }

    /// Reports whether the query returns a row.
    pub fn exists(&self, sql: &str, values: &[Value<'_>]) -> Result<bool, StoreError> {
        Ok(self.maybe(sql, values, |_| Ok(()))?.is_some())
    }

    /// Runs `reads` in one transaction, so that all of them see the same state.
    pub fn snapshot<T, E: From<StoreError>>(&self, reads: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let _transaction = self.0.unchecked_transaction().map_err(StoreError::from)?;
        reads()
    }

    /// Begins a transaction that writes.
    pub(super) fn begin_write(&self) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE", &[]).map(drop)
    }

    /// Reports whether a transaction is open. An error can have ended it.
    pub(super) fn in_transaction(&self) -> bool {
        !self.0.is_autocommit()
    }

    /// Runs statements without parameters, separated by semicolons.
    pub fn batch(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.0.execute_batch(sql)?)
    }

    /// Returns SQLite's connection, for what only SQLite has: files, backups and pragmas.
    pub fn sqlite(&self) -> &rusqlite::Connection {
        &self.0
    }

    /// Closes the connection, and reports what goes wrong.
    pub fn close(self) -> Result<(), StoreError> {
        self.0.close().map_err(|(_, error)| error.into())
    }
}

impl From<rusqlite::Connection> for Connection {
    fn from(connection: rusqlite::Connection) -> Self {
        Self(connection)
    }
}

/// Opens an empty database in memory, with the schema.
#[cfg(test)]
pub(crate) fn in_memory() -> Connection {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    crate::store::engine::sqlite::schema::migrate(&connection).unwrap();
    connection.into()
}
