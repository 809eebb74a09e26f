//! `usher import langflow` imports users with passwords and keys, beside a running server.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::helpers::usher;
use crate::langflow::{HASH, add_key, add_user, import_sample, login, newer, outcome, sample, server};
use crate::support::Program;
use crate::support::postgres;
use crate::support::process::mode;

/// The API key of `alice` in `samples/langflow-1.3.4.db`.
const ALICES_KEY: &str = "sk-Iqeg-7WgSDdtW-R8QRDfTz0WjMLvtxyrcXLX1lYx93A";

#[test]
fn imported_passwords_and_keys_keep_working() {
    let server = server();
    let ended = import_sample(&server.dir, &[]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stderr.contains("database: "), "{}", ended.stderr);
    assert!(ended.stdout.contains("imported: 7 users with 1 API key and 1 store key"), "{}", ended.stdout);
    assert!(ended.stdout.contains("ADMIN (293bf3c2-bfc0-46cc-9bc9-dd6c18b1cc10): not imported"), "{}", ended.stdout);

    let session = login(&server, "alice", "alicenew12").expect(200);
    let whoami = server.request("GET", "/api/v1/users/whoami").key(ALICES_KEY).send().expect(200).json();
    assert_eq!(
        (&whoami["id"], &whoami["create_at"]),
        (&json!("19ecc4b2-0357-434f-87d7-2791da8e8910"), &json!("2026-11-23T14:49:34.123477Z"))
    );
    // The store key is readable under usher's own secret.
    let secret = std::fs::read_to_string(server.data_dir().join("secret_key")).unwrap();
    let fernet = usher::auth::fernet::Fernet::new(&usher::domain::secret::Secret::new(secret.trim()));
    let key = fernet.decrypt(session.cookie("apikey_tkn_lflw").unwrap());
    assert!(key.is_some_and(|key| !key.expose().is_empty()), "{session:?}");
    // The superuser has this name in another spelling.
    login(&server, "ADMIN", "adminpw123").expect(200);
}

#[test]
fn a_dry_run_and_a_second_import_change_nothing() {
    let server = server();
    let first = outcome(&import_sample(&server.dir, &["--dry-run", "--json"]));
    assert_eq!((first["imported"].as_array().unwrap().len(), &first["dry_run"]), (7, &json!(true)));
    login(&server, "alice", "alicenew12").expect(401);

    let done = outcome(&import_sample(&server.dir, &["--json"]));
    assert_eq!((&done["imported"], &done["findings"]), (&first["imported"], &first["findings"]));
    let exported = || {
        let file = server.dir.path().join("users.jsonl");
        assert!(usher(&server.dir, &["export", "users.jsonl"]).status.success());
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
fn an_export_is_private_and_can_be_imported_elsewhere() {
    let first = server();
    import_sample(&first.dir, &[]);
    let ended = usher(&first.dir, &["export", "users.jsonl"]);
    assert!(ended.status.success() && ended.stdout.contains("password hashes"), "{ended:?}");
    let file = first.dir.path().join("users.jsonl");
    assert_eq!(mode(&file), 0o600);
    assert!(!usher(&first.dir, &["export", "users.jsonl"]).status.success(), "an existing file was overwritten");

    let second = Program::new(&[]).superuser().start();
    let done = usher(&second.dir, &["import", "usher", &file.display().to_string(), "--json"]);
    let done = outcome(&done);
    // The existing `admin` isn't replaced. Alice's store key is encrypted with the other server's secret key.
    assert_eq!((done["imported"].as_array().unwrap().len(), done["findings"].as_array().unwrap().len()), (7, 2));
    login(&second, "alice", "alicenew12").expect(200);
}

/// Databases of Langflow 1.8.4 and 1.13.0, reduced to the tables for accounts. In each, alice has a key. 1.8 encrypts
/// keys without a hash; later versions store both.
#[test]
fn keys_and_passwords_of_later_langflow_versions_keep_working() {
    for (version, key, people) in [
        ("1.8.4", "sk-NvS0rl2Ad2Dq99ooG9xmAnuqqntWh_pM5a_zBXrn3_Q", 6),
        ("1.13.0", "sk-iQZYurUGweY9ladGqP8WtOGQI7yroYXccEko7pWCyLk", 6),
    ] {
        let server = server();
        let (database, secret) =
            (sample(&format!("langflow-{version}.db")), sample(&format!("langflow-{version}.secret_key")));
        let arguments = ["import", "langflow", &database, "--secret-key-file", &secret, "--json"];
        let done = outcome(&usher(&server.dir, &arguments));
        assert_eq!(done["imported"].as_array().unwrap().len(), people, "{done}");
        assert_eq!((&done["api_keys"], &done["store_keys"]), (&json!(2), &json!(1)), "{done}");
        let who = server.request("GET", "/api/v1/users/whoami").key(key).send().expect(200).json();
        assert_eq!(who["username"], "alice", "{version}");
        // Each of these takes a quarter of a second.
        login(&server, "ZOË STRASSE", "Passw0rd!Zoë").expect(200);
        login(&server, "waiting", "Passw0rd!wai").refused(400, "Waiting for approval");
    }
}

#[test]
fn keys_keep_working_when_imported_from_an_open_database() {
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
    let done = outcome(&usher(&server.dir, &["import", "langflow", &path, "--secret-key-file", &key, "--json"]));
    assert_eq!((&done["api_keys"], done["findings"].as_array().unwrap().len()), (&json!(3), 1), "{done}");
    let whoami = |key: &str| server.request("GET", "/api/v1/users/whoami").key(key).send().status;
    assert_eq!([whoami("sk-encrypted"), whoami("sk-hashed")], [200, 200]);
    assert!(whoami("sk-ended") >= 400);
}

#[test]
fn optins_are_imported_unless_too_large_or_not_an_object() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    let kept = json!({"github_starred": true, "discord_clicked": false});
    let default = json!({"github_starred": false, "dialog_dismissed": false, "discord_clicked": false});
    let large = json!({"a": "x".repeat(5000)});
    let given =
        [Some(kept.to_string()), Some("null".to_owned()), None, Some(large.to_string()), Some("[1]".to_owned())];
    for (number, optins) in (1..).zip(&given) {
        add_user(&langflow, number, &format!("person{number}"), HASH);
        let sql = "UPDATE user SET optins = ? WHERE username = ?";
        langflow.execute(sql, rusqlite::params![optins, format!("person{number}")]).unwrap();
    }
    let done = outcome(&usher(&server.dir, &["import", "langflow", &path.display().to_string(), "--json"]));
    assert_eq!(
        (done["imported"].as_array().map(Vec::len), done["findings"].as_array().map(Vec::len)),
        (Some(5), Some(2))
    );
    let admin =
        login(&server, "keeper", "keeper pw 123").expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let list = server.request("GET", "/api/v1/users/?limit=10").bearer(&admin).send().expect(200).json();
    let found: Vec<_> = list["users"].as_array().unwrap()[1..].iter().map(|user| &user["optins"]).collect();
    assert_eq!(found, [&kept, &default, &default, &default, &default]);
}

/// The number of users: 5,000 or `USHER_IMPORT_USERS`. `cargo bench --bench long_commands` measures the time.
#[test]
fn a_large_database_is_imported_while_the_server_works() {
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
    // Responses may be late, but every request is answered.
    while !import.has_exited() {
        let status = login(&server, "keeper", "keeper pw 123").status;
        assert!(status == 200 || postgres::IS_ENGINE && status == 503, "{status}");
    }
    let ended = import.wait_for_exit();
    let whole = format!("imported: {people} users with 1 API key and 0 store keys\n");
    assert!(ended.status.success() && ended.stdout == whole, "{ended:?}");
    for number in [1, people / 2, people] {
        login(&server, &format!("PERSON{number}"), "a password of then").expect(200);
    }
    server.request("GET", "/api/v1/users/whoami").key("sk-of-the-first").send().expect(200);
}

#[expect(clippy::disallowed_methods, reason = "a larger run is asked for in the environment")]
fn how_many() -> u32 {
    std::env::var("USHER_IMPORT_USERS").ok().and_then(|number| number.parse().ok()).unwrap_or(2000)
}

#[expect(clippy::disallowed_methods, reason = "Langflow made this hash")]
fn bcrypt_of(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}
