//! The `event_position` table: its only row has the newest audit entry that was sent to `on_event`.

use crate::store::audit::{self, AuditEntry};
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;

/// Returns the position. Without a row, as when `on_event` is new, begins after the newest entry.
pub fn start(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "INSERT INTO event_position (id, audit_id) VALUES (1, ?) ON CONFLICT (id) DO NOTHING";
    connection.run(sql, bind![audit::newest_id(connection)?])?;
    connection.one("SELECT audit_id FROM event_position", &[], |row| row.get(0))
}

/// Reports whether there is a position.
pub fn is_there(connection: &Connection) -> Result<bool, StoreError> {
    connection.exists("SELECT 1 FROM event_position", &[])
}

/// Forgets the position, so that entries from before `on_event` is set again aren't sent.
pub fn forget(connection: &Connection) -> Result<(), StoreError> {
    connection.run("DELETE FROM event_position", &[]).map(drop)
}

/// Returns entries after `position`, oldest first. Ids start over after all entries were deleted; then the position is
/// moved before the first entry.
pub fn next(connection: &Connection, position: i64, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
    let after = if audit::newest_id(connection)? < position { 0 } else { position };
    audit::after(connection, after, limit)
}

/// Moves the position to an entry. Returns false if another server has claimed it.
pub fn claim(connection: &Connection, previous: i64, id: i64) -> Result<bool, StoreError> {
    let sql = "UPDATE event_position SET audit_id = ?2 WHERE audit_id < ?2 OR ?2 < ?1";
    Ok(connection.run(sql, bind![previous, id])? > 0)
}

/// Moves the position before an entry that was claimed last and wasn't sent.
pub fn requeue(connection: &Connection, id: i64) -> Result<(), StoreError> {
    connection.run("UPDATE event_position SET audit_id = ?1 - 1 WHERE audit_id = ?1", bind![id]).map(drop)
}
