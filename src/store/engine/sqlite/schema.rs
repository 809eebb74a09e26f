//! The schema's version and its migrations.

use rusqlite::Connection;

use crate::domain::username::sort_key;
use crate::store::engine::error::StoreError;

/// The schema version that this program reads and writes, stored in `PRAGMA user_version`.
pub const VERSION: u32 = 7;
/// `PRAGMA application_id`: the letters `usHR`. It tells usher's files from other programs' databases.
pub const APPLICATION_ID: i32 = 0x7573_4852;

/// The schema of a new file.
const WHOLE: &str = include_str!("../../../../schema.sql");
/// `STEPS[n]` turns version `n + 1` into version `n + 2`.
const STEPS: &[&str] = &[
    // To 2: marks sessions that began without a password.
    "ALTER TABLE sessions ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0 CHECK (automatic IN (0, 1));",
    // To 3: the fingerprint of the secret key.
    "CREATE TABLE secret_key (
        id          INTEGER PRIMARY KEY CHECK (id = 1),
        fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16)
    ) STRICT;",
    // To 4: forward auth.
    include_str!("forward_auth.sql"),
    // To 5: the change log of the user index covers states and last sign-ins, not only names.
    "DROP TRIGGER users_renamed;
    DROP TRIGGER users_forgotten;
    DROP TABLE name_changes;
    CREATE TABLE user_changes (
        seq     INTEGER PRIMARY KEY,
        user_id INTEGER NOT NULL
    ) STRICT;
    CREATE TRIGGER users_changed AFTER UPDATE OF username_folded, is_active, is_superuser, last_login_at ON users
    WHEN new.username_folded <> old.username_folded OR new.is_active <> old.is_active
        OR new.is_superuser <> old.is_superuser OR new.last_login_at IS NOT old.last_login_at
    BEGIN
        INSERT INTO user_changes (user_id) VALUES (new.id);
    END;
    CREATE TRIGGER users_forgotten AFTER DELETE ON users BEGIN
        INSERT INTO user_changes (user_id) VALUES (old.id);
    END;
    CREATE TRIGGER user_changes_trimmed AFTER INSERT ON user_changes BEGIN
        DELETE FROM user_changes WHERE seq <= new.seq - 10000;
    END;",
    // To 6: an index to trim the audit log by outcome, and the last trusted time.
    "CREATE INDEX audit_by_success ON audit (success);
    ALTER TABLE heartbeat ADD COLUMN believed_at TEXT;",
    // To 7: second factors, and when a session's owner last proved who they are; accounts that wait for approval, and
    // the names of accounts that were never used; what clients remember about a user; invitations; requests to delete
    // an account; the last entry that was sent to `on_event`; who must choose a new password.
    concat!(
        "ALTER TABLE sessions ADD COLUMN authenticated_at TEXT NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';
        UPDATE sessions SET authenticated_at = created_at;
        ALTER TABLE sessions ADD COLUMN passkey_at TEXT;
        ALTER TABLE users ADD COLUMN optins TEXT;
        ALTER TABLE users ADD COLUMN username_sort TEXT NOT NULL DEFAULT '';
        UPDATE users SET username_sort = username_folded;
        ALTER TABLE users ADD COLUMN must_change_password INTEGER NOT NULL DEFAULT 0
            CHECK (must_change_password IN (0, 1));
        CREATE INDEX users_by_name ON users (username_sort);",
        include_str!("second_factor.sql"),
        include_str!("sign_ups.sql"),
        include_str!("invitations.sql"),
        include_str!("deletion_requests.sql"),
        include_str!("events.sql"),
        include_str!("audit_repeats.sql"),
    ),
];

/// Returns the schema version of the open database; 0 for an empty file.
pub fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Creates the schema in an empty file, or migrates an older one, in one transaction.
pub fn migrate(connection: &Connection) -> Result<(), StoreError> {
    if version(connection)? == VERSION {
        return Ok(());
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    // Read again: another process may have migrated the file while this one waited for the lock.
    let outcome = version(connection)
        .and_then(|found| if found == VERSION { Ok(()) } else { apply(connection, found) })
        .and_then(|()| connection.execute_batch("COMMIT").map_err(StoreError::from));
    if outcome.is_err() {
        // Report the first error; a failed ROLLBACK ends with the connection.
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
        sort_names(connection)?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// Writes the sort keys of names that aren't ASCII.
fn sort_names(connection: &Connection) -> Result<(), StoreError> {
    let mut names =
        connection.prepare("SELECT id, username_folded FROM users WHERE username_folded GLOB '*[^ -~]*'")?;
    let names = names.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut update = connection.prepare("UPDATE users SET username_sort = ? WHERE id = ?")?;
    for (id, name) in names {
        let (id, name): (i64, String) = (id, name);
        update.execute((sort_key(&name), id))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_file_names_the_present_version() {
        assert!(WHOLE.starts_with(&format!("-- The whole schema of usher's database, version {VERSION} (PRAGMA")));
    }

    #[test]
    fn there_is_a_step_from_every_version_to_the_next() {
        assert_eq!(STEPS.len() + 1, VERSION as usize);
    }

    #[test]
    fn an_empty_file_gets_the_whole_schema_and_a_second_time_changes_nothing() {
        let connection = Connection::open_in_memory().unwrap();
        migrate(&connection).unwrap();
        migrate(&connection).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION);
        let users: i64 = connection.query_row("SELECT n FROM user_count", [], |row| row.get(0)).unwrap();
        assert_eq!(users, 0);
    }

    /// Every column of every table: name, type, whether it may be NULL, default.
    fn columns(connection: &Connection) -> Vec<String> {
        let sql = "SELECT printf('%s.%s %s %d %s', t.name, c.name, c.type, c.\"notnull\", c.dflt_value) \
             FROM pragma_table_list t, pragma_table_info(t.name) c WHERE t.schema = 'main' ORDER BY t.name, c.cid";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// What else belongs to the tables, however it is broken into lines.
    fn indexes_and_triggers(connection: &Connection) -> Vec<String> {
        let sql = "SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        let all = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        all.map(|sql| sql.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_migrated_version_1_file_equals_a_new_one_and_keeps_its_rows() {
        let older = Connection::open_in_memory().unwrap();
        older.execute_batch(include_str!("../../../../tests/samples/schema-1.sql")).unwrap();
        older.pragma_update(None, "user_version", 1).unwrap();
        let rows = "INSERT INTO users VALUES (1, zeroblob(16), 'Ł', 'ł', 'h', NULL, NULL, 1, 1, 't', 't', NULL); \
             INSERT INTO sessions VALUES (1, zeroblob(16), 1, 't', 't', 't', 0, '::1', NULL);";
        older.execute_batch(rows).unwrap();
        migrate(&older).unwrap();
        let new = Connection::open_in_memory().unwrap();
        migrate(&new).unwrap();
        assert_eq!(columns(&older), columns(&new));
        assert_eq!(indexes_and_triggers(&older), indexes_and_triggers(&new));
        let sorted: String = older.query_row("SELECT username_sort FROM users", [], |row| row.get(0)).unwrap();
        assert_eq!(sorted, "l");
        let automatic: bool = older.query_row("SELECT automatic FROM sessions", [], |row| row.get(0)).unwrap();
        assert!(!automatic);
    }
}
