//! The server as a process: start, readiness, connections, service managers, parent programs and stop.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod connections;
#[cfg(unix)]
mod events;
mod process;
mod service;
mod sidecar;
mod smoke;
