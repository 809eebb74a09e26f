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

#[needs(browser)]
#[test]
fn operations_are_filtered_linked_to_and_their_schemas_open() {
    let server = Server::start();
    let admin = server.admin();
    let browser = Browser::open(&format!("{}/docs", server.url));
    browser.is_at("API");
    browser.fill("Filter operations", "reset link check");
    browser.meets("//main[count(.//details[contains(@class, \"operation\")])=1]");
    browser.fill("Filter operations", "nothing at all");
    browser.sees("No operations match.");
    let id = "read_all_users_api_v1_users__get";
    browser.go(&format!("{}/docs#{id}", server.url));
    browser.meets(&format!("//details[@id=\"{id}\" and @open]//a[@href=\"docs#{id}\"]"));
    let response = format!("//details[@id=\"{id}\"]//details[summary=\"List of users\"]");
    browser.press_on(&format!("{response}/summary"));
    browser.press_on(&format!("{response}//dd/details/summary"));
    browser.meets(&format!("{response}//dd//dt[code=\"username\"]"));
    browser.meets(&format!("{response}/pre[contains(., '\"total_count\": 0')]"));
    browser.fill("Access token", &admin);
    browser.press_on(&format!("//details[@id=\"{id}\"]//button[.=\"Send\"]"));
    browser.meets(&format!("//details[@id=\"{id}\"]//form//pre[contains(., '\"username\": \"admin\"')]"));
    // The whole body is in view.
    browser.fill("Filter operations", "create the first superuser");
    browser.meets("//main[count(.//details[contains(@class, \"operation\")])=1]");
    browser.press_on("//summary[contains(., \"/api/v1/setup\")]");
    browser.meets("//textarea[@name=\"body\"]");
    let look = "const field = document.querySelector('textarea[name=body]');
        return field.scrollHeight <= field.clientHeight && field.value.includes('token')";
    assert_eq!(browser.run(look), true);
    assert_eq!(browser.complaints(), [""; 0]);
}
