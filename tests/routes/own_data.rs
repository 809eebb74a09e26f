//! Data exports and account deletion requests.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::server::{ADMIN, PASSWORD};

const OWN: &str = "/api/v1/users/me/deletion-request";
const EXPORT: &str = "/api/v1/users/me/data-export";

fn of(id: &str, action: &str) -> String {
    format!("/api/v1/users/{id}/deletion-request{action}")
}

/// The listed names, and the users with a pending request.
fn listed(server: &Server, admin: &str, query: &str) -> (Vec<String>, Value) {
    let list = server.get(format!("/api/v1/users/?{query}")).bearer(admin).send().expect(200).json();
    let names: Vec<String> =
        list["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect();
    assert_eq!(list["total_count"], names.len());
    (names, list["deletion_requests"].clone())
}

#[test]
fn a_user_requests_cancels_and_requests_deletion_again() {
    let server = Server::start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "alice");
    let own = |method: &str| server.request(method, OWN).bearer(&tokens.access).send();
    own("GET").refused(404, "No deletion request");
    own("DELETE").refused(404, "No pending deletion request");
    let first = own("POST").expect(201).json();
    assert_eq!((&first["status"], &first["decided_at"]), (&json!("requested"), &Value::Null));
    assert_eq!(own("POST").expect(200).json(), first);
    assert_eq!(own("GET").expect(200).json(), first);
    for token in [&admin, &tokens.access] {
        assert_eq!(server.get(of(&id, "")).bearer(token).send().expect(200).json(), json!({"deletion_request": first}));
    }
    assert_eq!(own("DELETE").expect(200).json()["status"], "withdrawn");
    assert_eq!(own("GET").expect(200).json()["status"], "withdrawn");
    own("DELETE").refused(404, "No pending deletion request");
    server.post(of(&id, "/grant")).bearer(&admin).send().refused(404, "No pending deletion request");
    assert_ne!(own("POST").expect(201).json()["id"], first["id"]);
    let actions = |action: &str| server.audit(&admin, action).len();
    assert_eq!((actions("deletion.request"), actions("deletion.withdraw")), (2, 1));
}

#[test]
fn superusers_list_grant_and_decline_deletion_requests() {
    let server = Server::start();
    let admin = server.admin();
    let members = ["ann", "ben", "cid"].map(|name| server.member(&admin, name));
    let [(ann, _), (ben, ben_tokens), _] = &members;
    for (_, tokens) in &members[..2] {
        server.post(OWN).bearer(&tokens.access).send().expect(201);
    }
    let both = json!({ann.as_str(): "requested", ben.as_str(): "requested"});
    assert_eq!(listed(&server, &admin, "").1, both);
    let names = |query: &str| listed(&server, &admin, query).0;
    assert_eq!(names("deletion_requested=true"), ["ann", "ben"]);
    assert_eq!(names("deletion_requested=1&order=desc&sort=name"), ["ben", "ann"]);
    assert_eq!(names("deletion_requested=true&search=E"), ["ben"]);
    assert_eq!(names("deletion_requested=true&username=ANN"), ["ann"]);
    assert_eq!(names("deletion_requested=true&username=cid"), [""; 0]);
    assert_eq!(names("deletion_requested=true&state=superuser"), [""; 0]);
    assert_eq!(names("deletion_requested=true&sort=last_login&order=desc&state=active"), ["ben", "ann"]);
    assert_eq!(names("deletion_requested=false"), [ADMIN.0, "ann", "ben", "cid"]);
    let page = server.get("/api/v1/users/?deletion_requested=true&skip=1&limit=1").bearer(&admin).send().json();
    assert_eq!((&page["total_count"], &page["users"][0]["username"]), (&json!(2), &json!("ben")));
    server.get("/api/v1/users/?deletion_requested=maybe").bearer(&admin).send().expect(422);

    let declined = server.post(of(ben, "/decline")).bearer(&admin).send().expect(200).json();
    assert_eq!((&declined["status"], declined["decided_at"].is_string()), (&json!("refused"), true));
    assert_eq!(server.get(OWN).bearer(&ben_tokens.access).send().expect(200).json(), declined);
    server.post(of(ben, "/decline")).bearer(&admin).send().refused(404, "No pending deletion request");
    let granted = server.post(of(ann, "/grant")).bearer(&admin).send().expect(200);
    assert_eq!(granted.json(), json!({"detail": "User deleted"}));
    server.post(of(ann, "/grant")).bearer(&admin).send().refused(404, "User not found");
    server.get(of(ann, "")).bearer(&admin).send().refused(404, "User not found");
    assert_eq!(listed(&server, &admin, "").1, json!({}));
    let deleted = &server.audit(&admin, "user.delete")[0];
    assert_eq!((&deleted["target_name"], &deleted["detail"]), (&json!("ann"), &json!("deletion request granted")));
    assert_eq!(server.audit(&admin, "deletion.decline")[0]["target_name"], "ben");
}

#[test]
fn only_superusers_decide_and_not_on_their_own_request() {
    let server = Server::start();
    let admin = server.admin();
    let ((ann, tokens), (ben, _)) = (server.member(&admin, "ann"), server.member(&admin, "ben"));
    server.post(OWN).bearer(&tokens.access).send().expect(201);
    for target in [&ann, &ben] {
        for action in ["/grant", "/decline"] {
            server.post(of(target, action)).bearer(&tokens.access).send().expect(403);
            server.post(of(target, action)).send().expect(403);
        }
    }
    server.get(of(&ben, "")).bearer(&tokens.access).send().refused(403, "Permission denied");
    assert_eq!(server.get(of(&ben, "")).bearer(&admin).send().expect(200).json(), json!({"deletion_request": null}));
    let promote = json!({"is_superuser": true});
    server.patch(format!("/api/v1/users/{ann}")).bearer(&admin).json(&promote).send().expect(200);
    server
        .post(of(&ann, "/grant"))
        .bearer(&tokens.access)
        .send()
        .refused(400, "You can't delete your own user account");
    server.get(OWN).bearer(&tokens.access).send().expect(200);
}

#[test]
fn deletion_requests_refuse_the_last_superuser_and_api_keys() {
    for self_deletion in ["false", "true"] {
        let server = Server::with().set("self_deletion", self_deletion).start();
        let admin = server.admin();
        let sentence = "You are the last active superuser; make another user a superuser before you leave";
        server.post(OWN).bearer(&admin).send().refused(409, sentence);
        let key = server
            .post("/api/v1/api_key/")
            .bearer(&admin)
            .json(&json!({"name": "k"}))
            .send()
            .expect(200)
            .field("api_key");
        let sentence = "Sign in interactively to manage your own data";
        for (method, path) in [("POST", OWN), ("DELETE", OWN), ("GET", EXPORT)] {
            server.request(method, path).key(&key).send().refused(403, sentence);
        }
        server.get(OWN).key(&key).send().refused(404, "No deletion request");
        let (bob, _) = server.member(&admin, "bob");
        let path = format!("/api/v1/users/{bob}");
        server.patch(&path).bearer(&admin).json(&json!({"is_superuser": true, "is_active": false})).send().expect(200);
        server.post(OWN).bearer(&admin).send().expect(409);
        server.patch(&path).bearer(&admin).json(&json!({"is_active": true})).send().expect(200);
        server.post(OWN).bearer(&admin).send().expect(201);
    }
}

#[test]
fn with_self_deletion_an_account_is_deleted_at_once() {
    let server = Server::with().set("self_deletion", "true").start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "alice");
    let done = server.post(OWN).bearer(&tokens.access).send().expect(201).json();
    assert_eq!((&done["status"], &done["decided_at"]), (&json!("done"), &done["requested_at"]));
    server.get(format!("/api/v1/users/{id}")).bearer(&admin).send().refused(404, "User not found");
    server.post(OWN).bearer(&tokens.access).send().expect(401);
    server.try_login("alice", PASSWORD).expect(401);
    let entry = &server.audit(&admin, "user.delete")[0];
    assert_eq!((&entry["actor_name"], &entry["detail"]), (&json!("alice"), &json!("own request")));
}

#[test]
fn the_data_export_is_complete_and_without_secrets() {
    let server = Server::start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "alice");
    let key = server.post("/api/v1/api_key/").bearer(&tokens.access).json(&json!({"name": "ci"})).send().expect(200);
    let stored = json!({"api_key": "store-secret"});
    server.post("/api/v1/api_key/store").bearer(&tokens.access).json(&stored).send().expect(200);
    server.post(OWN).bearer(&tokens.access).send().expect(201);
    let answer = server.get(EXPORT).bearer(&tokens.access).send().expect(200);
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"usher-data.json\""));
    let text = answer.text();
    let encrypted = server.whoami(&tokens.access).json()["store_api_key"].as_str().unwrap().to_owned();
    for secret in [&key.field("api_key"), &tokens.access, &tokens.refresh, &encrypted, "$2b$"] {
        assert!(!text.contains(secret), "{text}");
    }
    let data = answer.json();
    assert_eq!((&data["account"]["id"], &data["account"]["username"]), (&json!(id), &json!("alice")));
    assert_eq!((&data["sessions"][0]["current"], &data["api_keys"][0]["name"]), (&json!(true), &json!("ci")));
    assert_eq!((&data["second_factors"], &data["deletion_request"]["status"]), (&json!([]), &json!("requested")));
    let entries = data["audit"]["entries"].as_array().unwrap();
    assert_eq!((&entries[0]["action"], &data["audit"]["total_count"]), (&json!("data.export"), &json!(entries.len())));
    for entry in entries {
        assert!([&entry["actor"], &entry["target"]].contains(&&json!(id)), "{entry}");
        assert!(entry["actor"] == json!(id) || entry["address"].is_null() || entry["actor"].is_null(), "{entry}");
    }
}
