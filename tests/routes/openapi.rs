//! The API's description, held against the original's and against the server.

use serde_json::{Value, json};

use crate::schema::operation;
use crate::support::Server;

fn documents() -> (Value, Value) {
    let original = serde_json::from_str(include_str!("../wire/openapi-1.3.4.json")).unwrap();
    (original, usher::http::describe_routes())
}

/// The names of the schemas that an operation's body and answers refer to, by place.
fn references(operation: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let bodies = operation["requestBody"]["content"].as_object().into_iter().flatten();
    for (media, content) in bodies {
        found.extend(content["schema"]["$ref"].as_str().map(|name| (media.clone(), name.to_owned())));
    }
    for (status, response) in operation["responses"].as_object().unwrap() {
        let schema = &response["content"]["application/json"]["schema"]["$ref"];
        found.extend(schema.as_str().map(|name| (status.clone(), name.to_owned())));
    }
    found
}

#[test]
fn every_operation_of_the_original_is_there_with_its_id_its_schemas_and_its_required_fields() {
    let (original, ours) = documents();
    for (path, operations) in original["paths"].as_object().unwrap() {
        for (method, theirs) in operations.as_object().unwrap() {
            let mine = &ours["paths"][path][method];
            assert_eq!(mine["operationId"], theirs["operationId"], "{method} {path}");
            assert_eq!(mine["tags"], theirs["tags"], "{method} {path}");
            let mine = references(mine);
            for reference in references(theirs) {
                assert!(mine.contains(&reference), "{method} {path}: {reference:?} not in {mine:?}");
            }
        }
    }
    for (name, theirs) in original["components"]["schemas"].as_object().unwrap() {
        let mine = &ours["components"]["schemas"][name];
        assert_eq!(mine["required"], theirs["required"], "{name}");
        for field in theirs["properties"].as_object().unwrap().keys() {
            // What a client sent is never echoed.
            let echo = name == "ValidationError" && ["input", "ctx"].contains(&field.as_str());
            assert!(echo || !mine["properties"][field].is_null(), "{name}.{field}");
        }
    }
    assert_eq!(ours["components"]["securitySchemes"], original["components"]["securitySchemes"]);
}

#[test]
fn every_described_operation_answers_and_every_answer_is_described() {
    let server = Server::start();
    let document = server.get("/openapi.json").send().expect(200).json();
    assert_eq!(document, usher::http::describe_routes());
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{user_id}", &uuid()).replace("{api_key_id}", &uuid()).replace("{session_id}", &uuid());
        for method in ["get", "post", "patch", "delete"] {
            // A token for each: some operations end all sessions.
            let answer = server.request(&method.to_uppercase(), &path).bearer(&server.admin()).json(&json!({})).send();
            let described = &operations[method];
            if described.is_null() {
                // `PATCH /users/whoami` is described as the pattern's: an id that is none.
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
fn operation_ids_are_unique_and_every_operation_is_named() {
    let (_, ours) = documents();
    let mut ids = std::collections::HashSet::new();
    for (path, operations) in ours["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(!id.is_empty() && ids.insert(id.to_owned()), "{method} {path}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{method} {path}");
        }
    }
}
