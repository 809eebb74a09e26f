//! PostgreSQL: the address of the server, its connections and its schema.

pub mod copy;
mod link;
pub mod schema;
pub mod server;
pub mod session;
