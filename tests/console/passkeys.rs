//! Passkeys and security keys: adding them and signing in with them.

use crate::authenticator::Authenticator;
use crate::driver::Browser;
use crate::factors::{localhost, still};
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};
use needs::needs;
use serde_json::json;

/// A browser that doesn't suggest passkeys in the field for the user name. A virtual authenticator would accept at
/// once.
pub fn without_suggestions(server: &Server) -> Browser {
    let browser = Browser::open("about:blank");
    let none =
        "if (window.PublicKeyCredential) PublicKeyCredential.isConditionalMediationAvailable = async () => false";
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": none }));
    browser.go(&localhost(server));
    browser
}

/// Signs in with the password and adds a passkey or security key to the account.
pub fn add_passkey(browser: &Browser, user: &str, name: &str) {
    browser.sign_in(user, PASSWORD);
    browser.is_at("My account");
    browser.click("Add passkey");
    browser.fill("Name", name);
    browser.fill("Current password", PASSWORD);
    browser.click("Add passkey");
    browser.announces("The passkey was added.");
    browser.value("Recovery codes");
    browser.click("Done");
    browser.finds(&format!("//section[.//h2=\"Sign-in security\"]//li[contains(., \"{name}\")]"));
}

#[needs(browser)]
#[test]
fn a_passkey_is_added_renamed_and_replaces_the_password() {
    let server = still().start();
    server.member(&server.admin(), "erika");
    let browser = without_suggestions(&server);
    let device = Authenticator::device(&browser);
    add_passkey(&browser, "erika", "Laptop");
    assert_eq!(device.credentials()[0]["rpId"], "localhost");
    browser.click("Rename Laptop");
    browser.fill("Name", "Old laptop");
    browser.click("Rename");
    browser.announces("The name was saved.");
    browser.click("Add passkey");
    browser.fill("Current password", PASSWORD);
    browser.click("Add passkey");
    browser.sees("This passkey is already on your account.");
    browser.click("Cancel");
    device.verifies(false);
    browser.click("Sign out");
    browser.is_at("Sign in");
    browser.click("Sign in with a passkey");
    browser.sees("You canceled, or it took too long.");
    device.verifies(true);
    browser.click("Sign in with a passkey");
    browser.is_at("My account");
    // The passkey replaces the current password.
    browser.click("Remove Old laptop");
    browser.click("Remove");
    browser.announces("The second factor was removed.");
    browser.click("Sign out");
    browser.is_at("Sign in");
    browser.click("Sign in with a passkey");
    browser.sees("This passkey isn't known here");
    // The browser doesn't offer another site's passkey.
    device.alter(&json!({ "rpId": "example.com" }));
    browser.click("Sign in with a passkey");
    browser.sees("You canceled, or it took too long.");
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_field_for_the_user_name_suggests_passkeys() {
    let server = still().start();
    server.member(&server.admin(), "erika");
    let browser = Browser::open(&localhost(&server));
    browser.finds("//input[@autocomplete=\"username webauthn\"]");
    Authenticator::device(&browser);
    add_passkey(&browser, "erika", "Phone");
    browser.click("Sign out");
    // The virtual authenticator takes the suggestion at once.
    browser.is_at("My account");
    browser
        .finds("//section[.//h2=\"Recent activity\"]//li[1][contains(., \"Signed in\") and contains(., \"passkey\")]");
}

#[needs(browser)]
#[test]
fn a_security_key_is_a_second_factor_and_never_signs_in_alone() {
    let server = still().start();
    server.member(&server.admin(), "erika");
    let browser = without_suggestions(&server);
    let key = Authenticator::security_key(&browser);
    add_passkey(&browser, "erika", "Blue key");
    browser.click("Sign out");
    browser.is_at("Sign in");
    browser.click("Sign in with a passkey");
    browser.sees("You canceled, or it took too long.");
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Confirm it’s you");
    browser.click("Use a passkey or security key");
    browser.is_at("My account");
    // The counter goes back, as with a copy of the key.
    key.alter(&json!({ "signCount": 1, "rpId": "localhost" }));
    browser.click("Sign out");
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Confirm it’s you");
    browser.click("Use a passkey or security key");
    browser.sees("The passkey's counter went back");
    // No key is touched, so the browser's request times out.
    key.unplug();
    browser.run(
        "const get = navigator.credentials.get.bind(navigator.credentials);
        navigator.credentials.get = (options) => { options.publicKey.timeout = 1; return get(options); }",
    );
    browser.click("Use a passkey or security key");
    browser.sees("You canceled, or it took too long.");
    browser.click("Start over");
    browser.is_at("Sign in");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_console_says_why_passkeys_do_not_work_at_an_address() {
    let says = |browser: &Browser, why: &str| {
        browser.sign_in(ADMIN.0, ADMIN.1);
        browser.is_at("Users");
        browser.click("My account");
        browser.finds(&format!("//section[.//h2=\"Sign-in security\"]//p[contains(., \"{why}\")]"));
        browser.finds("//body[not(.//button[.=\"Add passkey\"])]");
    };
    let server = Server::start();
    let browser = Browser::open_with(
        &["--host-resolver-rules=MAP usher.test 127.0.0.1"],
        &format!("http://usher.test:{}", server.address.port()),
    );
    says(&browser, "because this page doesn’t use HTTPS");
    drop(browser);
    for (public_url, why) in [
        ("https://accounts.example.org", "Passkeys work only at accounts.example.org."),
        ("https://192.0.2.1", "Passkeys need a domain name instead of an IP address."),
    ] {
        let server = Server::with().set("public_url", public_url).start();
        says(&Browser::open(&localhost(&server)), why);
    }
}
