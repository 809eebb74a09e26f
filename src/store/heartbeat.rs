//! Owns the SQL of the heartbeat: by writing it the server knows that writing works, and it tells up to which moment the
//! clock was believed.

use rusqlite::{Connection, OptionalExtension};

use crate::domain::clock::Timestamp;
use crate::store::engine::error::StoreError;

/// Reads a page of the file.
pub fn read(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.prepare_cached("SELECT count(*) FROM heartbeat")?.query_row([], |_| Ok(()))?)
}

/// Writes a row. It says something new each time: a page whose bytes stay as they are is not written by SQLite.
pub fn write(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO heartbeat (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
    connection.prepare_cached(sql)?.execute([now])?;
    Ok(())
}

/// Up to which moment the clock was believed.
pub fn believed(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT believed_at FROM heartbeat";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?.flatten())
}

/// Notes that the clock is believed.
pub fn believe(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO heartbeat (id, at, believed_at) VALUES (1, ?1, ?1) \
         ON CONFLICT (id) DO UPDATE SET believed_at = excluded.believed_at";
    connection.prepare_cached(sql)?.execute([now])?;
    Ok(())
}
