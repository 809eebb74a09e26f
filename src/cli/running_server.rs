//! Owns what is told about the database that a command works on: which one it is, whether a server runs on it, and
//! whether the one that runs works on another. Looks only; must not open a database.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::context::tell;
use crate::config::Config;
use crate::platform;
use crate::platform::inspect::{self, OtherServer};
use crate::server::local_url;
use crate::store::DATABASE_FILE;

/// How long a server on this machine may take to say what it is.
const PATIENCE: Duration = Duration::from_millis(500);
/// What the description of the API says that only usher says.
const OURS: &str = "\"title\":\"usher\"";

/// Where a server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// On this data directory.
    Here,
    /// On other ones: every one that can be seen.
    Elsewhere(Vec<OtherServer>),
    /// It answers at this address, which is that of the settings, and does not say on which one it works.
    Answers(String),
    /// Nowhere, as far as can be known.
    Nowhere,
}

/// The database that the settings lead to.
pub(super) fn database(config: &Config) -> PathBuf {
    config.data_dir.join(DATABASE_FILE)
}

/// Says which database is worked on, and warns if that is not the running server's.
pub(super) fn say(config: &Config) -> Server {
    tell(format_args!("database: {}", database(config).display()));
    let server = find(config);
    if let Some(warning) = warning(&server) {
        tell(format_args!("warning: {warning}"));
    }
    server
}

/// What somebody should know who means the running server.
pub(super) fn warning(server: &Server) -> Option<String> {
    match server {
        Server::Here | Server::Nowhere => None,
        Server::Elsewhere(others) => {
            let each =
                |other: &OtherServer| format!("process {} with --data-dir {}", other.pid, other.data_dir.display());
            let each: Vec<String> = others.iter().map(each).collect();
            Some(format!("no server runs on this database, but elsewhere one does: {}", each.join(", ")))
        }
        Server::Answers(url) => Some(format!(
            "no server runs on this database, but one answers at {url}; if you mean that one, choose its data \
             directory by --data-dir, or run this as its user"
        )),
    }
}

/// Where a server runs: one that runs here holds the directory.
pub(super) fn find(config: &Config) -> Server {
    // Held for no longer than it takes to ask; a server that starts just now asks more than once.
    if matches!(platform::lock_dir(&config.data_dir), Ok(None)) {
        return Server::Here;
    }
    let others = inspect::other_servers(DATABASE_FILE);
    if !others.is_empty() {
        return Server::Elsewhere(others);
    }
    let addresses = config.bind.resolve().unwrap_or_default();
    let url = addresses.iter().filter(|at| at.port() != 0).map(|at| local_url(*at)).find(|url| is_usher(url));
    url.map_or(Server::Nowhere, Server::Answers)
}

/// Whether what listens there is a server of usher's.
fn is_usher(url: &str) -> bool {
    let Some(address) = url.strip_prefix("http://").and_then(|at| at.parse::<SocketAddr>().ok()) else { return false };
    let ask = || -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET /openapi.json HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(1 << 20).read_to_end(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.windows(OURS.len()).any(|window| window == OURS.as_bytes()))
}
