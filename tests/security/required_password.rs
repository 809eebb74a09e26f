//! What a session can do while its user must choose a new password.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::requests::{ALICE, start, with, with_alice};
use crate::support::server::{ADMIN, PASSWORD};

const REQUIRED: &str = "Choose a new password first";
const SAME: &str = "You can't use your current password";
const NEW: &str = "zebra-mug-41";

/// Routes that such a session can call, besides the one that sets its password.
const OPEN: [&str; 2] = ["/api/v1/users/whoami", "/api/v1/login/again"];

fn require(server: &Server, admin: &str, id: &str) {
    let body = json!({ "must_change_password": true });
    let answer = server.call("PATCH", &format!("/api/v1/users/{id}"), admin, &body).expect(200).json();
    assert_eq!(answer["must_change_password"], true, "{answer}");
}

fn is_required(server: &Server, admin: &str, id: &str) -> bool {
    let path = format!("/api/v1/users/{id}?include=must_change_password");
    server.call("GET", &path, admin, &Value::Null).expect(200).json()["must_change_password"].as_bool().unwrap()
}

fn session(server: &Server, access: &str) -> Value {
    server.get("/api/v1/session").bearer(access).send().expect(200).json()
}

#[test]
fn a_session_that_must_change_its_password_reaches_nothing_else() {
    let server = with(&[("second_factor", "everybody"), ("metrics", "true")]).start();
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let own = server.whoami(&admin).field("id");
    server.enroll(&own, &admin, ADMIN.1);
    let id = server.add(&admin, ALICE.0, ALICE.1);
    let tokens = server.login(ALICE.0, ALICE.1);
    require(&server, &admin, &id);
    let document = server.get("/openapi.json").send().expect(200).json();
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let needs_credentials = operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
            if !needs_credentials || OPEN.contains(&path.as_str()) || path.ends_with("/reset-password") {
                continue;
            }
            tried += 1;
            let path = path.replace("{user_id}", &id);
            let nil = "00000000-0000-0000-0000-000000000000";
            let path = path.split('/').map(|part| if part.starts_with('{') { nil } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            let answer = server.call(&method.to_uppercase(), &path, &tokens.access, &json!({}));
            assert_eq!((answer.status, answer.detail().as_str()), (403, REQUIRED), "{method} {path}");
        }
    }
    assert!(tried > 35, "{tried}");
    let new = json!({ "username": "eve", "password": PASSWORD });
    server.call("POST", "/api/v1/users/", &tokens.access, &new).refused(403, REQUIRED);
    server.whoami(&tokens.access).expect(200);
    let answer = session(&server, &tokens.access);
    assert_eq!((&answer["authenticated"], &answer["must_change_password"]), (&json!(true), &json!(true)));
    let access = server.refresh(&tokens.refresh).expect(200).field("access_token");
    // The password comes first, then the second factor that the settings require.
    let path = format!("/api/v1/users/{id}/reset-password");
    let set = |body: &Value| server.call("PATCH", &path, &access, body);
    set(&json!({ "password": ALICE.1 })).refused(400, SAME);
    set(&json!({ "password": ALICE.1, "current_password": ALICE.1 })).refused(400, SAME);
    set(&json!({ "password": NEW, "current_password": ALICE.1 })).expect(200);
    assert!(session(&server, &access).get("must_change_password").is_none());
    server.call("GET", "/api/v1/sessions", &access, &Value::Null).refused(403, "Set up a second factor first");
    assert!(!is_required(&server, &admin, &id));
}

#[test]
fn a_required_password_confines_sessions_that_exist_and_those_that_begin() {
    let (server, admin, id) = with_alice(&[]);
    let before = server.login(ALICE.0, ALICE.1).access;
    let key = server.call("POST", "/api/v1/api_key/", &before, &json!({})).expect(200).field("api_key");
    require(&server, &admin, &id);
    let after = server.login(ALICE.0, ALICE.1);
    for access in [&before, &after.access] {
        server.call("GET", "/api/v1/api_key/", access, &Value::Null).refused(403, REQUIRED);
        server.whoami(access).expect(200);
    }
    server.call_by_key("GET", "/api/v1/api_key/", &key, &Value::Null).expect(200);
    server.post("/api/v1/logout").bearer(&before).send().expect(200);
    assert_eq!(server.whoami(&before).status, 401, "signing out works");
    let path = format!("/api/v1/users/{id}/reset-password");
    server.call("PATCH", &path, &after.access, &json!({ "password": NEW })).expect(200);
    server.call("GET", "/api/v1/api_key/", &after.access, &Value::Null).expect(200);
    let again = server.login(ALICE.0, NEW).access;
    server.call("GET", "/api/v1/api_key/", &again, &Value::Null).expect(200);
    let entries = server.audit(&admin, "password.require");
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0]["target"], &entries[0]["actor_name"]), (&json!(id), &json!(ADMIN.0)));
    assert_eq!(entries[0]["detail"], "must_change_password: false → true");
}

#[test]
fn langflows_answers_do_not_show_whether_a_password_is_required() {
    let (server, admin, id) = with_alice(&[]);
    require(&server, &admin, &id);
    let path = format!("/api/v1/users/{id}");
    let alice = server.login(ALICE.0, ALICE.1).access;
    let listed = server.call("GET", "/api/v1/users/", &admin, &Value::Null).expect(200).json();
    for user in [
        server.call("GET", &path, &admin, &Value::Null).json(),
        server.call("PATCH", &path, &admin, &json!({ "profile_image": "x" })).json(),
        server.whoami(&alice).json(),
        listed["users"][1].clone(),
    ] {
        assert_eq!((&user["id"], user.get("must_change_password")), (&json!(id), None), "{user}");
    }
    assert!(is_required(&server, &admin, &id), "a change of something else keeps it");
    assert!(session(&server, &admin).get("must_change_password").is_none());
}

#[test]
fn a_password_set_by_a_superuser_can_have_to_be_changed() {
    let (server, admin, id) = with_alice(&[]);
    let path = format!("/api/v1/users/{id}");
    let set = |body: &Value| server.call("PATCH", &path, &admin, body).expect(200);
    let both = set(&json!({ "password": NEW, "must_change_password": true, "username": "Alicia" })).json();
    assert_eq!((&both["must_change_password"], &both["username"]), (&json!(true), &json!("Alicia")));
    let alice = server.login("alicia", NEW).access;
    server.call("GET", "/api/v1/api_key/", &alice, &Value::Null).refused(403, REQUIRED);
    set(&json!({ "password": "umbrella-fox-9" }));
    let alice = server.login("alicia", "umbrella-fox-9").access;
    server.call("GET", "/api/v1/api_key/", &alice, &Value::Null).expect(200);
    set(&json!({ "must_change_password": true }));
    set(&json!({ "must_change_password": false }));
    server.call("GET", "/api/v1/api_key/", &alice, &Value::Null).expect(200);
    let entries = server.audit(&admin, "user.change");
    assert!(entries.iter().all(|entry| entry["detail"] == "must_change_password: true → false"), "{entries:?}");
    assert_eq!((entries.len(), server.audit(&admin, "password.require").len()), (2, 2));
}

#[test]
fn a_reset_link_sets_a_required_password_and_takes_a_new_one_only() {
    let (server, admin, id) = with_alice(&[]);
    require(&server, &admin, &id);
    let link = server.call("POST", &format!("/api/v1/users/{id}/reset-link"), &admin, &Value::Null).field("link");
    let token = link.split_once("#token=").unwrap().1;
    let set = |password: &str| {
        server.post("/api/v1/reset-password").json(&json!({ "token": token, "password": password })).send()
    };
    set(ALICE.1).refused(400, SAME);
    set(NEW).expect(200);
    assert!(!is_required(&server, &admin, &id));
    let alice = server.login(ALICE.0, NEW).access;
    server.call("GET", "/api/v1/api_key/", &alice, &Value::Null).expect(200);
}

#[test]
fn trying_the_present_password_with_a_reset_link_is_throttled() {
    let (server, admin, id) = with_alice(&[]);
    require(&server, &admin, &id);
    let link = server.call("POST", &format!("/api/v1/users/{id}/reset-link"), &admin, &Value::Null).field("link");
    let token = link.split_once("#token=").unwrap().1;
    let body = json!({ "token": token, "password": ALICE.1 });
    let statuses: Vec<u16> = (0..17).map(|_| server.post("/api/v1/reset-password").json(&body).send().status).collect();
    assert_eq!(statuses, [&[400; 16][..], &[429]].concat());
}

#[test]
fn users_cannot_waive_a_required_password_themselves() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.add(&admin, ALICE.0, ALICE.1);
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &json!({ "is_superuser": true })).expect(200);
    let alice = server.login(ALICE.0, ALICE.1).access;
    let key = server.call("POST", "/api/v1/api_key/", &alice, &json!({})).field("api_key");
    require(&server, &admin, &id);
    let waive = json!({ "must_change_password": false });
    let path = format!("/api/v1/users/{id}");
    server.call("PATCH", &path, &alice, &waive).refused(403, REQUIRED);
    server.call_by_key("PATCH", &path, &key, &waive).refused(403, "Permission denied");
    let own = server.whoami(&admin).field("id");
    server
        .call("PATCH", &format!("/api/v1/users/{own}"), &admin, &json!({ "must_change_password": true }))
        .refused(403, "Permission denied");
    let bob = server.add(&admin, "bob", PASSWORD);
    let bobs = server.login("bob", PASSWORD).access;
    server
        .call("PATCH", &format!("/api/v1/users/{bob}"), &bobs, &json!({ "must_change_password": true }))
        .refused(403, "Permission denied");
    server.call("PATCH", &format!("/api/v1/users/{bob}"), &bobs, &waive).expect(200);
}

#[test]
fn automatic_sign_in_needs_no_new_password() {
    let server = with(&[("auto_login", "true"), ("trusted_proxies", "")]).without_superuser().start();
    let access = server.get("/api/v1/auto_login").send().expect(200).field("access_token");
    server.execute("UPDATE users SET must_change_password = 1");
    server.call("GET", "/api/v1/users/", &access, &Value::Null).expect(200);
    assert!(session(&server, &access).get("must_change_password").is_none());
}
