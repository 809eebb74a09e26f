//! Faults of disk, lock and clock, and deleted files: which requests fail, which work, and that the server recovers by
//! itself.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use usher::domain::clock::Clock;

use super::assert_sound;
use super::client::{Admin, Client, new_user};
use super::vfs::{self, Fault, Watch};
use crate::support::server::{ADMIN, PASSWORD};
use crate::support::{Program, Server};

/// A server on a disk that can fail.
struct Machine {
    watch: Arc<Watch>,
    admin: Admin,
    server: Server,
}

impl Machine {
    fn new() -> Self {
        let dir = super::scratch();
        fs::create_dir(dir.path().join("data")).unwrap();
        let watch = vfs::watch(&dir.path().join("data"));
        let server = Server::with().in_dir(&dir).start();
        Self { watch, admin: Admin::of(server.address), server }
    }
}

/// Asserts that with this fault, writes get `status` and a message, `/health_check` says `sentence`, and reads work.
/// Afterwards, everything works again without a restart.
fn survives(fault: Fault, status: u16, sentence: &str) {
    let mut machine = Machine::new();
    assert_eq!(machine.admin.set_picture("before").status, 200);
    for round in 0..3 {
        machine.watch.fail(Some(fault));
        let refused = machine.admin.set_picture("refused");
        assert_eq!(refused.status, status, "{refused:?}");
        assert!(!refused.detail().is_empty(), "{refused:?}");
        assert_eq!(refused.header("retry-after").is_some(), status == 503, "{refused:?}");
        let added = machine.admin.client.json("POST", "/api/v1/users/", &new_user("somebody", PASSWORD)).unwrap();
        assert_eq!(added.status, status, "{added:?}");
        assert_eq!(machine.admin.client.login(ADMIN.0, ADMIN.1).unwrap().status, status);
        assert_eq!(machine.admin.health(), (status, sentence.to_owned()));
        assert_eq!(machine.admin.client.get("/health").unwrap().status, 200);
        assert_eq!(machine.admin.client.get("/api/v1/users/").unwrap().json()["total_count"], 1);
        let before = if round == 0 { "before".to_owned() } else { format!("after {}", round - 1) };
        assert_eq!(machine.admin.picture(), before, "what was refused is not to be seen");
        machine.watch.fail(None);
        assert_eq!(machine.admin.set_picture(&format!("after {round}")).status, 200);
        assert_eq!(machine.admin.picture(), format!("after {round}"));
        assert_eq!(machine.admin.health(), (200, "ok".to_owned()));
    }
    // The next server finds exactly what was acknowledged.
    let dir = machine.server.stop();
    assert_sound(&dir.path().join("data"));
    let again = Server::with().in_dir(&dir).start();
    assert_eq!(again.whoami(&again.admin()).json()["profile_image"], "after 2");
}

#[test]
fn on_a_full_disk_writes_get_507_until_there_is_space() {
    survives(Fault::Full, 507, "The server's disk is full");
}

#[test]
fn writes_fail_while_the_disk_cannot_write() {
    survives(Fault::Writes, 503, "The disk reports errors");
}

#[test]
fn nothing_is_acknowledged_while_the_disk_cannot_sync() {
    survives(Fault::Syncs, 503, "The disk reports errors");
}

#[test]
fn writes_fail_while_the_file_is_read_only() {
    survives(Fault::ReadOnly, 503, "The database is read-only");
}

#[test]
fn writes_fail_while_another_process_holds_the_lock() {
    survives(Fault::Locked, 503, "The database is locked by another process");
}

#[test]
fn a_disk_that_fails_completely_causes_errors_until_it_recovers() {
    let mut machine = Machine::new();
    assert_eq!(machine.admin.set_picture("before").status, 200);
    machine.watch.fail(Some(Fault::Everything));
    assert_eq!(machine.admin.set_picture("refused").status, 503);
    assert_eq!(machine.admin.health(), (503, "The disk reports errors".to_owned()));
    // SQLite can still serve cached pages.
    let read = machine.admin.client.get("/api/v1/users/").unwrap();
    assert!(read.status == 200 || (read.status == 503 && !read.detail().is_empty()), "{read:?}");
    machine.watch.fail(None);
    assert_eq!(machine.admin.picture(), "before");
    assert_eq!(machine.admin.set_picture("after").status, 200);
    assert_eq!(machine.admin.health().0, 200);
}

#[test]
fn a_clock_that_jumps_back_and_forth_breaks_nothing() {
    let clock = Clock::manual(Clock::system().now());
    let server = Server::with().set("throttle", "true").clock(&clock).in_dir(&super::scratch()).start();
    let mut client = Client::admin(server.address);
    let first = client.token.clone();
    for days in [1, -1, 400, -800, 400, 36_500, -36_500] {
        clock.advance(TimeDelta::days(days));
        // Failures with a time in the future don't delay sign-ins.
        for _ in 0..6 {
            let wrong = client.login(ADMIN.0, "wrong").unwrap();
            assert!([401, 429].contains(&wrong.status), "{days}: {wrong:?}");
        }
        clock.advance(TimeDelta::minutes(16));
        let here = client.login(ADMIN.0, ADMIN.1).unwrap();
        assert_eq!(here.status, 200, "{days}: {here:?}");
        let mut other = Client::new(server.address);
        other.token = here.json()["access_token"].as_str().map(ToOwned::to_owned);
        assert_eq!(other.get("/api/v1/users/whoami").unwrap().status, 200, "{days}");
        let me = client.get("/api/v1/users/whoami").unwrap();
        assert!([200, 401].contains(&me.status), "{days}: {me:?}");
        for path in ["/health_check", "/api/v1/session"] {
            assert_eq!(client.get(path).unwrap().status, 200, "{days} {path}");
        }
        clock.advance(TimeDelta::minutes(-16));
    }
    // Back at the original time, the session is still valid.
    client.token = first;
    assert_eq!(client.get("/api/v1/users/whoami").unwrap().status, 200);
}

/// Asserts that no write is acknowledged, and that reads work.
fn assert_refuses(client: &mut Client) {
    for name in ["first", "second"] {
        let refused = client.json("POST", "/api/v1/users/", &new_user(name, PASSWORD)).unwrap();
        assert_eq!(refused.status, 503, "{refused:?}");
        assert_eq!(client.login(ADMIN.0, ADMIN.1).unwrap().status, 503);
    }
    let health = client.get("/health_check").unwrap();
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["db"], "The database file was deleted or replaced; restart the server");
    assert_eq!(client.get("/api/v1/users/whoami").unwrap().status, 200);
}

fn refuses_after(damage: impl FnOnce(&Path)) {
    let server = Server::with().in_dir(&super::scratch()).start();
    let mut client = Client::admin(server.address);
    damage(&server.data_dir());
    assert_refuses(&mut client);
}

#[test]
fn nothing_is_acknowledged_once_the_database_is_replaced() {
    refuses_after(|data| {
        fs::copy(data.join("usher.db"), data.join("copy")).unwrap();
        fs::rename(data.join("copy"), data.join("usher.db")).unwrap();
    });
}

#[test]
fn nothing_is_acknowledged_once_the_database_is_moved_away() {
    refuses_after(|data| fs::rename(data.join("usher.db"), data.join("away")).unwrap());
}

#[test]
fn nothing_is_acknowledged_once_the_write_ahead_log_is_deleted() {
    refuses_after(|data| fs::remove_file(data.join("usher.db-wal")).unwrap());
}

#[test]
fn nothing_is_acknowledged_once_the_index_of_the_log_is_deleted() {
    refuses_after(|data| fs::remove_file(data.join("usher.db-shm")).unwrap());
}

/// The command makes an index of its own and writes to the same log.
#[test]
fn after_the_index_of_the_log_is_deleted_a_stop_keeps_what_a_command_has_written() {
    let server = Program::new(&[]).superuser().start();
    let mut client = Client::admin(server.address);
    client.json("POST", "/api/v1/users/", &new_user("alice", PASSWORD)).unwrap().expect(201);
    fs::remove_file(server.data_dir().join("usher.db-shm")).unwrap();
    let promoted = Program::in_dir(&server.dir, &["user", "promote", "alice"]).finish();
    assert!(promoted.status.success(), "{}", promoted.stderr);
    let refused = client.json("POST", "/api/v1/users/", &new_user("bob", PASSWORD)).unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    let dir = Arc::clone(&server.dir);
    assert!(server.stop().status.success());
    let server = Program::in_dir(&dir, &[]).superuser().start();
    let found = Client::admin(server.address).get("/api/v1/users/?search=alice").unwrap().json();
    assert_eq!(found["users"][0]["is_superuser"], true);
    assert_sound(&server.data_dir());
}

#[test]
fn nothing_is_acknowledged_once_the_database_is_deleted_until_a_restart() {
    let server = Program::new(&[]).superuser().start();
    let mut client = Client::admin(server.address);
    fs::remove_file(server.data_dir().join("usher.db")).unwrap();
    assert_refuses(&mut client);
    assert!(server.log().contains("restart usher"), "{}", server.log());
    let server = Program::in_dir(&server.kill(), &[]).superuser().start();
    let mut client = Client::admin(server.address);
    client.json("POST", "/api/v1/users/", &new_user("third", PASSWORD)).unwrap().expect(201);
    assert_sound(&server.data_dir());
}
