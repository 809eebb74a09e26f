//! Second factors: setting them up, signing in with them, removing them.

use crate::driver::Browser;
use crate::support::Server;
use crate::support::factors::App;
use crate::support::server::{ADMIN, Builder, PASSWORD};
use needs::needs;
use usher::domain::clock::Clock;

/// Starts a server with a manual clock, so that a code stays the same until the test moves the clock.
pub fn still() -> Builder {
    Server::with().clock(&Clock::manual(Clock::system().now()))
}

/// The server's address at localhost, where browsers offer passkeys without HTTPS.
pub fn localhost(server: &Server) -> String {
    format!("http://localhost:{}", server.address.port())
}

#[needs(browser)]
#[test]
fn an_authenticator_app_is_set_up_and_asked_for_and_removed() {
    let server = still().start();
    server.member(&server.admin(), "erika");
    let browser = Browser::open(&localhost(&server));
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    browser.sees("Only your password protects this account.");
    browser.click("Add authenticator app");
    browser.fill("Name", "Phone");
    browser.click("Next");
    browser.sees_field_error("Current password", "Enter your current password");
    browser.fill("Current password", "wrong");
    browser.click("Next");
    browser.sees_field_error("Current password", "incorrect");
    browser.fill("Current password", PASSWORD);
    browser.click("Next");
    browser.finds("//dialog//img[starts-with(@src, \"data:image/svg\")]");
    browser.finds("//dialog//a[starts-with(@href, \"otpauth://totp/usher:erika?\")]");
    let secret = browser.text("//dialog//code");
    assert!(secret.split(' ').all(|group| group.len() == 4), "{secret}");
    let app = App::with_secret(&secret.replace(' ', ""));
    browser.fill("Code", "000000");
    browser.click("Confirm");
    browser.sees_field_error("Code", "Incorrect code");
    browser.fill("Code", &server.code(&app));
    browser.click("Confirm");
    browser.announces("The authenticator app was added.");
    let codes = browser.value("Recovery codes");
    assert_eq!(codes.lines().count(), 10, "{codes}");
    browser.click("Done");
    browser.sees("Recovery codes left: 10.");
    browser.finds(
        "//section[.//h2=\"Sign-in security\"]//li[contains(., \"Phone\") and contains(., \"Authenticator app\")]",
    );
    browser.click("Sign out");
    // The code that confirmed the app is used up.
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Confirm it’s you");
    browser.fill("Code", &server.code(&app));
    browser.click("Sign in");
    browser.sees_field_error("Code", "Incorrect code");
    browser.click("Use a recovery code");
    browser.fill("Recovery code", codes.lines().next().unwrap());
    browser.click("Sign in");
    browser.is_at("My account");
    browser.sees("Recovery codes left: 9.");
    browser.click("Remove Phone");
    browser.finds("//dialog[contains(., \"your last second factor\")]");
    browser.fill("Current password", PASSWORD);
    browser.click("Remove");
    browser.announces("The second factor was removed.");
    browser.sees("Only your password protects this account.");
    server.login("erika", PASSWORD);
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn codes_are_refused_with_a_sentence_each_and_a_way_on() {
    let server = still().set("throttle", "true").start();
    let (id, erika) = server.member(&server.admin(), "erika");
    let app = server.enroll(&id, &erika.access, PASSWORD);
    server.advance(30);
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    browser.finds("//main//a[starts-with(., \"localhost:\")]");
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Confirm it’s you");
    browser.has_focus("Code");
    browser.finds("//input[@autocomplete=\"one-time-code\" and @inputmode=\"numeric\"]");
    browser.keys("000000\u{e007}");
    browser.sees_field_error("Code", "Incorrect code");
    // The challenge is valid for five minutes.
    server.advance(301);
    browser.fill("Code", &server.code(&app));
    browser.click("Sign in");
    browser.is_at("Sign in");
    browser.announces("The sign-in took too long, or too many codes were wrong.");
    assert_eq!(browser.value("User name"), "erika");
    browser.fill("Password", PASSWORD);
    browser.click("Sign in");
    browser.is_at("Confirm it’s you");
    browser.click("Start over");
    // Wrong codes count like wrong passwords.
    for _ in 0..20 {
        server.try_login("erika", "wrong");
    }
    browser.sign_in("erika", PASSWORD);
    browser.sees("Too many attempts.");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_user_who_needs_a_second_factor_must_set_it_up_first() {
    let server = still().set("second_factor", "superusers").without_superuser().start();
    let usher::server::FirstSuperuser::Link(link) = &server.first_superuser else { panic!() };
    let browser = Browser::open(link.expose());
    browser.fill("User name", "root");
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click("Create account");
    browser.is_at("Set up a second factor");
    browser.sees("This server requires a second factor for your account.");
    browser.finds("//body[not(.//nav)]");
    browser.go(&format!("{}/#/users", server.url));
    browser.is_at("Set up a second factor");
    browser.finds("//body[not(.//button[.=\"Continue\"])]");
    browser.click("Add authenticator app");
    browser.fill("Current password", PASSWORD);
    browser.click("Next");
    let app = App::with_secret(&browser.text("//dialog//code").replace(' ', ""));
    browser.fill("Code", &server.code(&app));
    browser.click("Confirm");
    browser.value("Recovery codes");
    browser.click("Done");
    browser.click("Continue");
    browser.is_at("Users");
    // Users who need no second factor sign in as before.
    server.advance(30);
    let admin = server.login("root", &format!("{PASSWORD}{}", server.code(&app))).access;
    server.member(&admin, "erika");
    browser.click("Sign out");
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_reset_link_asks_for_the_code_before_it_sets_the_password() {
    let server = still().start();
    let admin = server.admin();
    let (id, erika) = server.member(&admin, "erika");
    let app = server.enroll(&id, &erika.access, PASSWORD);
    server.advance(30);
    let link = server.post(format!("/api/v1/users/{id}/reset-link")).bearer(&admin).send().expect(201).field("link");
    let browser = Browser::open(&link);
    let set_password = || {
        browser.is_at("Set a new password");
        browser.fill("New password", "a fresh start 9");
        browser.fill("Repeat password", "a fresh start 9");
        browser.click("Set password");
        browser.is_at("Confirm it’s you");
    };
    set_password();
    server.advance(301);
    browser.fill("Code", &server.code(&app));
    browser.click("Sign in");
    browser.announces("Your password is not set yet.");
    set_password();
    browser.fill("Code", &server.code(&app));
    browser.click("Sign in");
    browser.is_at("My account");
    server.advance(30);
    server.login("erika", &format!("a fresh start 9{}", server.code(&app)));
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_superuser_sees_who_has_no_second_factor_and_removes_one() {
    let server = still().start();
    let admin = server.admin();
    let (id, erika) = server.member(&admin, "erika");
    server.add_active(&admin, "greta");
    server.enroll(&id, &erika.access, PASSWORD);
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.finds("//tbody/tr[.//bdi=\"erika\"]//span[.=\"Second factor\"]");
    browser.finds("//tbody/tr[.//bdi=\"greta\" and not(.//span[.=\"Second factor\"])]");
    browser.choose("Show", "No second factor");
    browser.finds("//tbody[count(tr)=2 and not(.//bdi=\"erika\")]");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.click("Remove Authenticator app");
    browser.finds("//dialog[contains(., \"last second factor of erika\")]");
    browser.click("Remove");
    browser.announces("The second factor was removed.");
    browser.sees("No second factor.");
    server.login("erika", PASSWORD);
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_sensitive_action_asks_to_sign_in_again_and_continues() {
    let server = still().set("recent_sign_in_minutes", "10").start();
    let (id, erika) = server.member(&server.admin(), "erika");
    let app = server.enroll(&id, &erika.access, PASSWORD);
    server.advance(30);
    let browser = Browser::open(&localhost(&server));
    browser.sign_in("erika", &format!("{PASSWORD}{}", server.code(&app)));
    browser.is_at("My account");
    server.advance(660);
    browser.click("New key");
    browser.fill("Name", "backup");
    browser.click("Create key");
    browser.finds("//dialog[.//h2=\"Sign in again\"]");
    browser.click_at("(//dialog)[last()]//button[.=\"Cancel\"]");
    browser.sees("Sign in again to do this");
    assert_eq!(browser.value("Name"), "backup");
    browser.click("Create key");
    browser.finds("//dialog[.//h2=\"Sign in again\"]");
    browser.fill("Current password", "wrong");
    browser.click("Continue");
    browser.sees_field_error("Current password", "incorrect");
    browser.click("Use a code");
    browser.fill("Code", &server.code(&app));
    browser.click("Continue");
    assert!(browser.value("API key").starts_with("sk-"));
    browser.click("Done");
    server.advance(660);
    browser.click("New key");
    browser.fill("Name", "second");
    browser.click("Create key");
    browser.fill("Current password", PASSWORD);
    browser.click("Continue");
    assert!(browser.value("API key").starts_with("sk-"));
    assert_eq!(browser.console_errors(), [""; 0]);
}
