//! Faults on a real system: a full file system, a lock of another process, a wrong clock.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use needs::needs;
use rusqlite::Connection;
use tempfile::TempDir;

use super::assert_sound;
use super::client::{Admin, Client};
use crate::support::process::ServerProcess;
use crate::support::{Program, Response};

/// The library that changes a program's clock.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A 4 MB file system in memory, unmounted when dropped.
struct Small {
    path: PathBuf,
}

impl Small {
    fn mount(path: &Path) -> Self {
        fs::create_dir(path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs"]).arg(path);
        let mounted = mount.output().unwrap();
        assert!(mounted.status.success(), "{mounted:?}");
        Self { path: path.to_owned() }
    }

    /// Fills the file system.
    fn fill(&self) {
        let mut file = fs::File::create(self.path.join("filler")).unwrap();
        for size in [64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.path.join("filler")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

impl Admin {
    /// Writes until a write fails. Returns the error response and the last written picture.
    fn write_until_refused(&mut self) -> (Response, String) {
        let mut last = self.picture();
        for n in 0..3000 {
            let picture = format!("picture {n}");
            let answer = self.set_picture(&picture);
            if answer.status != 200 {
                return (answer, last);
            }
            last = picture;
        }
        panic!("the disk does not fill up");
    }
}

#[needs(root)]
#[test]
fn a_full_file_system_causes_507_and_failed_starts_until_there_is_space() {
    let dir = Arc::new(TempDir::new().unwrap());
    let disk = Small::mount(&dir.path().join("data"));
    let server = Program::in_dir(&dir, &[]).superuser().start();
    let mut admin = Admin::of(server.address);
    for round in 0..2 {
        disk.fill();
        let (refused, last) = admin.write_until_refused();
        assert_eq!((refused.status, refused.detail().as_str()), (507, "The server's disk is full"), "{refused:?}");
        // The rolled-back write may have left enough space in the log for a small one.
        let health = admin.health();
        assert!(health.0 == 200 || health == (507, "The server's disk is full".to_owned()), "{health:?}");
        assert_eq!(admin.client.get("/health").unwrap().status, 200);
        assert_eq!(admin.picture(), last, "what was refused is not to be seen");
        disk.free();
        assert_eq!(admin.set_picture(&format!("after {round}")).status, 200);
        assert_eq!(admin.health(), (200, "ok".to_owned()));
    }
    // Killed on a full disk, the server has lost nothing. Restarted there, it starts or says why not, and damages
    // nothing.
    disk.fill();
    let (_, last) = admin.write_until_refused();
    server.kill();
    match Program::in_dir(&dir, &[]).superuser().try_start() {
        Ok(server) => {
            let mut client = Client::with_token(server.address, admin.client.token.clone());
            assert_eq!(client.get("/api/v1/users/whoami").unwrap().json()["profile_image"], last.as_str());
        }
        Err(ended) => {
            let words = ended.stderr.to_lowercase();
            assert!(words.contains("full") || words.contains("no space"), "{ended:?}");
        }
    }
    disk.free();
    let server = Program::in_dir(&dir, &[]).superuser().start();
    assert_eq!(Admin::of(server.address).picture(), last);
    assert_sound(&server.data_dir());
}

#[needs(root)]
#[test]
fn a_first_start_fails_on_a_full_file_system() {
    let dir = Arc::new(TempDir::new().unwrap());
    let disk = Small::mount(&dir.path().join("data"));
    disk.fill();
    let Err(ended) = Program::in_dir(&dir, &[]).superuser().try_start() else { panic!("there is no room") };
    assert!(ended.stderr.contains("disk is full") || ended.stderr.contains("No space left"), "{ended:?}");
    disk.free();
    let server = Program::in_dir(&dir, &[]).superuser().start();
    assert_eq!(Admin::of(server.address).set_picture("there is room").status, 200);
}

#[test]
fn another_processs_lock_causes_503_for_writes_but_not_for_reads() {
    let server = Program::new(&[]).superuser().start();
    let (mut admin, mut other_admin) = (Admin::of(server.address), Admin::of(server.address));
    #[expect(clippy::disallowed_methods, reason = "another process than the server's opens its database")]
    let other = Connection::open(server.data_dir().join("usher.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE users SET profile_image = 'theirs'").unwrap();
    let (begun, seconds) = (Instant::now(), super::long_or("USHER_LOCK_SECONDS", 0_u64));
    let mut refusals = 0;
    while refusals < 1 || begun.elapsed().as_secs() < seconds {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let refused = admin.set_picture("ours");
                assert_eq!(refused.status, 503, "{refused:?}");
                assert!(refused.header("retry-after").is_some() && !refused.detail().is_empty(), "{refused:?}");
            });
            assert_eq!(other_admin.health(), (503, "The database is locked by another process".to_owned()));
        });
        assert_eq!(admin.picture(), "", "what others have not committed is not to be seen");
        refusals += 1;
    }
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(admin.set_picture("ours again").status, 200);
    assert_eq!((admin.picture(), admin.health().0), ("ours again".to_owned(), 200));
    println!("locked for {:.0?}: {refusals} writes refused, as many reads answered", begun.elapsed());
}

#[needs(libfaketime)]
#[test]
fn a_server_with_a_clock_in_2099_or_2001_deletes_nothing() {
    let server = Program::new(&[]).superuser().start();
    let entries = |server: &ServerProcess| {
        #[expect(clippy::disallowed_methods, reason = "a test looks behind the server")]
        let database = Connection::open(server.data_dir().join("usher.db")).unwrap();
        let all = "SELECT (SELECT sum(count) FROM audit), (SELECT count(*) FROM sessions)";
        database.query_row(all, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap()
    };
    let token = Admin::of(server.address).client.token;
    let (mut dir, mut before) = (Arc::clone(&server.dir), entries(&server));
    assert!(server.stop().status.success());
    for time in ["@2099-01-01 00:00:00", "@2001-01-01 00:00:00"] {
        // At the second start, the database has rows with the wrong time. They don't confirm that time.
        for _ in 0..2 {
            let program = Program::in_dir(&dir, &[]).env("LD_PRELOAD", FAKETIME).env("FAKETIME", time);
            let server = program.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").start();
            let mut admin = Admin::of(server.address);
            let says = |_: &u32| server.log().contains("expired rows aren't deleted");
            let asked = (0..10_000).take_while(|n| !says(n)).map(|_| admin.health().0).collect::<Vec<_>>();
            assert!(says(&0) && asked.iter().all(|status| *status == 200), "{time}: {}", server.log());
            let now = entries(&server);
            assert!(now.0 > before.0 && now.1 > before.1, "{time}: {before:?} {now:?}");
            (dir, before) = (Arc::clone(&server.dir), now);
            assert!(server.stop().status.success());
        }
    }
    let server = Program::in_dir(&dir, &[]).start();
    let mut client = Client::with_token(server.address, token);
    assert_eq!(client.get("/api/v1/users/whoami").unwrap().status, 200, "who was signed in still is");
    // Sessions from 2001 have expired by the right clock and may be swept.
    assert!(entries(&server).0 >= before.0);
}
