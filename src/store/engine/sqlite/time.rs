//! Reads and writes times. rusqlite's own mapping uses a format string, which takes longer than the rest of the row.
//! This module handles the form that usher writes and leaves others to rusqlite.

use chrono::NaiveDate;
use rusqlite::types::{FromSql, FromSqlResult, ValueRef};

use crate::domain::clock::{Timestamp, format_micros};

/// Reads the time in a column.
pub fn parse_column(value: ValueRef<'_>) -> FromSqlResult<Timestamp> {
    match value.as_str().ok().and_then(parse) {
        Some(time) => Ok(time),
        None => FromSql::column_result(value),
    }
}

/// Formats a time as rusqlite does: with no, three or six fractional digits, as needed.
pub fn text(time: Timestamp) -> String {
    let Some(mut text) = format_micros(&time, b' ') else { return time.format("%F %T%.f%:z").to_string() };
    match time.timestamp_subsec_micros() {
        0 => text.truncate(19),
        micros if micros.is_multiple_of(1000) => text.truncate(23),
        _ => {}
    }
    text + "+00:00"
}

/// Parses `2026-01-31 12:00:00.000001+00:00`, with up to nine fractional digits.
fn parse(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.strip_suffix("+00:00")?.split_at_checked(19)?;
    let bytes = whole.as_bytes();
    if [4, 7, 10, 13, 16].map(|at| bytes[at]) != *b"-- ::" {
        return None;
    }
    let number = |from, to| digits(&bytes[from..to]);
    let date = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)?).ok()?, number(5, 7)?, number(8, 10)?)?;
    let nanos = match fraction.strip_prefix('.') {
        Some(fraction) if (1..=9).contains(&fraction.len()) => {
            digits(fraction.as_bytes())? * 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?)
        }
        None if fraction.is_empty() => 0,
        _ => return None,
    };
    Some(date.and_hms_nano_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, nanos)?.and_utc())
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rusqlite::Connection;

    proptest! {
        #[test]
        fn stored_times_are_read_back(
            seconds in -60_000_000_000i64..200_000_000_000, nanos in prop_oneof![
                Just(0u32), (0u32..1000).prop_map(|n| n * 1_000_000), (0u32..1_000_000).prop_map(|n| n * 1000), 0u32..1_000_000_000,
            ],
        ) {
            let connection = Connection::open_in_memory().unwrap();
            let time = Timestamp::from_timestamp(seconds, nanos).unwrap();
            let (text, read): (String, _) =
                connection.query_row("SELECT ?1, ?1", [time], |row| Ok((row.get(0)?, parse_column(row.get_ref(1)?)?))).unwrap();
            prop_assert_eq!(read, time);
            prop_assert_eq!(parse(&text), Some(time), "{}", text);
            prop_assert_eq!(super::text(time), text);
        }

        #[test]
        fn no_text_panics(text in "[0-9 :.+-]{0,40}", any in any::<String>()) {
            let _ = (parse(&text), parse(&any));
        }
    }
}
