//! The security rules of the design, each on a real server: what an attacker tries, and what comes of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod attack;
mod document;
mod http;
mod keys;
mod logs;
mod meanwhile;
mod passwords;
mod sessions;
mod throttle;
