//! The `challenges` table: second factors and passkeys that clients were asked for. They are in the database, so that
//! any server can check the answer. Only the hash of a challenge's token is stored.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::second_factor::PendingPassword;
use crate::domain::secret::PasswordHash;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Row, bind};

/// The most open challenges of one account and purpose; the oldest ends for a new one.
const MAX_OPEN: u32 = 10;

/// What a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengePurpose {
    /// Finish a sign-in whose password was right.
    SecondFactor,
    /// Sign in with a passkey alone. Stored only once it was answered.
    PasskeySignIn,
    /// Register a passkey.
    PasskeyRegistration,
}

impl ChallengePurpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::PasskeySignIn => "passkey_sign_in",
            Self::PasskeyRegistration => "passkey_registration",
        }
    }
}

/// An open challenge.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// The hash of its token.
    pub sha256: [u8; 32],
    /// Its purpose.
    pub purpose: ChallengePurpose,
    /// The account that it is bound to.
    pub user_id: Uuid,
    /// The network that it is bound to.
    pub network: String,
    /// The state of a passkey ceremony, as JSON; empty without one.
    pub state: String,
    /// How many answers were sent.
    pub tries: u32,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The password that the right answer sets.
    pub password: Option<PendingPassword>,
}

/// Opens a challenge.
pub fn insert(connection: &Connection, challenge: &Challenge) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO challenges (sha256, purpose, user_id, network, state, tries, expires_at, reset_link, \
         password, revoke_api_keys) VALUES (?1, ?2, (SELECT id FROM users WHERE uuid = ?3), ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    const DELETE_EXCESS: &str = "DELETE FROM challenges WHERE id IN (SELECT id FROM challenges WHERE purpose = ?1 \
         AND user_id = (SELECT id FROM users WHERE uuid = ?2) ORDER BY id DESC LIMIT 9223372036854775807 OFFSET ?3)";
    let Challenge { sha256, purpose, user_id, network, state, tries, expires_at, password } = challenge;
    let purpose = purpose.as_str();
    let link = password.as_ref().map(|pending| pending.reset_link.as_slice());
    let hash = password.as_ref().map(|pending| pending.hash.expose());
    let revokes = password.as_ref().is_some_and(|pending| pending.revoke_api_keys);
    let values = bind![sha256, purpose, *user_id, network, state, *tries, *expires_at, link, hash, revokes];
    connection.run(SQL, values)?;
    connection.run(DELETE_EXCESS, bind![purpose, *user_id, MAX_OPEN])?;
    Ok(())
}

/// The open challenge with this token's hash, for this purpose and network.
pub fn find(
    connection: &Connection,
    sha256: &[u8; 32],
    purpose: ChallengePurpose,
    network: &str,
    now: Timestamp,
) -> Result<Option<Challenge>, StoreError> {
    const SQL: &str = "SELECT users.uuid, challenges.state, challenges.tries, challenges.expires_at, \
         challenges.reset_link, challenges.password, challenges.revoke_api_keys FROM challenges \
         JOIN users ON users.id = challenges.user_id WHERE challenges.sha256 = ? AND challenges.purpose = ? \
         AND challenges.network = ? AND challenges.expires_at > ?";
    connection.maybe(SQL, bind![sha256, purpose.as_str(), network, now], |row| {
        Ok(Challenge {
            sha256: *sha256,
            purpose,
            user_id: row.get(0)?,
            network: network.to_owned(),
            state: row.get(1)?,
            tries: row.get(2)?,
            expires_at: row.get(3)?,
            password: pending_password(row)?,
        })
    })
}

fn pending_password(row: &Row<'_>) -> Result<Option<PendingPassword>, StoreError> {
    let (link, hash): (Option<Vec<u8>>, Option<String>) = (row.get(4)?, row.get(5)?);
    let link = link.and_then(|link| link.try_into().ok());
    let revoke_api_keys = row.get(6)?;
    let pending = |(reset_link, hash)| PendingPassword { reset_link, hash: PasswordHash::new(hash), revoke_api_keys };
    Ok(link.zip(hash).map(pending))
}

/// Counts an answer to an open challenge, before it is looked at, and returns the challenge. `None` if there is no such
/// challenge, or `most` answers were sent to it.
pub fn count_try(
    connection: &Connection,
    sha256: &[u8; 32],
    purpose: ChallengePurpose,
    network: &str,
    most: u32,
    now: Timestamp,
) -> Result<Option<Challenge>, StoreError> {
    let Some(found) = find(connection, sha256, purpose, network, now)? else { return Ok(None) };
    let sql = "UPDATE challenges SET tries = tries + 1 WHERE sha256 = ? AND tries < ?";
    let is_counted = connection.run(sql, bind![sha256, most])? == 1;
    Ok(is_counted.then(|| Challenge { tries: found.tries + 1, ..found }))
}

/// Ends a challenge; false if it had ended before.
pub fn end(connection: &Connection, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    Ok(connection.run("DELETE FROM challenges WHERE sha256 = ?", bind![sha256])? == 1)
}

/// Ends all open challenges of a user. Answered ones stay, so that they aren't answered again.
pub fn end_all_of_user(connection: &Connection, user_id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM challenges WHERE user_id = (SELECT id FROM users WHERE uuid = ?) AND purpose <> ?";
    connection.run(sql, bind![user_id, ChallengePurpose::PasskeySignIn.as_str()])?;
    Ok(())
}

/// Stores an answered challenge until it expires; false if it was answered before.
pub fn spend(
    connection: &Connection,
    sha256: &[u8; 32],
    user_id: Uuid,
    expires_at: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "INSERT INTO challenges (sha256, purpose, user_id, network, state, tries, expires_at) \
         SELECT ?, ?, id, '', '', 0, ? FROM users WHERE uuid = ? ON CONFLICT (sha256) DO NOTHING";
    let purpose = ChallengePurpose::PasskeySignIn.as_str();
    Ok(connection.run(SQL, bind![sha256, purpose, expires_at, user_id])? == 1)
}

/// Whether [`spend`] keeps this challenge.
pub fn is_spent(connection: &Connection, sha256: &[u8; 32]) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM challenges WHERE sha256 = ? AND purpose = ?)";
    connection.one(SQL, bind![sha256, ChallengePurpose::PasskeySignIn.as_str()], |row| row.get(0))
}

/// Deletes challenges that have ended.
pub fn sweep(connection: &Connection, now: Timestamp) -> Result<usize, StoreError> {
    connection.run("DELETE FROM challenges WHERE expires_at <= ?", bind![now])
}
