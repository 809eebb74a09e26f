//! What goes wrong: sessions that end elsewhere, a server that is gone for a while, too many attempts.

use chrono::TimeDelta;
use needs::needs;
use serde_json::json;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::ADMIN;

#[needs(browser)]
#[test]
fn a_session_that_is_ended_elsewhere_leads_to_signing_in_again() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    server.delete("/api/v1/sessions").bearer(&server.admin()).send();
    browser.click("Audit");
    browser.is_at("Sign in");
    browser.meets("//p[@role=\"status\" and contains(@class, \"note\")]");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Audit log");
}

#[needs(browser)]
#[test]
fn a_server_that_is_gone_is_said_so_and_when_it_is_back_the_page_goes_on() {
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
    browser.meets("//main[not(.//table)]//button[.=\"Try again\"]");
    // Nobody is told that they are signed out while the server does not know of it.
    browser.click("Sign out");
    browser.is_told("You are still signed in");
    network(false);
    browser.sees("The server is back.");
    browser.is_at("Audit log");
    browser.meets("//tbody/tr");
    browser.click("Sign out");
    browser.is_at("Sign in");
}

#[needs(browser)]
#[test]
fn somebody_who_tries_too_often_is_told_how_long_to_wait() {
    let server = Server::with().set("throttle", "true").manual_clock().start();
    for failure in 0..21 {
        // Each failure after the sixteenth doubles the wait before the next.
        server.clock.advance(TimeDelta::seconds(if failure < 16 { 0 } else { 1 << (failure - 16) }));
        server.try_login(ADMIN.0, "wrong password");
    }
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, "wrong password");
    browser.sees("Too many attempts.");
    let waits = "return [...document.querySelectorAll('button')].map((one) => /Wait (\\d+) s/.exec(one.textContent)?.[1]).find(Boolean)";
    browser.meets("//button[starts-with(normalize-space(), \"Wait \")]");
    let left: u32 = browser.run(waits).as_str().unwrap().parse().unwrap();
    assert!((3..=32).contains(&left), "{left}");
    // The wait counts down, and Enter sends nothing meanwhile.
    let failures = || server.query::<i64>("SELECT max(count) FROM attempts");
    let before = failures();
    browser.keys("\u{e007}");
    browser.meets(&format!("//button[normalize-space()=\"Wait {} s\"]", left - 2));
    assert_eq!(failures(), before);
}
