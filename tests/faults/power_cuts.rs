//! Simulates a power cut at every point of a load of concurrent writes, and checks what the next start finds.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use futures_util::future::join_all;
use rusqlite::{Connection, OpenFlags};
use usher::domain::clock::{Clock, Timestamp};
use usher::domain::secret::PasswordHash;
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::{DATABASE_FILE, Db, Options, StoreError, user_list, users};
use uuid::Uuid;

use super::disk::{Disk, Files, Seeded};
use super::vfs::{self, Event};
use super::{long_or, scratch};

/// The number of concurrent writers.
const TASKS: u64 = 8;

/// The state that a task leaves after `steps` steps: its user's picture and its guests.
fn expected(task: u64, steps: u64) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for step in 0..steps {
        match kind(step) {
            Step::Add => drop(state.insert(format!("t{task}-{step}"), String::new())),
            Step::Change => drop(state.insert(format!("t{task}-0"), format!("picture {step}"))),
            Step::Delete(which) => drop(state.remove(&format!("t{task}-{which}"))),
        }
    }
    state
}

enum Step {
    Add,
    Change,
    /// The user that was added in this step.
    Delete(u64),
}

fn kind(step: u64) -> Step {
    match step % 4 {
        _ if step == 0 => Step::Add,
        1 => Step::Add,
        3 if step % 8 == 7 => Step::Delete(step - 2),
        _ => Step::Change,
    }
}

fn user(name: &str, now: Timestamp) -> User {
    User {
        id: Uuid::new_v4(),
        username: Username::parse(name).unwrap(),
        profile_image: None,
        store_api_key: None,
        is_active: true,
        is_superuser: false,
        create_at: now,
        updated_at: now,
        last_login_at: None,
        optins: None,
        must_change_password: false,
    }
}

async fn work(db: &Db, watch: &vfs::Watch, task: u64, steps: u64) {
    let now = Clock::system().now();
    for step in 0..steps {
        let done: Result<(), StoreError> = match kind(step) {
            Step::Add => {
                let user = user(&format!("t{task}-{step}"), now);
                db.write(move |connection| users::insert(connection, &user, &PasswordHash::new("none".to_owned())))
                    .await
            }
            Step::Change => {
                db.write(move |connection| {
                    let (before, _) = users::find_by_name(connection, &format!("t{task}-0"))?.unwrap();
                    let picture = Some(format!("picture {step}"));
                    users::update(connection, &before, &User { profile_image: picture, ..before.clone() })
                })
                .await
            }
            Step::Delete(which) => {
                db.write(move |connection| {
                    let (user, _) = users::find_by_name(connection, &format!("t{task}-{which}"))?.unwrap();
                    users::delete(connection, user.id).map(drop)
                })
                .await
            }
        };
        done.unwrap();
        watch.mark(task);
    }
}

/// Runs the load on a new database and returns the recorded file operations.
fn record(steps: u64, setup: &'static str) -> Vec<Event> {
    let dir = scratch();
    let watch = vfs::watch(dir.path());
    let db = Db::open_for_test(&Options { data_dir: dir.path().to_owned(), readers: 2, create: true }, setup).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(join_all((0..TASKS).map(|task| work(&db, &watch, task, steps))));
    db.close();
    drop(db);
    watch.events()
}

/// Why a power cut lost data.
type Loss = String;

/// Opens the files after a cut and compares them with what was acknowledged before.
fn survives(dir: &Path, files: &Files, acknowledged: &[u64]) -> Result<(), Loss> {
    let _ = std::fs::remove_dir_all(dir);
    std::fs::create_dir(dir).unwrap();
    for (name, content) in files {
        std::fs::write(dir.join(name), content).unwrap();
    }
    let path = dir.join(DATABASE_FILE);
    if !path.exists() || acknowledged.iter().all(|steps| *steps == 0) {
        // A cut during the first start: the store replaces the unfinished database.
        let options = Options { data_dir: dir.to_owned(), readers: 1, create: true };
        Db::open(&options).map_err(|error| error.to_string())?.close();
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(|error| error.to_string())?;
    let found = look(connection)?;
    for (task, steps) in acknowledged.iter().enumerate() {
        let task = task as u64;
        let mine: BTreeMap<String, String> = found
            .iter()
            .filter(|(name, _)| name.starts_with(&format!("t{task}-")))
            .map(|(name, picture)| (name.clone(), picture.clone()))
            .collect();
        // The pending step may be there or not. All earlier steps must be.
        if mine != expected(task, *steps) && mine != expected(task, steps + 1) {
            return Err(format!("task {task} was told of {steps} steps, and this is left: {mine:?}"));
        }
    }
    Ok(())
}

fn look(connection: Connection) -> Result<BTreeMap<String, String>, Loss> {
    let failed = |error: rusqlite::Error| error.to_string();
    connection.execute_batch("PRAGMA synchronous = OFF").map_err(failed)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(failed)?;
    if verdict != "ok" {
        return Err(format!("integrity_check: {verdict}"));
    }
    let everybody = user_list::UserQuery { limit: i64::MAX, ..user_list::UserQuery::default() };
    let (count, users) = user_list::list(&connection.into(), &everybody).map_err(|error| error.described())?;
    if usize::try_from(count).ok() != Some(users.len()) {
        return Err(format!("{count} users are counted, {} are there", users.len()));
    }
    Ok(users.into_iter().map(|user| (user.username.to_string(), user.profile_image.unwrap_or_default())).collect())
}

#[derive(Debug, Default)]
struct Report {
    /// The number of points of a power cut.
    points: usize,
    /// The number of possible states of the files. The same state is opened once.
    states: usize,
    opened: usize,
    checkpoints: usize,
    losses: Vec<Loss>,
}

/// Cuts the power at every point, with `torn` random subsets of the unsynced data each.
fn cut_everywhere(events: &[Event], torn: u64) -> Report {
    let dir = scratch();
    let target = dir.path().join("cut");
    let (mut disk, mut acknowledged) = (Disk::default(), vec![0; usize::try_from(TASKS).unwrap()]);
    let (mut report, mut seen) = (Report::default(), HashSet::new());
    for (point, event) in events.iter().enumerate() {
        disk.apply(event);
        if let Event::Mark(task) = event {
            acknowledged[usize::try_from(*task).unwrap()] += 1;
        }
        report.points += 1;
        let mut states = vec![disk.all()];
        if !disk.is_synced() {
            states.push(disk.none());
            states.extend((0..torn).map(|seed| {
                let mut seeded = Seeded(((point as u64) << 16) | seed);
                let percent = [50, 90, 10][usize::try_from(seed % 3).unwrap()];
                disk.torn(|| seeded.chance(percent))
            }));
        }
        for files in states {
            report.states += 1;
            let mut hasher = DefaultHasher::new();
            (&files, &acknowledged).hash(&mut hasher);
            if seen.insert(hasher.finish()) {
                report.opened += 1;
                if let Err(loss) = survives(&target, &files, &acknowledged) {
                    report.losses.push(format!("cut after event {point}: {loss}"));
                }
            }
        }
    }
    let main: HashSet<u64> = events.iter().filter_map(main_file).collect();
    let syncs = events.iter().filter(|event| matches!(event, Event::Sync { file } if main.contains(file)));
    report.checkpoints = syncs.count();
    report
}

fn main_file(event: &Event) -> Option<u64> {
    match event {
        Event::Open { file, name, .. } if name == DATABASE_FILE => Some(*file),
        _ => None,
    }
}

/// Small write-ahead logs, so that a short load has many checkpoints.
const OFTEN: &str = "PRAGMA wal_autocheckpoint = 25";

#[test]
fn a_power_cut_at_any_point_loses_no_acknowledged_write() {
    let events = record(long_or("USHER_CUT_STEPS", 24), OFTEN);
    let report = cut_everywhere(&events, long_or("USHER_CUT_TORN", 3));
    println!(
        "{} points, {} states ({} of them different), {} checkpoints, {} losses",
        report.points,
        report.states,
        report.opened,
        report.checkpoints,
        report.losses.len()
    );
    assert!(report.losses.is_empty(), "{:#?}", &report.losses[..report.losses.len().min(5)]);
    assert!(report.checkpoints > 1, "the load was too small to fold the log into the file");
}

#[test]
fn the_power_cut_test_fails_without_syncs() {
    let events = record(6, "PRAGMA wal_autocheckpoint = 25; PRAGMA synchronous = OFF");
    let report = cut_everywhere(&events, 1);
    assert!(!report.losses.is_empty(), "{} states, and none of them lost anything", report.states);
}
