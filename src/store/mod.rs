//! Owns the SQLite file: the two doors to it ([`Db::read`], [`Db::write`]), the schema, and every line of SQL.
//! Its functions take a connection and plain values; they know neither HTTP nor who may do what.

pub mod api_keys;
pub mod audit;
pub mod backup;
mod db;
pub mod entry_tokens;
mod error;
pub mod export;
mod file;
mod foreign;
pub mod health;
pub mod import;
pub mod inspect;
pub mod langflow;
mod manager;
pub mod name_keeping;
mod open_files;
mod people;
mod pulse;
pub mod reset_links;
pub mod restore;
mod schema;
pub mod search;
pub mod secret_key;
pub mod sessions;
pub mod shelf;
pub mod stats;
pub mod throttle;
mod time;
mod user_list;
pub mod users;
mod writer;

pub use db::{Db, Options};
pub use error::{Refusal, StoreError, Trouble};
pub use file::{DATABASE_FILE, OpenError, schema_version};
pub use pulse::Pulse;
pub use rusqlite::Connection;
pub use schema::VERSION as SCHEMA_VERSION;
