//! A base path, such as `https://home.example.org/usher/`: behind a proxy that keeps the prefix, behind one that strips
//! it, and without a proxy.

use serde_json::json;

use crate::support::server::{ADMIN, PASSWORD};
use crate::support::{Program, Server};

fn under_usher() -> Server {
    Server::with().set("public_url", "https://home.example.org/usher").start()
}

#[test]
fn every_route_answers_with_the_prefix_and_without_it() {
    let server = under_usher();
    let admin = server.admin();
    let (id, _) = server.member(&admin, "alice");
    let user = format!("/api/v1/users/{id}");
    for path in ["/health", "/health_check", "/", "/setup", "/reset", "/docs", "/openapi.json", "/api/v1/session"] {
        for base in ["", "/usher"] {
            server.get(format!("{base}{path}")).send().expect(200);
        }
    }
    for path in ["/api/v1/users/whoami", user.as_str(), "/api/v1/users/?limit=1"] {
        let (with, without) = (format!("/usher{path}"), path);
        let ask = |path: &str| server.get(path).bearer(&admin).send().expect(200).body;
        assert_eq!(ask(&with), ask(without));
    }
    for path in ["/usher/nothing", "/ushers/health", "/usher/usher/health", "/USHER/health", "/usher//health"] {
        server.get(path).send().refused(404, "Not Found");
    }
    let answer = server.request("PUT", "/usher/api/v1/users/").send().refused(405, "Method Not Allowed");
    assert_eq!(answer.header("allow"), Some("POST, GET, HEAD"));
    let fault = server.patch("/usher/api/v1/users/whoami").bearer(&admin).json(&json!({})).send();
    assert_eq!(fault.validation_errors(), ["path.user_id uuid_parsing"]);
}

#[test]
fn redirects_and_links_have_the_prefix() {
    let server = under_usher();
    for base in ["", "/usher"] {
        let redirect = server.get(format!("{base}/api/v1/users?skip=1")).send().expect(307);
        assert_eq!(redirect.header("location"), Some("/usher/api/v1/users/?skip=1"));
        let body = json!({ "username": format!("new{}", base.len()), "password": PASSWORD });
        let made = server.post(format!("{base}/api/v1/users/")).json(&body).send().expect(201);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(made.header("location"), Some(format!("/usher/api/v1/users/{id}").as_str()));
        let document = server.get(format!("{base}/openapi.json")).send().expect(200).json();
        assert_eq!(document["servers"][0]["url"], "/usher");
        let page = server.get(format!("{base}/")).send().expect(200).text();
        assert!(page.contains(r#"<meta name="usher-base" content="/usher/">"#), "{page}");
    }
    // Without the final slash, a page's relative addresses would be wrong.
    let redirect = server.get("/usher").send().expect(307);
    assert_eq!(redirect.header("location"), Some("/usher/"));
    let admin = server.admin();
    let id = server.add_active(&admin, "erika");
    let made = server.post(format!("/usher/api/v1/users/{id}/reset-link")).bearer(&admin).json(&json!({})).send();
    let link = made.expect(201).json()["link"].as_str().unwrap().to_owned();
    assert!(link.starts_with("https://home.example.org/usher/reset#token="), "{link}");
}

#[test]
fn without_a_base_path_prefixed_paths_do_not_exist() {
    let server = Server::start();
    assert_eq!(server.get("/openapi.json").send().json()["servers"][0]["url"], "/");
    assert!(server.get("/").send().text().contains(r#"<meta name="usher-base" content="/">"#));
    let cookie = server.try_login(ADMIN.0, ADMIN.1).set_cookie("refresh_token_lf").unwrap().to_owned();
    assert!(cookie.contains("; Path=/;"), "{cookie}");
}

#[test]
fn cookies_have_the_prefix_as_path_and_the_outer_sites_are_ignored() {
    let server = under_usher();
    let login = server.try_login(ADMIN.0, ADMIN.1).expect(200);
    for name in ["refresh_token_lf", "access_token_lf"] {
        assert!(login.set_cookie(name).unwrap().contains("; Path=/usher;"), "{login:?}");
    }
    let refresh = login.cookie("refresh_token_lf").unwrap();
    // A Langflow at the same host has cookies of the same names. Browsers send the longest path first (RFC 6265, 5.4).
    let both = format!("refresh_token_lf={refresh}; refresh_token_lf=langflows");
    let next = server.post("/usher/api/v1/refresh").header("cookie", both).send().expect(200);
    let out = server.post("/usher/api/v1/logout").cookie("refresh_token_lf", next.cookie("refresh_token_lf").unwrap());
    assert!(out.send().expect(200).set_cookie("refresh_token_lf").unwrap().contains("Max-Age=0; Path=/usher;"));
}

#[test]
fn a_prefix_that_is_one_of_ushers_paths_is_refused() {
    for base in ["/api", "/health", "/assets/x"] {
        let refusal = Server::with().set("base_path", base).try_start().err().unwrap().to_string();
        assert!(refusal.contains("`base_path`") && refusal.contains(base), "{refusal}");
    }
}

#[test]
fn an_unconfigured_prefix_is_logged_once() {
    let server = Program::new(&[]).superuser().start();
    for path in ["/x/docs", "/home/usher/api/v1/login", "/usher/api/v1/login"] {
        server.request("GET", path).send().expect(404);
    }
    let log = server.stop().stderr;
    assert_eq!(log.matches("base_path").count(), 1, "{log}");
    assert!(log.contains("a proxy serves usher below /home/usher, set `base_path = \"/home/usher\"`"), "{log}");
}

#[test]
fn healthcheck_uses_the_base_path() {
    let server = Program::new(&[]).superuser().env("USHER_BASE_PATH", "/usher").start();
    for (url, well) in [("", true), ("/usher", true), ("/usher/", true), ("/elsewhere", false)] {
        let ended = Program::new(&["healthcheck", &format!("http://{}{url}", server.address)]).finish();
        assert_eq!(ended.status.success(), well, "{url}: {ended:?}");
    }
}
