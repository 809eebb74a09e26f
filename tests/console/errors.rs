//! Errors: sessions ended elsewhere, a server that stops for a while, throttled sign-ins.

use chrono::TimeDelta;
use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::ADMIN;

#[needs(browser)]
#[test]
fn a_session_ended_elsewhere_shows_the_sign_in_form() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    server.delete("/api/v1/sessions").bearer(&server.admin()).send();
    browser.click("Audit");
    browser.is_at("Sign in");
    browser.finds("//p[@role=\"status\" and contains(@class, \"note\")]");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Audit log");
}

#[needs(browser)]
#[test]
fn an_unreachable_server_is_reported_and_the_page_recovers() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    let network = |offline: bool| {
        let kind = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        browser.cdp("Network.enable", &json!({}));
        browser.cdp("Network.emulateNetworkConditions", &kind);
    };
    network(true);
    browser.click("Audit");
    browser.sees("The server can’t be reached");
    browser.finds("//main[not(.//table)]//button[.=\"Try again\"]");
    // The page doesn't show the sign-in form while the server is unreachable.
    browser.click("Sign out");
    browser.announces("You are still signed in");
    network(false);
    browser.sees("The server is back.");
    browser.is_at("Audit log");
    browser.finds("//tbody/tr");
    browser.click("Sign out");
    browser.is_at("Sign in");
}

#[needs(browser)]
#[test]
fn a_throttled_sign_in_shows_how_long_to_wait() {
    let server = Server::with().set("throttle", "true").manual_clock().start();
    for failure in 0..21 {
        // Each failure after the sixteenth doubles the wait.
        server.clock.advance(TimeDelta::seconds(if failure < 16 { 0 } else { 1 << (failure - 16) }));
        server.try_login(ADMIN.0, "wrong password");
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, "wrong password");
    browser.sees("Too many attempts.");
    let waits = "return [...document.querySelectorAll('button')].map((one) => /Wait (\\d+) s/.exec(one.textContent)?.[1]).find(Boolean)";
    browser.finds("//button[starts-with(normalize-space(), \"Wait \")]");
    let left: u32 = browser.run(waits).as_str().unwrap().parse().unwrap();
    assert!((3..=32).contains(&left), "{left}");
    // The wait counts down. Until then, Enter sends nothing.
    let failures = || server.query::<i64>("SELECT max(count) FROM attempts");
    let before = failures();
    browser.keys("\u{e007}");
    browser.finds(&format!("//button[normalize-space()=\"Wait {} s\"]", left - 2));
    assert_eq!(failures(), before);
}
