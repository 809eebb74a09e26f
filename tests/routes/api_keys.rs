//! API keys.

use serde_json::{Value, json};

use crate::support::requests::{ALICE, start, with, with_alice};
use crate::support::server::ADMIN;

const WHOAMI: &str = "/api/v1/users/whoami";

#[test]
fn a_key_is_stored_as_a_hash_and_shown_once() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let key = server.call("POST", "/api/v1/api_key/", &admin, &json!({"name": "ci"})).field("api_key");
    let listed = server.call("GET", "/api/v1/api_key/", &admin, &Value::Null).json()["api_keys"][0].clone();
    assert_eq!(listed["api_key"].as_str().unwrap(), format!("{}{}", &key[..8], "*".repeat(key.len() - 8)));
    assert_eq!(server.call_by_key("GET", WHOAMI, &key, &Value::Null).status, 200);
    let dir = server.stop();
    for file in std::fs::read_dir(dir.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(&key[3..]));
    }
}

#[test]
fn a_key_cannot_set_passwords_end_sessions_or_create_a_longer_lived_key() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.call("GET", WHOAMI, &admin, &Value::Null).field("id");
    let made = server.call("POST", "/api/v1/api_key/", &admin, &json!({"expires_at": "2026-07-01T00:00:00Z"}));
    let key = made.field("api_key");
    assert_eq!(made.field("expires_at"), "2026-07-01T00:00:00.000000Z");
    let by_key = |method: &str, path: &str, body: Value| server.call_by_key(method, path, &key, &body);
    let new = json!({"password": "zebra-mug-41", "current_password": ADMIN.1});
    for (method, path, body) in [
        ("PATCH", format!("/api/v1/users/{id}/reset-password"), new.clone()),
        ("PATCH", format!("/api/v1/users/{id}"), new),
        ("GET", "/api/v1/sessions".to_owned(), Value::Null),
        ("DELETE", "/api/v1/sessions".to_owned(), Value::Null),
        ("GET", format!("/api/v1/users/{id}/sessions"), Value::Null),
        ("DELETE", format!("/api/v1/users/{id}/sessions"), Value::Null),
        ("DELETE", format!("/api/v1/users/{id}/sessions/{id}"), Value::Null),
        ("DELETE", format!("/api/v1/sessions/{id}"), Value::Null),
        ("POST", format!("/api/v1/users/{id}/reset-link"), Value::Null),
    ] {
        let answer = by_key(method, &path, body);
        let purpose = if path.contains("sessions") { "manage sessions" } else { "change your password" };
        assert_eq!(answer.status, 403, "{method} {path}");
        assert_eq!(answer.field("detail"), format!("Sign in interactively to {purpose}"), "{method} {path}");
    }
    for (end, status) in
        [(json!(null), 403), (json!("2026-07-01T00:00:01Z"), 403), (json!("2026-06-30T00:00:00Z"), 200)]
    {
        assert_eq!(by_key("POST", "/api/v1/api_key/", json!({"expires_at": end})).status, status, "{end}");
    }
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200);
}

#[test]
fn an_ordinary_users_key_reaches_only_their_own_account() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let admin_id = server.whoami(&admin).field("id");
    let id = server.add(&admin, "alice", "quiet-otter-7");
    let alice = server.login("alice", "quiet-otter-7").access;
    let key = server.call("POST", "/api/v1/api_key/", &alice, &json!({})).field("api_key");
    let one = |path: &str| format!("/api/v1/users/{path}");
    for (method, path, body) in [
        ("GET", one(""), Value::Null),
        ("GET", one(&admin_id), Value::Null),
        ("PATCH", one(&admin_id), json!({"profile_image": "x"})),
        ("PATCH", one(&id), json!({"is_superuser": true})),
        ("PATCH", one(&format!("{id}/reset-password")), json!({"password": "zebra-mug-41"})),
        ("DELETE", one(&admin_id), Value::Null),
        ("POST", one(&format!("{id}/reset-link")), Value::Null),
        ("GET", one(&format!("{admin_id}/api_keys")), Value::Null),
        ("GET", "/api/v1/audit".to_owned(), Value::Null),
        ("GET", "/api/v1/sessions".to_owned(), Value::Null),
    ] {
        assert_eq!(server.call_by_key(method, &path, &key, &body).status, 403, "{method} {path}");
    }
    assert_eq!(server.call_by_key("PATCH", &one(&id), &key, &json!({"password": "zebra-mug-41"})).status, 400);
    assert_eq!(server.try_login("alice", "quiet-otter-7").status, 200);
}

#[test]
fn a_key_ends_at_its_expiry_and_with_its_owners_account() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.add(&admin, "alice", "quiet-otter-7");
    let alice = server.login("alice", "quiet-otter-7").access;
    // The test's clock is at 2026-06-01T12:00:00Z.
    let past = server.call("POST", "/api/v1/api_key/", &alice, &json!({"expires_at": "2026-06-01T12:00:00Z"}));
    assert_eq!((past.status, past.json()["detail"][0]["type"].clone()), (422, json!("value_error")));
    let short = server
        .call("POST", "/api/v1/api_key/", &alice, &json!({"expires_at": "2026-06-01T12:01:00Z"}))
        .field("api_key");
    let long = server.call("POST", "/api/v1/api_key/", &alice, &json!({})).field("api_key");
    assert_eq!(server.call_by_key("GET", WHOAMI, &short, &Value::Null).status, 200);
    server.advance(60);
    let expired = server.call_by_key("GET", WHOAMI, &short, &Value::Null);
    assert_eq!((expired.status, expired.field("detail").as_str()), (403, "Invalid or missing API key"));
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &json!({"is_active": false}));
    let inactive = server.call_by_key("GET", WHOAMI, &long, &Value::Null);
    assert_eq!((inactive.status, inactive.field("detail").as_str()), (401, "Inactive user"));
    server.call("DELETE", &format!("/api/v1/users/{id}"), &admin, &Value::Null);
    assert_eq!(server.call_by_key("GET", WHOAMI, &long, &Value::Null).status, 403);
}

#[test]
fn superusers_manage_all_keys_and_users_only_their_own() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.add(&admin, "alice", "quiet-otter-7");
    let alice = server.login("alice", "quiet-otter-7").access;
    let made = server.call("POST", "/api/v1/api_key/", &alice, &json!({"name": "ci"}));
    let (key, key_id) = (made.field("api_key"), made.field("id"));
    let path = format!("/api/v1/users/{id}/api_keys");
    assert_eq!(server.call("GET", &path, &alice, &Value::Null).status, 403);
    assert_eq!(server.call("DELETE", &format!("/api/v1/api_key/{key_id}"), &admin, &Value::Null).status, 400);
    assert_eq!(server.call("GET", &path, &admin, &Value::Null).json()["api_keys"][0]["name"], "ci");
    assert_eq!(server.call("DELETE", &format!("{path}/{key_id}"), &admin, &Value::Null).status, 200);
    assert_eq!(server.call_by_key("GET", WHOAMI, &key, &Value::Null).status, 403);
    let entry = &server.audit(&admin, "key.delete")[0];
    assert_eq!((&entry["actor_name"], &entry["target_name"]), (&json!("admin"), &json!("alice")));
}

#[test]
fn uses_are_counted_in_memory_and_written_at_the_latest_on_stop() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let key = server.call("POST", "/api/v1/api_key/", &admin, &json!({})).field("api_key");
    for _ in 0..5 {
        assert_eq!(server.call_by_key("GET", WHOAMI, &key, &Value::Null).status, 200);
    }
    let dir = server.stop();
    let server = with(&[]).in_dir(&dir).start();
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let listed = server.call("GET", "/api/v1/api_key/", &admin, &Value::Null).json()["api_keys"][0].clone();
    assert_eq!((&listed["total_uses"], &listed["last_used_at"]), (&json!(5), &json!("2026-06-01T12:00:00.000000Z")));
}

#[test]
fn store_keys_are_stored_encrypted_with_the_secret_key() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let saved = server.call("POST", "/api/v1/api_key/store", &admin, &json!({"api_key": "store-secret"}));
    let kept = server.call("GET", WHOAMI, &admin, &Value::Null).field("store_api_key");
    assert_eq!(saved.cookie("apikey_tkn_lflw").unwrap(), kept);
    assert_eq!(server.app.fernet.decrypt(&kept).unwrap().expose(), "store-secret");
    let again = server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1);
    assert_eq!(again.cookie("apikey_tkn_lflw").unwrap(), kept);
}

#[test]
fn a_user_has_at_most_100_keys_and_all_are_deleted_at_once() {
    let (server, admin, id) = with_alice(&[]);
    let alice = server.login(ALICE.0, ALICE.1).access;
    let (_, key) = server.create_key(&alice, "first");
    let create = || server.call("POST", "/api/v1/api_key/", &alice, &json!({"name": "more"}));
    for _ in 1..100 {
        create().expect(200);
    }
    create().refused(400, "You have 100 API keys; delete one to create another");
    let count = || server.call("GET", "/api/v1/api_key/", &alice, &Value::Null).json()["total_count"].clone();
    assert_eq!(count(), 100);
    server.get("/api/v1/users/whoami").key(&key).send().expect(200);
    server.call("DELETE", "/api/v1/api_key/", &alice, &Value::Null).expect(200);
    server.get("/api/v1/users/whoami").key(&key).send().expect(403);
    create().expect(200);
    let theirs = format!("/api/v1/users/{id}/api_keys");
    server.call("DELETE", &theirs, &alice, &Value::Null).expect(403);
    server.call("DELETE", &theirs, &admin, &Value::Null).expect(200);
    assert_eq!(count(), 0);
    assert_eq!(server.audit(&admin, "key.delete")[0]["detail"], "1 key");
}

#[test]
fn a_use_is_shown_before_it_is_written_to_disk() {
    let (server, _, _) = with_alice(&[]);
    let alice = server.login(ALICE.0, ALICE.1).access;
    let (_, key) = server.create_key(&alice, "script");
    for uses in 1..4 {
        server.get("/api/v1/users/whoami").key(&key).send().expect(200);
        let listed = server.call("GET", "/api/v1/api_key/", &alice, &Value::Null).json()["api_keys"][0].clone();
        assert_eq!((&listed["total_uses"], listed["last_used_at"].is_string()), (&json!(uses), true), "{listed}");
        server.advance(2);
    }
}
