//! Owns the commands that need no database: the settings in force, whether a server is healthy, completions.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap_complete::Shell;
use serde_json::json;
use url::Url;

use crate::cli::context::{Printed, out, print, table, tell};
use crate::cli::{Failure, running_server};
use crate::config::{Config, SETTINGS};
use crate::server::{local_url, port_file};

/// How long a healthy server may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Shows every setting in force, and where it came from; secrets as `***`.
pub fn config(config: &Config, as_json: bool) -> Result<(), Failure> {
    let source = |key: &str| config.sources.get(key).map(ToString::to_string).unwrap_or_default();
    let entry = |key: &str| json!({ "value": config.shown(key), "source": source(key) });
    let settings: serde_json::Map<_, _> = SETTINGS.iter().map(|key| (key.name.to_owned(), entry(key.name))).collect();
    running_server::say(config);
    match &config.file {
        Some(file) => tell(format_args!("configuration file: {}", file.display())),
        None => tell(format_args!("configuration file: none")),
    }
    print(as_json, &settings, || {
        let rows = SETTINGS.iter().map(|key| vec![key.name.to_owned(), config.shown(key.name), source(key.name)]);
        table(&["SETTING", "VALUE", "FROM"], &rows.collect::<Vec<_>>())
    })
}

/// Asks a server whether it can read and write its database. For containers, which have no other client.
pub fn healthcheck(config: &Config, url: Option<&str>, as_json: bool) -> Result<(), Failure> {
    let url = match url {
        // As people type it: `127.0.0.1:7860`.
        Some(url) if !url.contains("://") => format!("http://{url}"),
        Some(url) => url.to_owned(),
        None => own_url(config)?,
    };
    let url = Url::parse(&url).map_err(|error| format!("{url} is no URL such as http://127.0.0.1:7860: {error}"))?;
    if url.scheme() != "http" {
        return Err(format!("{url}: only http is spoken here; ask the server itself, not its proxy").into());
    }
    let why = match status(&url) {
        Ok(200) => None,
        Ok(status) => Some(format!("{url} is not healthy: status {status}")),
        Err(error) => Some(format!("{url} does not answer: {error}")),
    };
    let Some(why) = why else {
        return print(as_json, &json!({ "url": url.as_str(), "healthy": true }), || format!("{url} is healthy"));
    };
    if as_json {
        print(true, &json!({ "url": url.as_str(), "healthy": false, "error": why }), String::new)?;
    }
    Err(Printed(why).into())
}

/// Where the server of these settings listens.
fn own_url(config: &Config) -> Result<String, Failure> {
    let address = config.bind.resolve()?.into_iter().next().ok_or("`bind` names no address")?;
    if address.port() == 0 {
        let said = config.port_file.as_deref().and_then(port_file::url);
        return said.ok_or_else(|| {
            "`bind` leaves the port to the system, and no `port_file` says which one it is: name the URL, or let the \
             server start first"
                .into()
        });
    }
    Ok(local_url(address))
}

/// The status of `/health_check` of the server at this URL.
pub(super) fn status_of(url: &str) -> io::Result<u16> {
    status(&Url::parse(url).map_err(io::Error::other)?)
}

/// The status of `/health_check` below `url`, by the least HTTP there is.
fn status(url: &Url) -> io::Result<u16> {
    let host = url.host_str().unwrap_or("127.0.0.1");
    let port = url.port_or_known_default().unwrap_or(80);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host.trim_matches(['[', ']']), port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                let base = url.path().trim_end_matches('/');
                write!(stream, "GET {base}/health_check HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")?;
                let mut head = String::new();
                // "HTTP/1.1 200", and nothing of the rest.
                stream.take(12).read_to_string(&mut head)?;
                let code = head.strip_prefix("HTTP/1.1 ").and_then(|code| code.parse().ok());
                return code.ok_or_else(|| io::Error::other("what answers is no HTTP server"));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Prints the completions of a shell.
pub fn completions(shell: Shell, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "usher", &mut script);
    out(&script)
}
