//! The pages of second factors are accessible, in light and dark mode, on wide and small screens.

use needs::needs;

use crate::authenticator::Authenticator;
use crate::driver::Browser;
use crate::factors::{localhost, still};
use crate::pages::{check, inspect};
use crate::passkeys::{add_passkey, without_suggestions};
use crate::support::factors::App;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn axe_finds_nothing_while_second_factors_are_set_up_and_used() {
    let server = still().start();
    let (id, _) = server.member(&server.admin(), "erika");
    let browser = without_suggestions(&server);
    Authenticator::device(&browser);
    browser.is_at("Sign in");
    inspect(&browser, "sign-in");
    browser.click("Sign in with a passkey");
    browser.sees("You canceled, or it took too long.");
    check(&browser, "a canceled passkey");
    add_passkey(&browser, "erika", "Laptop");
    browser.click("Add passkey");
    browser.finds("//dialog");
    check(&browser, "adding a passkey");
    browser.click("Cancel");
    browser.click("Add authenticator app");
    browser.fill("Name", "Phone");
    check(&browser, "adding an authenticator app");
    browser.fill("Current password", PASSWORD);
    browser.click("Next");
    let app = App::with_secret(&browser.text("//dialog//code").replace(' ', ""));
    inspect(&browser, "authenticator-app");
    browser.fill("Code", "1");
    browser.click("Confirm");
    browser.sees_field_error("Code", "Incorrect code");
    check(&browser, "a wrong first code");
    browser.fill("Code", &server.code(&app));
    browser.click("Confirm");
    browser.announces("The authenticator app was added.");
    browser.click("Replace recovery codes");
    browser.finds("//dialog");
    check(&browser, "replacing recovery codes");
    browser.fill("Current password", PASSWORD);
    browser.click("Make recovery codes");
    browser.value("Recovery codes");
    inspect(&browser, "recovery-codes");
    browser.click("Done");
    browser.run("document.getElementById('security').scrollIntoView()");
    inspect(&browser, "sign-in-security");
    for (open, name) in [("Rename Phone", "renaming a factor"), ("Remove Phone", "removing a factor")] {
        browser.click(open);
        browser.finds("//dialog");
        check(&browser, name);
        browser.click("Cancel");
    }
    browser.click("Sign out");
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Confirm it’s you");
    inspect(&browser, "second-step");
    browser.click("Use a recovery code");
    browser.fill("Recovery code", "wrong");
    browser.click("Sign in");
    browser.sees_field_error("Recovery code", "Incorrect code");
    check(&browser, "a wrong recovery code");
    browser.click("Start over");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    check(&browser, "users with second factors");
    browser.go(&format!("{}/#/users/{id}", localhost(&server)));
    browser.is_at("erika");
    browser.click("Remove Phone");
    browser.finds("//dialog");
    check(&browser, "removing another user's factor");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn axe_finds_nothing_where_a_factor_or_a_recent_sign_in_is_needed() {
    let server = still().set("second_factor", "everybody").start();
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    check(&browser, "where passkeys don't work");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Set up a second factor");
    browser.finds("//button[.=\"Add authenticator app\"]");
    inspect(&browser, "factor-required");
    drop(browser);
    let server = still().set("recent_sign_in_minutes", "10").start();
    let browser = Browser::open(&localhost(&server));
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/account", localhost(&server)));
    browser.is_at("My account");
    server.advance(660);
    browser.click("New key");
    browser.fill("Name", "backup");
    browser.click("Create key");
    browser.finds("//dialog[.//h2=\"Sign in again\"]");
    inspect(&browser, "sign-in-again");
    assert_eq!(browser.console_errors(), [""; 0]);
}
