//! The access cookie authorizes like a bearer token, but not for other sites.

use serde_json::{Value, json};

use crate::support::requests::start;
use crate::support::server::ADMIN;
use crate::support::{Request, Server};

const COOKIE: &str = "access_token_lf";
const SECOND: &str = "access_token_usher";
const WHOAMI: &str = "/api/v1/users/whoami";

fn rename(server: &Server, id: &str) -> Request {
    server.patch(format!("/api/v1/users/{id}")).json(&json!({ "profile_image": "x" }))
}

fn with(request: Request, headers: &[(&str, &str)]) -> Request {
    headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

#[test]
fn the_access_cookie_authorizes_ushers_own_pages() {
    let server = start(&[("cors_origins", "https://app.example")]);
    let access = server.admin();
    let id = server.whoami(&access).field("id");
    assert_eq!(server.get(WHOAMI).cookie(COOKIE, &access).send().expect(200).field("id"), id);
    let own = server.url.clone();
    let other_port = "http://127.0.0.1:1".to_owned();
    for (site, origin, status) in [
        (Some("same-origin"), None, 200),
        (Some("same-origin"), Some(own.as_str()), 200),
        (None, Some(own.as_str()), 200),
        (Some("cross-site"), Some("https://app.example"), 200),
        (None, Some("https://app.example"), 200),
        (None, None, 403),
        (None, Some("null"), 403),
        (None, Some(other_port.as_str()), 403),
        (None, Some("https://evil.example"), 403),
        (Some("same-site"), Some(own.as_str()), 403),
        (Some("same-site"), None, 403),
        (Some("cross-site"), Some(own.as_str()), 403),
        (Some("none"), None, 403),
    ] {
        let sent = rename(&server, &id).cookie(COOKIE, &access);
        let sent = site.into_iter().fold(sent, |sent, site| sent.header("sec-fetch-site", site));
        let sent = origin.into_iter().fold(sent, |sent, origin| sent.header("origin", origin));
        assert_eq!(sent.send().status, status, "{site:?} {origin:?}");
        // A bearer token needs no origin: browsers send it for no other site.
        if site != Some("cross-site") {
            assert_eq!(rename(&server, &id).cookie(COOKIE, "x").bearer(&access).send().status, 200);
        }
    }
}

#[test]
fn with_a_public_url_only_its_origin_is_ushers_own() {
    let server = start(&[("public_url", "https://home.example.org")]);
    let access = server.admin();
    let id = server.whoami(&access).field("id");
    let own = server.url.clone();
    for (origin, status) in [("https://home.example.org", 200), ("http://home.example.org", 403), (own.as_str(), 403)] {
        let sent =
            rename(&server, &id).cookie(COOKIE, &access).header("origin", origin).header("x-forwarded-proto", "https");
        assert_eq!(sent.send().status, status, "{origin}");
    }
}

#[test]
fn the_cookie_is_the_last_credential_that_counts() {
    let server = start(&[]);
    let admin = server.admin();
    let id = server.add(&admin, "alice", "quiet-otter-7");
    let alice = server.login("alice", "quiet-otter-7").access;
    let (_, key) = server.create_key(&alice, "script");
    let get = || server.get(WHOAMI).cookie(COOKIE, &admin);
    assert_eq!(get().key(&key).send().expect(200).field("id"), id);
    assert_eq!(get().bearer(&alice).send().expect(200).field("id"), id);
    assert_eq!(server.get(format!("{WHOAMI}?x-api-key={key}")).cookie(COOKIE, &admin).send().field("id"), id);
    get().bearer("x").send().refused(401, "Could not validate credentials");
    get().key("x").send().refused(403, "Invalid or missing API key");
    server.get(WHOAMI).cookie(COOKIE, "x").send().refused(401, "Could not validate credentials");
}

#[test]
fn on_routes_for_anyone_an_invalid_or_foreign_cookie_counts_as_none() {
    let server = start(&[("signup", "closed")]);
    let admin = server.admin();
    let form = [("username", ADMIN.0), ("password", ADMIN.1)];
    server.post("/api/v1/login").cookie(COOKIE, "x").form(&form).send().expect(200);
    let add =
        |name: &str| server.post("/api/v1/users/").json(&json!({ "username": name, "password": "quiet-otter-7" }));
    let closed = "Public user registration is disabled.";
    add("a").cookie(COOKIE, "x").send().refused(403, closed);
    add("a").cookie(COOKIE, &admin).send().refused(403, closed);
    add("a").cookie(COOKIE, &admin).header("sec-fetch-site", "same-site").send().refused(403, closed);
    add("a").cookie(COOKIE, &admin).header("sec-fetch-site", "same-origin").send().expect(201);
}

#[test]
fn refresh_and_sign_out_refuse_cross_site_requests() {
    let server = start(&[]);
    for path in ["/api/v1/refresh", "/api/v1/logout"] {
        let sent = |headers: &[(&str, &str)]| {
            let refresh = server.login(ADMIN.0, ADMIN.1).refresh;
            with(server.post(path).cookie("refresh_token_lf", &refresh), headers).send().status
        };
        assert_eq!(sent(&[]), 200, "{path}: scripts send neither header");
        assert_eq!(sent(&[("sec-fetch-site", "same-origin")]), 200, "{path}");
        assert_eq!(sent(&[("origin", &server.url)]), 200, "{path}");
        assert_eq!(sent(&[("sec-fetch-site", "none")]), 200, "{path}: no site sent it");
        for site in ["cross-site", "same-site"] {
            assert_eq!(sent(&[("sec-fetch-site", site)]), 403, "{path} {site}");
            assert_eq!(sent(&[("sec-fetch-site", "none"), ("sec-fetch-site", site)]), 403, "{path} {site}");
        }
        assert_eq!(sent(&[("origin", &server.url), ("origin", "https://evil.example")]), 403, "{path}");
        assert_eq!(sent(&[("origin", "https://evil.example")]), 403, "{path}");
        assert_eq!(sent(&[("origin", "null")]), 403, "{path}");
    }
}

#[test]
fn a_second_cookie_authorizes_where_scripts_can_read_the_first() {
    let server = start(&[("access_cookie_readable", "true")]);
    let login = server.try_login(ADMIN.0, ADMIN.1).expect(200);
    let access = login.field("access_token");
    assert!(!login.set_cookie(COOKIE).unwrap().contains("HttpOnly"));
    assert!(
        login.set_cookie(SECOND).unwrap().contains("; HttpOnly; ")
            || login.set_cookie(SECOND).unwrap().ends_with("HttpOnly")
    );
    assert_eq!(login.cookie(SECOND), Some(access.as_str()));
    server.get(WHOAMI).cookie(SECOND, &access).send().expect(200);
    server.get(WHOAMI).header("Cookie", format!("{COOKIE}=old; {SECOND}={access}")).send().expect(200);
    let id = server.whoami(&access).field("id");
    for (site, status) in [(None, 403), (Some("same-site"), 403), (Some("cross-site"), 403), (Some("same-origin"), 200)]
    {
        let sent = rename(&server, &id).cookie(SECOND, &access);
        assert_eq!(site.into_iter().fold(sent, |sent, site| sent.header("sec-fetch-site", site)).send().status, status);
    }

    let refresh = login.cookie("refresh_token_lf").unwrap();
    let renewed = server.refresh(refresh).expect(200);
    assert_eq!(renewed.cookie(SECOND), Some(renewed.field("access_token").as_str()));
    let ended = server.post("/api/v1/logout").cookie(SECOND, &access).send().expect(200);
    assert!(ended.set_cookie(SECOND).unwrap().contains("Max-Age=0"));
    server.get(WHOAMI).cookie(SECOND, &access).send().refused(401, "Session has ended.");

    let plain = start(&[]);
    let login = plain.try_login(ADMIN.0, ADMIN.1).expect(200);
    assert_eq!(login.set_cookie(SECOND), None);
    plain.get(WHOAMI).cookie(SECOND, &login.field("access_token")).send().expect(403);
}

#[test]
fn the_current_session_is_shown_for_tokens_only_and_without_the_store_key() {
    let server = start(&[]);
    let access = server.admin();
    server.call("POST", "/api/v1/api_key/store", &access, &json!({ "api_key": "store-secret" })).expect(200);
    let (_, key) = server.create_key(&access, "script");
    let session = |request: Request| request.send().expect(200).json();
    let by_key = session(server.get("/api/v1/session").key(&key));
    assert_eq!(by_key, json!({ "authenticated": false, "user": null, "store_api_key": null }));
    let by_cookie = session(server.get("/api/v1/session").cookie(COOKIE, &access));
    assert_eq!((&by_cookie["authenticated"], &by_cookie["store_api_key"]), (&json!(true), &Value::Null));
}

#[test]
fn other_sites_cannot_include_a_response() {
    let server = start(&[]);
    for path in ["/health", WHOAMI, "/", "/assets/0/app.js", "/nothing"] {
        let answer = server.get(path).send();
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
    }
}
