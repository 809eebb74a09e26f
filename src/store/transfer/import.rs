//! Imports accounts: finds conflicts, and inserts accounts with their keys.

use std::path::Path;

use r2d2::ManageConnection;
use rusqlite::Connection;
use uuid::Uuid;

use crate::domain::api_key::ApiKey;
use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::store::engine::commit_hooks;
use crate::store::engine::connection::{ConnectionKind, ConnectionManager};
use crate::store::engine::error::{StoreError, violates_unique};
use crate::store::{api_keys, audit, reserved_names, users};

/// The page cache during an import, in KiB. Ids and names come in random order; with SQLite's default of two megabytes
/// most pages would be written many times.
const CACHE_KIB: i64 = 256 << 10;

/// An account to import.
#[derive(Clone, Debug)]
pub struct ImportedAccount {
    /// The account.
    pub user: User,
    /// The password's hash.
    pub hash: PasswordHash,
    /// The keys, each with its hash.
    pub keys: Vec<(ApiKey, [u8; 32])>,
}

/// Why an account can't be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportConflict {
    /// Nothing.
    Free,
    /// The account exists.
    Exists,
    /// Another user has the name, in this spelling.
    NameTaken(String),
    /// The name is reserved for its former owner.
    NameReserved,
}

/// Runs many reads in one transaction: they see one moment, and take the database's locks once.
pub fn in_read_transaction<T>(
    connection: &Connection,
    questions: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("BEGIN")?;
    let answers = questions();
    connection.execute_batch("COMMIT")?;
    answers
}

/// Returns the conflict of an account with this id and name, if any.
pub fn find_conflict(connection: &Connection, id: Uuid, username: &Username) -> Result<ImportConflict, StoreError> {
    if connection.prepare_cached("SELECT 1 FROM users WHERE uuid = ?")?.exists([id])? {
        return Ok(ImportConflict::Exists);
    }
    if let Some((user, _)) = users::find_by_name(connection, username.as_str())? {
        return Ok(ImportConflict::NameTaken(user.username.to_string()));
    }
    let kept = reserved_names::former_owner(connection, username)?.is_some_and(|owner| owner != id);
    Ok(if kept { ImportConflict::NameReserved } else { ImportConflict::Free })
}

/// Reports whether a key with this id or hash exists.
pub fn has_key(connection: &Connection, id: Uuid, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM api_keys WHERE uuid = ?1 UNION ALL SELECT 1 FROM api_keys WHERE sha256 = ?2";
    Ok(connection.prepare_cached(sql)?.exists(rusqlite::params![id, sha256.as_slice()])?)
}

/// Runs `work` in one transaction on a dedicated connection with a large page cache. Afterwards the log is checkpointed
/// into the file, unless another process is reading; it would otherwise stay large.
pub fn in_bulk_transaction<T, E: From<StoreError>>(
    path: &Path,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let setup = || -> Result<Connection, StoreError> {
        let connection =
            ConnectionManager { path: path.to_owned(), kind: ConnectionKind::Writer, setup: "" }.connect()?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // Statement journals go to memory; by default each row would write one to a file.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(connection)
    };
    let connection = setup()?;
    let done = work(&connection).and_then(|done| {
        connection.execute_batch("COMMIT").map_err(StoreError::from)?;
        Ok(done)
    });
    if done.is_err() {
        commit_hooks::roll_back_to(0);
        // Report the first error; a failed ROLLBACK ends with the connection.
        let _ = connection.execute_batch("ROLLBACK");
        return done;
    }
    commit_hooks::run_pending();
    if let Err(error) = checkpoint(&connection) {
        log::info!("The write-ahead log wasn't checkpointed: {}", error.described());
    }
    done
}

fn checkpoint(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Inserts an account with its keys. Returns false on a conflict. No log line is written: there may be a hundred
/// thousand accounts.
pub fn insert_account(
    connection: &Connection,
    account: &ImportedAccount,
    event: &Event,
    now: Timestamp,
) -> Result<bool, StoreError> {
    match users::insert(connection, &account.user, &account.hash) {
        Ok(()) => {}
        Err(StoreError::UsernameTaken | StoreError::FormerUsername) => return Ok(false),
        Err(StoreError::Sqlite(error)) if violates_unique(&error, "users.uuid") => return Ok(false),
        Err(error) => return Err(error),
    }
    for (key, sha256) in &account.keys {
        match api_keys::insert_new(connection, key, sha256) {
            Ok(()) => {}
            Err(error) if ["api_keys.sha256", "api_keys.uuid"].iter().any(|at| violates_unique(&error, at)) => {
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
    audit::record_without_log(connection, event, now)?;
    Ok(true)
}
