//! Values recorded from the original (Langflow 1.3.4, pydantic 2.10), and property tests against panics.

use proptest::prelude::*;
use serde_json::json;

use crate::domain::clock::rfc3339;
use crate::http::pipeline::coerce::*;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The parsed value as text, or the kind of its error.
fn outcome<T>(read: Result<T, FieldError>, show: impl FnOnce(T) -> String) -> String {
    read.map_or_else(|fault| fault.kind.to_owned(), show)
}

#[test]
fn booleans_are_words_in_any_ascii_case_and_the_numbers_0_and_1() {
    for word in ["true", "tRuE", "t", "Y", "yes", "On", "1"] {
        assert_eq!(boolean(&json!(word)), Ok(true), "{word}");
    }
    for word in ["false", "F", "n", "NO", "oFf", "0"] {
        assert_eq!(boolean(&json!(word)), Ok(false), "{word}");
    }
    for word in [" true", "true ", "", "ye", "01", "1.0", "2", "-1", "null", "ＴＲＵＥ", "oﬀ", "true\0"] {
        assert_eq!(boolean(&json!(word)).unwrap_err().kind, "bool_parsing", "{word:?}");
    }
    for (number, want) in [
        ("0", "false"),
        ("1", "true"),
        ("-0", "false"),
        ("-0.0", "false"),
        ("1.0", "true"),
        ("1e0", "true"),
        ("1e-400", "false"),
        ("2", "bool_parsing"),
        ("-1", "bool_parsing"),
        ("1.5", "bool_type"),
        ("1e400", "bool_type"),
        ("18446744073709551615", "bool_type"),
        ("[1]", "bool_type"),
        ("{}", "bool_type"),
        ("null", "bool_type"),
    ] {
        assert_eq!(outcome(boolean(&value(number)), |value| value.to_string()), want, "{number}");
    }
}

#[test]
fn integers_accept_white_space_signs_and_underscores_and_are_clamped() {
    for (text, want) in [
        ("5", 5),
        ("+5", 5),
        ("-0005", -5),
        ("\u{85} 5", 5),
        ("\u{3000}5\u{2028}", 5),
        ("1_2_3", 123),
        ("-00_1", -1),
        ("5.0 ", 5),
        ("5.00000000000000000000", 5),
        ("9223372036854775807", i64::MAX),
        ("9223372036854775808", i64::MAX),
    ] {
        assert_eq!(integer_text(text), Ok(want), "{text:?}");
    }
    for text in [
        "",
        "+",
        "-",
        "- 5",
        "+ 5",
        "5e0",
        "5.0_0",
        "5.",
        "5.5",
        "_5",
        "5_",
        "1__2",
        "\u{200b}5",
        "\u{1c}5",
        "٥",
        "0x5",
    ] {
        assert_eq!(integer_text(text).unwrap_err().kind, "int_parsing", "{text:?}");
    }
    assert_eq!(integer_text(&"1".repeat(4300)), Ok(i64::MAX));
    assert_eq!(integer_text(&"1".repeat(4301)).unwrap_err().kind, "int_parsing_size");
    for (text, want) in [
        ("true", "1"),
        ("5.0", "5"),
        ("\"5\"", "5"),
        ("5.5", "int_from_float"),
        ("1e400", "finite_number"),
        ("1e30", "int_parsing_size"),
        ("[]", "int_type"),
        ("null", "int_type"),
    ] {
        assert_eq!(outcome(integer(&value(text)), |value| value.to_string()), want, "{text}");
    }
}

#[test]
fn times_with_an_offset_become_utc_and_those_without_are_utc() {
    for (text, want) in [
        ("\"2025-01-02\"", "2025-01-02T00:00:00.000000Z"),
        ("\"2025-01-02T03:04\"", "2025-01-02T03:04:00.000000Z"),
        ("\"2025-01-02t03:04:05z\"", "2025-01-02T03:04:05.000000Z"),
        ("\"2025-01-02 03:04:05\"", "2025-01-02T03:04:05.000000Z"),
        ("\"2025-01-02_03:04:05\"", "2025-01-02T03:04:05.000000Z"),
        ("\"2025-01-02T03:04:05+02:00\"", "2025-01-02T01:04:05.000000Z"),
        ("\"2025-01-02T03:04:05-0200\"", "2025-01-02T05:04:05.000000Z"),
        ("\"2025-01-02T03:04:05−02:00\"", "2025-01-02T05:04:05.000000Z"),
        ("\"2025-01-02T03:04:05+23:59\"", "2025-01-01T03:05:05.000000Z"),
        ("\"2025-01-02T03:04:05.1\"", "2025-01-02T03:04:05.100000Z"),
        ("\"2025-01-02T03:04:05.1234567899\"", "2025-01-02T03:04:05.123456Z"),
        ("\"-0\"", "1970-01-01T00:00:00.000000Z"),
        ("\"-0.5\"", "1969-12-31T23:59:59.500000Z"),
        ("\"1735787045.\"", "2025-01-02T03:04:05.000000Z"),
        ("-0.5", "1969-12-31T23:59:59.500000Z"),
        ("1735787045", "2025-01-02T03:04:05.000000Z"),
        ("1735787045.9999999", "2025-01-02T03:04:06.000000Z"),
        ("-1735787045123", "1914-12-30T20:55:54.877000Z"),
        ("1e-400", "1970-01-01T00:00:00.000000Z"),
    ] {
        assert_eq!(outcome(datetime(&value(text)), |time| rfc3339(&time)), want, "{text}");
    }
}

#[test]
fn invalid_times_get_the_originals_errors() {
    for text in [
        "2025-01-02 ",
        " 2025-01-02",
        "2025-01-02  03:04:05",
        "2025-01-02T03:04:05 Z",
        "2025-01-02T03:04:05+02",
        "2025-01-02T03:04:05+24:00",
        "2025-01-02T03:04:05+02:60",
        "2025-01-02T03:04:05Zx",
        "2025-01-02T03",
        "2025-01-02T24:00:00",
        "2025-01-02T23:59:60",
        "2025-01-02T03:04:05.",
        "2025-01-02T030405",
        "+2025-01-02",
        "--1",
        "1,5",
        "5e-1",
        "0x10",
        "1735787045.12.3",
        "",
    ] {
        assert_eq!(datetime(&json!(text)).unwrap_err().kind, "datetime_from_date_parsing", "{text:?}");
    }
    for number in ["-62167219200000", "-62167219200001", "-9000000000000000", "1e400", "-1e400", "1e300"] {
        assert_eq!(datetime(&value(number)).unwrap_err().kind, "datetime_parsing", "{number}");
    }
    for other in [json!(true), json!([]), json!({}), json!(null)] {
        assert_eq!(datetime(&other).unwrap_err().kind, "datetime_type", "{other}");
    }
    // The written year has four digits; the year in UTC doesn't.
    for text in ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0000-01-01"] {
        assert_eq!(datetime(&json!(text)).unwrap_err().kind, "datetime_parsing", "{text}");
    }
}

#[test]
fn ids_are_read_as_by_python_in_bodies_and_as_by_rust_in_paths() {
    let id = Uuid::parse_str("ec1b672b-adee-4db8-8dab-8279806478e4").unwrap();
    for text in [
        "{{ec1b672b-adee-4db8-8dab-8279806478e4}}",
        "{ec1b672b-adee-4db8-8dab-8279806478e4",
        "urn:ec1b672badee4db88dab8279806478e4",
        "uuid:EC1B672B-ADEE-4DB8-8DAB-8279806478E4",
        "e-c1b672badee4db88dab8279806478e4-",
    ] {
        assert_eq!(uuid(&json!(text)), Ok(id), "{text}");
    }
    for text in ["", "URN:UUID:ec1b672b-adee-4db8-8dab-8279806478e4", "ec1b672badee4db88dab8279806478e", "é"] {
        assert_eq!(uuid(&json!(text)).unwrap_err().kind, "value_error", "{text:?}");
    }
    assert_eq!(uuid(&json!(5)).unwrap_err().kind, "uuid_type");
    for text in ["{ec1b672b-adee-4db8-8dab-8279806478e4}", "urn:uuid:ec1b672b-adee-4db8-8dab-8279806478e4"] {
        assert_eq!(uuid_text(text), Ok(id), "{text}");
    }
    assert_eq!(uuid_text("{{ec1b672b-adee-4db8-8dab-8279806478e4}}").unwrap_err().kind, "uuid_parsing");
}

fn scalar() -> impl Strategy<Value = Value> {
    // As JSON text, because only that can contain numbers beyond the machine's types.
    let number = "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,4})?".prop_map(|text| value(&text));
    let time_like = "[0-9]{0,4}-?[0-9]{0,2}-?[0-9]{0,2}[T _]?[0-9:.]{0,14}[zZ+−-]?[0-9:]{0,5}".prop_map(Value::from);
    prop_oneof![number, time_like, any::<String>().prop_map(Value::from), any::<bool>().prop_map(Value::from)]
}

proptest! {
    #[test]
    fn no_value_panics(value in scalar()) {
        let _ = (string(&value).is_ok(), boolean(&value), integer(&value), datetime(&value), uuid(&value));
        let _ = is_falsy(&value);
        if let Value::String(text) = &value {
            let _ = (integer_text(text), uuid_text(text));
        }
    }

    #[test]
    fn formatted_integers_are_read(number in any::<i64>().prop_filter("has no magnitude", |n| *n != i64::MIN)) {
        prop_assert_eq!(integer_text(&number.to_string()), Ok(number));
        prop_assert_eq!(integer(&json!(number)), Ok(number));
    }

    #[test]
    fn formatted_times_are_read(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
        let time = Timestamp::from_timestamp_micros(micros).unwrap();
        prop_assert_eq!(datetime(&json!(rfc3339(&time))), Ok(time));
    }

    #[test]
    fn formatted_ids_are_read_in_every_form(id in any::<u128>()) {
        let id = Uuid::from_u128(id);
        for text in [id.to_string(), id.simple().to_string().to_uppercase(), id.braced().to_string(), id.urn().to_string()] {
            prop_assert_eq!(uuid_text(&text), Ok(id));
            prop_assert_eq!(uuid(&json!(text)), Ok(id));
        }
    }
}
