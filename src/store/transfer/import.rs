//! Owns the SQL of taking in accounts from elsewhere: what stands in a new one's way, and adding it with its keys.

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

/// The most memory that pages may take while many accounts are added, in KiB. Ids and names come in no order, so that
/// with SQLite's own two megabytes most pages would be written many times.
const CACHE_KIB: i64 = 256 << 10;

/// An account that is to be taken in.
#[derive(Clone, Debug)]
pub struct ImportedAccount {
    /// The account itself.
    pub user: User,
    /// Its password's hash.
    pub hash: PasswordHash,
    /// Its keys, each with its own hash.
    pub keys: Vec<(ApiKey, [u8; 32])>,
}

/// What stands in a new account's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportConflict {
    /// Nothing.
    Free,
    /// It is here already.
    Exists,
    /// Somebody else has the name, spelled like this.
    NameTaken(String),
    /// Somebody else had the name, and it is not given again.
    NameKept,
}

/// Asks many questions about one moment; each by itself would take the database's locks anew.
pub fn at_one_moment<T>(
    connection: &Connection,
    questions: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("BEGIN")?;
    let answers = questions();
    connection.execute_batch("COMMIT")?;
    answers
}

/// What stands in the way of an account of this id and name.
pub fn standing(connection: &Connection, id: Uuid, username: &Username) -> Result<ImportConflict, StoreError> {
    if connection.prepare_cached("SELECT 1 FROM users WHERE uuid = ?")?.exists([id])? {
        return Ok(ImportConflict::Exists);
    }
    if let Some((user, _)) = users::find_by_name(connection, username.as_str())? {
        return Ok(ImportConflict::NameTaken(user.username.to_string()));
    }
    let kept = reserved_names::former_owner(connection, username)?.is_some_and(|owner| owner != id);
    Ok(if kept { ImportConflict::NameKept } else { ImportConflict::Free })
}

/// Whether a key with this id or this hash is here.
pub fn has_key(connection: &Connection, id: Uuid, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM api_keys WHERE uuid = ?1 UNION ALL SELECT 1 FROM api_keys WHERE sha256 = ?2";
    Ok(connection.prepare_cached(sql)?.exists(rusqlite::params![id, sha256.as_slice()])?)
}

/// Runs `work` in one transaction on a connection of its own to the database at `path`: one that keeps in memory what
/// many additions touch. Afterwards the log, which would keep the size that this gave it, is folded into the file,
/// unless somebody reads just then.
pub fn in_one<T, E: From<StoreError>>(path: &Path, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
    let setup = || -> Result<Connection, StoreError> {
        let connection =
            ConnectionManager { path: path.to_owned(), kind: ConnectionKind::Writer, setup: "" }.connect()?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        // What a single statement would have to undo is kept beside, once more for each: in a file by default.
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
        // The error that brought us here is the one to report; a failed ROLLBACK ends with the connection.
        let _ = connection.execute_batch("ROLLBACK");
        return done;
    }
    commit_hooks::run_pending();
    if let Err(error) = fold_log(&connection) {
        log::info!("the log was not folded into the database: {}", error.described());
    }
    done
}

fn fold_log(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Adds an account with its keys; false when something stands in its way. No line in the log tells of each: there may
/// be a hundred thousand.
pub fn add(
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
    audit::record_quietly(connection, event, now)?;
    Ok(true)
}
