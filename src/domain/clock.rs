//! Owns the idea of "now". Everything that compares times takes a [`Clock`], so that expiry is tested without sleeping.
//! Must not know what the times are for.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// A moment in UTC, to the microsecond: what the database keeps and what clients are shown.
pub type Timestamp = DateTime<Utc>;

/// Where "now" comes from: the system, or a value that a test moves.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system's wall clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it, in all its clones alike.
    pub fn manual(start: Timestamp) -> Self {
        Self { manual: Some(Arc::new(AtomicI64::new(start.timestamp_micros()))) }
    }

    /// The present moment, cut to whole microseconds.
    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that asks the system what time it is")]
        let system = || Utc::now().trunc_subsecs(6);
        match &self.manual {
            None => system(),
            Some(micros) => DateTime::from_timestamp_micros(micros.load(Ordering::Relaxed)).unwrap_or_else(system),
        }
    }

    /// Moves a manual clock by `by`, backwards when negative; the system's clock is left alone.
    pub fn advance(&self, by: TimeDelta) {
        if let (Some(micros), Some(by)) = (&self.manual, by.num_microseconds()) {
            micros.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// RFC 3339 in UTC with six digits and `Z`, the only form of time that clients are shown.
pub fn rfc3339(time: &Timestamp) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_in_all_its_clones_and_only_when_told() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = Clock::manual(start);
        let other = clock.clone();
        assert_eq!(other.now(), start);
        clock.advance(TimeDelta::seconds(-5));
        assert_eq!(other.now(), start - TimeDelta::seconds(5));
    }

    #[test]
    fn times_are_shown_with_six_digits_and_z() {
        assert_eq!(rfc3339(&DateTime::from_timestamp(0, 0).unwrap()), "1970-01-01T00:00:00.000000Z");
    }
}
