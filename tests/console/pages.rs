//! Every page and its error states, in light and dark mode, on wide and small screens: axe finds no violation, nothing
//! is cut off, and pages are small. With `USHER_SCREENSHOTS` set at build time, the tests write `docs/screenshots`.

use std::io::Write;

use base64::Engine;
use needs::needs;
use serde_json::json;
use usher::server::FirstSuperuser;

use crate::driver::Browser;
use crate::factors::localhost;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const AXE: &str = include_str!("vendor/axe.min.js");
const RUN_AXE: &str = "return axe.run(document, { resultTypes: ['violations'] }).then((result) =>
    result.violations.flatMap((fault) => fault.nodes.map((node) => `${fault.id}: ${node.html} ${node.failureSummary}`)))";

/// Checks the current page on a wide and a small screen, in light and dark mode.
pub fn check(browser: &Browser, name: &str) {
    for scheme in ["light", "dark"] {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.cdp("Emulation.setEmulatedMedia", &features);
        for width in [1280, 360] {
            on_a_screen_of(browser, width);
            if browser.run("return !window.axe") == true {
                browser.cdp("Runtime.evaluate", &json!({ "expression": AXE }));
            }
            let found = browser.run(RUN_AXE);
            assert_eq!(found, json!([]), "{name} in {scheme} on a screen of {width}");
        }
    }
    // 320 pixels: WCAG 2.2, 1.4.10; a screen of 1280 at 400 %.
    for width in [320, 360, 640] {
        on_a_screen_of(browser, width);
        let wide = browser.run("return document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= width, "{name} is {wide} wide on a screen of {width}");
    }
    browser.reset_screen_size();
}

fn on_a_screen_of(browser: &Browser, width: u64) {
    let screen = json!({ "width": width, "height": 740, "deviceScaleFactor": 1, "mobile": false });
    browser.cdp("Emulation.setDeviceMetricsOverride", &screen);
}

/// Checks a page and takes its screenshots.
pub fn inspect(browser: &Browser, name: &str) {
    check(browser, name);
    if option_env!("USHER_SCREENSHOTS").is_none() {
        return;
    }
    for scheme in ["light", "dark"] {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.cdp("Emulation.setEmulatedMedia", &features);
        let png = base64::engine::general_purpose::STANDARD.decode(browser.screenshot()).unwrap();
        let path = format!("{}/docs/screenshots/{name}-{scheme}.png", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(path, png).unwrap();
    }
}

#[needs(browser)]
#[test]
fn the_pages_for_signed_out_users_are_accessible() {
    let server = Server::with().without_superuser().start();
    let FirstSuperuser::Link(link) = &server.first_superuser else { panic!("{:?}", server.first_superuser) };
    let browser = Browser::open(link.expose());
    browser.is_at("Welcome");
    inspect(&browser, "setup");
    browser.fill("New password", "short");
    browser.click("Create account");
    browser.sees_field_error("Repeat password", "don’t match");
    check(&browser, "a fault in the setup");
    browser.go(&format!("{}/setup", server.url));
    browser.sees("setup token is missing");
    check(&browser, "setup without a token");
    browser.go(&server.url);
    browser.is_at("This server isn’t set up yet");
    inspect(&browser, "not-set-up");
    browser.go(&format!("{}/nowhere", server.url));
    browser.is_at("Page not found");
    check(&browser, "an unknown address");
    assert_eq!(browser.console_errors(), [""; 0]);
    drop(browser);

    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "greta");
    let made = server.post(format!("/api/v1/users/{id}/reset-link")).bearer(&admin).json(&json!({})).send();
    let browser = Browser::open(made.expect(201).json()["link"].as_str().unwrap());
    browser.is_at("Set a new password");
    browser.value("Account");
    inspect(&browser, "reset");
    browser.go("about:blank");
    browser.go(&format!("{}/reset#token=any", server.url));
    browser.finds("//*[@role=\"alert\" and contains(., \"link\")]");
    check(&browser, "a link that is void");
    let made = server.post("/api/v1/invitations").bearer(&admin).json(&json!({})).send().expect(201);
    browser.go(&made.field("link"));
    browser.is_at("Create your account");
    inspect(&browser, "invitation");
    browser.go(&format!("{}/reset", server.url));
    browser.sees("reset token is missing");
    check(&browser, "reset without a token");
    browser.go(&server.url);
    browser.is_at("Sign in");
    check(&browser, "sign-in");
    browser.click("Create an account");
    browser.is_at("Create an account");
    inspect(&browser, "sign-up");
    browser.click("Create account");
    browser.sees_field_error("User name", "Fill in this");
    check(&browser, "a fault in signing up");
    browser.fill("User name", "erika");
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click("Create account");
    browser.announces("erika is waiting for approval.");
    check(&browser, "waiting for approval");
    browser.go(&format!("{}/docs", server.url));
    browser.finds("//h2");
    inspect(&browser, "docs");
    browser.click_at("//summary[contains(., \"/api/v1/login\")]");
    browser.finds("//form[contains(@class, \"try\")]");
    browser.run("document.querySelector('details[open]').scrollIntoView()");
    inspect(&browser, "docs-try");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_pages_of_the_console_are_accessible() {
    let server = Server::start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "erika");
    server.create_key(&tokens.access, "backup");
    server.create_key(&admin, "deploy");
    for name in ["Anna", "bertil", "chao", "Δημήτρης", "eun-ji", "farid"] {
        server.sign_up(name);
    }
    server.add_active(&admin, "greta");
    let browser = Browser::open(&localhost(&server));
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    inspect(&browser, "users");
    browser.click("New user");
    browser.finds("//dialog");
    inspect(&browser, "new-user");
    browser.choose("Password setup", "Set a password");
    browser.fill("User name", "zoe");
    browser.click("Create");
    browser.sees_field_error("Password", "at least 8");
    check(&browser, "a fault in a new user");
    browser.click("Cancel");
    browser.fill("Search by name", "nobody at all");
    browser.sees("No users match.");
    check(&browser, "a search without results");
    for (path, heading, name) in [
        (format!("users/{id}"), "erika", "user"),
        ("audit".to_owned(), "Audit log", "audit"),
        ("server".to_owned(), "Server", "server"),
        ("account".to_owned(), "My account", "account"),
    ] {
        browser.go(&format!("{}/#/{path}", localhost(&server)));
        browser.is_at(heading);
        browser.finds("//table/tbody/tr | //ul/li | //dl/dd");
        inspect(&browser, name);
    }
    browser.click("Change password");
    browser.sees_field_error("New password", "at least 8");
    check(&browser, "a fault in a password");
    browser.click("New key");
    browser.finds("//dialog");
    check(&browser, "a key to be");
    browser.fill("Name", "backup");
    browser.click("Create key");
    browser.value("API key");
    inspect(&browser, "new-key");
    browser.click("Done");
    browser.go(&format!("{}/#/users/{id}", localhost(&server)));
    browser.is_at("erika");
    browser.click("Create reset link");
    browser.value("Reset link");
    inspect(&browser, "reset-link");
    browser.click("Done");
    for button in ["Make superuser", "Deactivate", "Set password", "Delete key: backup"] {
        browser.click(button);
        browser.finds("//dialog//form");
        check(&browser, button);
        browser.click("Cancel");
    }
    browser.click("Delete user");
    browser.finds("//dialog//form");
    inspect(&browser, "delete");
    browser.click("Cancel");
    let theirs = json!({ "username": "elsewhere" });
    server.patch(format!("/api/v1/users/{id}")).bearer(&admin).json(&theirs).send().expect(200);
    browser.fill("User name", "rika");
    browser.click("Save");
    browser.sees("the name is now “elsewhere”");
    browser.does_not_see("Saved.");
    inspect(&browser, "conflict");
    browser.click("Audit");
    browser.finds("//dialog[contains(., \"Discard\")]");
    check(&browser, "unsaved changes");
    browser.click("Discard changes");
    for (path, said) in [
        ("users?state=waiting", "Reject"),
        ("nothing", "Page not found"),
        ("users?sort=any", "Input should be"),
        ("audit?action=backup", "No entries match."),
    ] {
        browser.go(&format!("{}/#/{path}", localhost(&server)));
        browser.sees(said);
        check(&browser, path);
    }
    // The server has stopped.
    let network = json!({ "offline": true, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
    browser.cdp("Network.enable", &json!({}));
    browser.cdp("Network.emulateNetworkConditions", &network);
    browser.click("Users");
    browser.sees("The server can’t be reached");
    check(&browser, "the server is gone");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_page_of_invitations_is_accessible() {
    let server = Server::start();
    let several = json!({ "max_uses": 20 });
    server.post("/api/v1/invitations").bearer(&server.admin()).json(&several).send().expect(201);
    let browser = Browser::open(&format!("{}/#/invitations", server.url));
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Invitations");
    browser.finds("//main//li");
    inspect(&browser, "invitations");
    browser.click("New invitation");
    browser.finds("//dialog");
    check(&browser, "an invitation to be");
    browser.click("Create link");
    browser.value("Invitation link");
    check(&browser, "a new invitation");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn the_pages_of_forward_auth_are_accessible() {
    let sites = Server::with().set("public_url", "http://127.0.0.1").set("trusted_proxies", "192.0.2.1");
    let server = sites.set("forward_auth", "127.0.0.1:* = superusers").set("allow_sites_on_own_host", "true").start();
    server.add_active(&server.admin(), "erika");
    let browser = Browser::open(&format!("{}/?return_to=http%3A%2F%2F127.0.0.1%3A9%2F", server.url));
    browser.sign_in("erika", PASSWORD);
    browser.is_at("Access denied");
    inspect(&browser, "no-entry");
    browser.go(&format!("{}/sign-out", server.url));
    browser.is_at("Sign out");
    inspect(&browser, "sign-out");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn pages_load_little_data() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    let loaded = "return ['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))
        .reduce((sum, entry) => sum + entry.encodedBodySize, 0)";
    let bytes = browser.run(loaded).as_u64().unwrap();
    let paint = browser.run("return performance.getEntriesByName('first-contentful-paint')[0]?.startTime");
    // The time is only printed: it depends on the machine's load.
    writeln!(std::io::stderr().lock(), "{bytes} bytes, first paint after {paint} ms").unwrap();
    assert!((10_000..=100_000).contains(&bytes), "{bytes} bytes");
}
