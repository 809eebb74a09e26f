//! `usher healthcheck`, for containers, which have no other HTTP client.

use std::time::Duration;

use serde_json::json;
use url::Url;

use crate::cli::output::{AlreadyPrinted, print_result};
use crate::cli::{Failure, http_client};
use crate::config::{Config, ServerRecord};
use crate::platform;
use crate::server::{local_url, port_file};

/// How long a healthy server can take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks a server whether it can read and write its database.
pub fn run(config: &Config, url: Option<&str>, json: bool) -> Result<(), Failure> {
    let url = match url {
        Some(url) if !url.contains("://") => format!("http://{url}"),
        Some(url) => url.to_owned(),
        None => configured_url(config)?,
    };
    let url = Url::parse(&url).map_err(|error| format!("{url} is not a URL such as http://127.0.0.1:7860: {error}"))?;
    if url.scheme() != "http" {
        return Err(format!("{url} is not an http URL; name the server's own address, not its proxy's").into());
    }
    let fault = match http_client::health_status(&url, TIMEOUT) {
        Ok(200) => None,
        Ok(status) => Some(format!("{url} is not healthy: status {status}")),
        Err(error) => Some(format!("{url} does not answer: {error}")),
    };
    let Some(fault) = fault else {
        let shown = json!({ "url": url.as_str(), "healthy": true });
        return print_result(json, &shown, || format!("{url} is healthy"));
    };
    if json {
        let shown = json!({ "url": url.as_str(), "healthy": false, "error": fault });
        print_result(true, &shown, String::new)?;
    }
    Err(AlreadyPrinted(fault).into())
}

/// The address of the server on the data directory, or else the one in the settings.
fn configured_url(config: &Config) -> Result<String, Failure> {
    let is_running = matches!(platform::lock_dir(&config.data_dir), Ok(None));
    if let Some(server) = ServerRecord::read(&config.data_dir).filter(|_| is_running) {
        return Ok(server.local_url);
    }
    let address = config.bind.resolve()?.into_iter().next().ok_or("`bind` has no address")?;
    if address.port() == 0 {
        let written = config.port_file.as_deref().and_then(port_file::url);
        return written.ok_or_else(|| {
            "the port of `bind` is 0, and no `port_file` names the real port: name the URL, or start the server first"
                .into()
        });
    }
    Ok(local_url(address))
}
