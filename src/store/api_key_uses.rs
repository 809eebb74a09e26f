//! Counts uses of API keys in memory, so that all of them take one write per second.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::domain::api_key::ApiKey;
use crate::domain::clock::Timestamp;
use crate::store::{Db, StoreError, api_keys};

/// Uses per key: their number and the time of the last.
type UsesByKey = HashMap<Uuid, (u32, Timestamp)>;

/// The uses that the database doesn't know yet.
#[derive(Debug, Default)]
pub struct ApiKeyUses(Mutex<Unwritten>);

#[derive(Debug, Default)]
struct Unwritten {
    counted: UsesByKey,
    /// The uses that are being written.
    writing: UsesByKey,
}

impl ApiKeyUses {
    /// Counts a use.
    pub fn count(&self, key: Uuid, now: Timestamp) {
        let mut unwritten = self.lock();
        let (count, last) = unwritten.counted.entry(key).or_insert((0, now));
        *count = count.saturating_add(1);
        *last = now;
    }

    /// Adds the uses that the database doesn't know yet to keys that were read from it.
    pub fn add_to(&self, keys: &mut [ApiKey]) {
        let unwritten = self.lock();
        for key in keys {
            let known = [&unwritten.writing, &unwritten.counted].map(|uses| uses.get(&key.id));
            for (count, last) in known.into_iter().flatten() {
                // What was written a moment ago is in both.
                if key.last_used_at.is_none_or(|known| known < *last) {
                    key.total_uses = key.total_uses.saturating_add(i64::from(*count));
                    key.last_used_at = Some(*last);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Unwritten> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the counts. If that fails, they are kept for the next time.
    ///
    /// # Errors
    /// Returns the error of the write.
    pub async fn flush(&self, db: &Db) -> Result<(), StoreError> {
        let written = {
            let mut unwritten = self.lock();
            unwritten.writing = std::mem::take(&mut unwritten.counted);
            unwritten.writing.clone()
        };
        if written.is_empty() {
            return Ok(());
        }
        let outcome = db.write(move |connection| {
            written.iter().try_for_each(|(key, (count, last))| api_keys::add_uses(connection, *key, *count, *last))
        });
        let outcome: Result<(), StoreError> = outcome.await;
        let mut unwritten = self.lock();
        let uses = std::mem::take(&mut unwritten.writing);
        if outcome.is_err() {
            for (key, (count, last)) in uses {
                let entry = unwritten.counted.entry(key).or_insert((0, last));
                entry.0 = entry.0.saturating_add(count);
                entry.1 = entry.1.max(last);
            }
        }
        outcome
    }
}
