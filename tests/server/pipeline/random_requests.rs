//! Random requests always get an HTTP response, never a 5xx, and JSON once they reach routing.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Request, Server};

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("users".to_owned()),
        Just("whoami".to_owned()),
        Just("api_key".to_owned()),
        Just("login".to_owned()),
        Just("sessions".to_owned()),
        Just("setup".to_owned()),
        Just("audit".to_owned()),
        Just(String::new()),
        "[a-z0-9%{}:.;-]{0,12}",
        Just("00000000-0000-4000-8000-000000000000".to_owned()),
    ];
    (prop::collection::vec(part, 0..4), "(\\?[a-z=&%0-9_+-]{0,30})?")
        .prop_map(|(parts, query)| format!("/api/v1/{}{query}", parts.join("/")))
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "\\{(\"(username|password|is_active|last_login_at|name|token)\": ?(\"[ -~]{0,20}\"|null|true|[0-9.eE+-]{1,8}|\\[\\]),?){0,4}\\}"
            .prop_map(String::into_bytes),
        "(username|password|grant_type|&|=|%[0-9a-g]{2}|[a-z]){0,20}".prop_map(String::into_bytes),
    ]
}

#[test]
fn random_requests_never_cause_a_server_error() {
    let server = Server::with().set("signup", "open").start();
    let admin = server.admin();
    let method = prop::sample::select(vec!["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "BREW"]);
    let content_type =
        prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "text/plain", ""]);
    let mut runner = TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    let strategy = (method, path(), content_type, body(), any::<bool>());
    let outcome = runner.run(&strategy, |(method, path, content_type, body, as_admin)| {
        let mut request = Request::new(server.address, method, &path).body(content_type, body);
        if as_admin && !path.contains("sessions") {
            request = request.bearer(&admin);
        }
        let answer = request.send();
        prop_assert!(answer.status < 500, "{} {path}: {}", method, answer.text());
        if answer.status >= 400 && method != "HEAD" && !answer.body.is_empty() {
            prop_assert!(!answer.json()["detail"].is_null(), "{}", answer.text());
        }
        Ok(())
    });
    outcome.unwrap();
    server.get("/health_check").send().expect(200);
}
