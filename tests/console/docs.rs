//! The page to read and try the API.

use needs::needs;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn the_api_is_tried_as_nobody_as_whoever_is_signed_in_and_with_a_key() {
    let server = Server::start();
    let admin = server.admin();
    let (_, erika) = server.member(&admin, "erika");
    let (_, key) = server.create_key(&erika.access, "trial");
    let browser = Browser::open(&format!("{}/docs", server.url));
    browser.is_at("API");
    browser.sees("Requests are anonymous");
    browser.press_on("//summary[contains(., \"/api/v1/users/whoami\")]");
    browser.click("Send");
    browser.meets("//form[contains(@class, \"try\")]//span[contains(., \"403\") or contains(., \"401\")]");

    browser.go(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/docs", server.url));
    browser.sees("use your console session");
    browser.press_on("//summary[contains(., \"/api/v1/users/whoami\")]");
    browser.click("Send");
    browser.meets("//form[contains(@class, \"try\")]//pre[contains(., '\"username\": \"admin\"')]");
    browser.fill("API key", &key);
    browser.click("Send");
    browser.meets("//form[contains(@class, \"try\")]//pre[contains(., '\"username\": \"erika\"')]");
    server.login("erika", PASSWORD);
    assert_eq!(browser.complaints(), [""; 0]);
}
