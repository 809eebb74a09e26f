//! Links for setup, invitations and new passwords.

use chrono::TimeDelta;
use needs::needs;
use serde_json::json;
use usher::server::FirstSuperuser;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const VOID: &str = "The reset link is no longer valid; ask for a new one";

fn open(browser: &Browser, link: &str) {
    // An address with only another fragment isn't reloaded.
    browser.go("about:blank");
    browser.go(link);
    browser.is_at("Set a new password");
}

fn set_password(browser: &Browser, link: &str, password: &str) {
    open(browser, link);
    browser.fill("New password", password);
    browser.fill("Repeat password", password);
    browser.click("Set password");
}

#[needs(browser)]
#[test]
fn a_new_reset_link_replaces_the_old_one_and_using_it_ends_all_sessions() {
    let server = Server::start();
    let admin = server.admin();
    let (id, erika) = server.member(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.click("Create reset link");
    let older = browser.value("Reset link");
    browser.click("Done");
    browser.click("Create reset link");
    let newer = browser.value("Reset link");
    assert_ne!(older, newer);
    browser.click("Done");

    open(&browser, &older);
    browser.sees(VOID);
    server.whoami(&erika.access).expect(200);
    set_password(&browser, &newer, "short");
    browser.sees_field_error("New password", "at least 8");
    browser.fill("New password", "a fresh start 9");
    browser.fill("Repeat password", "a fresh start 9");
    browser.click("Set password");
    browser.is_at("My account");
    server.whoami(&erika.access).expect(401);
    assert_eq!(server.try_login("erika", PASSWORD).status, 401);
    server.login("erika", "a fresh start 9");
    server.whoami(&admin).expect(200);
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_reset_link_works_for_24_hours() {
    let server = Server::with().manual_clock().start();
    let admin = server.admin();
    let id = server.add_active(&admin, "erika");
    let make = || {
        let admin = server.admin();
        let made = server.post(format!("/api/v1/users/{id}/reset-link")).bearer(&admin).json(&json!({})).send();
        made.expect(201).json()["link"].as_str().unwrap().to_owned()
    };
    let late = make();
    server.clock.advance(TimeDelta::hours(24));
    let browser = Browser::open(&server.url);
    open(&browser, &late);
    browser.sees(VOID);
    let in_time = make();
    server.clock.advance(TimeDelta::hours(24) - TimeDelta::seconds(1));
    set_password(&browser, &in_time, "a fresh start 9");
    browser.is_at("My account");
    server.login("erika", "a fresh start 9");
}

/// Fills in the form of a link that is used elsewhere meanwhile, and follows the way to sign-in.
fn is_led_to_sign_in(browser: &Browser, submit: &str, reason: &str) {
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click(submit);
    browser.sees(reason);
    browser.click("Go to sign-in");
    browser.is_at("Sign in");
}

#[needs(browser)]
#[test]
fn a_setup_link_used_in_another_tab_leads_to_sign_in() {
    let server = Server::with().without_superuser().start();
    let FirstSuperuser::Link(link) = &server.first_superuser else { panic!("{:?}", server.first_superuser) };
    let browser = Browser::open(link.expose());
    browser.is_at("Welcome");
    browser.fill("User name", "second");
    let token = link.expose().split_once("#token=").unwrap().1;
    let body = json!({ "token": token, "username": "first", "password": PASSWORD });
    server.post("/api/v1/setup").json(&body).send().expect(201);
    is_led_to_sign_in(&browser, "Create account", "Setup is complete");
}

#[needs(browser)]
#[test]
fn a_link_used_by_another_person_meanwhile_leads_to_sign_in() {
    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "erika");
    let made = server.post("/api/v1/invitations").bearer(&admin).json(&json!({})).send().expect(201);
    let invitation = made.field("link");
    let browser = Browser::open(&invitation);
    browser.is_at("Create your account");
    browser.fill("User name", "second");
    let token = invitation.split_once("#token=").unwrap().1;
    let body = json!({ "token": token, "username": "first", "password": PASSWORD });
    server.post("/api/v1/invitations/accept").json(&body).send().expect(201);
    is_led_to_sign_in(&browser, "Create account", "The invitation is no longer valid");

    let make = || {
        server
            .post(format!("/api/v1/users/{id}/reset-link"))
            .bearer(&admin)
            .json(&json!({}))
            .send()
            .expect(201)
            .field("link")
    };
    open(&browser, &make());
    make();
    is_led_to_sign_in(&browser, "Set password", VOID);
}
