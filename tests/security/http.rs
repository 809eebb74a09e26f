//! What browsers are told and believed, and what proxies are.

use serde_json::{Value, json};

use crate::server::{ADMIN, start};

#[test]
fn every_answer_has_an_id_and_is_neither_sniffed_nor_framed_nor_kept() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    let (admin, _) = server.login(ADMIN);
    let mut ids = std::collections::HashSet::new();
    for answer in [
        server.send("GET", "/health", &[], ""),
        server.send("GET", "/nothing", &[], ""),
        server.send("PUT", "/health", &[], ""),
        server.send("GET", "/api/v1/users", &[], ""),
        server.send("GET", "/api/v1/users/whoami", &[], ""),
        server.call("GET", "/api/v1/users/whoami", &admin, &Value::Null),
        server.call("PATCH", "/api/v1/users/x", &admin, &json!({})),
    ] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert!(ids.insert(answer.header("x-request-id").unwrap().to_owned()));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn another_sites_pages_change_nothing_unless_that_site_is_configured() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[("USHER_CORS_ORIGINS", "https://app.example")]);
    let (admin, _) = server.login(ADMIN);
    let bearer = format!("Bearer {admin}");
    let send = |site: &str, origin: &str| {
        let headers = [("authorization", bearer.as_str()), ("sec-fetch-site", site), ("origin", origin)];
        server.send("POST", "/api/v1/logout", &headers, "").status
    };
    assert_eq!(send("cross-site", "https://evil.example"), 403);
    assert_eq!(server.whoami(&admin), 200);
    assert_eq!(send("same-origin", "http://localhost"), 200);
    let (admin, _) = server.login(ADMIN);
    let bearer = format!("Bearer {admin}");
    let headers =
        [("authorization", bearer.as_str()), ("sec-fetch-site", "cross-site"), ("origin", "https://app.example")];
    let answer = server.send("POST", "/api/v1/logout", &headers, "");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example")));
}

#[test]
fn other_origins_are_answered_only_if_configured_and_never_as_any() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[("USHER_CORS_ORIGINS", "https://app.example")]);
    let preflight = |origin: &str| {
        let headers = [("origin", origin), ("access-control-request-method", "PATCH")];
        server.send("OPTIONS", "/api/v1/users/whoami", &headers, "")
    };
    let known = preflight("https://app.example");
    assert_eq!(known.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(known.header("access-control-allow-credentials"), Some("true"));
    let unknown = preflight("https://evil.example");
    assert_eq!(unknown.header("access-control-allow-origin"), None, "{unknown:?}");
}

#[test]
fn cookies_alone_authorize_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    let (access, _) = server.login(ADMIN);
    let cookie = format!("access_token_lf={access}");
    assert_eq!(server.send("GET", "/api/v1/users/whoami", &[("cookie", &cookie)], "").status, 403);
    assert_eq!(server.send("GET", "/api/v1/session", &[("cookie", &cookie)], "").body["authenticated"], true);
}

#[test]
fn cookies_are_out_of_reach_for_scripts_and_secure_when_the_request_came_by_https() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let login = |headers: &[(&str, &str)]| {
        server.send("POST", "/api/v1/login", headers, "username=admin&password=adminpw123").headers
    };
    for (headers, secure) in [(vec![form], false), (vec![form, ("x-forwarded-proto", "https")], true)] {
        let cookies: Vec<_> = login(&headers).into_iter().filter(|(name, _)| name == "set-cookie").collect();
        assert_eq!(cookies.len(), 2);
        for (_, cookie) in cookies {
            assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax") && cookie.contains("; Path=/"));
            assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        }
    }
}

#[test]
fn addresses_in_forwarding_headers_count_only_from_configured_proxies() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[("USHER_TRUSTED_PROXIES", "10.0.0.0/8")]);
    let answer = server.try_login("203.0.113.9", ADMIN.0, ADMIN.1);
    let admin = answer.text("access_token");
    assert_eq!(server.audit(&admin, "login")[0]["address"], "127.0.0.1");
}

#[test]
fn the_audit_log_says_who_did_what_to_whom_from_where_and_is_for_superusers() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path(), &[]);
    let (admin, _) = server.login(ADMIN);
    let id = server.add(&admin, "alice", "quiet-otter-7");
    let (alice, _) = server.login(("alice", "quiet-otter-7"));
    assert_eq!(server.call("GET", "/api/v1/audit", &alice, &Value::Null).status, 403);
    let all = server.call("GET", &format!("/api/v1/audit?limit=100&user={id}"), &admin, &Value::Null).body;
    let seen: Vec<(&str, &str)> = all["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["actor_name"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(seen, [("login", "alice"), ("user.change", "admin"), ("user.add", "admin")]);
    assert_eq!(all["total_count"], 3);
    let change = &all["entries"][1];
    assert_eq!((&change["target"], &change["detail"]), (&json!(id), &json!("is_active")));
    assert_eq!(change["at"], "2027-01-15T08:00:00.000000Z");
}
