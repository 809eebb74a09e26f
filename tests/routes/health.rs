//! The health checks.

use serde_json::json;

use crate::support::Server;

#[test]
fn the_liveness_check_needs_no_sign_in() {
    let server = Server::start();
    assert_eq!(server.get("/health").send().expect(200).json(), json!({ "status": "ok" }));
}

#[test]
fn the_health_check_reads_and_writes_the_database() {
    let server = Server::start();
    let answer = server.get("/health_check").send().expect(200).json();
    assert_eq!(answer, json!({ "status": "ok", "chat": "ok", "db": "ok" }));
}
