//! Keyboard use: the focus after each action, and announcements to screen readers.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::ADMIN;

const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Focuses the button or link with this name and presses Enter.
fn enter(browser: &Browser, name: &str) {
    browser.focus(name);
    browser.keys(ENTER);
}

#[needs(browser)]
#[test]
fn signing_in_and_creating_a_user_work_by_keyboard() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    browser.has_focus("User name");
    browser.keys(&format!("admin\t{}{ENTER}", ADMIN.1));
    browser.is_at("Users");
    // The heading has the focus, then come the invitations and the button for a new user.
    browser.has_focus("Users");
    browser.keys(&format!("\t\t{ENTER}"));
    browser.finds("//dialog[@open]");
    browser.keys(&format!("erika{ENTER}"));
    browser.sees("erika was created");
    browser.has_focus("Reset link");
    browser.keys("\t\t");
    browser.has_focus("Done");
    browser.keys(ENTER);
    browser.finds("//body[not(.//dialog)]//td[contains(., \"erika\")]");
    browser.has_focus("New user");
    // Escape closes a dialog.
    browser.keys(ENTER);
    browser.finds("//dialog[@open]");
    browser.keys(ESCAPE);
    browser.finds("//body[not(.//dialog)]");
    browser.has_focus("New user");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_focus_moves_to_the_next_waiting_row_and_stays_on_paging_and_sorting() {
    let server = Server::start();
    for n in 0..30 {
        server.sign_up(&format!("person-{n:02}"));
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    enter(&browser, "Approve person-27");
    browser.announces("person-27 can sign in now.");
    browser.has_focus("Approve person-26");
    // After the last row, the focus moves to the row before it.
    enter(&browser, "Approve person-05");
    browser.announces("person-05 can sign in now.");
    browser.has_focus("Approve person-06");
    enter(&browser, "Next");
    browser.announces("26 to 31 of 31 users");
    browser.has_focus("Next");
    enter(&browser, "Previous");
    browser.announces("1 to 25 of 31 users");
    browser.has_focus("Previous");
    enter(&browser, "Name↕");
    browser.finds("//th[@aria-sort=\"ascending\"]/button[contains(., \"Name\")]");
    browser.has_focus("Name↑");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn on_an_account_the_focus_stays_near_the_used_control() {
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
    browser.announces("The session was ended.");
    browser.finds("//section[h2=\"Sessions\" or .//h2=\"Sessions\"]//ul[count(li)=1]");
    browser.has_focus(session);
    browser.keys(ENTER);
    browser.sees("No sessions.");
    browser.has_focus("Sessions");
    // The confirmation focuses its cancel button first.
    enter(&browser, "Delete key: two");
    browser.has_focus("Cancel");
    browser.keys(&format!("\t{ENTER}"));
    browser.announces("The key was deleted.");
    browser.has_focus("Delete key: one");
    enter(&browser, "Deactivate");
    browser.has_focus("Cancel");
    browser.keys(&format!("\t{ENTER}"));
    browser.announces("erika was signed out everywhere and can’t sign in.");
    browser.has_focus("Activate");
    browser.keys(ENTER);
    browser.announces("erika can sign in now.");
    browser.has_focus("Deactivate");
    enter(&browser, "Make superuser");
    browser.has_focus("Cancel");
    browser.keys(&format!("\t{ENTER}"));
    browser.announces("erika is now a superuser.");
    browser.has_focus("Remove superuser rights");
    enter(&browser, "Create reset link");
    browser.has_focus("Reset link");
    browser.keys(ESCAPE);
    browser.finds("//body[not(.//dialog)]");
    browser.has_focus("Create reset link");
    enter(&browser, "Delete user");
    browser.has_focus("Type “erika” to confirm");
    browser.keys(&format!("erika{ENTER}"));
    browser.is_at("Users");
    browser.announces("erika was deleted.");
    browser.has_focus("Users");
    server.get(format!("/api/v1/users/{id}")).bearer(&admin).send().refused(404, "User not found");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn going_back_restores_the_lists_page_and_so_does_its_address() {
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
    browser.finds("//tbody/tr[last()]//bdi[.=\"person-00\"]");
    browser.cdp("Page.reload", &json!({}));
    browser.finds("//tbody/tr[last()]//bdi[.=\"person-00\"]");
    assert_eq!(browser.value("Search by name"), "person");
}

#[needs(browser)]
#[test]
fn every_page_has_an_address_that_can_be_typed_and_reloaded() {
    let server = Server::start();
    let id = server.add_active(&server.admin(), "erika");
    let pages = [
        (format!("users/{id}"), "erika"),
        (format!("audit?user={id}&name=erika&action=user.add"), "Audit log"),
        ("account".to_owned(), "My account"),
        ("users?state=superuser".to_owned(), "Users"),
    ];
    let browser = Browser::open(&format!("{}/#/{}", server.url, pages[0].0));
    // After signing in, the browser shows the requested page.
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
    browser.finds("//tbody[count(tr)=1]");
    browser.go(&format!("{}/#/{}", server.url, pages[1].0));
    browser.finds("//tbody[count(tr)=1]//td[contains(., \"User created\")]");
    assert_eq!(browser.console_errors(), [""; 0]);
}
