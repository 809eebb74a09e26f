//! Passwords are neither weak nor told apart from outside.

use serde_json::{Value, json};

use crate::attack::{Attacked, start};
use crate::support::server::ADMIN;

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
        let before = server.app.hasher.computed();
        let answer = server.try_login_from("192.0.2.1", name, password);
        assert_eq!((answer.status, answer.json()["detail"].clone()), told, "{name} {password}");
        assert_eq!(server.app.hasher.computed() - before, 1, "{name} {password}");
    }
}

#[test]
fn signing_up_with_a_taken_name_costs_as_much_as_with_a_free_one() {
    let server = start(&[]);
    for (name, status) in [("free", 201), (ADMIN.0, 400), ("ADMIN", 400)] {
        let before = server.app.hasher.computed();
        let body = json!({"username": name, "password": "quiet-otter-7"});
        let answer = server.post("/api/v1/users/").json(&body).send();
        assert_eq!(answer.status, status);
        assert_eq!(server.app.hasher.computed() - before, 1, "{name}");
    }
}

#[test]
fn weak_passwords_are_refused_wherever_one_is_set() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.add(&admin, "Brunhilde", "quiet-otter-7");
    let own = server.login("Brunhilde", "quiet-otter-7").access;
    let (user, reset) = (format!("/api/v1/users/{id}"), format!("/api/v1/users/{id}/reset-password"));
    let long = "é".repeat(37);
    for (weak, kind) in [
        ("password123", "value_error"),
        ("PASSWORD123", "value_error"),
        ("brunhilde", "value_error"),
        (&long, "value_error"),
        ("zq-7", "string_too_short"),
    ] {
        let new = json!({"username": "Brunhilde", "password": weak});
        for answer in [
            server.call("POST", "/api/v1/users/", &admin, &new),
            server.call("PATCH", &user, &admin, &json!({"password": weak})),
            server.call("PATCH", &reset, &own, &json!({"password": weak})),
            server.call(
                "POST",
                "/api/v1/setup",
                &admin,
                &json!({"token": "x", "username": "Brunhilde", "password": weak}),
            ),
        ] {
            assert_eq!(answer.status, 422, "{weak} {answer:?}");
            assert_eq!(answer.json()["detail"][0]["type"], kind, "{weak} {answer:?}");
            assert_eq!(answer.json()["detail"][0]["loc"], json!(["body", "password"]));
            assert!(!answer.text().contains(weak), "what was sent is not echoed");
        }
    }
    assert_eq!(server.whoami(&own).status, 200);
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
fn where_it_is_configured_a_new_password_needs_the_current_one() {
    let server = start(&[("require_current_password", "true")]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let path = format!("/api/v1/users/{}/reset-password", server.whoami(&admin).field("id"));
    let set = |body: &Value| server.call("PATCH", &path, &admin, body);
    let missing = set(&json!({"password": "zebra-mug-41"}));
    assert_eq!((missing.status, &missing.json()["detail"][0]["loc"]), (422, &json!(["body", "current_password"])));
    assert_eq!(set(&json!({"password": "zebra-mug-41", "current_password": "wrong"})).status, 400);
    assert_eq!(server.try_login(ADMIN.0, ADMIN.1).status, 200);
    assert_eq!(set(&json!({"password": "zebra-mug-41", "current_password": ADMIN.1})).status, 200);
    assert_eq!(server.try_login(ADMIN.0, "zebra-mug-41").status, 200);
}
