//! Owns the SQL by which the server knows that reading and writing work.

use rusqlite::Connection;

use super::error::StoreError;
use crate::domain::clock::Timestamp;

/// Reads a page of the file.
pub fn read(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.prepare_cached("SELECT count(*) FROM heartbeat")?.query_row([], |_| Ok(()))?)
}

/// Writes a row.
pub fn write(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO heartbeat (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
    connection.prepare_cached(sql)?.execute([now])?;
    Ok(())
}
