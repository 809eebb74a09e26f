//! Actions that ask first, errors that name their account, and input that isn't lost.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::gate::{Gate, Mood};
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn a_failed_row_action_names_the_account_and_keeps_its_row() {
    let server = Server::start();
    server.sign_up("erika");
    let gate = Gate::before(server.address);
    let browser = Browser::open(&gate.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    gate.is(Mood::Saying(507, "application/json", r#"{"detail":"The server's disk is full"}"#));
    browser.click("Approve erika");
    browser.meets("//main/*[@role=\"alert\" and contains(., \"erika: The server\")]");
    browser.meets("//tbody//button[@aria-label=\"Approve erika\"]");
    gate.is(Mood::Passing);
    browser.click("Approve erika");
    browser.is_told("erika can sign in now.");
    browser.meets("//main[not(.//*[@role=\"alert\"])]");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn errors_and_the_offline_banner_stay_in_view_on_a_scrolled_page() {
    let server = Server::start();
    for n in 0..30 {
        server.sign_up(&format!("person-{n:02}"));
    }
    let gate = Gate::before(server.address);
    let browser = Browser::open(&gate.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.focus("Approve person-05");
    let in_view = |xpath: &str| {
        let look = format!(
            "const one = document.evaluate('{xpath}', document, null, 9).singleNodeValue.getBoundingClientRect();
             return scrollY > 100 && one.top >= 0 && one.bottom <= innerHeight"
        );
        assert_eq!(browser.run(&look), true, "{xpath}");
    };
    gate.is(Mood::Saying(507, "application/json", r#"{"detail":"The server's disk is full"}"#));
    browser.keys("\u{e007}");
    browser.sees("person-05: The server");
    in_view("//main/*[@role=\"alert\"]");
    gate.is(Mood::Saying(502, "text/html", "Bad Gateway"));
    browser.keys("\u{e007}");
    browser.sees("Retrying");
    in_view("//p[@class=\"banner\"]");
}

#[needs(browser)]
#[test]
fn leaving_a_page_with_unsaved_input_asks_first() {
    let server = Server::start();
    let id = server.add_active(&server.admin(), "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    let address = format!("{}/#/users/{id}", server.url);
    browser.go(&address);
    browser.is_at("erika");
    browser.fill("User name", "rika");
    for leave in ["Audit", "Sign out"] {
        browser.click(leave);
        browser.meets("//dialog[contains(., \"Discard unsaved changes?\")]");
        browser.click("Keep editing");
        browser.meets("//body[not(.//dialog)]");
        assert_eq!(browser.run("return location.href"), address);
        assert_eq!(browser.value("User name"), "rika");
    }
    browser.click("Audit");
    browser.click("Discard changes");
    browser.is_at("Audit log");
    // What was saved, or typed back, is not unsaved.
    browser.go(&address);
    browser.is_at("erika");
    browser.fill("User name", "rika");
    browser.click("Save");
    browser.is_told("Saved.");
    browser.click("Audit");
    browser.is_at("Audit log");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn input_in_a_dialog_is_kept_when_one_presses_escape_or_clicks_beside_until_one_agrees() {
    const ESCAPE: &str = "\u{e00c}";
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("New user");
    browser.fill("User name", "erika");
    for _ in 0..2 {
        browser.keys(ESCAPE);
        browser.meets("//dialog[contains(., \"Discard unsaved changes?\")]");
        browser.keys(ESCAPE);
        browser.meets("//body[count(.//dialog)=1]");
        assert_eq!(browser.value("User name"), "erika");
    }
    browser.run("document.elementFromPoint(5, 5).click()");
    assert_eq!(browser.value("User name"), "erika");
    browser.keys(ESCAPE);
    browser.click("Discard changes");
    browser.meets("//body[not(.//dialog)]");
    // Nothing was typed, so nothing is asked.
    browser.click("New user");
    browser.meets("//dialog");
    browser.keys(ESCAPE);
    browser.meets("//body[not(.//dialog)]");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn deleting_asks_for_a_simple_name_or_else_for_the_word_delete() {
    let server = Server::start();
    let admin = server.admin();
    let cases = [("erika".to_owned(), "erika"), ("Δημήτρης".to_owned(), "delete"), ("w".repeat(41), "delete")];
    let ids: Vec<String> = cases.iter().map(|(name, _)| server.add_active(&admin, name)).collect();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    for (id, (_, word)) in ids.iter().zip(&cases) {
        browser.is_at("Users");
        browser.go(&format!("{}/#/users/{id}", server.url));
        browser.click("Delete user");
        browser.fill(&format!("Type “{word}” to confirm"), word);
        browser.click("Delete permanently");
    }
    browser.is_at("Users");
    browser.is_told("was deleted.");
    assert_eq!(server.query::<i64>("SELECT count(*) FROM users"), 1);
}

#[needs(browser)]
#[test]
fn an_account_that_does_not_exist_leads_back_to_the_list() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    for id in ["00000000-0000-0000-0000-000000000000", "nonsense"] {
        browser.go(&format!("{}/#/users/{id}", server.url));
        browser.is_told("This account doesn’t exist.");
        browser.is_at("Users");
        assert_eq!(browser.run("return location.hash"), "#/users");
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn signing_out_in_one_tab_signs_out_all() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.run("open(location.href)");
    browser.to_tab(1);
    browser.is_at("Users");
    browser.click("Sign out");
    browser.is_at("Sign in");
    browser.to_tab(0);
    browser.is_at("Sign in");
    browser.is_told("You are signed out.");
}

#[needs(browser)]
#[test]
fn times_are_relative_and_their_title_is_exact() {
    let server = Server::start();
    let admin = server.admin();
    server.add_active(&admin, "erika");
    let old = "UPDATE users SET create_at = '2020-01-31 12:00:00.000001+00:00' WHERE username = 'erika'";
    server.database().execute(old, []).unwrap();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.meets("//tr[.//bdi=\"erika\"]//time[contains(., \"years ago\") and contains(@title, \"2020\")]");
    browser.meets("//tr[.//bdi=\"admin\"]//time[.=\"now\"]");
}

#[needs(browser)]
#[test]
fn the_waiting_accounts_are_counted_and_approved_or_rejected_in_their_view() {
    let server = Server::start();
    for name in ["erika", "greta"] {
        server.sign_up(name);
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.meets("//nav//span[@class=\"count\" and .=\"2\"]");
    browser.press_on("//nav//a[starts-with(., \"Waiting\")]");
    browser.meets("//nav//a[starts-with(., \"Waiting\") and @aria-current=\"page\"]");
    browser.click("Approve erika");
    browser.meets("//nav//span[@class=\"count\" and .=\"1\"]");
    browser.click("Reject greta");
    browser.meets("//dialog[contains(., \"will be deleted\")]");
    browser.click("Reject");
    browser.is_told("greta was rejected.");
    browser.sees("No users are waiting for approval.");
    server.login("erika", PASSWORD);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM users"), 2);
    browser.click("Users");
    browser.meets("//nav[not(contains(., \"Waiting\"))]");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_superuser_is_created_and_a_password_is_set_for_somebody() {
    let server = Server::start();
    let admin = server.admin();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("New user");
    browser.fill("User name", "root");
    browser.choose("Password setup", "Set a password");
    browser.fill("Password", PASSWORD);
    browser.press_on("//label[contains(., \"Superuser\")]/input");
    browser.click("Create");
    browser.is_told("root was created.");
    // The newest comes first.
    browser.meets("//tbody/tr[1][contains(., \"root\") and contains(., \"Superuser\")]");
    let id = server.get("/api/v1/users/?search=root").bearer(&admin).send().json()["users"][0]["id"].clone();
    browser.go(&format!("{}/#/users/{}", server.url, id.as_str().unwrap()));
    browser.is_at("root");
    browser.meets(&format!("//code[.={id}]"));
    browser.click("Copy ID");
    browser.is_told("Copied.");
    browser.click("Set password");
    browser.fill("New password", "a fresh start 9");
    browser.click("Set password");
    browser.is_told("The password of root was set.");
    server.login("root", "a fresh start 9");
    for rows in ["50", "100"] {
        browser.click("Users");
        browser.choose("Rows per page", rows);
        browser.meets("//tbody/tr[2]");
        assert_eq!(browser.run("return location.hash"), format!("#/users?limit={rows}"));
    }
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_theme_can_be_chosen_and_a_slash_starts_a_search() {
    let server = Server::with().set("site_name", "Home <accounts>").start();
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    browser.meets("//div[@class=\"brand\" and contains(., \"Home <accounts>\")]");
    assert_eq!(browser.run("return document.title"), "Sign in · Home <accounts>");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.keys("/");
    browser.has_focus("Search by name");
    let ground = "return getComputedStyle(document.documentElement).backgroundColor";
    for (theme, color) in [("Dark", "rgb(20, 23, 28)"), ("Light", "rgb(245, 246, 248)")] {
        browser.press_on(&format!("//footer//option[.=\"{theme}\"]"));
        assert_eq!(browser.run(ground), color);
        browser.cdp("Page.reload", &json!({}));
        browser.is_at("Users");
        assert_eq!(browser.run(ground), color);
    }
    browser.press_on("//footer//option[.=\"System\"]");
    assert_eq!(browser.run("return localStorage.length"), 0);
    browser.meets(&format!("//footer[contains(., \"usher {}\")]", env!("CARGO_PKG_VERSION")));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn before_setup_the_console_says_where_the_link_is_and_afterwards_asks_to_sign_in() {
    let server = Server::with().without_superuser().start();
    let usher::server::FirstSuperuser::Link(link) = &server.first_superuser else { panic!() };
    let browser = Browser::open(&server.url);
    browser.is_at("This server isn’t set up yet");
    browser.sees("printed the link");
    browser.meets("//body[not(.//form)]");
    browser.go(&format!("{}/setup#token=wrong", server.url));
    browser.meets("//*[@role=\"alert\" and contains(., \"setup link isn\")]");
    browser.go("about:blank");
    browser.go(link.expose());
    browser.fill("User name", "root");
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click("Create account");
    browser.is_at("Users");
    browser.click("Sign out");
    browser.is_at("Sign in");
    browser.go("about:blank");
    browser.go(link.expose());
    browser.is_at("Sign in");
    browser.sees("Setup is complete.");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_sign_in_page_names_the_site_that_asks_for_it() {
    let server = Server::start();
    let address = format!("{}/?return_to=https%3A%2F%2Fapp.example.org%2Fa", server.url);
    let browser = Browser::open(&address);
    browser.is_at("Sign in");
    browser.sees("Sign in to open app.example.org.");
}

#[needs(browser)]
#[test]
fn the_server_page_shows_settings_and_health_and_makes_and_downloads_a_backup() {
    let server = Server::with().set("audit_days", "30").start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("Server");
    browser.is_at("Server");
    browser.sees("Healthy");
    browser.meets("//dl[@class=\"settings\"]/dt[.=\"audit_days\"]/following-sibling::dd[1][contains(., \"30\")]");
    browser.run(
        "window.sizes = []; const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => { window.sizes.push(blob.size); return make.call(URL, blob); }",
    );
    browser.click("Make backup");
    browser.is_told("was made.");
    browser.press_on("//button[.=\"Download\"]");
    let look = "return new Promise((done) => { const look = () => window.sizes.length ? done(window.sizes.pop())
        : setTimeout(look, 10); look(); })";
    let file = std::fs::read_dir(server.data_dir().join("backups")).unwrap().next().unwrap().unwrap();
    assert_eq!(browser.run(look), file.metadata().unwrap().len());
    assert_eq!(browser.complaints(), [""; 0]);
}
