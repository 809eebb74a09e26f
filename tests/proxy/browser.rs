//! A person's browser, over HTTPS and through a real proxy: led to sign in, signed in, back where it wanted to go; and
//! out again everywhere.

use needs::needs;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::echo::Echo;
use crate::proxies::{self, Proxy, Setting};
use crate::sites::guarding;
use crate::support::Server;
use crate::support::server::PASSWORD;

const APP: &str = "https://app.example.org/a/b?c=d%20e&f=g#h";

struct Place {
    server: Server,
    echo: Echo,
    proxy: Proxy,
}

impl Place {
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

/// What the site that is shown was told.
fn told(browser: &Browser) -> Value {
    browser.meets("//body[contains(., \"GET /\")]");
    serde_json::from_str(browser.run("return document.body.textContent").as_str().unwrap()).unwrap()
}

fn through(name: &str) {
    let place = Place::start(name);
    place.server.add_active(&place.server.admin(), "alice");
    let browser = place.browser(APP);
    browser.is_at("Sign in");
    assert!(browser.run("return location.href").as_str().unwrap().starts_with("https://auth.example.org/?return_to="));
    assert_eq!(place.echo.asked(), 0);
    browser.sign_in("alice", "wrong");
    browser.sees("Incorrect username or password");
    browser.sign_in("alice", PASSWORD);
    let site = told(&browser);
    assert_eq!(browser.run("return location.href"), APP);
    let headers = site["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["remote-user", "alice"])), "{site}");
    assert!(!site.to_string().contains("_lf"), "{site}");
    assert!(!site.to_string().contains("usher_entry"), "{site}");
    assert_eq!(browser.run("return document.cookie"), "", "no script of a site reads the cookie");

    // A site that she may not enter says who she is, and offers to come as somebody else.
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
    let complaints = browser.complaints();
    assert_eq!(complaints, [""; 0]);
}

#[needs(browser, nginx, openssl)]
#[test]
fn through_nginx_a_person_signs_in_comes_to_the_site_and_is_locked_out_after_signing_out() {
    through("nginx");
}

#[needs(browser, caddy)]
#[test]
fn through_caddy_a_person_signs_in_comes_to_the_site_and_is_locked_out_after_signing_out() {
    through("caddy");
}

#[needs(browser, traefik, openssl)]
#[test]
fn through_traefik_a_person_signs_in_comes_to_the_site_and_is_locked_out_after_signing_out() {
    through("traefik");
}

#[needs(browser, nginx, openssl)]
#[test]
fn who_is_signed_in_already_comes_to_the_next_site_without_being_asked_again() {
    let place = Place::start("nginx");
    place.server.add_active(&place.server.admin(), "alice");
    let browser = place.browser("https://auth.example.org/");
    browser.sign_in("alice", PASSWORD);
    browser.is_at("My account");
    browser.go(APP);
    told(&browser);
    assert_eq!(browser.run("return location.href"), APP);
}

#[needs(browser, nginx, openssl)]
#[test]
fn who_is_signed_in_and_may_not_enter_is_told_so_through_nginx_too() {
    let place = Place::with("nginx", &[("app.example.org", "admin.example.org")]);
    place.server.add_active(&place.server.admin(), "carol");
    let browser = place.browser("https://auth.example.org/");
    browser.sign_in("carol", PASSWORD);
    browser.is_at("My account");
    browser.go("https://admin.example.org/");
    browser.is_at("Access denied");
    browser.sees("You are signed in as carol");
    browser.click("Sign in as another user");
    browser.sign_in("admin", "adminpw123");
    told(&browser);
    assert_eq!(browser.run("return location.href"), "https://admin.example.org/");
}

#[needs(browser, nginx, openssl)]
#[test]
fn where_the_cookie_does_not_arrive_the_browser_does_not_go_round_in_circles() {
    let lost = [("$request_method;", "$request_method; proxy_set_header Cookie x;")];
    let place = Place::with("nginx", &lost);
    place.server.add_active(&place.server.admin(), "alice");
    let browser = place.browser(APP);
    browser.sign_in("alice", PASSWORD);
    browser.is_at("Access denied");
    browser.sees("https://app.example.org sent you back");
    let before = place.server.query::<i64>("SELECT count(*) FROM audit WHERE action = 'site.enter'");
    browser.click("Try again");
    browser.is_at("Access denied");
    let after = place.server.query::<i64>("SELECT count(*) FROM audit WHERE action = 'site.enter'");
    assert_eq!((before, after), (2, 4));
}

#[needs(browser, nginx, openssl)]
#[test]
fn who_may_not_enter_can_come_as_somebody_else() {
    let place = Place::start("nginx");
    let admin = place.server.admin();
    place.server.add_active(&admin, "carol");
    let browser = place.browser("https://auth.example.org/?return_to=https%3A%2F%2Fwiki.example.org%2F");
    browser.sign_in("carol", PASSWORD);
    browser.is_at("Access denied");
    browser.click("Sign in as another user");
    browser.sign_in("admin", "adminpw123");
    browser.is_at("Access denied");
    browser.sees("You are signed in as admin");
    browser.click("My account");
    browser.is_at("Users");
    // An address that leads nowhere stays here.
    browser.go("https://auth.example.org/?return_to=https%3A%2F%2Fevil.net%2F");
    browser.sees("This isn't the address of a site that you can enter from here");
    assert!(browser.run("return location.href").as_str().unwrap().starts_with("https://auth.example.org/"));
}
