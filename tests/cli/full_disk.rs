//! Full disks: a command that runs out of space says so and leaves no file.

use std::process::Command;
use std::sync::Arc;

use needs::needs;
use tempfile::TempDir;

use crate::helpers::{database, done, server};

/// Runs commands in a shell that has a private 512 KiB file system at `small`. Returns the output: after each command,
/// its exit status and the files in `small`.
fn with_small_disk(dir: &Arc<TempDir>, commands: &[&str]) -> String {
    let mut script =
        String::from("set -e; mkdir -p small; mount -t tmpfs -o size=512k tmpfs small; echo mounted; set +e\n");
    for command in commands {
        script.push_str(command);
        script.push_str(" 2>&1; echo \"status $? left: $(ls -A small | tr '\\n' ' ')\"\n");
    }
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", &script]).env_clear().current_dir(dir.path());
    shell.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("USHER", env!("CARGO_BIN_EXE_usher"));
    shell.env("HOME", dir.path()).env("USHER_DATA_DIR", "data").env("USHER_BIND", "127.0.0.1:0");
    let printed = String::from_utf8(shell.output().unwrap().stdout).unwrap();
    printed.strip_prefix("mounted\n").unwrap().to_owned()
}

#[needs(namespaces)]
#[test]
fn on_a_full_disk_commands_fail_with_a_message_and_leave_no_file() {
    let server = server();
    let dir = Arc::clone(&server.dir);
    server.stop();
    let line = |n: u32| {
        format!(
            "{{\"id\":\"{n:032x}\",\"username\":\"u{n}\",\"password_hash\":\"$2b$12$cqZbkovU64WekS.FurFqYuNPObPC4ii7N/DRILUBZ6Vmd2wobD8/K\",\
             \"profile_image\":null,\"is_active\":true,\"is_superuser\":false,\"create_at\":\"2026-01-01T00:00:00Z\",\
             \"updated_at\":\"2026-01-01T00:00:00Z\",\"last_login_at\":null}}\n"
        )
    };
    std::fs::write(dir.path().join("many.jsonl"), (1..4_000).map(line).collect::<String>()).unwrap();
    std::fs::create_dir(dir.path().join("few")).unwrap();
    for name in ["usher.db", "secret_key"] {
        std::fs::copy(dir.path().join("data").join(name), dir.path().join("few").join(name)).unwrap();
    }
    done(&dir, &["import", "usher", "many.jsonl"]);
    done(&dir, &["backup", "whole.gz"]);
    let people: i64 = database(&dir).query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(people, 4_000);
    let printed = with_small_disk(
        &dir,
        &[
            "$USHER backup small/b.gz",
            "$USHER export small/e.jsonl",
            "cp few/* small",
            "$USHER --data-dir small restore whole.gz --yes",
            "$USHER --data-dir small import usher many.jsonl",
            "$USHER --data-dir small user list",
            // Leaves room for the files of SQLite, and little for what is written.
            "head -c $((1024 * ($(df -k --output=avail small | tail -n 1) - 44))) /dev/zero > small/fill; \
             echo quiet-otter-7 | $USHER --data-dir small user add late",
        ],
    );
    let told: Vec<&str> = printed.lines().filter(|line| !line.starts_with("warning: no server")).collect();
    let here = dir.path().display();
    let expected = [
        format!("database: {here}/data/usher.db"),
        "usher: the disk is full: small/b.gz needs the database's size again until it is compressed; free some space, or \
         choose another place"
            .to_owned(),
        "status 1 left: ".to_owned(),
        format!("database: {here}/data/usher.db"),
        "usher: the disk is full: small/e.jsonl can't be written; free some space, or choose another disk".to_owned(),
        "status 1 left: ".to_owned(),
        "status 0 left: secret_key usher.db ".to_owned(),
        format!("database: {here}/small/usher.db"),
        format!(
            "usher: the disk is full: {here}/small/usher.db needs the database's size again until it is compressed; free \
             some space, or choose another place"
        ),
        "status 1 left: secret_key usher.db ".to_owned(),
        format!("database: {here}/small/usher.db"),
        "usher: the disk is full; nothing was imported".to_owned(),
        "status 1 left: secret_key usher.db ".to_owned(),
        format!("database: {here}/small/usher.db"),
    ];
    assert_eq!(told[..expected.len()], expected);
    // The header line must appear once.
    assert!(told[expected.len() + 1].starts_with("admin "), "{told:?}");
    let (before, added) = told.split_at(told.len() - 3);
    assert_eq!(before.last(), Some(&"status 0 left: secret_key usher.db "));
    let database = format!("database: {here}/small/usher.db");
    assert_eq!(added[..2], [database.as_str(), "usher: the disk is full"], "said once");
    assert!(added[2].starts_with("status 1 left: "), "{added:?}");
}
