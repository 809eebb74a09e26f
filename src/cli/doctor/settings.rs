//! Checks the settings for values that stop the server from starting or are unsafe.

use std::net::IpAddr;
use std::path::Path;

use crate::cli::doctor::Report;
use crate::config::{Config, CookieSecure, ServerRecord, ValueSource};
use crate::platform::inspect;

const CHECK: &str = "settings";

pub(super) fn check(config: &Config, report: &mut Report) {
    let local = match config.bind.resolve() {
        Ok(addresses) => addresses.iter().all(|address| address.ip().is_loopback()),
        Err(error) => {
            let found = format!("`bind` is {}, which has no address: {error}", config.bind);
            report.problem(CHECK, found, "set an address of this machine, such as 127.0.0.1:7860");
            true
        }
    };
    if config.auto_login && !(local && config.trusted_proxies.is_empty()) {
        let remedy = "turn `auto_login` off, or set `bind` to 127.0.0.1 and remove `trusted_proxies`";
        report.problem(CHECK, "`auto_login` would sign in everyone who can reach this machine", remedy);
    }
    let https = config.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    if !local && config.public_url.is_none() {
        let remedy = "set `public_url` to the address that people type";
        report.warning(CHECK, "other machines can connect, but links contain this machine's own address", remedy);
    } else if !local && !https {
        let remedy = "put an HTTPS proxy in front and set `trusted_proxies`; see SECURITY.md";
        report.warning(CHECK, "passwords cross the network unencrypted, because `public_url` is not https", remedy);
    }
    if https && config.cookie_secure == CookieSecure::Never {
        let remedy = "remove `cookie_secure`";
        report.warning(CHECK, "`cookie_secure` is false although `public_url` is https", remedy);
    }
    if let Some(address) = &config.database
        && address.contains("sslmode=disable")
        && !["@127.0.0.1", "@localhost", "@[::1]", "@%2F", "@%2f"].iter().any(|local| address.contains(local))
    {
        let remedy = "remove `sslmode=disable` from `database`";
        report.warning(CHECK, "accounts cross the network to PostgreSQL unencrypted", remedy);
    }
    if !config.throttle {
        report.warning(CHECK, "`throttle` is off: passwords can be guessed at any speed", "remove `throttle`");
    }
    let trusted = config.trusted_proxies.iter().find(|network| network.prefix_len() == 0);
    if let Some(network) = trusted {
        let found =
            format!("`trusted_proxies` contains {network}: every client can choose the address that usher sees");
        report.warning(CHECK, found, "list the addresses of your proxies");
    }
    if let Some(proxy) = ServerRecord::read(&config.data_dir).and_then(|server| server.untrusted_proxy)
        && proxy.parse().is_ok_and(|address: IpAddr| !config.trusted_proxies.iter().any(|net| net.contains(&address)))
    {
        let found = format!("{proxy} sends X-Forwarded-For, but isn't trusted: all its clients count as one address");
        report.warning(CHECK, found, "if it is your proxy, add it to `trusted_proxies` and restart the server");
    }
    for (key, source) in &config.sources {
        if let (true, ValueSource::File(path)) =
            (["secret_key", "superuser_password", "database_password"].contains(key), source)
        {
            secret_file(path, report);
            break;
        }
    }
    let file = config.file.as_ref().map_or_else(|| "no file".to_owned(), |path| path.display().to_string());
    report.ok_if_clean(CHECK, format!("valid ({file}); `usher config` prints them"));
}

/// Warns if others can read a configuration file that contains a secret, or its path.
fn secret_file(path: &Path, report: &mut Report) {
    if let Ok(Some(access)) = inspect::access(path)
        && access.mode & 0o077 != 0
    {
        let found = format!("{} contains a secret, and other users can read it", path.display());
        report.warning(CHECK, found, format!("chmod 600 {}, or move the secret to a file of its own", path.display()));
    }
}
