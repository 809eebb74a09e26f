//! Owns the SQL of taking in accounts from elsewhere: what stands in a new one's way, and adding it with its keys.

use rusqlite::Connection;
use uuid::Uuid;

use super::error::{StoreError, violates_unique};
use super::{api_keys, audit, users};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Event;
use crate::domain::clock::Timestamp;
use crate::domain::secret::PasswordHash;
use crate::domain::user::User;
use crate::domain::username::Username;

/// An account that is to be taken in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account itself.
    pub user: User,
    /// Its password's hash.
    pub hash: PasswordHash,
    /// Its keys, each with its own hash.
    pub keys: Vec<(ApiKey, [u8; 32])>,
}

/// What stands in a new account's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Free,
    /// It is here already.
    Exists,
    /// Somebody else has the name, spelled like this.
    NameTaken(String),
}

/// What stands in the way of an account of this id and name.
pub fn standing(connection: &Connection, id: Uuid, username: &Username) -> Result<Standing, StoreError> {
    if users::find(connection, id)?.is_some() {
        return Ok(Standing::Exists);
    }
    let taken = users::find_by_name(connection, username.as_str())?;
    Ok(taken.map_or(Standing::Free, |(user, _)| Standing::NameTaken(user.username.to_string())))
}

/// Adds an account; returns those of its keys that are here already and were left out. No line in the log tells of
/// each: there may be a hundred thousand.
pub fn add(connection: &Connection, account: &Account, event: &Event, now: Timestamp) -> Result<Vec<Uuid>, StoreError> {
    users::insert(connection, &account.user, &account.hash)?;
    let mut left_out = Vec::new();
    for (key, sha256) in &account.keys {
        match api_keys::insert_new(connection, key, sha256) {
            Ok(()) => {}
            Err(error) if ["api_keys.sha256", "api_keys.uuid"].iter().any(|at| violates_unique(&error, at)) => {
                left_out.push(key.id);
            }
            Err(error) => return Err(error.into()),
        }
    }
    audit::record_quietly(connection, event, now)?;
    Ok(left_out)
}
