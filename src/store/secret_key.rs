//! Owns the SQL about the secret key: by what it is known again, and what is kept that only it can read or make.
//! Must never be given the key itself.

use std::path::Path;

use r2d2::ManageConnection;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use crate::domain::secret::Fingerprint;
use crate::store::engine::connection::{ConnectionKind, ConnectionManager};
use crate::store::engine::error::StoreError;

/// A stored store key: whose it is, by id and name, and the encrypted text.
#[derive(Clone, Debug)]
pub struct StoreKey {
    /// The owner.
    pub user_id: Uuid,
    /// The owner's name.
    pub username: String,
    /// Fernet-encrypted.
    pub token: String,
}

/// By what the secret key that goes with this database is known; `None` until it has been noted.
pub fn fingerprint(connection: &Connection) -> Result<Option<Fingerprint>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT fingerprint FROM secret_key")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.map(Fingerprint))
}

/// The same and every stored store key, of the database at `path`, which no door leads to.
pub fn look(path: &Path) -> Result<(Option<Fingerprint>, Vec<StoreKey>), StoreError> {
    let connection = ConnectionManager { path: path.to_owned(), kind: ConnectionKind::Reader, setup: "" }.connect()?;
    Ok((fingerprint(&connection)?, store_keys(&connection)?))
}

/// Notes which secret key goes with this database from now on.
pub fn set_fingerprint(connection: &Connection, fingerprint: &Fingerprint) -> Result<(), StoreError> {
    let sql = "INSERT INTO secret_key (id, fingerprint) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET \
         fingerprint = excluded.fingerprint";
    connection.prepare_cached(sql)?.execute([fingerprint.0])?;
    Ok(())
}

/// Every stored store key.
pub fn store_keys(connection: &Connection) -> Result<Vec<StoreKey>, StoreError> {
    let sql = "SELECT uuid, username, store_api_key FROM users WHERE store_api_key IS NOT NULL ORDER BY id";
    let mut statement = connection.prepare(sql)?;
    let keys = statement
        .query_map([], |row| Ok(StoreKey { user_id: row.get(0)?, username: row.get(1)?, token: row.get(2)? }))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Replaces the encrypted text of a store key; that is no change of the account.
pub fn set_store_key(connection: &Connection, user_id: Uuid, token: &str) -> Result<(), StoreError> {
    connection.prepare_cached("UPDATE users SET store_api_key = ? WHERE uuid = ?")?.execute(params![token, user_id])?;
    Ok(())
}

/// Forgets what is counted under keys that only the secret key makes: nobody would find it again.
pub fn forget_counts(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.execute_batch("DELETE FROM attempts; DELETE FROM known_places")?)
}
