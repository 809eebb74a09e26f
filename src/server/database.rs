//! Opens the database that the settings name, for the server and the command line.

use crate::config::Config;
use crate::store::transfer::import::BulkTarget;
use crate::store::{
    AddressError, DATABASE_FILE, Db, OpenError, Options, PostgresOpenError, PostgresServer, postgres_schema,
};

/// Why the database can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The SQLite file can't be opened.
    #[error(transparent)]
    Sqlite(#[from] OpenError),
    /// The address is wrong.
    #[error("`database`: {0}")]
    Address(#[from] AddressError),
    /// PostgreSQL can't be used.
    #[error("`database` can't be used: {0}")]
    Postgres(#[from] PostgresOpenError),
}

/// Opens the database. If `create` is set, creates it if it is missing.
pub fn open(config: &Config, readers: usize, create: bool) -> Result<Db, DatabaseError> {
    match server(config)? {
        Some(server) => Ok(Db::open_postgres(&server, readers, create)?),
        None => Ok(Db::open(&Options { data_dir: config.data_dir.clone(), readers, create })?),
    }
}

/// Warns if a failover could lose acknowledged writes.
pub async fn warn_without_standby(db: &Db) -> Result<(), DatabaseError> {
    if db.is_shared() && !db.read(postgres_schema::has_synchronous_standby).await.map_err(PostgresOpenError::Store)? {
        log::warn!("{NO_STANDBY}: a failover can lose acknowledged writes; see docs/several-servers.md");
    }
    Ok(())
}

/// What is wrong with a PostgreSQL server that copies nothing at once.
pub const NO_STANDBY: &str = "PostgreSQL has no synchronous standby";

/// The database for a bulk transaction.
pub fn bulk_target(config: &Config) -> Result<BulkTarget, AddressError> {
    Ok(server(config)?.map_or_else(|| BulkTarget::File(config.data_dir.join(DATABASE_FILE)), BulkTarget::Server))
}

/// Where the database is, for people.
pub fn shown(config: &Config) -> String {
    config.database.clone().unwrap_or_else(|| config.data_dir.join(DATABASE_FILE).display().to_string())
}

/// The PostgreSQL server in the settings.
pub fn server(config: &Config) -> Result<Option<PostgresServer>, AddressError> {
    let parse = |address: &String| PostgresServer::parse(address, config.database_password.as_ref());
    config.database.as_ref().map(parse).transpose()
}
