//! `usher export` and `usher import usher`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::helpers::{self, PASSWORD, get, json as printed, refused, server, sign_in, token, usher};
use crate::support::Program;

#[test]
fn an_imported_export_is_exported_unchanged() {
    let first = server();
    Program::in_dir(&first.dir, &["user", "add", "Zoë Straße"]).input(PASSWORD).finish();
    let bearer = token(&first, "zoë STRASSE", PASSWORD);
    let made = first.request("POST", "/api/v1/api_key/").bearer(&bearer).json(&json!({ "name": "ci" }));
    let key = made.send().expect(200).json()["api_key"].as_str().unwrap().to_owned();
    let me = get(&first, "/api/v1/users/whoami").bearer(&bearer).send().expect(200).json();
    let path = format!("/api/v1/users/{}", me["id"].as_str().unwrap());
    first.request("PATCH", &path).bearer(&bearer).json(&json!({"optins": {"seen": [1]}})).send().expect(200);
    helpers::done(&first.dir, &["user", "require-password", "zoë strasse"]);
    let done = printed(&first.dir, &["export", "users.jsonl"]);
    assert_eq!(done["users"], 2);
    let file = first.dir.path().join("users.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&key) && text.lines().count() == 2, "{text}");

    let second =
        Program::new(&[]).env("USHER_SUPERUSER", "keeper").env("USHER_SUPERUSER_PASSWORD", "keeper pw 123").start();
    let path = file.to_str().unwrap();
    let shown = printed(&second.dir, &["import", "usher", path, "--dry-run"]);
    let done = printed(&second.dir, &["import", "usher", path]);
    assert_eq!((&done["imported"], &done["api_keys"]), (&shown["imported"], &json!(1)));
    sign_in(&second, "Zoë Straße", PASSWORD).expect(200);
    let asked = get(&second, "/api/v1/users/whoami").key(&key).send().expect(200).json();
    assert_eq!((&asked["username"], &asked["optins"]), (&json!("Zoë Straße"), &json!({"seen": [1]})));
    assert_eq!(printed(&second.dir, &["user", "show", "zoë strasse"])["must_change_password"], true);
    let again = refused_but_shown(&second.dir, path);
    assert!(again.contains("existing users: 2"), "{again}");
    printed(&second.dir, &["export", "again.jsonl"]);
    let again = std::fs::read_to_string(second.dir.path().join("again.jsonl")).unwrap();
    let lines = |text: &str| -> Vec<Value> {
        let parsed = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        // Use counts and times are not part of the account.
        parsed
            .map(|mut line| {
                line["last_login_at"] = Value::Null;
                line["api_keys"] = Value::Null;
                line
            })
            .collect()
    };
    assert_eq!(lines(&again)[1..], lines(&text)[..]);
}

fn refused_but_shown(dir: &Arc<tempfile::TempDir>, path: &str) -> String {
    let ended = usher(dir, &["import", "usher", path]);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(ended.stdout.matches("exists already and stays unchanged").count(), 2, "{ended:?}");
    ended.stderr
}

#[test]
fn invalid_lines_are_reported_by_number_without_their_content() {
    let server = server();
    helpers::done(&server.dir, &["export", "users.jsonl"]);
    let good = std::fs::read_to_string(server.dir.path().join("users.jsonl")).unwrap();
    let good: Value = serde_json::from_str(good.trim()).unwrap();
    let changed = |field: &str, value: Value| {
        let mut line = good.clone();
        line["id"] = json!(uuid::Uuid::new_v4());
        line["username"] = json!("somebody");
        line[field] = value;
        line.to_string().into_bytes()
    };
    let lines: Vec<Vec<u8>> = vec![
        changed("username", json!("ann")),
        b"{".to_vec(),
        b"".to_vec(),
        b"\xff\xfe".to_vec(),
        b"[]".to_vec(),
        changed("password_hash", json!("hunter2 in the open")),
        changed("password_hash", json!("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b2dWRWJTmaaJObG")),
        changed("username", json!("\u{202e}nna")),
        changed("username", json!("ANN")),
        changed("id", good["id"].clone()),
        changed("create_at", json!("yesterday")),
        changed("profile_image", json!("x".repeat(1 << 20))),
        changed("api_keys", json!([{ "id": uuid::Uuid::new_v4() }])),
        changed("username", json!("bob")),
    ];
    std::fs::write(server.dir.path().join("mixed.jsonl"), lines.join(&b'\n')).unwrap();
    let done = printed(&server.dir, &["import", "usher", "mixed.jsonl"]);
    let imported: Vec<&str> =
        done["imported"].as_array().unwrap().iter().map(|a| a["username"].as_str().unwrap()).collect();
    assert_eq!(imported, ["ann", "bob"]);
    let told: Vec<&str> = done["findings"].as_array().unwrap().iter().map(|f| f["who"].as_str().unwrap()).collect();
    let by_number: Vec<String> = [2, 4, 5, 6, 7, 8, 11, 12, 13].iter().map(|n| format!("line {n}")).collect();
    assert_eq!(told[..9], by_number);
    assert!(told[9].starts_with("somebody (") && told[10].starts_with("ANN ("), "{told:?}");
    assert!(!done.to_string().contains("hunter2"));
    for missing in ["nothing.jsonl", "data"] {
        assert!(refused(&server.dir, &["import", "usher", missing]).contains(missing));
    }
}

#[test]
fn an_export_and_import_lose_nothing() {
    let first = server();
    let bearer = token(&first, "admin", "adminpw123");
    helpers::store_key(&first, &bearer, "the key of the store");
    let key = json!({ "name": "ci", "expires_at": "2040-01-31T12:00:00.000001Z" });
    first.request("POST", "/api/v1/api_key/").bearer(&bearer).json(&key).send().expect(200);
    for (name, state) in [("waiting", "deactivate"), ("Zoë", "promote")] {
        Program::in_dir(&first.dir, &["user", "add", name]).input(PASSWORD).finish();
        helpers::done(&first.dir, &["user", state, name]);
    }
    helpers::done(&first.dir, &["export", "users.jsonl"]);
    let file = first.dir.path().join("users.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("the key of the store"));

    // Another machine, with and without this one's secret key.
    let (path, secret) = (file.to_str().unwrap(), first.data_dir().join("secret_key"));
    let second = Program::new(&[]).start();
    let without = printed(&second.dir, &["import", "usher", path, "--dry-run"]);
    assert_eq!((&without["store_keys"], without["findings"].as_array().unwrap().len()), (&json!(0), 1));
    let with = ["import", "usher", path, "--secret-key-file", secret.to_str().unwrap()];
    assert_eq!(printed(&second.dir, &with)["store_keys"], 1);
    helpers::done(&second.dir, &["export", "again.jsonl"]);
    let again = std::fs::read_to_string(second.dir.path().join("again.jsonl")).unwrap();
    let lines = |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let (mut before, mut after) = (lines(&text), lines(&again));
    let opened = |line: &mut Value, secret: &std::path::Path| {
        let secret = usher::domain::secret::Secret::new(std::fs::read_to_string(secret).unwrap());
        let token = line["store_api_key"].take();
        usher::auth::fernet::Fernet::new(&secret).decrypt(token.as_str().unwrap()).unwrap().expose().to_owned()
    };
    assert_eq!(opened(&mut before[0], &secret), "the key of the store");
    assert_eq!(opened(&mut after[0], &second.data_dir().join("secret_key")), "the key of the store");
    assert_eq!(after, before);
    sign_in(&second, "admin", "adminpw123").expect(200);
}

#[test]
fn export_and_import_name_the_users_whose_second_factors_are_lost() {
    let first = server();
    Program::in_dir(&first.dir, &["user", "add", "alice"]).input(PASSWORD).finish();
    Program::in_dir(&first.dir, &["user", "add", "bob"]).input(PASSWORD).finish();
    let none = usher(&first.dir, &["export", "none.jsonl"]);
    assert!(!none.stderr.contains("second factor"), "{none:?}");
    helpers::enroll(&first, &token(&first, "alice", PASSWORD), PASSWORD);
    // Bob's app isn't a factor yet: nobody entered its first code.
    let bearer = token(&first, "bob", PASSWORD);
    let id = get(&first, "/api/v1/users/whoami").bearer(&bearer).send().expect(200).field("id");
    let body = json!({ "current_password": PASSWORD });
    let path = format!("/api/v1/users/{id}/factors/totp");
    first.request("POST", &path).bearer(&bearer).json(&body).send().expect(201);

    let ended = usher(&first.dir, &["export", "users.jsonl"]);
    let warning = "warning: the export doesn't contain the second factors of 1 user";
    assert!(ended.stderr.contains(warning), "{ended:?}");
    let ended = usher(&first.dir, &["export", "-"]);
    assert!(ended.stderr.contains(warning), "{ended:?}");
    assert_eq!(printed(&first.dir, &["export", "again.jsonl"])["users_with_second_factor"], 1);
    let file = first.dir.path().join("users.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    let with_factor: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["had_second_factor"] == true)
        .map(|line| line["username"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((with_factor, text.matches("had_second_factor").count()), (vec!["alice".to_owned()], 1));

    let second = Program::new(&[]).start();
    let path = file.to_str().unwrap();
    for arguments in [&["import", "usher", path, "--dry-run"][..], &["import", "usher", path]] {
        let done = printed(&second.dir, arguments);
        let findings = done["findings"].as_array().unwrap();
        assert_eq!((findings.len(), done["imported"].as_array().unwrap().len()), (1, 3), "{done}");
        assert!(findings[0]["who"].as_str().unwrap().starts_with("alice ("), "{done}");
        let what = "imported without its second factor; the password alone signs in until the user sets one up";
        assert_eq!((&findings[0]["what"], &findings[0]["exists"]), (&json!(what), &json!(false)));
    }
    sign_in(&second, "alice", PASSWORD).expect(200);
}
