//! Reads all accounts with their keys.

use std::collections::HashMap;

use uuid::Uuid;

use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::transfer::import::AccountRecord;
use crate::store::{api_keys, factors, users};

/// Returns all accounts, in order of creation.
pub fn all(connection: &Connection) -> Result<Vec<AccountRecord>, StoreError> {
    let (users, keys, enrolled) = connection.snapshot(|| {
        let (users, keys) = (users::all_with_hashes(connection)?, api_keys::all_with_hashes(connection)?);
        Ok::<_, StoreError>((users, keys, factors::enrolled_users(connection)?))
    })?;
    let mut of_user: HashMap<Uuid, Vec<_>> = HashMap::new();
    for (key, sha256) in keys {
        of_user.entry(key.user_id).or_default().push((key, sha256));
    }
    let account = |(user, hash): (crate::domain::user::User, _)| {
        let keys = of_user.remove(&user.id).unwrap_or_default();
        let had_second_factor = enrolled.contains(&user.id);
        AccountRecord { user, hash, keys, had_second_factor }
    };
    Ok(users.into_iter().map(account).collect())
}
