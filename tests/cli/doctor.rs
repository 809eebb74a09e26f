//! `usher doctor` finds problems, names remedies and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::helpers::{database, done, names, server, store_key, token, usher};
use crate::support::Program;
use crate::support::process::ProcessOutput;

/// Parses the report and checks the exit status against it.
#[track_caller]
fn report(ended: &ProcessOutput) -> Value {
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["healthy"], ended.status.success(), "{ended:?}");
    report
}

fn diagnose(dir: &Arc<TempDir>) -> Value {
    let before = contents(&dir.path().join("data"));
    let report = report(&usher(dir, &["doctor", "--json"]));
    assert!(contents(&dir.path().join("data")) == before, "the doctor changed something");
    report
}

/// All files except the log's index, which is shared memory of SQLite's.
fn contents(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| (fs::read(dir.join(&name)).unwrap_or_default(), name);
    names(dir)
        .into_iter()
        .filter(|name| !name.ends_with("-shm"))
        .map(|name| {
            let (bytes, name) = read(name);
            (name, bytes)
        })
        .collect()
}

/// The worst finding of a check: its status, and its text with the remedy.
#[track_caller]
fn finding(report: &Value, check: &str) -> (String, String) {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    let of_check = report["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let rank = |status: &str| ["ok", "warning", "problem"].iter().position(|known| *known == status);
    let worst = of_check.max_by_key(|finding| rank(finding["status"].as_str().unwrap()));
    let worst = worst.unwrap_or_else(|| panic!("nothing is said of {check}: {report}"));
    let status = text(worst, "status");
    assert_eq!(status == "ok", text(worst, "remedy").is_empty(), "a finding without a remedy: {worst}");
    (status, format!("{} -> {}", text(worst, "found"), text(worst, "remedy")))
}

/// Asserts a check's status and the words in its text.
#[track_caller]
fn assert_finding(report: &Value, check: &str, status: &str, words: &[&str]) {
    let (found, text) = finding(report, check);
    assert_eq!(found, status, "{check}: {text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

/// The directory of a stopped server.
fn stopped_server() -> Arc<TempDir> {
    let server = server();
    store_key(&server, &token(&server, "admin", "adminpw123"), "of the store");
    let dir = Arc::clone(&server.dir);
    server.stop();
    dir
}

#[test]
fn a_healthy_server_has_no_problems_running_or_stopped() {
    let server = server();
    let dir = Arc::clone(&server.dir);
    let bound = Program::in_dir(&dir, &["doctor", "--json"]).env("USHER_BIND", server.address.to_string()).finish();
    let beside = report(&bound);
    assert_finding(&beside, "server", "ok", &["a server uses this database", "healthy"]);
    server.stop();
    let report = diagnose(&dir);
    for check in ["settings", "data directory", "permissions", "free space", "database", "secret key", "clock"] {
        assert_finding(&report, check, "ok", &[]);
    }
    assert_finding(&report, "sqlite", "ok", &["compile options"]);
    assert_finding(&report, "backups", "warning", &["no backup is known", "backup_schedule"]);
    done(&dir, &["backup", "one.gz"]);
    assert_finding(&diagnose(&dir), "backups", "ok", &["0 minutes ago"]);
    let text = usher(&dir, &["doctor"]);
    assert!(text.status.success() && text.stdout.starts_with("ok       settings"), "{text:?}");
}

#[test]
fn doctor_creates_no_database_and_names_the_missing_one() {
    let dir = Arc::new(TempDir::new().unwrap());
    let report = report(&usher(&dir, &["doctor", "--json"]));
    assert_finding(&report, "database", "problem", &["data/usher.db does not exist", "--data-dir"]);
    assert_eq!(names(dir.path()), Vec::<String>::new());
    fs::create_dir(dir.path().join("data")).unwrap();
    assert_finding(&diagnose(&dir), "database", "problem", &["does not exist"]);
}

#[test]
fn invalid_and_insecure_settings_are_reported() {
    let ended = Program::new(&["doctor", "--json", "--signup", "perhaps"]).finish();
    assert_finding(&report(&ended), "settings", "problem", &["--signup", "approval"]);
    let open = [("USHER_BIND", "0.0.0.0:7860"), ("USHER_THROTTLE", "false"), ("USHER_AUTO_LOGIN", "true")];
    let program = open.into_iter().fold(Program::new(&["doctor"]), |program, (name, value)| program.env(name, value));
    let text = program.finish().stdout;
    for words in ["`auto_login` would sign in", "`throttle` is off", "set `public_url`"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let dir = Arc::new(TempDir::new().unwrap());
    let file = dir.path().join("usher.toml");
    fs::write(&file, "secret_key = \"0123456789abcdef0123456789abcdef\"").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let ended = usher(&dir, &["doctor", "--json"]);
    assert!(!ended.stdout.contains("0123456789abcdef"), "{ended:?}");
    assert_finding(&report(&ended), "settings", "warning", &["usher.toml", "chmod 600"]);
}

#[test]
fn unsafe_permissions_are_reported_with_the_remedy() {
    let dir = stopped_server();
    let data = dir.path().join("data");
    let mode = |name: &str, mode| fs::set_permissions(data.join(name), fs::Permissions::from_mode(mode)).unwrap();
    mode("secret_key", 0o644);
    assert_finding(&diagnose(&dir), "permissions", "warning", &["secret_key", "644", "chmod 600"]);
    mode("secret_key", 0o600);
    mode("usher.db", 0o400);
    assert_finding(&diagnose(&dir), "permissions", "problem", &["usher.db", "chmod u+rw"]);
    mode("usher.db", 0o600);
    mode("", 0o755);
    assert_finding(&diagnose(&dir), "permissions", "warning", &["chmod 700"]);
}

#[test]
fn a_damaged_or_foreign_database_is_reported_with_a_backup_to_restore() {
    let dir = stopped_server();
    let path = dir.path().join("data/usher.db");
    let backups = dir.path().join("data/backups");
    fs::create_dir(&backups).unwrap();
    fs::set_permissions(&backups, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(backups.join("usher-20260101T030000Z.db.gz"), "").unwrap();
    let sound = fs::read(&path).unwrap();
    let mut holed = sound.clone();
    holed[8192..20480].fill(0xa5);
    fs::write(&path, holed).unwrap();
    assert_finding(&diagnose(&dir), "database", "problem", &["usher restore", "backups/usher-20260101T030000Z.db.gz"]);
    fs::write(&path, "this is no database at all, however long one looks at it").unwrap();
    assert_finding(&diagnose(&dir), "database", "problem", &["is not a SQLite database", "usher restore"]);
    fs::write(&path, &sound).unwrap();
    assert_finding(&diagnose(&dir), "database", "ok", &["integrity_check passed"]);
    database(&dir).execute_batch("UPDATE user_count SET n = 7").unwrap();
    assert_finding(&diagnose(&dir), "database", "problem", &["user_count says 7"]);
    database(&dir).execute_batch("UPDATE user_count SET n = 1; PRAGMA user_version = 99").unwrap();
    assert_finding(&diagnose(&dir), "database", "problem", &["schema version 99", "newer usher"]);
}

#[test]
fn a_missing_short_or_changed_secret_key_is_reported() {
    let dir = stopped_server();
    let path = dir.path().join("data/secret_key");
    let key = fs::read(&path).unwrap();
    assert_finding(&diagnose(&dir), "secret key", "ok", &["is the database's key", "store keys: 1"]);
    fs::remove_file(&path).unwrap();
    assert_finding(&diagnose(&dir), "secret key", "problem", &["is missing", "1 stored store key", "rotate-secret"]);
    fs::write(&path, "short").unwrap();
    assert_finding(&diagnose(&dir), "secret key", "problem", &["at least 32 characters"]);
    fs::write(&path, "0123456789abcdef0123456789abcdef").unwrap();
    assert_finding(
        &diagnose(&dir),
        "secret key",
        "problem",
        &["not the database's key", "1 stored store key", "rotate-secret"],
    );
    fs::write(&path, &key).unwrap();
    let other = Program::in_dir(&dir, &["doctor", "--json"])
        .env("USHER_SECRET_KEY", "another key of 32 characters, or more")
        .finish();
    assert_finding(&report(&other), "secret key", "problem", &["from USHER_SECRET_KEY"]);
    database(&dir).execute_batch("UPDATE users SET store_api_key = 'gAAAAAnonsense'").unwrap();
    assert_finding(
        &diagnose(&dir),
        "secret key",
        "warning",
        &["can't decrypt 1 stored", "admin", "--old-secret-key-file"],
    );
}

#[test]
fn a_clock_set_back_and_a_missing_superuser_are_reported() {
    let dir = stopped_server();
    database(&dir).execute_batch("UPDATE audit SET at = '2999-01-01 00:00:00+00:00'").unwrap();
    assert_finding(&diagnose(&dir), "clock", "problem", &["2999-01-01", "set the clock"]);
    // A later entry with the right time shows that the clock was corrected.
    database(&dir)
        .execute_batch("INSERT INTO audit (at, action, success) VALUES ('2026-01-02 00:00:00+00:00', 'login', 1)")
        .unwrap();
    assert_finding(&diagnose(&dir), "clock", "ok", &[]);
    database(&dir).execute_batch("UPDATE users SET is_active = 0").unwrap();
    assert_finding(&diagnose(&dir), "superuser", "warning", &["usher user add NAME --superuser"]);
}

#[test]
fn late_and_failed_backups_are_reported() {
    let dir = stopped_server();
    let scheduled = || {
        let program = Program::in_dir(&dir, &["doctor", "--json"]).env("USHER_BACKUP_SCHEDULE", "daily");
        report(&program.finish())
    };
    assert_finding(&scheduled(), "backups", "warning", &["none yet", "late"]);
    let backups = dir.path().join("data/backups");
    fs::create_dir(&backups).unwrap();
    fs::write(backups.join("usher-20260101T030000Z.db.gz"), "").unwrap();
    assert_finding(&scheduled(), "backups", "warning", &["kept: 1 of 7", "days old", "late"]);
    let failed = "INSERT INTO audit (at, action, success) VALUES ('2026-01-02 00:00:00+00:00', 'backup', 0)";
    database(&dir).execute_batch(failed).unwrap();
    assert_finding(&scheduled(), "backups", "problem", &["the last attempt failed"]);
}

#[test]
fn leftovers_of_interrupted_commands_are_reported_but_kept_files_are_not() {
    let dir = stopped_server();
    fs::write(dir.path().join("data/usher.db.before-restore-20260101T000000000000"), [0; 2048]).unwrap();
    assert_finding(&diagnose(&dir), "leftovers", "ok", &["1 (2.0 KiB)"]);
    fs::write(dir.path().join("data/usher.db.0123456789abcdef.tmp"), "").unwrap();
    assert_finding(&diagnose(&dir), "leftovers", "warning", &["usher.db.0123456789abcdef.tmp", "delete"]);
}

#[test]
fn a_killed_servers_database_is_checked_with_its_log() {
    let server = server();
    let dir = server.kill();
    assert_finding(&diagnose(&dir), "database", "ok", &["users: 1"]);
    fs::remove_file(dir.path().join("data/usher.db-shm")).unwrap();
    assert_finding(&diagnose(&dir), "database", "ok", &["users: 1"]);
}

#[test]
fn names_that_are_no_longer_allowed_are_listed() {
    let dir = stopped_server();
    database(&dir).execute("UPDATE users SET username = 'аdmin', username_folded = 'аdmin'", []).unwrap();
    assert_finding(
        &diagnose(&dir),
        "user names",
        "warning",
        &["1 could deceive people: \"\\u{430}dmin\"", "usher user rename"],
    );
}

#[test]
fn passkeys_orphaned_by_a_changed_public_url_are_counted() {
    let dir = stopped_server();
    let insert = "INSERT INTO factors (uuid, user_id, kind, name, data, credential_id, rp_id, is_confirmed, created_at) \
         SELECT randomblob(16), id, 'passkey', 'key', '{}', randomblob(16), ?, 1, '2026-01-01 00:00:00+00:00' FROM users";
    database(&dir).execute(insert, ["localhost"]).unwrap();
    assert!(!diagnose(&dir).to_string().contains("passkeys"));
    database(&dir).execute(insert, ["old.example.org"]).unwrap();
    assert_finding(
        &diagnose(&dir),
        "passkeys",
        "warning",
        &["1 belong to another domain than localhost", "usher user reset-factors"],
    );
}
