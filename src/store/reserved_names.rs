//! Owns the SQL of names that nobody else may have, as sites behind forward auth know people by them. What keeps them is
//! in the schema's triggers, so that no way of adding or renaming anybody goes around it.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use crate::domain::username::Username;
use crate::store::engine::error::StoreError;

/// Says whether names are kept from now on. What was kept before is remembered for as long as they are not.
pub fn set(connection: &Connection, in_force: bool) -> Result<(), StoreError> {
    let sql = if in_force {
        "INSERT INTO name_keeping VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET in_force = 1 WHERE in_force = 0"
    } else {
        "UPDATE name_keeping SET in_force = 0 WHERE in_force = 1"
    };
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// Those who have a name that was somebody else's: they took it while names were not kept.
pub fn successors(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT users.username FROM former_names JOIN users USING (username_folded) \
         WHERE users.uuid <> former_names.user_uuid ORDER BY users.id";
    Ok(connection.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Takes over, into a database that is to take its place, which names the one at `replaced` keeps: those that were kept
/// there, and those of accounts that the new one does not have.
pub fn carry_over(connection: &Connection, replaced: &Path) -> Result<(), StoreError> {
    connection.execute("ATTACH ? AS replaced", [replaced.display().to_string()])?;
    let carried = connection.execute_batch(
        "INSERT OR IGNORE INTO name_keeping SELECT * FROM replaced.name_keeping;
         INSERT OR IGNORE INTO former_names SELECT * FROM replaced.former_names;
         INSERT OR IGNORE INTO former_names SELECT username_folded, uuid FROM replaced.users AS old
         WHERE EXISTS (SELECT 1 FROM replaced.name_keeping) AND NOT EXISTS (
             SELECT 1 FROM main.users AS new WHERE new.uuid = old.uuid AND new.username_folded = old.username_folded)",
    );
    connection.execute_batch("DETACH replaced")?;
    Ok(carried?)
}

/// Whose name this was, if it is kept from others now.
pub fn former_owner(connection: &Connection, name: &Username) -> Result<Option<uuid::Uuid>, StoreError> {
    let sql = "SELECT user_uuid FROM former_names WHERE username_folded = ? \
         AND EXISTS (SELECT 1 FROM name_keeping WHERE in_force)";
    Ok(connection.prepare_cached(sql)?.query_row([name.folded()], |row| row.get(0)).optional()?)
}
