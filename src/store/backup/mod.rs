//! Backups: making, restoring and deleting old ones.

pub mod error;
pub mod make;
pub mod restore;
pub mod retention;
pub mod revocations;
