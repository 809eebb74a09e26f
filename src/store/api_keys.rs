//! The `api_keys` table.

use uuid::Uuid;

use crate::domain::api_key::ApiKey;
use crate::domain::clock::Timestamp;
use crate::domain::user::User;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Row, bind};
use crate::store::user_rows::{self, user_columns};

macro_rules! key_columns {
    () => {
        "api_keys.uuid, api_keys.name, api_keys.prefix, api_keys.length, api_keys.is_active, api_keys.created_at, \
         api_keys.expires_at, api_keys.last_used_at, api_keys.total_uses"
    };
}

fn from_row(row: &Row<'_>, first: usize, user_id: Uuid) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.get(first)?,
        user_id,
        name: row.get(first + 1)?,
        prefix: row.get(first + 2)?,
        length: row.get(first + 3)?,
        is_active: row.get(first + 4)?,
        created_at: row.get(first + 5)?,
        expires_at: row.get(first + 6)?,
        last_used_at: row.get(first + 7)?,
        total_uses: row.get(first + 8)?,
    })
}

/// Returns the key with this hash and its owner, whether or not they are active.
pub fn find(connection: &Connection, sha256: &[u8; 32]) -> Result<Option<(User, ApiKey)>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        user_columns!(),
        ", ",
        key_columns!(),
        " FROM api_keys JOIN users ON users.id = api_keys.user_id WHERE api_keys.sha256 = ?"
    );
    connection.maybe(SQL, bind![sha256], |row| {
        let user = user_rows::from_row(row)?;
        let key = from_row(row, user_rows::COLUMN_COUNT, user.id)?;
        Ok((user, key))
    })
}

/// Returns a user's keys, in order of creation.
pub fn of_user(connection: &Connection, user_id: Uuid) -> Result<Vec<ApiKey>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM api_keys WHERE user_id = (SELECT id FROM users WHERE uuid = ?) ORDER BY id"
    );
    connection.all(SQL, bind![user_id], |row| from_row(row, 0, user_id))
}

/// Returns all keys with their hashes, in order of creation.
pub fn all_with_hashes(connection: &Connection) -> Result<Vec<(ApiKey, [u8; 32])>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        ", api_keys.sha256, users.uuid FROM api_keys JOIN users ON users.id = api_keys.user_id ORDER BY api_keys.id"
    );
    connection.all(SQL, &[], |row| Ok((from_row(row, 0, row.get(10)?)?, row.get(9)?)))
}

/// Reports whether a key with this id exists and is active.
pub fn is_active(connection: &Connection, id: Uuid) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM api_keys WHERE uuid = ? AND is_active = 1)";
    connection.one(sql, bind![id], |row| row.get(0))
}

/// Adds a key.
pub fn insert(connection: &Connection, key: &ApiKey, sha256: &[u8; 32]) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO api_keys (uuid, user_id, name, sha256, prefix, length, is_active, created_at, \
         expires_at, last_used_at, total_uses) SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM users \
         WHERE uuid = ?2";
    let values = bind![
        key.id,
        key.user_id,
        &key.name,
        sha256,
        &key.prefix,
        key.length,
        key.is_active,
        key.created_at,
        key.expires_at,
        key.last_used_at,
        key.total_uses,
    ];
    connection.try_run(SQL, values).map(drop)
}

/// Returns how many keys a user has, valid or not.
pub fn count_of_user(connection: &Connection, user_id: Uuid) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM api_keys WHERE user_id = (SELECT id FROM users WHERE uuid = ?)";
    connection.one(sql, bind![user_id], |row| row.get(0))
}

/// Deletes all keys of a user, and returns how many there were.
pub fn delete_all_of_user(connection: &Connection, user_id: Uuid) -> Result<usize, StoreError> {
    connection.run("DELETE FROM api_keys WHERE user_id = (SELECT id FROM users WHERE uuid = ?)", bind![user_id])
}

/// Deletes a key of this owner. Returns the name of the key, or its prefix if it has none; `None` if it doesn't exist.
pub fn delete(connection: &Connection, owner: Uuid, id: Uuid) -> Result<Option<String>, StoreError> {
    let sql = "DELETE FROM api_keys WHERE uuid = ? AND user_id = (SELECT id FROM users WHERE uuid = ?) \
         RETURNING coalesce(nullif(name, ''), prefix)";
    connection.maybe(sql, bind![id, owner], |row| row.get(0))
}

/// Adds uses that were counted in memory. The key may have been deleted meanwhile.
pub fn add_uses(connection: &Connection, id: Uuid, uses: u32, last: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE api_keys SET total_uses = total_uses + ?, last_used_at = ? WHERE uuid = ?";
    connection.run(sql, bind![uses, last, id])?;
    Ok(())
}
