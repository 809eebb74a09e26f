//! The keyboard alone, and where it stands after each action; what was done is told to those who do not see it.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::ADMIN;

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Gives the focus to the button or link that is called so, as the Tab key would after a while, and presses Enter.
fn enter(browser: &Browser, name: &str) {
    browser.focus(name);
    browser.keys(ENTER);
}

#[needs(browser)]
#[test]
fn the_keyboard_alone_is_enough_to_sign_in_and_make_somebody() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    browser.has_focus("User name");
    browser.keys(&format!("admin\t{}{ENTER}", ADMIN.1));
    browser.is_at("Users");
    // The heading has the focus, then come the invitations and the button for a new user.
    browser.has_focus("Users");
    browser.keys(&format!("\t\t{ENTER}"));
    browser.meets("//dialog[@open]");
    browser.keys(&format!("erika{ENTER}"));
    browser.sees("erika was created");
    browser.has_focus("Reset link");
    browser.keys("\t\t");
    browser.has_focus("Done");
    browser.keys(ENTER);
    browser.meets("//body[not(.//dialog)]//td[contains(., \"erika\")]");
    browser.has_focus("New user");
    // Escape closes a dialog.
    browser.keys(ENTER);
    browser.meets("//dialog[@open]");
    browser.keys(ESCAPE);
    browser.meets("//body[not(.//dialog)]");
    browser.has_focus("New user");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn in_the_table_the_keyboard_goes_on_to_the_next_who_waits_and_stays_where_it_pages_and_sorts() {
    let server = Server::start();
    for n in 0..30 {
        server.sign_up(&format!("person-{n:02}"));
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    enter(&browser, "Approve person-27");
    browser.is_told("person-27 can sign in now.");
    browser.has_focus("Approve person-26");
    // The last of the page: the one before it is next.
    enter(&browser, "Approve person-05");
    browser.is_told("person-05 can sign in now.");
    browser.has_focus("Approve person-06");
    enter(&browser, "Next");
    browser.is_told("26 to 31 of 31 users");
    browser.has_focus("Next");
    enter(&browser, "Previous");
    browser.is_told("1 to 25 of 31 users");
    browser.has_focus("Previous");
    enter(&browser, "Name↕");
    browser.meets("//th[@aria-sort=\"ascending\"]/button[contains(., \"Name\")]");
    browser.has_focus("Name↑");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn on_an_account_the_keyboard_stays_beside_what_it_did() {
    let server = Server::start();
    let admin = server.admin();
    let (id, erika) = server.member(&admin, "erika");
    server.login("erika", crate::support::server::PASSWORD);
    for key in ["one", "two"] {
        server.create_key(&erika.access, key);
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    let session = "End session: Unknown client, 127.0.0.1";
    enter(&browser, session);
    browser.is_told("The session was ended.");
    browser.meets("//section[h2=\"Sessions\" or .//h2=\"Sessions\"]//ul[count(li)=1]");
    browser.has_focus(session);
    browser.keys(ENTER);
    browser.sees("No sessions.");
    browser.has_focus("Sessions");
    // A dialog asks first, and begins with the way out.
    enter(&browser, "Delete key: two");
    browser.has_focus("Cancel");
    browser.keys(&format!("\t{ENTER}"));
    browser.is_told("The key was deleted.");
    browser.has_focus("Delete key: one");
    enter(&browser, "Deactivate");
    browser.has_focus("Cancel");
    browser.keys(&format!("\t{ENTER}"));
    browser.is_told("erika was signed out everywhere and can’t sign in.");
    browser.has_focus("Activate");
    browser.keys(ENTER);
    browser.is_told("erika can sign in now.");
    browser.has_focus("Deactivate");
    enter(&browser, "Make superuser");
    browser.has_focus("Cancel");
    browser.keys(&format!("\t{ENTER}"));
    browser.is_told("erika is now a superuser.");
    browser.has_focus("Remove superuser rights");
    enter(&browser, "Create reset link");
    browser.has_focus("Reset link");
    browser.keys(ESCAPE);
    browser.meets("//body[not(.//dialog)]");
    browser.has_focus("Create reset link");
    enter(&browser, "Delete user");
    browser.has_focus("Type “erika” to confirm");
    browser.keys(&format!("erika{ENTER}"));
    browser.is_at("Users");
    browser.is_told("erika was deleted.");
    browser.has_focus("Users");
    server.get(format!("/api/v1/users/{id}")).bearer(&admin).send().refused(404, "User not found");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn going_back_leads_to_the_same_page_of_the_list_and_so_does_its_address() {
    let server = Server::start();
    for n in 0..30 {
        server.sign_up(&format!("person-{n:02}"));
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.fill("Search by name", "person");
    browser.sees("1–25 of 30");
    browser.click("Next");
    browser.sees("26–30 of 30");
    browser.click("person-02");
    browser.is_at("person-02");
    browser.run("history.back()");
    browser.is_at("Users");
    browser.sees("26–30 of 30");
    assert_eq!(browser.value("Search by name"), "person");
    browser.run("history.back()");
    browser.sees("1–25 of 30");
    browser.run("history.go(2)");
    browser.is_at("person-02");
    browser.go(&format!("{}/#/users?search=person&order=desc&skip=25", server.url));
    browser.meets("//tbody/tr[last()]//bdi[.=\"person-00\"]");
    browser.cdp("Page.reload", &json!({}));
    browser.meets("//tbody/tr[last()]//bdi[.=\"person-00\"]");
    assert_eq!(browser.value("Search by name"), "person");
}

#[needs(browser)]
#[test]
fn every_page_has_an_address_that_leads_to_it_when_it_is_typed_and_when_it_is_loaded_again() {
    let server = Server::start();
    let id = server.add_active(&server.admin(), "erika");
    let pages = [
        (format!("users/{id}"), "erika"),
        (format!("audit?user={id}&name=erika&action=user.add"), "Audit log"),
        ("account".to_owned(), "My account"),
        ("users?state=superuser".to_owned(), "Users"),
    ];
    let browser = Browser::open(&format!("{}/#/{}", server.url, pages[0].0));
    // Whoever must sign in first comes to where they wanted to go.
    browser.sign_in(ADMIN.0, ADMIN.1);
    for (path, heading) in &pages {
        browser.go(&format!("{}/#/{path}", server.url));
        browser.is_at(heading);
        browser.cdp("Page.reload", &json!({}));
        browser.is_at(heading);
        browser.has_focus(heading);
        assert_eq!(browser.run("return location.hash"), format!("#/{path}"));
        assert_eq!(browser.run("return document.title"), format!("{heading} · usher"));
    }
    browser.meets("//tbody[count(tr)=1]");
    browser.go(&format!("{}/#/{}", server.url, pages[1].0));
    browser.meets("//tbody[count(tr)=1]//td[contains(., \"User created\")]");
    assert_eq!(browser.complaints(), [""; 0]);
}
