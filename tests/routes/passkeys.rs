//! Passkeys: complete ceremonies with a software authenticator.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::authenticator::Authenticator;
use crate::support::requests::{ALICE, with, with_alice};

const ALONE: &str = "/api/v1/login/passkey";
const SECOND: &str = "/api/v1/login/second-factor";

/// Starts a server with a user who has a passkey. Returns the server, a superuser's token, the user's id and token, and
/// the passkey.
fn enrolled(settings: &[(&str, &str)]) -> (Server, String, String, String, Authenticator) {
    let (server, admin, id) = with_alice(settings);
    let access = server.login(ALICE.0, ALICE.1).access;
    let passkey = server.add_passkey(&id, &access, ALICE.1);
    (server, admin, id, access, passkey)
}

#[test]
fn a_passkey_alone_signs_in_and_is_named_in_the_audit_log() {
    let (server, admin, id, access, mut passkey) = enrolled(&[]);
    let listed = server.factors(&id, &access)["factors"][0].clone();
    assert_eq!(
        (&listed["kind"], &listed["name"], &listed["usable_here"]),
        (&json!("passkey"), &json!("Laptop"), &json!(true))
    );
    assert_eq!(listed["last_used_at"], Value::Null);
    let signed_in = server.passkey_login(&mut passkey).expect(200);
    assert_eq!(server.whoami(&signed_in.field("access_token")).field("id"), id);
    assert!(signed_in.set_cookie("refresh_token_lf").is_some());
    assert_eq!(server.audit(&admin, "login")[0]["detail"], "passkey");
    assert!(server.factors(&id, &access)["factors"][0]["last_used_at"].is_string());
}

#[test]
fn a_passkey_is_a_second_factor_for_the_password() {
    let (server, _, id, _, mut passkey) = enrolled(&[]);
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    assert_eq!(asked["factors"], json!(["passkey"]));
    // As a second factor, a touch is enough, unless the passkey verified its user when it was added.
    let credential = passkey.get(&asked["passkey_options"]);
    let signed_in = server.send_assertion(SECOND, &asked["challenge"], &credential).expect(200);
    assert_eq!(server.whoami(&signed_in.field("access_token")).field("id"), id);
    server
        .send_assertion(SECOND, &asked["challenge"], &credential)
        .refused(401, "This sign-in has expired; sign in again");
}

#[test]
fn a_touch_only_security_key_is_a_second_factor_but_never_the_only_one() {
    let (server, _, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let mut key = Authenticator { verifies: false, ..Authenticator::at(&server) };
    let offered = server.passkey_options(&id, &access, ALICE.1);
    let credential = key.create(&offered["options"]);
    server.send_passkey(&id, &access, &offered["challenge"], &credential).expect(201);
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    server.send_assertion(SECOND, &asked["challenge"], &key.get(&asked["passkey_options"])).expect(200);
    server.passkey_login(&mut key).refused(401, "The passkey must verify you, by PIN, fingerprint or face");
}

#[test]
fn a_security_key_added_by_touch_never_signs_in_alone_even_if_it_verifies_later() {
    let (server, _, id) = with_alice(&[("throttle", "false")]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let mut key = Authenticator { verifies: false, ..Authenticator::at(&server) };
    let offered = server.passkey_options(&id, &access, ALICE.1);
    let credential = key.create(&offered["options"]);
    server.send_passkey(&id, &access, &offered["challenge"], &credential).expect(201);
    key.verifies = true;
    let refusal = "The passkey must verify you, by PIN, fingerprint or face";
    server.passkey_login(&mut key).refused(401, refusal);
    // Neither does it after it verified its user as a second factor.
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    let signed_in = server.send_assertion(SECOND, &asked["challenge"], &key.get(&asked["passkey_options"])).expect(200);
    server.passkey_login(&mut key).refused(401, refusal);
    let access = signed_in.field("access_token");
    let offered = server.ask_for_passkey();
    let body = json!({ "challenge": offered["challenge"], "credential": key.get(&offered["options"]) });
    server.call("POST", "/api/v1/login/again", &access, &body).refused(400, refusal);
    key.verifies = false;
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    server.send_assertion(SECOND, &asked["challenge"], &key.get(&asked["passkey_options"])).expect(200);
}

#[test]
fn a_passkey_that_does_not_verify_is_told_so_as_a_second_factor() {
    let (server, admin, id, access, mut passkey) = enrolled(&[]);
    passkey.verifies = false;
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    let credential = passkey.get(&asked["passkey_options"]);
    let answer = || server.send_assertion(SECOND, &asked["challenge"], &credential);
    // A passkey that verified its user when it was added must do so as a second factor, too.
    answer().refused(401, "The passkey must verify you, by PIN, fingerprint or face");
    assert_eq!(server.audit(&admin, "login")[0]["detail"], "wrong second factor");
    for _ in 1..5 {
        assert_eq!(answer().status, 401);
    }
    answer().refused(401, "This sign-in has expired; sign in again");
    // A challenge from before the first passkey has no options for it.
    let factor = server.factors(&id, &access)["factors"][0]["id"].as_str().unwrap().to_owned();
    server.enroll(&id, &access, ALICE.1);
    server.call("DELETE", &format!("/api/v1/users/{id}/factors/{factor}"), &admin, &json!({})).expect(200);
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    let mut new = server.add_passkey(&id, &access, ALICE.1);
    let credential = new.get(&server.ask_for_passkey()["options"]);
    let refused = server.send_assertion(SECOND, &asked["challenge"], &credential);
    refused.refused(401, "The passkey could not be verified");
}

#[test]
fn an_answer_works_once_within_five_minutes_and_from_its_own_network() {
    let (server, _, _, _, mut passkey) = enrolled(&[]);
    let offered = server.ask_for_passkey();
    let credential = passkey.get(&offered["options"]);
    server.send_assertion(ALONE, &offered["challenge"], &credential).expect(200);
    let again = server.send_assertion(ALONE, &offered["challenge"], &credential);
    again.refused(401, "This sign-in has expired; sign in again");
    // The counter is newer, but the challenge is the same.
    let newer = passkey.get(&offered["options"]);
    server.send_assertion(ALONE, &offered["challenge"], &newer).refused(401, "This sign-in has expired; sign in again");

    let offered = server.ask_for_passkey();
    let body = json!({ "challenge": offered["challenge"], "credential": passkey.get(&offered["options"]) });
    let elsewhere = server.from("192.0.2.1", "POST", ALONE).json(&body).send();
    elsewhere.refused(401, "This sign-in has expired; sign in again");
    server.advance(300);
    server.post(ALONE).json(&body).send().refused(401, "This sign-in has expired; sign in again");
}

#[test]
fn an_answer_to_another_challenge_or_of_another_site_is_refused() {
    let (server, admin, _, _, passkey) = enrolled(&[("throttle", "false")]);
    let invalid = "The passkey could not be verified";
    let mut honest = passkey.clone();
    let credential = honest.get(&server.ask_for_passkey()["options"]);
    server.send_assertion(ALONE, &server.ask_for_passkey()["challenge"], &credential).refused(401, invalid);
    let elsewhere = [
        Authenticator { origin: "https://evil.example".to_owned(), ..passkey.clone() },
        Authenticator { origin: server.url.replace("127.0.0.1", "usher.localhost"), ..passkey.clone() },
        Authenticator { origin: "http://localhost:1".to_owned(), ..passkey.clone() },
        Authenticator { rp_id: "evil.example".to_owned(), ..passkey.clone() },
    ];
    for mut other in elsewhere {
        server.passkey_login(&mut other).refused(401, invalid);
        let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
        let credential = other.get(&asked["passkey_options"]);
        server.send_assertion(SECOND, &asked["challenge"], &credential).refused(401, invalid);
    }
    let failures = server.audit(&admin, "login");
    assert_eq!((&failures[0]["success"], &failures[0]["detail"]), (&json!(false), &json!("wrong second factor")));
}

#[test]
fn a_passkey_made_at_another_site_is_not_added() {
    let (server, _, id) = with_alice(&[]);
    let access = server.login(ALICE.0, ALICE.1).access;
    let here = Authenticator::at(&server);
    let elsewhere = [
        Authenticator { origin: "https://evil.example".to_owned(), ..here.clone() },
        Authenticator { rp_id: "evil.example".to_owned(), ..here.clone() },
    ];
    for mut other in elsewhere {
        let offered = server.passkey_options(&id, &access, ALICE.1);
        let credential = other.create(&offered["options"]);
        let refused = server.send_passkey(&id, &access, &offered["challenge"], &credential);
        refused.refused(400, "The passkey could not be verified");
    }
    assert_eq!(server.factors(&id, &access)["factors"], json!([]));
}

#[test]
fn an_answer_from_inside_another_sites_page_is_refused() {
    let (server, _, id, access, passkey) = enrolled(&[("throttle", "false")]);
    let invalid = "The passkey could not be verified";
    let frames = [
        json!({ "crossOrigin": true }),
        json!({ "crossOrigin": true, "topOrigin": "https://evil.example" }),
        json!({ "crossOrigin": false, "topOrigin": "https://evil.example" }),
        json!({ "topOrigin": null }),
    ];
    for frame in frames {
        let mut framed = Authenticator { frame, ..passkey.clone() };
        server.passkey_login(&mut framed).refused(401, invalid);
        let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
        let credential = framed.get(&asked["passkey_options"]);
        server.send_assertion(SECOND, &asked["challenge"], &credential).refused(401, invalid);
        let offered = server.ask_for_passkey();
        let body = json!({ "challenge": offered["challenge"], "credential": framed.get(&offered["options"]) });
        server.call("POST", "/api/v1/login/again", &access, &body).refused(400, invalid);
        let mut new = Authenticator { frame: framed.frame, ..Authenticator::at(&server) };
        let offered = server.passkey_options(&id, &access, ALICE.1);
        let credential = new.create(&offered["options"]);
        server.send_passkey(&id, &access, &offered["challenge"], &credential).refused(400, invalid);
    }
    // Older browsers say nothing about the frame.
    server.passkey_login(&mut Authenticator { frame: json!({}), counter: 100, ..passkey }).expect(200);
}

#[test]
fn a_counter_that_goes_back_is_refused_until_it_is_ahead_again() {
    let (server, admin, _, access, mut passkey) = enrolled(&[("throttle", "false")]);
    let mut copy = passkey.clone();
    let newest = |action: &str| {
        let entry = server.audit(&admin, action)[0].clone();
        (entry["success"].clone(), entry["detail"].clone(), entry["count"].clone())
    };
    let copied = |count: u32| (json!(false), json!("passkey counter went back"), json!(count));
    for _ in 0..3 {
        server.passkey_login(&mut passkey).expect(200);
    }
    let cloned = "The passkey's counter went back, so it may have been copied; ask an administrator";
    server.passkey_login(&mut copy).refused(401, cloned);
    assert_eq!(newest("login"), copied(1));
    let asked = server.try_login(ALICE.0, ALICE.1).expect(401).json();
    server.send_assertion(SECOND, &asked["challenge"], &copy.get(&asked["passkey_options"])).refused(401, cloned);
    assert_eq!(newest("login"), copied(2));
    let offered = server.ask_for_passkey();
    let body = json!({ "challenge": offered["challenge"], "credential": copy.get(&offered["options"]) });
    server.call("POST", "/api/v1/login/again", &access, &body).refused(400, cloned);
    assert_eq!(newest("login.again"), copied(1));
    server.passkey_login(&mut copy).expect(200);
    assert_eq!(server.audit(&admin, "login")[0]["success"], true);
}

#[test]
fn another_users_passkey_answers_no_challenge_and_cannot_be_added() {
    let (server, admin, id, access, mut passkey) = enrolled(&[]);
    let (bob, theirs) = server.member(&admin, "bob");
    server.add_passkey(&bob, &theirs.access, crate::support::server::PASSWORD);
    let asked = server.try_login("bob", crate::support::server::PASSWORD).expect(401).json();
    let credential = passkey.get(&asked["passkey_options"]);
    server.send_assertion(SECOND, &asked["challenge"], &credential).refused(401, "The passkey could not be verified");
    // Adds the same credential to another account and to the same one.
    for (id, access, password) in [(&bob, &theirs.access, crate::support::server::PASSWORD), (&id, &access, ALICE.1)] {
        let offered = server.passkey_options(id, access, password);
        let credential = passkey.clone().create(&offered["options"]);
        let refused = server.send_passkey(id, access, &offered["challenge"], &credential);
        let why = if *id == bob { "This passkey is already in use" } else { "The passkey could not be verified" };
        refused.refused(400, why);
    }
    // A challenge belongs to the account that asked for it.
    let offered = server.passkey_options(&bob, &theirs.access, crate::support::server::PASSWORD);
    let credential = Authenticator::at(&server).create(&offered["options"]);
    server.send_passkey(&id, &access, &offered["challenge"], &credential).expect(400);
}

#[test]
fn unknown_and_removed_passkeys_do_not_sign_in() {
    let (server, admin, id, access, mut passkey) = enrolled(&[]);
    let unknown = "This passkey isn't known here";
    server.passkey_login(&mut Authenticator::at(&server)).refused(401, unknown);
    let factor = server.factors(&id, &access)["factors"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{id}/factors/{factor}");
    server.call("DELETE", &path, &admin, &json!({})).expect(200);
    server.passkey_login(&mut passkey).refused(401, unknown);
    let guessed = (0..150).position(|_| server.passkey_login(&mut passkey).status == 429);
    assert!(guessed.is_some() && (0..3).all(|_| server.passkey_login(&mut passkey).status == 429), "{guessed:?}");
}

#[test]
fn an_inactive_users_passkey_does_not_sign_in_but_gets_the_reason() {
    let (server, admin, id, _, mut passkey) = enrolled(&[]);
    let path = format!("/api/v1/users/{id}");
    server.call("PATCH", &path, &admin, &json!({ "is_active": false })).expect(200);
    let mut wrong = Authenticator { origin: "https://evil.example".to_owned(), ..passkey.clone() };
    server.passkey_login(&mut wrong).refused(401, "The passkey could not be verified");
    server.passkey_login(&mut passkey).refused(401, "Inactive user");
}

#[test]
fn a_recent_passkey_replaces_the_current_password_for_ten_minutes() {
    let (server, _, id, _, mut passkey) = enrolled(&[("recent_sign_in_minutes", "15")]);
    let access = server.passkey_login(&mut passkey).expect(200).field("access_token");
    let path = format!("/api/v1/users/{id}/factors/recovery-codes");
    server.advance(599);
    server.call("POST", &path, &access, &json!({})).expect(201);
    server.advance(1);
    server
        .call("POST", &path, &access, &json!({}))
        .refused(403, "Enter your current password, or sign in with a passkey");
    let offered = server.ask_for_passkey();
    let body = json!({ "challenge": offered["challenge"], "credential": passkey.get(&offered["options"]) });
    let access = server.call("POST", "/api/v1/login/again", &access, &body).expect(200).field("access_token");
    server.call("POST", &path, &access, &json!({})).expect(201);
    let again = server.call("POST", "/api/v1/login/again", &access, &body);
    again.refused(400, "This sign-in has expired; sign in again");
}

#[test]
fn signing_in_again_takes_the_passkeys_of_the_same_user_only() {
    let (server, admin, _, _, mut passkey) = enrolled(&[]);
    let offered = server.ask_for_passkey();
    let body = json!({ "challenge": offered["challenge"], "credential": passkey.get(&offered["options"]) });
    server.call("POST", "/api/v1/login/again", &admin, &body).refused(400, "This passkey isn't known here");
}

#[test]
fn encrypted_user_input_is_never_a_valid_challenge() {
    let (server, _, _, access, mut passkey) = enrolled(&[]);
    let options = server.ask_for_passkey()["options"].clone();
    let state = json!({
        "credentials": [], "policy": "discouraged", "challenge": options["publicKey"]["challenge"], "appid": null,
        "allow_backup_eligible_upgrade": false,
    });
    let sealed = json!({ "state": state.to_string(), "network": "127.0.0.1", "expires_at": 9_999_999_999_i64 });
    let saved = server.call("POST", "/api/v1/api_key/store", &access, &json!({ "api_key": sealed.to_string() }));
    let forged = json!(saved.expect(200).cookie("apikey_tkn_lflw").unwrap());
    passkey.verifies = false;
    let credential = passkey.get(&options);
    server.send_assertion(ALONE, &forged, &credential).refused(401, "This sign-in has expired; sign in again");
}

#[test]
fn where_second_factors_are_off_no_passkey_signs_in() {
    let (server, _, _, _, mut passkey) = enrolled(&[]);
    let offered = server.ask_for_passkey();
    let (clock, dir) = (server.clock.clone(), server.stop());
    let server = with(&[("second_factor", "off")]).clock(&clock).in_dir(&dir).start();
    server.post("/api/v1/login/passkey/options").send().expect(404);
    let credential = passkey.get(&offered["options"]);
    server.send_assertion(ALONE, &offered["challenge"], &credential).expect(404);
}

#[test]
fn a_damaged_answer_is_refused_without_a_server_error() {
    let (server, _, _, _, mut passkey) = enrolled(&[("throttle", "false")]);
    let long = "A".repeat(40_000);
    for part in ["authenticatorData", "clientDataJSON", "signature", "userHandle"] {
        for value in ["", "AAAA", "!", long.as_str()] {
            let offered = server.ask_for_passkey();
            let mut credential = passkey.get(&offered["options"]);
            credential["response"][part] = json!(value);
            let status = server.send_assertion(ALONE, &offered["challenge"], &credential).status;
            assert!([401, 422].contains(&status), "{part} {status}");
        }
    }
    for challenge in ["", "gAAAA", &"A".repeat(4097), "\u{0}"] {
        let credential = passkey.get(&server.ask_for_passkey()["options"]);
        let status = server.send_assertion(ALONE, &json!(challenge), &credential).status;
        assert!([401, 422].contains(&status), "{challenge:.10} {status}");
    }
}
