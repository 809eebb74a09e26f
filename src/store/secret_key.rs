//! The fingerprint of the secret key, and the data that only this key can read or produce. The key itself is never
//! stored here.

use std::path::Path;

use uuid::Uuid;

use crate::domain::secret::Fingerprint;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::open::{ConnectionKind, SqliteOpener};
use crate::store::engine::value::bind;

/// An encrypted store key and its owner.
#[derive(Clone, Debug)]
pub struct StoreKey {
    /// The owner's id.
    pub user_id: Uuid,
    /// The owner's name.
    pub username: String,
    /// Fernet-encrypted.
    pub token: String,
}

/// Returns the fingerprint of the database's secret key, or `None` if it isn't stored yet.
pub fn fingerprint(connection: &Connection) -> Result<Option<Fingerprint>, StoreError> {
    Ok(connection.maybe("SELECT fingerprint FROM secret_key", &[], |row| row.get(0))?.map(Fingerprint))
}

/// Opens the database at `path` and returns its fingerprint and store keys.
pub fn read_from_file(path: &Path) -> Result<(Option<Fingerprint>, Vec<StoreKey>), StoreError> {
    let connection = SqliteOpener { path: path.to_owned(), kind: ConnectionKind::Reader, setup: "" }.connect()?;
    Ok((fingerprint(&connection)?, store_keys(&connection)?))
}

/// Stores the fingerprint of the secret key in a database that has none, and returns the fingerprint that is stored.
pub fn claim(connection: &Connection, fingerprint: &Fingerprint) -> Result<Fingerprint, StoreError> {
    let sql = "INSERT INTO secret_key (id, fingerprint) VALUES (1, ?) ON CONFLICT (id) DO NOTHING";
    connection.run(sql, bind![&fingerprint.0])?;
    Ok(self::fingerprint(connection)?.unwrap_or(*fingerprint))
}

/// Stores the fingerprint of the database's secret key.
pub fn set_fingerprint(connection: &Connection, fingerprint: &Fingerprint) -> Result<(), StoreError> {
    let sql = "INSERT INTO secret_key (id, fingerprint) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET \
         fingerprint = excluded.fingerprint";
    connection.run(sql, bind![&fingerprint.0])?;
    Ok(())
}

/// Returns all stored store keys.
pub fn store_keys(connection: &Connection) -> Result<Vec<StoreKey>, StoreError> {
    let sql = "SELECT uuid, username, store_api_key FROM users WHERE store_api_key IS NOT NULL ORDER BY id";
    connection.all(sql, &[], |row| Ok(StoreKey { user_id: row.get(0)?, username: row.get(1)?, token: row.get(2)? }))
}

/// Replaces the ciphertext of a store key. `updated_at` stays.
pub fn set_store_key(connection: &Connection, user_id: Uuid, token: &str) -> Result<(), StoreError> {
    connection.run("UPDATE users SET store_api_key = ? WHERE uuid = ?", bind![token, user_id])?;
    Ok(())
}

/// Deletes the counts whose keys depend on the secret key. No other key can find them.
pub fn clear_keyed_counts(connection: &Connection) -> Result<(), StoreError> {
    connection.batch("DELETE FROM attempts; DELETE FROM known_places")
}
