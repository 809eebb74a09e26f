//! Why the server doesn't start.

use std::io;
use std::path::PathBuf;

use crate::server::database::DatabaseError;
use crate::server::first_superuser::FirstSuperuserError;
use crate::server::port_file::PortFileError;
use crate::server::secret_key::SecretKeyStartError;
use crate::store::StoreError;

/// Why the server doesn't start. Each message is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory can't be created or locked.
    #[error("{path}: {cause}; usher must be able to create and write its data directory (`data_dir`)")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Another server uses the data directory.
    #[error("another usher is running on {0}; stop it first, or choose another `data_dir`")]
    Running(PathBuf),
    /// The database can't be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The secret key can't be loaded.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyStartError),
    /// usher can't listen on the address.
    #[error(
        "cannot listen on {bind}: {cause}{holder}; choose another address or port with `bind`, or stop what uses it"
    )]
    Bind {
        /// The setting.
        bind: String,
        /// The process that uses the port, as ` (process 812, nginx)`, if it is known.
        holder: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// Others could use `auto_login`.
    #[error("`auto_login` signs in every client, so it needs a loopback `bind` and no `trusted_proxies`")]
    AutoLoginExposed,
    /// The port file can't be used.
    #[error(transparent)]
    PortFile(#[from] PortFileError),
    /// The prefix conflicts with a route.
    #[error("`base_path` {0} conflicts with usher's own paths; choose another one, such as /usher")]
    BasePathTaken(String),
    /// The time until which the clock was trusted can't be read or written.
    #[error("the last trusted time can't be read from the database: {}", .0.described())]
    Clock(StoreError),
    /// How far `on_event` was told can't be read or written.
    #[error("the position of `on_event` can't be read from the database: {}", .0.described())]
    Events(StoreError),
    /// Reserved names can't be read or written.
    #[error("reserved user names can't be read from the database: {}", .0.described())]
    Names(StoreError),
    /// The first superuser can't be prepared.
    #[error(transparent)]
    FirstSuperuser(#[from] FirstSuperuserError),
    /// Threads can't be started.
    #[error("the server's threads can't be started: {0}")]
    Threads(io::Error),
}
