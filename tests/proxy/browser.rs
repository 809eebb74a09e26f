//! Forward authentication in a browser, over HTTPS through a real proxy: sign-in, redirects back, and sign-out from all
//! sites.

use needs::needs;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::echo::Echo;
use crate::proxies::{self, Proxy, Setting};
use crate::sites::guarding;
use crate::support::Server;
use crate::support::server::PASSWORD;

const APP: &str = "https://app.example.org/a/b?c=d%20e&f=g#h";

struct Setup {
    server: Server,
    echo: Echo,
    proxy: Proxy,
}

impl Setup {
    fn start(name: &str) -> Self {
        Self::with(name, &[])
    }

    fn with(name: &str, put: &[(&str, &str)]) -> Self {
        let (server, echo) = (guarding().start(), Echo::start());
        let site = echo.address.to_string();
        let put = [&[("127.0.0.1:3000", site.as_str())], put].concat();
        let setting = Setting { put: &put, https: true };
        let proxy = proxies::guarding(name, server.address, &setting);
        Self { server, echo, proxy }
    }

    fn browser(&self, url: &str) -> Browser {
        let map = format!("--host-resolver-rules=MAP *.example.org:443 {}", self.proxy.address);
        Browser::open_with(&[&map, "--ignore-certificate-errors"], url)
    }
}

/// The request that the site received, from the page that it shows.
fn received(browser: &Browser) -> Value {
    browser.finds("//body[contains(., \"GET /\")]");
    serde_json::from_str(browser.run("return document.body.textContent").as_str().unwrap()).unwrap()
}

fn through(name: &str) {
    let setup = Setup::start(name);
    setup.server.add_active(&setup.server.admin(), "alice");
    let browser = setup.browser(APP);
    browser.is_at("Sign in");
    assert!(browser.run("return location.href").as_str().unwrap().starts_with("https://auth.example.org/?return_to="));
    assert_eq!(setup.echo.request_count(), 0);
    browser.sign_in("alice", "wrong");
    browser.sees("Incorrect username or password");
    browser.sign_in("alice", PASSWORD);
    let site = received(&browser);
    assert_eq!(browser.run("return location.href"), APP);
    let headers = site["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["remote-user", "alice"])), "{site}");
    assert!(!site.to_string().contains("_lf"), "{site}");
    assert!(!site.to_string().contains("usher_entry"), "{site}");
    assert_eq!(browser.run("return document.cookie"), "", "no script of a site reads the cookie");

    // The page for a site that alice can't enter names her and offers to switch users.
    browser.go("https://auth.example.org/?return_to=https%3A%2F%2Fadmin.example.org%2F");
    browser.is_at("Access denied");
    browser.sees("You aren't allowed to enter this site");
    browser.sees("You are signed in as alice");

    browser.go("https://auth.example.org/sign-out");
    browser.is_at("Sign out");
    browser.click("Sign out");
    browser.sees("You are signed out.");
    browser.go(APP);
    browser.is_at("Sign in");
    let errors = browser.console_errors();
    assert_eq!(errors, [""; 0]);
}

#[needs(browser, nginx, openssl)]
#[test]
fn signing_in_and_out_of_a_site_works_through_nginx() {
    through("nginx");
}

#[needs(browser, caddy)]
#[test]
fn signing_in_and_out_of_a_site_works_through_caddy() {
    through("caddy");
}

#[needs(browser, traefik, openssl)]
#[test]
fn signing_in_and_out_of_a_site_works_through_traefik() {
    through("traefik");
}

#[needs(browser, nginx, openssl)]
#[test]
fn a_signed_in_user_enters_another_site_without_signing_in_again() {
    let setup = Setup::start("nginx");
    setup.server.add_active(&setup.server.admin(), "alice");
    let browser = setup.browser("https://auth.example.org/");
    browser.sign_in("alice", PASSWORD);
    browser.is_at("My account");
    browser.go(APP);
    received(&browser);
    assert_eq!(browser.run("return location.href"), APP);
}

#[needs(browser, nginx, openssl)]
#[test]
fn a_signed_in_user_without_access_is_told_so_through_nginx() {
    let setup = Setup::with("nginx", &[("app.example.org", "admin.example.org")]);
    setup.server.add_active(&setup.server.admin(), "carol");
    let browser = setup.browser("https://auth.example.org/");
    browser.sign_in("carol", PASSWORD);
    browser.is_at("My account");
    browser.go("https://admin.example.org/");
    browser.is_at("Access denied");
    browser.sees("You are signed in as carol");
    browser.click("Sign in as another user");
    browser.sign_in("admin", "adminpw123");
    received(&browser);
    assert_eq!(browser.run("return location.href"), "https://admin.example.org/");
}

#[needs(browser, nginx, openssl)]
#[test]
fn a_lost_cookie_does_not_cause_a_redirect_loop() {
    let lost = [("$request_method;", "$request_method; proxy_set_header Cookie x;")];
    let setup = Setup::with("nginx", &lost);
    setup.server.add_active(&setup.server.admin(), "alice");
    let browser = setup.browser(APP);
    browser.sign_in("alice", PASSWORD);
    browser.is_at("Access denied");
    browser.sees("https://app.example.org sent you back");
    let before = setup.server.query::<i64>("SELECT sum(count) FROM audit WHERE action = 'site.enter'");
    browser.click("Try again");
    browser.is_at("Access denied");
    let after = setup.server.query::<i64>("SELECT sum(count) FROM audit WHERE action = 'site.enter'");
    assert_eq!((before, after), (2, 4));
}

#[needs(browser, nginx, openssl)]
#[test]
fn a_user_without_access_can_switch_users() {
    let setup = Setup::start("nginx");
    let admin = setup.server.admin();
    setup.server.add_active(&admin, "carol");
    let browser = setup.browser("https://auth.example.org/?return_to=https%3A%2F%2Fwiki.example.org%2F");
    browser.sign_in("carol", PASSWORD);
    browser.is_at("Access denied");
    browser.click("Sign in as another user");
    browser.sign_in("admin", "adminpw123");
    browser.is_at("Access denied");
    browser.sees("You are signed in as admin");
    browser.click("My account");
    browser.is_at("Users");
    // The browser doesn't leave for an address without a rule.
    browser.go("https://auth.example.org/?return_to=https%3A%2F%2Fevil.net%2F");
    browser.sees("This isn't the address of a site that you can enter from here");
    assert!(browser.run("return location.href").as_str().unwrap().starts_with("https://auth.example.org/"));
}
