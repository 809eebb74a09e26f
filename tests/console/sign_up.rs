//! The sign-up page with each value of `signup`.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

fn fill(browser: &Browser, name: &str, password: &str) {
    browser.is_at("Create an account");
    browser.fill("User name", name);
    browser.fill("New password", password);
    browser.fill("Repeat password", password);
    browser.click("Create account");
}

#[needs(browser)]
#[test]
fn a_signed_up_account_waits_for_approval_and_then_works() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    browser.click("Create an account");
    browser.is_at("Create an account");
    browser.has_focus("User name");
    browser.sees("must approve your account");
    // The address works with back, forward and reload.
    browser.run("history.back()");
    browser.is_at("Sign in");
    browser.run("history.forward()");
    browser.is_at("Create an account");
    browser.cdp("Page.reload", &json!({}));
    // Each error is next to its field.
    for (name, password, field, fault) in [
        ("", PASSWORD, "User name", "Fill in this field."),
        ("erika", "short", "New password", "at least 8"),
        ("erika", "password123", "New password", "common"),
        ("erika-mustermann", "erika-mustermann", "New password", "name"),
    ] {
        fill(&browser, name, password);
        browser.sees_field_error(field, fault);
        browser.has_focus(field);
    }
    browser.fill("Repeat password", PASSWORD);
    browser.click("Create account");
    browser.sees_field_error("Repeat password", "don’t match");
    fill(&browser, ADMIN.0, PASSWORD);
    browser.sees_field_error("User name", "This username is unavailable.");
    fill(&browser, "erika", PASSWORD);
    browser.is_at("Sign in");
    browser.announces("erika is waiting for approval.");
    browser.has_focus("User name");
    browser.sign_in("erika", PASSWORD);
    browser.finds("//*[@role=\"alert\" and contains(., \"Waiting for approval\")]");
    let (admin, id) = (server.admin(), server.query::<String>("SELECT lower(hex(uuid)) FROM users ORDER BY id DESC"));
    server.patch(format!("/api/v1/users/{id}")).bearer(&admin).json(&json!({ "is_active": true })).send().expect(200);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn with_open_sign_up_a_new_account_works_at_once() {
    let server = Server::with().set("signup", "open").start();
    let browser = Browser::open(&format!("{}/#/sign-up", server.url));
    browser.is_at("Create an account");
    browser.does_not_see("must approve");
    fill(&browser, "erika", PASSWORD);
    browser.is_at("My account");
    assert_eq!(browser.run("return location.hash"), "#/");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn with_closed_sign_up_the_page_does_not_exist() {
    let server = Server::with().set("signup", "closed").start();
    let browser = Browser::open(&format!("{}/#/sign-up", server.url));
    browser.is_at("Sign in");
    browser.does_not_see("Create an account");
}
