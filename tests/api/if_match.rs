//! Two who change one account: `If-Match` keeps the second from undoing what the first did.

use serde_json::json;

use crate::support::Server;

#[test]
fn a_change_is_made_only_to_what_the_client_saw() {
    let server = Server::start();
    let admin = server.admin();
    let id = server.add_active(&admin, "erika");
    let path = format!("/api/v1/users/{id}");
    let shown = server.get(&path).bearer(&admin).send().expect(200);
    let tag = shown.header("etag").unwrap().to_owned();
    assert_eq!(tag, format!("\"{}\"", shown.json()["updated_at"].as_str().unwrap()));
    let rename = |name: &str, tag: &str| {
        server.patch(&path).bearer(&admin).header("if-match", tag).json(&json!({ "username": name })).send()
    };
    let changed = rename("rika", &tag).expect(200);
    let newer = changed.header("etag").unwrap();
    assert_ne!(newer, tag);
    rename("ika", &tag).refused(412, "The user was changed meanwhile");
    rename("ika", "rubbish").refused(412, "The user was changed meanwhile");
    assert_eq!(server.get(&path).bearer(&admin).send().json()["username"], "rika");
    rename("ika", &format!("\"another\" , {newer}")).expect(200);
    rename("ka", "*").expect(200);
    server.patch(&path).bearer(&admin).json(&json!({ "username": "a" })).send().expect(200);
}

#[test]
fn what_is_wrong_with_a_request_is_said_before_that_the_account_was_changed() {
    let server = Server::start();
    let admin = server.admin();
    let (id, erika) = server.member(&admin, "erika");
    let ask = |id: &str, token: &str, body| {
        server.patch(format!("/api/v1/users/{id}")).bearer(token).header("if-match", "\"old\"").json(&body).send()
    };
    assert_eq!(ask(&id, &admin, json!({ "is_active": "maybe" })).faults(), ["body.is_active bool_parsing"]);
    ask(&id, &erika.access, json!({ "is_superuser": true })).refused(403, "Permission denied");
    let nobody = "00000000-0000-4000-8000-000000000000";
    ask(nobody, &admin, json!({ "username": "x" })).refused(404, "User not found");
    ask(&id, &admin, json!({ "username": "admin" })).refused(412, "The user was changed meanwhile");
}
