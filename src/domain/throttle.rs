//! Owns how failed attempts are slowed down (OWASP ASVS 5, 6.3.1): free for the first few, then waits that double up to
//! a quarter of an hour; counts fade in the same time, so that however attempts are spread, no more than four an hour are
//! to be had besides the free ones. Counts by pair of account and place, and more generously by account and by place alone, so that
//! neither one account from many places nor many accounts from one place can be tried for free. Does not know where
//! counts are kept.

use chrono::TimeDelta;

use crate::domain::clock::Timestamp;

/// Under what an attempt is counted. It tells nothing of the name that was typed, which may be a password.
pub type AttemptKey = [u8; 16];

/// What was counted under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptCount {
    /// How often.
    pub count: u32,
    /// When last.
    pub last_at: Timestamp,
}

/// The longest wait.
const MAX_WAIT: TimeDelta = TimeDelta::minutes(15);
/// In what time a count becomes less by one. No less than the longest wait, or waiting would pay.
const FADES_IN: TimeDelta = MAX_WAIT;
/// After how many doublings the longest wait is reached: 2^10 seconds are more than it.
const DOUBLINGS: u32 = 10;
/// A count whose last failure is older than this has faded.
pub const FORGOTTEN_AFTER: TimeDelta = TimeDelta::days(1);

/// What is counted, and how many times for free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleRule {
    /// Failures for one account from one place.
    Pair,
    /// Failures for one account from anywhere.
    Account,
    /// Failures from one place for any account.
    Place,
    /// Sign-ups from one place.
    SignUp,
}

impl ThrottleRule {
    /// How many may fail before the first wait.
    pub fn free(self) -> u32 {
        match self {
            Self::Pair => 5,
            Self::Account => 20,
            Self::Place => 40,
            Self::SignUp => 10,
        }
    }

    /// What is counted at most: more would only take longer to fade.
    fn most(self) -> u32 {
        self.free() + DOUBLINGS
    }

    /// How long after the last of `count` the next attempt may be made.
    fn wait(self, count: u32) -> TimeDelta {
        match count.checked_sub(self.free()) {
            None => TimeDelta::zero(),
            Some(doublings @ 0..DOUBLINGS) => TimeDelta::seconds(1 << doublings),
            Some(_) => MAX_WAIT,
        }
    }

    /// What is left of a count.
    fn faded(self, AttemptCount { count, last_at }: AttemptCount, now: Timestamp) -> u32 {
        let elapsed = (now - last_at).max(TimeDelta::zero());
        let fewer = elapsed.num_seconds() / FADES_IN.num_seconds();
        count.min(self.most()).saturating_sub(u32::try_from(fewer).unwrap_or(u32::MAX))
    }
}

/// How many whole seconds an attempt at `now` must still wait, if any. `under_way` others have begun and may fail yet;
/// they count as if they had failed just now, or else trying in parallel would outrun the count.
pub fn remaining(rule: ThrottleRule, counted: Option<AttemptCount>, under_way: u32, now: Timestamp) -> Option<u64> {
    // A last failure in the future means that the clock was set back; nobody waits for it to come round again.
    let counted = counted.filter(|counted| now - counted.last_at >= -MAX_WAIT);
    let count = counted.map_or(0, |counted| rule.faded(counted, now));
    let elapsed = match counted {
        Some(AttemptCount { last_at, .. }) if under_way == 0 => (now - last_at).max(TimeDelta::zero()),
        _ => TimeDelta::zero(),
    };
    let left = rule.wait(count.saturating_add(under_way)) - elapsed;
    let seconds = u64::try_from((left.num_milliseconds() + 999) / 1000).ok()?;
    (seconds > 0).then_some(seconds)
}

/// The count with one failure more, at `now`.
pub fn one_more(rule: ThrottleRule, counted: Option<AttemptCount>, now: Timestamp) -> AttemptCount {
    let before = counted.map_or(0, |counted| rule.faded(counted, now));
    AttemptCount { count: rule.most().min(before + 1), last_at: now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn wait(rule: ThrottleRule, count: u32) -> Option<u64> {
        remaining(rule, Some(AttemptCount { count, last_at: at(0) }), 0, at(0))
    }

    #[test]
    fn the_first_few_are_free_and_then_waits_double_up_to_a_quarter_of_an_hour() {
        assert_eq!(remaining(ThrottleRule::Pair, None, 0, at(0)), None);
        let waits: Vec<_> =
            [4, 5, 6, 7, 14, 15, 68, 69, 70, u32::MAX].map(|count| wait(ThrottleRule::Pair, count)).into();
        let quarter = Some(900);
        assert_eq!(waits, [None, Some(1), Some(2), Some(4), Some(512), quarter, quarter, quarter, quarter, quarter]);
        assert_eq!((wait(ThrottleRule::Account, 19), wait(ThrottleRule::Account, 20)), (None, Some(1)));
        assert_eq!((wait(ThrottleRule::Place, 39), wait(ThrottleRule::Place, 40)), (None, Some(1)));
    }

    #[test]
    fn a_wait_passes_with_time_and_a_clock_that_was_set_back_locks_nobody_out() {
        let counted = Some(AttemptCount { count: 8, last_at: at(0) });
        assert_eq!(remaining(ThrottleRule::Pair, counted, 0, at(1)), Some(7));
        assert_eq!(remaining(ThrottleRule::Pair, counted, 0, at(8)), None);
        assert_eq!(remaining(ThrottleRule::Pair, counted, 0, at(-10)), Some(8));
        assert_eq!(remaining(ThrottleRule::Pair, counted, 0, at(-1000)), None);
        let many = Some(AttemptCount { count: 1000, last_at: at(0) });
        assert_eq!(remaining(ThrottleRule::Pair, many, 0, at(86_401)), None);
    }

    #[test]
    fn what_is_under_way_counts_as_if_it_had_failed_just_now() {
        assert_eq!(remaining(ThrottleRule::Pair, None, 4, at(0)), None);
        assert_eq!(remaining(ThrottleRule::Pair, None, 5, at(0)), Some(1));
        let counted = Some(AttemptCount { count: 3, last_at: at(-100) });
        assert_eq!(remaining(ThrottleRule::Pair, counted, 1, at(0)), None);
        assert_eq!(remaining(ThrottleRule::Pair, counted, 3, at(0)), Some(2));
        assert_eq!(remaining(ThrottleRule::Pair, counted, u32::MAX, at(0)), Some(900));
    }

    #[test]
    fn counts_end_where_the_wait_is_longest_and_fade_by_one_in_that_time() {
        let mut counted = None;
        for _ in 0..100 {
            counted = Some(one_more(ThrottleRule::Account, counted, at(0)));
        }
        assert_eq!(counted, Some(AttemptCount { count: 30, last_at: at(0) }));
        assert_eq!(one_more(ThrottleRule::Account, counted, at(900)).count, 30);
        assert_eq!(one_more(ThrottleRule::Account, counted, at(3600)).count, 27);
        assert_eq!(one_more(ThrottleRule::Account, counted, at(86_400)).count, 1);
        assert_eq!(
            one_more(ThrottleRule::Account, counted, at(-86_400)).count,
            30,
            "a clock that was set back helps nobody"
        );
    }
}
