//! Reading the audit log.

use serde_json::{Value, json};

use crate::support::requests::start;
use crate::support::server::ADMIN;

#[test]
fn audit_entries_have_actor_action_target_and_address_for_superusers() {
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
    assert_eq!(seen, [alices[0], alices[1], ("user.approve", "admin"), ("user.add", "admin")]);
    assert_eq!(all["total_count"], 4);
    let change = &all["entries"][2];
    assert_eq!((&change["target"], &change["detail"]), (&json!(id), &json!("is_active: false → true")));
    assert_eq!(change["at"], "2026-06-01T12:00:00.000000Z");
}

fn entries(server: &crate::support::Server, token: &str, path: &str) -> Vec<Value> {
    let page = server.get(path).bearer(token).send().expect(200).json();
    page["entries"].as_array().unwrap().clone()
}

fn actions(entries: &[Value]) -> Vec<(&str, Option<&str>)> {
    entries.iter().map(|entry| (entry["action"].as_str().unwrap(), entry["detail"].as_str())).collect()
}

#[test]
fn each_account_change_has_its_own_action_with_old_and_new_value() {
    let server = crate::support::Server::start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "erika");
    let path = format!("/api/v1/users/{id}");
    let change = |body: Value| server.patch(&path).bearer(&admin).json(&body).send().expect(200);
    change(json!({ "username": "rika", "is_superuser": true }));
    change(json!({ "is_superuser": false, "profile_image": "a picture" }));
    change(json!({ "profile_image": "a picture" }));
    let (key, _) = server.create_key(&tokens.access, "backup");
    server.delete(format!("/api/v1/api_key/{key}")).bearer(&tokens.access).send().expect(200);
    change(json!({ "is_active": false }));
    change(json!({ "is_active": true }));
    let log = entries(&server, &admin, &format!("/api/v1/audit?limit=100&user={id}"));
    let expected = [
        ("user.activate", Some("is_active: false → true")),
        ("user.deactivate", Some("is_active: true → false")),
        ("key.delete", Some("key \"backup\"")),
        ("key.add", Some("key \"backup\"")),
        ("user.change", None),
        ("user.change", Some("profile_image")),
        ("user.demote", Some("is_superuser: true → false")),
        ("user.promote", Some("is_superuser: false → true")),
        ("user.rename", Some("username: \"erika\" → \"rika\"")),
        ("login", None),
        ("user.approve", Some("is_active: false → true")),
        ("user.add", None),
    ];
    assert_eq!(actions(&log), expected);
}

#[test]
fn the_audit_log_is_filtered_by_time_address_outcome_and_id() {
    let server = crate::support::Server::with().manual_clock().start();
    let admin = server.admin();
    let start = server.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    server.clock.advance(chrono::TimeDelta::minutes(10));
    server.try_login(ADMIN.0, "wrong");
    let later = server.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let count = |query: &str| entries(&server, &admin, &format!("/api/v1/audit?limit=100&{query}")).len();
    let all = entries(&server, &admin, "/api/v1/audit?limit=100");
    assert_eq!(count("success=false"), 1);
    assert_eq!(count("success=true"), all.len() - 1);
    assert_eq!(count(&format!("since={later}")), 1);
    assert_eq!(count(&format!("until={later}")), all.len() - 1);
    assert_eq!(count(&format!("since={start}&until={later}&success=false")), 0);
    assert_eq!(count("address=192.0.2.1"), 0);
    assert!(count("address=127.0.0.1") > 0);
    assert_eq!(count(&format!("before={}", all[0]["id"])), all.len() - 1);
    let wrong = server.get("/api/v1/audit?since=x&success=x&before=x").bearer(&admin).send();
    let expected = ["query.success bool_parsing", "query.since datetime_from_date_parsing", "query.before int_parsing"];
    assert_eq!(wrong.validation_errors(), expected);
    let nul = server.get("/api/v1/audit?action=a%00b&address=a%00b").bearer(&admin).send();
    assert_eq!(nul.validation_errors(), ["query.action value_error", "query.address value_error"]);
}

#[test]
fn users_read_entries_about_themselves_without_others_addresses() {
    let server = crate::support::Server::start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "erika");
    let path = format!("/api/v1/users/{id}/audit");
    let own = entries(&server, &tokens.access, &path);
    assert_eq!(
        actions(&own).iter().map(|(action, _)| *action).collect::<Vec<_>>(),
        ["login", "user.approve", "user.add"]
    );
    assert_eq!((&own[0]["address"], &own[1]["address"]), (&json!("127.0.0.1"), &Value::Null));
    assert_eq!(entries(&server, &admin, &path)[1]["address"], "127.0.0.1");
    let (_, other) = server.member(&admin, "greta");
    server.get(&path).bearer(&other.access).send().refused(403, "Permission denied");
}
