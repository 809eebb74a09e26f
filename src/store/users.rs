//! The `users` table.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::optins::OptIns;
use crate::domain::secret::PasswordHash;
use crate::domain::user::User;
use crate::domain::username::{fold_input, sort_key};
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::{Row, bind};
use crate::store::user_rows::{COLUMN_COUNT, from_row, user_columns};
use crate::store::{challenges, reset_links, site_tokens};

/// Returns the user with this id.
pub fn find(connection: &Connection, id: Uuid) -> Result<Option<User>, StoreError> {
    const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users WHERE uuid = ?");
    connection.maybe(SQL, bind![id], from_row)
}

/// Returns the user whose name is `typed`, in any case and Unicode form, with the password's hash.
pub fn find_by_name(connection: &Connection, typed: &str) -> Result<Option<(User, PasswordHash)>, StoreError> {
    const SQL: &str = concat!("SELECT ", user_columns!(), ", users.password_hash FROM users WHERE username_folded = ?");
    let Some(folded) = fold_input(typed) else { return Ok(None) };
    connection.maybe(SQL, bind![&folded], with_hash)
}

/// Returns the user with this id, with the hash of the password.
pub fn find_with_hash(connection: &Connection, id: Uuid) -> Result<Option<(User, PasswordHash)>, StoreError> {
    const SQL: &str = concat!("SELECT ", user_columns!(), ", users.password_hash FROM users WHERE uuid = ?");
    connection.maybe(SQL, bind![id], with_hash)
}

/// Returns all users with their password hashes, in order of creation.
pub fn all_with_hashes(connection: &Connection) -> Result<Vec<(User, PasswordHash)>, StoreError> {
    const SQL: &str = concat!("SELECT ", user_columns!(), ", users.password_hash FROM users ORDER BY id");
    connection.all(SQL, &[], with_hash)
}

fn with_hash(row: &Row<'_>) -> Result<(User, PasswordHash), StoreError> {
    Ok((from_row(row)?, PasswordHash::new(row.get::<String>(COLUMN_COUNT)?)))
}

/// Returns the hash of this user's password.
pub fn password_hash(connection: &Connection, id: Uuid) -> Result<Option<PasswordHash>, StoreError> {
    let sql = "SELECT password_hash FROM users WHERE uuid = ?";
    connection.maybe(sql, bind![id], |row| Ok(PasswordHash::new(row.get::<String>(0)?)))
}

/// Returns the number of users.
pub fn count(connection: &Connection) -> Result<i64, StoreError> {
    connection.one("SELECT n FROM user_count", &[], |row| row.get(0))
}

/// Reports whether a superuser exists, active or not.
pub fn superuser_exists(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser = 1)";
    connection.one(sql, &[], |row| row.get(0))
}

/// Returns the oldest active superuser.
pub fn first_superuser(connection: &Connection) -> Result<Option<User>, StoreError> {
    const SQL: &str =
        concat!("SELECT ", user_columns!(), " FROM users WHERE is_superuser = 1 AND is_active = 1 ORDER BY id LIMIT 1");
    connection.maybe(SQL, &[], from_row)
}

/// Reports whether an active superuser other than `id` exists.
pub fn other_superuser_exists(connection: &Connection, id: Uuid) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM users WHERE is_superuser = 1 AND is_active = 1 AND uuid <> ?)";
    connection.one(sql, bind![id], |row| row.get(0))
}

/// Adds a user.
///
/// # Errors
/// Returns [`StoreError::UsernameTaken`] if another user has the name, [`StoreError::FormerUsername`] if it is
/// reserved.
pub fn insert(connection: &Connection, user: &User, hash: &PasswordHash) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO users (uuid, username, username_folded, password_hash, profile_image, store_api_key, \
         is_active, is_superuser, create_at, updated_at, last_login_at, optins, username_sort, \
         must_change_password) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let done = connection.try_run(
        SQL,
        bind![
            user.id,
            user.username.as_str(),
            user.username.folded(),
            hash.expose(),
            &user.profile_image,
            &user.store_api_key,
            user.is_active,
            user.is_superuser,
            user.create_at,
            user.updated_at,
            user.last_login_at,
            user.optins.as_ref().map(OptIns::to_json),
            &sort_key(user.username.folded()),
            user.must_change_password,
        ],
    );
    name_error(done)
}

/// Updates the row of `before` to `after`, except for the password and the creation date. Columns with indexes or
/// triggers are only written when one of them changed: SQLite would otherwise update three indexes for a picture.
///
/// # Errors
/// Returns [`StoreError::UsernameTaken`] if another user has the name, [`StoreError::FormerUsername`] if it is
/// reserved.
pub fn update(connection: &Connection, before: &User, after: &User) -> Result<(), StoreError> {
    const PLAIN: &str = "UPDATE users SET profile_image = ?2, store_api_key = ?3, updated_at = ?4, optins = ?5, \
         must_change_password = ?6 WHERE uuid = ?1";
    const ALL: &str = "UPDATE users SET profile_image = ?2, store_api_key = ?3, updated_at = ?4, optins = ?5, \
         must_change_password = ?6, username = ?7, username_folded = ?8, is_active = ?9, is_superuser = ?10, \
         last_login_at = ?11, username_sort = ?12 WHERE uuid = ?1";
    let seen_by_indexes = |user: &User| (user.is_active, user.is_superuser, user.last_login_at);
    let (id, picture, key, updated) = (before.id, &after.profile_image, &after.store_api_key, after.updated_at);
    let (optins, must_change) = (after.optins.as_ref().map(OptIns::to_json), after.must_change_password);
    if before.username.as_str() == after.username.as_str() && seen_by_indexes(before) == seen_by_indexes(after) {
        connection.run(PLAIN, bind![id, picture, key, updated, optins, must_change])?;
        return Ok(());
    }
    let done = connection.try_run(
        ALL,
        bind![
            id,
            picture,
            key,
            updated,
            optins,
            must_change,
            after.username.as_str(),
            after.username.folded(),
            after.is_active,
            after.is_superuser,
            after.last_login_at,
            &sort_key(after.username.folded()),
        ],
    );
    name_error(done)
}

fn name_error(done: Result<usize, StoreError>) -> Result<(), StoreError> {
    done.map(drop).map_err(|error| match error {
        taken if taken.violates_unique("users.username_folded") => StoreError::UsernameTaken,
        // The message of the schema's triggers.
        former if former.violates_unique("former_names.username_folded") => StoreError::FormerUsername,
        other => other,
    })
}

/// Sets the password's hash, and clears the duty to choose a new one. Ends the reset link, site tokens and open
/// challenges, because somebody who knew the old password may have them.
pub fn set_password(connection: &Connection, id: Uuid, hash: &PasswordHash, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE users SET password_hash = ?, updated_at = ?, must_change_password = 0 WHERE uuid = ?";
    connection.run(sql, bind![hash.expose(), now, id])?;
    site_tokens::end_all_of_user(connection, id)?;
    challenges::end_all_of_user(connection, id)?;
    reset_links::revoke(connection, id, now)
}

/// Replaces the hash by a stronger one of the same password. `updated_at` stays.
pub fn replace_hash(
    connection: &Connection,
    id: Uuid,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<(), StoreError> {
    let sql = "UPDATE users SET password_hash = ? WHERE uuid = ? AND password_hash = ?";
    connection.run(sql, bind![new.expose(), id, old.expose()])?;
    Ok(())
}

/// Records a sign-in. `updated_at` stays, so that an administrator who edits the account can tell a change by another
/// administrator from a sign-in.
pub fn set_last_login(connection: &Connection, id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    connection.run("UPDATE users SET last_login_at = ? WHERE uuid = ?", bind![now, id])?;
    Ok(())
}

/// Deletes a user with all keys and sessions. Returns false if the user doesn't exist.
pub fn delete(connection: &Connection, id: Uuid) -> Result<bool, StoreError> {
    Ok(connection.run("DELETE FROM users WHERE uuid = ?", bind![id])? > 0)
}
