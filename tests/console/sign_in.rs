//! Setup, sign-in and reset links.

use needs::needs;
use serde_json::json;
use usher::server::FirstSuperuser;

use crate::driver::Browser;
use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

#[needs(browser)]
#[test]
fn the_setup_link_creates_the_first_superuser_and_its_token_leaves_the_address() {
    let server = Server::with().without_superuser().start();
    let FirstSuperuser::Link(link) = &server.first_superuser else { panic!("{:?}", server.first_superuser) };
    let browser = Browser::open(link.expose());
    browser.is_at("Welcome");
    assert_eq!(browser.run("return location.hash"), "");
    browser.fill("User name", "root");
    browser.fill("New password", "short");
    browser.fill("Repeat password", "shorter");
    browser.click("Create account");
    browser.sees_field_error("Repeat password", "don’t match");
    browser.fill("Repeat password", "short");
    browser.click("Create account");
    browser.sees_field_error("New password", "at least 8");
    browser.fill("New password", PASSWORD);
    browser.fill("Repeat password", PASSWORD);
    browser.click("Create account");
    browser.is_at("Users");
    browser.sees("root");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn signing_in_shows_the_users_and_exposes_no_token_to_scripts() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, "wrong");
    browser.sees("Incorrect username or password");
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    let kept = "return document.cookie + JSON.stringify([{...localStorage}, {...sessionStorage}])";
    assert_eq!(browser.run(kept), "[{},{}]");
    // A new tab or a reload is signed in by the cookie, which scripts can't read.
    browser.go(&server.url);
    browser.is_at("Users");
    browser.click("Sign out");
    browser.is_at("Sign in");
    browser.go(&server.url);
    browser.is_at("Sign in");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_reset_link_sets_a_password_once() {
    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "erika");
    let made = server.post(format!("/api/v1/users/{id}/reset-link")).bearer(&admin).json(&json!({})).send();
    let link = made.expect(201).json()["link"].as_str().unwrap().to_owned();
    let browser = Browser::open(&link);
    browser.is_at("Set a new password");
    assert_eq!(browser.value("Account"), "erika");
    browser.fill("New password", "a fresh start 9");
    browser.fill("Repeat password", "a fresh start 9");
    browser.click("Set password");
    browser.is_at("My account");
    browser.go("about:blank");
    browser.go(&link);
    browser.finds("//*[@role=\"alert\" and contains(., \"link\")]");
    browser.finds("//body[not(.//form)]");
    server.login("erika", "a fresh start 9");
}

#[needs(browser)]
#[test]
fn automatic_sign_in_needs_no_password_and_signing_out_lasts() {
    let server = Server::with().without_superuser().set("auto_login", "true").start();
    let browser = Browser::open(&server.url);
    browser.is_at("Users");
    browser.sees("local");
    browser.click("Sign out");
    browser.is_at("Sign in");
    browser.go("about:blank");
    browser.go(&server.url);
    browser.is_at("Users");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_launch_secret_signs_the_page_in_and_leaves_the_address() {
    let secret = "abcdefghijklmnopqrstuvwxyz012345";
    let server = Server::with().without_superuser().set("auto_login", "true").set("launch_secret", secret).start();
    let browser = Browser::open(&server.url);
    browser.is_at("Sign in");
    browser.go("about:blank");
    browser.go(&format!("{}/#launch={secret}", server.url));
    browser.is_at("Users");
    let kept = "return location.href + document.cookie + JSON.stringify([{...localStorage}, {...sessionStorage}])";
    assert_eq!(browser.run(kept), format!("{}/[{{}},{{}}]", server.url));
    // After a reload, the refresh cookie signs the page in.
    browser.go(&server.url);
    browser.is_at("Users");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[needs(browser)]
#[test]
fn a_page_on_another_local_port_cannot_sign_in() {
    let server = Server::with().without_superuser().set("auto_login", "true").start();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let page = format!("http://{}/", other.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in other.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let browser = Browser::open(&page);
    let url = format!("{}/api/v1/auto_login", server.url);
    // Everything a foreign page can try: send without reading the response, load it as an image, read it.
    let asked = browser.run(&format!(
        "const url = '{url}';
         const picture = new Promise((done) => {{ const it = new Image(); it.onload = it.onerror = done; it.src = url; }});
         return Promise.all([fetch(url, {{ mode: 'no-cors', credentials: 'include' }}), picture])
             .then(() => fetch(url, {{ credentials: 'include' }})).then(() => 'read', () => 'not read');"
    ));
    assert_eq!(asked, "not read");
    assert_eq!(server.query::<i64>("SELECT count(*) FROM sessions"), 0);
}

#[needs(browser)]
#[test]
fn tabs_loaded_at_once_all_stay_signed_in() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.run("window.tabs = [1, 2].map(() => open(location.href))");
    for tab in [1, 2] {
        browser.to_tab(tab);
        browser.is_at("Users");
    }
    browser.to_tab(0);
    for _ in 0..3 {
        browser.run("for (const tab of window.tabs) tab.location.reload(); window.name = 'old'");
        // This tab refreshes at the same time, as it does when its tokens are old.
        let renewed = "const url = document.querySelector('#app').baseURI.replace(/#.*/, '') + 'api/v1/refresh';
            return Promise.all([1, 2, 3].map(() => fetch(url, { method: 'POST', headers: { 'x-usher-console': '1' } }).then((answer) => answer.status)))";
        assert_eq!(browser.run(renewed), json!([200, 200, 200]));
        for tab in [1, 2, 0] {
            browser.to_tab(tab);
            browser.is_at("Users");
        }
    }
    assert_eq!(server.query::<i64>("SELECT count(*) FROM audit WHERE action = 'refresh.reuse'"), 0);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM sessions"), 1);
}

#[needs(browser)]
#[test]
fn fields_have_autocomplete_hints_for_password_managers() {
    let server = Server::start();
    let browser = Browser::open(&server.url);
    let look = "return [...document.querySelectorAll('form input:not([type=checkbox])')].map((field) => field.autocomplete).join(' ')";
    browser.is_at("Sign in");
    assert_eq!(browser.run(look), "username webauthn current-password");
    browser.click("Create an account");
    browser.is_at("Create an account");
    assert_eq!(browser.run(look), "username new-password new-password");
    let (admin, id) = (server.admin(), server.query::<String>("SELECT lower(hex(uuid)) FROM users"));
    let made = server.post(format!("/api/v1/users/{id}/reset-link")).bearer(&admin).json(&json!({})).send();
    browser.go(made.expect(201).json()["link"].as_str().unwrap());
    browser.is_at("Set a new password");
    browser.value("Account");
    assert_eq!(browser.run(look), "username new-password new-password");
    browser.go(&server.url);
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("Users");
    browser.click("My account");
    browser.is_at("My account");
    let look = look.replace("form input:not", "form[aria-label=Password] input:not");
    assert_eq!(browser.run(&look), "username current-password new-password new-password");
}

#[needs(browser)]
#[test]
fn a_tab_does_not_act_as_the_user_who_signed_in_in_another_tab() {
    let server = Server::start();
    let admin = server.admin();
    let erika = server.add_active(&admin, "erika");
    let path = format!("/api/v1/users/{erika}");
    server.patch(&path).bearer(&admin).json(&json!({ "is_superuser": true })).send().expect(200);
    let greta = server.add_active(&admin, "greta");
    let browser = Browser::open(&format!("{}/#/users/{greta}", server.url));
    browser.sign_in(ADMIN.0, ADMIN.1);
    browser.is_at("greta");
    browser.sees("No sessions.");
    browser.run("open(location.href)");
    browser.to_tab(1);
    browser.is_at("greta");
    server.delete("/api/v1/sessions").bearer(&admin).send().expect(200);
    let sign_in = "const form = new URLSearchParams({ username: 'erika', password: 'PASSWORD' });
        return fetch('api/v1/login', { method: 'POST', headers: { 'x-usher-console': '1' }, body: form }).then((answer) => answer.status)";
    assert_eq!(browser.run(&sign_in.replace("PASSWORD", PASSWORD)), 200);
    browser.cdp("Page.reload", &json!({}));
    browser.finds("//header//bdi[.=\"erika\"]");
    browser.to_tab(0);
    browser.click("Deactivate");
    browser.click("Deactivate");
    browser.announces("You are now signed in as erika.");
    browser.finds("//header//bdi[.=\"erika\"]");
    let active = "SELECT is_active FROM users WHERE username = 'greta'";
    assert!(server.query::<bool>(active));
    browser.click("Deactivate");
    browser.click("Deactivate");
    browser.finds("//button[.=\"Approve\"]");
    assert!(!server.query::<bool>(active));
    assert_eq!(browser.console_errors(), [""; 0]);
}
