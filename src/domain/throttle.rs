//! The rules that slow down failed attempts (OWASP ASVS 5, 6.3.1). The first few failures are free; then waits double
//! up to 15 minutes. A count drops by one every 15 minutes, so at most four more attempts an hour are possible.
//! Failures count for the pair of account and network, and with higher limits for the account and the network alone.

use chrono::TimeDelta;

use crate::domain::clock::Timestamp;

/// The key that attempts are counted under. It doesn't reveal the typed name, which may be a password.
pub type AttemptKey = [u8; 16];

/// The failures counted under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptCount {
    /// The number of failures.
    pub count: u32,
    /// The last failure.
    pub last_at: Timestamp,
}

/// The longest wait.
const MAX_WAIT: TimeDelta = TimeDelta::minutes(15);
/// The time in which a count drops by one. With less than the longest wait, waiting would gain attempts.
const DECAY_INTERVAL: TimeDelta = MAX_WAIT;
/// The number of doublings up to the longest wait: 2^10 seconds exceed it.
const DOUBLINGS: u32 = 10;
/// Counts whose last failure is older than this have decayed to zero.
pub const COUNT_LIFETIME: TimeDelta = TimeDelta::days(1);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleRule {
    /// Failures for one account from one network.
    Pair,
    /// Failures for one account from anywhere.
    Account,
    /// Failures from one network for any account.
    Network,
    /// Sign-ups from one network.
    SignUp,
    /// Wrong API keys from one network, sent to sites as `Basic` credentials. They count for nothing else: a script
    /// with an old key must not keep its owner from signing in.
    SiteKey,
}

impl ThrottleRule {
    /// The number of failures before the first wait.
    pub fn free_failures(self) -> u32 {
        match self {
            // Langflow 1.3's page sends each wrong sign-in four times.
            Self::Pair => 16,
            Self::Account => 20,
            Self::Network | Self::SiteKey => 80,
            Self::SignUp => 10,
        }
    }

    /// The highest count: more would only take longer to decay.
    fn max_count(self) -> u32 {
        self.free_failures() + DOUBLINGS
    }

    /// The wait after the last of `count` failures.
    fn wait(self, count: u32) -> TimeDelta {
        match count.checked_sub(self.free_failures()) {
            None => TimeDelta::zero(),
            Some(doublings @ 0..DOUBLINGS) => TimeDelta::seconds(1 << doublings),
            Some(_) => MAX_WAIT,
        }
    }

    /// The count after decay.
    fn decayed(self, AttemptCount { count, last_at }: AttemptCount, now: Timestamp) -> u32 {
        let elapsed = (now - last_at).max(TimeDelta::zero());
        let decay = elapsed.num_seconds() / DECAY_INTERVAL.num_seconds();
        count.min(self.max_count()).saturating_sub(u32::try_from(decay).unwrap_or(u32::MAX))
    }
}

/// Returns how many whole seconds an attempt at `now` must wait, or `None` if it may be made. Each of the `in_flight`
/// other attempts counts as a failure at `now`; otherwise parallel attempts would outrun the count.
pub fn retry_after(rule: ThrottleRule, counted: Option<AttemptCount>, in_flight: u32, now: Timestamp) -> Option<u64> {
    // If the last failure is in the future, the clock was set back; don't wait for the old time.
    let counted = counted.filter(|counted| now - counted.last_at >= -MAX_WAIT);
    let count = counted.map_or(0, |counted| rule.decayed(counted, now));
    let elapsed = match counted {
        Some(AttemptCount { last_at, .. }) if in_flight == 0 => (now - last_at).max(TimeDelta::zero()),
        _ => TimeDelta::zero(),
    };
    let left = rule.wait(count.saturating_add(in_flight)) - elapsed;
    let seconds = u64::try_from((left.num_milliseconds() + 999) / 1000).ok()?;
    (seconds > 0).then_some(seconds)
}

/// Returns the count with one more failure, at `now`.
pub fn record_failure(rule: ThrottleRule, counted: Option<AttemptCount>, now: Timestamp) -> AttemptCount {
    let before = counted.map_or(0, |counted| rule.decayed(counted, now));
    AttemptCount { count: rule.max_count().min(before + 1), last_at: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn wait(rule: ThrottleRule, count: u32) -> Option<u64> {
        retry_after(rule, Some(AttemptCount { count, last_at: at(0) }), 0, at(0))
    }

    #[test]
    fn the_first_few_are_free_and_then_waits_double_up_to_a_quarter_of_an_hour() {
        assert_eq!(retry_after(ThrottleRule::Pair, None, 0, at(0)), None);
        let waits: Vec<_> =
            [15, 16, 17, 18, 25, 26, 79, 80, 81, u32::MAX].map(|count| wait(ThrottleRule::Pair, count)).into();
        let quarter = Some(900);
        assert_eq!(waits, [None, Some(1), Some(2), Some(4), Some(512), quarter, quarter, quarter, quarter, quarter]);
        assert_eq!((wait(ThrottleRule::Account, 19), wait(ThrottleRule::Account, 20)), (None, Some(1)));
        assert_eq!((wait(ThrottleRule::Network, 79), wait(ThrottleRule::Network, 80)), (None, Some(1)));
    }

    #[test]
    fn a_wait_passes_with_time_even_if_the_clock_is_set_back() {
        let counted = Some(AttemptCount { count: 19, last_at: at(0) });
        assert_eq!(retry_after(ThrottleRule::Pair, counted, 0, at(1)), Some(7));
        assert_eq!(retry_after(ThrottleRule::Pair, counted, 0, at(8)), None);
        assert_eq!(retry_after(ThrottleRule::Pair, counted, 0, at(-10)), Some(8));
        assert_eq!(retry_after(ThrottleRule::Pair, counted, 0, at(-1000)), None);
        let many = Some(AttemptCount { count: 1000, last_at: at(0) });
        assert_eq!(retry_after(ThrottleRule::Pair, many, 0, at(86_401)), None);
    }

    #[test]
    fn a_pending_attempt_counts_as_a_failure() {
        assert_eq!(retry_after(ThrottleRule::Pair, None, 15, at(0)), None);
        assert_eq!(retry_after(ThrottleRule::Pair, None, 16, at(0)), Some(1));
        let counted = Some(AttemptCount { count: 14, last_at: at(-100) });
        assert_eq!(retry_after(ThrottleRule::Pair, counted, 1, at(0)), None);
        assert_eq!(retry_after(ThrottleRule::Pair, counted, 3, at(0)), Some(2));
        assert_eq!(retry_after(ThrottleRule::Pair, counted, u32::MAX, at(0)), Some(900));
    }

    #[test]
    fn counts_end_where_the_wait_is_longest_and_fade_by_one_in_that_time() {
        let mut counted = None;
        for _ in 0..100 {
            counted = Some(record_failure(ThrottleRule::Account, counted, at(0)));
        }
        assert_eq!(counted, Some(AttemptCount { count: 30, last_at: at(0) }));
        assert_eq!(record_failure(ThrottleRule::Account, counted, at(900)).count, 30);
        assert_eq!(record_failure(ThrottleRule::Account, counted, at(3600)).count, 27);
        assert_eq!(record_failure(ThrottleRule::Account, counted, at(86_400)).count, 1);
        assert_eq!(
            record_failure(ThrottleRule::Account, counted, at(-86_400)).count,
            30,
            "a clock that was set back helps nobody"
        );
    }
}
