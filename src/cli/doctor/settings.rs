//! Owns what the doctor says of the settings, which could be read: those that keep the server from starting, or leave a
//! door open.

use std::path::Path;

use crate::cli::doctor::Report;
use crate::config::{Config, CookieSecure, ValueSource};
use crate::platform::inspect;

const CHECK: &str = "settings";

/// Looks at them.
pub(super) fn look(config: &Config, report: &mut Report) {
    let local = match config.bind.resolve() {
        Ok(addresses) => addresses.iter().all(|address| address.ip().is_loopback()),
        Err(error) => {
            let found = format!("`bind` is {}, which names no address: {error}", config.bind);
            report.problem(CHECK, found, "write an address of this machine, such as 127.0.0.1:7860");
            true
        }
    };
    if config.auto_login && !(local && config.trusted_proxies.is_empty()) {
        let remedy = "turn `auto_login` off, or bind to 127.0.0.1 and trust no proxies";
        report.problem(CHECK, "`auto_login` would sign in whoever can reach this machine", remedy);
    }
    let https = config.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    if !local && config.public_url.is_none() {
        let remedy = "set `public_url` to what people type";
        report.warning(CHECK, "other machines can get here, and links name this one alone", remedy);
    } else if !local && !https {
        let remedy = "put a proxy with HTTPS in front, and name it in `trusted_proxies`; SECURITY.md says more";
        report.warning(CHECK, "passwords cross the network readable, as `public_url` is no https", remedy);
    }
    if https && config.cookie_secure == CookieSecure::Never {
        let remedy = "leave out `cookie_secure`";
        report.warning(CHECK, "`cookie_secure` is false, though people come by HTTPS", remedy);
    }
    if !config.throttle {
        report.warning(CHECK, "`throttle` is off: passwords can be guessed at any speed", "leave it out");
    }
    for (key, source) in &config.sources {
        if let (true, ValueSource::File(path)) = (["secret_key", "superuser_password"].contains(key), source) {
            secret_in(path, report);
            break;
        }
    }
    let file = config.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    report.ok_unless_said(CHECK, format!("read and sound ({file}); `usher config` shows them"));
}

/// A file with a secret in it that others can read. It may also hold no more than the name of one that holds it.
fn secret_in(path: &Path, report: &mut Report) {
    if let Ok(Some(access)) = inspect::access(path)
        && access.mode & 0o077 != 0
    {
        let found = format!("{} names a secret, and others than its owner can read it", path.display());
        report.warning(CHECK, found, format!("chmod 600 {}, or keep the secret in a file of its own", path.display()));
    }
}
