//! Failed attempts are slowed down, and nobody can use that against somebody else.

use serde_json::{Value, json};

use crate::attack::{Attacked, start, with};
use crate::support::server::ADMIN;

const WRONG: &str = "not-the-password";

#[test]
fn the_first_five_failures_are_free_and_then_even_the_right_password_waits() {
    let server = start(&[]);
    for _ in 0..5 {
        assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, WRONG).status, 401);
    }
    let refused = server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.json(), json!({"detail": "Too many requests. Please try again later.", "retry_after": "1"}));
    server.wait(1);
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, WRONG).status, 401);
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).header("retry-after"), Some("2"));
}

#[test]
fn waits_double_up_to_a_quarter_of_an_hour_and_survive_a_restart() {
    let server = start(&[]);
    let mut waits = Vec::new();
    let mut elapsed = 0;
    for _ in 0..17 {
        let answer = server.try_login_from("192.0.2.1", ADMIN.0, WRONG);
        if answer.status == 429 {
            let wait: i64 = answer.field("retry_after").parse().unwrap();
            waits.push(wait);
            server.wait(wait);
            elapsed += wait;
            assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, WRONG).status, 401);
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    let dir = server.stop();
    let restarted = with(&[]).in_dir(&dir).start();
    restarted.wait(elapsed);
    assert_eq!(restarted.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).header("retry-after"), Some("900"));
}

#[test]
fn names_that_nobody_has_wait_as_long_as_names_that_somebody_has() {
    let server = start(&[]);
    for name in [ADMIN.0, "ghost"] {
        let statuses: Vec<u16> = (0..7).map(|_| server.try_login_from("192.0.2.1", name, WRONG).status).collect();
        assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429], "{name}");
    }
}

#[test]
fn an_attacker_elsewhere_cannot_lock_somebody_out_of_a_known_place() {
    let server = start(&[]);
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200);
    for n in 0..30 {
        server.try_login_from(&format!("198.51.100.{n}"), ADMIN.0, WRONG);
    }
    let elsewhere = server.try_login_from("203.0.113.9", ADMIN.0, ADMIN.1);
    assert_eq!(elsewhere.status, 429, "the account as a whole waits where its owner is not known");
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200, "but not at home");
}

#[test]
fn one_place_cannot_try_many_accounts_for_free_and_an_ipv6_customer_is_one_place() {
    let server = start(&[]);
    let statuses: Vec<u16> =
        (0..42).map(|n| server.try_login_from(&format!("2001:db8::{n}"), &format!("name{n}"), WRONG).status).collect();
    assert_eq!(statuses.iter().position(|status| *status == 429), Some(40));
    assert_eq!(server.try_login_from("2001:db8:0:1::1", "name", WRONG).status, 401);
}

#[test]
fn a_success_clears_the_pair_but_not_the_place() {
    let server = start(&[]);
    for _ in 0..9 {
        for _ in 0..4 {
            server.try_login_from("192.0.2.1", ADMIN.0, WRONG);
        }
        assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200);
    }
    for n in 0..4 {
        assert_eq!(server.try_login_from("192.0.2.1", &format!("name{n}"), WRONG).status, 401);
    }
    assert_eq!(server.try_login_from("192.0.2.1", "another", WRONG).status, 429, "the place has failed forty times");
}

#[test]
fn wrong_current_passwords_count_like_failed_log_ins() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.call("GET", "/api/v1/users/whoami", &admin, &Value::Null).field("id");
    let path = format!("/api/v1/users/{id}/reset-password");
    let guess = |current: &str| {
        server.call("PATCH", &path, &admin, &json!({"password": "zebra-mug-41", "current_password": current})).status
    };
    let statuses: Vec<u16> = (0..6).map(|_| guess(WRONG)).collect();
    assert_eq!(statuses, [400, 400, 400, 400, 400, 429]);
    assert_eq!(guess(ADMIN.1), 429);
    server.wait(1);
    assert_eq!(guess(ADMIN.1), 200);
}

#[test]
fn sign_ups_are_limited_by_place_and_by_how_many_wait_for_approval() {
    let server = start(&[("signup_max_waiting", "15")]);
    let sign_up = |from: &str, name: String| {
        let body = json!({"username": name, "password": "quiet-otter-7"});
        server.from(from, "POST", "/api/v1/users/").json(&body).send().status
    };
    let statuses: Vec<u16> = (0..11).map(|n| sign_up("192.0.2.1", format!("a{n}"))).collect();
    assert_eq!(statuses.iter().position(|status| *status == 429), Some(10));
    let statuses: Vec<u16> = (0..6).map(|n| sign_up("192.0.2.2", format!("b{n}"))).collect();
    assert_eq!(statuses, [201, 201, 201, 201, 201, 429], "fifteen wait already");
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let added = server.call("POST", "/api/v1/users/", &admin, &json!({"username": "c", "password": "quiet-otter-7"}));
    assert_eq!(added.status, 201, "superusers are not limited");
}

#[test]
fn throttling_can_be_switched_off() {
    let server = start(&[("throttle", "false")]);
    assert!((0..30).all(|_| server.try_login_from("192.0.2.1", ADMIN.0, WRONG).status == 401));
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200);
}
