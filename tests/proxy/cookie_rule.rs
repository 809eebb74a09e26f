//! The access cookie in Chromium: usher's own pages can use it, other sites' pages can't.

use needs::needs;
use serde_json::{Value, json};

use crate::driver::Browser;
use crate::echo::Echo;
use crate::proxies::{self, Proxy, Setting};
use crate::support::Server;
use crate::support::server::{Builder, PASSWORD};

/// usher's own host.
const OWN: &str = "auth.example.org";
/// A neighbor of the same site.
const NEIGHBOR: &str = "app.example.org";
/// Another site.
const FOREIGN: &str = "evil.example.net";

const CROSS_SITE: &str = "Another site may have caused this request. Programs must send a token in the Authorization header; the origin of another page must be in cors_origins";
const FOREIGN_ORIGIN: &str = "The page that sent this request has another origin than usher. If it is usher's own page, set public_url to its address; if another page may call usher, add its origin to cors_origins";

struct Setup {
    server: Server,
    scheme: &'static str,
    browser: Browser,
    _sites: (Echo, Option<Proxy>),
}

impl Setup {
    /// usher without a proxy. Chromium sends no `Sec-Fetch-Site` there, because these hosts aren't loopback.
    fn plain(builder: Builder) -> Self {
        let (server, echo) = (builder.start(), Echo::start());
        let map = format!(
            "--host-resolver-rules=MAP {OWN}:80 {}, MAP {NEIGHBOR}:80 {site}, MAP {FOREIGN}:80 {site}",
            server.address,
            site = echo.address
        );
        Self { server, scheme: "http", browser: Browser::open_with(&[&map], "about:blank"), _sites: (echo, None) }
    }

    /// usher behind nginx.
    fn https(builder: Builder) -> Self {
        let (server, echo) = (builder.set("trusted_proxies", "127.0.0.1").start(), Echo::start());
        let site = echo.address.to_string();
        let put = [
            ("127.0.0.1:3000", site.as_str()),
            ("include snippets/usher-guard.conf;", ""),
            ("include snippets/usher-identity.conf;", ""),
            ("server_name app.example.org;", "server_name app.example.org evil.example.net;"),
        ];
        let proxy = proxies::nginx(&["usher", "app"], server.address, &Setting { put: &put, https: true });
        let at = proxy.address;
        let map = format!("--host-resolver-rules=MAP *.example.org:443 {at}, MAP {FOREIGN}:443 {at}");
        let browser = Browser::open_with(&[&map, "--ignore-certificate-errors"], "about:blank");
        Self { server, scheme: "https", browser, _sites: (echo, Some(proxy)) }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("{}://{host}{path}", self.scheme)
    }

    /// The status of a request from the current page, with cookies, or "failed".
    fn fetch(&self, method: &str, url: &str, mode: &str, body: &Value) -> Value {
        let body = if body.is_null() { "undefined".to_owned() } else { json!(body.to_string()).to_string() };
        let content_type = if mode == "no-cors" { "text/plain" } else { "application/json" };
        self.browser.run(&format!(
            "return fetch({url:?}, {{ method: {method:?}, mode: {mode:?}, credentials: 'include', body: {body},
                headers: {{ 'content-type': {content_type:?} }} }}).then((response) => response.status, () => 'failed')"
        ))
    }

    /// Sends a form from the current page and returns the response.
    fn submit(&self, url: &str, enctype: &str, fields: &[(&str, &str)]) -> Value {
        self.browser.run(&format!(
            "const form = Object.assign(document.createElement('form'), {{ method: 'POST', action: {url:?}, enctype: {enctype:?} }});
             for (const [name, value] of {fields}) form.append(Object.assign(document.createElement('input'), {{ name, value }}));
             document.body.append(form);
             form.submit();",
            fields = json!(fields)
        ));
        self.browser.finds("//body[contains(., '\"detail\":')]");
        let shown = self.browser.run("return document.body.textContent");
        serde_json::from_str(shown.as_str().unwrap()).unwrap()
    }

    /// Whether the current page can load an address as an image and as a script.
    fn embeds(&self, url: &str) -> Value {
        self.browser.run(&format!(
            "const load = (tag) => new Promise((done) => document.body.append(Object.assign(document.createElement(tag),
                {{ onload: () => done(true), onerror: () => done(false), src: {url:?} }})));
             return Promise.all([load('img'), load('script')])"
        ))
    }

    /// Changes that other sites' requests could have made.
    fn changes(&self) -> (i64, i64, i64) {
        let count = |table: &str| self.server.query(&format!("SELECT count(*) FROM {table}"));
        (count("api_keys"), count("deletion_requests"), count("users WHERE profile_image IS NOT NULL"))
    }
}

fn only_own_pages_use_the_cookie(setup: &Setup) {
    let admin = setup.server.admin();
    let id = setup.server.add_active(&admin, "alice");
    let user = setup.url(OWN, &format!("/api/v1/users/{id}"));
    let [keys, leave] = ["/api/v1/api_key/", "/api/v1/users/me/deletion-request"].map(|path| setup.url(OWN, path));
    let picture = json!({"profile_image": "x"});
    setup.browser.go(&setup.url(OWN, "/"));
    let login = format!("username=alice&password={}", PASSWORD.replace(' ', "+"));
    let signed_in = setup.browser.run(&format!(
        "return fetch('/api/v1/login', {{ method: 'POST', body: new URLSearchParams({login:?}) }}).then((answer) => answer.status)"
    ));
    assert_eq!(signed_in, 200);

    for site in [NEIGHBOR, FOREIGN] {
        setup.browser.go(&setup.url(site, "/"));
        setup.browser.finds("//body[contains(., \"GET /\")]");
        for (method, url, body) in [("POST", &keys, &json!({"name": "stolen"})), ("POST", &leave, &Value::Null)] {
            setup.fetch(method, url, "no-cors", body);
            setup.fetch(method, url, "cors", body);
        }
        assert_eq!(setup.fetch("PATCH", &user, "cors", &picture), "failed", "{site}");
        assert_eq!(setup.fetch("DELETE", &leave, "cors", &Value::Null), "failed", "{site}");
        // Another site can't read or show responses to the cookie either, but it can include its own.
        let whoami = setup.url(OWN, "/api/v1/users/whoami");
        assert_eq!(setup.fetch("GET", &whoami, "no-cors", &Value::Null), "failed", "{site}");
        assert_eq!(setup.fetch("GET", &setup.url(site, "/"), "no-cors", &Value::Null), 200, "{site}");
        for path in ["/api/v1/users/whoami", "/health", "/favicon.ico"] {
            assert_eq!(setup.embeds(&setup.url(OWN, path)), json!([false, false]), "{site} {path}");
        }
        // The neighbor's form sends the cookie; the other site's doesn't, and over HTTPS it says where it comes from.
        let brings_cookie = site == NEIGHBOR;
        for (url, field) in [(&keys, "{\"name\":\"stolen\"}"), (&leave, "")] {
            setup.browser.go(&setup.url(site, "/"));
            let sentence = match (setup.scheme, brings_cookie) {
                ("https", _) => CROSS_SITE,
                (_, true) => FOREIGN_ORIGIN,
                (_, false) => "An API key must be passed as query or header",
            };
            assert_eq!(setup.submit(url, "text/plain", &[(field, "")]), json!({"detail": sentence}), "{site}");
        }
        assert_eq!(setup.changes(), (0, 0, 0), "{site}");
    }

    setup.browser.go(&setup.url(OWN, "/"));
    assert_eq!(setup.fetch("PATCH", &user, "cors", &picture), 200);
    assert_eq!(setup.fetch("POST", &keys, "same-origin", &json!({"name": "own"})), 200);
    assert_eq!(setup.fetch("POST", &leave, "cors", &Value::Null), 201);
    assert_eq!(setup.changes(), (1, 1, 1));
    assert_eq!(setup.fetch("DELETE", &leave, "cors", &Value::Null), 200);
}

/// The neighbor's pages are trusted over HTTPS, unless forward auth has rules.
fn other_sites_cannot_sign_a_browser_in(setup: &Setup, sites: &[&str]) {
    setup.server.add_active(&setup.server.admin(), "mallory");
    let sessions = || setup.server.query::<i64>("SELECT count(*) FROM sessions");
    let before = sessions();
    let sentence = if setup.scheme == "https" { CROSS_SITE } else { FOREIGN_ORIGIN };
    for site in sites {
        setup.browser.go(&setup.url(site, "/"));
        setup.browser.finds("//body[contains(., \"GET /\")]");
        let fields = [("username", "mallory"), ("password", PASSWORD)];
        for enctype in ["application/x-www-form-urlencoded", "multipart/form-data"] {
            let answer = setup.submit(&setup.url(OWN, "/api/v1/login"), enctype, &fields);
            assert_eq!(answer, json!({ "detail": sentence }), "{site}");
            setup.browser.go(&setup.url(site, "/"));
            setup.browser.finds("//body[contains(., \"GET /\")]");
        }
    }
    assert_eq!(sessions(), before);
    // The console's own form works.
    setup.browser.go(&setup.url(OWN, "/"));
    setup.browser.sign_in("mallory", PASSWORD);
    setup.browser.sees("mallory");
    assert_eq!(sessions(), before + 1);
}

#[needs(browser)]
#[test]
fn over_http_other_sites_cannot_sign_a_browser_in() {
    other_sites_cannot_sign_a_browser_in(&Setup::plain(Server::with()), &[NEIGHBOR, FOREIGN]);
}

#[needs(browser, nginx, openssl)]
#[test]
fn over_https_other_sites_cannot_sign_a_browser_in() {
    other_sites_cannot_sign_a_browser_in(&Setup::https(Server::with()), &[FOREIGN]);
}

#[needs(browser)]
#[test]
fn over_http_only_ushers_own_pages_use_the_access_cookie() {
    only_own_pages_use_the_cookie(&Setup::plain(Server::with()));
}

#[needs(browser)]
#[test]
fn over_http_with_a_public_url_only_its_pages_use_the_access_cookie() {
    only_own_pages_use_the_cookie(&Setup::plain(Server::with().set("public_url", "http://auth.example.org")));
}

#[needs(browser)]
#[test]
fn only_ushers_own_pages_use_the_second_access_cookie() {
    only_own_pages_use_the_cookie(&Setup::plain(Server::with().set("access_cookie_readable", "true")));
}

#[needs(browser, nginx, openssl)]
#[test]
fn over_https_only_ushers_own_pages_use_the_access_cookie() {
    only_own_pages_use_the_cookie(&Setup::https(Server::with()));
}

#[needs(browser, nginx, openssl)]
#[test]
fn over_https_with_a_public_url_only_its_pages_use_the_access_cookie() {
    only_own_pages_use_the_cookie(&Setup::https(Server::with().set("public_url", "https://auth.example.org")));
}
