//! A rate limit for warnings that any request could cause: one a minute.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::clock::Timestamp;

/// Seconds between two warnings.
const INTERVAL: i64 = 60;

/// The rate limit of one warning.
pub struct LogRateLimit(AtomicI64);

impl LogRateLimit {
    /// Returns a limit without a previous warning.
    pub const fn new() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }

    /// Logs the warning, unless there was one in the last minute.
    pub fn warn(&self, now: Timestamp, text: impl FnOnce() -> String) {
        let (now, last) = (now.timestamp(), self.0.load(Ordering::Relaxed));
        // After the clock was set back, don't wait for the old time.
        let is_due = now.saturating_sub(last) >= INTERVAL || now < last;
        if is_due && self.0.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            log::warn!("{}", text());
        }
    }
}
