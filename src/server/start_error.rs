//! Why the server doesn't start.

use std::io;
use std::path::PathBuf;

use crate::server::first_superuser::FirstSuperuserError;
use crate::server::port_file::PortFileError;
use crate::server::secret_key::SecretKeyStartError;
use crate::store::{OpenError, StoreError};

/// Why the server does not start. Each reads as one sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made or locked.
    #[error("{path}: {cause}; usher must be able to make and write its data directory, see `data_dir`")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// Another server has the data directory.
    #[error("another usher is running on {0}; stop it first, or choose another `data_dir`")]
    Running(PathBuf),
    /// The database is not opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// There is no secret key.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyStartError),
    /// The address cannot be listened on.
    #[error("cannot listen on {bind}: {cause}; choose another address or port with `bind`, or stop what uses it")]
    Bind {
        /// The setting.
        bind: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// `auto_login` where others could use it.
    #[error("`auto_login` signs in whoever asks, so it needs a loopback `bind` and no `trusted_proxies`")]
    AutoLoginExposed,
    /// Where the server listens cannot be written down.
    #[error(transparent)]
    PortFile(#[from] PortFileError),
    /// The prefix could not be told from a route.
    #[error("`base_path` is {0}, which begins as paths of usher's own do; choose another one, such as /usher")]
    BasePathTaken(String),
    /// How far the clock was believed could not be read or written.
    #[error("what the database knows of the clock cannot be used: {}", .0.described())]
    Clock(StoreError),
    /// Whether names are kept could not be read or written.
    #[error("what forward auth knows of names cannot be used: {}", .0.described())]
    Names(StoreError),
    /// The first superuser cannot be made.
    #[error(transparent)]
    FirstSuperuser(#[from] FirstSuperuserError),
    /// The system gave no thread.
    #[error("the server's threads cannot be started: {0}")]
    Threads(io::Error),
}
