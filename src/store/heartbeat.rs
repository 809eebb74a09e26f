//! The `heartbeat` table. The health check writes it to learn that writing works; the sweep stores the last trusted
//! time in it.

use rusqlite::{Connection, OptionalExtension};

use crate::domain::clock::Timestamp;
use crate::store::engine::error::StoreError;

/// Reads a row, as a test that reading works.
pub fn read(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.prepare_cached("SELECT count(*) FROM heartbeat")?.query_row([], |_| Ok(()))?)
}

/// Writes a row that differs each time: SQLite doesn't write a page whose bytes stay the same.
pub fn write(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO heartbeat (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
    connection.prepare_cached(sql)?.execute([now])?;
    Ok(())
}

/// Returns the last time that the sweep trusted, if any.
pub fn trusted_until(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT believed_at FROM heartbeat";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.flatten())
}

/// Stores the last time that the sweep trusted.
pub fn set_trusted_until(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO heartbeat (id, at, believed_at) VALUES (1, ?1, ?1) \
         ON CONFLICT (id) DO UPDATE SET believed_at = excluded.believed_at";
    connection.prepare_cached(sql)?.execute([now])?;
    Ok(())
}
