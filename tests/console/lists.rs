//! The lists of users and audit entries: bulk actions, exports and filters.

use needs::needs;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

/// Keeps the content of the next downloads in `window.saved`, as the browser runs without a download directory.
const CATCH_DOWNLOADS: &str = "window.saved = []; const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => { blob.text().then((text) => window.saved.push(text)); return make.call(URL, blob); }";

fn saved(browser: &Browser) -> String {
    let look = "return new Promise((done) => { const look = () => window.saved.length ? done(window.saved.pop())
        : setTimeout(look, 10); look(); })";
    browser.run(look).as_str().unwrap().to_owned()
}

#[needs(browser)]
#[test]
fn several_selected_users_are_approved_deactivated_and_deleted() {
    let server = Server::start();
    for name in ["erika", "greta", "hanna"] {
        server.sign_up(name);
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    for name in ["erika", "greta"] {
        browser.click_at(&format!("//input[@aria-label=\"Select {name}\"]"));
    }
    browser.sees("2 selected");
    browser.click_at("//div[@class=\"bulk\"]//button[.=\"Approve\"]");
    browser.announces("2 users can sign in now.");
    browser.does_not_see("selected");
    let erika = server.login("erika", PASSWORD);
    // A failed action names its account, which stays selected.
    browser.click_at("//input[@aria-label=\"Select all on this page\"]");
    browser.sees("4 selected");
    browser.click_at("//div[@class=\"bulk\"]//button[.=\"Deactivate\"]");
    browser.finds("//dialog[contains(., \"Deactivate 4 users?\") and contains(., \"hanna\")]");
    browser.click("Deactivate");
    browser.sees("admin: You can't deactivate your own user account");
    browser.sees("1 selected");
    server.whoami(&erika.access).expect(401);
    browser.click("Clear selection");
    for name in ["erika", "greta"] {
        browser.click_at(&format!("//input[@aria-label=\"Select {name}\"]"));
    }
    browser.click_at("//div[@class=\"bulk\"]//button[.=\"Delete\"]");
    browser.click("Delete");
    browser.announces("2 users were deleted.");
    assert_eq!(server.query::<i64>("SELECT count(*) FROM users"), 2);
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn filtered_users_are_exported_as_csv_and_json_lines() {
    let server = Server::start();
    for name in ["erika", "=1+1", "a \"b\", c"] {
        server.sign_up(name);
    }
    let browser = Browser::open(&format!("{}/#/users?state=waiting&sort=name&order=asc", server.url));
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.run(CATCH_DOWNLOADS);
    browser.click("Export CSV");
    browser.announces("3 users were exported.");
    let csv = saved(&browser);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "id,username,is_active,is_superuser,create_at,updated_at,last_login_at");
    // A spreadsheet must not read a name as a formula.
    assert!(lines[1].contains(",'=1+1,false,false,") && lines[2].contains(",\"a \"\"b\"\", c\",false,"), "{csv}");
    assert_eq!(lines.len(), 4);
    browser.click("Export JSON Lines");
    let users: Vec<Value> = saved(&browser).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(users.len(), 3);
    assert_eq!(users[2]["username"], "erika");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_audit_log_shows_changes_and_is_filtered_and_downloaded() {
    let server = Server::start();
    let admin = server.admin();
    let (id, _) = server.member(&admin, "erika");
    let path = format!("/api/v1/users/{id}");
    server.patch(&path).bearer(&admin).json(&json!({ "username": "rika" })).send().expect(200);
    // An entry of an older version, which had one action for all changes.
    let old = "INSERT INTO audit (at, action, success, actor_name, target_name, detail)
        VALUES ('2020-01-31 12:00:00.000001+00:00', 'user.change', 1, 'admin', 'erika', 'username is_active')";
    server.database().execute(old, []).unwrap();
    server.try_login("rika", "wrong");
    let browser = Browser::open(&format!("{}/#/audit", server.url));
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Audit log");
    browser.finds("//td[contains(., \"User renamed\") and contains(., \"name: \")]");
    browser.finds("//td[contains(., \"User approved\") and contains(., \"active: false → true\")]");
    browser.finds("//td[contains(., \"User changed\") and contains(., \"name, active\")]");
    browser.click_at("//label[contains(., \"Failed only\")]/input");
    browser.finds("//tbody[count(tr)=1]//td[contains(., \"Signed in\")]");
    browser.click_at("//label[contains(., \"Failed only\")]/input");
    browser.fill("Address", "192.0.2.1\u{e007}");
    browser.sees("No entries match.");
    browser.click("Show all entries");
    browser.go(&format!("{}/#/audit?to=2020-12-31", server.url));
    browser.finds("//tbody[count(tr)=1]//td[contains(., \"User changed\")]");
    browser.run(CATCH_DOWNLOADS);
    browser.click("Download CSV");
    let csv = saved(&browser);
    assert!(csv.starts_with("id,at,action,success,actor_name,target_name,address,detail,count,last_at\r\n"), "{csv}");
    assert!(csv.contains(",User changed,true,admin,erika,,\"name, active\",1,\r\n"), "{csv}");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn users_see_their_own_recent_activity() {
    let server = Server::start();
    let admin = server.admin();
    server.add_active(&admin, "erika");
    let browser = Browser::open(&server.url);
    browser.sign_in("erika", PASSWORD);
    browser.is_at("My account");
    browser.finds("//section[h2=\"Recent activity\"]//li[contains(., \"User approved\") and contains(., \"by\") and contains(., \"admin\")]");
    browser.finds("//section[h2=\"Recent activity\"]//li[contains(., \"Signed in\") and contains(., \"127.0.0.1\")]");
    assert_eq!(browser.console_errors(), [""; 0]);
}
