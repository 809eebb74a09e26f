//! PostgreSQL: compares the repository on both engines, runs the tests of routes, security rules and commands on
//! servers with PostgreSQL, and tests several servers and a failing network.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails by panicking")]

// `#[test]` comes from `needs` here: without PostgreSQL, every test is ignored.
#[macro_use]
extern crate needs;

#[path = "../support/mod.rs"]
mod support;

mod behind_nginx;
mod both;
mod coverage;
mod failing_connections;
mod failing_network;
mod failing_server;
mod failover;
mod langflow_on_postgres;
mod move_database;
mod namespaces;
mod repository;
mod repository_links;
mod repository_lists;
mod schema_on_both;
mod several_servers;
mod shared;
mod statements;
mod tls;
mod writer;

use shared::{helpers, langflow, schema};
