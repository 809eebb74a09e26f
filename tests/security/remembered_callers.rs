//! Workers remember callers since the last commit. What takes a right away counts for the very next request, whichever
//! process did it. tests/security/revoked_meanwhile.rs has requests that are under way.

use serde_json::{Value, json};

use crate::support::process::Program;
use crate::support::requests::{start, with};
use crate::support::server::ADMIN;

const WHOAMI: &str = "/api/v1/users/whoami";

#[test]
fn a_session_that_another_connection_ends_is_refused_by_the_very_next_request_a_thousand_times() {
    let server = start(&[]);
    let token = server.admin();
    let other = server.database();
    other.execute_batch("PRAGMA synchronous = OFF; CREATE TEMP TABLE kept AS SELECT * FROM sessions").unwrap();
    let mut connection = server.connect();
    let mut status = || server.get(WHOAMI).bearer(&token).send_on(&mut connection).status;
    for round in 0..1000 {
        assert_eq!([status(), status()], [200, 200], "{round}");
        other.execute_batch("DELETE FROM sessions").unwrap();
        assert_eq!(status(), 401, "{round}");
        other.execute_batch("INSERT INTO sessions SELECT * FROM kept").unwrap();
    }
}

#[test]
fn a_session_that_a_command_ends_is_refused_by_the_very_next_request() {
    let server = Program::new(&["serve"]).superuser().env("USHER_THROTTLE", "false").start();
    for round in 0..10 {
        let form = [("username", ADMIN.0), ("password", ADMIN.1)];
        let token = server.request("POST", "/api/v1/login").form(&form).send().field("access_token");
        let status = || server.request("GET", WHOAMI).bearer(&token).send().status;
        assert_eq!([status(), status()], [200, 200], "{round}");
        let ended = Program::in_dir(&server.dir, &["session", "end", ADMIN.0, "--all", "--yes"]).finish();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(status(), 401, "{round}");
    }
}

#[test]
fn what_takes_a_right_away_counts_for_the_very_next_request() {
    let server = start(&[]);
    let admin = server.admin();
    let (alice, tokens) = server.member(&admin, "alice");
    let key = server.call("POST", "/api/v1/api_key/", &tokens.access, &json!({})).json();
    let of_alice = |path: &str| format!("/api/v1/users/{alice}{path}");
    let by_session = || server.get(WHOAMI).bearer(&tokens.access).send();
    let by_key = || server.get(WHOAMI).key(key["api_key"].as_str().unwrap()).send().status;

    assert_eq!((by_session().status, by_session().status, by_key(), by_key()), (200, 200, 200, 200));
    server.call("PATCH", &of_alice(""), &admin, &json!({"profile_image": "new.png"})).expect(200);
    assert_eq!(by_session().field("profile_image"), "new.png");
    server.call("PATCH", &of_alice(""), &admin, &json!({"is_active": false})).expect(200);
    assert_eq!((by_session().status, by_key()), (401, 401));
    server.call("PATCH", &of_alice(""), &admin, &json!({"is_active": true})).expect(200);
    assert_eq!((by_session().status, by_key(), by_key()), (401, 200, 200));
    let id = key["id"].as_str().unwrap();
    server.call("DELETE", &of_alice(&format!("/api_keys/{id}")), &admin, &Value::Null).expect(200);
    assert_eq!(by_key(), 403);
}

#[test]
fn a_superuser_who_is_one_no_more_can_list_nobody_in_the_very_next_request() {
    let server = start(&[]);
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "boss");
    let set = |is_superuser: bool| {
        server
            .call("PATCH", &format!("/api/v1/users/{id}"), &admin, &json!({"is_superuser": is_superuser}))
            .expect(200);
    };
    let list = || server.get("/api/v1/users/").bearer(&tokens.access).send().status;
    for _ in 0..3 {
        set(true);
        assert_eq!([list(), list()], [200, 200]);
        set(false);
        assert_eq!(list(), 403);
    }
}

#[test]
fn an_expired_key_is_refused_although_nothing_was_committed_since() {
    let server = with(&[]).manual_clock().start();
    let admin = server.admin();
    let end = (server.app.clock.now() + chrono::TimeDelta::seconds(60)).to_rfc3339();
    let made = server.call("POST", "/api/v1/api_key/", &admin, &json!({"expires_at": end})).expect(200);
    let status = || server.get(WHOAMI).key(&made.field("api_key")).send().status;
    assert_eq!([status(), status()], [200, 200]);
    server.advance(59);
    assert_eq!(status(), 200);
    server.advance(1);
    assert_eq!(status(), 403);
}
