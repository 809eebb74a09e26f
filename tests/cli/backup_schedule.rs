//! Scheduled backups.

use std::fs;
use std::path::PathBuf;

use chrono::TimeDelta;

use crate::helpers::names;
use crate::support::Server;
use crate::support::server::Builder;
use crate::support::wait::{until, until_some};

fn scheduled(schedule: &str, keep: &str) -> Builder {
    Server::with().manual_clock().set("backup_schedule", schedule).set("backup_keep", keep)
}

fn backup_dir(server: &Server) -> PathBuf {
    server.data_dir().join("backups")
}

/// Waits until the backup directory has exactly these files.
#[track_caller]
fn wait_for_backups(server: &Server, expected: &[&str]) {
    let name = |time: &&str| format!("usher-{time}Z.db.gz");
    let expected: Vec<String> = expected.iter().map(name).collect();
    let shelf = backup_dir(server);
    let mut seen = Vec::new();
    until(&format!("{expected:?} are not there"), || {
        seen = names(&shelf);
        seen == expected
    });
}

/// Waits until the audit log has this many backup entries. Returns their outcomes, oldest first.
fn audited(server: &Server, count: usize) -> Vec<bool> {
    until_some("the audit log does not tell", || {
        let database = server.database();
        let mut statement = database.prepare("SELECT success FROM audit WHERE action = 'backup' ORDER BY id").unwrap();
        let found: Vec<bool> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        (found.len() >= count).then_some(found)
    })
}

#[test]
fn backups_are_made_on_schedule_and_the_oldest_are_deleted() {
    let server = scheduled("every 6h", "2").start();
    wait_for_backups(&server, &["20260601T120000"]);
    audited(&server, 1);
    server.clock.advance(TimeDelta::hours(6));
    wait_for_backups(&server, &["20260601T120000", "20260601T180000"]);
    audited(&server, 2);
    server.clock.advance(TimeDelta::hours(6));
    wait_for_backups(&server, &["20260601T180000", "20260602T000000"]);
    assert_eq!(audited(&server, 3), [true, true, true]);
    assert_eq!(crate::support::process::mode(&backup_dir(&server)), 0o700);
    assert_eq!(crate::support::process::mode(&backup_dir(&server).join("usher-20260602T000000Z.db.gz")), 0o600);
}

#[test]
fn a_missed_backup_is_made_at_the_next_start_once() {
    let server = scheduled("every 1d", "7").start();
    wait_for_backups(&server, &["20260601T120000"]);
    audited(&server, 1);
    let clock = server.clock.clone();
    let dir = server.stop();
    clock.advance(TimeDelta::hours(1));
    let server = scheduled("every 1d", "7").clock(&clock).in_dir(&dir).start();
    server.admin();
    let dir = server.stop();
    clock.advance(TimeDelta::days(3));
    let server = scheduled("every 1d", "7").clock(&clock).in_dir(&dir).start();
    wait_for_backups(&server, &["20260601T120000", "20260604T130000"]);
}

#[test]
fn a_failed_backup_is_audited_and_retried() {
    let server = Server::start();
    let shelf = backup_dir(&server);
    let dir = server.stop();
    fs::write(&shelf, "in the way").unwrap();
    let server = scheduled("daily", "7").in_dir(&dir).start();
    assert_eq!(audited(&server, 1), [false]);
    fs::remove_file(&shelf).unwrap();
    server.clock.advance(TimeDelta::minutes(31));
    wait_for_backups(&server, &["20260601T123100"]);
    assert_eq!(audited(&server, 2), [false, true]);
}

#[test]
fn a_temporarily_wrong_clock_does_not_stop_backups() {
    let server = scheduled("every 1h", "3").start();
    wait_for_backups(&server, &["20260601T120000"]);
    audited(&server, 1);
    server.clock.advance(TimeDelta::days(3650));
    wait_for_backups(&server, &["20260601T120000", "20360529T120000"]);
    audited(&server, 2);
    server.clock.advance(TimeDelta::days(-3650) + TimeDelta::hours(1));
    wait_for_backups(&server, &["20260601T120000", "20260601T130000", "20360529T120000"]);
}
