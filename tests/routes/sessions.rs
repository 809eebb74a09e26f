//! Listing and ending sessions.

use serde_json::{Value, json};

use crate::support::interrupt::send_and_interrupt;
use crate::support::requests::{ALICE, with, with_alice};
use crate::support::server::{ADMIN, Tokens};

#[test]
fn new_passwords_deactivation_and_deletion_end_every_session() {
    let (server, admin, id) = with_alice(&[]);
    let path = format!("/api/v1/users/{id}");
    let Tokens { access: token, refresh } = server.login(ALICE.0, ALICE.1);
    server.call("PATCH", &path, &admin, &json!({"password": "zebra-mug-41"}));
    assert_eq!((server.whoami(&token).status, server.refresh(&refresh).status), (401, 401));

    let Tokens { access: token, refresh } = server.login("alice", "zebra-mug-41");
    server.call("PATCH", &path, &admin, &json!({"is_active": false}));
    server.call("PATCH", &path, &admin, &json!({"is_active": true}));
    let dead = server.call("GET", "/api/v1/users/whoami", &token, &Value::Null);
    assert_eq!((dead.status, dead.field("detail").as_str()), (401, "Session has ended."));
    assert_eq!(server.refresh(&refresh).status, 401, "an approval does not bring old sessions back");

    let Tokens { access: token, refresh } = server.login("alice", "zebra-mug-41");
    server.call("DELETE", &path, &admin, &Value::Null);
    assert_eq!((server.whoami(&token).status, server.refresh(&refresh).status), (401, 401));
}

#[test]
fn users_see_and_end_only_their_own_sessions() {
    let (server, admin, alice) = with_alice(&[]);
    let (here, there) = (server.login(ALICE.0, ALICE.1).access, server.login(ALICE.0, ALICE.1).access);
    let list = server.call("GET", "/api/v1/sessions", &here, &Value::Null).json();
    assert_eq!(list["total_count"], 2);
    let current: Vec<&Value> = list["sessions"].as_array().unwrap().iter().map(|session| &session["current"]).collect();
    assert_eq!(current, [&json!(false), &json!(true)], "newest first");
    assert_eq!(list["sessions"][0]["address"], "127.0.0.1");

    let other = list["sessions"][0]["id"].as_str().unwrap().to_owned();
    let bob = server.add(&admin, "bob", "quiet-otter-8");
    let bobs = server.login("bob", "quiet-otter-8").access;
    assert_eq!(server.call("DELETE", &format!("/api/v1/sessions/{other}"), &bobs, &Value::Null).status, 404);
    assert_eq!(server.call("GET", &format!("/api/v1/users/{alice}/sessions"), &bobs, &Value::Null).status, 403);
    assert_eq!(server.whoami(&there).status, 200);

    assert_eq!(server.call("DELETE", &format!("/api/v1/sessions/{other}"), &here, &Value::Null).status, 200);
    assert_eq!((server.whoami(&here).status, server.whoami(&there).status), (200, 401));
    assert_eq!(server.call("DELETE", "/api/v1/sessions?keep_current=true", &here, &Value::Null).status, 200);
    assert_eq!(server.whoami(&here).status, 200);
    assert_eq!(server.call("DELETE", "/api/v1/sessions", &here, &Value::Null).status, 200);
    assert_eq!(server.whoami(&here).status, 401);

    let of_bob = format!("/api/v1/users/{bob}/sessions");
    assert_eq!(server.call("GET", &of_bob, &admin, &Value::Null).json()["total_count"], 1);
    assert_eq!(server.call("DELETE", &of_bob, &admin, &Value::Null).status, 200);
    assert_eq!(server.whoami(&bobs).status, 401);
}

#[test]
fn sessions_expire_and_their_rows_are_deleted() {
    let (server, _, _) = with_alice(&[]);
    let Tokens { access: token, refresh } = server.login(ALICE.0, ALICE.1);
    server.advance(3600);
    let expired = server.call("GET", "/api/v1/users/whoami", &token, &Value::Null);
    assert_eq!((expired.status, expired.field("detail").as_str()), (401, "Token has expired."));
    assert_eq!(server.refresh(&refresh).status, 200);
    server.advance(604_800);
    assert_eq!(server.refresh(&refresh).status, 401);
}

#[test]
fn a_session_that_ends_before_its_new_password_is_stored_changes_nothing() {
    let server = with(&[("throttle", "false")]).start();
    let (thief, owner) = (server.login(ADMIN.0, ADMIN.1).access, server.login(ADMIN.0, ADMIN.1).access);
    let id = server.whoami(&owner).field("id");
    let request = server.patch(format!("/api/v1/users/{id}"));
    let request = request.bearer(&thief).json(&json!({ "password": "the-thief's-own-1" }));
    let end = "DELETE FROM sessions WHERE id = (SELECT min(id) FROM sessions)";
    send_and_interrupt(&server, &request, end).refused(401, "Session has ended.");
    assert_eq!((server.try_login(ADMIN.0, ADMIN.1).status, server.whoami(&owner).status), (200, 200));
}

#[test]
fn a_user_has_at_most_100_sessions_and_the_least_recently_used_ends() {
    let (server, _, _) = with_alice(&[("throttle", "false")]);
    let first = server.login(ALICE.0, ALICE.1);
    server.advance(1);
    let second = server.login(ALICE.0, ALICE.1).access;
    server.advance(1);
    let refreshed = server.refresh(&first.refresh).field("access_token");
    for _ in 2..100 {
        server.login(ALICE.0, ALICE.1);
    }
    server.whoami(&second).expect(200);
    let newest = server.login(ALICE.0, ALICE.1).access;
    assert_eq!([&refreshed, &second, &newest].map(|token| server.whoami(token).status), [200, 401, 200]);
    let list = server.call("GET", "/api/v1/sessions", &newest, &Value::Null).json();
    assert_eq!(list["total_count"], 100);
}

#[test]
fn a_session_ends_at_its_maximum_age_despite_refreshes() {
    let (server, _, _) = with_alice(&[("session_max_seconds", "86400"), ("refresh_token_seconds", "60000")]);
    let first = server.login(ALICE.0, ALICE.1).refresh;
    server.advance(50_000);
    let second = server.refresh(&first).expect(200);
    let cookie = second.set_cookie("refresh_token_lf").unwrap();
    assert!(cookie.contains("; Max-Age=36400;"), "{cookie}");
    server.advance(36_399);
    let third = server.refresh(&second.field("refresh_token")).expect(200);
    server.advance(1);
    assert_eq!(server.whoami(&third.field("access_token")).status, 401);
    assert_eq!(server.refresh(&third.field("refresh_token")).status, 401);
}
