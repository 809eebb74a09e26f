//! Attacks on the second factor: races, replays, other accounts, and what a changed account leaves open.

use serde_json::{Value, json};

use crate::support::factors::App;
use crate::support::interrupt::send_and_interrupt;
use crate::support::requests::{ALICE, with, with_alice};
use crate::support::server::PASSWORD;
use crate::support::{Response, Server};

/// Starts a server with a user who has an authenticator app. Returns the server, a superuser's token, the user's id and
/// the app.
fn enrolled(settings: &[(&str, &str)]) -> (Server, String, String, App) {
    let (server, admin, id) = with_alice(settings);
    let app = server.enroll(&id, &server.login(ALICE.0, ALICE.1).access, ALICE.1);
    server.advance(30);
    (server, admin, id, app)
}

fn sign_in(server: &Server, code: &str) -> String {
    server.login(ALICE.0, &format!("{}{code}", ALICE.1)).access
}

fn challenge(server: &Server) -> String {
    server.try_login(ALICE.0, ALICE.1).expect(401).field("challenge")
}

/// Sends the same request eight times at once. Returns how many succeeded.
fn at_once(request: impl Fn() -> Response + Sync) -> usize {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(&request)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|answer| answer.status == 200).count()
    })
}

#[test]
fn codes_challenges_and_passkeys_work_once_however_many_use_them_at_once() {
    let (server, _, id, app) = enrolled(&[("throttle", "false")]);
    let code = server.code(&app);
    assert_eq!(at_once(|| server.try_login(ALICE.0, &format!("{}{code}", ALICE.1))), 1);
    server.advance(30);
    let access = sign_in(&server, &server.code(&app));
    let codes = server.recovery_codes(&id, &access, ALICE.1);
    assert_eq!(at_once(|| server.try_login(ALICE.0, &format!("{}-{}", ALICE.1, codes[0]))), 1);
    // One code for several challenges, and several codes for one challenge.
    server.advance(30);
    let code = server.code(&app);
    assert_eq!(at_once(|| server.answer(&challenge(&server), &code)), 1);
    let open = challenge(&server);
    let next = std::sync::atomic::AtomicUsize::new(1);
    let answer = || server.answer(&open, &codes[next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)]);
    assert_eq!(at_once(answer), 1);
    assert_eq!(server.factors(&id, &access)["recovery_codes_left"], 8);
    assert_eq!(at_once(|| server.call("POST", "/api/v1/login/again", &access, &json!({ "code": codes[9] }))), 1);
    server.advance(30);
    let access = sign_in(&server, &server.code(&app));
    let mut passkey = server.add_passkey(&id, &access, ALICE.1);
    let offered = server.ask_for_passkey();
    let credential = passkey.get(&offered["options"]);
    assert_eq!(at_once(|| server.send_assertion("/api/v1/login/passkey", &offered["challenge"], &credential)), 1);
}

#[test]
fn every_sign_in_of_an_account_with_a_second_factor_costs_one_hash() {
    let (server, _, id, app) = enrolled(&[("throttle", "false")]);
    let access = sign_in(&server, &server.code(&app));
    let codes = server.recovery_codes(&id, &access, ALICE.1);
    server.advance(30);
    let code = server.code(&app);
    for (typed, status) in [
        (ALICE.1.to_owned(), 401),
        (format!("{}000000", ALICE.1), 401),
        ("wrong".to_owned(), 401),
        (format!("wrong{code}"), 401),
        (format!("wrong-{}", codes[0]), 401),
        (format!("{}-{}", ALICE.1, codes[0]), 200),
        (format!("{}{code}", ALICE.1), 200),
    ] {
        let before = server.app.hasher.hash_count();
        assert_eq!(server.try_login(ALICE.0, &typed).status, status, "{typed}");
        assert_eq!(server.app.hasher.hash_count() - before, 1, "{typed}");
    }
    let before = server.app.hasher.hash_count();
    server.advance(30);
    server.answer(&challenge(&server), &server.code(&app)).expect(200);
    assert_eq!(server.app.hasher.hash_count() - before, 1, "an answer to a challenge hashes nothing");
}

#[test]
fn a_password_of_72_bytes_takes_a_code_and_one_that_ends_in_digits_is_not_cut() {
    let server = with(&[]).start();
    let admin = server.admin();
    let long = "quiet-otter-7".repeat(6)[..72].to_owned();
    for (name, password) in [("long", long.as_str()), ("digits", "quiet-otter-123456")] {
        let id = server.add(&admin, name, password);
        let app = server.enroll(&id, &server.login(name, password).access, password);
        server.advance(30);
        assert_eq!(server.try_login(name, password).detail(), "Second factor required");
        server.login(name, &format!("{password}{}", server.code(&app)));
    }
}

#[test]
fn a_right_password_alone_neither_clears_the_counts_nor_makes_the_place_known() {
    let (server, ..) = enrolled(&[]);
    let known = || server.query::<i64>("SELECT count(*) FROM known_places");
    let counted = || server.query::<i64>("SELECT count(*) FROM attempts");
    let (places, rows) = (known(), counted());
    server.try_login_from("192.0.2.1", ALICE.0, "wrong").expect(401);
    let after = counted();
    assert!(after > rows);
    for _ in 0..3 {
        let asked = server.try_login_from("192.0.2.1", ALICE.0, ALICE.1);
        assert_eq!(asked.detail(), "Second factor required");
    }
    assert_eq!((known(), counted()), (places, after));
}

#[test]
fn challenges_and_used_steps_are_in_the_database() {
    let (server, _, _, app) = enrolled(&[]);
    let used = server.code(&app);
    sign_in(&server, &used);
    let open = challenge(&server);
    let (clock, dir) = (server.clock.clone(), server.stop());
    let server = with(&[]).clock(&clock).in_dir(&dir).start();
    server.answer(&open, &used).refused(401, "Incorrect code");
    server.advance(30);
    server.answer(&open, &server.code(&app)).expect(200);
}

#[test]
fn passwords_deactivation_deletion_and_removed_factors_end_challenges() {
    let ended = "This sign-in has expired; sign in again";
    let (server, admin, id, app) = enrolled(&[]);
    let path = format!("/api/v1/users/{id}");
    let open = challenge(&server);
    server.call("PATCH", &path, &admin, &json!({ "password": "brave-otter-8" })).expect(200);
    server.answer(&open, &server.code(&app)).refused(401, ended);
    server.call("PATCH", &path, &admin, &json!({ "password": ALICE.1 })).expect(200);

    let open = challenge(&server);
    server.call("PATCH", &path, &admin, &json!({ "is_active": false })).expect(200);
    server.answer(&open, &server.code(&app)).refused(401, "Inactive user");
    server.call("PATCH", &path, &admin, &json!({ "is_active": true })).expect(200);

    let open = challenge(&server);
    let factor = server.factors(&id, &admin)["factors"][0]["id"].as_str().unwrap().to_owned();
    server.call("DELETE", &format!("{path}/factors/{factor}"), &admin, &json!({})).expect(200);
    server.answer(&open, &server.code(&app)).refused(401, "Incorrect code");

    let app = server.enroll(&id, &server.login(ALICE.0, ALICE.1).access, ALICE.1);
    server.advance(30);
    let open = challenge(&server);
    server.call("DELETE", &path, &admin, &Value::Null).expect(200);
    server.answer(&open, &server.code(&app)).refused(401, ended);
}

#[test]
fn users_cannot_use_other_users_codes_or_factors() {
    let (server, admin, id, app) = enrolled(&[]);
    let access = sign_in(&server, &server.code(&app));
    let (bob, theirs) = server.member(&admin, "bob");
    let other = server.enroll(&bob, &theirs.access, PASSWORD);
    server.advance(30);
    server.answer(&challenge(&server), &server.code(&other)).refused(401, "Incorrect code");
    let typed = format!("{}{}", ALICE.1, server.code(&other));
    server.try_login(ALICE.0, &typed).refused(401, "Incorrect username or password");
    server.call("POST", "/api/v1/login/again", &access, &json!({ "code": server.code(&other) })).expect(400);
    // A factor is reachable only under its owner's id.
    let factor = server.factors(&bob, &admin)["factors"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{id}/factors/{factor}");
    server.call("PATCH", &path, &access, &json!({ "name": "mine" })).refused(404, "Second factor not found");
    let body = json!({ "current_password": ALICE.1 });
    server.call("DELETE", &path, &access, &body).refused(404, "Second factor not found");
    server.call("DELETE", &path, &admin, &json!({})).refused(404, "Second factor not found");
    assert_eq!(server.factors(&bob, &admin)["factors"].as_array().unwrap().len(), 1);
}

#[test]
fn inputs_that_are_too_long_are_refused_before_any_work() {
    let (server, _, id, app) = enrolled(&[("throttle", "false")]);
    let access = sign_in(&server, &server.code(&app));
    let long = "1".repeat(50_000);
    let base = format!("/api/v1/users/{id}/factors");
    let hashes = server.app.hasher.hash_count();
    for (path, body) in [
        ("/api/v1/login/second-factor".to_owned(), json!({ "challenge": long, "code": "123456" })),
        ("/api/v1/login/second-factor".to_owned(), json!({ "challenge": challenge(&server), "code": long })),
        ("/api/v1/login/again".to_owned(), json!({ "code": long })),
        ("/api/v1/login/again".to_owned(), json!({ "password": long })),
        (format!("{base}/totp"), json!({ "current_password": long })),
        (format!("{base}/totp"), json!({ "current_password": ALICE.1, "name": "n".repeat(101) })),
        (format!("{base}/totp/confirm"), json!({ "code": long })),
        (format!("{base}/passkey"), json!({ "challenge": long, "credential": {} })),
    ] {
        assert_eq!(server.call("POST", &path, &access, &body).status, 422, "{path}");
    }
    assert_eq!(server.app.hasher.hash_count() - hashes, 1, "the sign-in that opened the challenge");
    for code in ["1".repeat(4096), "-".repeat(4096), "é".repeat(2000), "\u{0}".to_owned(), "１２３４５６".to_owned()]
    {
        server.answer(&challenge(&server), &code).refused(401, "Incorrect code");
    }
    server.try_login(ALICE.0, &format!("{long}{}", server.code(&app))).expect(401);
}

#[test]
fn the_first_code_of_an_app_cannot_be_guessed_without_limit() {
    let (server, _, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let path = format!("/api/v1/users/{id}/factors/totp");
    server.call("POST", &path, &access, &json!({ "current_password": ALICE.1 })).expect(201);
    let guess = || server.call("POST", &format!("{path}/confirm"), &access, &json!({ "code": "000000" })).status;
    assert_eq!((0..20).filter(|_| guess() == 429).count(), 20 - 16, "as many as wrong passwords");
}

#[test]
fn an_account_has_at_most_twenty_factors() {
    let (server, _, id) = with_alice(&[("throttle", "false")]);
    let access = server.login(ALICE.0, ALICE.1).access;
    for _ in 0..20 {
        server.add_passkey(&id, &access, ALICE.1);
    }
    for path in ["totp", "passkey/options"] {
        let path = format!("/api/v1/users/{id}/factors/{path}");
        let refused = server.call("POST", &path, &access, &json!({ "current_password": ALICE.1 }));
        refused.refused(400, "An account can have at most 20 second factors; remove one first");
    }
}

#[test]
fn a_sign_in_under_way_when_the_first_factor_is_added_needs_it() {
    let server = with(&[("throttle", "false")]).start();
    let id = server.add(&server.admin(), ALICE.0, ALICE.1);
    let access = server.login(ALICE.0, ALICE.1).access;
    let path = format!("/api/v1/users/{id}/factors/totp");
    server.call("POST", &path, &access, &json!({ "current_password": ALICE.1 })).expect(201);
    let sign_in = server.post("/api/v1/login").form(&[("username", ALICE.0), ("password", ALICE.1)]);
    let answer = send_and_interrupt(&server, &sign_in, "UPDATE factors SET is_confirmed = 1");
    assert_eq!(answer.expect(401).detail(), "Second factor required");
}
