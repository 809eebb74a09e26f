//! Reserved names. Sites behind the proxy identify users by name, so another user must never get a name that was in
//! use.

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::sites::guarding;
use crate::support::process::ProcessOutput;
use crate::support::server::PASSWORD;
use crate::support::{Program, Response, Server};

const FIXED: &str = "You can't change your user name, because other sites identify you by it; ask an administrator";
const TAKEN: &str = "This username is unavailable.";

fn rename(server: &Server, bearer: &str, id: &str, name: &str) -> Response {
    server.patch(format!("/api/v1/users/{id}")).bearer(bearer).json(&json!({ "username": name })).send()
}

fn delete(server: &Server, admin: &str, id: &str) {
    server.delete(format!("/api/v1/users/{id}")).bearer(admin).send().expect(200);
}

fn sign_up(server: &Server, name: &str) -> Response {
    server.post("/api/v1/users/").json(&json!({ "username": name, "password": PASSWORD })).send()
}

/// A command on the server's data directory. It takes all settings from the database.
fn command(dir: &Arc<TempDir>, arguments: &[&str]) -> ProcessOutput {
    Program::in_dir(dir, arguments).input(format!("{PASSWORD}\n")).finish()
}

#[test]
fn users_cannot_rename_themselves_with_forward_auth() {
    let server = guarding().start();
    let admin = server.admin();
    let (id, alice) = server.member(&admin, "alice");
    let own = server.whoami(&admin).json()["id"].as_str().unwrap().to_owned();
    rename(&server, &alice.access, &id, "bob").refused(403, FIXED);
    rename(&server, &alice.access, &id, "Alice").refused(403, FIXED);
    rename(&server, &admin, &own, "root").refused(403, FIXED);
    // Clients that send all fields can send the unchanged name.
    rename(&server, &alice.access, &id, "alice").expect(200);
    rename(&server, &admin, &id, "alicia").expect(200);
    let free = Server::start();
    let admin = free.admin();
    let (id, alice) = free.member(&admin, "alice");
    rename(&free, &alice.access, &id, "bob").expect(200);
}

#[test]
fn a_name_that_was_in_use_cannot_be_taken_by_another_user() {
    let server = guarding().start();
    let admin = server.admin();
    let ids = ["deleted", "renamed", "carol"].map(|name| server.add_active(&admin, name));
    delete(&server, &admin, &ids[0]);
    rename(&server, &admin, &ids[1], "another").expect(200);
    let dir = Arc::clone(&server.dir);
    for name in ["deleted", "DELETED", "ｄeleted", "renamed", " renamed "] {
        sign_up(&server, name).refused(400, TAKEN);
        let body = json!({ "username": name, "password": PASSWORD });
        server.post("/api/v1/users/").bearer(&admin).json(&body).send().refused(400, TAKEN);
        rename(&server, &admin, &ids[2], name).refused(400, TAKEN);
        for arguments in [["user", "add", name].as_slice(), &["user", "rename", "carol", name]] {
            let ended = command(&dir, arguments);
            assert!(!ended.status.success());
            assert!(ended.stderr.contains("and forward auth reserves it"), "{ended:?}");
        }
        let line = json!({
            "id": "7b43507e-ac32-4d14-99aa-4374a00c2098", "username": name, "profile_image": null,
            "password_hash": "$2b$04$KIXQhQ8e1m9m0m3Z8Wm0kO9v7J5q0pVQnB1rZK0r3o6x9n5m1q2a.",
            "is_active": true, "is_superuser": false, "create_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z", "last_login_at": null,
        });
        std::fs::write(dir.path().join("people"), line.to_string()).unwrap();
        let ended = command(&dir, &["import", "usher", "people"]);
        assert!(ended.stdout.contains("forward auth reserves it"), "{ended:?}");
        assert!(!ended.status.success());
    }
    // The reservation survives a restart.
    drop(server);
    let refused = guarding().in_dir(&dir).start();
    sign_up(&refused, "deleted").refused(400, TAKEN);
    sign_up(&refused, "newcomer").expect(201);
}

#[test]
fn the_same_user_can_get_the_name_back() {
    let server = guarding().start();
    let admin = server.admin();
    let ids = ["alice", "bob"].map(|name| server.add_active(&admin, name));
    rename(&server, &admin, &ids[0], "alicia").expect(200);
    rename(&server, &admin, &ids[1], "alice").refused(400, TAKEN);
    rename(&server, &admin, &ids[0], "alice").expect(200);
    rename(&server, &admin, &ids[1], "alicia").refused(400, TAKEN);
    // A deleted user is imported again, with the same id.
    assert!(command(&server.dir, &["export", "people"]).status.success());
    delete(&server, &admin, &ids[0]);
    let ended = command(&server.dir, &["import", "usher", "people"]);
    assert!(ended.stdout.contains("imported: 1 user with"), "{ended:?}");
    let again = server.get(format!("/api/v1/users/{}", ids[0])).bearer(&admin).send().expect(200);
    assert_eq!(again.json()["username"], "alice");
}

#[test]
fn names_are_free_without_forward_auth_but_remembered_for_it() {
    let server = Server::start();
    let admin = server.admin();
    delete(&server, &admin, &server.add_active(&admin, "early"));
    assert_eq!(server.query::<i64>("SELECT count(*) FROM former_names"), 0, "kept before there was a reason");
    sign_up(&server, "early").expect(201);
    let dir = server.stop();

    let on = guarding().in_dir(&dir).start();
    let admin = on.admin();
    delete(&on, &admin, &on.add_active(&admin, "alice"));
    sign_up(&on, "alice").refused(400, TAKEN);
    let dir = on.stop();

    let off = Server::with().in_dir(&dir).start();
    let admin = off.admin();
    delete(&off, &admin, &off.add_active(&admin, "bob"));
    sign_up(&off, "alice").expect(201);
    assert!(command(&dir, &["user", "add", "bob"]).status.success());
    assert!(command(&dir, &["user", "delete", "bob", "--yes"]).status.success());
    let dir = off.stop();

    let on = guarding().in_dir(&dir).start();
    sign_up(&on, "bob").refused(400, TAKEN);
}

#[test]
fn a_start_with_forward_auth_warns_of_reused_names() {
    let rules = |program: Program| {
        let program = program.superuser().env("USHER_PUBLIC_URL", "https://a.org").env("USHER_TRUSTED_PROXIES", "::1");
        program.env("USHER_FORWARD_AUTH", "a.org = users: Admin; ghost")
    };
    let server = rules(Program::new(&[])).start();
    let dir = Arc::clone(&server.dir);
    assert!(command(&dir, &["user", "add", "alice"]).status.success());
    assert!(command(&dir, &["user", "delete", "alice", "--yes"]).status.success());
    let log = server.stop().stderr;
    assert!(log.contains("`forward_auth` allows \"ghost\", but no user has this name"), "{log}");
    assert!(!log.contains("Admin"), "{log}");
    Program::in_dir(&dir, &[]).superuser().start().stop();
    assert!(command(&dir, &["user", "add", "Alice"]).status.success());
    let log = rules(Program::in_dir(&dir, &[])).start().stop().stderr;
    assert!(log.contains("\"Alice\" was another user's name before"), "{log}");
}

#[test]
fn the_first_superuser_cannot_take_a_reserved_name() {
    let server = guarding().start();
    let admin = server.admin();
    let id = server.add_active(&admin, "root");
    delete(&server, &admin, &id);
    let dir = server.stop();
    let path = dir.path().join("data/usher.db");
    #[expect(clippy::disallowed_methods, reason = "nothing that usher offers deletes the last superuser")]
    let database = rusqlite::Connection::open(path).unwrap();
    database.execute("DELETE FROM users", []).unwrap();
    drop(database);
    let refusal = guarding().in_dir(&dir).set("superuser", "root").try_start().err().unwrap().to_string();
    assert!(refusal.contains("`superuser` was another user's name"), "{refusal}");
}

#[test]
fn a_restored_backup_keeps_names_reserved() {
    let server = guarding().start();
    let admin = server.admin();
    let ids = ["alice", "bob"].map(|name| server.add_active(&admin, name));
    assert!(command(&server.dir, &["backup", "copy.gz"]).status.success());
    server.add_active(&admin, "later");
    delete(&server, &admin, &server.add_active(&admin, "deleted"));
    rename(&server, &admin, &ids[0], "alicia").expect(200);
    delete(&server, &admin, &ids[1]);
    let (_, carol) = server.member(&admin, "carol");
    let token = crate::sites::token(&server, &carol.access);
    let dir = server.stop();
    let ended = command(&dir, &["restore", "copy.gz", "--yes"]);
    assert!(ended.status.success(), "{ended:?}");
    let server = guarding().in_dir(&dir).start();
    for name in ["later", "deleted", "alicia", "carol"] {
        sign_up(&server, name).refused(400, TAKEN);
    }
    // Restored users keep their names.
    let admin = server.admin();
    for (id, name) in ids.iter().zip(["alice", "bob"]) {
        let user = server.get(format!("/api/v1/users/{id}")).bearer(&admin).send().expect(200);
        assert_eq!(user.json()["username"], name);
    }
    rename(&server, &admin, &ids[0], "alicia").expect(200);
    crate::sites::verify(&server, "https://app.example.org/", &token).expect(401);
}

#[test]
fn the_name_of_a_never_active_account_is_not_reserved() {
    let server = guarding().start();
    let admin = server.admin();
    let waiting = sign_up(&server, "bob").expect(201).field("id");
    delete(&server, &admin, &waiting);
    let waiting = sign_up(&server, "bob").expect(201).field("id");
    rename(&server, &admin, &waiting, "robert").expect(200);
    delete(&server, &admin, &server.add_active(&admin, "bob"));
    sign_up(&server, "bob").refused(400, TAKEN);
}

#[test]
fn an_administrator_lists_reserved_names_and_releases_one() {
    let server = guarding().start();
    let admin = server.admin();
    let id = server.add_active(&admin, "Bob");
    delete(&server, &admin, &id);
    let listed = command(&server.dir, &["names", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed, json!([{ "username": "bob", "former_user": id }]));
    assert!(command(&server.dir, &["names", "release", "BOB"]).status.success());
    sign_up(&server, "bob").expect(201);
    let again = command(&server.dir, &["names", "release", "bob"]);
    assert!(again.stderr.contains("\"bob\" is not reserved; nothing was changed"), "{again:?}");
}
