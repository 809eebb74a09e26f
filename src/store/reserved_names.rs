//! Former user names that are reserved, because sites behind forward auth identify users by name. The schema's triggers
//! enforce this for every insert and update.

use std::path::Path;

use crate::domain::username::Username;
use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::value::bind;

/// Turns the reservation on or off. While it is off, the names recorded so far are remembered.
pub fn set_enabled(connection: &Connection, enabled: bool) -> Result<(), StoreError> {
    let sql = if enabled {
        "INSERT INTO name_keeping VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET in_force = 1 WHERE name_keeping.in_force = 0"
    } else {
        "UPDATE name_keeping SET in_force = 0 WHERE in_force = 1"
    };
    connection.run(sql, &[])?;
    Ok(())
}

/// Returns the users who took another user's former name while the reservation was off.
pub fn holders_of_former_names(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT users.username FROM former_names JOIN users USING (username_folded) \
         WHERE users.uuid <> former_names.user_uuid ORDER BY users.id";
    connection.all(sql, &[], |row| row.get(0))
}

/// Copies the reserved names of the database at `replaced`, and the names of accounts that exist only there, into the
/// database that replaces it.
pub fn copy_from(connection: &Connection, replaced: &Path) -> Result<(), StoreError> {
    connection.run("ATTACH ? AS replaced", bind![&replaced.display().to_string()])?;
    let copied = connection.batch(
        "INSERT OR IGNORE INTO name_keeping SELECT * FROM replaced.name_keeping;
         INSERT OR IGNORE INTO former_names SELECT * FROM replaced.former_names;
         INSERT OR IGNORE INTO former_names SELECT username_folded, uuid FROM replaced.users AS old
         WHERE EXISTS (SELECT 1 FROM replaced.name_keeping) AND (old.is_active = 1 OR old.last_login_at IS NOT NULL)
         AND NOT EXISTS (
             SELECT 1 FROM main.users AS new WHERE new.uuid = old.uuid AND new.username_folded = old.username_folded)",
    );
    connection.batch("DETACH replaced")?;
    copied
}

/// Returns the reserved names in their folded form, with the ids of their former owners.
pub fn all(connection: &Connection) -> Result<Vec<(String, uuid::Uuid)>, StoreError> {
    let sql = "SELECT username_folded, user_uuid FROM former_names ORDER BY username_folded";
    connection.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Releases a reserved name. Returns false if it isn't reserved.
pub fn release(connection: &Connection, name: &Username) -> Result<bool, StoreError> {
    Ok(connection.run("DELETE FROM former_names WHERE username_folded = ?", bind![name.folded()])? > 0)
}

/// Returns the former owner of a name, if it is reserved now.
pub fn former_owner(connection: &Connection, name: &Username) -> Result<Option<uuid::Uuid>, StoreError> {
    let sql = "SELECT user_uuid FROM former_names WHERE username_folded = ? \
         AND EXISTS (SELECT 1 FROM name_keeping WHERE in_force = 1)";
    connection.maybe(sql, bind![name.folded()], |row| row.get(0))
}
