//! What a server writes into its data directory for the commands: where it listens, and which settings it has read.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::platform::files::{self, NewFile};

/// The file's name in the data directory.
pub const SERVER_RECORD_FILE: &str = "server.json";
/// More than a record has. Bounds the reading of a wrong file.
const MAX_BYTES: u64 = 64 << 10;

/// The record of the last server that ran on a data directory. The directory's lock tells whether it is still running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerRecord {
    /// The process id.
    pub pid: u32,
    /// The URL of the address that it listens on, for programs on this machine.
    pub local_url: String,
    /// The URL that links start with.
    pub public_url: String,
    /// The configuration file.
    pub config_file: Option<PathBuf>,
    /// A proxy that isn't trusted, but sends `X-Forwarded-For`.
    #[serde(default)]
    pub untrusted_proxy: Option<String>,
}

impl ServerRecord {
    /// Reads the record. `None` if there is none, or it isn't readable.
    pub fn read(data_dir: &Path) -> Option<Self> {
        let bytes = files::read_regular(&data_dir.join(SERVER_RECORD_FILE), MAX_BYTES).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes the record.
    ///
    /// # Errors
    /// If the data directory can't be written.
    pub fn write(&self, data_dir: &Path) -> io::Result<()> {
        let file = NewFile::create(&data_dir.join(SERVER_RECORD_FILE))?;
        file.file().write_all(&serde_json::to_vec(self)?)?;
        file.publish_unsynced()
    }
}
