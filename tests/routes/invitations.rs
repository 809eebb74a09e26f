//! Invitations: who can create them, what they allow, and when they end.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::server::PASSWORD;
use crate::support::{Response, Server};

const VOID: &str = "The invitation is no longer valid; ask for a new one";

fn make(server: &Server, body: &Value) -> Value {
    server.post("/api/v1/invitations").bearer(&server.admin()).json(body).send().expect(201).json()
}

fn token(made: &Value) -> &str {
    made["link"].as_str().unwrap().split_once("/invitation#token=").unwrap().1
}

fn accept(server: &Server, token: &str, name: &str) -> Response {
    let body = json!({ "token": token, "username": name, "password": PASSWORD });
    server.post("/api/v1/invitations/accept").json(&body).send()
}

fn check(server: &Server, token: &str) -> Response {
    server.post("/api/v1/invitations/check").json(&json!({ "token": token })).send()
}

#[test]
fn an_invitation_creates_one_active_account_even_with_closed_sign_up() {
    for signup in ["closed", "approval"] {
        let server = Server::with().set("signup", signup).manual_clock().start();
        let made = make(&server, &json!({}));
        let link = token(&made);
        let expected = json!({ "username": null, "expires_at": "2026-06-08T12:00:00.000000Z" });
        assert_eq!(check(&server, link).expect(200).json(), expected);
        let user = accept(&server, link, "erika").expect(201).json();
        assert_eq!((&user["is_active"], &user["is_superuser"]), (&json!(true), &json!(false)));
        server.login("erika", PASSWORD);
        accept(&server, link, "greta").refused(403, VOID);
        check(&server, link).refused(403, VOID);
    }
}

#[test]
fn an_invitation_for_several_accounts_counts_only_created_ones() {
    let server = Server::start();
    let made = make(&server, &json!({ "max_uses": 2 }));
    let link = token(&made);
    accept(&server, link, "admin").refused(400, "This username is unavailable.");
    accept(&server, link, "erika").expect(201);
    let admin = server.admin();
    let listed = server.get("/api/v1/invitations").bearer(&admin).send().expect(200).json();
    assert_eq!((&listed["total_count"], &listed["invitations"][0]["uses"]), (&json!(1), &json!(1)));
    assert!(!listed.to_string().contains(link), "{listed}");
    accept(&server, link, "greta").expect(201);
    accept(&server, link, "frida").refused(403, VOID);
    let listed = server.get("/api/v1/invitations").bearer(&admin).send().expect(200).json();
    assert_eq!(listed, json!({ "total_count": 0, "invitations": [] }));
}

#[test]
fn an_invitation_for_a_user_name_creates_only_that_account() {
    let server = Server::start();
    let made = make(&server, &json!({ "username": "Erika" }));
    let link = token(&made);
    assert_eq!(check(&server, link).expect(200).json()["username"], "Erika");
    accept(&server, link, "greta").refused(403, "The invitation is for another user name");
    accept(&server, link, "erika").expect(201);
    let taken = server.post("/api/v1/invitations").bearer(&server.admin()).json(&json!({ "username": "ERIKA" }));
    taken.send().refused(400, "This username is unavailable.");
}

#[test]
fn an_invitation_ends_when_it_expires_and_when_it_is_revoked() {
    let server = Server::with().manual_clock().start();
    let late = make(&server, &json!({ "expires_at": "2026-06-01T13:00:00Z" }));
    let revoked = make(&server, &json!({}));
    let path = format!("/api/v1/invitations/{}", revoked["invitation"]["id"].as_str().unwrap());
    let admin = server.admin();
    server.delete(&path).bearer(&admin).send().refused(200, "Invitation revoked");
    server.delete(&path).bearer(&admin).send().refused(404, "Invitation not found");
    accept(&server, token(&revoked), "erika").refused(403, VOID);
    server.clock.advance(TimeDelta::minutes(60));
    accept(&server, token(&late), "erika").refused(403, VOID);
    let actions: Vec<String> = server.query_all("SELECT action FROM audit WHERE action LIKE 'invitation%' ORDER BY id");
    assert_eq!(actions, ["invitation.add", "invitation.add", "invitation.revoke"]);
}

#[test]
fn only_superusers_manage_invitations_and_each_action_is_audited() {
    let server = Server::start();
    let (_, erika) = server.member(&server.admin(), "erika");
    for (method, path) in [
        ("POST", "/api/v1/invitations"),
        ("GET", "/api/v1/invitations"),
        ("DELETE", "/api/v1/invitations/00000000-0000-0000-0000-000000000000"),
    ] {
        let sent = server.request(method, path).bearer(&erika.access).json(&json!({})).send();
        sent.refused(403, "The user doesn't have enough privileges");
        server.request(method, path).json(&json!({})).send().expect(403);
    }
    let made = make(&server, &json!({}));
    accept(&server, token(&made), "greta").expect(201);
    let entry = |action: &str| {
        let path = format!("/api/v1/audit?action={action}");
        server.get(path).bearer(&server.admin()).send().expect(200).json()["entries"][0].clone()
    };
    let (added, used) = (entry("invitation.add"), entry("invitation.use"));
    assert_eq!((&added["actor_name"], &used["target_name"]), (&json!("admin"), &json!("greta")));
    assert!(used["detail"].as_str().unwrap().contains("used 1 of 1, until 20"), "{used}");
}

#[test]
fn invitations_are_validated_and_at_most_100_are_open() {
    let server = Server::with().manual_clock().start();
    let admin = server.admin();
    let refused =
        |body: Value| server.post("/api/v1/invitations").bearer(&admin).json(&body).send().validation_errors();
    assert_eq!(refused(json!({ "max_uses": 0 })), ["body.max_uses greater_than_equal"]);
    assert_eq!(refused(json!({ "max_uses": 101 })), ["body.max_uses less_than_equal"]);
    assert_eq!(refused(json!({ "max_uses": 2, "username": "a" })), ["body.max_uses value_error"]);
    assert_eq!(refused(json!({ "expires_at": "2026-06-01T12:00:00Z" })), ["body.expires_at value_error"]);
    assert_eq!(refused(json!({ "expires_at": "2027-06-01T12:00:01Z" })), ["body.expires_at value_error"]);
    for _ in 0..100 {
        server.post("/api/v1/invitations").bearer(&admin).json(&json!({})).send().expect(201);
    }
    let more = || server.post("/api/v1/invitations").bearer(&admin).json(&json!({})).send();
    more().refused(400, "100 invitations are open; revoke one to create another");
    server.clock.advance(TimeDelta::days(7));
    let admin = server.admin();
    server.post("/api/v1/invitations").bearer(&admin).json(&json!({})).send().expect(201);
}

#[test]
fn taken_names_are_throttled_with_an_invitation_but_sign_ups_are_not() {
    let server = Server::with().set("throttle", "true").manual_clock().start();
    let made = make(&server, &json!({ "max_uses": 100 }));
    for n in 0..15 {
        accept(&server, token(&made), &format!("pupil-{n}")).expect(201);
    }
    for _ in 0..10 {
        accept(&server, token(&made), "admin").expect(400);
    }
    accept(&server, token(&made), "erika").expect(429);
}

#[test]
fn an_invitations_token_is_stored_as_a_hash() {
    let server = Server::start();
    let made = make(&server, &json!({}));
    let stored: Vec<u8> = server.query("SELECT sha256 FROM invitations");
    assert_eq!(stored, usher::auth::api_key::sha256(token(&made)));
}

#[test]
fn two_parallel_uses_of_an_invitations_last_account_create_one() {
    let server = Server::start();
    let made = make(&server, &json!({}));
    let statuses = std::thread::scope(|scope| {
        let all: Vec<_> = ["erika", "greta", "frida", "berta"]
            .map(|name| scope.spawn(|| accept(&server, token(&made), name).status))
            .into_iter()
            .collect();
        let mut statuses: Vec<u16> = all.into_iter().map(|one| one.join().unwrap()).collect();
        statuses.sort_unstable();
        statuses
    });
    assert_eq!(statuses, [201, 403, 403, 403]);
}
