//! Reading the audit log.

use serde_json::{Value, json};

use crate::support::requests::start;
use crate::support::server::ADMIN;

#[test]
fn the_audit_log_says_who_did_what_to_whom_from_where_and_is_for_superusers() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.add(&admin, "alice", "quiet-otter-7");
    let alice = server.login("alice", "quiet-otter-7").access;
    assert_eq!(server.call("GET", "/api/v1/audit", &alice, &Value::Null).status, 403);
    let all = server.call("GET", &format!("/api/v1/audit?limit=100&user={id}"), &admin, &Value::Null).json();
    let seen: Vec<(&str, &str)> = all["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["actor_name"].as_str().unwrap_or("-")))
        .collect();
    let alices = [("access.refuse", "alice"), ("login", "alice")];
    assert_eq!(seen, [alices[0], alices[1], ("user.change", "admin"), ("user.add", "admin")]);
    assert_eq!(all["total_count"], 4);
    let change = &all["entries"][2];
    assert_eq!((&change["target"], &change["detail"]), (&json!(id), &json!("is_active")));
    assert_eq!(change["at"], "2026-06-01T12:00:00.000000Z");
}
