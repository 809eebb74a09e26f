//! Backups that the server makes by itself.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::desk::names;
use crate::support::Server;
use crate::support::server::Builder;

/// Longer than a backup takes, on a busy machine as well.
const PATIENCE: Duration = Duration::from_mins(1);

fn scheduled(schedule: &str, keep: &str) -> Builder {
    Server::with().manual_clock().set("backup_schedule", schedule).set("backup_keep", keep)
}

fn shelf(server: &Server) -> PathBuf {
    server.data_dir().join("backups")
}

/// Waits until something is so.
#[track_caller]
fn until<T>(what: &str, mut so: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = so() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits until these and no others are on the shelf.
#[track_caller]
fn holds(server: &Server, expected: &[&str]) {
    let name = |time: &&str| format!("usher-{time}Z.db.gz");
    let expected: Vec<String> = expected.iter().map(name).collect();
    let shelf = shelf(server);
    let mut seen = Vec::new();
    until(&format!("{expected:?} are not there"), || {
        seen = names(&shelf);
        (seen == expected).then_some(())
    });
}

/// Waits until so many entries of backups are in the audit log; whether each succeeded, oldest first.
fn audited(server: &Server, count: usize) -> Vec<bool> {
    until("the audit log does not tell", || {
        let database = server.database();
        let mut statement = database.prepare("SELECT success FROM audit WHERE action = 'backup' ORDER BY id").unwrap();
        let found: Vec<bool> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        (found.len() >= count).then_some(found)
    })
}

#[test]
fn the_first_is_made_at_once_the_next_when_they_are_due_and_the_oldest_go() {
    let server = scheduled("every 6h", "2").start();
    holds(&server, &["20260601T120000"]);
    audited(&server, 1);
    server.clock.advance(TimeDelta::hours(6));
    holds(&server, &["20260601T120000", "20260601T180000"]);
    audited(&server, 2);
    server.clock.advance(TimeDelta::hours(6));
    holds(&server, &["20260601T180000", "20260602T000000"]);
    assert_eq!(audited(&server, 3), [true, true, true]);
    assert_eq!(crate::support::process::mode(&shelf(&server)), 0o700);
    assert_eq!(crate::support::process::mode(&shelf(&server).join("usher-20260602T000000Z.db.gz")), 0o600);
}

#[test]
fn one_that_was_missed_while_the_server_was_down_is_made_up_for_and_none_is_made_twice() {
    let server = scheduled("every 1d", "7").start();
    holds(&server, &["20260601T120000"]);
    audited(&server, 1);
    let clock = server.clock.clone();
    let dir = server.stop();
    clock.advance(TimeDelta::hours(1));
    let server = scheduled("every 1d", "7").clock(&clock).in_dir(&dir).start();
    server.admin();
    let dir = server.stop();
    clock.advance(TimeDelta::days(3));
    let server = scheduled("every 1d", "7").clock(&clock).in_dir(&dir).start();
    holds(&server, &["20260601T120000", "20260604T130000"]);
}

#[test]
fn one_that_fails_is_in_the_audit_log_and_tried_again() {
    let server = Server::start();
    let shelf = shelf(&server);
    let dir = server.stop();
    fs::write(&shelf, "in the way").unwrap();
    let server = scheduled("daily", "7").in_dir(&dir).start();
    assert_eq!(audited(&server, 1), [false]);
    fs::remove_file(&shelf).unwrap();
    server.clock.advance(TimeDelta::minutes(31));
    holds(&server, &["20260601T123100"]);
    assert_eq!(audited(&server, 2), [false, true]);
}

#[test]
fn a_clock_that_was_wrong_for_a_while_stops_no_backups() {
    let server = scheduled("every 1h", "3").start();
    holds(&server, &["20260601T120000"]);
    audited(&server, 1);
    server.clock.advance(TimeDelta::days(3650));
    holds(&server, &["20260601T120000", "20360529T120000"]);
    audited(&server, 2);
    server.clock.advance(TimeDelta::days(-3650) + TimeDelta::hours(1));
    holds(&server, &["20260601T120000", "20260601T130000", "20360529T120000"]);
}
