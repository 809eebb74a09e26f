//! Invitations: created and revoked by an administrator, accepted by opening the link.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

fn open(browser: &Browser, link: &str) {
    // Loads another page first, because an address with only another fragment isn't reloaded.
    browser.go("about:blank");
    browser.go(link);
    browser.is_at("Create your account");
}

#[needs(browser)]
#[test]
fn an_invitation_creates_an_account_and_signs_in() {
    let server = Server::with().set("signup", "closed").start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("Invitations");
    browser.is_at("Invitations");
    browser.sees("No open invitations.");
    browser.click("New invitation");
    assert_eq!(browser.value("Valid for"), "7");
    browser.fill("Number of accounts", "2");
    browser.fill("User name (optional)", "erika");
    browser.click("Create link");
    browser.sees_field_error("Number of accounts", "one use");
    browser.fill("Number of accounts", "1");
    browser.click("Create link");
    browser.sees("erika can use this link until");
    let link = browser.value("Invitation link");
    browser.click("Done");
    browser.finds("//main//li[contains(., \"erika\") and contains(., \"used 0 of 1\")]");
    browser.click("Sign out");
    browser.is_at("Sign in");

    open(&browser, &link);
    assert_eq!(browser.value("User name"), "erika");
    assert_eq!(browser.run("return location.hash"), "");
    browser.fill("New password", "short");
    browser.fill("Repeat password", "short");
    browser.click("Create account");
    browser.sees_field_error("New password", "at least 8");
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click("Create account");
    browser.is_at("My account");
    server.login("erika", PASSWORD);
    browser.click("Sign out");
    browser.is_at("Sign in");
    open(&browser, &link);
    browser.sees("The invitation is no longer valid");
    browser.click("Go to sign-in");
    browser.is_at("Sign in");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_revoked_invitation_fails_and_a_taken_name_is_a_field_error() {
    let server = Server::start();
    let made = server.post("/api/v1/invitations").bearer(&server.admin()).json(&json!({ "max_uses": 3 })).send();
    let link = made.expect(201).field("link");
    let browser = Browser::open(&link);
    browser.is_at("Create your account");
    browser.fill("User name", "admin");
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click("Create account");
    browser.sees_field_error("User name", "unavailable");
    browser.go(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("Invitations");
    browser.click("Revoke invitation: Any user name");
    browser.click("Revoke");
    browser.announces("The invitation was revoked.");
    browser.sees("No open invitations.");
    open(&browser, &link);
    browser.sees("The invitation is no longer valid");
    assert_eq!(browser.console_errors(), [""; 0]);
}
