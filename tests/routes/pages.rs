//! The console's pages and files, as sent to browsers.

use std::io::Read;

use base64::Engine;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use strum::VariantNames;
use usher::domain::audit::Action;

use crate::support::Server;
use crate::support::client::Response;

const PAGES: [&str; 4] = ["/", "/setup", "/reset", "/docs"];

fn text(response: &Response) -> String {
    String::from_utf8(response.body.clone()).unwrap()
}

/// The text between `start` and `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).unwrap().1.split_once(end).unwrap().0
}

#[test]
fn pages_load_only_their_own_scripts_and_styles() {
    let server = Server::start();
    for path in PAGES {
        let page = server.get(path).send().expect(200);
        let policy = page.header("content-security-policy").unwrap();
        let html = text(&page);
        let known = |text: &str| {
            let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
            policy.contains(&format!("'sha256-{hash}'"))
        };
        assert!(known(between(&html, "<style>", "</style>")), "{path}");
        assert!(known(between(&html, "<script type=\"module\">", "</script>")), "{path}");
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(html.matches("<style").count() + html.matches("<script").count(), 2, "{path}");
        for attribute in [" style=", " onclick=", " onload="] {
            assert!(!html.contains(attribute), "{path}");
        }
        assert!(html.contains("<meta name=\"usher-base\" content=\"/\">"), "{path}");
        for mark in [
            "BASE_PATH",
            "VERSION",
            "STYLE",
            "BOOT",
            "LOGO",
            "VISITOR",
            "SIGN_UP",
            "FILES",
            "MAIN",
            "SITE_NAME",
            "SETUP_FILE",
            "PASSWORD_MIN",
            "USHER_RELEASE",
        ] {
            assert!(!html.contains(mark), "{mark} in {path}");
        }
    }
}

#[test]
fn addresses_in_pages_are_relative_and_files_are_cacheable() {
    let server = Server::start();
    for path in PAGES {
        let page = server.get(path).cookie("usher_refresh", "any").send().expect(200);
        let html = text(&page);
        for (attribute, end) in [("href=\"", "\""), ("src=\"", "\""), ("import('", "'")] {
            for address in html.split(attribute).skip(1).map(|rest| rest.split_once(end).unwrap().0) {
                assert!(!address.starts_with('/') && !address.contains("://"), "{address} in {path}");
            }
        }
        let main = between(&html, "import('./", "'");
        let (folder, _) = main.rsplit_once('/').unwrap();
        let list = between(&html, "of [", "]");
        let names = list.split(',').map(|name| name.trim().trim_matches('"'));
        for address in
            names.map(|name| format!("{folder}/{name}")).chain([main.to_owned(), format!("{folder}/icon.svg")])
        {
            let file = server.get(format!("/{address}")).send().expect(200);
            assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"), "{address}");
        }
    }
    let other = server.get("/assets/000000000000/app.js").send().expect(200);
    assert_eq!(other.header("cache-control"), Some("no-store"));
    server.get("/assets/000000000000/nothing.js").send().refused(404, "Not Found");
}

#[test]
fn pages_and_files_are_compressed_for_clients_that_accept_it() {
    let server = Server::start();
    for path in ["/", "/docs", "/favicon.ico", "/assets/0/app.js", "/assets/0/vendor/preact.js"] {
        let plain = server.get(path).send().expect(200);
        assert_eq!(plain.header("content-encoding"), None);
        for refusal in ["br", "gzip;q=0", "identity, gzip; q=0.0"] {
            let answer = server.get(path).header("accept-encoding", refusal).send().expect(200);
            assert_eq!(answer.header("content-encoding"), None, "{refusal}");
        }
        for offer in ["gzip, deflate, br, zstd", "br, GZIP;q=0.5"] {
            let packed = server.get(path).header("accept-encoding", offer).send().expect(200);
            assert_eq!(packed.header("content-encoding"), Some("gzip"), "{offer}");
            assert_eq!(packed.header("vary"), plain.header("vary"));
            assert!(packed.header("vary").unwrap().to_ascii_lowercase().contains("accept-encoding"));
            let mut unpacked = Vec::new();
            GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, plain.body, "{path}");
        }
    }
}

#[test]
fn a_browser_with_a_refresh_token_is_recognized() {
    let server = Server::start();
    let visitor = |path: &str, cookie: &str| {
        let page = server.get(path).cookie(cookie, "any").send().expect(200);
        between(&text(&page), "data-visitor=\"", "\"").to_owned()
    };
    assert_eq!(visitor("/", "usher_refresh"), "known");
    assert_eq!(visitor("/", "refresh_token_lf"), "new", "that of another client");
    assert_eq!(visitor("/", "access_token_lf"), "new");
    // A one-time link may be for another user.
    assert_eq!(visitor("/reset", "usher_refresh"), "new");
    let alone = Server::with().without_superuser().set("auto_login", "true").start();
    assert!(text(&alone.get("/").send()).contains("data-visitor=\"known\""), "it need not sign in");
}

#[test]
fn the_page_contains_the_sign_up_mode() {
    for word in ["open", "approval", "closed"] {
        let server = Server::with().set("signup", word).start();
        let html = text(&server.get("/").send().expect(200));
        assert!(html.contains(&format!("<meta name=\"usher-signup\" content=\"{word}\">")), "{html}");
    }
}

#[test]
fn the_console_has_a_text_for_every_audit_action() {
    let server = Server::start();
    let page = text(&server.get("/assets/0/texts.js").send().expect(200));
    for word in Action::VARIANTS {
        let is_there = page.contains(&format!("'{word}': '")) || page.contains(&format!(" {word}: '"));
        assert!(is_there, "{word}");
    }
}

#[test]
fn an_unknown_path_is_a_page_for_browsers_and_json_for_programs() {
    let server = Server::with().set("public_url", "https://home.example.org/usher").start();
    for path in ["/nowhere", "/usher/nowhere", "/api/v1/nowhere/at/all"] {
        let page = server.get(path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8").send().expect(404);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let html = page.text();
        assert!(html.contains("<h1>Page not found</h1>") && html.contains("<a href=\"/usher/\">"), "{html}");
        for accept in ["*/*", "application/json"] {
            server.get(path).header("accept", accept).send().refused(404, "Not Found");
        }
        server.post(path).header("accept", "text/html").send().refused(404, "Not Found");
    }
}
