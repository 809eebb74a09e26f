//! Sensitive requests that need a recent sign-in, and how a session gets one.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::requests::{ALICE, with, with_alice};
use crate::support::server::ADMIN;

const RECENT: &[(&str, &str)] = &[("recent_sign_in_minutes", "10")];

impl Server {
    fn again(&self, access: &str, proof: &Value) -> crate::support::Response {
        self.call("POST", "/api/v1/login/again", access, proof)
    }
}

/// The requests that need a recent sign-in: method, path and body. `ID` stands for the user's id.
fn sensitive() -> Vec<(&'static str, &'static str, Value)> {
    let nil = "00000000-0000-0000-0000-000000000000";
    vec![
        ("POST", "/api/v1/api_key/", json!({ "name": "k" })),
        ("POST", "/api/v1/users/OWN/factors/totp", json!({})),
        ("POST", "/api/v1/users/OWN/factors/passkey/options", json!({})),
        ("POST", "/api/v1/users/OWN/factors/recovery-codes", json!({})),
        ("DELETE", Box::leak(format!("/api/v1/users/OWN/factors/{nil}").into_boxed_str()), json!({})),
        ("DELETE", Box::leak(format!("/api/v1/users/ID/factors/{nil}").into_boxed_str()), json!({})),
        ("PATCH", "/api/v1/users/OWN/reset-password", json!({ "password": "brave-otter-8" })),
        ("PATCH", "/api/v1/users/OWN", json!({ "password": "brave-otter-8" })),
        ("PATCH", "/api/v1/users/ID", json!({ "password": "brave-otter-8" })),
        ("PATCH", "/api/v1/users/ID", json!({ "is_superuser": true })),
        ("POST", "/api/v1/users/ID/reset-link", Value::Null),
        ("POST", "/api/v1/invitations", json!({})),
        ("DELETE", "/api/v1/users/ID/api_keys", Value::Null),
        ("DELETE", Box::leak(format!("/api/v1/users/ID/api_keys/{nil}").into_boxed_str()), Value::Null),
        ("DELETE", "/api/v1/users/ID", Value::Null),
        ("GET", "/api/v1/users/me/data-export", Value::Null),
        ("POST", "/api/v1/users/me/deletion-request", Value::Null),
        ("POST", "/api/v1/users/ID/deletion-request/grant", Value::Null),
        ("GET", "/api/v1/server/backups/usher.backup", Value::Null),
    ]
}

#[test]
fn sensitive_requests_need_a_recent_sign_in() {
    let (server, admin, id) = with_alice(RECENT);
    let own = server.whoami(&admin).field("id");
    server.advance(600);
    for (method, path, body) in sensitive() {
        let path = path.replace("OWN", &own).replace("ID", &id);
        let refused = server.call(method, &path, &admin, &body).expect(403).json();
        assert_eq!(refused, json!({ "detail": "Sign in again to do this", "reauthenticate": true }), "{method} {path}");
    }
    let patch = json!({ "username": "alice", "profile_image": "x", "is_active": true, "is_superuser": false });
    server.call("PATCH", &format!("/api/v1/users/{id}"), &admin, &patch).expect(200);
    let bob = json!({ "username": "bob", "password": "brave-otter-8" });
    server.call("POST", "/api/v1/users/", &admin, &bob).expect(201);
    let admin = server.again(&admin, &json!({ "password": ADMIN.1 })).expect(200).field("access_token");
    server.advance(599);
    server.create_key(&admin, "k");
    server.call("POST", &format!("/api/v1/users/{id}/reset-link"), &admin, &Value::Null).expect(201);
    server.advance(1);
    server.call("POST", "/api/v1/api_key/", &admin, &json!({ "name": "k" })).expect(403);
}

#[test]
fn every_route_that_needs_a_recent_sign_in_says_so_in_its_description() {
    let document = usher::http::describe_routes(&usher::http::generation::V1_3);
    let nil = "00000000-0000-0000-0000-000000000000";
    let mut described: Vec<String> = vec![];
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let refusal = operation["responses"]["403"]["description"].as_str().unwrap_or_default();
            if refusal.contains("`reauthenticate`") {
                described.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let pattern = |path: &str| {
        let path = path.replace("OWN", "{user_id}").replace("ID", "{user_id}").replace("usher.backup", "{name}");
        let id = if path.contains("factors") { "{factor_id}" } else { "{api_key_id}" };
        path.replace(nil, id)
    };
    let mut expected: Vec<String> =
        sensitive().iter().map(|(method, path, _)| format!("{method} {}", pattern(path))).collect();
    expected.sort();
    expected.dedup();
    described.sort();
    assert_eq!(described, expected);
}

#[test]
fn by_default_a_sign_in_of_any_age_is_enough() {
    let (server, admin, _) = with_alice(&[]);
    server.advance(3500);
    server.create_key(&admin, "k");
}

#[test]
fn the_current_password_in_a_request_is_as_good_as_a_recent_sign_in() {
    let (server, admin, id) = with_alice(RECENT);
    let access = server.login(ALICE.0, ALICE.1).access;
    server.advance(600);
    server.enroll(&id, &access, ALICE.1);
    let factor = server.factors(&id, &access)["factors"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{id}/factors/{factor}");
    // Removing another user's factor checks the caller's own password.
    server.call("DELETE", &path, &admin, &json!({ "current_password": "wrong" })).expect(400);
    server.call("DELETE", &path, &admin, &json!({ "current_password": ADMIN.1 })).expect(200);
    let path = format!("/api/v1/users/{id}/reset-password");
    let body = json!({ "password": "brave-otter-8", "current_password": "wrong" });
    server.call("PATCH", &path, &access, &body).expect(400);
    let body = json!({ "password": "brave-otter-8", "current_password": ALICE.1 });
    server.call("PATCH", &path, &access, &body).expect(200);
}

#[test]
fn api_keys_and_automatic_sign_ins_are_exempt() {
    let (server, admin, id) = with_alice(RECENT);
    let key = server.create_key(&admin, "script").1;
    server.advance(3500);
    let path = format!("/api/v1/users/{id}");
    server.call_by_key("PATCH", &path, &key, &json!({ "is_superuser": true })).expect(200);
    let refused = server.call_by_key("POST", "/api/v1/login/again", &key, &json!({ "password": ADMIN.1 }));
    refused.refused(403, "An API key can't sign in again; use the session");

    let server = with(RECENT).set("auto_login", "true").set("trusted_proxies", "").start();
    let access = server.get("/api/v1/auto_login").send().expect(200).field("access_token");
    server.advance(3500);
    server.create_key(&access, "k");
}

#[test]
fn a_password_or_a_code_makes_the_sign_in_recent_once() {
    let (server, admin, id) = with_alice(RECENT);
    let mut access = server.login(ALICE.0, ALICE.1).access;
    let app = server.enroll(&id, &access, ALICE.1);
    server.advance(30);
    let codes = server.recovery_codes(&id, &access, ALICE.1);
    for proof in [json!({ "password": ALICE.1 }), json!({ "code": codes[0] }), json!({ "code": "TOTP" })] {
        server.advance(600);
        let proof = if proof["code"] == "TOTP" { json!({ "code": server.code(&app) }) } else { proof };
        server.call("POST", "/api/v1/api_key/", &access, &json!({ "name": "k" })).expect(403);
        let renewed = server.again(&access, &proof).expect(200).field("access_token");
        server.again(&access, &proof).refused(401, "Session has ended.");
        access = renewed;
        server.create_key(&access, "k");
        if proof["code"].is_string() {
            server.again(&access, &proof).refused(400, "Incorrect code");
        }
    }
    let details: Vec<Value> =
        server.audit(&admin, "login.again").iter().map(|entry| json!([entry["detail"], entry["success"]])).collect();
    let (used, right) = (json!([null, false]), |detail: &str| json!([detail, true]));
    assert_eq!(details, [used.clone(), right("totp"), used, right("recovery code"), right("password")]);
}

#[test]
fn signing_in_again_is_throttled_like_a_sign_in_and_ends_no_session() {
    let (server, _, _) = with_alice(RECENT);
    let access = server.login(ALICE.0, ALICE.1).access;
    for proof in [json!({ "password": "wrong" }), json!({ "code": "000000" })] {
        let status = server.again(&access, &proof).status;
        assert_eq!(status, 400, "401 would tell the client that its session has ended");
    }
    let refused = (0..20).filter(|_| server.again(&access, &json!({ "password": "wrong" })).status == 429).count();
    assert_eq!(refused, 20 - 14, "two wrong proofs came before");
    assert_eq!(server.try_login(ALICE.0, ALICE.1).status, 429);
    server.again(&access, &json!({ "password": ALICE.1 })).expect(429);
    assert_eq!(server.whoami(&access).status, 200);
}

#[test]
fn signing_in_again_needs_one_proof() {
    let (server, admin, _) = with_alice(&[]);
    for body in [json!({}), json!({ "password": null }), json!({ "password": 1 }), json!({ "credential": {} })] {
        assert_eq!(server.again(&admin, &body).status, 422, "{body}");
    }
    assert_eq!(server.post("/api/v1/login/again").json(&json!({ "password": ADMIN.1 })).send().status, 403);
}

#[test]
fn a_refresh_does_not_make_a_sign_in_recent() {
    let (server, _, _) = with_alice(RECENT);
    let tokens = server.login(ALICE.0, ALICE.1);
    server.advance(600);
    let access = server.refresh(&tokens.refresh).expect(200).field("access_token");
    server.call("POST", "/api/v1/api_key/", &access, &json!({ "name": "k" })).expect(403);
}

#[test]
fn signing_in_again_replaces_the_sessions_tokens() {
    let (server, _, _) = with_alice(RECENT);
    let old = server.login(ALICE.0, ALICE.1);
    let other = server.login(ALICE.0, ALICE.1);
    server.advance(1800);
    let answer = server.again(&old.access, &json!({ "password": ALICE.1 })).expect(200);
    let (access, refresh) = (answer.field("access_token"), answer.field("refresh_token"));
    assert!(answer.set_cookie("refresh_token_lf").is_some());
    // A copy of the old tokens gains nothing from the new sign-in.
    assert_eq!(server.whoami(&old.access).detail(), "Session has ended.");
    server.refresh(&old.refresh).refused(401, "Invalid refresh token");
    server.create_key(&access, "k");
    assert_eq!(server.whoami(&other.access).status, 200);
    let refreshed = server.refresh(&refresh).expect(200).field("access_token");
    assert_eq!(server.whoami(&refreshed).status, 200);
}

#[test]
fn a_session_that_entered_a_site_can_sign_in_again_and_its_site_token_ends() {
    let sites = [
        ("public_url", "https://auth.example.org"),
        ("cookie_domain", "example.org"),
        ("trusted_proxies", "127.0.0.1"),
        ("forward_auth", "*.example.org = signed-in"),
    ];
    let server = with(&sites).start();
    let access = server.admin();
    let enter = |access: &str| {
        let body = json!({ "return_to": "https://wiki.example.org/page" });
        server.call("POST", "/api/v1/enter", access, &body).expect(200)
    };
    let token = enter(&access).cookie("__Secure-usher_entry").unwrap().to_owned();
    let visit = |token: &str| {
        let request = server.get("/api/v1/verify").header("X-Forwarded-Proto", "https");
        let request = request.header("X-Forwarded-Host", "wiki.example.org").header("X-Forwarded-Uri", "/page");
        request.header("X-Forwarded-Method", "GET").cookie("__Secure-usher_entry", token).send().status
    };
    assert_eq!(visit(&token), 200);
    let renewed = server.again(&access, &json!({ "password": ADMIN.1 })).expect(200).field("access_token");
    assert_ne!(visit(&token), 200, "the session's former tokens have ended");
    assert_eq!(visit(enter(&renewed).cookie("__Secure-usher_entry").unwrap()), 200);
}
