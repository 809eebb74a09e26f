//! Automatic sign-in: for one user of this machine, and with a launch secret for one program.

use serde_json::{Value, json};

use crate::support::server::PASSWORD;
use crate::support::{Request, Response, Server};

const SECRET: &str = "a launch secret of 32 characters";

fn single() -> Server {
    Server::with().without_superuser().set("auto_login", "true").start()
}

fn private() -> Server {
    Server::with().without_superuser().set("auto_login", "true").set("launch_secret", SECRET).start()
}

fn ask(server: &Server) -> Request {
    server.get("/api/v1/auto_login")
}

#[track_caller]
fn access(answer: Response) -> String {
    answer.expect(200).json()["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn automatic_sign_in_is_off_by_default_and_creates_one_superuser() {
    let off = ask(&Server::start()).send().expect(400).json();
    assert_eq!(off["detail"]["auto_login"], false);
    let server = single();
    let answer = ask(&server).header("host", "localhost").send();
    assert!(answer.cookie("refresh_token_lf").is_some());
    let me = server.whoami(&access(answer)).expect(200).json();
    assert_eq!((&me["username"], &me["is_superuser"]), (&json!("local"), &json!(true)));
    access(ask(&server).header("host", "localhost").send());
    assert_eq!(server.query::<i64>("SELECT count(*) FROM users"), 1);
}

#[test]
fn automatic_sign_in_tokens_are_short_lived_and_refreshable() {
    let server = Server::with().without_superuser().set("auto_login", "true").manual_clock().start();
    let answer = ask(&server).send();
    let refresh = answer.cookie("refresh_token_lf").unwrap().to_owned();
    let first = access(answer);
    server.clock.advance(chrono::TimeDelta::seconds(3601));
    server.whoami(&first).refused(401, "Token has expired.");
    let renewed = access(server.post("/api/v1/refresh").cookie("refresh_token_lf", &refresh).send());
    server.whoami(&renewed).expect(200);
}

#[test]
fn automatic_sign_in_refuses_proxied_and_cross_site_requests() {
    let server = single();
    let port = server.address.port();
    let refused = "Auto login only works on this machine, without a proxy";
    for (name, value) in [
        ("host", "evil.example".to_owned()),
        ("host", format!("evil.example:{port}")),
        ("host", format!("localhost.:{port}")),
        ("x-forwarded-for", "127.0.0.1".to_owned()),
        ("forwarded", "for=127.0.0.1".to_owned()),
        ("sec-fetch-site", "cross-site".to_owned()),
        ("sec-fetch-site", "same-site".to_owned()),
        ("origin", "null".to_owned()),
        ("origin", format!("http://localhost:{}", port.wrapping_add(1))),
    ] {
        ask(&server).header(name, value).send().refused(403, refused);
    }
    for (name, own, foreign) in
        [("origin", server.url.as_str(), "https://evil.example"), ("sec-fetch-site", "same-origin", "cross-site")]
    {
        ask(&server).header(name, own).header(name, foreign).send().refused(403, refused);
    }
    for (name, value) in [("host", format!("[::1]:{port}")), ("origin", server.url.clone())] {
        access(ask(&server).header(name, value).send());
    }
    // nginx's default headers for upstream servers.
    let mut old = server.connect();
    old.write(b"GET /api/v1/auto_login HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(old.read(false).unwrap().status, 403);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM sessions"), 2);
}

#[test]
fn automatic_sign_in_on_a_public_address_prevents_the_start() {
    for (key, value) in [("bind", "0.0.0.0:0"), ("bind", "[::]:0"), ("trusted_proxies", "127.0.0.1")] {
        let error = Server::with().set("auto_login", "true").set(key, value).try_start().err().unwrap();
        assert!(error.to_string().contains("auto_login"), "{error}");
    }
}

#[test]
fn with_a_launch_secret_sign_in_needs_it() {
    let server = private();
    let sentence = "Auto login needs the launch secret of the program that started the server";
    ask(&server).send().refused(403, sentence);
    let short = &SECRET[..31];
    for guess in ["", "guess", short, &format!("{SECRET} x"), &SECRET.to_uppercase()] {
        ask(&server).header("x-launch-secret", guess).send().refused(403, sentence);
    }
    // The query would put the secret into logs and histories.
    server
        .get(format!("/api/v1/auto_login?x-launch-secret={}", SECRET.replace(' ', "%20")))
        .send()
        .refused(403, sentence);
    let token = access(ask(&server).header("x-launch-secret", SECRET).send());
    let log = server.get("/api/v1/audit?action=login").bearer(&token).send().expect(200).json();
    let entries = log["entries"].as_array().unwrap();
    let told: Vec<(bool, &str)> =
        entries.iter().map(|entry| (entry["success"].as_bool().unwrap(), entry["detail"].as_str().unwrap())).collect();
    assert_eq!(told[0], (true, "automatic"));
    assert_eq!((&told[1..], &entries[1]["count"]), (&[(false, "wrong launch secret")][..], &json!(5)));
    assert!(!log.to_string().contains("launch secret of"));
}

#[test]
fn wrong_launch_secrets_are_throttled_without_delaying_the_right_one() {
    let server = Server::with()
        .without_superuser()
        .set("auto_login", "true")
        .set("launch_secret", SECRET)
        .set("throttle", "true");
    let server = server.manual_clock().start();
    let guess = |n: u32| ask(&server).header("x-launch-secret", format!("guess {n}")).send().status;
    let first = (0..=20).position(|n| guess(n) == 429).unwrap();
    assert!((100..105).all(|n| guess(n) == 429), "{first}");
    access(ask(&server).header("x-launch-secret", SECRET).send());
    let kept: i64 = server.query("SELECT CAST(sum(count) AS BIGINT) FROM audit WHERE success = 0");
    assert_eq!(kept, i64::try_from(first).unwrap(), "guesses that are refused unseen fill no log");
}

#[test]
fn a_page_with_a_configured_origin_can_sign_in() {
    let server = Server::with().without_superuser().set("auto_login", "true").set("launch_secret", SECRET);
    let server = server.set("cors_origins", "tauri://localhost").start();
    let preflight = server.request("OPTIONS", "/api/v1/auto_login").header("origin", "tauri://localhost");
    let preflight = preflight.header("access-control-request-method", "GET");
    let answer = preflight.header("access-control-request-headers", "x-launch-secret").send().expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("tauri://localhost"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("x-launch-secret"));
    let page = |origin: &str| ask(&server).header("origin", origin).header("sec-fetch-site", "cross-site");
    let answer = page("tauri://localhost").header("x-launch-secret", SECRET).send().expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("tauri://localhost"));
    page("tauri://localhost").send().expect(403);
    page("tauri://elsewhere").header("x-launch-secret", SECRET).send().expect(403);
}

#[test]
fn automatic_sign_ins_keep_fifty_sessions_and_end_no_others() {
    let server = Server::with().set("auto_login", "true").start();
    let with_password = server.admin();
    let first = access(ask(&server).send());
    let mut connection = server.connect();
    let mut last = String::new();
    for _ in 0..200 {
        last = access(ask(&server).send_on(&mut connection));
    }
    assert_eq!(server.query::<i64>("SELECT count(*) FROM sessions WHERE automatic = 1"), 50);
    server.whoami(&last).expect(200);
    server.whoami(&with_password).expect(200);
    server.whoami(&first).refused(401, "Session has ended.");
}

#[test]
fn a_user_with_the_automatic_users_name_does_not_become_it() {
    let before = Server::start();
    before.sign_up("Local");
    before.execute("DELETE FROM users WHERE is_superuser = 1");
    let dir = before.stop();
    let server = Server::with().without_superuser().set("auto_login", "true").in_dir(&dir).start();
    let me = server.whoami(&access(ask(&server).send())).expect(200).json();
    assert!(me["username"].as_str().unwrap().starts_with("local-"), "{me}");
    assert_eq!(me["is_superuser"], true);
    let waiting = server.try_login("local", PASSWORD).json();
    assert_eq!(waiting, json!({ "detail": "Waiting for approval" }));
    let users: Value = server.get("/api/v1/users/").bearer(&access(ask(&server).send())).send().json();
    assert_eq!(users["total_count"], 2);
}

#[test]
fn with_automatic_sign_in_only_superusers_add_users() {
    let server = Server::with().set("auto_login", "true").set("signup", "open").start();
    let add = || server.post("/api/v1/users/").json(&json!({ "username": "erika", "password": PASSWORD }));
    add().send().refused(403, "Public user registration is disabled.");
    let page = server.get("/").send().expect(200).text();
    assert!(page.contains(r#"<meta name="usher-signup" content="closed">"#), "{page}");
    add().bearer(&server.admin()).send().expect(201);
}
