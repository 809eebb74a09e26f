//! Lenient parsing as in the original. Every expectation was recorded from it.

use serde_json::json;

use crate::support::Server;

struct Patched {
    server: Server,
    admin: String,
    path: String,
}

fn alice() -> Patched {
    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "alice");
    Patched { path: format!("/api/v1/users/{id}"), server, admin }
}

impl Patched {
    fn patch(&self, body: &str) -> crate::support::Response {
        self.server.patch(&self.path).bearer(&self.admin).body("application/json", body).send()
    }
}

#[test]
fn booleans_can_be_words_and_numbers() {
    let alice = alice();
    for (text, value) in [
        ("\"true\"", true),
        ("\"TRUE\"", true),
        ("\"t\"", true),
        ("\"Y\"", true),
        ("\"On\"", true),
        ("\"1\"", true),
        ("1", true),
        ("1.0", true),
        ("1e0", true),
        ("\"f\"", false),
        ("\"No\"", false),
        ("\"OFF\"", false),
        ("0", false),
        ("-0", false),
        ("0.0", false),
        ("1e-400", false),
    ] {
        let answer = alice.patch(&format!("{{\"is_active\": {text}}}")).expect(200);
        assert_eq!(answer.json()["is_active"], value, "{text}");
    }
    for text in ["2", "-1", "5.0", "\"maybe\"", "\"\"", "\" true\"", "\"1.0\"", "\"ＴＲＵＥ\""] {
        assert_eq!(
            alice.patch(&format!("{{\"is_active\": {text}}}")).validation_errors(),
            ["body.is_active bool_parsing"],
            "{text}"
        );
    }
    for text in ["1.5", "100000000000000000000", "[]", "{}", "1e400"] {
        assert_eq!(
            alice.patch(&format!("{{\"is_active\": {text}}}")).validation_errors(),
            ["body.is_active bool_type"],
            "{text}"
        );
    }
}

#[test]
fn times_are_read_in_every_form_of_the_original_and_stored_in_utc() {
    let alice = alice();
    for (text, value) in [
        ("\"2025-01-02\"", "2025-01-02T00:00:00.000000Z"),
        ("\"2025-01-02_03:04\"", "2025-01-02T03:04:00.000000Z"),
        ("\"2025-01-02t03:04:05z\"", "2025-01-02T03:04:05.000000Z"),
        ("\"2025-01-02T03:04:05+02:00\"", "2025-01-02T01:04:05.000000Z"),
        ("\"2025-01-02T03:04:05−0230\"", "2025-01-02T05:34:05.000000Z"),
        ("\"2025-01-02 03:04:05,1234567\"", "2025-01-02T03:04:05.123456Z"),
        ("\"2025\"", "1970-01-01T00:33:45.000000Z"),
        ("\"-1.5\"", "1969-12-31T23:59:58.500000Z"),
        ("1735787045", "2025-01-02T03:04:05.000000Z"),
        ("1735787045123", "2025-01-02T03:04:05.123000Z"),
        ("1735787045.5", "2025-01-02T03:04:05.500000Z"),
        ("20000000001", "1970-08-20T11:33:20.001000Z"),
    ] {
        let answer = alice.patch(&format!("{{\"last_login_at\": {text}}}")).expect(200);
        assert_eq!(answer.json()["last_login_at"], value, "{text}");
    }
    for text in [
        "\"\"",
        "\"now\"",
        "\"2025-13-01\"",
        "\"2025-02-29\"",
        "\"2025-01-02T24:00:00\"",
        "\"2025-01-02T03:04:05+24:00\"",
    ] {
        let fault = "body.last_login_at datetime_from_date_parsing";
        assert_eq!(alice.patch(&format!("{{\"last_login_at\": {text}}}")).validation_errors(), [fault], "{text}");
    }
    for text in ["1e20", "253402300800000", "9223372036854775808", "99999999999999999999999", "1e400"] {
        assert_eq!(
            alice.patch(&format!("{{\"last_login_at\": {text}}}")).validation_errors(),
            ["body.last_login_at datetime_parsing"],
            "{text}"
        );
    }
    for text in ["true", "[]", "{}"] {
        assert_eq!(
            alice.patch(&format!("{{\"last_login_at\": {text}}}")).validation_errors(),
            ["body.last_login_at datetime_type"],
            "{text}"
        );
    }
}

#[test]
fn ids_are_read_in_every_form_and_case() {
    let alice = alice();
    let id = alice.path.rsplit('/').next().unwrap().to_owned();
    for spelling in [
        id.to_uppercase(),
        id.replace('-', ""),
        format!("%7B{id}%7D"),
        format!("urn:uuid:{id}"),
        id.replace('-', "%2D"),
    ] {
        alice.server.get(format!("/api/v1/users/{spelling}")).bearer(&alice.admin).send().expect(200);
    }
    for spelling in [format!("%20{id}"), format!("{id}%00"), format!("{id}0"), "%ff".to_owned(), "1".to_owned()] {
        let answer = alice.server.get(format!("/api/v1/users/{spelling}")).bearer(&alice.admin).send();
        assert_eq!(answer.validation_errors(), ["path.user_id uuid_parsing"], "{spelling}");
    }
}

#[test]
fn integers_in_queries_are_read_as_python_reads_them() {
    let alice = alice();
    let list = |query: &str| alice.server.get(format!("/api/v1/users/?{query}")).bearer(&alice.admin).send();
    let zeros = format!("limit={}1", "0".repeat(5000));
    for query in [
        "limit=1",
        "limit=%201",
        "limit=+1",
        "limit=%2B1",
        "limit=01",
        "limit=1.0",
        "limit=0_1",
        "limit=x&limit=1",
        zeros.as_str(),
    ] {
        assert_eq!(list(query).expect(200).json()["users"].as_array().unwrap().len(), 1, "{query}");
    }
    for query in [
        "limit",
        "limit=",
        "limit=1.",
        "limit=1.5",
        "limit=1e3",
        "limit=0x1",
        "limit=1__0",
        "limit=%D9%A1",
        "limit=%ff",
        "limit=1%00",
    ] {
        assert_eq!(list(query).validation_errors(), ["query.limit int_parsing"], "{query}");
    }
    assert_eq!(list(&format!("limit={}", "9".repeat(4301))).validation_errors(), ["query.limit int_parsing_size"]);
    assert_eq!(list(&format!("limit={}", "9".repeat(4000))).validation_errors(), ["query.limit less_than_equal"]);
    assert_eq!(
        list(&format!("skip={}", "9".repeat(30))).expect(200).json(),
        json!({"total_count": 2, "users": [], "deletion_requests": {}})
    );
}

#[test]
fn the_last_repeated_key_counts_and_null_changes_nothing() {
    let alice = alice();
    let answer = alice.patch(r#"{"profile_image": 1, "profile_image": "a", "profile\u005fimage": "b"}"#).expect(200);
    assert_eq!(answer.json()["profile_image"], "b");
    let before = answer.json();
    for body in [
        r#"{"username":null,"profile_image":null,"password":null,"is_active":null}"#,
        r#"{"password":""}"#,
        r#"{"x":{"y":[1]}}"#,
    ] {
        let after = alice.patch(body).expect(200).json();
        assert_eq!(
            (&after["username"], &after["profile_image"]),
            (&before["username"], &before["profile_image"]),
            "{body}"
        );
    }
    alice.server.login("alice", crate::support::server::PASSWORD);
}

#[test]
fn a_body_is_json_with_a_json_type_or_without_a_type() {
    let alice = alice();
    let send = |content_type: Option<&str>| {
        let request = alice.server.patch(&alice.path).bearer(&alice.admin);
        match content_type {
            Some(content_type) => request.body(content_type, "{}").send(),
            None => request.raw_body("{}").send(),
        }
    };
    for good in [
        None,
        Some(""),
        Some("application/json;charset=latin-1"),
        Some("APPLICATION/JSON"),
        Some("application/vnd.api+json"),
    ] {
        send(good).expect(200);
    }
    for bad in [
        "text/json",
        "text/plain",
        "application/jsonx",
        "application / json",
        "application/json, text/plain",
        "json",
        "/",
    ] {
        assert_eq!(send(Some(bad)).validation_errors(), ["body model_attributes_type"], "{bad}");
    }
    for nothing in ["", "null"] {
        assert_eq!(alice.patch(nothing).validation_errors(), ["body missing"]);
    }
    alice.patch("\u{feff}{}").expect(200);
}

#[test]
fn a_new_keys_other_fields_are_validated_but_unused() {
    let alice = alice();
    let make =
        |body: &str| alice.server.post("/api/v1/api_key/").bearer(&alice.admin).body("application/json", body).send();
    let all =
        r#"{"created_at":"x","user_id":"x","api_key":1,"is_active":"x","total_uses":"x","last_used_at":"x","name":1}"#;
    assert_eq!(
        make(all).validation_errors(),
        [
            "body.name string_type",
            "body.last_used_at datetime_from_date_parsing",
            "body.total_uses int_parsing",
            "body.is_active bool_parsing",
            "body.api_key string_type",
            "body.user_id value_error",
            "body.created_at datetime_from_date_parsing",
        ]
    );
    assert_eq!(
        make(r#"{"total_uses":null,"is_active":null}"#).validation_errors(),
        ["body.total_uses int_type", "body.is_active bool_type"]
    );
    assert_eq!(make(r#"{"total_uses":5.5}"#).validation_errors(), ["body.total_uses int_from_float"]);
    assert_eq!(make(r#"{"total_uses":1e30}"#).validation_errors(), ["body.total_uses int_parsing_size"]);
    let answer = make(
        r#"{"name":"n","total_uses":" +1_0.0 ","is_active":false,"api_key":"sk-mine","created_at":[],"user_id":"{0-0000000000000000000000000000000}"}"#,
    );
    let made = answer.expect(200).json();
    assert_eq!((&made["total_uses"], &made["is_active"]), (&json!(0), &json!(true)));
    assert_ne!(made["api_key"], "sk-mine");
}
