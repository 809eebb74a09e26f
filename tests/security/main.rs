//! The security rules of the design, each on a real server: what an attacker tries, and what comes of it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod http;
mod keys;
mod passwords;
mod server;
mod sessions;
mod throttle;
