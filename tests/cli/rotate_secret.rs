//! `usher rotate-secret` ends all sessions and re-encrypts store keys. After a crash at any step, a key matches the
//! database.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use needs::needs;
use serde_json::json;
use tempfile::TempDir;
use usher::auth::fernet::Fernet;
use usher::domain::secret::Secret;

use crate::helpers::{
    PASSWORD, database, done, enroll, json, names, refused, server, sign_in, store_key, token, usher, whoami,
};
use crate::support::{Program, ServerProcess};

const TEXT: &str = "the key of the store";

/// The directory of a stopped server with a store key, and an access token from then.
fn stopped_server() -> (Arc<TempDir>, String) {
    let server = server();
    let token = token(&server, "admin", "adminpw123");
    store_key(&server, &token, TEXT);
    let dir = Arc::clone(&server.dir);
    server.stop();
    (dir, token)
}

fn data(dir: &Arc<TempDir>, name: &str) -> PathBuf {
    dir.path().join("data").join(name)
}

/// Decrypts the stored store key with a secret key.
fn under(dir: &Arc<TempDir>, key: &str) -> Option<String> {
    let stored = "SELECT store_api_key FROM users WHERE store_api_key IS NOT NULL";
    let stored: String = database(dir).query_row(stored, [], |row| row.get(0)).unwrap();
    Fernet::new(&Secret::new(key)).decrypt(&stored).map(|text| text.expose().to_owned())
}

/// Decrypts the stored store key with the key in the data directory.
fn store_key_of(dir: &Arc<TempDir>) -> Option<String> {
    under(dir, &fs::read_to_string(data(dir, "secret_key")).unwrap())
}

fn start(dir: &Arc<TempDir>) -> ServerProcess {
    Program::in_dir(dir, &[]).start()
}

#[needs(sqlite)]
#[test]
fn a_new_key_ends_all_sessions_and_store_keys_are_re_encrypted() {
    let (dir, old_token) = stopped_server();
    let before = fs::read(data(&dir, "secret_key")).unwrap();
    assert!(refused(&dir, &["rotate-secret"]).contains("--yes"));
    let counts = "INSERT INTO attempts VALUES (zeroblob(16), 9, '2026-01-01 00:00:00+00:00')";
    database(&dir).execute_batch(counts).unwrap();
    let done = json(&dir, &["rotate-secret", "--yes"]);
    assert_eq!((&done["sessions_ended"], &done["store_keys_encrypted"]), (&json!(1), &json!(1)));
    let kept = PathBuf::from(done["kept"].as_str().unwrap());
    assert_eq!((fs::read(&kept).unwrap() == before, crate::support::process::mode(&kept)), (true, 0o600));
    assert_ne!(fs::read(data(&dir, "secret_key")).unwrap(), before);
    assert!(!data(&dir, "secret_key.next").exists());
    assert_eq!(store_key_of(&dir).as_deref(), Some(TEXT));
    let left: i64 = database(&dir).query_row("SELECT count(*) FROM attempts", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "counts under the old key are found by nobody");

    let server = start(&dir);
    assert_eq!(whoami(&server, &old_token), 401);
    token(&server, "admin", "adminpw123");
    assert!(!server.log().contains("the secret key has changed"), "{}", server.log());
    let audit = json(&dir, &["audit"]);
    assert!(audit.as_array().unwrap().iter().any(|entry| entry["action"] == "secret.rotate"), "{audit}");
}

#[test]
fn rotation_is_refused_while_the_server_runs() {
    let server = server();
    let before = fs::read(server.data_dir().join("secret_key")).unwrap();
    assert!(refused(&server.dir, &["rotate-secret", "--yes"]).contains("stop it first"));
    assert_eq!(fs::read(server.data_dir().join("secret_key")).unwrap(), before);
    token(&server, "admin", "adminpw123");
}

#[needs(sqlite)]
#[test]
fn a_crash_after_any_step_leaves_a_matching_key() {
    let (dir, _) = stopped_server();
    let (old_key, old_db) = (fs::read(data(&dir, "secret_key")).unwrap(), fs::read(data(&dir, "usher.db")).unwrap());
    json(&dir, &["rotate-secret", "--yes"]);
    let (new_key, new_db) = (fs::read(data(&dir, "secret_key")).unwrap(), fs::read(data(&dir, "usher.db")).unwrap());
    let half = new_key[..10].to_vec();
    // The files on disk: the database, the current key, the next key. Then the expected key.
    let states = [
        (&old_db, &old_key, Some(&half), &old_key),
        (&old_db, &old_key, Some(&new_key), &old_key),
        (&new_db, &old_key, Some(&new_key), &new_key),
        (&new_db, &new_key, None, &new_key),
    ];
    for (number, (db, key, next, expected)) in states.into_iter().enumerate() {
        for finish in ["serve", "rotate"] {
            for name in names(&dir.path().join("data")) {
                fs::remove_file(data(&dir, &name)).unwrap();
            }
            fs::write(data(&dir, "usher.db"), db).unwrap();
            fs::write(data(&dir, "secret_key"), key).unwrap();
            if let Some(next) = next {
                fs::write(data(&dir, "secret_key.next"), next).unwrap();
            }
            if finish == "serve" {
                let server = start(&dir);
                token(&server, "admin", "adminpw123");
                assert!(!server.log().contains("the secret key has changed"), "{number}: {}", server.log());
                server.stop();
                assert!(fs::read(data(&dir, "secret_key")).unwrap() == *expected, "{number}");
            } else {
                let done = json(&dir, &["rotate-secret", "--yes"]);
                assert_eq!(done["store_keys_unreadable_of"], json!([]), "{number}");
            }
            assert_eq!(store_key_of(&dir).as_deref(), Some(TEXT), "{number} {finish}");
        }
    }
}

#[needs(sqlite)]
#[test]
fn a_key_from_the_settings_is_changed_there_and_the_database_follows() {
    let dir = Arc::new(TempDir::new().unwrap());
    let (old, new) = ("the old secret key, of 32 characters", "the new secret key, of 32 characters");
    let old_file = dir.path().join("old");
    fs::write(&old_file, format!("{old}\n")).unwrap();
    let with =
        |key: &str, arguments: &[&str]| Program::in_dir(&dir, arguments).superuser().env("USHER_SECRET_KEY", key);
    let server = with(old, &[]).start();
    let old_token = token(&server, "admin", "adminpw123");
    store_key(&server, &old_token, TEXT);
    server.stop();

    let ended = with(old, &["rotate-secret", "--yes"]).finish();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("USHER_SECRET_KEY") && ended.stderr.contains("--old-secret-key-file"), "{ended:?}");

    // If the key changes without this command, each start logs it, and nothing is lost.
    let server = with(new, &[]).start();
    assert_eq!(whoami(&server, &old_token), 401);
    let log = server.stop().stderr;
    assert!(log.contains("the secret key has changed"), "{log}");
    let arguments = ["rotate-secret", "--yes", "--old-secret-key-file", "old", "--json"];
    let done = with(new, &arguments).finish();
    assert!(done.status.success(), "{done:?}");
    assert_eq!(under(&dir, new).as_deref(), Some(TEXT));
    assert!(!data(&dir, "secret_key").exists(), "a key that is set is kept where it is set");
    let server = with(new, &[]).start();
    assert!(!server.log().contains("the secret key has changed"), "{}", server.log());
}

#[needs(sqlite)]
#[test]
fn a_lost_key_affects_only_store_keys_until_it_is_restored() {
    let (dir, old_token) = stopped_server();
    let safe = dir.path().join("found-again");
    fs::rename(data(&dir, "secret_key"), &safe).unwrap();
    let server = start(&dir);
    assert_eq!(whoami(&server, &old_token), 401);
    token(&server, "admin", "adminpw123");
    let log = server.stop().stderr;
    assert!(log.contains("1 stored store keys and 0 authenticator apps can't be read"), "{log}");
    let ended = usher(&dir, &["rotate-secret", "--yes"]);
    assert!(ended.status.success() && ended.stdout.contains("can't be read, and are unchanged: admin"), "{ended:?}");
    let server = start(&dir);
    assert!(!server.log().contains("the secret key has changed"), "{}", server.log());
    server.stop();
    json(&dir, &["rotate-secret", "--yes", "--old-secret-key-file", safe.to_str().unwrap()]);
    assert_eq!(store_key_of(&dir).as_deref(), Some(TEXT));
}

#[needs(sqlite)]
#[test]
fn authenticator_apps_of_a_lost_key_are_named_and_not_offered_until_it_is_restored() {
    let server = server();
    let dir = Arc::clone(&server.dir);
    let admin = token(&server, "admin", "adminpw123");
    let bob = json!({ "username": "bob", "password": PASSWORD });
    let id = server.request("POST", "/api/v1/users/").bearer(&admin).json(&bob).send().expect(201).field("id");
    let path = format!("/api/v1/users/{id}");
    server.request("PATCH", &path).bearer(&admin).json(&json!({ "is_active": true })).send().expect(200);
    enroll(&server, &token(&server, "bob", PASSWORD), PASSWORD);
    server.stop();
    let offered = |server: &ServerProcess| sign_in(server, "bob", PASSWORD).expect(401).json()["factors"].clone();
    let usable = |server: &ServerProcess| {
        let admin = token(server, "admin", "adminpw123");
        let path = format!("{path}/factors");
        server.request("GET", &path).bearer(&admin).send().expect(200).json()["factors"][0]["usable_here"].clone()
    };

    let safe = dir.path().join("found-again");
    fs::rename(data(&dir, "secret_key"), &safe).unwrap();
    let server = start(&dir);
    assert!(server.log().contains("0 stored store keys and 1 authenticator apps can't be read"), "{}", server.log());
    assert_eq!((offered(&server), usable(&server)), (json!([]), json!(false)));
    server.stop();
    let report = usher(&dir, &["doctor"]).stdout;
    assert!(report.contains("the secret key can't read 1 of 1, of bob"), "{report}");
    let ended = done(&dir, &["rotate-secret", "--yes"]);
    assert!(ended.contains("authenticator apps that can't be read, and are unchanged: bob"), "{ended}");
    // The key is the database's now, and the app is still unreadable.
    let report = usher(&dir, &["doctor"]).stdout;
    assert!(report.contains("the secret key can't read 1 of 1, of bob"), "{report}");
    let ended = done(&dir, &["rotate-secret", "--yes", "--old-secret-key-file", safe.to_str().unwrap()]);
    assert!(ended.contains("authenticator apps re-encrypted: 1"), "{ended}");
    assert!(!usher(&dir, &["doctor"]).stdout.contains("authenticators"));
    let server = start(&dir);
    assert_eq!((offered(&server), usable(&server)), (json!(["totp"]), json!(true)));
}
