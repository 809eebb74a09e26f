//! One-time reset links: when they end, and which address they carry.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::factors::App;
use crate::support::requests::{ALICE, with_alice};
use crate::support::server::PASSWORD;
use crate::support::{Response, Server};

const NEW: &str = "brave-otter-8";

fn make(server: &Server, id: &str) -> String {
    make_by(server, &server.admin(), id)
}

fn make_by(server: &Server, admin: &str, id: &str) -> String {
    let made = server.post(format!("/api/v1/users/{id}/reset-link")).bearer(admin).send();
    made.expect(201).json()["link"].as_str().unwrap().to_owned()
}

#[test]
fn an_expired_link_is_audited_even_after_a_new_link_or_password() {
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
    // A link that is replaced before its expiry hasn't expired.
    make(&server, &id);
    make(&server, &id);
    assert_eq!(expired(), 2);
}

#[test]
fn request_headers_do_not_influence_a_links_address() {
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

/// Starts a server with a user who has an authenticator app. Returns the server, a superuser's token, the user's id and
/// the app.
fn enrolled() -> (Server, String, String, App) {
    let (server, admin, id) = with_alice(&[]);
    let app = server.enroll(&id, &server.login(ALICE.0, ALICE.1).access, ALICE.1);
    server.advance(30);
    (server, admin, id, app)
}

fn reset(server: &Server, link: &str, password: &str) -> Response {
    let body = json!({ "token": link.split_once("#token=").unwrap().1, "password": password });
    server.post("/api/v1/reset-password").json(&body).send()
}

#[test]
fn a_reset_link_asks_for_the_second_factor_and_then_signs_in() {
    let (server, admin, id, app) = enrolled();
    let link = make_by(&server, &admin, &id);
    let asked = reset(&server, &link, NEW).expect(401);
    assert_eq!((asked.detail().as_str(), &asked.json()["factors"]), ("Second factor required", &json!(["totp"])));
    // Nothing has changed yet, and a wrong code doesn't use the link up.
    server.answer(&asked.field("challenge"), "000000").refused(401, "Incorrect code");
    assert_eq!(server.try_login(ALICE.0, ALICE.1).detail(), "Second factor required");
    let challenge = reset(&server, &link, NEW).expect(401).field("challenge");
    let before = server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app))).access;
    server.advance(30);
    let access = server.answer(&challenge, &server.code(&app)).expect(200).field("access_token");
    assert_eq!((server.whoami(&access).status, server.whoami(&before).status), (200, 401));
    server.try_login(ALICE.0, ALICE.1).refused(401, "Incorrect username or password");
    assert_eq!(server.try_login(ALICE.0, NEW).detail(), "Second factor required");
    reset(&server, &link, NEW).expect(403);
    assert_eq!(server.audit(&admin, "reset_link.use").len(), 1);
}

#[test]
fn a_reset_link_replaced_or_used_meanwhile_sets_no_password() {
    let (server, admin, id, app) = enrolled();
    let link = make_by(&server, &admin, &id);
    let first = reset(&server, &link, NEW).expect(401).field("challenge");
    let second = reset(&server, &link, "another-otter-9").expect(401).field("challenge");
    server.answer(&first, &server.code(&app)).expect(200);
    server.advance(30);
    server.answer(&second, &server.code(&app)).refused(401, "This sign-in has expired; sign in again");
    assert_eq!(server.try_login(ALICE.0, NEW).detail(), "Second factor required");
    let link = make_by(&server, &admin, &id);
    let challenge = reset(&server, &link, "another-otter-9").expect(401).field("challenge");
    make_by(&server, &admin, &id);
    let ended = server.answer(&challenge, &server.code(&app));
    ended.refused(403, "The reset link is no longer valid; ask for a new one");
    // The failed requests didn't use the code up.
    server.login(ALICE.0, &format!("{NEW}{}", server.code(&app)));
}

#[test]
fn wrong_codes_with_a_reset_link_are_throttled_like_wrong_passwords() {
    let (server, admin, id, _) = enrolled();
    let link = make_by(&server, &admin, &id);
    let answers = (0..20).map(|_| {
        let asked = reset(&server, &link, NEW).expect(401);
        server.answer(&asked.field("challenge"), "000000").status
    });
    let refused = answers.filter(|status| *status == 429).count();
    assert_eq!(refused, 20 - 16);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM reset_links"), 1);
}

#[test]
fn a_password_that_is_reset_deletes_the_api_keys_if_that_is_asked_for() {
    let (server, admin, id) = with_alice(&[]);
    let key = || server.create_key(&server.login(ALICE.0, ALICE.1).access, "script").1;
    let works = |key: &str| server.get("/api/v1/users/whoami").key(key).send().status == 200;
    let by_link = |more: Value| {
        let link = make(&server, &id);
        let mut body = json!({ "token": link.split_once("#token=").unwrap().1, "password": ALICE.1 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/api/v1/reset-password").json(&body).send().expect(200);
    };
    let by_admin = |more: Value| server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &more).expect(200);
    let first = key();
    by_link(json!({}));
    by_link(json!({ "revoke_api_keys": false }));
    by_admin(json!({ "password": ALICE.1, "revoke_api_keys": null }));
    assert!(works(&first), "keys are kept unless it is asked for");
    let second = key();
    by_link(json!({ "revoke_api_keys": true }));
    assert!(!works(&first) && !works(&second));
    assert_eq!(server.audit(&admin, "key.delete")[0]["detail"], "2 keys");
    let third = key();
    by_admin(json!({ "password": ALICE.1, "revoke_api_keys": true }));
    assert!(!works(&third));
    let entry = &server.audit(&admin, "key.delete")[0];
    assert_eq!((&entry["detail"], &entry["actor_name"]), (&json!("1 key"), &json!("admin")));
}
