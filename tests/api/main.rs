//! The API as its clients meet it: the real server, spoken to over HTTP, and the real binary.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod auto_login;
mod base_path;
mod bodies;
mod checks;
mod connections;
mod console;
mod harness;
mod if_match;
mod leniency;
mod metrics;
mod names;
mod openapi;
mod overload;
mod process;
mod reset_links;
mod router;
mod routing;
mod schema;
mod service;
mod setup;
mod sidecar;
mod wire;
