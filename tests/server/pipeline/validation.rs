//! The order of checks, and all validation errors in one response.

use serde_json::json;

use crate::support::Server;

#[test]
fn malformed_json_comes_before_the_caller_and_the_caller_before_the_fields() {
    let server = Server::start();
    let admin = server.admin();
    let (id, alice) = server.member(&admin, "alice");
    let path = format!("/api/v1/users/{id}");
    let bad_json = |path: &str| server.patch(path).body("application/json", "{bad");
    assert_eq!(bad_json(&path).send().validation_errors(), ["body.1 json_invalid"]);
    assert_eq!(bad_json("/api/v1/users/nope").bearer(&admin).send().validation_errors(), ["body.1 json_invalid"]);
    let bad_field = |path: &str| server.patch(path).json(&json!({"is_active": "maybe"}));
    bad_field(&path).send().refused(403, "An API key must be passed as query or header");
    bad_field(&path).bearer("x").send().refused(401, "Could not validate credentials");
    assert_eq!(bad_field("/api/v1/users/nope").bearer(&admin).send().validation_errors().len(), 2);
    // Field errors come before permissions, and permissions before existence.
    let nobody = "/api/v1/users/00000000-0000-4000-8000-000000000000";
    assert_eq!(bad_field(nobody).bearer(&alice.access).send().validation_errors(), ["body.is_active bool_parsing"]);
    let rename = |path: &str| server.patch(path).json(&json!({"username": "bob"}));
    rename(nobody).bearer(&alice.access).send().refused(403, "Permission denied");
    rename(nobody).bearer(&admin).send().refused(404, "User not found");
    // On superuser routes, the privilege is checked before the path.
    server
        .delete("/api/v1/users/nope")
        .bearer(&alice.access)
        .send()
        .refused(403, "The user doesn't have enough privileges");
}

#[test]
fn routes_without_a_body_ignore_it() {
    let server = Server::start();
    let admin = server.admin();
    server.get("/api/v1/users/whoami").bearer(&admin).body("application/json", "{bad").send().expect(200);
    let gone = server.delete("/api/v1/users/nope").bearer(&admin).body("application/json", "{bad").send();
    assert_eq!(gone.validation_errors(), ["path.user_id uuid_parsing"]);
}

#[test]
fn every_invalid_field_is_reported_once_in_the_order_path_query_body() {
    let server = Server::start();
    let admin = server.admin();
    let all = json!({
        "last_login_at": "x", "is_superuser": 7, "is_active": [], "password": 3, "profile_image": {}, "username": 1,
    });
    let answer = server.patch("/api/v1/users/nope").bearer(&admin).json(&all).send();
    assert_eq!(
        answer.validation_errors(),
        [
            "path.user_id uuid_parsing",
            "body.username string_type",
            "body.profile_image string_type",
            "body.password string_type",
            "body.is_active bool_type",
            "body.is_superuser bool_parsing",
            "body.last_login_at datetime_from_date_parsing",
        ]
    );
    let list = server.get("/api/v1/users/?limit=1001&skip=-1").bearer(&admin).send();
    assert_eq!(
        list.json()["detail"],
        json!([
            {"type": "greater_than_equal", "loc": ["query", "skip"], "msg": "Input should be greater than or equal to 0"},
            {"type": "less_than_equal", "loc": ["query", "limit"], "msg": "Input should be less than or equal to 1000"},
        ])
    );
}

#[test]
fn no_response_echoes_input() {
    let server = Server::start();
    let admin = server.admin();
    for body in [json!({"username": ["hunter2hunter2"], "password": ["hunter2hunter2"]}), json!(["hunter2hunter2"])] {
        let answer = server.post("/api/v1/users/").json(&body).send().expect(422);
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    }
    let answer = server.get("/api/v1/users/?limit=hunter2").bearer(&admin).send().expect(422);
    assert!(!answer.text().contains("hunter2"));
}
