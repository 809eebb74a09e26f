//! A caller who loses a right while a request is pending can't use it any more.

use serde_json::{Value, json};

use crate::support::interrupt::send_and_interrupt;
use crate::support::requests::start;
use crate::support::server::ADMIN;
use crate::support::{Request, Server};

struct Scene {
    server: Server,
    admin: String,
    key: String,
    /// Method, path and body of all requests that change something, for an existing user, key and session.
    changes: Vec<(&'static str, String, Value)>,
}

fn scene() -> Scene {
    let server = start(&[("throttle", "false")]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let me = server.whoami(&admin).field("id");
    let alice = server.add(&admin, "alice", "quiet-otter-7");
    let hers = server.login("alice", "quiet-otter-7").access;
    let key = server.call("POST", "/api/v1/api_key/", &admin, &json!({})).field("api_key");
    let own = server.call("POST", "/api/v1/api_key/", &admin, &json!({})).field("id");
    let her_key = server.call("POST", "/api/v1/api_key/", &hers, &json!({})).field("id");
    let session = |path: &str| {
        server.call("GET", path, &admin, &Value::Null).json()["sessions"][0]["id"].as_str().unwrap().to_owned()
    };
    let (mine, her_session) = (session("/api/v1/sessions"), session(&format!("/api/v1/users/{alice}/sessions")));
    let changes = vec![
        ("POST", "/api/v1/api_key/store".to_owned(), json!({"api_key": "store-secret"})),
        ("POST", "/api/v1/api_key/".to_owned(), json!({"name": "late"})),
        ("DELETE", format!("/api/v1/api_key/{own}"), Value::Null),
        ("DELETE", format!("/api/v1/users/{alice}/api_keys/{her_key}"), Value::Null),
        ("DELETE", format!("/api/v1/sessions/{mine}"), Value::Null),
        ("DELETE", "/api/v1/sessions".to_owned(), Value::Null),
        ("DELETE", format!("/api/v1/users/{alice}/sessions/{her_session}"), Value::Null),
        ("DELETE", format!("/api/v1/users/{alice}/sessions"), Value::Null),
        ("POST", "/api/v1/users/".to_owned(), json!({"username": "late", "password": "quiet-otter-7"})),
        ("PATCH", format!("/api/v1/users/{alice}"), json!({"is_superuser": true})),
        ("PATCH", format!("/api/v1/users/{me}/reset-password"), json!({"password": "quiet-otter-7"})),
        ("POST", format!("/api/v1/users/{alice}/reset-link"), Value::Null),
        ("DELETE", format!("/api/v1/users/{alice}"), Value::Null),
    ];
    Scene { server, admin, key, changes }
}

/// The rows that the requests would change.
fn state(server: &Server) -> Vec<String> {
    [
        "SELECT username || is_superuser || coalesce(store_api_key, '') || password_hash FROM users",
        "SELECT CAST(id AS TEXT) FROM api_keys",
        "SELECT CAST(id AS TEXT) FROM sessions WHERE user_id <> 1",
        "SELECT CAST(id AS TEXT) FROM reset_links",
    ]
    .into_iter()
    .flat_map(|sql| server.query_all::<String>(&format!("{sql} ORDER BY 1")))
    .collect()
}

fn request(server: &Server, (method, path, body): &(&'static str, String, Value)) -> Request {
    let request = server.request(method, path);
    if body.is_null() { request } else { request.json(body) }
}

#[test]
fn a_session_that_ends_meanwhile_changes_nothing() {
    let Scene { server, admin, changes, .. } = scene();
    let before = state(&server);
    for change in changes {
        // Restores the session for the next request.
        let end =
            "CREATE TABLE kept AS SELECT * FROM sessions WHERE user_id = 1; DELETE FROM sessions WHERE user_id = 1";
        let answer = send_and_interrupt(&server, &request(&server, &change).bearer(&admin), end);
        assert_eq!((answer.status, answer.field("detail").as_str()), (401, "Session has ended."), "{change:?}");
        assert_eq!(state(&server), before, "{change:?}");
        server.execute("INSERT INTO sessions SELECT * FROM kept; DROP TABLE kept");
    }
}

#[test]
fn a_user_deactivated_meanwhile_changes_nothing() {
    let Scene { server, admin, changes, .. } = scene();
    for change in changes {
        let off = "UPDATE users SET is_active = 0 WHERE id = 1";
        let answer = send_and_interrupt(&server, &request(&server, &change).bearer(&admin), off);
        assert_eq!(answer.status, 401, "{change:?} {answer:?}");
        server.execute("UPDATE users SET is_active = 1 WHERE id = 1");
        assert_eq!(server.whoami(&admin).status, 200, "{change:?}");
    }
}

#[test]
fn a_key_deleted_meanwhile_changes_nothing() {
    let Scene { server, key, changes, .. } = scene();
    // Requests that no key is allowed to make are refused earlier.
    let by_key = |(_, path, _): &(&str, String, Value)| !path.contains("sessions") && !path.ends_with("reset-password");
    for change in changes.into_iter().filter(by_key) {
        let gone = "CREATE TABLE kept AS SELECT * FROM api_keys; DELETE FROM api_keys";
        let answer = send_and_interrupt(&server, &request(&server, &change).key(&key), gone);
        assert_eq!((answer.status, answer.field("detail").as_str()), (403, "Invalid or missing API key"), "{change:?}");
        server.execute("INSERT INTO api_keys SELECT * FROM kept; DROP TABLE kept");
    }
}

#[test]
fn a_session_that_must_change_its_password_meanwhile_changes_nothing() {
    let Scene { server, admin, changes, .. } = scene();
    let before = state(&server);
    for change in changes {
        let require = "UPDATE users SET must_change_password = 1 WHERE id = 1";
        let answer = send_and_interrupt(&server, &request(&server, &change).bearer(&admin), require);
        assert_eq!((answer.status, answer.detail().as_str()), (403, "Choose a new password first"), "{change:?}");
        assert_eq!(state(&server), before, "{change:?}");
        server.execute("UPDATE users SET must_change_password = 0 WHERE id = 1");
    }
}
