//! SQLite: the database file, its connections, its schema and its format of times.

pub mod build;
pub mod commit_watch;
pub mod file;
pub mod log_owner;
pub mod open;
pub mod open_files;
pub mod readonly_open;
pub mod schema;
pub mod temporary_database;
pub mod time;
