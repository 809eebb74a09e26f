//! Security headers, cross-site requests, CORS, and trusted proxies.

use serde_json::{Value, json};

use crate::support::Response;
use crate::support::requests::start;
use crate::support::server::ADMIN;

/// Asserts the headers of every response.
fn assert_guarded(answer: &Response) {
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(answer.header("x-request-id").unwrap().len(), 16, "{answer:?}");
}

#[test]
fn every_response_has_an_id_and_security_headers() {
    let server = start(&[]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let mut ids = std::collections::HashSet::new();
    for answer in [
        server.request("GET", "/health").send(),
        server.request("GET", "/nothing").send(),
        server.request("PUT", "/health").send(),
        server.request("GET", "/api/v1/users").send(),
        server.request("GET", "/api/v1/users/whoami").send(),
        server.call("GET", "/api/v1/users/whoami", &admin, &Value::Null),
        server.call("PATCH", "/api/v1/users/x", &admin, &json!({})),
        server.request("OPTIONS", "/api/v1/users/whoami").send(),
        server.request("TRACE", "/api/v1/users/whoami").send(),
        server.request("GET", "/").send(),
        server.request("GET", "/docs").send(),
        server.post("/api/v1/login").form(&[("username", "a"), ("password", &"x".repeat(70_000))]).send(),
        server.post("/api/v1/users/").json(&json!("[".repeat(10))).send(),
        server.post("/api/v1/users/").body("application/json", "[".repeat(9000)).send(),
    ] {
        assert_guarded(&answer);
        assert!(ids.insert(answer.header("x-request-id").unwrap().to_owned()));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn cross_site_changes_are_refused_unless_the_origin_is_configured() {
    let server = start(&[("cors_origins", "https://app.example")]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let log_out = |token: &str, site: &str, origin: &str| {
        server.post("/api/v1/logout").bearer(token).header("sec-fetch-site", site).header("origin", origin).send()
    };
    assert_eq!(log_out(&admin, "cross-site", "https://evil.example").status, 403);
    assert_eq!(server.whoami(&admin).status, 200);
    assert_eq!(log_out(&admin, "same-origin", "http://localhost").status, 200);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    let answer = log_out(&admin, "cross-site", "https://app.example");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://app.example")));
}

#[test]
fn cors_allows_only_configured_origins_and_never_a_wildcard() {
    let server = start(&[("cors_origins", "https://app.example")]);
    let preflight = |origin: &str| {
        let asked = server.request("OPTIONS", "/api/v1/users/whoami").header("access-control-request-method", "PATCH");
        asked.header("origin", origin).send()
    };
    let known = preflight("https://app.example");
    assert_eq!(known.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(known.header("access-control-allow-credentials"), Some("true"));
    let unknown = preflight("https://evil.example");
    assert_eq!(unknown.header("access-control-allow-origin"), None, "{unknown:?}");
}

#[test]
fn responses_without_a_route_have_security_headers_too() {
    let server = start(&[("cors_origins", "https://app.example")]);
    for (origin, method) in
        [("https://app.example", "PATCH"), ("https://evil.example", "PATCH"), ("https://app.example", "PUT")]
    {
        let asked = server.request("OPTIONS", "/api/v1/users/whoami").header("access-control-request-method", method);
        assert_guarded(&asked.header("origin", origin).send());
        assert_guarded(&server.get("/api/v1/users/whoami").header("origin", origin).send());
    }
    assert_guarded(&server.request("OPTIONS", "/nothing").header("origin", "https://app.example").send());
}

#[test]
fn an_internal_error_reveals_nothing_and_affects_no_other_request() {
    let server = start(&[]);
    // The expiry of a session would overflow, so the handler fails.
    let left = chrono::DateTime::<chrono::Utc>::MAX_UTC - server.clock.now();
    server.clock.advance(left - chrono::TimeDelta::days(1));
    let mut connection = server.connect();
    let form = [("username", ADMIN.0), ("password", ADMIN.1)];
    connection.write(&server.post("/api/v1/login").form(&form).bytes(true));
    let answer = connection.read(false).unwrap();
    assert_eq!((answer.status, answer.json()), (500, json!({"detail": "Internal Server Error"})));
    assert_guarded(&answer);
    connection.write(&server.get("/health").bytes(true));
    assert_eq!(connection.read(false).unwrap().status, 200);
}

#[test]
fn cookies_are_http_only_and_secure_over_https() {
    let server = start(&[]);
    for (proto, secure) in [("http", false), ("https", true)] {
        let login = server.post("/api/v1/login").header("x-forwarded-proto", proto);
        let headers = login.form(&[("username", ADMIN.0), ("password", ADMIN.1)]).send().expect(200).headers;
        let cookies: Vec<_> = headers.into_iter().filter(|(name, _)| name == "set-cookie").collect();
        assert_eq!(cookies.len(), 2);
        for (_, cookie) in cookies {
            assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax") && cookie.contains("; Path=/"));
            assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
        }
    }
}

#[test]
fn forwarding_headers_count_only_from_trusted_proxies() {
    let server = start(&[("trusted_proxies", "10.0.0.0/8")]);
    let answer = server.try_login_from("203.0.113.9", ADMIN.0, ADMIN.1);
    let admin = answer.field("access_token");
    assert_eq!(server.audit(&admin, "login")[0]["address"], "127.0.0.1");
}

#[test]
fn sql_in_input_is_treated_as_text() {
    let server = start(&[("signup", "open"), ("throttle", "false")]);
    let admin = server.login(ADMIN.0, ADMIN.1).access;
    for text in [
        "'; DROP TABLE users; --",
        "\" OR 1=1 --",
        "x' OR username LIKE '%",
        "%",
        "_",
        "a*",
        "a\" NOT b",
        ":user",
        "?1",
    ] {
        let body = json!({"username": text, "password": "quiet-otter-7"});
        server.post("/api/v1/users/").json(&body).send().expect(201);
        server.login(text, "quiet-otter-7");
        let encoded = percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string();
        let found =
            server.call("GET", &format!("/api/v1/users/?limit=100&search={encoded}"), &admin, &Value::Null).json();
        let names: Vec<&str> =
            found["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
        assert!(names.contains(&text) && names.iter().all(|name| name.contains(text)), "{text}: {names:?}");
        for path in ["/api/v1/users/?sort=", "/api/v1/users/?order=", "/api/v1/users/?state=", "/api/v1/audit?user="] {
            assert_eq!(
                server.call("GET", &format!("{path}{encoded}"), &admin, &Value::Null).status,
                422,
                "{path}{text}"
            );
        }
        let none = server.call("GET", &format!("/api/v1/audit?action={encoded}"), &admin, &Value::Null).json();
        assert_eq!(none["total_count"], 0, "{text}");
        assert_eq!(server.try_login(&format!("{text}' OR '1'='1"), "quiet-otter-7").status, 401);
    }
}
