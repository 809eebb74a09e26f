//! Owns the schema's version: brings a new or older file to the present one, and refuses newer ones.

use rusqlite::Connection;

use super::error::StoreError;

/// The version that this program reads and writes, kept in `PRAGMA user_version`.
pub const VERSION: u32 = 1;
/// `PRAGMA application_id`: the letters `usHR`. Tells usher's files from other programs' databases.
pub(super) const APPLICATION_ID: i32 = 0x7573_4852;

/// The whole schema, for a new file.
const WHOLE: &str = include_str!("../../schema.sql");
/// `STEPS[n]` turns version `n + 1` into version `n + 2`.
const STEPS: &[&str] = &[];

/// The version of the open database; 0 is an empty file.
pub(super) fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Makes the schema of an empty file, or takes the steps from an older one, in one transaction.
pub(super) fn bring_up_to_date(connection: &Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    if found == VERSION {
        return Ok(());
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let outcome = apply(connection, found).and_then(|()| connection.execute_batch("COMMIT").map_err(StoreError::from));
    if outcome.is_err() {
        // The error that brought us here is the one to report; a failed ROLLBACK ends with the connection.
        let _ = connection.execute_batch("ROLLBACK");
    }
    outcome
}

fn apply(connection: &Connection, found: u32) -> Result<(), StoreError> {
    if found == 0 {
        connection.execute_batch(WHOLE)?;
    } else {
        for step in STEPS.iter().skip(found as usize - 1) {
            connection.execute_batch(step)?;
        }
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_step_from_every_version_to_the_next() {
        assert_eq!(STEPS.len() + 1, VERSION as usize);
    }

    #[test]
    fn an_empty_file_gets_the_whole_schema_and_a_second_time_changes_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        bring_up_to_date(&connection).unwrap();
        bring_up_to_date(&connection).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION);
        let users: i64 = connection.query_row("SELECT n FROM user_count", [], |row| row.get(0)).unwrap();
        assert_eq!(users, 0);
    }
}
