//! Owns what the doctor says of the server: whether one runs, on this database or another, and whether it answers.

use crate::cli::doctor::Report;
use crate::cli::look;
use crate::cli::running_server::{Server, warning};
use crate::config::Config;
use crate::server::local_url;

const CHECK: &str = "server";

/// Looks at it.
pub(super) fn look(config: &Config, server: &Server, report: &mut Report) {
    if let Some(found) = warning(server) {
        let remedy = "work on the database that you mean";
        report.warning(CHECK, found, remedy);
        return;
    }
    if *server == Server::Nowhere {
        report.ok(CHECK, "none runs on this database");
        return;
    }
    let address = config.bind.resolve().ok().and_then(|found| found.into_iter().next()).filter(|at| at.port() != 0);
    let Some(address) = address else {
        report.ok(CHECK, "one runs on this database; where it listens these settings do not say");
        return;
    };
    let url = local_url(address);
    match look::status_of(&url) {
        Ok(200) => report.ok(CHECK, format!("one runs on this database, and is healthy at {url}")),
        Ok(status) => {
            let found = format!("the one at {url} says that it is not healthy (status {status})");
            report.problem(CHECK, found, format!("read its log, and what {url}/health_check answers"));
        }
        Err(error) => {
            let found = format!("one runs on this database, but {url} does not answer: {error}");
            report.warning(CHECK, found, "run this with the server's settings; if they are these, restart the server");
        }
    }
}
