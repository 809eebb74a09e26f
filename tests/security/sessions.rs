//! Tokens live and die with their session.

use serde_json::{Value, json};

use crate::server::{ADMIN, Server, start};

fn with_alice(dir: &std::path::Path, settings: &[(&str, &str)]) -> (Server, String, String) {
    let server = start(dir, settings);
    let (admin, _) = server.login(ADMIN);
    let id = server.add(&admin, "alice", "quiet-otter-7");
    (server, admin, id)
}

const ALICE: (&str, &str) = ("alice", "quiet-otter-7");

#[test]
fn a_password_change_ends_all_other_sessions_and_keeps_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _, id) = with_alice(dir.path(), &[]);
    let ((here, _), (there, there_refresh)) = (server.login(ALICE), server.login(ALICE));
    let path = format!("/api/v1/users/{id}/reset-password");
    assert_eq!(server.call("PATCH", &path, &here, &json!({"password": "zebra-mug-41"})).status, 200);
    assert_eq!((server.whoami(&here), server.whoami(&there)), (200, 401));
    assert_eq!(server.refresh(&there_refresh).status, 401);
}

#[test]
fn a_password_set_by_a_superuser_a_deactivation_and_a_deletion_end_every_session() {
    let dir = tempfile::tempdir().unwrap();
    let (server, admin, id) = with_alice(dir.path(), &[]);
    let path = format!("/api/v1/users/{id}");
    let (token, refresh) = server.login(ALICE);
    server.call("PATCH", &path, &admin, &json!({"password": "zebra-mug-41"}));
    assert_eq!((server.whoami(&token), server.refresh(&refresh).status), (401, 401));

    let (token, refresh) = server.login(("alice", "zebra-mug-41"));
    server.call("PATCH", &path, &admin, &json!({"is_active": false}));
    server.call("PATCH", &path, &admin, &json!({"is_active": true}));
    let dead = server.call("GET", "/api/v1/users/whoami", &token, &Value::Null);
    assert_eq!((dead.status, dead.text("detail").as_str()), (401, "Session has ended."));
    assert_eq!(server.refresh(&refresh).status, 401, "an approval does not bring old sessions back");

    let (token, refresh) = server.login(("alice", "zebra-mug-41"));
    server.call("DELETE", &path, &admin, &Value::Null);
    assert_eq!((server.whoami(&token), server.refresh(&refresh).status), (401, 401));
}

#[test]
fn a_refresh_token_that_is_used_after_its_leeway_ends_its_session_and_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let (server, admin, _) = with_alice(dir.path(), &[]);
    let (_, first) = server.login(ALICE);
    let second = server.refresh(&first).text("refresh_token");
    server.wait(9);
    assert_eq!(server.refresh(&first).text("refresh_token"), second, "another tab gets the same successor");
    server.wait(1);
    assert_eq!(server.refresh(&first).status, 401);
    assert_eq!(server.refresh(&second).status, 401, "the thief's and the owner's are both dead");
    let noted = &server.audit(&admin, "refresh.reuse")[0];
    assert_eq!((&noted["target_name"], &noted["success"]), (&json!("alice"), &json!(false)));
}

#[test]
fn without_a_leeway_a_refresh_token_works_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _, _) = with_alice(dir.path(), &[("USHER_REFRESH_LEEWAY_SECONDS", "0")]);
    let (_, first) = server.login(ALICE);
    assert_eq!((server.refresh(&first).status, server.refresh(&first).status), (200, 401));
}

#[test]
fn people_see_and_end_their_own_sessions_and_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let (server, admin, alice) = with_alice(dir.path(), &[]);
    let ((here, _), (there, _)) = (server.login(ALICE), server.login(ALICE));
    let list = server.call("GET", "/api/v1/sessions", &here, &Value::Null).body;
    assert_eq!(list["total_count"], 2);
    let current: Vec<&Value> = list["sessions"].as_array().unwrap().iter().map(|session| &session["current"]).collect();
    assert_eq!(current, [&json!(false), &json!(true)], "newest first");
    assert_eq!(list["sessions"][0]["address"], "192.0.2.200");

    let other = list["sessions"][0]["id"].as_str().unwrap().to_owned();
    let bob = server.add(&admin, "bob", "quiet-otter-8");
    let (bobs, _) = server.login(("bob", "quiet-otter-8"));
    assert_eq!(server.call("DELETE", &format!("/api/v1/sessions/{other}"), &bobs, &Value::Null).status, 404);
    assert_eq!(server.call("GET", &format!("/api/v1/users/{alice}/sessions"), &bobs, &Value::Null).status, 403);
    assert_eq!(server.whoami(&there), 200);

    assert_eq!(server.call("DELETE", &format!("/api/v1/sessions/{other}"), &here, &Value::Null).status, 200);
    assert_eq!((server.whoami(&here), server.whoami(&there)), (200, 401));
    assert_eq!(server.call("DELETE", "/api/v1/sessions?keep_current=true", &here, &Value::Null).status, 200);
    assert_eq!(server.whoami(&here), 200);
    assert_eq!(server.call("DELETE", "/api/v1/sessions", &here, &Value::Null).status, 200);
    assert_eq!(server.whoami(&here), 401);

    let of_bob = format!("/api/v1/users/{bob}/sessions");
    assert_eq!(server.call("GET", &of_bob, &admin, &Value::Null).body["total_count"], 1);
    assert_eq!(server.call("DELETE", &of_bob, &admin, &Value::Null).status, 200);
    assert_eq!(server.whoami(&bobs), 401);
}

#[test]
fn sessions_end_by_themselves_and_their_rows_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _, _) = with_alice(dir.path(), &[]);
    let (token, refresh) = server.login(ALICE);
    server.wait(3600);
    let expired = server.call("GET", "/api/v1/users/whoami", &token, &Value::Null);
    assert_eq!((expired.status, expired.text("detail").as_str()), (401, "Token has expired."));
    assert_eq!(server.refresh(&refresh).status, 200);
    server.wait(604_800);
    assert_eq!(server.refresh(&refresh).status, 401);
}

#[test]
fn access_and_refresh_tokens_are_not_taken_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _, _) = with_alice(dir.path(), &[]);
    let (access, refresh) = server.login(ALICE);
    assert_eq!(server.whoami(&refresh), 401);
    assert_eq!(server.refresh(&access).status, 401);
}
