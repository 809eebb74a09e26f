//! Guarantees under faults: power cuts, kills, failing disks, hostile clients. `docs/reliability.md` lists the
//! guarantees and explains the long runs of these tests.

mod client;
mod disk;
mod disk_and_clock;
mod hostile_clients;
mod kills;
mod power_cuts;
mod random_requests;
mod real_disk;
mod vfs;

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// A number from the environment, for long runs.
fn long_or<T: std::str::FromStr>(variable: &str, short: T) -> T {
    #[expect(clippy::disallowed_methods, reason = "how long a test runs is no setting of usher's")]
    let set = std::env::var(variable).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(short)
}

/// A temporary directory, in memory where possible, because tests create thousands of files in it.
fn scratch() -> Arc<TempDir> {
    let memory = Path::new("/dev/shm");
    Arc::new(if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap())
}

/// Asserts that SQLite's integrity check passes for this data directory's database.
#[track_caller]
fn assert_sound(data: &Path) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(data.join("usher.db"), flags).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}
