//! Counts uses of API keys in memory, so that all of them take one write per second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::{Db, StoreError, api_keys};

/// Uses per key: their number and the time of the last.
#[derive(Debug, Default)]
pub struct ApiKeyUses(Mutex<HashMap<Uuid, (u32, Timestamp)>>);

impl ApiKeyUses {
    /// Counts a use.
    pub fn count(&self, key: Uuid, now: Timestamp) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, last) = uses.entry(key).or_insert((0, now));
        *count = count.saturating_add(1);
        *last = now;
    }

    /// Writes the counts. If that fails, they are kept for the next time.
    ///
    /// # Errors
    /// Returns the error of the write.
    pub async fn flush(&self, db: &Db) -> Result<(), StoreError> {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if uses.is_empty() {
            return Ok(());
        }
        let written = uses.clone();
        let outcome = db.write(move |connection| {
            written.iter().try_for_each(|(key, (count, last))| api_keys::add_uses(connection, *key, *count, *last))
        });
        let outcome: Result<(), StoreError> = outcome.await;
        if outcome.is_err() {
            let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, (count, last)) in uses {
                let entry = counted.entry(key).or_insert((0, last));
                entry.0 = entry.0.saturating_add(count);
                entry.1 = entry.1.max(last);
            }
        }
        outcome
    }
}
