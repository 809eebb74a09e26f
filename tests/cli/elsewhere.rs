//! The tool works on the database that the server uses, or says that it does not.

use std::sync::Arc;

use tempfile::TempDir;

use crate::desk::{done, server, token, usher};
use crate::support::Program;

#[test]
fn beside_its_server_nothing_is_warned_of() {
    let server = server();
    let ended = usher(&server.dir, &["user", "list"]);
    assert!(!ended.stderr.contains("warning"), "{ended:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn on_another_database_than_the_running_servers_every_command_says_so_and_which_that_is() {
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
    // Where there is no database at all, that is the way to it.
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
fn a_server_that_starts_is_not_kept_out_by_commands_that_look_for_it() {
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
