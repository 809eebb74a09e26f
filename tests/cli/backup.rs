//! `usher backup` and `usher restore`, with the real binary beside a running server.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::helpers::usher;
use crate::support::process::mode;
use crate::support::{self, Program, Request, ServerProcess};
use needs::needs;
use serde_json::json;

fn login(server: &ServerProcess) -> support::Response {
    server.request("POST", "/api/v1/login").form(&[("username", "admin"), ("password", "adminpw123")]).send()
}

fn sign_up(address: std::net::SocketAddr, name: &str) -> u16 {
    let body = json!({ "username": name, "password": "correct horse 1" });
    Request::new(address, "POST", "/api/v1/users/").json(&body).send().status
}

#[test]
fn a_restore_brings_back_the_moment_of_the_backup_and_keeps_the_old_database() {
    let server = Program::new(&[]).superuser().env("USHER_THROTTLE", "false").start();
    let dir = Arc::clone(&server.dir);
    assert_eq!(sign_up(server.address, "before"), 201);
    let old = login(&server).expect(200).json();

    let writing = Arc::new(AtomicBool::new(true));
    let writer = std::thread::spawn({
        let (writing, address) = (Arc::clone(&writing), server.address);
        move || {
            let mut count = 0;
            while writing.load(Ordering::Relaxed) {
                assert_eq!(sign_up(address, &format!("during{count}")), 201);
                count += 1;
            }
        }
    });
    let ended = usher(&dir, &["backup", "copy.gz"]);
    writing.store(false, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(ended.status.success() && ended.stdout.contains("checked and written"), "{ended:?}");
    assert_eq!(mode(&dir.path().join("copy.gz")), 0o600);
    assert_eq!(sign_up(server.address, "after"), 201);

    let refused = usher(&dir, &["restore", "copy.gz", "--yes"]);
    assert!(!refused.status.success() && refused.stderr.contains("stop it first"), "{refused:?}");
    server.stop();
    let refused = usher(&dir, &["restore", "copy.gz"]);
    assert!(!refused.status.success() && refused.stderr.contains("--yes"), "{refused:?}");
    let ended = usher(&dir, &["restore", "copy.gz", "--yes"]);
    assert!(ended.status.success() && ended.stdout.contains("is kept as"), "{ended:?}");
    let kept = std::fs::read_dir(dir.path().join("data")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(kept.filter(|name| name.to_string_lossy().contains(".before-restore-")).count(), 1);

    let server = Program::in_dir(&dir, &[]).env("USHER_THROTTLE", "false").start();
    let whoami = |token: &str| server.request("GET", "/api/v1/users/whoami").bearer(token).send();
    whoami(old["access_token"].as_str().unwrap()).refused(401, "Session has ended.");
    let token = login(&server).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let people = |name: &str| {
        let path = format!("/api/v1/users/?search={name}");
        server.request("GET", &path).bearer(&token).send().expect(200).json()["total_count"].clone()
    };
    assert_eq!((people("before"), people("after")), (json!(1), json!(0)));
}

#[test]
fn a_damaged_or_foreign_backup_is_refused_before_any_change() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    assert!(usher(&dir, &["backup", "good.gz"]).status.success());
    let again = usher(&dir, &["backup", "good.gz"]);
    assert!(!again.status.success() && again.stderr.contains("exists"), "{again:?}");
    server.stop();
    let database = dir.path().join("data/usher.db");
    let before = std::fs::read(&database).unwrap();

    let good = std::fs::read(dir.path().join("good.gz")).unwrap();
    std::fs::write(dir.path().join("cut.gz"), &good[..good.len() / 2]).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    std::fs::write(dir.path().join("flipped.gz"), flipped).unwrap();
    let mut holed = before.clone();
    holed[4096..12288].fill(0xa5);
    std::fs::write(dir.path().join("holed.db"), holed).unwrap();
    std::fs::write(dir.path().join("text"), "this is no database, however one looks at it").unwrap();
    for bad in ["cut.gz", "flipped.gz", "holed.db", "text", "missing.gz"] {
        let ended = usher(&dir, &["restore", bad, "--yes"]);
        assert!(!ended.status.success(), "{bad}: {ended:?}");
        assert!(std::fs::read(&database).unwrap() == before, "{bad}");
    }
    let names = std::fs::read_dir(dir.path().join("data")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("restore")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[needs(root)]
#[test]
fn a_database_restored_by_root_belongs_to_the_directorys_owner() {
    use std::os::unix::fs::{MetadataExt, chown};
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    assert!(usher(&dir, &["backup", "copy.gz"]).status.success());
    server.stop();
    let data = dir.path().join("data");
    // A service's user.
    chown(&data, Some(61_234), Some(61_234)).unwrap();
    let ended = usher(&dir, &["restore", "copy.gz", "--yes"]);
    assert!(ended.status.success(), "{ended:?}");
    let restored = std::fs::metadata(data.join("usher.db")).unwrap();
    assert_eq!((restored.uid(), restored.gid()), (61_234, 61_234));
}

#[test]
fn a_backup_that_cannot_be_written_fails_and_leaves_no_file() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    std::fs::write(dir.path().join("there.gz"), "something").unwrap();
    let before = crate::helpers::names(dir.path());
    for (target, words) in [
        ("data", "is a directory; name a file in it, such as data/usher.db.gz"),
        ("there.gz", "there.gz exists; move it away"),
        ("no/such/place.gz", "is not a directory; create it"),
        ("/dev/null", "/dev/null exists"),
        ("/proc/usher.gz", "/proc/usher.gz"),
    ] {
        let said = crate::helpers::refused(&dir, &["backup", target]);
        assert!(said.contains(words), "{said}");
        let said = crate::helpers::refused(&dir, &["export", target]);
        assert!(said.contains(target.trim_end_matches("/place.gz")), "{said}");
    }
    assert_eq!(crate::helpers::names(dir.path()), before);
    assert_eq!(std::fs::read(dir.path().join("there.gz")).unwrap(), b"something");
}

#[test]
fn a_log_beside_a_database_that_was_replaced_by_a_backup_is_not_applied_to_it() {
    let server = Program::new(&[]).superuser().env("USHER_THROTTLE", "false").start();
    let dir = Arc::clone(&server.dir);
    usher(&dir, &["backup", "b.gz"]);
    assert_eq!(sign_up(server.address, "later"), 201);
    server.kill();
    let (path, log) = (dir.path().join("data/usher.db"), dir.path().join("data/usher.db-wal"));
    let (backup, mut copy) = (std::fs::File::open(dir.path().join("b.gz")).unwrap(), Vec::new());
    flate2::read::GzDecoder::new(backup).read_to_end(&mut copy).unwrap();
    std::fs::write(&path, copy).unwrap();
    for command in [&[][..], &["user", "list"], &["doctor"]] {
        let ended = usher(&dir, command);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!ended.status.success() && said.contains("was written for another database"), "{command:?} {said}");
    }
    std::fs::remove_file(log).unwrap();
    let users = crate::helpers::json(&dir, &["user", "list"]);
    assert_eq!((users.as_array().unwrap().len(), &users[0]["username"]), (1, &json!("admin")));
}

#[test]
fn a_log_is_not_applied_to_a_copy_of_the_database_from_an_earlier_run() {
    let first = Program::new(&[]).superuser().env("USHER_THROTTLE", "false").start();
    let dir = Arc::clone(&first.dir);
    first.stop();
    let data = dir.path().join("data");
    let [path, log, record, old] =
        ["usher.db", "usher.db-wal", "usher.db-log-owner", "old.db"].map(|name| data.join(name));
    assert!(!record.exists(), "it goes with the log");
    std::fs::copy(&path, &old).unwrap();
    let start = || Program::in_dir(&dir, &[]).env("USHER_THROTTLE", "false").start();
    let second = start();
    assert_eq!(sign_up(second.address, "later"), 201);
    second.kill();
    // A log that was left by a crash belongs to its database, whose checkpoints change much of it, but not the mark.
    let third = start();
    assert_eq!(sign_up(third.address, "latest"), 201);
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = rusqlite::Connection::open_with_flags(&path, flags).unwrap();
    connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    // The log's index belongs to a process that has the database open, also when the log is gone.
    drop(connection);
    assert_eq!(sign_up(third.address, "last"), 201);
    third.kill();
    assert_eq!(crate::helpers::json(&dir, &["user", "list"]).as_array().unwrap().len(), 4);

    let fourth = start();
    fourth.kill();
    assert!(log.metadata().unwrap().len() > 0 && record.exists());
    std::fs::copy(&old, &path).unwrap();
    let before = std::fs::read(&log).unwrap();
    for command in [&[][..], &["user", "list"], &["doctor"], &["backup", "b.gz"]] {
        let ended = usher(&dir, command);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!ended.status.success() && said.contains("was written for another usher.db"), "{command:?} {said}");
    }
    assert_eq!((std::fs::read(&path).unwrap(), std::fs::read(&log).unwrap()), (std::fs::read(&old).unwrap(), before));
    // Without the log, the old copy is used, also by a command that then crashes.
    std::fs::remove_file(log).unwrap();
    assert_eq!(crate::helpers::json(&dir, &["user", "list"]).as_array().unwrap().len(), 1);
    assert!(!record.exists());
    start().stop();
}

#[test]
fn a_damaged_database_makes_no_backup() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    server.stop();
    let path = dir.path().join("data/usher.db");
    let mut holed = std::fs::read(&path).unwrap();
    holed[8192..20480].fill(0xa5);
    std::fs::write(&path, holed).unwrap();
    let ended = usher(&dir, &["backup", "b.gz"]);
    assert!(!ended.status.success() && ended.stderr.contains("no backup was made"), "{ended:?}");
    assert!(!dir.path().join("b.gz").exists());
}

#[test]
fn an_older_backup_is_migrated_and_an_empty_file_is_refused() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    server.stop();
    let older = dir.path().join("older.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE | rusqlite::OpenFlags::SQLITE_OPEN_CREATE;
    let connection = rusqlite::Connection::open_with_flags(&older, flags).unwrap();
    connection.execute_batch(include_str!("../samples/schema-1.sql")).unwrap();
    connection
        .execute_batch(
            "PRAGMA application_id = 0x75734852; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;
             PRAGMA wal_autocheckpoint = 0;
             INSERT INTO users VALUES (7, zeroblob(16), 'older', 'older', 'h', NULL, NULL, 1, 1,
                 '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00', NULL)",
        )
        .unwrap();
    // A copy with its log, as `cp` makes it.
    std::fs::write(dir.path().join("empty.gz"), "").unwrap();
    for bad in ["empty.gz", "data"] {
        let said = crate::helpers::refused(&dir, &["restore", bad, "--yes"]);
        assert!(said.contains(bad), "{said}");
    }
    let done = crate::helpers::json(&dir, &["restore", "older.db", "--yes"]);
    assert!(done["kept"].as_str().unwrap().contains("usher.db.before-restore-"), "{done}");
    assert_eq!(crate::helpers::json(&dir, &["user", "list"])[0]["username"], "older");
    Program::in_dir(&dir, &[]).start().stop();
}

#[test]
fn a_restore_with_another_secret_key_says_what_cannot_be_read() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    let bearer = crate::helpers::token(&server, "admin", "adminpw123");
    crate::helpers::store_key(&server, &bearer, "of the store");
    crate::helpers::enroll(&server, &bearer, "adminpw123");
    server.stop();
    crate::helpers::done(&dir, &["backup", "b.gz"]);
    std::fs::remove_file(dir.path().join("data/secret_key")).unwrap();
    let ended = usher(&dir, &["restore", "b.gz", "--yes"]);
    assert!(
        ended.status.success() && ended.stderr.contains("1 stored store keys and 1 authenticator apps can't be read"),
        "{ended:?}"
    );
}

#[test]
fn the_database_itself_is_refused_as_a_backup() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    server.stop();
    let before = crate::helpers::names(&dir.path().join("data"));
    std::os::unix::fs::symlink("data/usher.db", dir.path().join("link")).unwrap();
    for file in ["data/usher.db", "data/../data/usher.db", "link"] {
        let said = crate::helpers::refused(&dir, &["restore", file, "--yes"]);
        assert!(said.contains("is the database itself"), "{said}");
    }
    assert_eq!(crate::helpers::names(&dir.path().join("data")), before);
}

#[test]
fn a_backup_without_users_is_refused_unless_allowed() {
    let server = Program::new(&[]).superuser().start();
    // The committed rows are still in the log.
    let dir = server.kill();
    std::fs::copy(dir.path().join("data/usher.db"), dir.path().join("half.db")).unwrap();
    let said = crate::helpers::refused(&dir, &["restore", "half.db", "--yes"]);
    assert!(said.contains("has no users") && said.contains("usher.db-wal"), "{said}");
    assert_eq!(crate::helpers::json(&dir, &["user", "list"]).as_array().unwrap().len(), 1);
    crate::helpers::done(&dir, &["restore", "half.db", "--yes", "--allow-empty"]);
}

#[test]
fn backups_and_exports_can_go_to_standard_output() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    let before = crate::helpers::names(dir.path());
    let ended = usher(&dir, &["export", "-"]);
    assert!(ended.status.success() && ended.stdout.lines().count() == 1, "{ended:?}");
    assert!(ended.stdout.starts_with("{\"id\"") && ended.stderr.contains("exported 1 user"), "{ended:?}");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["backup", "-"])
        .env_clear()
        .env("USHER_DATA_DIR", dir.path().join("data"))
        .output()
        .unwrap();
    assert!(output.status.success() && output.stdout.starts_with(&[0x1f, 0x8b]), "{}", output.stdout.len());
    assert_eq!(crate::helpers::names(dir.path()), before);
    std::fs::write(dir.path().join("b.gz"), output.stdout).unwrap();
    server.stop();
    assert!(crate::helpers::done(&dir, &["restore", "b.gz", "--yes"]).contains("with 1 user"));
}
