//! What a session can do while the settings require a second factor that its user doesn't have.

use serde_json::{Value, json};
use usher::server::FirstSuperuser;

use crate::support::requests::{ALICE, with};
use crate::support::server::{ADMIN, PASSWORD};

const MISSING: &str = "Set up a second factor first";

/// Routes that a session can call before the factor is set up: those of its own factors, and two more.
const OPEN: [&str; 2] = ["/api/v1/users/whoami", "/api/v1/login/again"];

#[test]
fn a_session_without_its_factor_reaches_only_its_own_factors() {
    let server = with(&[("second_factor", "everybody"), ("metrics", "true")]).start();
    let access = server.login(ADMIN.0, ADMIN.1).access;
    let nil = "00000000-0000-0000-0000-000000000000";
    let document = server.get("/openapi.json").send().expect(200).json();
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let needs_credentials = operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
            if !needs_credentials || OPEN.contains(&path.as_str()) || path.contains("/factors") {
                continue;
            }
            tried += 1;
            let path = path.split('/').map(|part| if part.starts_with('{') { nil } else { part });
            let path = path.collect::<Vec<_>>().join("/");
            let answer = server.call(&method.to_uppercase(), &path, &access, &json!({}));
            assert_eq!((answer.status, answer.detail().as_str()), (403, MISSING), "{method} {path}");
        }
    }
    assert!(tried > 25, "{tried}");
    let new = json!({ "username": "eve", "password": PASSWORD });
    server.call("POST", "/api/v1/users/", &access, &new).refused(403, MISSING);
    let id = server.whoami(&access).expect(200).field("id");
    server.enroll(&id, &access, ADMIN.1);
    server.call("POST", "/api/v1/users/", &access, &new).expect(201);
}

#[test]
fn a_session_without_its_factor_cannot_see_other_users_factors() {
    let server = with(&[("second_factor", "everybody")]).start();
    let access = server.login(ADMIN.0, ADMIN.1).access;
    let own = server.whoami(&access).field("id");
    server.enroll(&own, &access, ADMIN.1);
    let alice = server.add(&access, ALICE.0, ALICE.1);
    let theirs = server.login(ALICE.0, ALICE.1).access;
    server.enroll(&alice, &theirs, ALICE.1);
    let factor = |id: &str| server.factors(id, &access)["factors"][0]["id"].as_str().unwrap().to_owned();
    let (mine, alices) = (factor(&own), factor(&alice));
    server
        .call(
            "DELETE",
            &format!("/api/v1/users/{own}/factors/{mine}"),
            &access,
            &json!({ "current_password": ADMIN.1 }),
        )
        .expect(200);
    let path = format!("/api/v1/users/{alice}/factors");
    server.call("GET", &path, &access, &Value::Null).refused(403, MISSING);
    server.call("DELETE", &format!("{path}/{alices}"), &access, &json!({})).refused(403, MISSING);
}

#[test]
fn the_current_session_shows_whether_the_factor_is_missing() {
    let server = with(&[("second_factor", "superusers")]).start();
    let access = server.login(ADMIN.0, ADMIN.1).access;
    let session = |access: &str| server.get("/api/v1/session").bearer(access).send().expect(200).json();
    let answer = session(&access);
    assert_eq!((&answer["authenticated"], &answer["second_factor_missing"]), (&json!(true), &json!(true)));
    let id = server.whoami(&access).field("id");
    server.enroll(&id, &access, ADMIN.1);
    assert!(session(&access).get("second_factor_missing").is_none(), "Langflow's answer has no such field");
    server.add(&access, ALICE.0, ALICE.1);
    let alice = server.login(ALICE.0, ALICE.1).access;
    assert!(session(&alice).get("second_factor_missing").is_none(), "not a superuser");
}

#[test]
fn a_required_factor_applies_to_the_first_superuser() {
    for policy in ["superusers", "everybody"] {
        let server = with(&[("second_factor", policy)]).without_superuser().start();
        let FirstSuperuser::Link(link) = &server.first_superuser else { panic!("no setup link") };
        let token = link.expose().split_once("/setup#token=").unwrap().1;
        let body = json!({ "token": token, "username": ALICE.0, "password": ALICE.1 });
        let id = server.post("/api/v1/setup").json(&body).send().expect(201).field("id");
        let tokens = server.login(ALICE.0, ALICE.1);
        server.call("GET", "/api/v1/users/", &tokens.access, &Value::Null).refused(403, MISSING);
        let access = server.refresh(&tokens.refresh).expect(200).field("access_token");
        server.call("POST", "/api/v1/api_key/", &access, &json!({ "name": "k" })).refused(403, MISSING);
        let app = server.enroll(&id, &access, ALICE.1);
        server.recovery_codes(&id, &access, ALICE.1);
        server.call("GET", "/api/v1/users/", &access, &Value::Null).expect(200);
        assert_eq!(server.try_login(ALICE.0, ALICE.1).expect(401).detail(), "Second factor required");
        server.advance(30);
        server.login(ALICE.0, &format!("{}{}", ALICE.1, server.code(&app)));
    }
}

#[test]
fn automatic_sign_in_needs_no_second_factor() {
    let settings = [("second_factor", "everybody"), ("auto_login", "true"), ("trusted_proxies", "")];
    let server = with(&settings).without_superuser().start();
    let access = server.get("/api/v1/auto_login").send().expect(200).field("access_token");
    server.call("GET", "/api/v1/users/", &access, &Value::Null).expect(200);
    let session = server.get("/api/v1/session").bearer(&access).send().expect(200).json();
    assert!(session.get("second_factor_missing").is_none());
}
