//! `usher import` and `usher export`, with the real binary beside a running server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Value, json};
use support::process::{Ended, mode};
use support::{Program, Running};
use tempfile::TempDir;

/// Of `alice`, in `samples/langflow-1.3.4.db`.
const ALICES_KEY: &str = "sk-Iqeg-7WgSDdtW-R8QRDfTz0WjMLvtxyrcXLX1lYx93A";

fn sample(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name).display().to_string()
}

/// A server with nobody of the sample in it.
fn server() -> Running {
    Program::new(&[]).env("USHER_SUPERUSER", "keeper").env("USHER_SUPERUSER_PASSWORD", "keeper pw 123").start()
}

fn beside(dir: &Arc<TempDir>, arguments: &[&str]) -> Ended {
    Program::in_dir(dir, arguments).finish()
}

fn import_sample(dir: &Arc<TempDir>, more: &[&str]) -> Ended {
    let (database, key) = (sample("langflow-1.3.4.db"), sample("langflow-1.3.4.secret_key"));
    let first = ["import", "langflow", &database, "--secret-key-file", &key];
    beside(dir, &[&first[..], more].concat())
}

fn outcome(ended: &Ended) -> Value {
    assert!(ended.status.success(), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

fn login(server: &Running, username: &str, password: &str) -> support::Response {
    server.request("POST", "/api/v1/login").form(&[("username", username), ("password", password)]).send()
}

#[test]
fn after_the_sample_is_imported_alice_logs_in_with_her_old_password_and_her_old_key_works() {
    let server = server();
    let ended = import_sample(&server.dir, &[]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stderr.contains("database: "), "{}", ended.stderr);
    assert!(ended.stdout.contains("imported: 7 users with 1 API keys"), "{}", ended.stdout);
    assert!(ended.stdout.contains("ADMIN (293bf3c2-bfc0-46cc-9bc9-dd6c18b1cc10): not imported"), "{}", ended.stdout);

    let session = login(&server, "alice", "alicenew12").expect(200).json();
    let whoami = server.request("GET", "/api/v1/users/whoami").key(ALICES_KEY).send().expect(200).json();
    assert_eq!(
        (&whoami["id"], &whoami["create_at"]),
        (&json!("19ecc4b2-0357-434f-87d7-2791da8e8910"), &json!("2026-11-23T14:49:34.123477Z"))
    );
    // The store key is readable under usher's own secret.
    let token = session["access_token"].as_str().unwrap();
    let path = "/api/v1/session";
    let session = server.request("GET", path).bearer(token).send().expect(200).json();
    assert_eq!(session["user"]["username"], "alice");
    assert!(session["store_api_key"].as_str().is_some_and(|key| !key.is_empty()), "{session}");
    // The name in two spellings belongs to the superuser.
    login(&server, "ADMIN", "adminpw123").expect(200);
}

#[test]
fn a_dry_run_shows_everything_and_changes_nothing_and_so_does_a_second_import() {
    let server = server();
    let first = outcome(&import_sample(&server.dir, &["--dry-run", "--json"]));
    assert_eq!((first["imported"].as_array().unwrap().len(), &first["dry_run"]), (7, &json!(true)));
    login(&server, "alice", "alicenew12").expect(401);

    let done = outcome(&import_sample(&server.dir, &["--json"]));
    assert_eq!((&done["imported"], &done["findings"]), (&first["imported"], &first["findings"]));
    let exported = || {
        let file = server.dir.path().join("users.jsonl");
        assert!(beside(&server.dir, &["export", "users.jsonl"]).status.success());
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        text
    };
    let before = exported();
    let again = import_sample(&server.dir, &["--json"]);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["imported"], json!([]));
    assert_eq!(again["findings"].as_array().unwrap().len(), 8);
    assert_eq!(exported(), before);
}

#[test]
fn an_export_is_private_and_another_usher_takes_it_in() {
    let first = server();
    import_sample(&first.dir, &[]);
    let ended = beside(&first.dir, &["export", "users.jsonl"]);
    assert!(ended.status.success() && ended.stdout.contains("password hashes"), "{ended:?}");
    let file = first.dir.path().join("users.jsonl");
    assert_eq!(mode(&file), 0o600);
    assert!(!beside(&first.dir, &["export", "users.jsonl"]).status.success(), "an existing file was overwritten");

    let second = Program::new(&[]).superuser().start();
    let done = beside(&second.dir, &["import", "usher", &file.display().to_string(), "--json"]);
    let done = outcome(&done);
    // Its `admin` stays who it is.
    assert_eq!((done["imported"].as_array().unwrap().len(), done["findings"].as_array().unwrap().len()), (7, 1));
    login(&second, "alice", "alicenew12").expect(200);
}

/// A database as Langflow 1.13 makes it.
fn newer(dir: &TempDir) -> (PathBuf, Connection) {
    let path = dir.path().join("langflow.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(&path, flags).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE user (id CHAR(32) NOT NULL PRIMARY KEY, username VARCHAR, password VARCHAR, profile_image VARCHAR,
                 is_active BOOLEAN, is_superuser BOOLEAN, create_at DATETIME, updated_at DATETIME, last_login_at DATETIME,
                 store_api_key VARCHAR, optins JSON, retired_at DATETIME);
             CREATE TABLE apikey (id CHAR(32) NOT NULL PRIMARY KEY, name VARCHAR, api_key VARCHAR, api_key_hash VARCHAR,
                 user_id CHAR(32), is_active BOOLEAN, total_uses INTEGER, last_used_at DATETIME, created_at DATETIME,
                 expires_at DATETIME);",
        )
        .unwrap();
    (path, connection)
}

const HASH: &str = "$2b$12$cqZbkovU64WekS.FurFqYuNPObPC4ii7N/DRILUBZ6Vmd2wobD8/K";

fn add_user(connection: &Connection, n: u32, name: &str, hash: &str) {
    let sql = "INSERT INTO user (id, username, password, is_active, is_superuser, create_at, updated_at, optins) \
         VALUES (?, ?, ?, 1, 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00.5', '{}')";
    connection.prepare_cached(sql).unwrap().execute(params![format!("{n:032x}"), name, hash]).unwrap();
}

fn add_key(connection: &Connection, n: u32, api_key: &str, hash: Option<String>, expires_at: Option<&str>) {
    let sql = "INSERT INTO apikey (id, name, api_key, api_key_hash, user_id, is_active, total_uses, created_at, expires_at) \
         VALUES (?, 'k', ?, ?, ?, 1, 0, '2026-01-01 00:00:00', ?)";
    let bound = params![format!("{n:032x}"), api_key, hash, format!("{:032x}", 1), expires_at];
    connection.execute(sql, bound).unwrap();
}

#[test]
fn keys_of_every_later_version_keep_working_while_langflow_has_its_database_open() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    let secret = usher::domain::secret::Secret::new("a short secret");
    std::fs::write(dir.path().join("key"), "a short secret\n").unwrap();
    let fernet = usher::auth::fernet::Fernet::new(&secret);
    let now = usher::domain::clock::Clock::system().now();
    let hex = |key: &str| usher::auth::api_key::sha256(key).map(|byte| format!("{byte:02x}")).concat();
    add_user(&langflow, 1, "ann", HASH);
    add_key(&langflow, 11, &fernet.encrypt("sk-encrypted", now).unwrap(), None, None);
    add_key(&langflow, 12, "gAAAAAunreadable", Some(hex("sk-hashed")), None);
    add_key(&langflow, 13, "sk-ended", None, Some("2026-01-02 00:00:00"));
    add_key(&langflow, 14, "gAAAAAunreadable2", None, None);

    let (path, key) = (path.display().to_string(), dir.path().join("key").display().to_string());
    let done = outcome(&beside(&server.dir, &["import", "langflow", &path, "--secret-key-file", &key, "--json"]));
    assert_eq!((&done["api_keys"], done["findings"].as_array().unwrap().len()), (&json!(3), 1), "{done}");
    let whoami = |key: &str| server.request("GET", "/api/v1/users/whoami").key(key).send().status;
    assert_eq!([whoami("sk-encrypted"), whoami("sk-hashed")], [200, 200]);
    assert!(whoami("sk-ended") >= 400);
}

#[test]
fn broken_rows_are_told_one_by_one_and_the_rest_is_imported() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    add_user(&langflow, 1, "ann", HASH);
    add_user(&langflow, 2, "  ", HASH);
    add_user(&langflow, 3, "bob", "plain text");
    add_user(&langflow, 4, "KEEPER", HASH);
    add_user(&langflow, 5, "cid", &HASH.replace("$12$", "$31$"));
    langflow.execute("INSERT INTO user (id, username) VALUES ('no id', x'ff')", []).unwrap();
    let ended = beside(&server.dir, &["import", "langflow", &path.display().to_string(), "--json"]);
    let done = outcome(&ended);
    assert_eq!(done["imported"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(done["findings"].as_array().unwrap().len(), 5, "{done}");
    assert!(!ended.stdout.contains("plain text"));
}

#[test]
fn what_is_no_langflow_database_is_refused_and_no_database_of_ushers_is_ever_made() {
    let server = server();
    for file in ["nothing-here.db", "data/usher.db", "data/secret_key"] {
        let ended = beside(&server.dir, &["import", "langflow", file]);
        assert!(!ended.status.success() && ended.stderr.contains(file), "{ended:?}");
    }
    assert!(!server.dir.path().join("nothing-here.db").exists());
    let empty = Arc::new(TempDir::new().unwrap());
    let ended = import_sample(&empty, &[]);
    assert!(!ended.status.success() && ended.stderr.contains("does not exist"), "{ended:?}");
    assert!(!empty.path().join("data").exists());
}
