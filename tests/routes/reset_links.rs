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
