//! `usher import langflow` with invalid rows and files: messages, and what it leaves unchanged.

use std::sync::Arc;

use needs::needs;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::helpers::usher;
use crate::langflow::{HASH, add_key, add_user, import_sample, newer, outcome, server};

#[test]
fn invalid_rows_are_reported_one_by_one_and_the_rest_is_imported() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    add_user(&langflow, 1, "ann", HASH);
    add_user(&langflow, 2, "  ", HASH);
    add_user(&langflow, 3, "bob", "plain text");
    add_user(&langflow, 4, "KEEPER", HASH);
    add_user(&langflow, 5, "cid", &HASH.replace("$12$", "$31$"));
    langflow.execute("INSERT INTO user (id, username) VALUES ('no id', x'ff')", []).unwrap();
    let ended = usher(&server.dir, &["import", "langflow", &path.display().to_string(), "--json"]);
    let done = outcome(&ended);
    assert_eq!(done["imported"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(done["findings"].as_array().unwrap().len(), 5, "{done}");
    assert!(!ended.stdout.contains("plain text"));
}

#[needs(sqlite)]
#[test]
fn files_that_are_not_langflow_databases_are_refused() {
    let server = server();
    for file in ["nothing-here.db", "data/usher.db", "data/secret_key"] {
        let ended = usher(&server.dir, &["import", "langflow", file]);
        assert!(!ended.status.success() && ended.stderr.contains(file), "{ended:?}");
    }
    assert!(!server.dir.path().join("nothing-here.db").exists());
    let empty = Arc::new(TempDir::new().unwrap());
    let ended = import_sample(&empty, &[]);
    assert!(!ended.status.success() && ended.stderr.contains("does not exist"), "{ended:?}");
    assert!(!empty.path().join("data").exists());
}

/// The message about a row, found by the row's name.
#[track_caller]
fn finding_of(done: &Value, who: &str) -> String {
    let all = done["findings"].as_array().unwrap();
    let found = all.iter().find(|finding| finding["who"].as_str().unwrap().starts_with(who));
    found.unwrap_or_else(|| panic!("nothing is said of {who}: {done}"))["what"].as_str().unwrap().to_owned()
}

#[test]
fn every_kind_of_invalid_row_is_reported_even_in_a_dry_run() {
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
    let shown = outcome(&usher(&server.dir, &["import", "langflow", &path, "--dry-run", "--json"]));
    let ended = usher(&server.dir, &["import", "langflow", &path, "--json"]);
    let done = outcome(&ended);
    assert_eq!((&done["findings"], &done["imported"]), (&shown["findings"], &shown["imported"]));
    assert_eq!(done["api_keys"], 1, "{done}");
    let names: Vec<&str> =
        done["imported"].as_array().unwrap().iter().map(|a| a["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ann", "fay"]);
    for (who, words) in [
        ("ann (", "not imported, nor its API keys (1): usher compares names without case, and this one equals Ann"),
        ("bob (", "`create_at` is not a time"),
        ("keeper (", "usher has another user called \"keeper\""),
        ("cid (", "`is_active` is neither 0 nor 1"),
        ("dan (", "is not a bcrypt hash"),
        ("eve (", "is not a bcrypt hash"),
        ("fay (", "imported without"),
        ("\\u{1b}[31mred", "the name is not valid"),
        ("yyy", "the name is not valid"),
        ("gil (", "`id` is not a UUID"),
        ("API key key23", "`api_key_hash` is not a SHA-256"),
        ("API key key24", "its owner is not imported"),
        ("API key key25", "see --secret-key-file"),
        ("API key key27", "it is twice in the file"),
    ] {
        let what = finding_of(&done, who);
        assert!(what.contains(words), "{who}: {what}");
    }
    assert!(!ended.stdout.contains('\u{1b}') && ended.stdout.len() < 20_000, "{}", ended.stdout.len());
}

#[test]
fn a_stopped_or_killed_langflows_directory_is_not_modified() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    langflow.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
    add_user(&langflow, 1, "ann", HASH);
    // Killed: the log is left without its index.
    let killed = TempDir::new().unwrap();
    for name in ["langflow.db", "langflow.db-wal"] {
        std::fs::copy(dir.path().join(name), killed.path().join(name)).unwrap();
    }
    drop(langflow);
    let seen = |dir: &TempDir| {
        let read = |name: String| (std::fs::read(dir.path().join(&name)).unwrap(), name);
        crate::helpers::names(dir.path()).into_iter().map(read).collect::<Vec<_>>()
    };
    for dir in [&dir, &killed] {
        let before = seen(dir);
        let path = dir.path().join("langflow.db").display().to_string();
        let done = outcome(&usher(&server.dir, &["import", "langflow", &path, "--dry-run", "--json"]));
        assert_eq!(done["imported"][0]["username"], "ann");
        assert!(seen(dir) == before, "{:?}", crate::helpers::names(dir.path()));
    }
    assert!(path.exists());
    assert!(!crate::helpers::names(&server.data_dir()).iter().any(|name| name.contains("import")));
}

#[test]
fn encrypted_keys_need_the_secret_and_locked_or_damaged_files_are_refused() {
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
        let ended = usher(&server.dir, &["import", "langflow", &path, "--secret-key-file", key, "--dry-run", "--json"]);
        let done = outcome(&ended);
        (done["api_keys"].clone(), done["store_keys"].clone(), done["findings"].as_array().unwrap().len())
    };
    assert_eq!(dry(&wrong), (json!(0), json!(0), 2));
    // The command finds the secret key beside the database.
    std::fs::write(dir.path().join("secret_key"), "x".repeat(43)).unwrap();
    let done = outcome(&usher(&server.dir, &["import", "langflow", &path, "--json"]));
    assert_eq!((&done["api_keys"], &done["store_keys"]), (&json!(1), &json!(1)));
    assert_eq!(server.request("GET", "/api/v1/users/whoami").key("sk-of-1.8").send().status, 200);

    for (name, bytes, words) in [
        (
            "text.db",
            &b"no database, however long one looks at it, and looks again, and again"[..],
            "is not a SQLite database",
        ),
        ("empty.db", b"", "has no table `user`"),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let file = dir.path().join(name).display().to_string();
        let said = crate::helpers::refused(&server.dir, &["import", "langflow", &file]);
        assert!(said.contains(words), "{said}");
    }
}

#[needs(sqlite)]
#[test]
fn an_import_works_without_the_secret_key() {
    let server = server();
    let data = server.data_dir();
    let dir = std::sync::Arc::clone(&server.dir);
    server.stop();
    std::fs::remove_file(data.join("secret_key")).unwrap();
    let shown = outcome(&import_sample(&dir, &["--dry-run", "--json"]));
    assert!(!data.join("secret_key").exists(), "a dry run made a secret key");
    let done = outcome(&import_sample(&dir, &["--json"]));
    assert_eq!((&done["imported"], &done["store_keys"]), (&shown["imported"], &json!(1)));
    assert_eq!(done["findings"], shown["findings"]);
}

#[test]
fn empty_keys_are_not_imported_but_hashed_keys_work() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    let hash = usher::auth::api_key::sha256("sk-of-which-only-the-hash-is-there").map(|byte| format!("{byte:02x}"));
    add_user(&langflow, 1, "ann", HASH);
    add_key(&langflow, 11, "", None, None);
    add_key(&langflow, 12, "", Some(hash.concat()), None);
    let done = outcome(&usher(&server.dir, &["import", "langflow", &path.display().to_string(), "--json"]));
    assert_eq!(done["api_keys"], 1, "{done}");
    assert_eq!(finding_of(&done, "API key k (0000000000000000000000000000000b)"), "not imported: `api_key` is empty");
    let whoami = |key: &str| server.request("GET", "/api/v1/users/whoami").key(key).send().status;
    assert_eq!((whoami(""), whoami("sk-of-which-only-the-hash-is-there")), (403, 200));
}

#[test]
fn ids_in_every_form_are_imported_but_invalid_times_are_not() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    let people = [
        ("dashed", "id = '00000000-0000-0000-0000-0000000000aa'", None),
        ("upper", "id = '0000000000000000000000000000ABCD'", None),
        ("same", "id = '0000000000000000000000000000abcd'", Some("another row has the same id")),
        ("blob", "id = x'00'", Some("`id` is not a text")),
        ("negative", "create_at = '-4713-01-01 00:00:00'", Some("`create_at` is not a time")),
        ("zero", "create_at = '0000-00-00 00:00:00'", Some("`create_at` is not a time")),
        ("far", "create_at = '10000-01-01 00:00:00'", Some("`create_at` is not a time")),
        ("number", "create_at = 1735689600", Some("`create_at` is")),
        ("nobody", "username = NULL", Some("`username` is empty")),
        ("zoned", "create_at = '2026-01-01T02:00:00+02:00'", None),
        ("exact", "create_at = '2026-01-01 00:00:00.123456789'", None),
    ];
    for (n, (name, change, _)) in (1..).zip(people) {
        add_user(&langflow, n, name, HASH);
        langflow.execute(&format!("UPDATE user SET {change} WHERE username = '{name}'"), []).unwrap();
    }
    let done = outcome(&usher(&server.dir, &["import", "langflow", &path.display().to_string(), "--json"]));
    for (name, _, why) in people {
        let user = usher(&server.dir, &["user", "show", name, "--json"]);
        assert_eq!(user.status.success(), why.is_none(), "{name}: {done}");
        if let Some(why) = why.filter(|_| name != "nobody") {
            assert!(finding_of(&done, name).contains(why), "{name}: {done}");
        }
    }
    let exact = outcome(&usher(&server.dir, &["user", "show", "exact", "--json"]));
    assert_eq!(exact["create_at"], "2026-01-01T00:00:00.123456Z");
    let zoned = outcome(&usher(&server.dir, &["user", "show", "zoned", "--json"]));
    assert_eq!(zoned["create_at"], "2026-01-01T00:00:00.000000Z");
}

#[test]
fn a_directory_or_a_device_is_refused_without_blocking() {
    let server = server();
    let special = "it is not a regular file";
    for (path, words) in [(".", "is a directory"), ("/dev/null", special), ("/dev/zero", special)] {
        let said = crate::helpers::refused(&server.dir, &["import", "langflow", path]);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_second_import_with_the_secret_key_adds_the_missing_keys() {
    let server = server();
    let dir = TempDir::new().unwrap();
    let (path, langflow) = newer(&dir);
    let now = usher::domain::clock::Clock::system().now();
    let fernet = usher::auth::fernet::Fernet::new(&usher::domain::secret::Secret::new("x".repeat(43)));
    add_user(&langflow, 1, "ann", HASH);
    add_key(&langflow, 11, &fernet.encrypt("sk-of-1.8", now).unwrap(), None, None);
    langflow.execute("UPDATE user SET store_api_key = ?", [fernet.encrypt("of the store", now).unwrap()]).unwrap();
    let path = path.display().to_string();
    let import = |letter: &str| {
        let key = dir.path().join(letter);
        std::fs::write(&key, letter.repeat(43)).unwrap();
        let key = key.display().to_string();
        usher(&server.dir, &["import", "langflow", &path, "--secret-key-file", &key, "--json"])
    };
    let whoami = || server.request("GET", "/api/v1/users/whoami").key("sk-of-1.8").send().status;
    let first = outcome(&import("y"));
    assert_eq!((&first["api_keys"], &first["store_keys"], &first["completed"]), (&json!(0), &json!(0), &json!([])));
    assert_eq!(whoami(), 403);
    let second = outcome(&import("x"));
    assert_eq!(second["imported"], json!([]));
    let completed = &second["completed"][0];
    assert_eq!(
        (&completed["username"], &completed["api_keys"], &completed["store_key"]),
        (&json!("ann"), &json!(1), &json!(true))
    );
    assert_eq!(whoami(), 200);
    // A key that was deleted after the first import stays deleted.
    let id = crate::helpers::json(&server.dir, &["key", "list", "ann"])[0]["id"].as_str().unwrap().to_owned();
    crate::helpers::done(&server.dir, &["key", "delete", "ann", &id, "--yes"]);
    assert_eq!(import("x").status.code(), Some(1));
    assert_eq!(whoami(), 403);
}
