//! The fingerprint of the secret key, and the data that only this key can read or produce. The key itself is never
//! stored here.

use std::path::Path;

use uuid::Uuid;

use crate::domain::secret::Fingerprint;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::open::{ConnectionKind, SqliteOpener};
use crate::store::engine::value::{Row, bind};

/// A text that is encrypted under the secret key, and its owner.
#[derive(Clone, Debug)]
pub struct EncryptedText {
    /// The owner's id for a store key, the factor's id for an authenticator app.
    pub id: Uuid,
    /// The owner's name.
    pub username: String,
    /// Fernet-encrypted.
    pub token: String,
}

impl EncryptedText {
    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { id: row.get(0)?, username: row.get(1)?, token: row.get(2)? })
    }
}

/// All that is encrypted under the secret key.
#[derive(Clone, Debug, Default)]
pub struct EncryptedTexts {
    /// The stored store keys.
    pub store_keys: Vec<EncryptedText>,
    /// The secrets of authenticator apps.
    pub authenticator_apps: Vec<EncryptedText>,
}

impl EncryptedTexts {
    /// Reads them. A SQLite database of an older version has no authenticator apps.
    pub fn read(connection: &Connection) -> Result<Self, StoreError> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE name = 'factors'";
        let has_apps = connection.sqlite().is_none() || connection.exists(sql, &[])?;
        let authenticator_apps = if has_apps { authenticator_apps(connection)? } else { Vec::new() };
        Ok(Self { store_keys: store_keys(connection)?, authenticator_apps })
    }
}

/// Returns the fingerprint of the database's secret key, or `None` if it isn't stored yet.
pub fn fingerprint(connection: &Connection) -> Result<Option<Fingerprint>, StoreError> {
    Ok(connection.maybe("SELECT fingerprint FROM secret_key", &[], |row| row.get(0))?.map(Fingerprint))
}

/// Opens the database at `path` and returns its fingerprint, and what is encrypted.
pub fn read_from_file(path: &Path) -> Result<(Option<Fingerprint>, EncryptedTexts), StoreError> {
    let connection = SqliteOpener { path: path.to_owned(), kind: ConnectionKind::Reader, setup: "" }.connect()?;
    Ok((fingerprint(&connection)?, EncryptedTexts::read(&connection)?))
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
pub fn store_keys(connection: &Connection) -> Result<Vec<EncryptedText>, StoreError> {
    let sql = "SELECT uuid, username, store_api_key FROM users WHERE store_api_key IS NOT NULL ORDER BY id";
    connection.all(sql, &[], EncryptedText::from_row)
}

/// Returns the secrets of all authenticator apps.
pub fn authenticator_apps(connection: &Connection) -> Result<Vec<EncryptedText>, StoreError> {
    let sql = "SELECT factors.uuid, users.username, factors.data FROM factors JOIN users ON users.id = factors.user_id \
         WHERE factors.kind = 'totp' ORDER BY factors.id";
    connection.all(sql, &[], EncryptedText::from_row)
}

/// Replaces the encrypted secret of an authenticator app by the same secret under another key.
pub fn set_authenticator_app(connection: &Connection, id: Uuid, encrypted: &str) -> Result<(), StoreError> {
    connection.run("UPDATE factors SET data = ? WHERE uuid = ?", bind![encrypted, id])?;
    Ok(())
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
