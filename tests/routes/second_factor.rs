//! Signing in with a second factor.

use serde_json::json;

use crate::support::requests::{ALICE, with_alice};

/// Starts a server with a user who has an authenticator app, 30 seconds after its confirmation.
macro_rules! enrolled {
    ($settings:expr => $server:ident, $admin:ident, $id:ident, $app:ident) => {
        let ($server, $admin, $id) = with_alice($settings);
        let $app = $server.enroll(&$id, &$server.login(ALICE.0, ALICE.1).access, ALICE.1);
        $server.advance(30);
    };
}

#[test]
fn a_code_appended_to_the_password_signs_in() {
    enrolled!(&[] => server, admin, id, app);
    let with_code = format!("{}{}", ALICE.1, server.code(&app));
    let tokens = server.login(ALICE.0, &with_code);
    assert_eq!(server.whoami(&tokens.access).field("id"), id);
    assert_eq!(server.audit(&admin, "login")[0]["detail"], "totp");
}

#[test]
fn a_correct_password_alone_gets_a_challenge() {
    enrolled!(&[] => server, _admin, id, app);
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401);
    assert_eq!(asked.detail(), "Second factor required");
    assert_eq!(asked.json()["factors"], json!(["totp"]));
    assert!(asked.set_cookie("access_token_lf").is_none());
    let challenge = asked.field("challenge");
    let signed_in = server.answer(&challenge, &server.code(&app)).expect(200);
    assert_eq!(server.whoami(&signed_in.field("access_token")).field("id"), id);
    assert!(signed_in.set_cookie("refresh_token_lf").is_some());
    server.answer(&challenge, &server.code(&app)).refused(401, "This sign-in has expired; sign in again");
}

#[test]
fn a_code_works_once_and_no_older_code_works_after_it() {
    enrolled!(&[] => server, _admin, _id, app);
    let old = server.code(&app);
    server.advance(30);
    let new = server.code(&app);
    server.login(ALICE.0, &format!("{}{new}", ALICE.1));
    for code in [&new, &old] {
        let again = server.try_login(ALICE.0, &format!("{}{code}", ALICE.1));
        again.refused(401, "Incorrect username or password");
    }
    let challenge = server.try_login(ALICE.0, ALICE.1).expect(401).field("challenge");
    server.answer(&challenge, &new).refused(401, "Incorrect code");
}

#[test]
fn a_code_is_used_up_only_by_a_sign_in_that_succeeds() {
    enrolled!(&[] => server, _admin, _id, app);
    let code = server.code(&app);
    server.try_login(ALICE.0, &format!("wrong{code}")).refused(401, "Incorrect username or password");
    server.login(ALICE.0, &format!("{}{code}", ALICE.1));
}

#[test]
fn a_wrong_code_is_revealed_only_with_the_right_password() {
    enrolled!(&[] => server, _admin, _id, _app);
    for password in [format!("{}000000", ALICE.1), "wrong".to_owned(), "wrong000000".to_owned()] {
        server.try_login(ALICE.0, &password).refused(401, "Incorrect username or password");
    }
}

#[test]
fn five_wrong_codes_or_five_minutes_end_a_challenge() {
    enrolled!(&[("throttle", "false")] => server, _admin, _id, app);
    let challenge = server.try_login(ALICE.0, ALICE.1).expect(401).field("challenge");
    for _ in 0..5 {
        server.answer(&challenge, "000000").refused(401, "Incorrect code");
    }
    server.answer(&challenge, &server.code(&app)).refused(401, "This sign-in has expired; sign in again");
    let challenge = server.try_login(ALICE.0, ALICE.1).expect(401).field("challenge");
    server.advance(300);
    server.answer(&challenge, &server.code(&app)).refused(401, "This sign-in has expired; sign in again");
}

#[test]
fn wrong_codes_are_throttled_even_with_the_right_password() {
    enrolled!(&[] => server, _admin, _id, app);
    let mut refused = 0;
    for _ in 0..20 {
        let asked = server.try_login(ALICE.0, ALICE.1);
        if asked.status == 429 {
            refused += 1;
            continue;
        }
        let answered = server.answer(&asked.expect(401).field("challenge"), "000000");
        refused += u32::from(answered.status == 429);
    }
    assert_eq!(refused, 20 - 16);
    server.advance(24 * 3600);
    server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app)));
}

#[test]
fn a_challenge_accepts_answers_only_from_its_own_network() {
    enrolled!(&[] => server, _admin, _id, app);
    let challenge = server.try_login_from("192.0.2.1", ALICE.0, ALICE.1).expect(401).field("challenge");
    let answer = |address: &str| {
        let body = json!({ "challenge": challenge, "code": server.code(&app) });
        server.from(address, "POST", "/api/v1/login/second-factor").json(&body).send()
    };
    answer("192.0.2.2").refused(401, "This sign-in has expired; sign in again");
    answer("192.0.2.1").expect(200);
}

#[test]
fn an_account_has_at_most_ten_open_challenges() {
    enrolled!(&[("throttle", "false")] => server, _admin, _id, app);
    let challenges: Vec<String> =
        (0..11).map(|_| server.try_login(ALICE.0, ALICE.1).expect(401).field("challenge")).collect();
    server.answer(&challenges[0], &server.code(&app)).refused(401, "This sign-in has expired; sign in again");
    server.answer(&challenges[1], &server.code(&app)).expect(200);
}

#[test]
fn with_second_factors_off_the_password_alone_signs_in_and_what_was_set_up_is_kept() {
    enrolled!(&[] => server, _admin, id, app);
    let access = server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app))).access;
    let mut passkey = server.add_passkey(&id, &access, ALICE.1);
    let offered = server.ask_for_passkey();
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    let clock = server.clock.clone();
    let dir = server.stop();
    let server = crate::support::requests::with(&[("second_factor", "off")]).clock(&clock).in_dir(&dir).start();
    server.advance(30);
    let access = server.login(ALICE.0, ALICE.1).access;
    let base = format!("/api/v1/users/{id}/factors");
    let password = json!({ "current_password": ALICE.1 });
    let code = json!({ "code": server.code(&app) });
    let answer = json!({ "challenge": asked["challenge"], "code": server.code(&app) });
    let credential = passkey.get(&offered["options"]);
    let alone = json!({ "challenge": offered["challenge"], "credential": credential });
    for (path, body) in [
        (format!("{base}/totp"), &password),
        (format!("{base}/totp/confirm"), &code),
        (format!("{base}/passkey/options"), &password),
        (format!("{base}/passkey"), &alone),
        (format!("{base}/recovery-codes"), &password),
        ("/api/v1/login/second-factor".to_owned(), &answer),
        ("/api/v1/login/passkey/options".to_owned(), &json!({})),
        ("/api/v1/login/passkey".to_owned(), &alone),
        ("/api/v1/login/again".to_owned(), &code),
        ("/api/v1/login/again".to_owned(), &alone),
    ] {
        let refused = server.call("POST", &path, &access, body);
        assert_eq!((refused.status, refused.detail().as_str()), (404, "Not Found"), "{path}");
    }
    let again = server.call("POST", "/api/v1/login/again", &access, &json!({ "password": ALICE.1 })).expect(200);
    let access = again.field("access_token");
    let kept = server.factors(&id, &access)["factors"].clone();
    let path = |n: usize| format!("{base}/{}", kept[n]["id"].as_str().unwrap());
    server.call("PATCH", &path(0), &access, &json!({ "name": "Phone" })).expect(200);
    server.call("DELETE", &path(0), &access, &password).expect(200);
    server.call("DELETE", &path(1), &_admin, &serde_json::Value::Null).expect(200);
}

#[test]
fn sessions_begun_while_second_factors_were_off_stay_when_they_are_on_again() {
    enrolled!(&[] => server, _admin, id, _app);
    let clock = server.clock.clone();
    let dir = server.stop();
    let server = crate::support::requests::with(&[("second_factor", "off")]).clock(&clock).in_dir(&dir).start();
    let tokens = server.login(ALICE.0, ALICE.1);
    let dir = server.stop();
    let server = crate::support::requests::with(&[("second_factor", "everybody")]).clock(&clock).in_dir(&dir).start();
    assert_eq!(server.try_login(ALICE.0, ALICE.1).detail(), "Second factor required");
    assert_eq!(server.whoami(&tokens.access).field("id"), id);
    let access = server.refresh(&tokens.refresh).expect(200).field("access_token");
    server.get("/api/v1/sessions").bearer(&access).send().expect(200);
}

#[test]
fn a_user_who_lacks_a_required_factor_can_only_set_one_up() {
    let (server, _, id) = with_alice(&[]);
    let key = server.create_key(&server.login(ALICE.0, ALICE.1).access, "script").1;
    let clock = server.clock.clone();
    let dir = server.stop();
    let server = crate::support::requests::with(&[("second_factor", "everybody")]).clock(&clock).in_dir(&dir).start();
    let access = server.login(ALICE.0, ALICE.1).access;
    assert_eq!(server.whoami(&access).status, 200);
    let read = format!("/api/v1/users/{id}");
    let refused = server.call("GET", &read, &access, &serde_json::Value::Null);
    refused.refused(403, "Set up a second factor first");
    assert_eq!(server.factors(&id, &access)["required"], true);
    assert_eq!(server.call_by_key("GET", &read, &key, &serde_json::Value::Null).status, 200, "API keys go on working");
    server.enroll(&id, &access, ALICE.1);
    assert_eq!(server.call("GET", &read, &access, &serde_json::Value::Null).status, 200);
}
