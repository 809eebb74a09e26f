//! One-time reset links: when they end, and which address they carry.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::Server;
use crate::support::server::PASSWORD;

fn make(server: &Server, id: &str) -> String {
    let made = server.post(format!("/api/v1/users/{id}/reset-link")).bearer(&server.admin()).send();
    made.expect(201).json()["link"].as_str().unwrap().to_owned()
}

#[test]
fn that_a_link_expired_is_in_the_audit_log_though_another_link_or_a_password_came_before_anybody_looked() {
    let server = Server::with().manual_clock().start();
    let id = server.add_active(&server.admin(), "erika");
    let expired = || server.query::<i64>("SELECT count(*) FROM audit WHERE action = 'reset_link.expire'");
    make(&server, &id);
    server.clock.advance(TimeDelta::hours(25));
    make(&server, &id);
    assert_eq!(expired(), 1);
    server.clock.advance(TimeDelta::hours(25));
    let change = json!({ "current_password": PASSWORD, "password": "a fresh start 9" });
    let erika = server.login("erika", PASSWORD).access;
    server.patch(format!("/api/v1/users/{id}/reset-password")).bearer(&erika).json(&change).send().expect(200);
    assert_eq!(expired(), 2);
    // One that is replaced in time has not expired.
    make(&server, &id);
    make(&server, &id);
    assert_eq!(expired(), 2);
}

#[test]
fn no_header_of_a_request_decides_where_a_link_leads() {
    for public_url in [None, Some("https://home.example.org/usher")] {
        let server = Server::with().set("trusted_proxies", "127.0.0.1");
        let server = if let Some(url) = public_url { server.set("public_url", url) } else { server }.start();
        let id = server.add_active(&server.admin(), "erika");
        let made = server.post(format!("/api/v1/users/{id}/reset-link")).bearer(&server.admin());
        let made = ["Host", "X-Forwarded-Host", "X-Original-Host"]
            .into_iter()
            .fold(made, |made, name| made.header(name, "evil.example"))
            .header("Forwarded", "host=evil.example;proto=https")
            .header("X-Forwarded-Proto", "https");
        let link = made.send().expect(201).json()["link"].as_str().unwrap().to_owned();
        let home = public_url.unwrap_or(&server.url);
        assert!(link.starts_with(&format!("{home}/reset#token=")), "{link}");
    }
}

#[test]
fn a_reset_link_is_checked_without_being_used() {
    let server = Server::start();
    let id = server.add_active(&server.admin(), "erika");
    let link = make(&server, &id);
    let token = link.split_once("#token=").unwrap().1;
    let check = |token: &str| server.post("/api/v1/reset-password/check").json(&json!({ "token": token })).send();
    for _ in 0..2 {
        assert_eq!(check(token).expect(200).json(), json!({ "username": "erika" }));
    }
    let void = "The reset link is no longer valid; ask for a new one";
    check("wrong").refused(403, void);
    let body = json!({ "token": token, "password": "a fresh start 9" });
    server.post("/api/v1/reset-password").json(&body).send().expect(200);
    check(token).refused(403, void);
}
