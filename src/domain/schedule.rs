//! Schedules: their text form and the next due time.

use std::fmt;
use std::str::FromStr;

use chrono::{MappedLocalTime, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Weekday};

use crate::domain::clock::Timestamp;

/// The time of day of `daily` and `weekly` without a time: at night, and after most clock changes.
const DEFAULT_TIME: NaiveTime = NaiveTime::from_hms_opt(3, 0, 0).expect("three o'clock exists");
/// The shortest interval.
const MIN_INTERVAL: TimeDelta = TimeDelta::minutes(5);
/// The longest interval; a rarer schedule is a mistake.
const MAX_INTERVAL: TimeDelta = TimeDelta::days(366);
/// The syntax, as it continues the sentence "it must be".
pub const SYNTAX: &str = "`off`, `hourly`, `daily`, `weekly`, with a time of day `daily 03:30` or `weekly sunday 03:30`, \
                          or from 5 minutes to 366 days `every 30m`, `every 6h`, `every 2d`";

/// A schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Never.
    Off,
    /// This long after the last run.
    Every(TimeDelta),
    /// Every day at this time.
    Daily(NaiveTime),
    /// Every week at this day and time.
    Weekly(Weekday, NaiveTime),
}

impl Schedule {
    /// Returns the first due time after `last`, with times of day in `zone`; `None` if the schedule is off.
    pub fn next_after<Z: TimeZone>(&self, last: Timestamp, zone: &Z) -> Option<Timestamp> {
        let (weekday, time) = match *self {
            Self::Off => return None,
            Self::Every(interval) => return last.checked_add_signed(interval),
            Self::Daily(time) => (None, time),
            Self::Weekly(weekday, time) => (Some(weekday), time),
        };
        let first = last.with_timezone(zone).date_naive();
        first
            .iter_days()
            .take(15)
            .filter(|day| weekday.is_none_or(|weekday| chrono::Datelike::weekday(day) == weekday))
            .filter_map(|day| instant(day.and_time(time), zone))
            .find(|due| *due > last)
    }

    /// Returns the longest time between two runs, clock changes aside.
    pub fn period(&self) -> Option<TimeDelta> {
        match *self {
            Self::Off => None,
            Self::Every(interval) => Some(interval),
            Self::Daily(_) => Some(TimeDelta::days(1)),
            Self::Weekly(..) => Some(TimeDelta::days(7)),
        }
    }
}

/// Converts a local time. Of two times it returns the first; in a gap, the first after the gap.
fn instant<Z: TimeZone>(local: NaiveDateTime, zone: &Z) -> Option<Timestamp> {
    // Clocks are set forward by less than a day.
    (0..96).find_map(|quarter| {
        let shown = local.checked_add_signed(TimeDelta::minutes(15 * quarter))?;
        match zone.from_local_datetime(&shown) {
            MappedLocalTime::Single(time) => Some(time.to_utc()),
            // chrono's zones don't agree which of the two comes first.
            MappedLocalTime::Ambiguous(one, other) => Some(one.to_utc().min(other.to_utc())),
            MappedLocalTime::None => None,
        }
    })
}

/// Parses [`SYNTAX`].
impl FromStr for Schedule {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        let words: Vec<&str> = lower.split_ascii_whitespace().collect();
        let read = match *words.as_slice() {
            ["off"] => Some(Self::Off),
            ["hourly"] => Some(Self::Every(TimeDelta::hours(1))),
            ["daily"] => Some(Self::Daily(DEFAULT_TIME)),
            ["daily", at] => time(at).map(Self::Daily),
            ["weekly"] => Some(Self::Weekly(Weekday::Sun, DEFAULT_TIME)),
            ["weekly", day] => day.parse().ok().map(|day| Self::Weekly(day, DEFAULT_TIME)),
            ["weekly", day, at] => day.parse().ok().zip(time(at)).map(|(day, at)| Self::Weekly(day, at)),
            ["every", length] => interval(length).map(Self::Every),
            _ => None,
        };
        read.ok_or(SYNTAX)
    }
}

fn time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}

fn interval(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let length = match unit {
        'm' => TimeDelta::minutes(number.into()),
        'h' => TimeDelta::hours(number.into()),
        'd' => TimeDelta::days(number.into()),
        _ => return None,
    };
    (MIN_INTERVAL..=MAX_INTERVAL).contains(&length).then_some(length)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Every(length) if length.num_minutes() % 1440 == 0 => write!(f, "every {}d", length.num_days()),
            Self::Every(length) if length.num_minutes() % 60 == 0 => write!(f, "every {}h", length.num_hours()),
            Self::Every(length) => write!(f, "every {}m", length.num_minutes()),
            Self::Daily(time) => write!(f, "daily {}", time.format("%H:%M")),
            Self::Weekly(day, time) => {
                write!(f, "weekly {} {}", day.to_string().to_ascii_lowercase(), time.format("%H:%M"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{FixedOffset, NaiveDate, Offset, Utc};
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(schedule: &str, last: &str) -> String {
        let due = schedule.parse::<Schedule>().unwrap().next_after(at(last), &Utc).unwrap();
        due.format("%FT%TZ").to_string()
    }

    #[test]
    fn a_backup_is_due_at_the_next_time_of_day_or_after_the_interval() {
        assert_eq!(next("daily 03:30", "2026-06-01T03:29:59Z"), "2026-06-01T03:30:00Z");
        assert_eq!(next("daily 03:30", "2026-06-01T03:30:00Z"), "2026-06-02T03:30:00Z");
        // Made up for in the afternoon, it goes on at its own time.
        assert_eq!(next("daily", "2026-06-01T15:00:00Z"), "2026-06-02T03:00:00Z");
        // The 1st of June 2026 is a Monday.
        assert_eq!(next("weekly", "2026-06-01T15:00:00Z"), "2026-06-07T03:00:00Z");
        assert_eq!(next("weekly Monday 15:00", "2026-06-01T15:00:00Z"), "2026-06-08T15:00:00Z");
        assert_eq!(next("weekly mon 15:01", "2026-06-01T15:00:00Z"), "2026-06-01T15:01:00Z");
        assert_eq!(next("hourly", "2026-06-01T15:20:00Z"), "2026-06-01T16:20:00Z");
        assert_eq!(next("every 2d", "2026-06-01T15:20:00Z"), "2026-06-03T15:20:00Z");
        assert_eq!(Schedule::Off.next_after(at("2026-06-01T00:00:00Z"), &Utc), None);
        let east = FixedOffset::east_opt(2 * 3600).unwrap();
        let due = "daily 00:30".parse::<Schedule>().unwrap().next_after(at("2026-06-01T12:00:00Z"), &east).unwrap();
        assert_eq!(due, at("2026-06-01T22:30:00Z"));
    }

    #[test]
    fn invalid_schedules_are_refused_and_valid_ones_round_trip() {
        for bad in [
            "",
            "never",
            "0 3 * * *",
            "daily 25:00",
            "daily 3",
            "weekly someday",
            "weekly 03:00",
            "every 4m",
            "every 0h",
            "every 367d",
            "every -1d",
            "every 99999999999d",
            "every é",
            "every",
            "daily 03:00 please",
        ] {
            assert_eq!(bad.parse::<Schedule>(), Err(SYNTAX), "{bad:?}");
        }
        for (good, shown) in [
            ("Off", "off"),
            (" daily  3:05 ", "daily 03:05"),
            ("hourly", "every 1h"),
            ("every 48h", "every 2d"),
            ("every 90m", "every 90m"),
            ("WEEKLY", "weekly sun 03:00"),
            ("weekly wednesday 23:59", "weekly wed 23:59"),
        ] {
            let schedule = good.parse::<Schedule>().unwrap();
            assert_eq!((schedule.to_string().as_str(), schedule.to_string().parse()), (shown, Ok(schedule)));
        }
    }

    /// A zone whose clocks go from 02:00 to 03:00 on the 29th of March 2026 and back on the 25th of October, as in
    /// Berlin.
    #[derive(Clone, Copy, Debug)]
    struct Berlin {
        /// Whether the later of two times is reported first.
        is_reversed: bool,
    }

    impl Berlin {
        fn summer(local: &NaiveDateTime) -> bool {
            let day =
                |month, day, hour| NaiveDate::from_ymd_opt(2026, month, day).unwrap().and_hms_opt(hour, 0, 0).unwrap();
            *local >= day(3, 29, 2) && *local < day(10, 25, 3)
        }
        fn offset(hours: i32) -> FixedOffset {
            FixedOffset::east_opt(hours * 3600).unwrap()
        }
    }

    impl TimeZone for Berlin {
        type Offset = FixedOffset;
        fn from_offset(_: &FixedOffset) -> Self {
            Self { is_reversed: false }
        }
        fn offset_from_local_date(&self, _: &NaiveDate) -> MappedLocalTime<FixedOffset> {
            MappedLocalTime::None
        }
        fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
            let hour = |day: u32, month: u32| {
                let start = NaiveDate::from_ymd_opt(2026, month, day).unwrap().and_hms_opt(2, 0, 0).unwrap();
                (start..start + TimeDelta::hours(1)).contains(local)
            };
            match (hour(29, 3), hour(25, 10)) {
                (true, _) => MappedLocalTime::None,
                (_, true) if self.is_reversed => MappedLocalTime::Ambiguous(Self::offset(1), Self::offset(2)),
                (_, true) => MappedLocalTime::Ambiguous(Self::offset(2), Self::offset(1)),
                _ => MappedLocalTime::Single(Self::offset(if Self::summer(local) { 2 } else { 1 })),
            }
        }
        fn offset_from_utc_date(&self, _: &NaiveDate) -> FixedOffset {
            Utc.fix()
        }
        fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
            let day = |month, day| NaiveDate::from_ymd_opt(2026, month, day).unwrap().and_hms_opt(1, 0, 0).unwrap();
            Self::offset(if *utc >= day(3, 29) && *utc < day(10, 25) { 2 } else { 1 })
        }
    }

    #[test]
    fn an_hour_that_does_not_exist_is_due_after_it_and_one_that_comes_twice_once() {
        let daily = "daily 02:30".parse::<Schedule>().unwrap();
        for is_reversed in [false, true] {
            let zone = Berlin { is_reversed };
            let due = |last: &str| daily.next_after(at(last), &zone).unwrap().format("%FT%TZ").to_string();
            assert_eq!(due("2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z");
            assert_eq!(due("2026-03-29T01:00:00Z"), "2026-03-30T00:30:00Z");
            assert_eq!(due("2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
            assert_eq!(due("2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
        }
    }

    proptest! {
        #[test]
        fn it_is_always_due_later_than_the_last_time_and_within_its_period(
            seconds in 0i64..4_000_000_000, hour in 0u32..24, minute in 0u32..60, day in 0u8..7,
        ) {
            let last = Timestamp::from_timestamp(seconds, 0).unwrap();
            let time = NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
            let weekday = Weekday::try_from(day).unwrap();
            for schedule in [Schedule::Daily(time), Schedule::Weekly(weekday, time)] {
                let due = schedule.next_after(last, &Utc).unwrap();
                prop_assert!(due > last && due - last <= schedule.period().unwrap());
            }
        }

        #[test]
        fn no_text_panics(text in "(off|every|daily|weekly)? ?[a-z0-9: ]{0,12}", any in any::<String>()) {
            let _ = (text.parse::<Schedule>(), any.parse::<Schedule>());
        }
    }
}
