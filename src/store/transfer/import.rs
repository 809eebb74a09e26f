//! Imports accounts: finds conflicts, and inserts accounts with their keys.

use std::path::PathBuf;

use uuid::Uuid;

use crate::domain::api_key::ApiKey;
use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::store::engine::commit_hooks;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::postgres::server::PostgresServer;
use crate::store::engine::sqlite::open::{ConnectionKind, SqliteOpener};
use crate::store::engine::value::bind;
use crate::store::{api_keys, audit, reserved_names, secret_key, users};

/// The page cache during an import, in KiB. Ids and names come in random order; with SQLite's default of two megabytes
/// most pages would be written many times.
const CACHE_KIB: i64 = 256 << 10;

/// An account with its password hash and API keys, as it is exported and imported.
#[derive(Clone, Debug)]
pub struct AccountRecord {
    /// The account.
    pub user: User,
    /// The password's hash.
    pub hash: PasswordHash,
    /// The keys, each with its hash.
    pub keys: Vec<(ApiKey, [u8; 32])>,
    /// Whether the account has a second factor where it comes from. Second factors aren't transferred.
    pub had_second_factor: bool,
}

/// The parts that a later import adds to an imported account.
#[derive(Clone, Debug)]
pub struct AccountCompletion {
    /// The account.
    pub user: User,
    /// The encrypted store key.
    pub store_api_key: Option<String>,
    /// The keys, each with its hash.
    pub keys: Vec<(ApiKey, [u8; 32])>,
}

/// The name of a store key among the parts that couldn't be decrypted. API keys have their ids.
pub const STORE_KEY_PART: &str = "store key";

/// Returns the detail of an audit entry about an imported account.
pub fn import_detail(source: &str, unreadable: &[String], completed: &[String]) -> String {
    let list = |word: &str, parts: &[String]| match parts {
        [] => String::new(),
        parts => format!("; {word}: {}", parts.join(", ")),
    };
    format!("import {source}{}{}", list("unreadable", unreadable), list("completed", completed))
}

/// Returns the parts of an account that earlier imports couldn't decrypt, and no import has added since. They are in
/// the audit log.
pub fn unreadable_parts(connection: &Connection, user_id: Uuid) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT detail FROM audit WHERE target = ? AND detail LIKE 'import %' ORDER BY id";
    let mut missing: Vec<String> = Vec::new();
    let details: Vec<String> = connection.all(sql, bind![user_id], |row| row.get(0))?;
    for part in details.iter().flat_map(|detail| detail.split("; ")) {
        if let Some(parts) = part.strip_prefix("unreadable: ") {
            missing.extend(parts.split(", ").map(str::to_owned));
        } else if let Some(parts) = part.strip_prefix("completed: ") {
            missing.retain(|missing| !parts.split(", ").any(|part| part == missing));
        }
    }
    Ok(missing)
}

/// Adds what was missing. Returns false on a conflict.
pub fn complete_account(
    connection: &Connection,
    completion: &AccountCompletion,
    event: &Event,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if let Some(token) = &completion.store_api_key {
        secret_key::set_store_key(connection, completion.user.id, token)?;
    }
    let inserted = insert_keys(connection, &completion.keys)?;
    audit::insert(connection, event, now)?;
    Ok(inserted)
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

/// Returns the conflict of an account with this id and name, if any.
pub fn find_conflict(connection: &Connection, id: Uuid, username: &Username) -> Result<ImportConflict, StoreError> {
    if connection.exists("SELECT 1 FROM users WHERE uuid = ?", bind![id])? {
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
    connection.exists(sql, bind![id, sha256])
}

/// The database of a bulk transaction.
#[derive(Debug)]
pub enum BulkTarget {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL server.
    Server(PostgresServer),
}

impl BulkTarget {
    fn begin(&self) -> Result<Connection, StoreError> {
        let connection = match self {
            Self::File(path) => {
                let opener = SqliteOpener { path: path.clone(), kind: ConnectionKind::Writer, setup: "" };
                let connection = opener.open()?;
                connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
                // Statement journals go to memory; by default each row would write one to a file.
                connection.pragma_update(None, "temp_store", "MEMORY")?;
                connection.into()
            }
            Self::Server(server) => server.connect_for_bulk()?,
        };
        connection.begin_write()?;
        connection.begin_bulk()?;
        Ok(connection)
    }
}

/// Runs `work` in one transaction on a dedicated connection; with SQLite it has a large page cache. Afterwards SQLite's
/// log is checkpointed into the file, unless another process is reading; it would otherwise stay large.
pub fn in_bulk_transaction<T, E: From<StoreError>>(
    target: &BulkTarget,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let connection = target.begin()?;
    let done = work(&connection).and_then(|done| {
        connection.end_bulk()?;
        connection.commit()?;
        Ok(done)
    });
    if done.is_err() {
        commit_hooks::roll_back_to(0);
        // Report the first error; a failed ROLLBACK ends with the connection.
        let _ = connection.roll_back();
        return done;
    }
    commit_hooks::run_pending();
    if let Err(error) = connection.checkpoint() {
        log::info!("The write-ahead log wasn't checkpointed: {}", error.described());
    }
    done
}

/// Inserts an account with its keys. Returns false on a conflict. No log line is written: there may be a hundred
/// thousand accounts.
pub fn insert_account(
    connection: &Connection,
    account: &AccountRecord,
    event: &Event,
    now: Timestamp,
) -> Result<bool, StoreError> {
    match users::insert(connection, &account.user, &account.hash) {
        Ok(()) => {}
        Err(StoreError::UsernameTaken | StoreError::FormerUsername) => return Ok(false),
        Err(error) if error.violates_unique("users.uuid") => return Ok(false),
        Err(error) => return Err(error),
    }
    if !insert_keys(connection, &account.keys)? {
        return Ok(false);
    }
    audit::insert(connection, event, now)?;
    Ok(true)
}

/// Inserts API keys. Returns false on a conflict.
fn insert_keys(connection: &Connection, keys: &[(ApiKey, [u8; 32])]) -> Result<bool, StoreError> {
    for (key, sha256) in keys {
        match api_keys::insert(connection, key, sha256) {
            Ok(()) => {}
            Err(error) if ["api_keys.sha256", "api_keys.uuid"].iter().any(|at| error.violates_unique(at)) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
