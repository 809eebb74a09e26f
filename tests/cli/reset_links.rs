//! One-time reset links from the command line and the API: log, audit log and address.

use needs::needs;
use serde_json::{Value, json};

use crate::helpers::{PASSWORD, database, done, json as printed, sign_in, token, whoami};
use crate::support::process::{Program, ServerProcess};

fn use_link(server: &ServerProcess, token: &str, password: &str) -> u16 {
    let body = json!({ "token": token, "password": password });
    server.request("POST", "/api/v1/reset-password").json(&body).send().status
}

fn token_of(link: &Value) -> String {
    link["link"].as_str().unwrap().split_once("#token=").unwrap().1.to_owned()
}

#[needs(sqlite)]
#[test]
fn reset_links_are_audited_without_their_tokens() {
    let server = Program::new(&[]).superuser().env("USHER_LOG", "trace").start();
    let admin = token(&server, "admin", "adminpw123");
    let body = json!({ "username": "ada", "password": PASSWORD });
    let ada = server.request("POST", "/api/v1/users/").bearer(&admin).json(&body).send().expect(201).json();
    let path = format!("/api/v1/users/{}", ada["id"].as_str().unwrap());
    server.request("PATCH", &path).bearer(&admin).json(&json!({ "is_active": true })).send().expect(200);
    let hers = token(&server, "ada", PASSWORD);

    let by_api = server.request("POST", &format!("{path}/reset-link")).bearer(&admin).send().expect(201).json();
    let by_command = printed(&server.dir, &["user", "reset-link", "ADA"]);
    let (older, newer) = (token_of(&by_api), token_of(&by_command));
    // A new link invalidates the previous one. Using a link invalidates it and ends all sessions.
    assert_eq!(use_link(&server, &older, "a fresh start 9"), 403);
    assert_eq!(whoami(&server, &hers), 200);
    assert_eq!(use_link(&server, &newer, "a fresh start 9"), 200);
    assert_eq!(use_link(&server, &newer, "another start 9"), 403);
    assert_eq!(whoami(&server, &hers), 401);
    sign_in(&server, "ada", "a fresh start 9").expect(200);

    let (shown, dir) = (done(&server.dir, &["audit", "--json"]), server.dir.clone());
    let entries: Vec<Value> = serde_json::from_str(&shown).unwrap();
    let found: Vec<(&str, &str)> = entries
        .iter()
        .filter(|entry| entry["action"].as_str().unwrap().starts_with("reset_link."))
        .map(|entry| (entry["action"].as_str().unwrap(), entry["actor_name"].as_str().unwrap_or("nobody")))
        .collect();
    assert_eq!(found, [("reset_link.use", "nobody"), ("reset_link.add", "command line"), ("reset_link.add", "admin")]);
    let log = server.stop().stderr;
    assert!(log.contains("reset_link.use") && log.contains("/api/v1/reset-password"), "{log}");
    for token in [&older, &newer] {
        assert!(!log.contains(token.as_str()) && !shown.contains(token.as_str()));
        let dump = std::fs::read(dir.path().join("data/usher.db")).unwrap();
        assert!(!dump.windows(token.len()).any(|part| part == token.as_bytes()), "it is in the database");
    }
    assert_eq!(database(&dir).query_row("SELECT count(*) FROM reset_links", [], |row| row.get(0)), Ok(0));
}

#[test]
fn a_link_has_the_public_address_or_a_local_one() {
    let server = Program::new(&[]).superuser().start();
    let dir = server.dir.clone();
    let make = |settings: &[(&str, &str)]| {
        let mut program = Program::in_dir(&dir, &["user", "reset-link", "admin"]);
        for (name, value) in settings {
            program = program.env(name, value);
        }
        let ended = program.finish();
        assert!(ended.status.success(), "{ended:?}");
        ended.stdout.split_once("/reset#token=").unwrap().0.to_owned()
    };
    assert_eq!(make(&[("USHER_BIND", "0.0.0.0:8080")]), format!("http://{}", server.address));
    assert_eq!(make(&[("USHER_PUBLIC_URL", "https://home.example.org")]), "https://home.example.org");
    server.stop();
    assert_eq!(make(&[("USHER_BIND", "0.0.0.0:8080")]), "http://127.0.0.1:8080");
    assert_eq!(make(&[("USHER_BIND", "[::]:8080"), ("USHER_BASE_PATH", "/usher")]), "http://[::1]:8080/usher");
    assert_eq!(make(&[("USHER_PUBLIC_URL", "https://home.example.org/usher")]), "https://home.example.org/usher");
}
