//! The second factors of accounts: authenticator apps and passkeys.

use std::collections::HashSet;

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::second_factor::{AvailableFactors, Factor, FactorKind, SecondFactorPolicy, StoredCredential};
use crate::domain::user::User;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Row, bind};

macro_rules! factor_columns {
    () => {
        "factors.uuid, factors.kind, factors.name, factors.is_confirmed, factors.rp_id, factors.created_at, \
         factors.last_used_at"
    };
}

fn from_row(row: &Row<'_>) -> Result<Factor, StoreError> {
    let kind: String = row.get(1)?;
    Ok(Factor {
        id: row.get(0)?,
        kind: FactorKind::from_name(&kind).unwrap_or(FactorKind::Passkey),
        name: row.get(2)?,
        is_confirmed: row.get(3)?,
        rp_id: row.get(4)?,
        created_at: row.get(5)?,
        last_used_at: row.get(6)?,
    })
}

/// An authenticator app, with the data that checks its codes.
#[derive(Clone, Debug)]
pub struct TotpFactor {
    /// The factor's id.
    pub id: Uuid,
    /// The secret, encrypted under the secret key.
    pub encrypted_secret: String,
    /// The newest step whose code was accepted.
    pub last_step: Option<i64>,
    /// Whether a first code confirmed it.
    pub is_confirmed: bool,
}

/// A passkey, with the data that checks its answers.
#[derive(Clone, Debug)]
pub struct PasskeyFactor {
    /// The factor's id.
    pub id: Uuid,
    /// The account that it belongs to.
    pub user_id: Uuid,
    /// The public key and counter.
    pub credential: StoredCredential,
}

/// The factors of a user, oldest first.
pub fn of_user(connection: &Connection, user_id: Uuid) -> Result<Vec<Factor>, StoreError> {
    const SQL: &str = concat!(
        "SELECT ",
        factor_columns!(),
        " FROM factors JOIN users ON users.id = factors.user_id WHERE users.uuid = ? ORDER BY factors.id"
    );
    connection.all(SQL, bind![user_id], from_row)
}

/// Which factors can finish a sign-in of this user. Passkeys count only for the relying party `rp_id`.
pub fn available(connection: &Connection, user_id: Uuid, rp_id: Option<&str>) -> Result<AvailableFactors, StoreError> {
    const SQL: &str = "SELECT \
         EXISTS (SELECT 1 FROM factors WHERE user_id = users.id AND kind = 'totp' AND is_confirmed = 1), \
         EXISTS (SELECT 1 FROM factors WHERE user_id = users.id AND kind = 'passkey' AND rp_id = ?1), \
         EXISTS (SELECT 1 FROM recovery_codes WHERE user_id = users.id AND used_at IS NULL) \
         FROM users WHERE uuid = ?2";
    let found = connection.maybe(SQL, bind![rp_id, user_id], |row| {
        Ok(AvailableFactors { totp: row.get(0)?, passkey: row.get(1)?, recovery: row.get(2)? })
    });
    Ok(found?.unwrap_or_default())
}

/// Whether a user has a confirmed authenticator app or a passkey, of whatever relying party.
pub fn is_enrolled(connection: &Connection, user_id: Uuid) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM factors JOIN users ON users.id = factors.user_id \
         WHERE users.uuid = ? AND factors.is_confirmed = 1)";
    connection.one(SQL, bind![user_id], |row| row.get(0))
}

/// The users for whom [`is_enrolled`] is true.
pub fn enrolled_users(connection: &Connection) -> Result<HashSet<Uuid>, StoreError> {
    const SQL: &str = "SELECT DISTINCT users.uuid FROM factors JOIN users ON users.id = factors.user_id \
         WHERE factors.is_confirmed = 1";
    Ok(connection.all(SQL, &[], |row| row.get(0))?.into_iter().collect())
}

/// Whether the policy requires a second factor that this user doesn't have. An `automatic` session began without a
/// password and needs none.
pub fn is_missing(
    connection: &Connection,
    policy: SecondFactorPolicy,
    user: &User,
    automatic: bool,
) -> Result<bool, StoreError> {
    Ok(policy.requires(user) && !automatic && !is_enrolled(connection, user.id)?)
}

/// The authenticator apps of a user.
pub fn totp_of_user(connection: &Connection, user_id: Uuid) -> Result<Vec<TotpFactor>, StoreError> {
    const SQL: &str = "SELECT factors.uuid, factors.data, factors.last_step, factors.is_confirmed FROM factors \
         JOIN users ON users.id = factors.user_id WHERE users.uuid = ? AND factors.kind = 'totp' ORDER BY factors.id";
    connection.all(SQL, bind![user_id], |row| {
        Ok(TotpFactor {
            id: row.get(0)?,
            encrypted_secret: row.get(1)?,
            last_step: row.get(2)?,
            is_confirmed: row.get(3)?,
        })
    })
}

/// The passkeys of a user at a relying party.
pub fn passkeys_of_user(connection: &Connection, user_id: Uuid, rp_id: &str) -> Result<Vec<PasskeyFactor>, StoreError> {
    const SQL: &str = "SELECT factors.uuid, users.uuid, factors.credential_id, factors.data FROM factors \
         JOIN users ON users.id = factors.user_id \
         WHERE users.uuid = ? AND factors.kind = 'passkey' AND factors.rp_id = ? ORDER BY factors.id";
    connection.all(SQL, bind![user_id, rp_id], passkey_from_row)
}

/// The passkey with this credential id.
pub fn find_passkey(connection: &Connection, credential_id: &[u8]) -> Result<Option<PasskeyFactor>, StoreError> {
    const SQL: &str = "SELECT factors.uuid, users.uuid, factors.credential_id, factors.data FROM factors \
         JOIN users ON users.id = factors.user_id WHERE factors.credential_id = ?";
    connection.maybe(SQL, bind![credential_id], passkey_from_row)
}

fn passkey_from_row(row: &Row<'_>) -> Result<PasskeyFactor, StoreError> {
    let credential = StoredCredential { id: row.get(2)?, json: row.get(3)? };
    Ok(PasskeyFactor { id: row.get(0)?, user_id: row.get(1)?, credential })
}

/// The data that a new factor is checked with.
pub enum NewFactor<'a> {
    /// An authenticator app that isn't confirmed yet, and its encrypted secret.
    Totp(&'a str),
    /// A passkey of a relying party.
    Passkey(&'a StoredCredential, &'a str),
}

/// Adds a factor.
pub fn insert(
    connection: &Connection,
    user_id: Uuid,
    id: Uuid,
    name: &str,
    factor: &NewFactor<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO factors (uuid, user_id, kind, name, data, credential_id, rp_id, is_confirmed, \
         created_at) SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM users WHERE uuid = ?2";
    let (kind, data, credential, rp_id) = match factor {
        NewFactor::Totp(secret) => (FactorKind::Totp, *secret, None, None),
        NewFactor::Passkey(credential, rp_id) => {
            (FactorKind::Passkey, credential.json.as_str(), Some(credential.id.as_slice()), Some(*rp_id))
        }
    };
    let is_confirmed = kind == FactorKind::Passkey;
    let values = bind![id, user_id, kind.as_str(), name, data, credential, rp_id, is_confirmed, now];
    connection.run(SQL, values).map(drop)
}

/// Accepts the code of a step: confirms the app, and refuses this step and all before it from now on. False if a code
/// of this step or a later one was accepted meanwhile.
pub fn accept_step(connection: &Connection, id: Uuid, step: i64, now: Timestamp) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE factors SET last_step = ?1, is_confirmed = 1, last_used_at = ?2 \
         WHERE uuid = ?3 AND (last_step IS NULL OR last_step < ?1)";
    Ok(connection.run(SQL, bind![step, now, id])? == 1)
}

/// Writes a passkey's new counter and the time of its use. False if another use came between: `before` is what its
/// answer was checked against.
pub fn accept_assertion(
    connection: &Connection,
    id: Uuid,
    before: &StoredCredential,
    after: &StoredCredential,
    now: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "UPDATE factors SET data = ?, last_used_at = ? WHERE uuid = ? AND data = ?";
    Ok(connection.run(SQL, bind![&after.json, now, id, &before.json])? == 1)
}

/// Renames a factor of this user; false if there is no such factor.
pub fn rename(connection: &Connection, user_id: Uuid, id: Uuid, name: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE factors SET name = ? WHERE uuid = ? AND user_id = (SELECT id FROM users WHERE uuid = ?)";
    Ok(connection.run(sql, bind![name, id, user_id])? == 1)
}

/// Removes a factor of this user and returns it. Removing the last factor also removes the recovery codes.
pub fn remove(connection: &Connection, user_id: Uuid, id: Uuid) -> Result<Option<Factor>, StoreError> {
    let Some(factor) = of_user(connection, user_id)?.into_iter().find(|factor| factor.id == id) else {
        return Ok(None);
    };
    connection.run("DELETE FROM factors WHERE uuid = ?", bind![id])?;
    if !is_enrolled(connection, user_id)? {
        replace_recovery_codes(connection, user_id, &[])?;
    }
    Ok(Some(factor))
}

/// Removes the authenticator apps of a user that no code confirmed.
pub fn remove_unconfirmed(connection: &Connection, user_id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM factors WHERE is_confirmed = 0 AND user_id = (SELECT id FROM users WHERE uuid = ?)";
    connection.run(sql, bind![user_id])?;
    Ok(())
}

/// Removes all factors and recovery codes of a user; returns how many factors there were.
pub fn remove_all(connection: &Connection, user_id: Uuid) -> Result<usize, StoreError> {
    let sql = "DELETE FROM factors WHERE user_id = (SELECT id FROM users WHERE uuid = ?)";
    let removed = connection.run(sql, bind![user_id])?;
    replace_recovery_codes(connection, user_id, &[])?;
    Ok(removed)
}

/// Replaces the recovery codes of a user.
pub fn replace_recovery_codes(connection: &Connection, user_id: Uuid, hashes: &[[u8; 32]]) -> Result<(), StoreError> {
    let sql = "DELETE FROM recovery_codes WHERE user_id = (SELECT id FROM users WHERE uuid = ?)";
    connection.run(sql, bind![user_id])?;
    let sql = "INSERT INTO recovery_codes (user_id, sha256) SELECT id, ? FROM users WHERE uuid = ?";
    for hash in hashes {
        connection.run(sql, bind![hash, user_id])?;
    }
    Ok(())
}

/// How many recovery codes of a user are left.
pub fn recovery_codes_left(connection: &Connection, user_id: Uuid) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM recovery_codes JOIN users ON users.id = recovery_codes.user_id \
         WHERE users.uuid = ? AND recovery_codes.used_at IS NULL";
    connection.one(sql, bind![user_id], |row| row.get(0))
}

/// Whether this is the hash of an unused recovery code of this user.
pub fn has_recovery_code(connection: &Connection, user_id: Uuid, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM recovery_codes JOIN users ON users.id = recovery_codes.user_id \
         WHERE users.uuid = ? AND recovery_codes.sha256 = ? AND recovery_codes.used_at IS NULL)";
    connection.one(sql, bind![user_id, hash], |row| row.get(0))
}

/// Uses up a recovery code; false if it isn't one of this user's or was used before.
pub fn use_recovery_code(
    connection: &Connection,
    user_id: Uuid,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE recovery_codes SET used_at = ? WHERE sha256 = ? AND used_at IS NULL \
         AND user_id = (SELECT id FROM users WHERE uuid = ?)";
    Ok(connection.run(sql, bind![now, hash, user_id])? == 1)
}

/// How many passkeys belong to another relying party than `rp_id`.
pub fn orphaned_passkeys(connection: &Connection, rp_id: Option<&str>) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM factors WHERE kind = 'passkey' AND rp_id IS DISTINCT FROM ?";
    connection.one(sql, bind![rp_id], |row| row.get(0))
}
