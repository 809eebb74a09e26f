//! Long names and large numbers of rows.

use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::ADMIN;

#[needs(browser)]
#[test]
fn names_of_any_length_and_direction_fit_on_every_screen() {
    let server = Server::start();
    let admin = server.admin();
    let names =
        ["W".repeat(255), "word ".repeat(50), "هدى العبدالله".to_owned(), "Z̸͍̈́a̷͓͋l̴̰̾g̵͙̈́o̷".to_owned(), "👋🏽 wave".to_owned()];
    let ids: Vec<String> = names.iter().map(|name| server.add_active(&admin, name.trim())).collect();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    let fits = |what: &str| {
        for width in [360, 768, 1440] {
            let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
            browser.cdp("Emulation.setDeviceMetricsOverride", &screen);
            let look = "const tall = [...document.querySelectorAll('tbody tr')].map((row) => row.offsetHeight);
                return [document.documentElement.scrollWidth, Math.max(0, ...tall)]";
            let found = browser.run(look);
            assert!(found[0].as_u64().unwrap() <= width, "{what} on a screen of {width}: {found}");
            assert!(found[1].as_u64().unwrap() <= 220, "{what} on a screen of {width}: {found}");
        }
        browser.reset_screen_size();
    };
    fits("the list");
    for id in &ids {
        browser.go(&format!("{}/#/users/{id}", server.url));
        browser.finds("//h1/bdi");
        browser.sees("No sessions.");
        fits("an account");
        browser.click("Create reset link");
        browser.value("Reset link");
        fits("a link");
        browser.click("Done");
        browser.click("Delete user");
        browser.finds("//dialog");
        fits("a deletion");
        browser.click("Cancel");
    }
    browser.click("Audit");
    browser.is_at("Audit log");
    browser.finds("//tbody/tr[10]");
    fits("the log");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_thousand_keys_are_shown_in_pages() {
    let server = Server::start();
    let admin = server.admin();
    let (id, _) = server.member(&admin, "erika");
    let insert = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
        INSERT INTO api_keys (uuid, user_id, name, sha256, prefix, length, is_active, created_at, total_uses)
        SELECT randomblob(16), (SELECT id FROM users WHERE username = 'erika'), 'key ' || i, randomblob(32), 'sk-abcde', 46, 1,
            '2026-01-31 12:00:00.000001+00:00', 0 FROM n";
    server.database().execute(insert, []).unwrap();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.finds("//section[.//h2=\"API keys\"]//ul[count(li)=10]");
    browser.click("Show 100 more (990 not shown)");
    browser.finds("//section[.//h2=\"API keys\"]//ul[count(li)=110]");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_thousand_sessions_and_a_long_audit_log_are_shown_in_pages() {
    let server = Server::start();
    let admin = server.admin();
    let (id, _) = server.member(&admin, "erika");
    let count = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <";
    let database = server.database();
    database
        .execute_batch(&format!(
            "{count} 1000) INSERT INTO sessions (uuid, user_id, created_at, refreshed_at, expires_at, generation, address)
            SELECT randomblob(16), (SELECT id FROM users WHERE username = 'erika'), '2026-01-31 12:00:00.000001+00:00',
                '2026-01-31 12:00:00.000001+00:00', '2096-01-31 12:00:00.000001+00:00', 0, '192.0.2.' || (i % 256) FROM n;
            {count} 100000) INSERT INTO audit (at, action, success, actor_name, target_name)
            SELECT '2026-01-31 12:00:00.000001+00:00', CASE i % 100 WHEN 0 THEN 'login' ELSE 'user.change' END, 1,
                'actor ' || i, 'target' FROM n;"
        ))
        .unwrap();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.go(&format!("{}/#/users/{id}", server.url));
    browser.is_at("erika");
    browser.finds("//section[.//h2=\"Sessions\"]//ul[count(li)=10]");
    browser.click("Show 100 more (991 not shown)");
    browser.finds("//section[.//h2=\"Sessions\"]//ul[count(li)=110]");
    browser.click("End all");
    browser.sees("No sessions.");
    browser.click("Audit");
    browser.is_at("Audit log");
    browser.finds("//tbody[count(tr)=50]");
    browser.click("Last page");
    browser.finds("//tbody/tr[last()]/td[contains(., \"First superuser created\")]");
    browser.click("Previous");
    browser.finds("//tbody/tr[last()]//*[starts-with(., \"actor \")]");
    browser.choose("Action", "Signed in");
    browser.sees("1–50 of 1,00");
    browser.click("Last page");
    browser.finds("//tbody//*[.=\"actor 100\"]");
    assert_eq!(browser.console_errors(), [""; 0]);
}
