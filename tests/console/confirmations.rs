//! Confirmations, error messages that name the account, and unsaved input.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::fake_proxy::{Behavior, FakeProxy};
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn a_failed_row_action_names_the_account_and_keeps_its_row() {
    let server = Server::start();
    server.sign_up("erika");
    let proxy = FakeProxy::start(server.address);
    let browser = Browser::open(&proxy.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    proxy.behave(Behavior::Respond(507, "application/json", r#"{"detail":"The server's disk is full"}"#));
    browser.click("Approve erika");
    browser.finds("//main/*[@role=\"alert\" and contains(., \"erika: The server\")]");
    browser.finds("//tbody//button[@aria-label=\"Approve erika\"]");
    proxy.behave(Behavior::PassOn);
    browser.click("Approve erika");
    browser.announces("erika can sign in now.");
    browser.finds("//main[not(.//*[@role=\"alert\"])]");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn errors_and_the_offline_banner_stay_in_view_on_a_scrolled_page() {
    let server = Server::start();
    for n in 0..30 {
        server.sign_up(&format!("person-{n:02}"));
    }
    let proxy = FakeProxy::start(server.address);
    let browser = Browser::open(&proxy.url);
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
    proxy.behave(Behavior::Respond(507, "application/json", r#"{"detail":"The server's disk is full"}"#));
    browser.keys("\u{e007}");
    browser.sees("person-05: The server");
    in_view("//main/*[@role=\"alert\"]");
    proxy.behave(Behavior::Respond(502, "text/html", "Bad Gateway"));
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
        browser.finds("//dialog[contains(., \"Discard unsaved changes?\")]");
        browser.click("Keep editing");
        browser.finds("//body[not(.//dialog)]");
        assert_eq!(browser.run("return location.href"), address);
        assert_eq!(browser.value("User name"), "rika");
    }
    browser.click("Audit");
    browser.click("Discard changes");
    browser.is_at("Audit log");
    // Saved or reverted input doesn't count as unsaved.
    browser.go(&address);
    browser.is_at("erika");
    browser.fill("User name", "rika");
    browser.click("Save");
    browser.announces("Saved.");
    browser.click("Audit");
    browser.is_at("Audit log");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn escape_and_clicks_outside_discard_a_dialogs_input_only_after_asking() {
    const ESCAPE: &str = "\u{e00c}";
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("New user");
    browser.has_focus("User name");
    browser.fill("User name", "erika");
    for _ in 0..2 {
        browser.keys(ESCAPE);
        browser.finds("//dialog[@open and contains(., \"Discard unsaved changes?\")]");
        browser.keys(ESCAPE);
        browser.finds("//body[count(.//dialog)=1]");
        browser.has_focus("User name");
        assert_eq!(browser.value("User name"), "erika");
    }
    browser.run("document.elementFromPoint(5, 5).click()");
    assert_eq!(browser.value("User name"), "erika");
    browser.keys(ESCAPE);
    browser.click("Discard changes");
    browser.finds("//body[not(.//dialog)]");
    // Without input, the dialog closes without asking.
    browser.click("New user");
    browser.has_focus("User name");
    browser.keys(ESCAPE);
    browser.finds("//body[not(.//dialog)]");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn deleting_asks_to_type_the_name_or_the_word_delete() {
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
    browser.announces("was deleted.");
    assert_eq!(server.query::<i64>("SELECT count(*) FROM users"), 1);
}

#[needs(browser)]
#[test]
fn an_unknown_account_links_back_to_the_list() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    for id in ["00000000-0000-0000-0000-000000000000", "nonsense"] {
        browser.go(&format!("{}/#/users/{id}", server.url));
        browser.announces("This account doesn’t exist.");
        browser.is_at("Users");
        assert_eq!(browser.run("return location.hash"), "#/users");
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn signing_out_in_one_tab_signs_out_all_tabs() {
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
    browser.announces("You are signed out.");
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
    browser.finds("//tr[.//bdi=\"erika\"]//time[contains(., \"years ago\") and contains(@title, \"2020\")]");
    browser.finds("//tr[.//bdi=\"admin\"]//time[.=\"now\"]");
}

#[needs(browser)]
#[test]
fn waiting_accounts_are_counted_approved_and_rejected() {
    let server = Server::start();
    for name in ["erika", "greta"] {
        server.sign_up(name);
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.finds("//nav//span[@class=\"count\" and .=\"2\"]");
    browser.click_at("//nav//a[starts-with(., \"Waiting\")]");
    browser.finds("//nav//a[starts-with(., \"Waiting\") and @aria-current=\"page\"]");
    browser.click("Approve erika");
    browser.finds("//nav//span[@class=\"count\" and .=\"1\"]");
    browser.click("Reject greta");
    browser.finds("//dialog[contains(., \"will be deleted\")]");
    browser.click("Reject");
    browser.announces("greta was rejected.");
    browser.sees("No users are waiting for approval.");
    server.login("erika", PASSWORD);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM users"), 2);
    browser.click("Users");
    browser.finds("//nav[not(contains(., \"Waiting\"))]");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_superuser_is_created_and_a_users_password_is_set() {
    let server = Server::start();
    let admin = server.admin();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("New user");
    browser.fill("User name", "root");
    browser.choose("Password setup", "Set a password");
    browser.fill("Password", PASSWORD);
    browser.click_at("//label[contains(., \"Superuser\")]/input");
    browser.click("Create");
    browser.announces("root was created.");
    // The newest user is first.
    browser.finds("//tbody/tr[1][contains(., \"root\") and contains(., \"Superuser\")]");
    let id = server.get("/api/v1/users/?search=root").bearer(&admin).send().json()["users"][0]["id"].clone();
    browser.go(&format!("{}/#/users/{}", server.url, id.as_str().unwrap()));
    browser.is_at("root");
    browser.finds(&format!("//code[.={id}]"));
    browser.click("Copy ID");
    browser.announces("Copied.");
    browser.click("Set password");
    browser.fill("New password", "a fresh start 9");
    browser.click("Set password");
    browser.announces("The password of root was set.");
    server.login("root", "a fresh start 9");
    for rows in ["50", "100"] {
        browser.click("Users");
        browser.choose("Rows per page", rows);
        browser.finds("//tbody/tr[2]");
        assert_eq!(browser.run("return location.hash"), format!("#/users?limit={rows}"));
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_theme_can_be_chosen_and_a_slash_starts_a_search() {
    let server = Server::with().set("site_name", "Home <accounts>").start();
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    browser.finds("//div[@class=\"brand\" and contains(., \"Home <accounts>\")]");
    assert_eq!(browser.run("return document.title"), "Sign in · Home <accounts>");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.keys("/");
    browser.has_focus("Search by name");
    let ground = "return getComputedStyle(document.documentElement).backgroundColor";
    for (theme, color) in [("Dark", "rgb(20, 23, 28)"), ("Light", "rgb(245, 246, 248)")] {
        browser.click_at(&format!("//footer//option[.=\"{theme}\"]"));
        assert_eq!(browser.run(ground), color);
        browser.cdp("Page.reload", &json!({}));
        browser.is_at("Users");
        assert_eq!(browser.run(ground), color);
    }
    browser.click_at("//footer//option[.=\"System\"]");
    assert_eq!(browser.run("return localStorage.length"), 0);
    browser.finds(&format!("//footer[contains(., \"usher {}\")]", env!("CARGO_PKG_VERSION")));
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn before_setup_the_console_says_where_to_find_the_setup_link() {
    let server = Server::with().without_superuser().start();
    let usher::server::FirstSuperuser::Link(link) = &server.first_superuser else { panic!() };
    let browser = Browser::open(&server.url);
    browser.is_at("This server isn’t set up yet");
    browser.sees("printed the link");
    browser.finds("//body[not(.//form)]");
    browser.go(&format!("{}/setup#token=wrong", server.url));
    browser.finds("//*[@role=\"alert\" and contains(., \"setup link isn\")]");
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
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_sign_in_page_names_the_site_to_enter() {
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
    browser.finds("//dl[@class=\"settings\"]/dt[.=\"audit_days\"]/following-sibling::dd[1][contains(., \"30\")]");
    browser.run(
        "window.sizes = []; const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => { window.sizes.push(blob.size); return make.call(URL, blob); }",
    );
    browser.click("Make backup");
    browser.announces("was made.");
    browser.click_at("//button[.=\"Download\"]");
    let look = "return new Promise((done) => { const look = () => window.sizes.length ? done(window.sizes.pop())
        : setTimeout(look, 10); look(); })";
    let file = std::fs::read_dir(server.data_dir().join("backups")).unwrap().next().unwrap().unwrap();
    assert_eq!(browser.run(look), file.metadata().unwrap().len());
    assert_eq!(browser.console_errors(), [""; 0]);
}
