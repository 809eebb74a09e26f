//! The version of the schema on PostgreSQL, which is that of [`crate::store::engine::sqlite::schema`].

use crate::store::engine::connection::Connection;
use crate::store::engine::error::StoreError;
use crate::store::engine::sqlite::schema::VERSION;
use crate::store::engine::value::bind;

/// The whole schema, for an empty database.
const WHOLE: &str = include_str!("schema.sql");
/// Lets one server at a time create the schema: a number that no other program uses by chance.
const LOCK: &str = "SELECT pg_advisory_xact_lock(8386103001157985362)";

/// Why a database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A newer usher wrote it.
    #[error(
        "the database has schema version {0}, and this usher knows versions up to {VERSION}; start the newer usher"
    )]
    Newer(u32),
    /// Another program's tables are in it.
    #[error("the database has tables, but not those of usher; create an empty database for usher")]
    NotOurs,
    /// No server has created usher's tables yet.
    #[error("the database is empty; start the server once, which creates its tables")]
    Empty,
    /// PostgreSQL loses acknowledged writes.
    #[error("`fsync` is off in PostgreSQL, which loses data in a power cut; turn it on")]
    NoFsync,
    /// PostgreSQL failed.
    #[error("{}", .0.described())]
    Store(#[from] StoreError),
}

/// Creates the schema in an empty database if `create` is set, or checks its version.
pub fn prepare(connection: &Connection, create: bool) -> Result<(), SchemaError> {
    begin(connection, create).inspect_err(|_| {
        // Report the first error; a failed ROLLBACK ends with the connection.
        let _ = connection.batch("ROLLBACK");
    })?;
    Ok(connection.batch("COMMIT")?)
}

/// Begins a transaction that waits for others without a limit, and [prepares](prepare) the schema in it. Until it ends,
/// no server starts.
pub fn begin(connection: &Connection, create: bool) -> Result<(), SchemaError> {
    connection
        .batch("BEGIN READ WRITE; SET LOCAL lock_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")?;
    if !connection.one("SELECT current_setting('fsync') = 'on'", &[], |row| row.get::<bool>(0))? {
        return Err(SchemaError::NoFsync);
    }
    create_or_check(connection, create)
}

/// Returns the version of the schema.
pub fn version(connection: &Connection) -> Result<u32, StoreError> {
    connection.one("SELECT version FROM schema_version", &[], |row| row.get(0))
}

/// Reports whether a standby has each commit before it is acknowledged.
pub fn has_synchronous_standby(connection: &Connection) -> Result<bool, StoreError> {
    // Only superusers and pg_monitor see the states of standbys; others see the setting.
    connection.one("SELECT current_setting('synchronous_standby_names') <> ''", &[], |row| row.get(0))
}

fn create_or_check(connection: &Connection, create: bool) -> Result<(), SchemaError> {
    connection.batch(LOCK)?;
    let table = "SELECT to_regclass(quote_ident(current_schema()) || '.schema_version') IS NOT NULL";
    if connection.one(table, &[], |row| row.get::<bool>(0))? {
        let found = version(connection)?;
        return if found > VERSION { Err(SchemaError::Newer(found)) } else { Ok(()) };
    }
    if connection.exists("SELECT 1 FROM pg_tables WHERE schemaname = current_schema()", &[])? {
        return Err(SchemaError::NotOurs);
    }
    if !create {
        return Err(SchemaError::Empty);
    }
    connection.batch(WHOLE)?;
    connection.run("INSERT INTO schema_version VALUES (1, ?)", bind![VERSION])?;
    Ok(())
}
