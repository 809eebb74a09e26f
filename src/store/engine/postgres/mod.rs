//! PostgreSQL: the address of the server, its connections and its schema.

pub mod schema;
pub mod server;
pub mod session;
