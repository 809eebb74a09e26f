//! The `attempts` and `known_places` tables: counts of failed attempts, and the networks that users have signed in
//! from. The number of rows is bounded, whatever an attacker sends.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::throttle::{AttemptCount, AttemptKey};
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;

/// The most counts. Beyond it, the smallest are deleted first, then the oldest: an attacker with many names and
/// networks can't remove a count that makes someone wait.
const MAX_COUNTS: i64 = 50_000;
/// The most networks per user. Beyond it the one seen longest ago is deleted.
const MAX_NETWORKS: i64 = 20;

/// Returns the count of this key.
pub fn count(connection: &Connection, key: &AttemptKey) -> Result<Option<AttemptCount>, StoreError> {
    let sql = "SELECT count, last_at FROM attempts WHERE key = ?";
    connection.maybe(sql, bind![key], |row| Ok(AttemptCount { count: row.get(0)?, last_at: row.get(1)? }))
}

/// Stores the count of this key.
pub fn set(connection: &Connection, key: &AttemptKey, counted: AttemptCount) -> Result<(), StoreError> {
    let sql = "INSERT INTO attempts (key, count, last_at) VALUES (?, ?, ?) \
         ON CONFLICT (key) DO UPDATE SET count = excluded.count, last_at = excluded.last_at";
    connection.run(sql, bind![key, counted.count, counted.last_at])?;
    Ok(())
}

/// Deletes the count of this key.
pub fn clear(connection: &Connection, key: &AttemptKey) -> Result<(), StoreError> {
    connection.run("DELETE FROM attempts WHERE key = ?", bind![key])?;
    Ok(())
}

/// Deletes counts whose last attempt was before `oldest`.
pub fn sweep(connection: &Connection, oldest: Timestamp) -> Result<(), StoreError> {
    connection.run("DELETE FROM attempts WHERE last_at < ?", bind![oldest])?;
    Ok(())
}

/// Deletes the smallest counts beyond the limit.
pub fn trim(connection: &Connection) -> Result<(), StoreError> {
    const SMALLEST: &str =
        "DELETE FROM attempts WHERE key IN (SELECT key FROM attempts ORDER BY count, last_at LIMIT ?)";
    let count: i64 = connection.one("SELECT count(*) FROM attempts", &[], |row| row.get(0))?;
    if count > MAX_COUNTS {
        connection.run(SMALLEST, bind![count - MAX_COUNTS])?;
    }
    Ok(())
}

/// Reports whether the user has signed in from this network before.
pub fn is_known_network(connection: &Connection, user: Uuid, network: &AttemptKey) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM known_places JOIN users ON users.id = user_id WHERE users.uuid = ? AND place = ?)";
    connection.one(sql, bind![user, network], |row| row.get(0))
}

/// Reports whether the user has signed in from any network that is remembered.
pub fn has_known_network(connection: &Connection, user: Uuid) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM known_places JOIN users ON users.id = user_id WHERE users.uuid = ?";
    connection.exists(sql, bind![user])
}

/// Records that the user signed in from this network.
pub fn remember_network(
    connection: &Connection,
    user: Uuid,
    network: &AttemptKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    const NOTE: &str = "INSERT INTO known_places (user_id, place, seen_at) SELECT id, ?2, ?3 FROM users WHERE uuid = ?1 \
         ON CONFLICT (user_id, place) DO UPDATE SET seen_at = excluded.seen_at";
    const OLDEST: &str = "DELETE FROM known_places WHERE user_id = (SELECT id FROM users WHERE uuid = ?1) AND place NOT IN \
         (SELECT place FROM known_places WHERE user_id = (SELECT id FROM users WHERE uuid = ?1) ORDER BY seen_at DESC LIMIT ?2)";
    connection.run(NOTE, bind![user, network, now])?;
    connection.run(OLDEST, bind![user, MAX_NETWORKS])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::engine::connection::in_memory;

    #[test]
    fn trimming_keeps_the_limit_of_rows_and_the_largest_counts() {
        let connection = in_memory();
        let now = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        let waits = [255; 16];
        connection.batch("BEGIN").unwrap();
        set(&connection, &waits, AttemptCount { count: 30, last_at: now }).unwrap();
        for n in 0..u128::try_from(MAX_COUNTS + 500).unwrap() {
            let last_at = now + chrono::TimeDelta::milliseconds(i64::try_from(n).unwrap());
            set(&connection, &n.to_be_bytes(), AttemptCount { count: 1, last_at }).unwrap();
        }
        connection.batch("COMMIT").unwrap();
        trim(&connection).unwrap();
        let rows: i64 = connection.one("SELECT count(*) FROM attempts", &[], |row| row.get(0)).unwrap();
        assert_eq!(rows, MAX_COUNTS);
        assert_eq!(count(&connection, &waits).unwrap().unwrap().count, 30);
        assert_eq!(count(&connection, &0_u128.to_be_bytes()).unwrap(), None);
    }

    #[test]
    fn only_the_newest_networks_of_a_user_are_remembered() {
        let connection = in_memory();
        let user = Uuid::from_u128(7);
        let row = "INSERT INTO users (uuid, username, username_folded, password_hash, is_active, is_superuser, create_at, \
             updated_at) VALUES (?, 'a', 'a', 'h', 1, 1, 't', 't')";
        connection.run(row, bind![user]).unwrap();
        let now = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        for n in 0..30_u8 {
            remember_network(&connection, user, &[n; 16], now + chrono::TimeDelta::seconds(n.into())).unwrap();
        }
        let known = |n: u8| is_known_network(&connection, user, &[n; 16]).unwrap();
        assert_eq!((known(9), known(10), known(29)), (false, true, true));
    }
}
