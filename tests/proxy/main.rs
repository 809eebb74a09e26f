//! usher behind real proxies, with the configurations in `packaging/` as they stand there: only addresses and
//! certificates are put in. Where one of nginx, Caddy and Traefik is not installed, its tests pass and say that they were
//! skipped.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../console/driver.rs"]
#[expect(dead_code, reason = "the console's tests use all of it")]
mod driver;

mod browser;
mod echo;
mod guard;
mod names;
mod own_host;
mod prefix;
mod proxies;
mod rules;
mod sites;
mod sub_path;
mod verify;
