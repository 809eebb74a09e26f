//! Owns the SQL of counted attempts, and of the places that people have signed in from. Both are bounded, whatever an
//! attacker sends.

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::error::StoreError;
use crate::domain::attempts::{Count, Key};
use crate::domain::clock::Timestamp;

/// The most counts that are kept; of more, those whose last attempt is longest ago go first.
const MAX_COUNTS: i64 = 50_000;
/// The most places that are kept of one person; of more, the one that was not seen for longest goes first.
const MAX_PLACES: i64 = 20;

/// What is counted under this key.
pub fn count(connection: &Connection, key: &Key) -> Result<Option<Count>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT count, last_at FROM attempts WHERE key = ?")?;
    Ok(statement.query_row([key], |row| Ok(Count { count: row.get(0)?, last_at: row.get(1)? })).optional()?)
}

/// Counts one attempt more; a count whose last attempt was before `forgotten` begins anew.
pub fn add(connection: &Connection, key: &Key, now: Timestamp, forgotten: Timestamp) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO attempts (key, count, last_at) VALUES (?1, 1, ?2) ON CONFLICT (key) DO UPDATE SET \
         count = CASE WHEN last_at < ?3 THEN 1 ELSE min(count + 1, 1000000) END, last_at = ?2";
    connection.prepare_cached(SQL)?.execute(params![key, now, forgotten])?;
    Ok(())
}

/// Forgets what is counted under this key.
pub fn clear(connection: &Connection, key: &Key) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM attempts WHERE key = ?")?.execute([key])?;
    Ok(())
}

/// Forgets counts whose last attempt was before `forgotten`, and the oldest of too many.
pub fn sweep(connection: &Connection, forgotten: Timestamp) -> Result<(), StoreError> {
    const OLDEST: &str = "DELETE FROM attempts WHERE key IN (SELECT key FROM attempts ORDER BY last_at \
         LIMIT max(0, (SELECT count(*) FROM attempts) - ?))";
    connection.prepare_cached("DELETE FROM attempts WHERE last_at < ?")?.execute([forgotten])?;
    connection.prepare_cached(OLDEST)?.execute([MAX_COUNTS])?;
    Ok(())
}

/// Whether the user has signed in from this place before.
pub fn is_known_place(connection: &Connection, user: Uuid, place: &Key) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM known_places JOIN users ON users.id = user_id WHERE users.uuid = ? AND place = ?)";
    Ok(connection.prepare_cached(sql)?.query_row(params![user, place], |row| row.get(0))?)
}

/// Notes that the user signed in from this place.
pub fn note_place(connection: &Connection, user: Uuid, place: &Key, now: Timestamp) -> Result<(), StoreError> {
    const NOTE: &str = "INSERT INTO known_places (user_id, place, seen_at) SELECT id, ?2, ?3 FROM users WHERE uuid = ?1 \
         ON CONFLICT (user_id, place) DO UPDATE SET seen_at = excluded.seen_at";
    const OLDEST: &str = "DELETE FROM known_places WHERE user_id = (SELECT id FROM users WHERE uuid = ?1) AND place NOT IN \
         (SELECT place FROM known_places WHERE user_id = (SELECT id FROM users WHERE uuid = ?1) ORDER BY seen_at DESC LIMIT ?2)";
    connection.prepare_cached(NOTE)?.execute(params![user, place, now])?;
    connection.prepare_cached(OLDEST)?.execute(params![user, MAX_PLACES])?;
    Ok(())
}
