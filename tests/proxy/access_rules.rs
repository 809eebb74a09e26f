//! Access rules, redirect targets and the audit log of forward authentication.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::sites::{COOKIE, as_navigation, enter, guarding, proxy_request, token, verify};
use crate::support::server::PASSWORD;

const DENIED: &str = "You aren't allowed to enter this site";
const NO_SITE: &str = "This isn't the address of a site that you can enter from here";

#[test]
fn the_most_specific_rule_decides_for_every_spelling_of_a_host() {
    let server = guarding().start();
    let admin = server.admin();
    let tokens = ["alice", "carol"].map(|name| token(&server, &server.member(&admin, name).1.access));
    let [alice, carol] = &tokens;
    let root = &token(&server, &admin);
    for (url, statuses) in [
        ("https://app.example.org/", [200, 200, 200]),
        ("http://app.example.org/", [200, 200, 200]),
        ("https://deep.app.example.org/", [200, 200, 200]),
        ("https://wiki.example.org/", [200, 403, 403]),
        ("https://WIKI.Example.Org/", [200, 403, 403]),
        ("https://wiki.example.org./", [200, 403, 403]),
        ("https://wiki.example.org:443/", [200, 403, 403]),
        ("https://admin.example.org/", [403, 403, 200]),
        ("https://Admin.example.org.:443/", [403, 403, 200]),
        ("https://app.example.org:8443/", [403, 403, 200]),
        ("https://app.example.org:9443/", [403, 403, 403]),
        ("http://app.example.org:443/", [403, 403, 403]),
        ("https://example.org/", [403, 403, 403]),
        ("https://badexample.org/", [403, 403, 403]),
        ("https://app.example.org.evil.net/", [403, 403, 403]),
        ("https://app.example.org@evil.net/", [403, 403, 403]),
        ("https://evil.net%2f.example.org/", [403, 403, 403]),
        ("https://a,app.example.org/", [403, 403, 403]),
        ("https://app.example.org../", [403, 403, 403]),
        ("https://.example.org/", [403, 403, 403]),
        ("https://192.0.2.1/", [403, 403, 403]),
    ] {
        assert_eq!([alice, carol, root].map(|token| verify(&server, url, token).status), statuses, "{url}");
        // Without a rule for the site, a signed-out browser isn't redirected to the sign-in page.
        let stranger = as_navigation(proxy_request(&server, url)).send();
        assert_eq!(stranger.status, if statuses == [403; 3] { 403 } else { 302 }, "{url}");
    }
}

#[test]
fn a_denied_browser_gets_a_page_and_a_program_an_error() {
    let server = guarding().start();
    let (_, tokens) = server.member(&server.admin(), "<i>\"& {site}");
    let token = token(&server, &tokens.access);
    verify(&server, "https://wiki.example.org/", &token).refused(403, DENIED);
    let page =
        as_navigation(proxy_request(&server, "https://wiki.example.org/").cookie(COOKIE, &token)).send().expect(403);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let text = page.text();
    assert!(text.contains("<p>&lt;i>&quot;&amp; {site} can’t open https://wiki.example.org.</p>"), "{text}");
    assert!(
        text.contains("<a href=\"https://auth.example.org/sign-out?return_to=https%3A%2F%2Fwiki.example.org%2F\">"),
        "{text}"
    );
}

#[test]
fn redirects_lead_only_to_sites_with_a_rule() {
    let server = guarding().start();
    let (_, alice) = server.member(&server.admin(), "alice");
    for url in [
        "https://evil.net/",
        "https://example.org/",
        "https://app.example.org.evil.net/",
        "https://evil.net/https://app.example.org/",
        "https://evil.net?app.example.org",
        "https://evil.net#.example.org",
        "https://app.example.org@evil.net/",
        "https://app.example.org:pw@evil.net/",
        "https://evil.net\\.example.org/",
        "https://evil.net\\@app.example.org/",
        "https://app.example.org\\@evil.net/",
        "//app.example.org/",
        "/\\app.example.org/",
        "/",
        "",
        "app.example.org",
        "https:app.example.org",
        "https:/app.example.org",
        "https:///app.example.org",
        "javascript:alert(1)//app.example.org",
        "javascript://app.example.org/%0aalert(1)",
        "data:text/html,app.example.org",
        "ftp://app.example.org/",
        "https://app.example.org:9443/",
        "https://app.example.org./",
        "https://evil。net/.example.org",
        "https://аpp.example.org/",
        "https://xn--pp-7ka.example.net/",
        "https://app.example.org%2eevil.net/",
        "https://app.example.org\t.evil.net/",
        "https://app.example.org\r\nLocation: https://evil.net/",
        " https://app.example.org/",
        "https://[::1]/",
        "https://2130706433/",
    ] {
        let refused = enter(&server, &alice.access, url).refused(403, NO_SITE);
        assert_eq!(refused.set_cookie(COOKIE), None, "{url}");
    }
    for url in [
        "https://app.example.org/x?y=https://evil.net/#z",
        "https://app.example.org//evil.net/%2F..;/@",
        "https://app.example.org",
        "https://APP.example.org:443/",
    ] {
        let location = enter(&server, &alice.access, url).expect(200).json()["location"].as_str().unwrap().to_owned();
        assert!(location.starts_with("https://app.example.org/"), "{location}");
    }
    let answer = enter(&server, &alice.access, "http://app.example.org/");
    answer.refused(403, "This site can only be entered over https; use an https address");
    enter(&server, &alice.access, "https://admin.example.org/").refused(403, DENIED);
}

#[test]
fn the_body_of_enter_is_validated() {
    let server = guarding().start();
    let (_, alice) = server.member(&server.admin(), "alice");
    let ask = |body: &serde_json::Value| server.post("/api/v1/enter").bearer(&alice.access).json(body).send();
    assert_eq!(ask(&json!({})).validation_errors(), ["body.return_to missing"]);
    assert_eq!(ask(&json!({ "return_to": 1 })).validation_errors(), ["body.return_to string_type"]);
    server.post("/api/v1/enter").json(&json!({ "return_to": "https://app.example.org/" })).send().expect(403);
    server.post("/api/v1/verify").bearer(&alice.access).send().expect(405);
}

#[test]
fn other_sites_behind_the_same_proxy_count_as_cross_site() {
    let server = guarding().start();
    let (_, alice) = server.member(&server.admin(), "alice");
    let out = |site: &str, origin: &str| {
        let out = server.post("/api/v1/logout").cookie("refresh_token_lf", &alice.refresh);
        out.header("Sec-Fetch-Site", site).header("Origin", origin).send().status
    };
    assert_eq!(out("same-site", "https://app.example.org"), 403);
    assert_eq!(out("cross-site", "https://evil.net"), 403);
    server.whoami(&alice.access).expect(200);
    assert_eq!(out("same-origin", "https://auth.example.org"), 200);
    server.whoami(&alice.access).expect(401);
}

#[test]
fn granted_and_denied_access_is_audited() {
    let server = guarding().start();
    let admin = server.admin();
    let (_, alice) = server.member(&admin, "alice");
    enter(&server, &alice.access, "https://app.example.org/private?x=y").expect(200);
    enter(&server, &alice.access, "https://admin.example.org/").expect(403);
    enter(&server, &alice.access, "https://evil.net/").expect(403);
    let log = server.get("/api/v1/audit?action=site.enter").bearer(&admin).send().expect(200).json();
    let entries = log["entries"].as_array().unwrap().iter();
    let seen: Vec<_> = entries.map(|entry| (&entry["actor_name"], &entry["success"], &entry["detail"])).collect();
    let (name, app) = (json!("alice"), json!("https://app.example.org"));
    assert_eq!(seen, [(&name, &json!(false), &json!("https://admin.example.org")), (&name, &json!(true), &app)]);
}

#[test]
fn over_http_on_one_host_the_cookie_has_no_prefix_and_no_domain() {
    let server = crate::support::Server::with().set("public_url", "http://home.lan:7860");
    let server = server
        .set("trusted_proxies", "127.0.0.1")
        .set("forward_auth", "home.lan:* = signed-in")
        .set("allow_sites_on_own_host", "true")
        .start();
    let entered = enter(&server, &server.admin(), "http://home.lan:3000/x").expect(200);
    let cookie = entered.set_cookie("usher_entry").unwrap();
    assert!(cookie.ends_with("; Path=/; SameSite=Lax; HttpOnly") && !cookie.contains("Domain"), "{cookie}");
    let ask =
        proxy_request(&server, "http://home.lan:3000/x").cookie("usher_entry", entered.cookie("usher_entry").unwrap());
    ask.send().expect(200);
}

#[test]
fn wrong_api_keys_as_basic_credentials_are_slowed_down_and_keep_nobody_else_out() {
    let server = guarding().manual_clock().set("throttle", "true").start();
    let (_, alice) = server.member(&server.admin(), "alice");
    let (_, key) = server.create_key(&alice.access, "phone");
    let send = |key: &str, from: &str| {
        let credentials = format!("Basic {}", STANDARD.encode(format!("alice:{key}")));
        let proxy_request = proxy_request(&server, "https://dav.example.org/").header("Authorization", credentials);
        proxy_request.header("X-Forwarded-For", from).send()
    };
    for _ in 0..80 {
        send("sk-wrong", "192.0.2.1").expect(401);
    }
    assert_eq!(send("sk-wrong", "192.0.2.1").expect(429).header("retry-after"), Some("1"));
    send("sk-wrong", "192.0.2.2").expect(401);
    send(&key, "192.0.2.1").expect(200);
    let login = server.post("/api/v1/login").header("X-Forwarded-For", "192.0.2.1");
    login.form(&[("username", "alice"), ("password", PASSWORD)]).send().expect(200);
    let nginx = server.get("/api/v1/verify").header("X-Original-URL", "https://dav.example.org/");
    let wrong = format!("Basic {}", STANDARD.encode("alice:sk-wrong"));
    nginx.header("Authorization", wrong).header("X-Forwarded-For", "192.0.2.1").send().expect(403);
}
