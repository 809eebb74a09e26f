//! Servers that hang or are misrepresented, and people whose rights or accounts go away while a page is open.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::gate::{Gate, Mood};
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const HTML: &str = "<html><body><h1>Bad Gateway</h1></body></html>";
const GONE: &str = "The server can’t be reached";
/// Nobody waits for twenty seconds here.
const IMPATIENT: &str =
    "const timeout = AbortSignal.timeout.bind(AbortSignal); AbortSignal.timeout = (ms) => timeout(ms / 10);";

fn reload(browser: &Browser) {
    browser.cdp("Page.reload", &json!({}));
}

/// A page of an impatient browser, at the users.
fn at_users(gate: &Gate) -> Browser {
    let browser = Browser::open("about:blank");
    browser.cdp("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": IMPATIENT }));
    browser.go(&gate.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser
}

#[needs(browser)]
#[test]
fn a_server_that_never_answers_is_given_up_on_and_asked_again_until_it_does() {
    let server = Server::start();
    let gate = Gate::before(server.address);
    let browser = at_users(&gate);
    gate.is(Mood::Hanging);
    browser.click("Audit");
    browser.sees(GONE);
    browser.meets("//main//*[@role=\"alert\"]//button[.=\"Try again\"]");
    gate.is(Mood::Passing);
    browser.is_told("The server is back.");
    browser.is_at("Audit log");
    browser.meets("//tbody/tr");
    // A form says so too, keeps what was typed, and can be sent again.
    browser.click("Users");
    browser.is_at("Users");
    browser.click("New user");
    browser.fill("User name", "erika");
    gate.is(Mood::Hanging);
    browser.click("Create");
    browser.meets("//dialog//*[@role=\"alert\" and contains(., \"can’t be reached\")]");
    assert_eq!(browser.value("User name"), "erika");
    gate.is(Mood::Passing);
    browser.misses("Retrying");
    browser.click("Create");
    browser.sees("erika was created");
    browser.click("Done");
    // So does the page itself when it is loaded.
    gate.is(Mood::Hanging);
    reload(&browser);
    browser.meets("//main//*[@role=\"alert\"]//button[.=\"Try again\"]");
    gate.is(Mood::Passing);
    browser.is_at("Users");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn what_others_answer_in_the_servers_place_is_not_taken_for_its_word() {
    let server = Server::start();
    let gate = Gate::before(server.address);
    let browser = at_users(&gate);
    // A proxy whose server is gone; a network that asks to sign in to it first.
    for (status, path, heading) in [(502, "Audit", "Audit log"), (200, "Users", "Users")] {
        gate.is(Mood::Saying(status, "text/html", HTML));
        browser.click(path);
        browser.sees(GONE);
        browser.sees("Retrying");
        gate.is(Mood::Passing);
        browser.misses("Retrying");
        browser.is_at(heading);
        browser.meets("//tbody/tr");
        browser.misses(GONE);
    }
    // What is no JSON has no sentence to show.
    gate.is(Mood::Saying(500, "text/html", HTML));
    browser.click("Audit");
    browser.sees("The server returned an error (500).");
    // The page that is loaded meanwhile is not empty for good.
    reload(&browser);
    browser.meets("//main//*[@role=\"alert\" and contains(., \"(500)\")]");
    gate.is(Mood::Saying(503, "application/json", r#"{"detail":"The server is busy. Please try again."}"#));
    browser.click("Try again");
    browser.sees("The server is busy.");
    gate.is(Mood::Passing);
    browser.click("Try again");
    browser.is_at("Audit log");
    browser.meets("//tbody/tr");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_fault_of_a_field_that_is_not_on_the_page_is_said_in_words() {
    let server = Server::start();
    let gate = Gate::before(server.address);
    let browser = at_users(&gate);
    browser.click("My account");
    browser.is_at("My account");
    browser.meets("//ul/li");
    let two = r#"{"detail":[{"loc":["body","profile_image"],"msg":"It is too large","type":"a"},
        {"loc":["body","username"],"msg":"Value error, It is too long","type":"a"}]}"#;
    gate.is(Mood::Saying(422, "application/json", two));
    browser.click("Save");
    browser.faulted("User name", "It is too long");
    browser.has_focus("User name");
    browser.meets("//form[@aria-label=\"Profile\"]//*[@role=\"alert\" and normalize-space()=\"It is too large\"]");
    let whole = r#"{"detail":[{"loc":["body"],"msg":"Input should be an object","type":"a"}]}"#;
    gate.is(Mood::Saying(422, "application/json", whole));
    browser.click("Save");
    browser.meets("//form[@aria-label=\"Profile\"]//*[@role=\"alert\" and contains(., \"should be an object\")]");
    gate.is(Mood::Passing);
    browser.click("Save");
    browser.is_told("Saved.");
    browser.meets("//form[@aria-label=\"Profile\"][not(.//*[@role=\"alert\"])]");
}

#[needs(browser)]
#[test]
fn rights_that_are_taken_away_and_people_who_are_deleted_meanwhile_are_noticed() {
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
        browser.meets(&format!(
            "//section[.//button[.=\"{button}\"]]//*[@role=\"alert\" and contains(., \"User not found\")]"
        ));
    }
    browser.press_on("//p[@class=\"crumb\"]/a");
    browser.is_at("Users");
    browser.meets("//table[.//bdi=\"erika\" and not(.//bdi=\"greta\")]");
    server.patch(&path).bearer(&admin).json(&json!({ "is_superuser": false })).send().expect(200);
    browser.click("Audit");
    browser.is_at("My account");
    browser.is_told("Your superuser rights were removed.");
    browser.meets("//nav[not(contains(., \"Users\"))]");
    // The account goes away itself: its page leads out.
    server.delete(&path).bearer(&admin).send().expect(200);
    browser.click("Save");
    browser.is_at("Sign in");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn where_the_browser_does_not_let_a_page_copy_it_says_which_keys_do() {
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
    browser.is_told("Press Ctrl+C");
    // All of it is selected, for those keys.
    assert_eq!(browser.run("return getSelection().toString()"), key);
}

#[needs(browser)]
#[test]
fn without_scripts_a_page_says_what_it_needs() {
    let server = Server::start();
    let browser = Browser::open("about:blank");
    browser.cdp("Emulation.setScriptExecutionDisabled", &json!({ "value": true }));
    for (path, said) in [("/", "The console needs JavaScript."), ("/docs", "Without JavaScript, read")] {
        browser.go(&format!("{}{path}", server.url));
        browser.sees(said.split('’').next().unwrap());
        browser.meets("//a[@href=\"openapi.json\"]");
    }
}
