//! What was revoked since a backup stays revoked after a restore.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Program, ServerProcess};

/// Creates an API key of admin. Returns the key and its id.
fn add_key(server: &ServerProcess) -> (String, String) {
    let bearer = crate::helpers::token(server, "admin", "adminpw123");
    let made = server.request("POST", "/api/v1/api_key/").bearer(&bearer).json(&json!({ "name": "k" })).send();
    let made = made.expect(200).json();
    (made["api_key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

fn key_status(server: &ServerProcess, key: &str) -> u16 {
    server.request("GET", "/api/v1/users/whoami").key(key).send().status
}

#[test]
fn an_api_key_revoked_since_the_backup_stays_revoked() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    let ((kept, _), (revoked, id)) = (add_key(&server), add_key(&server));
    crate::helpers::done(&dir, &["backup", "b.gz"]);
    crate::helpers::done(&dir, &["key", "delete", "admin", &id, "--yes"]);
    server.stop();
    let said = crate::helpers::json(&dir, &["restore", "b.gz", "--yes"]);
    assert_eq!(
        (&said["users"], &said["api_keys_revoked"], &said["api_keys_disabled"]),
        (&json!(1), &json!(1), &json!(0))
    );
    let server = Program::in_dir(&dir, &[]).start();
    assert_eq!((key_status(&server, &kept), key_status(&server, &revoked)), (200, 403));
}

#[test]
fn without_the_old_database_api_keys_are_disabled_unless_kept() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    let (key, _) = add_key(&server);
    crate::helpers::done(&dir, &["backup", "b.gz"]);
    server.stop();
    let lost = |name: &str| std::fs::remove_file(dir.path().join("data").join(name)).unwrap();
    for (option, status) in [("--yes", 403), ("--keep-keys", 200)] {
        lost("usher.db");
        let said = crate::helpers::json(&dir, &["restore", "b.gz", option]);
        assert_eq!(said["api_keys_disabled"], json!(i32::from(option == "--yes")), "{said}");
        let server = Program::in_dir(&dir, &[]).start();
        assert_eq!(key_status(&server, &key), status, "{option}");
        server.stop();
    }
    // Another server's database doesn't know the keys.
    let other = Program::new(&[]).superuser().start();
    let other_dir = Arc::clone(&other.dir);
    other.stop();
    std::fs::copy(other_dir.path().join("data/usher.db"), dir.path().join("data/usher.db")).unwrap();
    assert_eq!(crate::helpers::json(&dir, &["restore", "b.gz", "--yes"])["api_keys_disabled"], json!(1));
}

#[test]
fn removed_factors_and_used_recovery_codes_stay_so_after_a_restore() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    add_key(&server);
    server.stop();
    let database = || crate::helpers::database(&dir);
    let at = "2026-01-01 00:00:00+00:00";
    database()
        .execute_batch(&format!(
            "INSERT INTO factors (uuid, user_id, kind, name, data, last_step, is_confirmed, created_at) VALUES
                 (zeroblob(16), 1, 'totp', 'kept', '', 5, 1, '{at}'), (x'01010101010101010101010101010101', 1, 'totp', 'lost', '', 5, 1, '{at}');
             INSERT INTO recovery_codes (user_id, sha256) VALUES (1, zeroblob(32)),
                 (1, x'0101010101010101010101010101010101010101010101010101010101010101')"
        ))
        .unwrap();
    crate::helpers::done(&dir, &["backup", "b.gz"]);
    database()
        .execute_batch(&format!(
            "DELETE FROM factors WHERE name = 'lost'; UPDATE factors SET last_step = 9;
             UPDATE recovery_codes SET used_at = '{at}' WHERE sha256 = zeroblob(32)"
        ))
        .unwrap();
    crate::helpers::done(&dir, &["restore", "b.gz", "--yes"]);
    let one = |sql: &str| database().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(one("SELECT group_concat(name || last_step) FROM factors"), "kept9");
    assert_eq!(
        one("SELECT group_concat(used_at IS NOT NULL) FROM (SELECT * FROM recovery_codes ORDER BY sha256)"),
        "1,0"
    );
}
