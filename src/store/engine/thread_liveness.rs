//! Liveness of the database's threads. Each thread counts the start and end of its jobs, which tells a hanging thread
//! from a busy one at the cost of two additions per job.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One thread's counter, odd while a job runs. Alone in its cache line.
#[derive(Clone, Debug, Default)]
pub struct ThreadActivity(Arc<Line>);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Line(AtomicU64);

impl ThreadActivity {
    /// Runs `work`, which must not panic, and counts its start and end.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        let done = work();
        self.0.0.fetch_add(1, Ordering::Relaxed);
        done
    }
}

/// The counters of all threads at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadLiveness(Vec<u64>);

impl ThreadLiveness {
    pub(crate) fn of<'a>(activities: impl Iterator<Item = &'a ThreadActivity>) -> Self {
        Self(activities.map(|activity| activity.0.0.load(Ordering::Relaxed)).collect())
    }

    /// Reports whether a thread has run the same job from `earlier` until now.
    pub fn hangs_since(&self, earlier: &Self) -> bool {
        self.0.iter().zip(&earlier.0).any(|(now, before)| now == before && now % 2 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_hangs_if_it_is_still_at_the_same_job() {
        let activities = [ThreadActivity::default(), ThreadActivity::default()];
        let liveness = || ThreadLiveness::of(activities.iter());
        let idle = liveness();
        assert!(!liveness().hangs_since(&idle));
        activities[1].during(|| {
            let working = liveness();
            assert!(!working.hangs_since(&idle));
            assert!(liveness().hangs_since(&working));
        });
        let ended = liveness();
        activities[1].during(|| assert!(!liveness().hangs_since(&ended)));
    }
}
