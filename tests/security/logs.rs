//! The contents of the logs, and what must never be in them.

use needs::needs;
use serde_json::{Value, json};

use crate::support::requests::{start, with};
use crate::support::server::ADMIN;
use crate::support::wait::until;
use crate::support::{Program, Response, ServerProcess};

const WRONG: &str = "not-the-password";

fn program(settings: &[(&str, &str)]) -> ServerProcess {
    let program = Program::new(&["serve"]).superuser().env("USHER_TRUSTED_PROXIES", "127.0.0.1");
    settings.iter().fold(program, |program, (name, value)| program.env(name, value)).start()
}

fn sign_in(server: &ServerProcess, name: &str, password: &str) -> Response {
    let request = server.request("POST", "/api/v1/login").header("x-forwarded-for", "192.0.2.1");
    request.form(&[("username", name), ("password", password)]).send()
}

/// The log line of the request with this response.
fn line_about(log: &str, answer: &Response) -> String {
    let id = answer.header("x-request-id").unwrap();
    let found: Vec<&str> = log.lines().filter(|line| line.contains("usher::audit") && line.contains(id)).collect();
    assert_eq!(found.len(), 1, "{id}\n{log}");
    found[0].split_once("usher::audit] ").unwrap().1.replace(id, "ID")
}

/// The addresses that the fail2ban filter finds. fail2ban removes a line's time first.
fn banned(log: &str) -> Vec<String> {
    let filter = include_str!("../../packaging/fail2ban/usher.conf");
    let pattern = filter.lines().find_map(|line| line.strip_prefix("failregex = ")).unwrap();
    let pattern = regex::Regex::new(&pattern.replace("<HOST>", r"(\S+)")).unwrap();
    let time = regex::Regex::new(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d").unwrap();
    let found = log.lines().filter_map(|line| Some(pattern.captures(&time.replace(line, ""))?[1].to_owned()));
    found.collect()
}

#[test]
fn every_audit_log_line_names_its_request() {
    let server = program(&[]);
    let (right, wrong) = (sign_in(&server, ADMIN.0, ADMIN.1), sign_in(&server, ADMIN.0, WRONG));
    let unknown = sign_in(&server, "my-secret-password", WRONG);
    let log = server.stop().stderr;
    assert_eq!(line_about(&log, &right), r#"login ok address=192.0.2.1 request=ID by="admin""#);
    let failed = r#"login failed address=192.0.2.1 request=ID on="admin" detail="wrong password""#;
    assert_eq!(line_about(&log, &wrong), failed);
    assert_eq!(line_about(&log, &unknown), r#"login failed address=192.0.2.1 request=ID detail="unknown name""#);
    assert!(!log.contains("my-secret") && !log.contains(WRONG) && !log.contains(ADMIN.1));
}

#[test]
fn throttled_sign_ins_and_bad_keys_are_logged_once_a_minute_per_network() {
    let server = program(&[]);
    let refused = |answer: Response| (answer.status == 429).then_some(answer);
    let throttled: Vec<Response> = (0..20).filter_map(|_| refused(sign_in(&server, "my-secret", WRONG))).collect();
    assert!(throttled.len() >= 2);
    let guess = || server.request("GET", "/api/v1/users/whoami").key("sk-guessed").send();
    let guessed = [guess(), guess()];
    let log = server.stop().stderr;
    let told = r#"login failed address=192.0.2.1 request=ID detail="POST /api/v1/login: Too many requests. Please try again later.""#;
    assert_eq!(line_about(&log, &throttled[0]), told);
    let told = r#"access.refuse failed address=127.0.0.1 request=ID detail="GET /api/v1/users/whoami: Invalid or missing API key""#;
    assert_eq!(line_about(&log, &guessed[0]), told);
    for more in [&throttled[1], &guessed[1]] {
        assert!(!log.contains(more.header("x-request-id").unwrap()), "{log}");
    }
    assert!(!log.contains("my-secret") && !log.contains("guessed"));
}

#[test]
fn denied_requests_are_audited_once_a_minute() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.add(&admin, "alice", "quiet-otter-7");
    let alice = server.login("alice", "quiet-otter-7").access;
    let refused = || server.audit(&admin, "access.refuse");
    let nosy = || server.from("192.0.2.1", "GET", "/api/v1/users/?search=x").bearer(&alice).send().expect(403);
    nosy();
    nosy();
    let entries = refused();
    assert_eq!(entries.len(), 1, "{entries:?}");
    let entry = &entries[0];
    assert_eq!(
        (&entry["actor"], &entry["actor_name"], &entry["success"]),
        (&json!(id), &json!("alice"), &json!(false))
    );
    assert_eq!((&entry["address"], &entry["target"]), (&json!("192.0.2.1"), &Value::Null));
    let detail = entry["detail"].as_str().unwrap();
    assert!(detail.starts_with("GET /api/v1/users/: "), "{detail}");
    server.advance(60);
    server.call("PATCH", &format!("/api/v1/users/{id}"), &alice, &json!({"is_superuser": true})).expect(403);
    assert_eq!(refused()[0]["detail"], "PATCH /api/v1/users/{user_id}: Permission denied");
}

#[test]
fn names_and_paths_cannot_inject_log_lines_or_fields() {
    let server = program(&[("USHER_LOG", "debug"), ("USHER_SIGNUP", "open")]);
    let name = r#"a" address=203.0.113.66 by="b \ Z INFO usher::audit] login failed address=203.0.113.66 "#;
    let body = json!({ "username": name, "password": "quiet-otter-7" });
    server.request("POST", "/api/v1/users/").json(&body).send().expect(201);
    sign_in(&server, name, "quiet-otter-7").expect(200);
    let failed = sign_in(&server, name, WRONG);
    for path in ["/x%0a[2026] usher::audit] login failed address=203.0.113.66", "/\u{1b}[31m", "/\u{85}\u{2028}x"] {
        server.request("GET", &path.replace(' ', "%20")).send();
    }
    let agent = server.request("GET", "/health").header("user-agent", "a\tb");
    agent.send().expect(200);
    let log = server.stop().stderr;
    assert!(log.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{2028}'), "{log}");
    let line = line_about(&log, &failed);
    assert!(line.starts_with("login failed address=192.0.2.1 request=ID on=\"a\\\" address="), "{line}");
    assert_eq!(banned(&log), ["192.0.2.1"]);
    let in_journal: Vec<String> = log.lines().map(|line| format!("home usher[7]: {line}")).collect();
    assert_eq!(banned(&in_journal.join("\n")), ["192.0.2.1"]);
}

#[test]
fn no_log_contains_queries_or_bodies() {
    let server = program(&[("USHER_LOG", "trace")]);
    let secrets = ["sk-querykey", "reset-token-1", "setup-token-1", "query-password-1", "launch-secret-1"];
    for path in [
        "/api/v1/users/whoami?x-api-key=sk-querykey",
        "/api/v1/users?x-api-key=sk-querykey",
        "/nothing?token=reset-token-1",
        "/reset?token=reset-token-1",
        "/setup?token=setup-token-1",
        "/api/v1/login?password=query-password-1",
    ] {
        server.request("GET", path).send();
    }
    server.request("GET", "/api/v1/auto_login").header("x-launch-secret", "launch-secret-1").send();
    for path in ["/api/v1/reset-password", "/api/v1/setup"] {
        let body = json!({ "token": "reset-token-1", "username": "x", "password": "query-password-1" });
        server.request("POST", path).json(&body).send();
    }
    let access = sign_in(&server, ADMIN.0, ADMIN.1).field("access_token");
    server.request("GET", "/api/v1/users/whoami").bearer(&access).send().expect(200);
    let log = server.stop().stderr;
    assert!(log.contains("GET /api/v1/users/whoami 403"), "the access log is on\n{log}");
    for secret in secrets.into_iter().chain([ADMIN.1, access.rsplit('.').next().unwrap()]) {
        assert!(!log.contains(secret), "{secret}\n{log}");
    }
}

#[needs(sqlite)]
#[test]
fn failed_sign_ins_displace_only_each_other_in_the_audit_log() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    server.add(&admin, "alice", "quiet-otter-7");
    let dir = server.stop();
    #[expect(clippy::disallowed_methods, reason = "a test looks behind the two doors")]
    let database = rusqlite::Connection::open(dir.path().join("data/usher.db")).unwrap();
    let flood = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 500100) \
         INSERT INTO audit (at, action, success, address) SELECT '2026-06-01 12:00:00.000000+00:00', 'login', 0, '192.0.2.1' FROM n";
    database.execute_batch(flood).unwrap();
    let server = with(&[]).in_dir(&dir).start();
    // The sweep runs at startup.
    let failed = || server.query::<i64>("SELECT count(*) FROM audit WHERE success = 0");
    until("the sweep deletes nothing", || failed() <= 500_000);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    assert_eq!(server.audit(&admin, "user.add").len(), 1);
    assert_eq!(failed(), 100_000);
}
