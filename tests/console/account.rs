//! The user's own account: password and API keys.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn a_password_is_changed_with_the_current_one_and_other_sessions_end() {
    let server = Server::start();
    let admin = server.admin();
    let (_, elsewhere) = server.member(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    browser.fill("Current password", "wrong");
    browser.fill("New password", "a fresh start 9");
    browser.fill("Repeat password", "a fresh start 9");
    browser.click("Change password");
    browser.sees_field_error("Current password", "");
    browser.fill("Current password", PASSWORD);
    browser.click("Change password");
    browser.sees("Your password was changed");
    server.whoami(&elsewhere.access).expect(401);
    server.login("erika", "a fresh start 9");
    browser.click("Sign out");
    browser.is_at("Sign in");
}

#[needs(browser)]
#[test]
fn an_api_key_is_shown_once_and_works_until_it_is_deleted() {
    let server = Server::start();
    let admin = server.admin();
    server.member(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    browser.click("New key");
    browser.finds("//dialog");
    browser.fill("Name", "backup");
    browser.choose("Expires", "In a week");
    browser.click("Create key");
    let key = browser.value("API key");
    server.get("/api/v1/users/whoami").key(&key).send().expect(200);
    browser.click("Copy");
    // The message is inside the dialog, because content behind it is hidden from screen readers.
    browser.finds("//dialog//*[@role=\"status\" and .=\"Copied.\"]");
    browser.click("Done");
    browser.finds("//body[not(.//dialog)]//*[@role=\"status\" and .=\"Copied.\"]");
    browser.sees("backup");
    let shown = browser.run("return document.documentElement.outerHTML");
    assert!(!shown.as_str().unwrap().contains(&key));
    browser.click("Delete key: backup");
    browser.click("Delete");
    browser.sees("The key was deleted.");
    assert_ne!(server.get("/api/v1/users/whoami").key(&key).send().status, 200);
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn all_keys_are_deleted_at_once_and_when_a_password_is_reset() {
    let server = Server::start();
    let admin = server.admin();
    let (id, erika) = server.member(&admin, "erika");
    let keys = || ["one", "two"].map(|name| server.create_key(&erika.access, name).1);
    let works = |key: &String| server.get("/api/v1/users/whoami").key(key).send().status == 200;
    let first = keys();
    let browser = Browser::open(&server.url);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    browser.click("Delete all");
    browser.finds("//dialog[contains(., \"Delete all 2 keys?\")]");
    browser.click_at("//dialog//button[.=\"Delete all\"]");
    browser.sees("All keys were deleted.");
    browser.sees("No API keys.");
    assert!(!first.iter().any(works));

    let second = keys();
    browser.click("Sign out");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.finds("//section[@aria-labelledby=\"keys\"]//button[.=\"Delete all\"]");
    browser.click("Set password");
    browser.fill("New password", "a fresh start 9");
    browser.click_at("//dialog//label[contains(., \"Delete all API keys\")]");
    browser.click_at("//dialog//button[@class=\"primary\"]");
    browser.announces("The password of erika was set.");
    assert!(!second.iter().any(works));
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_recent_activity_names_whom_an_administrator_changed() {
    let server = Server::start();
    let admin = server.admin();
    let (id, _) = server.member(&admin, "erika");
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &json!({ "is_active": false })).expect(200);
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("My account");
    browser.finds("//section//li[contains(., \"User deactivated\") and contains(., \"to erika\")]");
    assert_eq!(browser.console_errors(), [""; 0]);
}
