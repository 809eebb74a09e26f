//! The first superuser, and automatic log-in.

use serde_json::json;
use usher::server::FirstSuperuser;

use crate::support::Server;

fn token(server: &Server) -> String {
    let FirstSuperuser::Link(link) = &server.first_superuser else { panic!("{:?}", server.first_superuser) };
    link.expose().split_once("/setup#token=").unwrap().1.to_owned()
}

#[test]
fn the_setup_link_makes_the_first_superuser_once() {
    let server = Server::with().without_superuser().start();
    let set_up = |token: &str, name: &str| {
        server
            .post("/api/v1/setup")
            .json(&json!({"token": token, "username": name, "password": "quiet-otter-7"}))
            .send()
    };
    set_up("wrong", "root").expect(403);
    let token = token(&server);
    assert_eq!(server.post("/api/v1/setup").json(&json!({"token": token})).send().faults().len(), 2);
    let made = set_up(&token, "root").expect(201).json();
    assert_eq!((&made["is_superuser"], &made["is_active"]), (&json!(true), &json!(true)));
    set_up(&token, "second").refused(403, "Setup is complete: a superuser exists");
    server.login("root", "quiet-otter-7");
    let dir = server.stop();
    let again = Server::with().without_superuser().in_dir(&dir).start();
    assert_eq!(again.first_superuser, FirstSuperuser::Exists);
}

#[test]
fn the_settings_superuser_changes_nobody_at_a_later_start_and_hashes_nothing() {
    let dir = Server::start().stop();
    let again = Server::with().in_dir(&dir).set("superuser_password", "another-password-9").start();
    assert_eq!(again.app.hasher.computed(), 0);
    assert_eq!(again.first_superuser, FirstSuperuser::Exists);
    again.admin();
}

#[test]
fn automatic_log_in_is_off_unless_configured_and_then_only_for_this_machine() {
    let server = Server::start();
    let off = server.get("/api/v1/auto_login").send().expect(400).json();
    assert_eq!(off["detail"]["auto_login"], false);
    let server = Server::with().without_superuser().set("auto_login", "true").start();
    let answer = server.get("/api/v1/auto_login").header("host", "localhost").send().expect(200);
    let me = server.whoami(answer.json()["access_token"].as_str().unwrap()).expect(200).json();
    assert_eq!((&me["username"], &me["is_superuser"]), (&json!("local"), &json!(true)));
    assert!(answer.cookie("refresh_token_lf").is_some());
    let ask = |name: &str, value: &str| server.get("/api/v1/auto_login").header(name, value).send().status;
    assert_eq!(ask("host", "evil.example"), 403);
    assert_eq!(ask("x-forwarded-for", "127.0.0.1"), 403);
    assert_eq!(ask("sec-fetch-site", "cross-site"), 403);
    assert_eq!(server.get("/api/v1/auto_login").header("host", "localhost").send().status, 200);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM users"), 1);
}

#[test]
fn automatic_log_in_is_refused_at_start_where_others_could_use_it() {
    for (key, value) in [("bind", "0.0.0.0:0"), ("trusted_proxies", "127.0.0.1")] {
        let error = Server::with().set("auto_login", "true").set(key, value).try_start().err().unwrap();
        assert!(error.to_string().contains("auto_login"), "{error}");
    }
}
