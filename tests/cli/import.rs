//! `usher import` and `usher export`, with the real binary beside a running server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::process::{Ended, mode};
use crate::support::{self, Program, Running};
use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Value, json};
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
    assert!(ended.stdout.contains("imported: 7 users with 1 API key and 1 store key"), "{}", ended.stdout);
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

/// Databases that Langflow 1.8.4 and 1.13.0 wrote, of which the tables that concern no accounts were dropped; each has a
/// key of alice's. 1.8 encrypts keys and keeps no hash of them; later versions keep both.
#[test]
fn keys_and_passwords_of_real_databases_of_later_versions_keep_working() {
    for (version, key, people) in [
        ("1.8.4", "sk-NvS0rl2Ad2Dq99ooG9xmAnuqqntWh_pM5a_zBXrn3_Q", 6),
        ("1.13.0", "sk-iQZYurUGweY9ladGqP8WtOGQI7yroYXccEko7pWCyLk", 6),
    ] {
        let server = server();
        let (database, secret) =
            (sample(&format!("langflow-{version}.db")), sample(&format!("langflow-{version}.secret_key")));
        let arguments = ["import", "langflow", &database, "--secret-key-file", &secret, "--json"];
        let done = outcome(&beside(&server.dir, &arguments));
        assert_eq!(done["imported"].as_array().unwrap().len(), people, "{done}");
        assert_eq!((&done["api_keys"], &done["store_keys"]), (&json!(2), &json!(1)), "{done}");
        let who = server.request("GET", "/api/v1/users/whoami").key(key).send().expect(200).json();
        assert_eq!(who["username"], "alice", "{version}");
        login(&server, "alice", "Passw0rd!ali").expect(200);
        login(&server, "ZOË STRASSE", "Passw0rd!Zoë").expect(200);
        login(&server, "bob", "Passw0rd!bob").expect(401);
        login(&server, "waiting", "Passw0rd!wai").refused(400, "Waiting for approval");
    }
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

/// What was said of a row, by the first words of it.
#[track_caller]
fn told(done: &Value, who: &str) -> String {
    let all = done["findings"].as_array().unwrap();
    let found = all.iter().find(|finding| finding["who"].as_str().unwrap().starts_with(who));
    found.unwrap_or_else(|| panic!("nothing is said of {who}: {done}"))["what"].as_str().unwrap().to_owned()
}

#[test]
fn every_kind_of_broken_row_is_told_in_words_and_a_dry_run_tells_the_same() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    for (n, name) in [(1, "ann"), (2, "Ann"), (3, "bob"), (4, "keeper"), (5, "cid"), (6, "dan"), (7, "eve"), (8, "fay")]
    {
        add_user(&langflow, n, name, HASH);
    }
    let set = |n: u32, change: &str| {
        langflow.execute(&format!("UPDATE user SET {change} WHERE id = '{n:032x}'"), []).unwrap();
    };
    set(2, "is_superuser = 1");
    set(3, "create_at = 'yesterday'");
    set(5, "is_active = NULL");
    set(6, "password = '$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub'");
    set(7, "password = ''");
    set(8, "store_api_key = 'gAAAAAnonsense', profile_image = printf('%.*c', 2000000, 'x')");
    add_user(&langflow, 9, &format!("\u{1b}[31mred{}", "x".repeat(500)), HASH);
    add_user(&langflow, 10, &"y".repeat(256), HASH);
    add_user(&langflow, 11, "gil", HASH);
    langflow.execute("UPDATE user SET id = 'not an id' WHERE username = 'gil'", []).unwrap();
    let key = |n: u32, owner: u32, text: &str| {
        add_key(&langflow, n, text, None, None);
        langflow
            .execute(&format!("UPDATE apikey SET user_id = '{owner:032x}', name = 'key{n}' WHERE id = '{n:032x}'"), [])
            .unwrap();
    };
    key(21, 2, "sk-of-Ann");
    key(22, 1, "sk-of-ann");
    key(23, 2, "sk-of-Ann");
    key(24, 99, "sk-of-nobody");
    key(25, 2, "gAAAAAencrypted");
    key(26, 4, "sk-of-keeper");
    langflow.execute("UPDATE apikey SET api_key_hash = 'no hash' WHERE name = 'key23'", []).unwrap();
    let again = "INSERT INTO apikey SELECT printf('%032x', 27), 'key27', api_key, NULL, user_id, 1, 0, NULL, created_at, NULL \
         FROM apikey WHERE name = 'key21'";
    langflow.execute(again, []).unwrap();

    let path = path.display().to_string();
    let shown = outcome(&beside(&server.dir, &["import", "langflow", &path, "--dry-run", "--json"]));
    let ended = beside(&server.dir, &["import", "langflow", &path, "--json"]);
    let done = outcome(&ended);
    assert_eq!((&done["findings"], &done["imported"]), (&shown["findings"], &shown["imported"]));
    assert_eq!(done["api_keys"], 1, "{done}");
    let names: Vec<&str> =
        done["imported"].as_array().unwrap().iter().map(|a| a["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ann", "fay"]);
    for (who, words) in [
        ("ann (", "not imported, nor its API keys (1): for usher this is the same name as Ann"),
        ("bob (", "`create_at` is no time"),
        ("keeper (", "usher has somebody else called \"keeper\""),
        ("cid (", "`is_active` is neither 0 nor 1"),
        ("dan (", "no bcrypt hash"),
        ("eve (", "no bcrypt hash"),
        ("fay (", "imported without"),
        ("\u{fffd}[31mred", "the name is none"),
        ("yyy", "the name is none"),
        ("gil (", "`id` is no UUID"),
        ("API key key23", "`api_key_hash` is no SHA-256"),
        ("API key key24", "its owner is not imported"),
        ("API key key25", "see --secret-key-file"),
        ("API key key27", "it is twice in the file"),
    ] {
        let what = told(&done, who);
        assert!(what.contains(words), "{who}: {what}");
    }
    assert!(!ended.stdout.contains('\u{1b}') && ended.stdout.len() < 20_000, "{}", ended.stdout.len());
}

#[test]
fn a_database_whose_langflow_has_ended_or_was_killed_is_read_without_touching_its_directory() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    langflow.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
    add_user(&langflow, 1, "ann", HASH);
    // Killed: its log is left, and the log's index is not.
    let killed = TempDir::new().unwrap();
    for name in ["langflow.db", "langflow.db-wal"] {
        std::fs::copy(dir.path().join(name), killed.path().join(name)).unwrap();
    }
    drop(langflow);
    let seen = |dir: &TempDir| {
        let read = |name: String| (std::fs::read(dir.path().join(&name)).unwrap(), name);
        crate::desk::names(dir.path()).into_iter().map(read).collect::<Vec<_>>()
    };
    for dir in [&dir, &killed] {
        let before = seen(dir);
        let path = dir.path().join("langflow.db").display().to_string();
        let done = outcome(&beside(&server.dir, &["import", "langflow", &path, "--dry-run", "--json"]));
        assert_eq!(done["imported"][0]["username"], "ann");
        assert!(seen(dir) == before, "{:?}", crate::desk::names(dir.path()));
    }
    assert!(path.exists());
    assert!(!crate::desk::names(&server.data_dir()).iter().any(|name| name.contains("import")));
}

#[test]
fn a_key_that_is_encrypted_needs_the_right_secret_and_a_file_that_is_locked_or_damaged_is_refused() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    let now = usher::domain::clock::Clock::system().now();
    let fernet = usher::auth::fernet::Fernet::new(&usher::domain::secret::Secret::new("x".repeat(43)));
    add_user(&langflow, 1, "ann", HASH);
    add_key(&langflow, 11, &fernet.encrypt("sk-of-1.8", now).unwrap(), None, None);
    langflow.execute("UPDATE user SET store_api_key = ?", [fernet.encrypt("of the store", now).unwrap()]).unwrap();
    std::fs::write(dir.path().join("wrong"), "y".repeat(43)).unwrap();
    let path = path.display().to_string();
    let wrong = dir.path().join("wrong").display().to_string();
    let dry = |key: &str| {
        let ended =
            beside(&server.dir, &["import", "langflow", &path, "--secret-key-file", key, "--dry-run", "--json"]);
        let done = outcome(&ended);
        (done["api_keys"].clone(), done["store_keys"].clone(), done["findings"].as_array().unwrap().len())
    };
    assert_eq!(dry(&wrong), (json!(0), json!(0), 2));
    // Beside the database it is found by itself.
    std::fs::write(dir.path().join("secret_key"), "x".repeat(43)).unwrap();
    let done = outcome(&beside(&server.dir, &["import", "langflow", &path, "--json"]));
    assert_eq!((&done["api_keys"], &done["store_keys"]), (&json!(1), &json!(1)));
    assert_eq!(server.request("GET", "/api/v1/users/whoami").key("sk-of-1.8").send().status, 200);

    for (name, bytes, words) in [
        (
            "text.db",
            &b"no database, however long one looks at it, and looks again, and again"[..],
            "nor of SQLite at all",
        ),
        ("empty.db", b"", "has no table `user`"),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let file = dir.path().join(name).display().to_string();
        let said = crate::desk::refused(&server.dir, &["import", "langflow", &file]);
        assert!(said.contains(words), "{said}");
    }
}

/// 5,000, or as many as `USHER_IMPORT_USERS` says. How long it takes is told by `cargo bench --bench long_commands`.
#[test]
fn a_large_langflow_moves_in_while_the_server_goes_on_and_everybody_can_sign_in() {
    let people = how_many();
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    let hash = bcrypt_of("a password of then");
    langflow.execute_batch("BEGIN").unwrap();
    (1..=people).for_each(|n| add_user(&langflow, n, &format!("person{n}"), &hash));
    add_key(&langflow, people + 1, "sk-of-the-first", None, None);
    langflow.execute_batch("COMMIT").unwrap();
    let mut import = Program::in_dir(&server.dir, &["import", "langflow", &path.display().to_string()]).begin();
    // Its answers may be late, but they come.
    while !import.is_over() {
        login(&server, "keeper", "keeper pw 123").expect(200);
    }
    let ended = import.ended();
    let whole = format!("imported: {people} users with 1 API key and 0 store keys\n");
    assert!(ended.status.success() && ended.stdout == whole, "{ended:?}");
    for number in [1, people / 2, people] {
        login(&server, &format!("PERSON{number}"), "a password of then").expect(200);
    }
    server.request("GET", "/api/v1/users/whoami").key("sk-of-the-first").send().expect(200);
}

#[expect(clippy::disallowed_methods, reason = "a larger run is asked for in the environment")]
fn how_many() -> u32 {
    std::env::var("USHER_IMPORT_USERS").ok().and_then(|number| number.parse().ok()).unwrap_or(5000)
}

#[expect(clippy::disallowed_methods, reason = "Langflow made this hash")]
fn bcrypt_of(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}
