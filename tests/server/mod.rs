//! The server as a whole: what every request passes through, and the process: start, readiness, connections, service
//! managers, parent programs and stop.

mod connections;
#[cfg(unix)]
mod events;
mod pipeline;
mod process;
mod service;
mod sidecar;
mod smoke;
