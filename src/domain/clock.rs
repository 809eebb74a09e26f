//! The current time. Code that compares times takes a [`Clock`], so that tests of expiry don't sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Timelike, Utc};

/// A time in UTC with microseconds, as stored and as sent to clients.
pub type Timestamp = DateTime<Utc>;

/// A source of the current time: the system, or a value that tests set.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The system clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that shows `start` until [`Clock::advance`] moves it and all its clones.
    pub fn manual(start: Timestamp) -> Self {
        Self { manual: Some(Arc::new(AtomicI64::new(start.timestamp_micros()))) }
    }

    /// Returns the current time, truncated to microseconds.
    pub fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
        let system = || Utc::now().trunc_subsecs(6);
        match &self.manual {
            None => system(),
            Some(micros) => DateTime::from_timestamp_micros(micros.load(Ordering::Relaxed)).unwrap_or_else(system),
        }
    }

    /// Moves a manual clock by `by`, which may be negative. The system clock ignores this.
    pub fn advance(&self, by: TimeDelta) {
        if let (Some(micros), Some(by)) = (&self.manual, by.num_microseconds()) {
            micros.fetch_add(by, Ordering::Relaxed);
        }
    }
}

/// Formats a time as RFC 3339 in UTC with six digits and `Z`, the only form sent to clients.
pub fn rfc3339(time: &Timestamp) -> String {
    match micros_text(time, b'T') {
        Some(text) => String::from_utf8_lossy(&text).into_owned(),
        None => time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
    }
}

/// Appends a time in the form of [`rfc3339`].
pub fn push_rfc3339(bytes: &mut Vec<u8>, time: &Timestamp) {
    match micros_text(time, b'T') {
        Some(text) => bytes.extend_from_slice(&text),
        None => bytes.extend_from_slice(rfc3339(time).as_bytes()),
    }
}

/// Formats `2026-01-31 12:00:00.000001Z`, with `separator` between date and time. chrono's general formatting takes as
/// long as the rest of a list of ten users. Returns `None` for times that don't fit this form: years without four
/// digits, leap seconds, and fractions of microseconds.
pub fn micros_text(time: &Timestamp, separator: u8) -> Option<[u8; 27]> {
    let (date, of_day, nanos) = (time.naive_utc().date(), time.naive_utc().time(), time.timestamp_subsec_nanos());
    let year = u32::try_from(date.year()).ok().filter(|year| *year < 10_000)?;
    if nanos >= 1_000_000_000 || !nanos.is_multiple_of(1000) {
        return None;
    }
    let micros = nanos / 1000;
    let ([y1, y2], [y3, y4]) = (digits(year / 100), digits(year % 100));
    let ([m1, m2], [d1, d2]) = (digits(date.month()), digits(date.day()));
    let ([h1, h2], [i1, i2], [s1, s2]) = (digits(of_day.hour()), digits(of_day.minute()), digits(of_day.second()));
    let ([f1, f2], [f3, f4], [f5, f6]) = (digits(micros / 10_000), digits(micros / 100 % 100), digits(micros % 100));
    Some([
        y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, separator, h1, h2, b':', i1, i2, b':', s1, s2, b'.', f1, f2, f3,
        f4, f5, f6, b'Z',
    ])
}

/// Returns the two digits of a number below 100.
fn digits(number: u32) -> [u8; 2] {
    let [number, ..] = number.to_le_bytes();
    [b'0' + number / 10, b'0' + number % 10]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_manual_clock_moves_in_all_its_clones_and_only_when_told() {
        let start = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let clock = Clock::manual(start);
        let other = clock.clone();
        assert_eq!(other.now(), start);
        clock.advance(TimeDelta::seconds(-5));
        assert_eq!(other.now(), start - TimeDelta::seconds(5));
    }

    proptest! {
        #[test]
        fn times_are_formatted_as_by_chrono(
            seconds in -80_000_000_000i64..300_000_000_000, micros in 0u32..1_000_000, nanos in 0u32..2,
        ) {
            let time = DateTime::from_timestamp(seconds, micros * 1000 + nanos).unwrap();
            prop_assert_eq!(rfc3339(&time), time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
        }
    }

    #[test]
    fn times_are_shown_with_six_digits_and_z() {
        assert_eq!(rfc3339(&DateTime::from_timestamp(0, 0).unwrap()), "1970-01-01T00:00:00.000000Z");
    }
}
