//! A person's browser at `https://home.example.org/usher/`, through nginx: everything that lasts or leads somewhere.

use needs::needs;
use serde_json::json;
use usher::server::FirstSuperuser;

use crate::driver::Browser;
use crate::proxies::{Setting, nginx};
use crate::support::Server;
use crate::support::server::PASSWORD;

const HOME: &str = "https://home.example.org/usher/";

#[needs(browser, nginx, openssl)]
#[test]
fn the_console_works_under_another_sites_prefix() {
    let server = Server::with()
        .without_superuser()
        .set("public_url", HOME.trim_end_matches('/'))
        .set("trusted_proxies", "127.0.0.1")
        .start();
    let FirstSuperuser::Link(link) = &server.first_superuser else { panic!("{:?}", server.first_superuser) };
    let proxy = nginx(&["home"], server.address, &Setting { put: &[], https: true });
    let map = format!("--host-resolver-rules=MAP *.example.org:443 {}", proxy.address);
    let browser = Browser::open_with(&[&map, "--ignore-certificate-errors"], link.expose());
    let address = || browser.run("return location.href");

    browser.is_at("Welcome");
    assert_eq!(address(), format!("{HOME}setup"));
    browser.fill("User name", "root");
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click("Create account");
    browser.is_at("Users");
    assert_eq!(address(), HOME);
    // After a reload, the cookie signs the page in. The site around usher doesn't get it.
    for _ in 0..2 {
        browser.cdp("Page.reload", &json!({}));
        browser.is_at("Users");
    }
    let cookies = browser.cdp("Network.getAllCookies", &json!({}));
    let refresh =
        cookies["cookies"].as_array().unwrap().iter().find(|one| one["name"] == "__Secure-usher_refresh").unwrap();
    assert_eq!(
        (&refresh["path"], &refresh["secure"], &refresh["httpOnly"]),
        (&json!("/usher"), &json!(true), &json!(true))
    );

    browser.click("New user");
    browser.fill("User name", "erika");
    browser.click("Create");
    let reset = browser.value("Reset link");
    assert!(reset.starts_with(&format!("{HOME}reset#token=")), "{reset}");
    browser.click("Done");
    browser.click("erika");
    browser.is_at("erika");
    browser.cdp("Page.reload", &json!({}));
    browser.is_at("erika");
    browser.click("API");
    browser.is_at("API");
    browser.sees("use your console session");
    browser.click("Console");
    browser.is_at("Users");
    browser.click("Sign out");
    browser.sees("You are signed out.");
    browser.cdp("Page.reload", &json!({}));
    browser.is_at("Sign in");

    browser.go("about:blank");
    browser.go(&reset);
    browser.is_at("Set a new password");
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click("Set password");
    browser.is_at("My account");
    assert!(address().as_str().unwrap().starts_with(HOME), "{}", address());
    browser.click("Sign out");
    browser.click("Create an account");
    browser.is_at("Create an account");
    assert_eq!(address(), format!("{HOME}#/sign-up"));
    assert_eq!(browser.console_errors(), [""; 0]);
}
