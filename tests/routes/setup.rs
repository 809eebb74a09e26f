//! The first superuser.

use serde_json::json;
use usher::server::FirstSuperuser;

use crate::support::Server;

fn token(server: &Server) -> String {
    let FirstSuperuser::Link(link) = &server.first_superuser else { panic!("{:?}", server.first_superuser) };
    link.expose().split_once("/setup#token=").unwrap().1.to_owned()
}

#[test]
fn the_setup_link_creates_the_first_superuser_once() {
    let server = Server::with().without_superuser().start();
    let set_up = |token: &str, name: &str| {
        server
            .post("/api/v1/setup")
            .json(&json!({"token": token, "username": name, "password": "quiet-otter-7"}))
            .send()
    };
    set_up("wrong", "root").expect(403);
    let token = token(&server);
    assert_eq!(server.post("/api/v1/setup").json(&json!({"token": token})).send().validation_errors().len(), 2);
    let made = set_up(&token, "root").expect(201).json();
    assert_eq!((&made["is_superuser"], &made["is_active"]), (&json!(true), &json!(true)));
    set_up(&token, "second").refused(403, "Setup is complete: a superuser exists");
    server.login("root", "quiet-otter-7");
    let dir = server.stop();
    let again = Server::with().without_superuser().in_dir(&dir).start();
    assert_eq!(again.first_superuser, FirstSuperuser::Exists);
}

#[test]
fn the_configured_superuser_has_no_effect_on_later_starts() {
    let dir = Server::start().stop();
    let again = Server::with().in_dir(&dir).set("superuser_password", "another-password-9").start();
    assert_eq!(again.app.hasher.hash_count(), 0);
    assert_eq!(again.first_superuser, FirstSuperuser::Exists);
    again.admin();
}

#[test]
fn checking_the_setup_link_keeps_it_and_using_it_deletes_its_file() {
    let server = Server::with().without_superuser().start();
    let check = |token: &str| server.post("/api/v1/setup/check").json(&json!({ "token": token })).send();
    check("wrong").refused(403, "The setup link isn't valid; restart the server to get a new one");
    let token = token(&server);
    check(&token).expect(200);
    check(&token).expect(200);
    let file = server.data_dir().join("setup-link");
    std::fs::write(&file, "a link").unwrap();
    let page = server.get("/").send().expect(200).text();
    assert!(page.contains("data-visitor=\"setup\""), "{page}");
    assert!(page.contains(&format!("<meta name=\"usher-setup-file\" content=\"{}\">", file.display())), "{page}");
    let body = json!({ "token": token, "username": "root", "password": "quiet-otter-7" });
    server.post("/api/v1/setup").json(&body).send().expect(201);
    assert!(!file.exists());
    check(&token).refused(403, "Setup is complete: a superuser exists");
    assert!(server.get("/").send().text().contains("data-visitor=\"new\""));
}

#[test]
fn sign_up_is_closed_until_there_is_a_superuser() {
    let server = Server::with().without_superuser().set("signup", "open").start();
    let sign_up = || {
        let body = json!({ "username": "erika", "password": "quiet-otter-7" });
        server.post("/api/v1/users/").json(&body).send()
    };
    sign_up().refused(403, "Public user registration is disabled.");
    let body = json!({ "token": token(&server), "username": "root", "password": "quiet-otter-7" });
    server.post("/api/v1/setup").json(&body).send().expect(201);
    sign_up().expect(201);
}
