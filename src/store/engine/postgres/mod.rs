//! PostgreSQL: the address of the server, its connections and its schema.

pub mod copy;
pub mod schema;
pub mod server;
pub mod session;
