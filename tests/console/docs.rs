//! The API documentation page.

use needs::needs;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn requests_can_be_tried_signed_out_signed_in_and_with_a_key() {
    let server = Server::start();
    let admin = server.admin();
    let (_, erika) = server.member(&admin, "erika");
    let (_, key) = server.create_key(&erika.access, "trial");
    let browser = Browser::open(&format!("{}/docs", server.url));
    browser.is_at("API");
    browser.sees("Requests are anonymous");
    browser.click_at("//summary[contains(., \"/api/v1/users/whoami\")]");
    browser.click("Send");
    browser.finds("//form[contains(@class, \"try\")]//span[contains(., \"403\") or contains(., \"401\")]");

    browser.go(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/docs", server.url));
    browser.sees("use your console session");
    browser.click_at("//summary[contains(., \"/api/v1/users/whoami\")]");
    browser.click("Send");
    browser.finds("//form[contains(@class, \"try\")]//pre[contains(., '\"username\": \"admin\"')]");
    browser.fill("API key", &key);
    browser.click("Send");
    browser.finds("//form[contains(@class, \"try\")]//pre[contains(., '\"username\": \"erika\"')]");
    server.login("erika", PASSWORD);
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn operations_can_be_filtered_linked_and_expanded() {
    let server = Server::start();
    let admin = server.admin();
    let browser = Browser::open(&format!("{}/docs", server.url));
    browser.is_at("API");
    browser.fill("Filter operations", "reset link check");
    browser.finds("//main[count(.//details[contains(@class, \"operation\")])=1]");
    browser.fill("Filter operations", "nothing at all");
    browser.sees("No operations match.");
    let id = "read_all_users_api_v1_users__get";
    browser.go(&format!("{}/docs#{id}", server.url));
    browser.finds(&format!("//details[@id=\"{id}\" and @open]//a[@href=\"docs#{id}\"]"));
    let response = format!("//details[@id=\"{id}\"]//details[summary=\"List of users\"]");
    browser.click_at(&format!("{response}/summary"));
    browser.click_at(&format!("{response}//dd/details/summary"));
    browser.finds(&format!("{response}//dd//dt[code=\"username\"]"));
    browser.finds(&format!("{response}/pre[contains(., '\"total_count\": 0')]"));
    browser.fill("Access token", &admin);
    browser.click_at(&format!("//details[@id=\"{id}\"]//button[.=\"Send\"]"));
    browser.finds(&format!("//details[@id=\"{id}\"]//form//pre[contains(., '\"username\": \"admin\"')]"));
    // The whole response body is visible.
    browser.fill("Filter operations", "create the first superuser");
    browser.finds("//main[count(.//details[contains(@class, \"operation\")])=1]");
    browser.click_at("//summary[contains(., \"/api/v1/setup\")]");
    browser.finds("//textarea[@name=\"body\"]");
    let look = "const field = document.querySelector('textarea[name=body]');
        return field.scrollHeight <= field.clientHeight && field.value.includes('token')";
    assert_eq!(browser.run(look), true);
    assert_eq!(browser.console_errors(), [""; 0]);
}
