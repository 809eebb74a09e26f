//! `usher backup` and `usher restore`, with the real binary beside a running server.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use support::process::{Ended, mode};
use support::{Program, Request, Running};
use tempfile::TempDir;

fn beside(dir: &Arc<TempDir>, arguments: &[&str]) -> Ended {
    Program::in_dir(dir, arguments).finish()
}

fn login(server: &Running) -> support::Response {
    server.request("POST", "/api/v1/login").form(&[("username", "admin"), ("password", "adminpw123")]).send()
}

fn sign_up(address: std::net::SocketAddr, name: &str) -> u16 {
    let body = json!({ "username": name, "password": "correct horse 1" });
    Request::new(address, "POST", "/api/v1/users/").json(&body).send().status
}

#[test]
fn a_backup_made_while_the_server_writes_brings_back_that_moment_and_keeps_the_database_it_replaces() {
    let server = Program::new(&[]).superuser().env("USHER_THROTTLE", "false").start();
    let dir = Arc::clone(&server.dir);
    assert_eq!(sign_up(server.address, "before"), 201);
    let old = login(&server).expect(200).json();

    let writing = Arc::new(AtomicBool::new(true));
    let writer = std::thread::spawn({
        let (writing, address) = (Arc::clone(&writing), server.address);
        move || {
            let mut count = 0;
            while writing.load(Ordering::Relaxed) {
                assert_eq!(sign_up(address, &format!("during{count}")), 201);
                count += 1;
            }
        }
    });
    let ended = beside(&dir, &["backup", "copy.gz"]);
    writing.store(false, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(ended.status.success() && ended.stdout.contains("checked and written"), "{ended:?}");
    assert_eq!(mode(&dir.path().join("copy.gz")), 0o600);
    assert_eq!(sign_up(server.address, "after"), 201);

    let refused = beside(&dir, &["restore", "copy.gz", "--yes"]);
    assert!(!refused.status.success() && refused.stderr.contains("stop it first"), "{refused:?}");
    server.stop();
    let refused = beside(&dir, &["restore", "copy.gz"]);
    assert!(!refused.status.success() && refused.stderr.contains("--yes"), "{refused:?}");
    let ended = beside(&dir, &["restore", "copy.gz", "--yes"]);
    assert!(ended.status.success() && ended.stdout.contains("is kept as"), "{ended:?}");
    let kept = std::fs::read_dir(dir.path().join("data")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(kept.filter(|name| name.to_string_lossy().contains(".before-restore-")).count(), 1);

    let server = Program::in_dir(&dir, &[]).env("USHER_THROTTLE", "false").start();
    let whoami = |token: &str| server.request("GET", "/api/v1/users/whoami").bearer(token).send();
    whoami(old["access_token"].as_str().unwrap()).refused(401, "Session has ended.");
    let token = login(&server).expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let people = |name: &str| {
        let path = format!("/api/v1/users/?search={name}");
        server.request("GET", &path).bearer(&token).send().expect(200).json()["total_count"].clone()
    };
    assert_eq!((people("before"), people("after")), (json!(1), json!(0)));
}

#[test]
fn a_damaged_or_foreign_backup_is_refused_before_anything_is_touched() {
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    assert!(beside(&dir, &["backup", "good.gz"]).status.success());
    let again = beside(&dir, &["backup", "good.gz"]);
    assert!(!again.status.success() && again.stderr.contains("exists"), "{again:?}");
    server.stop();
    let database = dir.path().join("data/usher.db");
    let before = std::fs::read(&database).unwrap();

    let good = std::fs::read(dir.path().join("good.gz")).unwrap();
    std::fs::write(dir.path().join("cut.gz"), &good[..good.len() / 2]).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    std::fs::write(dir.path().join("flipped.gz"), flipped).unwrap();
    let mut holed = before.clone();
    holed[4096..12288].fill(0xa5);
    std::fs::write(dir.path().join("holed.db"), holed).unwrap();
    std::fs::write(dir.path().join("text"), "this is no database, however one looks at it").unwrap();
    for bad in ["cut.gz", "flipped.gz", "holed.db", "text", "missing.gz"] {
        let ended = beside(&dir, &["restore", bad, "--yes"]);
        assert!(!ended.status.success(), "{bad}: {ended:?}");
        assert!(std::fs::read(&database).unwrap() == before, "{bad}");
    }
    let names = std::fs::read_dir(dir.path().join("data")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("restore")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_root_restores_belongs_to_whoever_the_data_directory_belongs_to() {
    use std::os::unix::fs::{MetadataExt, chown};
    let server = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&server.dir);
    assert!(beside(&dir, &["backup", "copy.gz"]).status.success());
    server.stop();
    let data = dir.path().join("data");
    // A service's own user; only root can play this part.
    if chown(&data, Some(61_234), Some(61_234)).is_err() {
        return;
    }
    let ended = beside(&dir, &["restore", "copy.gz", "--yes"]);
    assert!(ended.status.success(), "{ended:?}");
    let restored = std::fs::metadata(data.join("usher.db")).unwrap();
    assert_eq!((restored.uid(), restored.gid()), (61_234, 61_234));
}
