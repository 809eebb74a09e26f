//! Signing in, refreshing and signing out.

use serde_json::{Value, json};

use crate::support::requests::{ALICE, start, with_alice};
use crate::support::server::{ADMIN, Tokens};

#[test]
fn unknown_wrong_and_inactive_cost_one_hash_each_and_only_the_right_password_is_told_more() {
    let server = start(&[("throttle", "false")]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    server.call("POST", "/api/v1/users/", &admin, &json!({"username": "waiting", "password": "quiet-otter-7"}));
    let id = server.add(&admin, "gone", "quiet-otter-8");
    server.login("gone", "quiet-otter-8");
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &json!({"is_active": false}));
    let wrong = (401, json!("Incorrect username or password"));
    for (name, password, told) in [
        ("ghost", "quiet-otter-7", wrong.clone()),
        (ADMIN.0, "quiet-otter-7", wrong.clone()),
        ("waiting", "wrong", wrong.clone()),
        ("gone", "wrong", wrong.clone()),
        ("ghost", "", wrong.clone()),
        (ADMIN.0, &"x".repeat(200), wrong),
        ("waiting", "quiet-otter-7", (400, json!("Waiting for approval"))),
        ("gone", "quiet-otter-8", (401, json!("Inactive user"))),
    ] {
        let before = server.app.hasher.hash_count();
        let answer = server.try_login_from("192.0.2.1", name, password);
        assert_eq!((answer.status, answer.json()["detail"].clone()), told, "{name} {password}");
        assert_eq!(server.app.hasher.hash_count() - before, 1, "{name} {password}");
    }
}

#[test]
fn a_hash_of_lower_cost_is_renewed_at_the_next_log_in() {
    let server = start(&[]);
    let hash = || server.query::<String>("SELECT password_hash FROM users");
    let old = hash();
    server.database().execute("UPDATE users SET password_hash = replace(password_hash, '$2b$', '$2y$')", []).unwrap();
    server.login(ADMIN.0, ADMIN.1);
    let renewed = hash();
    assert!(renewed.starts_with("$2b$04$") && renewed != old, "{renewed}");
    server.login(ADMIN.0, ADMIN.1);
    assert_eq!(hash(), renewed, "and only once");
}

#[test]
fn two_who_log_in_at_once_with_a_hash_that_is_renewed_are_both_let_in() {
    let server = start(&[("throttle", "false")]);
    for _ in 0..10 {
        server
            .database()
            .execute("UPDATE users SET password_hash = replace(password_hash, '$2b$', '$2y$')", [])
            .unwrap();
        let log_in = || server.try_login(ADMIN.0, ADMIN.1).status;
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(log_in)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(statuses, [200; 6]);
    }
}

#[test]
fn what_people_type_as_a_name_is_kept_nowhere_when_nobody_has_it() {
    let server = start(&[]);
    server.try_login_from("192.0.2.1", "my-secret-password", "whatever");
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let failed = server.audit(&admin, "login").into_iter().find(|entry| entry["success"] == json!(false)).unwrap();
    assert_eq!((&failed["target"], &failed["target_name"]), (&Value::Null, &Value::Null));
    assert_eq!(failed["address"], "192.0.2.1");
    let dir = server.stop();
    for file in std::fs::read_dir(dir.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("my-secret-password"));
    }
}

#[test]
fn a_refresh_token_that_is_used_after_its_leeway_ends_its_session_and_is_noted() {
    let (server, admin, _) = with_alice(&[]);
    let first = server.login(ALICE.0, ALICE.1).refresh;
    let second = server.refresh(&first).field("refresh_token");
    server.wait(9);
    assert_eq!(server.refresh(&first).field("refresh_token"), second, "another tab gets the same successor");
    server.wait(1);
    assert_eq!(server.refresh(&first).status, 401);
    assert_eq!(server.refresh(&second).status, 401, "the thief's and the owner's are both dead");
    let noted = &server.audit(&admin, "refresh.reuse")[0];
    assert_eq!((&noted["target_name"], &noted["success"]), (&json!("alice"), &json!(false)));
}

#[test]
fn without_a_leeway_a_refresh_token_works_exactly_once() {
    let (server, _, _) = with_alice(&[("refresh_leeway_seconds", "0")]);
    let first = server.login(ALICE.0, ALICE.1).refresh;
    assert_eq!((server.refresh(&first).status, server.refresh(&first).status), (200, 401));
}

#[test]
fn access_and_refresh_tokens_are_not_taken_for_each_other() {
    let (server, _, _) = with_alice(&[]);
    let Tokens { access, refresh } = server.login(ALICE.0, ALICE.1);
    assert_eq!(server.whoami(&refresh).status, 401);
    assert_eq!(server.refresh(&access).status, 401);
}
