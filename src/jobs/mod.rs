//! Work that the server does by itself: cleaning up, backups, the watchdog, API-key use counts.

use std::sync::Arc;

use crate::config::Config;
use crate::domain::clock::Clock;
use crate::store::Db;

pub mod api_key_uses;
pub mod scheduled_backups;
pub mod sweep;
pub mod watchdog;

/// What the jobs work with.
#[derive(Clone)]
pub struct JobContext {
    /// The database.
    pub db: Db,
    /// The settings in force.
    pub config: Arc<Config>,
    /// Where "now" comes from.
    pub clock: Clock,
}
