//! Waiting for something that gives no sign when it happens.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// Longer than anything takes on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Short enough to act during a hash. A loop without a pause would take a core from what it waits for.
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until `found` returns a value.
#[track_caller]
pub fn until_some<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < TIMEOUT, "{what}");
        park_timeout(PAUSE);
    }
}

/// Waits until `is_so` returns true.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    until_some(what, || is_so().then_some(()));
}
