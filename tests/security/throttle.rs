//! Failed attempts are throttled, and an attacker can't use that to lock users out.

use serde_json::{Value, json};

use crate::support::requests::{start, with};
use crate::support::server::ADMIN;

const WRONG: &str = "not-the-password";

#[test]
fn after_sixteen_failures_even_the_right_password_is_throttled() {
    let server = start(&[]);
    for _ in 0..16 {
        assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, WRONG).status, 401);
    }
    let refused = server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1);
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.json(), json!({"detail": "Too many requests. Please try again later.", "retry_after": "1"}));
    server.advance(1);
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, WRONG).status, 401);
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).header("retry-after"), Some("2"));
}

#[test]
fn waits_double_up_to_15_minutes_and_survive_a_restart() {
    let server = start(&[]);
    let mut waits = Vec::new();
    let mut elapsed = 0;
    for _ in 0..28 {
        let answer = server.try_login_from("192.0.2.1", ADMIN.0, WRONG);
        if answer.status == 429 {
            let wait: i64 = answer.field("retry_after").parse().unwrap();
            waits.push(wait);
            server.advance(wait);
            elapsed += wait;
            assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, WRONG).status, 401);
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    let dir = server.stop();
    let restarted = with(&[]).in_dir(&dir).start();
    restarted.advance(elapsed);
    assert_eq!(restarted.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).header("retry-after"), Some("900"));
}

#[test]
fn unknown_names_are_throttled_like_known_ones() {
    let server = start(&[]);
    for name in [ADMIN.0, "ghost"] {
        let statuses: Vec<u16> = (0..18).map(|_| server.try_login_from("192.0.2.1", name, WRONG).status).collect();
        assert_eq!(statuses, [&[401; 16][..], &[429; 2]].concat(), "{name}");
    }
}

#[test]
fn an_attacker_cannot_lock_a_user_out_of_a_known_network() {
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
fn one_network_cannot_try_many_accounts_and_an_ipv6_customer_is_one_network() {
    let server = start(&[]);
    let statuses: Vec<u16> =
        (0..82).map(|n| server.try_login_from(&format!("2001:db8::{n}"), &format!("name{n}"), WRONG).status).collect();
    assert_eq!(statuses.iter().position(|status| *status == 429), Some(80));
    assert_eq!(server.try_login_from("2001:db8:0:1::1", "name", WRONG).status, 401);
}

#[test]
fn a_success_clears_the_pair_but_not_the_network() {
    let server = start(&[]);
    for _ in 0..19 {
        for _ in 0..4 {
            server.try_login_from("192.0.2.1", ADMIN.0, WRONG);
        }
        assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200);
    }
    for n in 0..4 {
        assert_eq!(server.try_login_from("192.0.2.1", &format!("name{n}"), WRONG).status, 401);
    }
    assert_eq!(server.try_login_from("192.0.2.1", "another", WRONG).status, 429, "the network has failed eighty times");
}

#[test]
fn wrong_current_passwords_count_like_failed_sign_ins() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let id = server.call("GET", "/api/v1/users/whoami", &admin, &Value::Null).field("id");
    let path = format!("/api/v1/users/{id}/reset-password");
    let guess = |current: &str| {
        server.call("PATCH", &path, &admin, &json!({"password": "zebra-mug-41", "current_password": current})).status
    };
    let statuses: Vec<u16> = (0..17).map(|_| guess(WRONG)).collect();
    assert_eq!(statuses, [&[400; 16][..], &[429]].concat());
    assert_eq!(guess(ADMIN.1), 429);
    server.advance(1);
    assert_eq!(guess(ADMIN.1), 200);
}

#[test]
fn sign_ups_are_limited_per_network_and_by_waiting_accounts() {
    let server = start(&[("signup_max_waiting", "40")]);
    let sign_up = |from: &str, name: String| {
        let body = json!({"username": name, "password": "quiet-otter-7"});
        server.from(from, "POST", "/api/v1/users/").json(&body).send().status
    };
    let statuses: Vec<u16> = (0..11).map(|n| sign_up("192.0.2.1", format!("a{n}"))).collect();
    assert_eq!(statuses.iter().position(|status| *status == 429), Some(10));
    for place in 2..5 {
        let statuses: Vec<u16> =
            (0..10).map(|n| sign_up(&format!("192.0.2.{place}"), format!("b{place}{n}"))).collect();
        assert_eq!(statuses, [201; 10]);
    }
    assert_eq!(sign_up("192.0.2.5", "c0".to_owned()), 429, "forty wait already");
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let added = server.call("POST", "/api/v1/users/", &admin, &json!({"username": "c", "password": "quiet-otter-7"}));
    assert_eq!(added.status, 201, "superusers are not limited");
}

#[test]
fn accounts_that_superusers_made_inactive_do_not_close_sign_up() {
    let server = start(&[("signup", "approval"), ("signup_max_waiting", "4")]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    for name in ["a", "b", "c", "d", "e"] {
        let body = json!({"username": name, "password": "quiet-otter-7"});
        let added = server.call("POST", "/api/v1/users/", &admin, &body);
        assert_eq!(added.expect(201).json()["is_active"], false);
    }
    let body = json!({"username": "stranger", "password": "quiet-otter-7"});
    server.from("192.0.2.1", "POST", "/api/v1/users/").json(&body).send().expect(201);
}

#[test]
fn signing_up_with_taken_names_counts_too() {
    let server = start(&[]);
    let body = json!({"username": ADMIN.0, "password": "quiet-otter-7"});
    let sign_up = || server.from("192.0.2.1", "POST", "/api/v1/users/").json(&body).send().status;
    let statuses: Vec<u16> = (0..11).map(|_| sign_up()).collect();
    assert_eq!(statuses.iter().position(|status| *status == 429), Some(10), "{statuses:?}");
}

#[test]
fn failure_counts_decay_with_one_failure_a_day() {
    let server = start(&[]);
    for n in 0..45 {
        assert_eq!(server.try_login_from(&format!("198.51.100.{n}"), ADMIN.0, WRONG).status, 401);
        assert_eq!(server.try_login_from("192.0.2.1", &format!("name{n}"), WRONG).status, 401);
        server.advance(23 * 3600);
    }
    server.try_login_from("198.51.100.100", ADMIN.0, WRONG);
    server.try_login_from("192.0.2.1", "ghost", WRONG);
    assert_eq!(server.try_login_from("203.0.113.9", ADMIN.0, ADMIN.1).status, 200, "the account's");
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200, "the place's");
}

#[test]
fn throttling_can_be_turned_off() {
    let server = start(&[("throttle", "false")]);
    assert!((0..30).all(|_| server.try_login_from("192.0.2.1", ADMIN.0, WRONG).status == 401));
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200);
}

#[test]
fn one_network_gets_a_quarter_of_the_waiting_accounts() {
    let server = start(&[("trusted_proxies", "127.0.0.1"), ("signup_max_waiting", "8")]);
    let sign_up = |address: &str, name: &str| {
        let body = json!({ "username": name, "password": "quiet-otter-7" });
        server.from(address, "POST", "/api/v1/users/").json(&body).send()
    };
    let id = sign_up("192.0.2.1", "one").expect(201).field("id");
    sign_up("192.0.2.1", "two").expect(201);
    assert_eq!(sign_up("192.0.2.1", "three").expect(429).header("retry-after"), Some("3600"));
    sign_up("192.0.2.2", "four").expect(201);
    let admin = server.admin();
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &json!({ "is_active": true })).expect(200);
    sign_up("192.0.2.1", "three").expect(201);
}
