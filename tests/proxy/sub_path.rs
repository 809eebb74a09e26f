//! usher at `https://home.example.org/usher/`, through each proxy, with the prefix left in the path and taken away.

use serde_json::json;

use crate::driver::Browser;
use crate::proxies::{Proxy, Setting, caddy, nginx, test_each_proxy};
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const HOME: &str = "home.example.org";

fn server() -> Server {
    let server = Server::with().set("public_url", "https://home.example.org/usher");
    server.set("trusted_proxies", "127.0.0.1").start()
}

/// Runs `test` behind a proxy that leaves the prefix in the path, and behind one that takes it away.
fn behind(name: &str, https: bool, test: fn(&Server, &Proxy)) {
    let stripping = match name {
        "nginx" => [("proxy_pass http://usher;", "proxy_pass http://usher/;")],
        _ => [("handle /usher/*", "handle_path /usher/*")],
    };
    for put in [&[][..], &stripping] {
        let (server, setting) = (server(), Setting { put, https });
        let proxy = match name {
            "nginx" => nginx(&["home"], server.address, &setting),
            _ => caddy("sub-path.Caddyfile", server.address, &setting),
        };
        test(&server, &proxy);
    }
}

fn behind_http(name: &str, test: fn(&Server, &Proxy)) {
    behind(name, false, test);
}

fn behind_https(name: &str, test: fn(&Server, &Proxy)) {
    behind(name, true, test);
}

fn sign_in_refresh_and_sign_out_work_under_a_sub_path(server: &Server, proxy: &Proxy) {
    let form = [("username", ADMIN.0), ("password", ADMIN.1)];
    let login = proxy.request("POST", HOME, "/usher/api/v1/login").form(&form).send().expect(200);
    assert!(login.set_cookie("refresh_token_lf").unwrap().contains("; Path=/usher;"), "{login:?}");
    let refresh = login.cookie("refresh_token_lf").unwrap();
    let next = proxy.request("POST", HOME, "/usher/api/v1/refresh").cookie("refresh_token_lf", refresh).send();
    let access = next.expect(200).json()["access_token"].as_str().unwrap().to_owned();
    proxy.request("GET", HOME, "/usher/api/v1/users/whoami").bearer(&access).send().expect(200);
    proxy.request("POST", HOME, "/usher/api/v1/logout").bearer(&access).send().expect(200);
    server.whoami(&access).refused(401, "Session has ended.");
}

fn pages_links_and_redirects_work_under_a_sub_path(_: &Server, proxy: &Proxy) {
    let outside = proxy.get(HOME, "/usher").expect(308);
    assert!(outside.header("location").unwrap().ends_with("/usher/"), "{outside:?}");
    for page in ["/usher/", "/usher/docs", "/usher/setup", "/usher/reset"] {
        let text = proxy.get(HOME, page).expect(200).text();
        assert!(text.contains(r#"content="/usher/""#), "{text}");
        for part in text.split("=\"assets/").skip(1) {
            proxy.get(HOME, &format!("/usher/assets/{}", part.split('"').next().unwrap())).expect(200);
        }
    }
    assert_eq!(proxy.get(HOME, "/usher/openapi.json").expect(200).json()["servers"][0]["url"], "/usher");
    assert_eq!(
        proxy.get(HOME, "/usher/api/v1/users?skip=1").expect(307).header("location"),
        Some("/usher/api/v1/users/?skip=1")
    );
    let new = json!({ "username": "erika", "password": PASSWORD });
    let made = proxy.request("POST", HOME, "/usher/api/v1/users/").json(&new).send().expect(201);
    proxy.get(HOME, made.header("location").unwrap()).expect(403);
    proxy.get(HOME, "/usher/health_check").expect(200);
}

fn the_console_and_reset_links_work_under_a_sub_path(server: &Server, proxy: &Proxy) {
    let id = server.add_active(&server.admin(), "erika");
    let map = format!("--host-resolver-rules=MAP {HOME}:443 {}", proxy.address);
    let open = |url: &str| Browser::open_with(&[&map, "--ignore-certificate-errors"], url);
    let browser = open("https://home.example.org/usher/");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    // Scripts can't read the cookies, and a reload keeps the page signed in.
    assert_eq!(browser.run("return document.cookie"), "");
    browser.go("https://home.example.org/usher/");
    browser.is_at("Users");
    browser.go(&format!("https://home.example.org/usher/#/users/{id}"));
    browser.is_at("erika");
    browser.click("Create reset link");
    let link = browser.value("Reset link");
    assert!(link.starts_with("https://home.example.org/usher/reset#token="), "{link}");
    browser.click("Done");
    browser.click("Audit");
    browser.is_at("Audit log");
    browser.sees("127.0.0.1");
    browser.click("Sign out");
    browser.is_at("Sign in");
    browser.go(&link);
    browser.is_at("Set a new password");
    browser.fill("New password", "a fresh start 9");
    browser.fill("Repeat password", "a fresh start 9");
    browser.click("Set password");
    browser.is_at("My account");
    assert!(browser.run("return location.pathname").as_str().unwrap().starts_with("/usher/"));
    server.login("erika", "a fresh start 9");
    assert_eq!(browser.console_errors(), [""; 0]);
}

test_each_proxy!(behind_http: nginx(nginx) caddy(caddy) => [
    sign_in_refresh_and_sign_out_work_under_a_sub_path,
    pages_links_and_redirects_work_under_a_sub_path,
]);

mod in_a_browser {
    use super::{behind_https, the_console_and_reset_links_work_under_a_sub_path};
    use crate::proxies::test_each_proxy;

    test_each_proxy!(behind_https: nginx(browser, nginx, openssl) caddy(browser, caddy) => [
        the_console_and_reset_links_work_under_a_sub_path,
    ]);
}
