//! The `heartbeat` table. The health check writes it to test that writing works; the sweep stores the last trusted time
//! in it.

use crate::domain::clock::Timestamp;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;

/// Reads a row, as a test that reading works.
pub fn read(connection: &Connection) -> Result<(), StoreError> {
    connection.one("SELECT count(*) FROM heartbeat", &[], |_| Ok(()))
}

/// Writes a row that differs each time: SQLite doesn't write a page whose bytes stay the same.
pub fn write(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO heartbeat (id, at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at";
    connection.run(sql, bind![now])?;
    Ok(())
}

/// Returns the last time that the sweep trusted, if any.
pub fn trusted_until(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT believed_at FROM heartbeat";
    Ok(connection.maybe(sql, &[], |row| row.get(0))?.flatten())
}

/// Stores the last time that the sweep trusted.
pub fn set_trusted_until(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO heartbeat (id, at, believed_at) VALUES (1, ?1, ?1) \
         ON CONFLICT (id) DO UPDATE SET believed_at = excluded.believed_at";
    connection.run(sql, bind![now])?;
    Ok(())
}
