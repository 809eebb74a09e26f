//! The server as a whole: what every request passes through, what it guarantees under faults, and the process: start,
//! readiness, connections, service managers, parent programs and stop.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on panics; figures are printed"
)]

#[path = "../support/mod.rs"]
mod support;

mod connections;
#[cfg(unix)]
mod events;
mod faults;
mod pipeline;
mod process;
mod service;
mod sidecar;
mod smoke;
