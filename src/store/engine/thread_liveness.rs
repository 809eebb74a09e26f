//! Owns whether the database's threads are alive: each counts what it begins and ends, so that one that hangs in something
//! can be told from one that is busy, at the price of two additions to a number of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One thread's count, odd while it works on something. Alone in its line of the processor's cache.
#[derive(Clone, Debug, Default)]
pub struct ThreadActivity(Arc<Line>);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line(AtomicU64);

impl ThreadActivity {
    /// Runs `work`, which must not panic, and counts its beginning and its end.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        let done = work();
        self.0.0.fetch_add(1, Ordering::Relaxed);
        done
    }
}

/// How far each thread was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadLiveness(Vec<u64>);

impl ThreadLiveness {
    pub(crate) fn of<'a>(beats: impl Iterator<Item = &'a ThreadActivity>) -> Self {
        Self(beats.map(|beat| beat.0.0.load(Ordering::Relaxed)).collect())
    }

    /// Whether some thread has been at one and the same thing from `earlier` until this one.
    pub fn hangs_since(&self, earlier: &Self) -> bool {
        self.0.iter().zip(&earlier.0).any(|(now, before)| now == before && now % 2 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_hangs_when_it_is_still_at_what_it_was_at_and_neither_when_idle_nor_when_busy() {
        let beats = [ThreadActivity::default(), ThreadActivity::default()];
        let pulse = || ThreadLiveness::of(beats.iter());
        let idle = pulse();
        assert!(!pulse().hangs_since(&idle));
        beats[1].during(|| {
            let working = pulse();
            assert!(!working.hangs_since(&idle));
            assert!(pulse().hangs_since(&working));
        });
        let ended = pulse();
        beats[1].during(|| assert!(!pulse().hangs_since(&ended)));
    }
}
