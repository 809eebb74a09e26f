//! Backups: making them, restoring them, and how many are kept.

pub mod make;
pub mod restore;
pub mod retention;
