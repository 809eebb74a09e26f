//! Signing in, refreshing and signing out.

use serde_json::{Value, json};

use crate::support::requests::{ALICE, start, with_alice};
use crate::support::server::{ADMIN, Tokens};

#[test]
fn failed_sign_ins_cost_one_hash_and_reveal_nothing_without_the_password() {
    let server = start(&[("throttle", "false")]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    server.call("POST", "/api/v1/users/", &admin, &json!({"username": "waiting", "password": "quiet-otter-7"}));
    let id = server.add(&admin, "gone", "quiet-otter-8");
    server.login("gone", "quiet-otter-8");
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &json!({"is_active": false}));
    let wrong = (401, json!("Incorrect username or password"));
    for (name, password, told) in [
        ("ghost", "quiet-otter-7", wrong.clone()),
        (ADMIN.0, "quiet-otter-7", wrong.clone()),
        ("waiting", "wrong", wrong.clone()),
        ("gone", "wrong", wrong.clone()),
        ("ghost", " ", wrong.clone()),
        (ADMIN.0, &"x".repeat(200), wrong),
        ("waiting", "quiet-otter-7", (400, json!("Waiting for approval"))),
        ("gone", "quiet-otter-8", (401, json!("Inactive user"))),
    ] {
        let before = server.app.hasher.hash_count();
        let answer = server.try_login_from("192.0.2.1", name, password);
        assert_eq!((answer.status, answer.json()["detail"].clone()), told, "{name} {password}");
        assert_eq!(server.app.hasher.hash_count() - before, 1, "{name} {password}");
    }
}

#[test]
fn a_hash_of_lower_cost_is_renewed_at_the_next_sign_in() {
    let server = start(&[]);
    let hash = || server.query::<String>("SELECT password_hash FROM users");
    let old = hash();
    server.execute("UPDATE users SET password_hash = replace(password_hash, '$2b$', '$2y$')");
    server.login(ADMIN.0, ADMIN.1);
    let renewed = hash();
    assert!(renewed.starts_with("$2b$04$") && renewed != old, "{renewed}");
    server.login(ADMIN.0, ADMIN.1);
    assert_eq!(hash(), renewed, "and only once");
}

#[test]
fn two_parallel_sign_ins_that_renew_the_hash_both_succeed() {
    let server = start(&[("throttle", "false")]);
    for _ in 0..10 {
        server.execute("UPDATE users SET password_hash = replace(password_hash, '$2b$', '$2y$')");
        let log_in = || server.try_login(ADMIN.0, ADMIN.1).status;
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(log_in)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(statuses, [200; 6]);
    }
}

#[test]
fn unknown_names_of_failed_sign_ins_are_stored_nowhere() {
    let server = start(&[]);
    server.try_login_from("192.0.2.1", "my-secret-password", "whatever");
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let failed = server.audit(&admin, "login").into_iter().find(|entry| entry["success"] == json!(false)).unwrap();
    assert_eq!((&failed["target"], &failed["target_name"]), (&Value::Null, &Value::Null));
    assert_eq!(failed["address"], "192.0.2.1");
    let dir = server.stop();
    for file in std::fs::read_dir(dir.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("my-secret-password"));
    }
}

#[test]
fn a_reused_refresh_token_ends_its_session_and_is_audited() {
    let (server, admin, _) = with_alice(&[]);
    let first = server.login(ALICE.0, ALICE.1).refresh;
    let second = server.refresh(&first).field("refresh_token");
    server.advance(9);
    assert_eq!(server.refresh(&first).field("refresh_token"), second, "another tab gets the same successor");
    server.advance(1);
    assert_eq!(server.refresh(&first).status, 401);
    assert_eq!(server.refresh(&second).status, 401, "the thief's and the owner's are both dead");
    let noted = &server.audit(&admin, "refresh.reuse")[0];
    assert_eq!((&noted["target_name"], &noted["success"]), (&json!("alice"), &json!(false)));
}

#[test]
fn without_a_leeway_a_refresh_token_works_once() {
    let (server, _, _) = with_alice(&[("refresh_leeway_seconds", "0")]);
    let first = server.login(ALICE.0, ALICE.1).refresh;
    assert_eq!((server.refresh(&first).status, server.refresh(&first).status), (200, 401));
}

#[test]
fn access_and_refresh_tokens_are_not_interchangeable() {
    let (server, _, _) = with_alice(&[]);
    let Tokens { access, refresh } = server.login(ALICE.0, ALICE.1);
    assert_eq!(server.whoami(&refresh).status, 401);
    assert_eq!(server.refresh(&access).status, 401);
}

#[test]
fn another_applications_non_ascii_cookie_hides_no_token() {
    let (server, _, _) = with_alice(&[]);
    let Tokens { access, refresh } = server.login(ALICE.0, ALICE.1);
    let odd = |name: &str, value: &str| [b"name=J\xf6rg; ", name.as_bytes(), b"=", value.as_bytes()].concat();
    let session = server.get("/api/v1/session").header("Cookie", odd("access_token_lf", &access)).send().json();
    assert_eq!(session["authenticated"], true);
    let next = server.post("/api/v1/refresh").header("Cookie", odd("refresh_token_lf", &refresh)).send().expect(200);
    let next = next.field("refresh_token");
    server.post("/api/v1/logout").header("Cookie", odd("refresh_token_lf", &next)).send().expect(200);
    assert_eq!(server.whoami(&access).status, 401);
}

#[test]
fn of_several_refresh_cookies_the_valid_one_counts_and_two_accounts_are_refused() {
    let (server, _, _) = with_alice(&[]);
    let both = |first: &str, second: &str| {
        let cookies = format!("refresh_token_lf={first}; x=y; refresh_token_lf={second}");
        server.post("/api/v1/refresh").header("Cookie", cookies).send()
    };
    let alice = |answer: crate::support::Response| {
        let answer = answer.expect(200);
        assert_eq!(server.whoami(&answer.field("access_token")).field("username"), "alice");
        answer.field("refresh_token")
    };
    let (mine, ended) = (server.login(ALICE.0, ALICE.1), server.login(ADMIN.0, ADMIN.1));
    server.post("/api/v1/logout").bearer(&ended.access).send().expect(200);
    let next = alice(both("garbage", &mine.refresh));
    server.advance(20);
    let next = alice(both(&ended.refresh, &next));
    server.advance(20);
    // An older token of the same browser doesn't count as stolen.
    let next = alice(both(&next, &mine.refresh));
    server.advance(20);
    let foreign = server.login(ADMIN.0, ADMIN.1).refresh;
    let refusal = "The browser sent cookies of two accounts; delete this site's cookies and sign in again";
    both(&next, &foreign).refused(401, refusal);
    both(&foreign, &next).refused(401, refusal);
    alice(server.refresh(&next));
    let two = format!("access_token_lf={}; access_token_lf={}", mine.access, server.admin());
    let session = |cookies: String| server.get("/api/v1/session").header("Cookie", cookies).send().json();
    assert_eq!(session(two)["authenticated"], false);
    let one = format!("access_token_lf={}; access_token_lf={}", mine.access, ended.access);
    assert_eq!(session(one)["user"]["username"], "alice");
}

#[test]
fn the_console_sets_its_own_cookie_and_none_of_langflows() {
    let server = start(&[("trusted_proxies", "127.0.0.1")]);
    let by = |request: crate::support::Request, https: bool| {
        let request = request.header("X-Usher-Console", "1");
        if https { request.header("X-Forwarded-Proto", "https") } else { request }
    };
    let set = |answer: &crate::support::Response| -> Vec<String> {
        let lines = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
        lines.map(|(_, line)| line.clone()).collect()
    };
    let form = [("username", ADMIN.0), ("password", ADMIN.1)];
    for (https, name, end) in [(false, "usher_refresh", "HttpOnly"), (true, "__Host-usher_refresh", "HttpOnly; Secure")]
    {
        let login = by(server.post("/api/v1/login").form(&form), https).send().expect(200);
        let cookies = set(&login);
        let [cookie] = &cookies[..] else { panic!("{cookies:?}") };
        assert!(
            cookie.starts_with(&format!("{name}=")) && cookie.ends_with(&format!("Path=/; SameSite=Lax; {end}")),
            "{cookie}"
        );
        let token = login.cookie(name).unwrap().to_owned();
        by(server.post("/api/v1/refresh").cookie("refresh_token_lf", &token), https).send().expect(401);
        let other = if https { "usher_refresh" } else { "__Host-usher_refresh" };
        by(server.post("/api/v1/refresh").cookie(other, &token), https).send().expect(401);
        let next = by(server.post("/api/v1/refresh").cookie(name, &token), https).send().expect(200);
        assert_eq!(set(&next).len(), 1);
        let out = by(server.post("/api/v1/logout").cookie(name, next.cookie(name).unwrap()), https).send().expect(200);
        assert!(out.set_cookie(name).unwrap().starts_with(&format!("{name}=; Max-Age=0; Path=/")), "{out:?}");
        assert_eq!(server.whoami(&next.field("access_token")).status, 401);
    }
    let other = server.try_login(ADMIN.0, ADMIN.1);
    assert!(other.cookie("refresh_token_lf").is_some() && other.cookie("usher_refresh").is_none());
}
