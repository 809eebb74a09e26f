//! Servers that hang, foreign responses, and rights or accounts that are removed while a page is open.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::fake_proxy::{Behavior, FakeProxy};
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const HTML: &str = "<html><body><h1>Bad Gateway</h1></body></html>";
const GONE: &str = "The server can’t be reached";
/// Shortens the page's timeouts to a tenth.
const IMPATIENT: &str =
    "const timeout = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = (ms) => timeout(ms / 10);";

fn reload(browser: &Browser) {
    browser.cdp("Page.reload", &json!({}));
}

/// Opens the list of users in a browser with short timeouts.
fn at_users(proxy: &FakeProxy) -> Browser {
    let browser = Browser::open("about:blank");
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": IMPATIENT }));
    browser.go(&proxy.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser
}

#[needs(browser)]
#[test]
fn a_hanging_server_is_retried_until_it_answers() {
    let server = Server::start();
    let proxy = FakeProxy::start(server.address);
    let browser = at_users(&proxy);
    proxy.behave(Behavior::Hang);
    browser.click("Audit");
    browser.sees(GONE);
    browser.finds("//main//*[@role=\"alert\"]//button[.=\"Try again\"]");
    proxy.behave(Behavior::PassOn);
    browser.announces("The server is back.");
    browser.is_at("Audit log");
    browser.finds("//tbody/tr");
    // A form shows the error, keeps its input, and can be sent again.
    browser.click("Users");
    browser.is_at("Users");
    browser.click("New user");
    browser.fill("User name", "erika");
    proxy.behave(Behavior::Hang);
    browser.click("Create");
    browser.finds("//dialog//*[@role=\"alert\" and contains(., \"can’t be reached\")]");
    assert_eq!(browser.value("User name"), "erika");
    proxy.behave(Behavior::PassOn);
    browser.does_not_see("Retrying");
    browser.click("Create");
    browser.sees("erika was created");
    browser.click("Done");
    // The page shows the error when it is loaded, too.
    proxy.behave(Behavior::Hang);
    reload(&browser);
    browser.finds("//main//*[@role=\"alert\"]//button[.=\"Try again\"]");
    proxy.behave(Behavior::PassOn);
    browser.is_at("Users");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn responses_that_are_not_ushers_are_not_trusted() {
    let server = Server::start();
    let proxy = FakeProxy::start(server.address);
    let browser = at_users(&proxy);
    // A proxy without its server (502), and a network's sign-in page (200).
    for (status, path, heading) in [(502, "Audit", "Audit log"), (200, "Users", "Users")] {
        proxy.behave(Behavior::Respond(status, "text/html", HTML));
        browser.click(path);
        browser.sees(GONE);
        browser.sees("Retrying");
        proxy.behave(Behavior::PassOn);
        browser.does_not_see("Retrying");
        browser.is_at(heading);
        browser.finds("//tbody/tr");
        browser.does_not_see(GONE);
    }
    // A response that isn't JSON has no message to show.
    proxy.behave(Behavior::Respond(500, "text/html", HTML));
    browser.click("Audit");
    browser.sees("The server returned an error (500).");
    // A page that is loaded meanwhile recovers.
    reload(&browser);
    browser.finds("//main//*[@role=\"alert\" and contains(., \"(500)\")]");
    proxy.behave(Behavior::Respond(503, "application/json", r#"{"detail":"The server is busy. Please try again."}"#));
    browser.click("Try again");
    browser.sees("The server is busy.");
    proxy.behave(Behavior::PassOn);
    browser.click("Try again");
    browser.is_at("Audit log");
    browser.finds("//tbody/tr");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn an_error_of_a_field_that_is_not_on_the_page_is_shown_as_text() {
    let server = Server::start();
    let proxy = FakeProxy::start(server.address);
    let browser = at_users(&proxy);
    browser.click("My account");
    browser.is_at("My account");
    browser.finds("//ul/li");
    let two = r#"{"detail":[{"loc":["body","profile_image"],"msg":"It is too large","type":"a"},
        {"loc":["body","username"],"msg":"Value error, It is too long","type":"a"}]}"#;
    proxy.behave(Behavior::Respond(422, "application/json", two));
    browser.click("Save");
    browser.sees_field_error("User name", "It is too long");
    browser.has_focus("User name");
    browser.finds("//form[@aria-label=\"Profile\"]//*[@role=\"alert\" and normalize-space()=\"It is too large\"]");
    let whole = r#"{"detail":[{"loc":["body"],"msg":"Input should be an object","type":"a"}]}"#;
    proxy.behave(Behavior::Respond(422, "application/json", whole));
    browser.click("Save");
    browser.finds("//form[@aria-label=\"Profile\"]//*[@role=\"alert\" and contains(., \"should be an object\")]");
    proxy.behave(Behavior::PassOn);
    browser.click("Save");
    browser.announces("Saved.");
    browser.finds("//form[@aria-label=\"Profile\"][not(.//*[@role=\"alert\"])]");
}

#[needs(browser)]
#[test]
fn removed_rights_and_deleted_accounts_are_noticed() {
    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "erika");
    let path = format!("/api/v1/users/{id}");
    server.patch(&path).bearer(&admin).json(&json!({ "is_superuser": true })).send().expect(200);
    let gone = server.add_active(&admin, "greta");
    let browser = Browser::open(&server.url);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{gone}", server.url));
    browser.is_at("greta");
    browser.sees("No sessions.");
    server.delete(format!("/api/v1/users/{gone}")).bearer(&admin).send().expect(200);
    for button in ["Save", "Create reset link"] {
        browser.click(button);
        browser.finds(&format!(
            "//section[.//button[.=\"{button}\"]]//*[@role=\"alert\" and contains(., \"User not found\")]"
        ));
    }
    browser.click_at("//p[@class=\"crumb\"]/a");
    browser.is_at("Users");
    browser.finds("//table[.//bdi=\"erika\" and not(.//bdi=\"greta\")]");
    server.patch(&path).bearer(&admin).json(&json!({ "is_superuser": false })).send().expect(200);
    browser.click("Audit");
    browser.is_at("My account");
    browser.announces("Your superuser rights were removed.");
    browser.finds("//nav[not(contains(., \"Users\"))]");
    // The account is deleted: its page leads back to the list.
    server.delete(&path).bearer(&admin).send().expect(200);
    browser.click("Save");
    browser.is_at("Sign in");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn without_clipboard_access_the_page_says_which_keys_copy() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("My account");
    browser.is_at("My account");
    browser.click("New key");
    browser.click("Create key");
    let key = browser.value("API key");
    browser.run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'));");
    browser.run("document.execCommand = () => false;");
    browser.click("Copy");
    browser.announces("Press Ctrl+C");
    // The whole text is selected for copying.
    assert_eq!(browser.run("return getSelection().toString()"), key);
}

#[needs(browser)]
#[test]
fn without_scripts_a_page_says_that_it_needs_them() {
    let server = Server::start();
    let browser = Browser::open("about:blank");
    browser.cdp("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    for (path, said) in [("/", "The console needs JavaScript."), ("/docs", "Without JavaScript, read")] {
        browser.go(&format!("{}{path}", server.url));
        browser.sees(said.split('’').next().unwrap());
        browser.finds("//a[@href=\"openapi.json\"]");
    }
}
