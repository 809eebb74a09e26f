//! The repository on both engines: the same calls must give the same results on SQLite and on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails by panicking")]

mod cluster;
mod repository;
mod schema;
mod writer;
