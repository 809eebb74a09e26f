//! `optins`: a JSON object that clients store with a user.

use serde_json::{Value, json};

use crate::support::Server;

fn default() -> Value {
    json!({"github_starred": false, "dialog_dismissed": false, "discord_clicked": false})
}

#[test]
fn optins_start_with_the_originals_defaults_and_are_replaced_as_a_whole() {
    let server = Server::start();
    let admin = server.admin();
    let (id, tokens) = server.member(&admin, "alice");
    let path = format!("/api/v1/users/{id}");
    let patch = |body: Value| server.patch(&path).bearer(&tokens.access).json(&body).send();
    assert_eq!(server.whoami(&tokens.access).json()["optins"], default());
    let seen = json!({"dialog_dismissed": true, "theme": {"dark": [1, 2.5, null, "ü\u{0}"]}});
    assert_eq!(patch(json!({"optins": seen})).expect(200).json()["optins"], seen);
    assert_eq!(patch(json!({"optins": null, "profile_image": "x"})).expect(200).json()["optins"], seen);
    assert_eq!(patch(json!({"is_active": true})).expect(200).json()["optins"], seen);
    assert_eq!(server.get(&path).bearer(&admin).send().json()["optins"], seen);
    let list = server.get("/api/v1/users/?limit=10").bearer(&admin).send().json();
    assert_eq!(list["users"][1]["optins"], seen, "{list}");
    // A change of the name uses another SQL statement.
    assert_eq!(patch(json!({"username": "alicia"})).expect(200).json()["optins"], seen);
    assert_eq!(patch(json!({"optins": {}})).expect(200).json()["optins"], json!({}));
    let details: Vec<Value> = server
        .audit(&admin, "user.change")
        .iter()
        .map(|entry| entry["detail"].clone())
        .filter(|d| !d.is_null())
        .collect();
    assert_eq!(details, [json!("optins"), json!("profile_image"), json!("optins")]);
}

#[test]
fn optins_of_a_new_user_must_be_a_small_object() {
    let server = Server::with().set("signup", "open").start();
    let new = |name: &str, optins: Value| {
        let body = json!({"username": name, "password": "quiet-otter-7", "optins": optins});
        server.post("/api/v1/users/").json(&body).send()
    };
    assert_eq!(new("ann", json!({"a": 1})).expect(201).json()["optins"], json!({"a": 1}));
    assert_eq!(new("ben", Value::Null).expect(201).json()["optins"], default());
    let of_length = |length: usize| json!({"a": "x".repeat(length - 8)});
    assert_eq!(new("cid", of_length(4096)).expect(201).json()["optins"], of_length(4096));
    for (optins, kind, message) in [
        (of_length(4097), "value_error", "Value error, Object should have at most 4096 bytes as JSON"),
        (json!([]), "dict_type", "Input should be a valid dictionary"),
        (json!("{}"), "dict_type", "Input should be a valid dictionary"),
    ] {
        let item = json!({"type": kind, "loc": ["body", "optins"], "msg": message});
        assert_eq!(new("dan", optins).expect(422).json(), json!({"detail": [item]}));
    }
}
