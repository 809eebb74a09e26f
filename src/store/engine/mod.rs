//! The engine: connections, the writer thread and the reader threads. It knows the schema, but no table's queries.
//! [`connection`] is what the tables' queries use; [`sqlite`] and [`postgres`] are below it.

pub mod commit_hooks;
pub mod connection;
pub mod db;
pub mod error;
pub mod pool;
pub mod postgres;
pub mod sqlite;
pub mod stats;
pub mod thread_liveness;
pub mod value;
pub mod writer;
