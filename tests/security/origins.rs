//! Routes that need no credentials are for usher's own pages and for programs, not for pages of other origins. Over
//! plain HTTP, browsers send `Origin` but no `Sec-Fetch-Site`.

use serde_json::json;

use crate::support::requests::start;
use crate::support::server::ADMIN;
use crate::support::{Program, Request, Response, Server};

const REFUSED: &str = "The page that sent this request has another origin than usher. If it is usher's own page, set public_url to its address; if another page may call usher, add its origin to cors_origins";
const CROSS_SITE: &str = "Another site may have caused this request. Programs must send a token in the Authorization header; the origin of another page must be in cors_origins";

fn with_headers(request: Request, headers: &[(&str, &str)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn sign_in(server: &Server, headers: &[(&str, &str)]) -> Response {
    let form = [("username", ADMIN.0), ("password", ADMIN.1)];
    with_headers(server.post("/api/v1/login").form(&form), headers).send()
}

fn is_refused(answer: &Response) -> bool {
    answer.status == 403 && answer.json()["detail"] == REFUSED
}

#[test]
fn every_public_write_refuses_pages_of_other_origins() {
    let server = start(&[("cors_origins", "https://app.example"), ("signup", "open")]);
    let description = server.get("/openapi.json").send().expect(200).json();
    let mut routes = Vec::new();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if method != "get" && operation["security"] == json!([]) {
                routes.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    let known = ["/login", "/login/second-factor", "/login/passkey", "/refresh", "/logout", "/users/", "/setup"];
    for path in known.iter().chain(&["/reset-password", "/invitations/accept"]) {
        assert!(routes.iter().any(|(_, found)| found == &format!("/api/v1{path}")), "{path} {routes:?}");
    }
    let own = server.url.clone();
    for (method, path) in &routes {
        let sent =
            |headers: &[(&str, &str)]| with_headers(server.request(method, path).json(&json!({})), headers).send();
        for origin in ["https://evil.example", "http://127.0.0.1:1", "null", "", "\u{e9}"] {
            assert!(is_refused(&sent(&[("origin", origin)])), "{method} {path} {origin}");
            assert!(is_refused(&sent(&[("origin", &own), ("origin", origin)])), "{method} {path} {origin}");
            // Another port of this host, or another name below the same domain.
            assert!(
                is_refused(&sent(&[("sec-fetch-site", "same-site"), ("origin", origin)])),
                "{method} {path} {origin}"
            );
        }
        for origin in [own.as_str(), "https://app.example"] {
            assert!(!is_refused(&sent(&[("origin", origin)])), "{method} {path} {origin}");
        }
        for site in ["same-origin", "none"] {
            assert!(!is_refused(&sent(&[("sec-fetch-site", site), ("origin", &own)])), "{method} {path} {site}");
        }
        assert!(!is_refused(&sent(&[])), "{method} {path}: programs send neither header");
    }
}

#[test]
fn a_page_of_another_origin_cannot_sign_a_browser_in_or_up() {
    let server = start(&[("signup", "open")]);
    let foreign = [("origin", "http://evil.example")];
    let answer = sign_in(&server, &foreign);
    assert!(!answer.headers.iter().any(|(name, _)| name == "set-cookie"), "{answer:?}");
    answer.refused(403, REFUSED);
    let account = json!({ "username": "mallory", "password": "quiet-otter-7" });
    with_headers(server.post("/api/v1/users/").json(&account), &foreign).send().refused(403, REFUSED);
    // A browser sends this content type without asking first.
    with_headers(server.post("/api/v1/users/").body("text/plain", account.to_string()), &foreign)
        .send()
        .refused(403, REFUSED);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM sessions"), 0);
    assert_eq!(server.query::<i64>("SELECT count(*) FROM users"), 1);
    sign_in(&server, &[("origin", &server.url)]).expect(200);
    sign_in(&server, &[]).expect(200);
}

#[test]
fn the_public_url_decides_which_origin_may_sign_in() {
    let server = start(&[("public_url", "https://home.example.org/usher")]);
    sign_in(&server, &[("origin", "https://home.example.org")]).expect(200);
    for origin in ["http://home.example.org", "https://home.example.org:444", server.url.as_str()] {
        sign_in(&server, &[("origin", origin)]).refused(403, REFUSED);
    }
    // The browser knows better than the address, which a proxy may have changed.
    sign_in(&server, &[("origin", &server.url), ("sec-fetch-site", "same-origin")]).expect(200);
}

#[test]
fn behind_a_proxy_that_keeps_the_host_no_setting_is_needed() {
    let server = start(&[]);
    sign_in(&server, &[("host", "home:8080"), ("origin", "http://home:8080")]).expect(200);
    sign_in(&server, &[("host", "home:8080"), ("origin", "http://home")]).refused(403, REFUSED);
    let https = |origin| sign_in(&server, &[("host", "home"), ("x-forwarded-proto", "https"), ("origin", origin)]);
    https("https://home").expect(200);
    https("http://home").refused(403, REFUSED);
}

#[test]
fn the_most_foreign_of_repeated_headers_counts() {
    let server = start(&[("cors_origins", "https://app.example")]);
    let site = |values: &[&'static str]| -> Vec<(&str, &str)> {
        values.iter().map(|site| ("sec-fetch-site", *site)).collect()
    };
    for values in [
        &["same-origin", "cross-site"][..],
        &["cross-site", "same-origin"],
        &["none", "cross-site"],
        &["same-origin, cross-site"],
        &["same-origin,cross-site"],
    ] {
        sign_in(&server, &site(values)).refused(403, CROSS_SITE);
    }
    sign_in(&server, &site(&["same-origin", "same-origin"])).expect(200);
    let configured = ("origin", "https://app.example");
    sign_in(&server, &[("sec-fetch-site", "cross-site"), configured]).expect(200);
    sign_in(&server, &[("sec-fetch-site", "cross-site"), configured, ("origin", "https://evil.example")])
        .refused(403, CROSS_SITE);

    let access = server.admin();
    let add_key = |headers: &[(&str, &str)]| {
        let request = server.post("/api/v1/api_key/").cookie("access_token_lf", &access);
        with_headers(request.json(&json!({ "name": "script" })), headers).send()
    };
    let own = ("origin", server.url.as_str());
    add_key(&[own]).expect(200);
    add_key(&[own, configured]).expect(200);
    add_key(&[own, ("origin", "https://evil.example")]).refused(403, REFUSED);
    add_key(&[configured, ("origin", "https://evil.example")]).refused(403, REFUSED);
    add_key(&site(&["same-origin", "same-site"])).refused(403, CROSS_SITE);
    add_key(&site(&["same-origin", "none"])).refused(403, CROSS_SITE);
    add_key(&site(&["same-origin"])).expect(200);
}

#[test]
fn requests_with_a_token_or_key_need_no_origin() {
    let server = start(&[]);
    let access = server.admin();
    let (_, key) = server.create_key(&access, "script");
    let add_key =
        || server.post("/api/v1/api_key/").json(&json!({ "name": "x" })).header("origin", "https://evil.example");
    add_key().bearer(&access).send().expect(200);
    add_key().key(&key).send().expect(200);
}

#[test]
fn a_foreign_origin_is_logged_once_with_the_host_but_not_as_a_failed_sign_in() {
    let server = Program::new(&["serve"]).superuser().start();
    let form = [("username", ADMIN.0), ("password", ADMIN.1)];
    let host = server.address.to_string();
    for _ in 0..3 {
        let request = server.request("POST", "/api/v1/login").form(&form).header("host", &host);
        request.header("origin", "http://home.example\" detail=\"x").send().refused(403, REFUSED);
    }
    let log = server.stop().stderr;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("home.example")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in
        [r#""http://home.example\" detail=\"x""#, &format!("{host:?}"), "`public_url`", "`Host`", "`cors_origins`"]
    {
        assert!(lines[0].contains(part), "{part}: {log}");
    }
    assert!(!log.contains("login failed"), "{log}");
    assert!(log.contains("access.refuse failed address=127.0.0.1"), "{log}");
}

#[test]
fn cross_site_sign_ins_are_not_counted_as_failed() {
    let server = start(&[]);
    for _ in 0..100 {
        let form = [("username", ADMIN.0), ("password", "wrong")];
        let request = server.post("/api/v1/login").form(&form).header("origin", "https://evil.example");
        request.send().refused(403, REFUSED);
    }
    sign_in(&server, &[]).expect(200);
}
