//! `reset-password`, and the password policy on all routes.

use serde_json::{Value, json};

use crate::support::requests::{ALICE, start, with_alice};
use crate::support::server::{ADMIN, Tokens};

#[test]
fn weak_passwords_are_refused_on_every_route() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.add(&admin, "Brunhilde", "quiet-otter-7");
    let own = server.login("Brunhilde", "quiet-otter-7").access;
    let (user, reset) = (format!("/api/v1/users/{id}"), format!("/api/v1/users/{id}/reset-password"));
    let long = "é".repeat(37);
    for (weak, sentence) in [
        ("password123", "Password is among the 10,000 most common ones; choose another"),
        ("PASSWORD123", "Password is among the 10,000 most common ones; choose another"),
        ("brunhilde", "Password should not be the username"),
        (&long, "Password should have at most 72 bytes"),
        ("zq-7", "Password should have at least 8 characters"),
    ] {
        let new = json!({"username": "Brunhilde", "password": weak});
        for answer in [
            server.call("POST", "/api/v1/users/", &admin, &new),
            server.call("PATCH", &user, &admin, &json!({"password": weak})),
            server.call("PATCH", &reset, &own, &json!({"password": weak})),
        ] {
            assert!(!answer.text().contains(weak), "what was sent is not echoed");
            answer.refused(400, sentence);
        }
    }
    assert_eq!(server.whoami(&own).status, 200);
}

#[test]
fn a_new_password_can_require_the_current_one() {
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

#[test]
fn a_password_change_ends_all_other_sessions() {
    let (server, _, id) = with_alice(&[]);
    let here = server.login(ALICE.0, ALICE.1).access;
    let Tokens { access: there, refresh: there_refresh } = server.login(ALICE.0, ALICE.1);
    let path = format!("/api/v1/users/{id}/reset-password");
    assert_eq!(server.call("PATCH", &path, &here, &json!({"password": "zebra-mug-41"})).status, 200);
    assert_eq!((server.whoami(&here).status, server.whoami(&there).status), (200, 401));
    assert_eq!(server.refresh(&there_refresh).status, 401);
}

#[test]
fn guessing_the_current_password_is_throttled_like_a_sign_in() {
    let (server, _, id) = with_alice(&[]);
    let alice = server.login(ALICE.0, ALICE.1).access;
    let path = format!("/api/v1/users/{id}/reset-password");
    let guess = |n: u32| server.call("PATCH", &path, &alice, &json!({"password": format!("guess number {n}")})).status;
    let statuses: Vec<u16> = (0..17).map(guess).collect();
    assert_eq!(statuses, [&[200; 16][..], &[429]].concat());
    server.advance(60);
    assert_eq!(guess(18), 200);
}

#[test]
fn with_a_second_factor_a_new_password_needs_the_current_one() {
    const NEEDED: &str = "Enter your current password, or sign in with a passkey";
    let (server, admin, id) = with_alice(&[]);
    let alice = server.login(ALICE.0, ALICE.1).access;
    server.enroll(&id, &alice, ALICE.1);
    let path = format!("/api/v1/users/{id}/reset-password");
    let change = |body: Value| server.call("PATCH", &path, &alice, &body);
    change(json!({ "password": "stolen-otter-9" })).refused(403, NEEDED);
    change(json!({ "password": "stolen-otter-9", "current_password": "wrong-otter-1" })).expect(400);
    change(json!({ "password": "brave-otter-8", "current_password": ALICE.1 })).expect(200);

    // A superuser has another way to set a password, also their own.
    let own = server.whoami(&admin).field("id");
    let set =
        |id: &str| server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &json!({ "password": "new-otter-10" }));
    server.enroll(&own, &admin, ADMIN.1);
    set(&own).refused(403, NEEDED);
    set(&id).expect(200);
}
