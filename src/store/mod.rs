//! The database: [`Db`], the schema and every SQL statement. Its functions take a connection and plain values. They
//! know nothing about HTTP, and don't check permissions.

pub mod api_key_uses;
pub mod api_keys;
pub mod audit;
pub mod backup;
pub mod challenges;
pub mod database_counts;
pub mod deletion_requests;
pub(crate) mod engine;
pub mod event_position;
pub mod factors;
pub mod heartbeat;
pub mod inspection;
pub mod invitations;
pub mod move_database;
pub mod reserved_names;
pub mod reset_links;
pub mod secret_key;
pub mod sessions;
pub mod sign_ups;
pub mod site_tokens;
pub mod throttle;
pub mod transfer;
pub mod user_index;
pub mod user_list;
mod user_rows;
pub mod users;

pub use engine::connection::Connection;
pub use engine::db::PostgresOpenError;
pub use engine::db::{Db, Options};
pub use engine::error::{StorageCondition, StoreError, WriteError};
pub use engine::postgres::schema::{self as postgres_schema, SchemaError as PostgresSchemaError};
pub use engine::postgres::server::{AddressError, PostgresServer};
pub use engine::sqlite::commit_watch::Version;
pub use engine::sqlite::file::{DATABASE_FILE, OpenError, schema_version};
pub use engine::sqlite::schema::VERSION as SCHEMA_VERSION;
pub use engine::thread_liveness::ThreadLiveness;
