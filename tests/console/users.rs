//! Managing users as a superuser, and the audit log of it.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn a_user_is_created_found_renamed_promoted_deactivated_and_deleted() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("New user");
    browser.fill("User name", "erika");
    browser.choose("Password setup", "Set a password");
    browser.fill("Password", "short");
    browser.click("Create");
    browser.sees_field_error("Password", "at least 8");
    browser.fill("Password", PASSWORD);
    browser.click("Create");
    browser.sees("erika was created.");
    browser.fill("Search by name", "nobody-of-this-name");
    browser.sees("No users match.");
    browser.fill("Search by name", "RIK");
    browser.does_not_see("No users match.");
    browser.click("erika");
    browser.is_at("erika");
    browser.fill("User name", ADMIN.0);
    browser.click("Save");
    browser.sees_field_error("User name", "This username is unavailable.");
    browser.fill("User name", "rika");
    browser.click("Save");
    browser.is_at("rika");
    browser.click("Make superuser");
    browser.finds("//dialog[contains(., \"change and delete every account\")]");
    browser.click("Make superuser");
    browser.announces("rika is now a superuser.");
    browser.click("Remove superuser rights");
    browser.click("Remove rights");
    browser.announces("rika is no longer a superuser.");
    browser.click("Deactivate");
    browser.finds("//dialog[contains(., \"signed out everywhere\")]");
    browser.click("Deactivate");
    browser.click("Approve");
    browser.finds("//button[.=\"Deactivate\"]");
    server.login("rika", PASSWORD);
    browser.click("Delete user");
    browser.finds("//dialog//button[.=\"Delete permanently\" and @disabled]");
    browser.fill("Type “rika” to confirm", "rika");
    browser.click("Delete permanently");
    browser.is_at("Users");
    browser.sees("rika was deleted.");
    assert_eq!(server.try_login("rika", PASSWORD).status, 401);
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn waiting_users_are_approved_in_the_table_which_sorts_and_pages() {
    let server = Server::start();
    let admin = server.admin();
    for n in 0..30 {
        server.sign_up(&format!("person-{n:02}"));
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.sees("1–25 of 31");
    browser.click("Next");
    browser.sees("26–31 of 31");
    browser.click("Name");
    browser.finds("//th[@aria-sort=\"ascending\"]/button[contains(., \"Name\")]");
    browser.finds("//tbody/tr[1]//a[contains(., \"admin\")]");
    browser.click("Name");
    browser.finds("//tbody/tr[1]//a[contains(., \"person-29\")]");
    browser.choose("Show", "Waiting");
    browser.sees("1–25 of 30");
    browser.click("Approve person-29");
    browser.sees("1–25 of 29");
    let active = server.get("/api/v1/users/?state=active").bearer(&admin).send().json();
    assert_eq!(active["total_count"], 2);
}

#[needs(browser)]
#[test]
fn reset_links_and_ended_sessions_are_shown_and_audited() {
    let server = Server::start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.click("Create reset link");
    assert!(browser.value("Reset link").contains("/reset#token="));
    browser.click("Done");
    browser.click("End all");
    browser.sees("No sessions.");
    server.whoami(&tokens.access).expect(401);
    browser.click("Audit log");
    browser.is_at("Audit log");
    browser.finds("//tbody//td[contains(., \"Reset link created\")]");
    browser.choose("Action", "User created");
    browser.finds("//tbody[count(tr)=1]//td[contains(., \"User created\")]");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_concurrent_change_is_shown_before_it_is_overwritten() {
    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    let theirs = json!({ "username": "elsewhere" });
    server.patch(format!("/api/v1/users/{id}")).bearer(&admin).json(&theirs).send().expect(200);
    browser.fill("User name", "rika");
    browser.click("Save");
    browser.sees("the name is now “elsewhere”");
    browser.click("Discard my change");
    browser.is_at("elsewhere");
    browser.fill("User name", "rika");
    browser.click("Save");
    browser.is_at("rika");
}
