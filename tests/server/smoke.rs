//! Smoke tests of the test support.

use crate::support::{Program, Server};
use chrono::TimeDelta;

#[test]
fn the_in_process_server_starts_signs_in_and_stops() {
    let server = Server::with().manual_clock().start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "alice");
    let me = server.whoami(&tokens.access).expect(200).json();
    assert_eq!(me["id"], id.as_str());
    let (_, key) = server.create_key(&tokens.access, "script");
    assert_eq!(server.get("/api/v1/users/whoami").key(&key).send().expect(200).json()["id"], id.as_str());
    server.clock.advance(TimeDelta::hours(2));
    server.whoami(&tokens.access).refused(401, "Token has expired.");
    let dir = server.stop();
    let again = Server::with().in_dir(&dir).start();
    again.login("alice", crate::support::server::PASSWORD);
}

#[test]
fn the_binary_starts_answers_and_stops() {
    let server = Program::new(&[]).superuser().start();
    assert_eq!(server.request("GET", "/health").send().expect(200).json(), serde_json::json!({ "status": "ok" }));
    let ended = server.stop();
    assert!(ended.status.success(), "{ended:?}");
}
