//! Commands warn if they use another database than the running server.

use std::sync::Arc;

use tempfile::TempDir;

use crate::helpers::{done, server, token, usher};
use crate::support::Program;

#[test]
fn commands_on_the_servers_database_warn_of_nothing() {
    let server = server();
    let ended = usher(&server.dir, &["user", "list"]);
    assert!(!ended.stderr.contains("warning"), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn commands_on_another_database_name_the_running_servers() {
    let running = server();
    let other = server();
    let dir = Arc::clone(&other.dir);
    other.stop();
    let lines = format!("process {} with --data-dir {}", running.id(), running.data_dir().display());
    for arguments in [&["user", "list"][..], &["audit"], &["config"], &["backup", "b.gz"], &["export", "e.jsonl"]] {
        let ended = usher(&dir, arguments);
        assert!(ended.status.success() && ended.stderr.contains("no server uses this database"), "{ended:?}");
        assert!(ended.stderr.contains(&lines), "{lines}: {ended:?}");
    }
    // Without a database, the message names the server's.
    let nowhere = Arc::new(TempDir::new().unwrap());
    let ended = usher(&nowhere, &["user", "set-password", "admin"]);
    assert!(!ended.status.success() && ended.stderr.contains(&lines), "{ended:?}");
    let named = Program::in_dir(
        &nowhere,
        &["--data-dir", running.data_dir().to_str().unwrap(), "user", "set-password", "admin"],
    );
    let ended = named.input("a lost password 1").finish();
    assert!(ended.status.success(), "{ended:?}");
    token(&running, "admin", "a lost password 1");
}

#[test]
fn commands_that_look_for_a_server_do_not_prevent_its_start() {
    let first = server();
    let dir = Arc::clone(&first.dir);
    first.stop();
    let asking = std::thread::spawn({
        let dir = Arc::clone(&dir);
        move || (0..10).for_each(|_| drop(done(&dir, &["user", "list"])))
    });
    for _ in 0..3 {
        Program::in_dir(&dir, &[]).start().stop();
    }
    asking.join().unwrap();
}
