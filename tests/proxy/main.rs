//! usher behind real proxies, with the configurations in `packaging/`. Only addresses and certificates are replaced.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../console/driver.rs"]
#[expect(dead_code, reason = "the console's tests use all of it")]
mod driver;

mod access_rules;
mod browser;
mod cookie_rule;
mod echo;
mod guarded_site;
mod own_host;
mod prefix;
mod proxies;
mod reserved_names;
mod sites;
mod sub_path;
mod verify;
