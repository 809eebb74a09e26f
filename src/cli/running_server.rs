//! Finds the running server, and warns if it uses another database than the command. Never opens a database.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::cli::Failure;
use crate::cli::http_client;
use crate::cli::output::notice;
use crate::config::{Config, ServerRecord};
use crate::platform::inspect::{self, OtherServer};
use crate::platform::{self, DirLock};
use crate::server::{database, local_url};
use crate::store::DATABASE_FILE;

/// How long a server on this machine can take to describe itself.
const TIMEOUT: Duration = Duration::from_millis(500);
/// What only usher's description of its API contains.
const API_TITLE: &[u8] = b"\"title\":\"usher\"";

/// Where a server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerLocation {
    /// In the command's data directory.
    SameDirectory,
    /// In other data directories, as far as this user can see.
    OtherDirectories(Vec<OtherServer>),
    /// At the configured address. Its data directory is unknown.
    UnknownDirectory(String),
    /// No server was found.
    NotFound,
}

pub(super) fn database_path(config: &Config) -> PathBuf {
    config.data_dir.join(DATABASE_FILE)
}

/// Refuses a command that copies or replaces a SQLite file.
pub(super) fn require_sqlite(config: &Config) -> Result<(), Failure> {
    match &config.database {
        None => Ok(()),
        Some(_) => Err("the accounts are in PostgreSQL, which usher doesn't back up or restore; use pg_dump and \
             pg_restore, pgBackRest or your provider's backups, and keep the secret key"
            .into()),
    }
}

/// Prints where the database is, and a warning if the running server uses another one.
pub(super) fn announce_database(config: &Config) -> ServerLocation {
    notice(format_args!("database: {}", database::shown(config)));
    let server = locate_server(config);
    if let Some(warning) = mismatch_warning(&server) {
        notice(format_args!("warning: {warning}"));
    }
    server
}

/// A warning for a user who probably means the running server.
pub(super) fn mismatch_warning(server: &ServerLocation) -> Option<String> {
    match server {
        ServerLocation::SameDirectory | ServerLocation::NotFound => None,
        ServerLocation::OtherDirectories(others) => {
            let each =
                |other: &OtherServer| format!("process {} with --data-dir {}", other.pid, other.data_dir.display());
            let each: Vec<String> = others.iter().map(each).collect();
            Some(format!("no server uses this database, but a server runs elsewhere: {}", each.join(", ")))
        }
        ServerLocation::UnknownDirectory(url) => Some(format!(
            "no server uses this database, but a server answers at {url}; if you mean that one, choose its data \
             directory with --data-dir, or run this command as its user"
        )),
    }
}

/// Finds the running server. A server locks its data directory.
pub(super) fn locate_server(config: &Config) -> ServerLocation {
    // The lock is released at once. A server that starts meanwhile retries.
    if matches!(platform::lock_dir(&config.data_dir), Ok(None)) {
        return ServerLocation::SameDirectory;
    }
    if config.database.is_some() {
        // Servers elsewhere share the database.
        return ServerLocation::NotFound;
    }
    let others = inspect::other_servers(DATABASE_FILE);
    if !others.is_empty() {
        return ServerLocation::OtherDirectories(others);
    }
    let addresses = config.bind.resolve().unwrap_or_default();
    let url = addresses.iter().filter(|at| at.port() != 0).map(|at| local_url(*at)).find(|url| is_usher(url));
    url.map_or(ServerLocation::NotFound, ServerLocation::UnknownDirectory)
}

/// What the server in the command's data directory has written about itself.
pub(super) fn record(config: &Config, server: &ServerLocation) -> Option<ServerRecord> {
    ServerRecord::read(&config.data_dir).filter(|_| *server == ServerLocation::SameDirectory)
}

/// Locks the data directory, so that no server can start.
///
/// # Errors
/// If a server is running.
pub(super) fn require_stopped_server(config: &Config) -> Result<DirLock, Failure> {
    let dir = &config.data_dir;
    if !dir.is_dir() {
        let dir = dir.display();
        return Err(format!("{dir} doesn't exist; create it, or choose the server's data directory").into());
    }
    let lock = platform::lock_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    lock.ok_or_else(|| format!("a server is running on {}; stop it first", dir.display()).into())
}

/// Whether usher answers at this address.
fn is_usher(url: &str) -> bool {
    let response = Url::parse(url).ok().and_then(|url| http_client::get(&url, "/openapi.json", TIMEOUT).ok());
    response.is_some_and(|response| response.bytes.windows(API_TITLE.len()).any(|window| window == API_TITLE))
}
