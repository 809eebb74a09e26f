//! Checks the server: whether one runs, on which database, and whether it answers.

use crate::cli::doctor::Report;
use crate::cli::running_server::{ServerLocation, mismatch_warning};
use crate::cli::{healthcheck, http_client, running_server};
use crate::config::Config;
use crate::server::local_url;

const CHECK: &str = "server";

pub(super) fn check(config: &Config, server: &ServerLocation, report: &mut Report) {
    if let Some(found) = mismatch_warning(server) {
        report.warning(CHECK, found, "choose the data directory that you mean");
        return;
    }
    if *server == ServerLocation::NotFound {
        report.ok(CHECK, "no server uses this database");
        return;
    }
    let configured = || {
        let address = config.bind.resolve().ok().and_then(|found| found.into_iter().next());
        address.filter(|at| at.port() != 0).map(local_url)
    };
    let Some(url) = running_server::record(config, server).map(|server| server.local_url).or_else(configured) else {
        report.ok(CHECK, "a server uses this database; these settings don't say where it listens");
        return;
    };
    let response = url::Url::parse(&url)
        .map_err(std::io::Error::other)
        .and_then(|url| http_client::health_status(&url, healthcheck::TIMEOUT));
    match response {
        Ok(200) => report.ok(CHECK, format!("a server uses this database, and is healthy at {url}")),
        Ok(status) => {
            let found = format!("the server at {url} is not healthy (status {status})");
            report.problem(CHECK, found, format!("read its log and the response of {url}/health_check"));
        }
        Err(error) => {
            let found = format!("a server uses this database, but {url} doesn't answer: {error}");
            report.warning(
                CHECK,
                found,
                "run this with the server's settings; if these are its settings, restart the server",
            );
        }
    }
}
