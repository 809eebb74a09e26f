//! New passwords that a superuser requires.

use needs::needs;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::factors::still;
use crate::pages::{check, inspect};
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const NEW: &str = "a fresh start 9";

fn fill_form(browser: &Browser, current: &str, new: &str) {
    browser.fill("Current password", current);
    browser.fill("New password", new);
    browser.fill("Repeat password", new);
    browser.click("Change password");
}

#[needs(browser)]
#[test]
fn a_required_password_is_asked_for_before_anything_else() {
    let server = Server::start();
    let (id, erika) = server.member(&server.admin(), "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.click("Require new password");
    browser.sees("API keys go on working");
    browser.click_at("//dialog//button[.=\"Require new password\"]");
    browser.announces("erika must choose a new password at the next sign-in.");
    browser.click("Don’t require new password");
    browser.announces("erika can keep the password.");
    browser.click("Require new password");
    browser.click_at("//dialog//button[.=\"Require new password\"]");
    browser.finds("//button[.=\"Don’t require new password\"]");
    // A change of something else doesn't hide it.
    browser.fill("User name", "Erika");
    browser.click("Save");
    browser.announces("Saved.");
    browser.finds("//button[.=\"Don’t require new password\"]");
    server.call("GET", "/api/v1/sessions", &erika.access, &Value::Null).refused(403, "Choose a new password first");

    browser.click("Sign out");
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Choose a new password");
    browser.go(&format!("{}/#/account", server.url));
    browser.is_at("Choose a new password");
    fill_form(&browser, PASSWORD, PASSWORD);
    browser.sees_field_error("New password", "You can't use your current password");
    fill_form(&browser, PASSWORD, NEW);
    browser.is_at("My account");
    server.login("erika", NEW);

    // A page that is open asks for it as soon as it needs the server.
    let require = json!({ "must_change_password": true });
    server.call("PATCH", &format!("/api/v1/users/{id}"), &server.admin(), &require).expect(200);
    browser.click("New key");
    browser.fill("Name", "late");
    browser.click("Create key");
    browser.is_at("Choose a new password");
    fill_form(&browser, NEW, "another start 10");
    browser.is_at("My account");
}

#[needs(browser)]
#[test]
fn a_password_set_by_a_superuser_can_be_changed_at_the_next_sign_in() {
    let server = Server::start();
    let (id, _) = server.member(&server.admin(), "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.click("Set password");
    browser.fill("New password", NEW);
    browser.click_at("//dialog//label[contains(., \"Must be changed at the next sign-in\")]");
    browser.click_at("//dialog//button[.=\"Set password\"]");
    browser.announces("The password of erika was set.");
    browser.sees("erika must choose a new password at the next sign-in.");
    browser.click("Sign out");
    browser.sign_in("erika", NEW);
    browser.is_at("Choose a new password");
    fill_form(&browser, NEW, "another start 10");
    browser.is_at("My account");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn axe_finds_nothing_where_a_new_password_is_required() {
    let server = still().start();
    let admin = server.admin();
    let (id, _) = server.member(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.click("Require new password");
    browser.finds("//dialog");
    check(&browser, "requiring a new password");
    browser.click("Cancel");
    let require = json!({ "must_change_password": true });
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &require).expect(200);
    browser.click("Sign out");
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Choose a new password");
    inspect(&browser, "password-required");
    assert_eq!(browser.console_errors(), [""; 0]);
}
