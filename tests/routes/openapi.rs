//! Compares the API description with the original's and with the server.

use serde_json::{Value, json};

use crate::schema::{operation, resolve};
use crate::support::Server;
use crate::support::requests::ALICE;

fn documents() -> (Value, Value) {
    let original = serde_json::from_str(include_str!("../wire/openapi-1.3.4.json")).unwrap();
    (original, usher::http::describe_routes(&usher::http::generation::V1_3))
}

/// The schemas that an operation's body and responses refer to, by media type or status.
fn references(document: &Value, operation: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let bodies = operation["requestBody"]["content"].as_object().into_iter().flatten();
    for (media, content) in bodies {
        found.extend(content["schema"]["$ref"].as_str().map(|name| (media.clone(), name.to_owned())));
    }
    for (status, response) in operation["responses"].as_object().unwrap() {
        let schema = &resolve(document, response)["content"]["application/json"]["schema"]["$ref"];
        found.extend(schema.as_str().map(|name| (status.clone(), name.to_owned())));
    }
    found
}

/// What every operation is sent below: each reads its own fields.
fn fat_body(challenge: &Value) -> Value {
    json!({
        "username": "nobody", "password": "zebra-mug-41", "current_password": "wrong", "code": "000000",
        "challenge": challenge, "name": "x", "token": "x",
    })
}

#[test]
fn every_operation_that_limits_attempts_is_described_with_429() {
    let (server, _, id) = crate::support::requests::with_alice(&[("signup", "open")]);
    let access = server.login(ALICE.0, ALICE.1).access;
    server.enroll(&id, &access, ALICE.1);
    let challenge = server.try_login(ALICE.0, ALICE.1).expect(401).json()["challenge"].clone();
    let totp = format!("/api/v1/users/{id}/factors/totp");
    server.call("POST", &totp, &access, &json!({ "current_password": ALICE.1 })).expect(201);
    // From here on, every attempt must wait.
    server.try_login(ALICE.0, "wrong").expect(401);
    server.post("/api/v1/users/").json(&json!({ "username": "carol", "password": "zebra-mug-41" })).send().expect(201);
    server.execute("UPDATE attempts SET count = 1000");

    let factor = server.factors(&id, &access)["factors"][0]["id"].as_str().unwrap().to_owned();
    let (_, ours) = documents();
    let nil = "00000000-0000-0000-0000-000000000000";
    let mut limited = 0;
    for (path, operations) in ours["paths"].as_object().unwrap() {
        let is_own = path.contains("factors") || path.contains("reset-password");
        let sent = path.replace("{user_id}", if is_own { &id } else { nil });
        let sent = sent.replace("{factor_id}", &factor);
        let sent = without_parameters(&sent, nil);
        for (method, operation) in operations.as_object().unwrap() {
            // These end the session that the rest needs.
            if path.ends_with("/logout") || operation["tags"][0] == "Sessions" {
                continue;
            }
            let body = fat_body(&challenge);
            let request = server.request(&method.to_uppercase(), &sent);
            let is_form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"].is_object();
            let request = match is_form {
                true => request.form(&[("username", ALICE.0), ("password", "wrong")]),
                false if *method == "get" => request.bearer(&access),
                // Signing up is for people who aren't signed in.
                false if path == "/api/v1/users/" => request.json(&body),
                false => request.bearer(&access).json(&body),
            };
            let status = request.send().status;
            assert_eq!(server.whoami(&access).status, 200, "{method} {path}");
            let described = operation["responses"]["429"].is_object();
            assert!(described || status != 429, "{method} {path} isn't described with 429");
            limited += u32::from(status == 429);
        }
    }
    assert!(limited >= 10, "{limited}");
}

/// Replaces what is left of a path's parameters.
fn without_parameters(path: &str, value: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { value.to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[test]
fn every_original_operation_keeps_its_id_schemas_and_required_fields() {
    let (original, ours) = documents();
    for (path, operations) in original["paths"].as_object().unwrap() {
        for (method, theirs) in operations.as_object().unwrap() {
            let mine = &ours["paths"][path][method];
            assert_eq!(mine["operationId"], theirs["operationId"], "{method} {path}");
            assert_eq!(mine["tags"], theirs["tags"], "{method} {path}");
            let mine = references(&ours, mine);
            for reference in references(&original, theirs) {
                assert!(mine.contains(&reference), "{method} {path}: {reference:?} not in {mine:?}");
            }
        }
    }
    for (name, theirs) in original["components"]["schemas"].as_object().unwrap() {
        let mine = &ours["components"]["schemas"][name];
        let required = |schema: &Value| -> Vec<Value> { schema["required"].as_array().cloned().unwrap_or_default() };
        // A body requires the same fields as the original's. A response may guarantee more.
        let (mine_required, theirs_required) = (required(mine), required(theirs));
        let is_body = ["Create", "Update", "Request", "Body_"].iter().any(|part| name.contains(part));
        assert!(theirs_required.iter().all(|field| mine_required.contains(field)), "{name}");
        assert!(!is_body || mine_required.len() == theirs_required.len(), "{name}");
        for field in theirs["properties"].as_object().unwrap().keys() {
            // Input is never echoed.
            let echo = name == "ValidationError" && ["input", "ctx"].contains(&field.as_str());
            assert!(echo || !mine["properties"][field].is_null(), "{name}.{field}");
        }
    }
    // The same security schemes, with names without spaces.
    let schemes = |document: &Value| -> Vec<Value> {
        document["components"]["securitySchemes"].as_object().unwrap().values().cloned().collect()
    };
    let (mine, theirs) = (schemes(&ours), schemes(&original));
    assert!(mine.len() == theirs.len() && theirs.iter().all(|scheme| mine.contains(scheme)), "{mine:?}");
}

#[test]
fn every_described_operation_exists_and_its_responses_are_described() {
    let server = Server::start();
    let document = server.get("/openapi.json").send().expect(200).json();
    assert_eq!(document, usher::http::describe_routes(&usher::http::generation::V1_3));
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{user_id}", &uuid())
            .replace("{api_key_id}", &uuid())
            .replace("{session_id}", &uuid())
            .replace("{invitation_id}", &uuid());
        for method in ["get", "post", "patch", "delete"] {
            // A new token for each operation, because some end all sessions.
            let answer = server.request(&method.to_uppercase(), &path).bearer(&server.admin()).json(&json!({})).send();
            let described = &operations[method];
            if described.is_null() {
                // `PATCH /users/whoami` matches the pattern's description, with an invalid id.
                let wider = operation(&document, method, &path);
                assert!(answer.status == 405 || wider.is_some(), "{method} {path} {} is not described", answer.status);
            } else {
                assert_ne!(answer.status, 405, "{method} {path} is described and not there");
                assert!(
                    !described["responses"][answer.status.to_string()].is_null(),
                    "{method} {path} {}",
                    answer.status
                );
            }
        }
    }
}

fn uuid() -> String {
    uuid::Uuid::nil().to_string()
}

#[test]
fn every_operation_has_a_unique_id_a_summary_a_description_and_a_declared_tag() {
    let (_, ours) = documents();
    let tags: Vec<&str> = ours["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = std::collections::HashSet::new();
    for (path, operations) in ours["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(!id.is_empty() && ids.insert(id.to_owned()), "{method} {path}");
            for text in ["summary", "description"] {
                assert!(operation[text].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {text}");
            }
            assert!(tags.contains(&operation["tags"][0].as_str().unwrap()), "{method} {path}");
            assert!(operation["security"].is_array(), "{method} {path}");
        }
    }
}

#[test]
fn every_schema_has_a_unique_title_and_every_reference_resolves() {
    let (_, ours) = documents();
    let mut titles = std::collections::HashSet::new();
    for (name, schema) in ours["components"]["schemas"].as_object().unwrap() {
        let title = schema["title"].as_str().unwrap_or_else(|| panic!("{name}"));
        assert!(titles.insert(title), "{name}");
    }
    follow(&ours, &ours);
}

fn follow(document: &Value, part: &Value) {
    resolve(document, part);
    match part {
        Value::Object(fields) => fields.values().for_each(|part| follow(document, part)),
        Value::Array(items) => items.iter().for_each(|part| follow(document, part)),
        _ => {}
    }
}

#[test]
fn errors_that_many_operations_share_are_defined_once() {
    let (_, ours) = documents();
    for (path, operations) in ours["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for status in ["401", "408", "413", "422", "500"] {
                let response = &operation["responses"][status];
                let own = status == "401" && operation["security"] == json!([]);
                assert!(response.is_null() || response["$ref"].is_string() || own, "{method} {path} {status}");
            }
        }
    }
}
