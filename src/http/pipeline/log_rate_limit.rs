//! Owns how the log is told of what may happen with every request: once a minute.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::clock::Timestamp;

/// How many seconds nothing more is said.
const QUIET: i64 = 60;

/// One thing that the log is told of.
pub struct LogRateLimit(AtomicI64);

impl LogRateLimit {
    /// Nothing was said yet.
    pub const fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// Warns, unless it was done within the last minute.
    pub fn warn(&self, now: Timestamp, text: impl FnOnce() -> String) {
        let (now, last) = (now.timestamp(), self.0.load(Ordering::Relaxed));
        // A clock that was set back must not silence this for long.
        let is_due = now.saturating_sub(last) >= QUIET || now < last;
        if is_due && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            log::warn!("{}", text());
        }
    }
}
