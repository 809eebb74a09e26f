//! The server's state and its backups.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::server::PASSWORD;

#[test]
fn server_state_shows_settings_with_sources_but_no_secrets() {
    let secret = "abcdefghijklmnopqrstuvwxyz012345";
    let server = Server::with().set("secret_key", secret).set("audit_days", "30").start();
    let admin = server.admin();
    let state = server.get("/api/v1/server").bearer(&admin).send().expect(200).json();
    assert_eq!(state["version"], env!("CARGO_PKG_VERSION"));
    let setting = |name: &str| {
        let found = state["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == name).unwrap();
        (found["value"].as_str().unwrap().to_owned(), found["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(setting("secret_key").0, "***");
    assert_eq!(setting("audit_days").0, "30");
    assert_eq!(setting("langflow_api").1, "default");
    assert!(!state.to_string().contains(secret) && !state.to_string().contains("adminpw123"));
    assert_eq!((&state["database"]["active_users"], &state["database"]["sessions"]), (&json!(1), &json!(1)));
    assert_eq!((&state["backups"]["files"], &state["backups"]["last_at"]), (&json!([]), &Value::Null));
    let (_, erika) = server.member(&admin, "erika");
    for path in ["/api/v1/server", "/api/v1/server/backups/any"] {
        server.get(path).bearer(&erika.access).send().refused(403, "The user doesn't have enough privileges");
    }
}

#[test]
fn a_backup_is_created_listed_downloaded_and_restorable() {
    let server = Server::start();
    let admin = server.admin();
    server.add_active(&admin, "erika");
    let made = server.post("/api/v1/server/backups").bearer(&admin).send().expect(201);
    let name = made.json()["name"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), Some(format!("/api/v1/server/backups/{name}").as_str()));
    let state = server.get("/api/v1/server").bearer(&admin).send().json();
    assert_eq!(state["backups"]["files"][0]["name"], name.as_str());
    assert_eq!(state["backups"]["last_success"], true);
    let file = server.get(format!("/api/v1/server/backups/{name}")).bearer(&admin).send().expect(200);
    assert_eq!(file.header("content-type"), Some("application/gzip"));
    assert_eq!(file.body, std::fs::read(server.data_dir().join("backups").join(&name)).unwrap());
    // An API key can't download the password hashes, and a name can't contain a path.
    let (_, key) = server.create_key(&admin, "backup");
    let path = format!("/api/v1/server/backups/{name}");
    server.get(&path).key(&key).send().refused(403, "An API key can't download backups; sign in instead");
    for name in ["usher.db", "..%2Fusher.db", "..%2F..%2Fetc%2Fpasswd"] {
        server.get(format!("/api/v1/server/backups/{name}")).bearer(&admin).send().refused(404, "Not Found");
    }
    let log = server.get("/api/v1/audit?action=backup").bearer(&admin).send().json();
    assert_eq!((&log["total_count"], &log["entries"][0]["actor_name"]), (&json!(1), &json!("admin")));
    server.login("erika", PASSWORD);
}
