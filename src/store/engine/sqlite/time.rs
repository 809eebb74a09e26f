//! Reads and writes times. rusqlite's own mapping uses a format string, which takes longer than the rest of the row.
//! This module handles the form that usher writes and leaves others to rusqlite.

use chrono::NaiveDate;
use rusqlite::types::{FromSql, FromSqlResult, ValueRef};

use crate::domain::clock::{Timestamp, micros_text};

/// Reads the time in a column.
pub fn parse_column(value: ValueRef<'_>) -> FromSqlResult<Timestamp> {
    let time = if let ValueRef::Text(text) = value { parse(text) } else { None };
    time.map_or_else(|| FromSql::column_result(value), Ok)
}

/// Formats a time as rusqlite does: with no, three or six fractional digits, as needed.
pub fn text(time: Timestamp) -> String {
    let Some(text) = micros_text(&time, b' ') else { return time.format("%F %T%.f%:z").to_string() };
    let length = match time.timestamp_subsec_micros() {
        0 => 19,
        micros if micros.is_multiple_of(1000) => 23,
        _ => 26,
    };
    format!("{}+00:00", String::from_utf8_lossy(&text[..length]))
}

/// Parses `2026-01-31 12:00:00.000001+00:00`, with up to nine fractional digits.
fn parse(text: &[u8]) -> Option<Timestamp> {
    let (whole, rest) = text.split_first_chunk()?;
    #[rustfmt::skip]
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b' ', h1, h2, b':', i1, i2, b':', s1, s2] = *whole else {
        return None;
    };
    let year = 100 * pair(y1, y2)? + pair(y3, y4)?;
    let date = NaiveDate::from_ymd_opt(year.cast_signed(), pair(m1, m2)?, pair(d1, d2)?)?;
    let nanos = match rest.strip_suffix(b"+00:00")? {
        [] => 0,
        [b'.', fraction @ ..] if (1..=9).contains(&fraction.len()) => {
            number(fraction)? * 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?)
        }
        _ => return None,
    };
    Some(date.and_hms_nano_opt(pair(h1, h2)?, pair(i1, i2)?, pair(s1, s2)?, nanos)?.and_utc())
}

/// Reads two digits.
fn pair(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| 10 * u32::from(tens) + u32::from(ones))
}

/// Reads at most nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    let mut number = 0;
    for digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        number = number * 10 + u32::from(value);
    }
    Some(number)
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
            prop_assert_eq!(parse(text.as_bytes()), Some(time), "{}", text);
            prop_assert_eq!(super::text(time), text);
        }

        #[test]
        fn no_text_panics(text in "[0-9 :.+-]{0,40}", any in any::<String>()) {
            let _ = (parse(text.as_bytes()), parse(any.as_bytes()));
        }
    }
}
