//! The columns of the `users` table and their mapping to [`User`], shared by every statement that returns users.

use crate::domain::optins::OptIns;
use crate::domain::user::User;
use crate::domain::username::Username;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::Row;

/// The columns that [`from_row`] reads, in its order. A macro, so that statements stay constants.
macro_rules! user_columns {
    () => {
        "users.uuid, users.username, users.username_folded, users.profile_image, users.store_api_key, \
         users.is_active, users.is_superuser, users.create_at, users.updated_at, users.last_login_at, users.optins, \
         users.must_change_password"
    };
}
pub(crate) use user_columns;

/// The number of columns in [`user_columns`]; a statement's own columns start at this index.
pub const COLUMN_COUNT: usize = 12;

/// Maps a row whose first columns are [`user_columns`].
pub fn from_row(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User {
        id: row.get(0)?,
        username: Username::from_stored(row.get(1)?, row.get(2)?),
        profile_image: row.get(3)?,
        store_api_key: row.get(4)?,
        is_active: row.get(5)?,
        is_superuser: row.get(6)?,
        create_at: row.get(7)?,
        updated_at: row.get(8)?,
        last_login_at: row.get(9)?,
        optins: row.get::<Option<String>>(10)?.and_then(OptIns::from_stored),
        must_change_password: row.get(11)?,
    })
}
