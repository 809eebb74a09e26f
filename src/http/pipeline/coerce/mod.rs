//! Type coercion as in pydantic's lax mode (2.10): strings, booleans, integers, times and ids. Every special case was
//! recorded from Langflow.

use serde_json::{Number, Value};
use speedate::{DateTime, MicrosecondsPrecisionOverflowBehavior, TimeConfig};
use strum::EnumMessage;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::http::pipeline::messages::field;
use crate::http::pipeline::validation::FieldError;

/// Python doesn't parse integers with more digits.
const MAX_DIGITS: usize = 4300;

/// The range of floats that fit into 64 bits. Both bounds are exact; the upper one is the first that doesn't fit.
const IN_64_BITS: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;

/// Reads a string.
pub fn string(value: &Value) -> Result<&str, FieldError> {
    value.as_str().ok_or_else(|| FieldError::new("string_type", field::STRING))
}

/// Reads a boolean, a word for one in any ASCII case, or 0, 1, 0.0 or 1.0.
pub fn boolean(value: &Value) -> Result<bool, FieldError> {
    let interpreted = match value {
        Value::Bool(value) => Some(*value),
        Value::String(word) => match word.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "y" | "yes" | "on" => Some(true),
            "0" | "f" | "false" | "n" | "no" | "off" => Some(false),
            _ => None,
        },
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(0), _) => Some(false),
            (Some(1), _) => Some(true),
            (None, Some(0.0)) => Some(false),
            (None, Some(1.0)) => Some(true),
            // pydantic reports `bool_parsing` for other whole numbers, and `bool_type` for fractions and numbers beyond
            // 64 bits.
            (Some(_), _) => None,
            (None, Some(float)) if is_float(number) && float.fract() == 0.0 && IN_64_BITS.contains(&float) => None,
            _ => return Err(FieldError::new("bool_type", field::BOOL)),
        },
        _ => return Err(FieldError::new("bool_type", field::BOOL)),
    };
    interpreted.ok_or_else(|| FieldError::new("bool_parsing", field::BOOL_WORD))
}

/// Reads an integer. Larger ones become the nearest of 64 bits.
pub fn integer(value: &Value) -> Result<i64, FieldError> {
    match value {
        Value::Bool(value) => Ok(i64::from(*value)),
        Value::String(text) => integer_text(text),
        Value::Number(number) if is_float(number) => {
            let float = number.as_f64().filter(|float| float.is_finite());
            let float = float.ok_or_else(|| FieldError::new("finite_number", field::FINITE))?;
            if float.fract() != 0.0 {
                return Err(FieldError::new("int_from_float", field::INT_FRACTION));
            }
            if IN_64_BITS.contains(&float) {
                #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
                return Ok(float as i64);
            }
            Err(FieldError::new("int_parsing_size", field::INT_SIZE))
        }
        Value::Number(number) => integer_text(&number.to_string()),
        _ => Err(FieldError::new("int_type", field::INT)),
    }
}

/// Reads an integer from a query: with surrounding white space, a sign, single underscores between digits, and a final
/// `.0`.
pub fn integer_text(text: &str) -> Result<i64, FieldError> {
    let fault = || FieldError::new("int_parsing", field::INT_TEXT);
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let whole = match digits.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => whole,
        Some(_) => return Err(fault()),
        None => digits,
    };
    if whole.split('_').any(|group| group.is_empty() || !group.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(fault());
    }
    let digits: String = whole.chars().filter(|&c| c != '_').skip_while(|&c| c == '0').collect();
    if digits.len() > MAX_DIGITS {
        return Err(FieldError::new("int_parsing_size", field::INT_SIZE));
    }
    let magnitude = if digits.is_empty() { 0 } else { digits.parse::<i64>().unwrap_or(i64::MAX) };
    Ok(if negative { -magnitude } else { magnitude })
}

/// Reads a time in any of speedate's forms: RFC 3339 and variants, a date, or seconds or milliseconds since 1970.
/// Without an offset, it is UTC.
pub fn datetime(value: &Value) -> Result<Timestamp, FieldError> {
    // pydantic configures speedate to truncate after six digits.
    let time_config = TimeConfig::builder()
        .microseconds_precision_overflow_behavior(MicrosecondsPrecisionOverflowBehavior::Truncate)
        .build();
    let config = speedate::DateTimeConfig::builder().time_config(time_config).build();
    let parsed = match value {
        Value::String(text) => {
            let date = |_| speedate::Date::parse_str(text).map(midnight);
            DateTime::parse_str_with_config(text, &config)
                .or_else(date)
                .map_err(|error| ("datetime_from_date_parsing", "Input should be a valid datetime or date", error))
        }
        Value::Number(number) => {
            timestamp(number, &config).map_err(|error| ("datetime_parsing", "Input should be a valid datetime", error))
        }
        _ => return Err(FieldError::new("datetime_type", field::DATETIME)),
    };
    let invalid = |kind, words, reason: &dyn std::fmt::Display| FieldError::new(kind, format!("{words}, {reason}"));
    let parsed =
        parsed.map_err(|(kind, words, error)| invalid(kind, words, &error.get_documentation().unwrap_or_default()))?;
    let offset = i64::from(parsed.time.tz_offset.unwrap_or(0));
    let local =
        chrono::NaiveDate::from_ymd_opt(parsed.date.year.into(), parsed.date.month.into(), parsed.date.day.into())
            .and_then(|date| {
                let time = &parsed.time;
                date.and_hms_micro_opt(time.hour.into(), time.minute.into(), time.second.into(), time.microsecond)
            })
            .map(|local| local.and_utc());
    let utc = local.and_then(|local| local.checked_sub_signed(chrono::TimeDelta::seconds(offset)));
    // Python's years are 1 to 9999, also after conversion to UTC.
    utc.filter(|utc| (1..=9999).contains(&chrono::Datelike::year(utc)))
        .ok_or_else(|| invalid("datetime_parsing", field::DATETIME, &"year is out of range"))
}

fn midnight(date: speedate::Date) -> DateTime {
    DateTime { date, time: speedate::Time { hour: 0, minute: 0, second: 0, microsecond: 0, tz_offset: None } }
}

fn timestamp(number: &Number, config: &speedate::DateTimeConfig) -> Result<DateTime, speedate::ParseError> {
    match number.as_i64() {
        Some(seconds) => DateTime::from_timestamp_with_config(seconds, 0, config),
        None => DateTime::from_float_with_config(number.as_f64().unwrap_or(f64::INFINITY), config),
    }
}

/// Reads an id in any of the uuid crate's forms: hyphenated, simple, in braces, as a URN.
pub fn uuid_text(text: &str) -> Result<Uuid, FieldError> {
    Uuid::parse_str(text)
        .map_err(|error| FieldError::new("uuid_parsing", format!("Input should be a valid UUID, {error}")))
}

/// Reads an id from a body as Python's parser does: hyphens are allowed anywhere.
pub fn uuid(value: &Value) -> Result<Uuid, FieldError> {
    let Value::String(text) = value else { return Err(FieldError::new("uuid_type", field::UUID)) };
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let hex: String = bare.trim_matches(['{', '}']).chars().filter(|&c| c != '-').collect();
    let well_formed = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    well_formed.then(|| Uuid::try_parse(&hex).ok()).flatten().ok_or_else(|| FieldError::value(field::UUID_TEXT))
}

/// Whether Python treats the value as false. The original ignores such values in fields with a default.
pub fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    }
}

fn is_float(number: &Number) -> bool {
    number.as_str().contains(['.', 'e', 'E'])
}

#[cfg(test)]
mod tests;
