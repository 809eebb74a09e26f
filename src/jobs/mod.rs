//! Background jobs: deleting expired rows, backups, the watchdog, API-key use counts, and events for
//! `on_event`.

use std::sync::Arc;

use crate::config::Config;
use crate::domain::clock::Clock;
use crate::store::Db;

pub mod api_key_uses;
mod event_delivery;
pub mod events;
pub mod scheduled_backups;
pub mod sweep;
pub mod watchdog;

/// What every job needs.
#[derive(Clone)]
pub struct JobContext {
    /// The database.
    pub db: Db,
    /// The settings.
    pub config: Arc<Config>,
    /// The clock.
    pub clock: Clock,
}
