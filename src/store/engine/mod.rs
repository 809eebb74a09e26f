//! The SQLite engine: the file, its connections, the writer thread and the reader threads. It knows the schema, but no
//! table's queries.

pub mod commit_hooks;
pub mod connection;
pub mod db;
pub mod error;
pub mod file;
pub mod open_files;
pub mod readonly_open;
pub mod schema;
pub mod sqlite_build;
pub mod stats;
pub mod thread_liveness;
pub mod time;
pub mod writer;
