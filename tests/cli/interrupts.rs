//! Ctrl-C leaves no partial result and no temporary file.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::helpers::{database, done, names, server, usher};
use crate::support::Program;
use crate::support::process::{ProcessOutput, RunningCommand};
use crate::support::wait::until;

/// The directory of a database that takes a while to copy, check and compress.
fn large() -> Arc<TempDir> {
    let server = server();
    let dir = Arc::clone(&server.dir);
    server.stop();
    let fill = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 600) \
         INSERT INTO audit (at, action, success, detail) \
         SELECT '2026-01-01 00:00:00+00:00', 'login', 1, printf('%.*c', 40000, 'x') FROM n";
    database(&dir).execute_batch(fill).unwrap();
    dir
}

/// Interrupts a command as soon as a temporary file with this prefix exists.
#[track_caller]
fn interrupt_at(mut command: RunningCommand, dir: &Path, start: &str) -> ProcessOutput {
    until("it writes no temporary file", || {
        assert!(!command.has_exited(), "it ended before it could be stopped");
        names(dir).iter().any(|name| name.starts_with(start) && name.contains(".tmp"))
    });
    command.interrupt();
    command.wait_for_exit()
}

#[track_caller]
fn assert_interrupted(ended: &ProcessOutput) {
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert!(ended.stdout.is_empty() && ended.stderr.contains("usher: interrupted; nothing was changed"), "{ended:?}");
}

#[test]
fn an_interrupted_backup_leaves_no_file() {
    let dir = large();
    let before = names(dir.path());
    assert_interrupted(&interrupt_at(Program::in_dir(&dir, &["backup", "b.gz"]).begin(), dir.path(), "copy."));
    assert_eq!(names(dir.path()), before);
    done(&dir, &["backup", "b.gz"]);
}

#[test]
fn an_interrupted_restore_leaves_the_database_unchanged() {
    let dir = large();
    done(&dir, &["backup", "b.gz"]);
    let (before, database) =
        (names(&dir.path().join("data")), std::fs::read(dir.path().join("data/usher.db")).unwrap());
    let restore = Program::in_dir(&dir, &["restore", "b.gz", "--yes"]).begin();
    assert_interrupted(&interrupt_at(restore, &dir.path().join("data"), "usher.db."));
    assert_eq!(names(&dir.path().join("data")), before);
    assert!(std::fs::read(dir.path().join("data/usher.db")).unwrap() == database);
}

/// Writes 20,000 accounts to `many.jsonl`.
fn many(dir: &Arc<TempDir>) {
    let line = |n: u32| {
        format!(
            "{{\"id\":\"{n:032x}\",\"username\":\"u{n}\",\"password_hash\":\"$2b$12$cqZbkovU64WekS.FurFqYuNPObPC4ii7N/DRILUBZ6Vmd2wobD8/K\",\
             \"profile_image\":null,\"is_active\":true,\"is_superuser\":false,\"create_at\":\"2026-01-01T00:00:00Z\",\
             \"updated_at\":\"2026-01-01T00:00:00Z\",\"last_login_at\":null}}\n"
        )
    };
    std::fs::write(dir.path().join("many.jsonl"), (1..20_000).map(line).collect::<String>()).unwrap();
}

#[test]
fn an_interrupted_import_adds_no_user() {
    let server = server();
    let dir = Arc::clone(&server.dir);
    many(&dir);
    let mut import = Program::in_dir(&dir, &["import", "usher", "many.jsonl"]).begin();
    // The write lock is held for longer than other writes take, so the import has begun to add users.
    let locked = || {
        let other = database(&dir);
        other.busy_timeout(std::time::Duration::from_millis(200)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_err()
    };
    until("it doesn't lock the database", || {
        assert!(!import.has_exited(), "it ended before it could be stopped");
        locked()
    });
    import.interrupt();
    assert_interrupted(&import.wait_for_exit());
    assert_eq!(done(&dir, &["user", "list", "--search", "u1"]).lines().count(), 1, "the head alone");
    assert!(usher(&dir, &["import", "usher", "many.jsonl"]).status.success());
}

#[test]
fn an_interrupted_export_leaves_no_file() {
    let server = server();
    let dir = Arc::clone(&server.dir);
    many(&dir);
    done(&dir, &["import", "usher", "many.jsonl"]);
    let before = names(dir.path());
    let export = Program::in_dir(&dir, &["export", "all.jsonl"]).begin();
    assert_interrupted(&interrupt_at(export, dir.path(), "all.jsonl."));
    assert_eq!(names(dir.path()), before);
    done(&dir, &["export", "all.jsonl"]);
}
