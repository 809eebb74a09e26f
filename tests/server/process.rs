//! The program as a process: output, files, exit status, and refused starts.

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use crate::support::process::mode;
use crate::support::{Program, ServerProcess};

/// All files of a directory with their contents, to check that nothing changed.
fn snapshot(dir: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).map(|entries| entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>());
    let mut files: Vec<_> = entries
        .unwrap_or_default()
        .into_iter()
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap_or_default()))
        .collect();
    files.sort();
    files
}

/// Asserts that the start fails with one sentence that contains these words and changes no file.
fn refused(dir: &Arc<TempDir>, arguments: &[&str], words: &[&str]) {
    let before = (snapshot(dir.path()), snapshot(&dir.path().join("data")));
    let ended = Program::in_dir(dir, arguments).superuser().finish();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let sentence = ended.stderr.lines().find(|line| line.starts_with("usher: ")).unwrap_or_else(|| panic!("{ended:?}"));
    for word in words {
        assert!(sentence.contains(word), "{word:?} is not in {sentence:?}");
    }
    assert!(!ended.stderr.contains("adminpw123"));
    assert_eq!((snapshot(dir.path()), snapshot(&dir.path().join("data"))), before);
}

fn dir() -> Arc<TempDir> {
    Arc::new(TempDir::new().unwrap())
}

#[test]
fn a_start_prints_the_address_for_programs_and_the_data_directory_for_people() {
    let server = Program::new(&[]).superuser().start();
    assert_eq!(server.ready["event"], "ready");
    assert_eq!(server.ready["pid"], server.id());
    assert_eq!(server.ready["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(server.ready["url"], format!("http://{}", server.address));
    let data = server.data_dir();
    assert_eq!(mode(&data), 0o700);
    for file in ["usher.db", "secret_key"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    let ended = server.stop();
    assert!(ended.status.success() && ended.stdout.lines().count() == 1, "{ended:?}");
    assert!(ended.stderr.contains(&format!("data directory: {}", data.display())), "{ended:?}");
    assert!(!data.join("usher.db-wal").exists(), "the log is folded into the file");
    assert!(!ended.stderr.contains("adminpw123"));
}

/// Otherwise sign-ins starve beside programs that keep all cores busy.
#[cfg(target_os = "linux")]
#[test]
fn hashing_has_the_priority_of_the_process() {
    let server = Program::new(&[]).superuser().start();
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let mut niceness = std::collections::BTreeMap::new();
    for thread in threads {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
        let (front, fields) = stat.rsplit_once(") ").unwrap();
        let name = front.split_once('(').unwrap().1;
        niceness.insert(name.to_owned(), fields.split(' ').nth(16).unwrap().to_owned());
    }
    assert_eq!(niceness["usher-hasher"], niceness["usher-writer"], "{niceness:?}");
}

#[test]
fn files_that_others_could_read_are_made_private_again() {
    use std::os::unix::fs::PermissionsExt;
    let first = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&first.dir);
    first.stop();
    let data = dir.path().join("data");
    for (path, open) in [(data.clone(), 0o755), (data.join("usher.db"), 0o644), (data.join("secret_key"), 0o640)] {
        fs::set_permissions(path, fs::Permissions::from_mode(open)).unwrap();
    }
    let _again = Program::in_dir(&dir, &[]).superuser().start();
    let modes = [data.clone(), data.join("usher.db"), data.join("secret_key")].map(|path| mode(&path));
    assert_eq!(modes, [0o700, 0o600, 0o600]);
}

#[test]
fn both_signals_stop_the_server_after_pending_requests() {
    for stop in [ServerProcess::terminate, ServerProcess::interrupt] {
        let server = Program::new(&["--workers", "1"]).superuser().start();
        let mut open = server.connect();
        let (begin, end) = (r#"{"username":"a","#, r#""password":"quiet-otter-777"}"#);
        let head = "POST /api/v1/users/ HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
        open.write(format!("{head}\r\ncontent-length: {}\r\n\r\n{begin}", begin.len() + end.len()).as_bytes());
        // Once the server has answered another request on the same thread pool, this request is in progress.
        server.request("GET", "/health").send().expect(200);
        stop(&server);
        open.write(end.as_bytes());
        assert_eq!(open.read(false).unwrap().status, 201);
        assert!(server.wait_for_exit().status.success());
    }
}

#[test]
fn invalid_settings_prevent_the_start() {
    let dir = dir();
    refused(&dir, &["--workers", "many"], &["--workers", "many"]);
    refused(&dir, &["--bind", "nowhere"], &["--bind"]);
    refused(&dir, &["--bcrypt-cost", "9"], &["--bcrypt-cost", "10"]);
    refused(&dir, &["--config", "absent.toml"], &["absent.toml"]);
    fs::write(dir.path().join("usher.toml"), "sekret_key = \"hunter2hunter2\"\n").unwrap();
    refused(&dir, &[], &["usher.toml", "sekret_key", "secret_key"]);
    fs::write(dir.path().join("usher.toml"), "bind = 7\n").unwrap();
    refused(&dir, &[], &["usher.toml", "bind"]);
    fs::write(dir.path().join("usher.toml"), "secret_key = \"hunter2\n").unwrap();
    refused(&dir, &[], &["usher.toml", "line 1"]);
    fs::write(dir.path().join("usher.toml"), "secret_key = \"hunter2\"\n").unwrap();
    refused(&dir, &[], &["usher.toml", "secret_key", "32 characters"]);
    let ended = Program::in_dir(&dir, &[]).finish();
    assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
}

#[test]
fn the_settings_file_in_the_working_directory_is_read_and_logged() {
    let dir = dir();
    fs::write(dir.path().join("usher.toml"), "signup = \"closed\"\n").unwrap();
    let server = Program::in_dir(&dir, &[]).superuser().start();
    let file = dir.path().join("usher.toml");
    let body = serde_json::json!({"username": "a", "password": "quiet-otter-7"});
    server.request("POST", "/api/v1/users/").json(&body).send().expect(403);
    let ended = server.stop();
    assert!(ended.stderr.contains(&format!("settings are read from {}", file.display())), "{ended:?}");
}

#[test]
fn an_unusable_data_directory_prevents_the_start_and_stays_unchanged() {
    let file_in_the_way = dir();
    fs::write(file_in_the_way.path().join("data"), "a file").unwrap();
    refused(&file_in_the_way, &[], &["data"]);

    for (content, words) in [
        (b"this is no database, but it is long enough to have a header of a hundred bytes, which SQLite files all have at least".to_vec(), "not a SQLite database"),
        (b"short".to_vec(), "not a SQLite database"),
    ] {
        let dir = dir();
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(dir.path().join("data/usher.db"), content).unwrap();
        refused(&dir, &[], &["usher.db", words]);
    }

    let foreign = dir();
    fs::create_dir(foreign.path().join("data")).unwrap();
    let open =
        |path: &std::path::Path| rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::default()).unwrap();
    open(&foreign.path().join("data/usher.db")).execute_batch("CREATE TABLE user (id)").unwrap();
    refused(&foreign, &[], &["usher.db", "another program's SQLite database"]);

    let newer = Program::new(&[]).superuser().start();
    let dir = Arc::clone(&newer.dir);
    newer.stop();
    let database = open(&dir.path().join("data/usher.db"));
    database.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99").unwrap();
    drop(database);
    refused(&dir, &[], &["usher.db", "schema version 99"]);
}

#[test]
fn two_servers_share_neither_a_data_directory_nor_a_port() {
    let server = Program::new(&[]).superuser().start();
    let second = Program::in_dir(&server.dir, &[]).superuser().finish();
    assert_eq!(second.status.code(), Some(1));
    assert!(second.stderr.contains("another usher is running on"), "{second:?}");
    let elsewhere = dir();
    let bind = server.address.to_string();
    let taken = Program::in_dir(&elsewhere, &["--bind", &bind]).superuser().finish();
    assert_eq!(taken.status.code(), Some(1));
    assert!(taken.stderr.contains("cannot listen on") && taken.stderr.contains(&bind), "{taken:?}");
    assert!(!elsewhere.path().join("data/usher.db").exists());
    server.request("GET", "/health_check").send().expect(200);
}

#[test]
fn without_a_terminal_the_setup_link_goes_to_a_private_file() {
    let server = Program::new(&[]).start();
    let link = server.data_dir().join("setup-link");
    assert_eq!(mode(&link), 0o600);
    let text = fs::read_to_string(&link).unwrap();
    let (url, token) = text.trim().split_once("/setup#token=").unwrap();
    assert_eq!(url, server.ready["url"]);
    let body = serde_json::json!({"token": token, "username": "root", "password": "quiet-otter-7"});
    server.request("POST", "/api/v1/setup").json(&body).send().expect(201);
    let dir = Arc::clone(&server.dir);
    let ended = server.stop();
    assert!(ended.stderr.contains(&link.display().to_string()) && !ended.stderr.contains(token), "{ended:?}");
    let again = Program::in_dir(&dir, &[]).start();
    assert!(!again.data_dir().join("setup-link").exists());
}

#[test]
fn the_command_line_adds_users_but_never_creates_a_database() {
    let nowhere = Program::new(&["user", "add", "root", "--superuser"]).input("quiet-otter-7\n").finish();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(nowhere.stderr.contains("does not exist"), "{nowhere:?}");

    let server = Program::new(&[]).start();
    let add = |input: &str, arguments: &[&str]| Program::in_dir(&server.dir, arguments).input(input).finish();
    let token = fs::read_to_string(server.data_dir().join("setup-link")).unwrap();
    let token = token.trim().split_once("#token=").unwrap().1.to_owned();
    let added = add("quiet-otter-7\n", &["user", "add", "root", "--superuser"]);
    assert!(added.status.success() && added.stderr.contains("usher.db"), "{added:?}");
    let form = [("username", "root"), ("password", "quiet-otter-7")];
    server.request("POST", "/api/v1/login").form(&form).send().expect(200);
    assert!(!server.data_dir().join("setup-link").exists(), "the link is useless now");
    let body = serde_json::json!({"token": token, "username": "second", "password": "quiet-otter-7"});
    server.request("POST", "/api/v1/setup").json(&body).send().refused(403, "Setup is complete: a superuser exists");
    for (input, arguments, words) in [
        ("quiet-otter-7\n", ["user", "add", "ROOT"], "is taken"),
        ("password123\n", ["user", "add", "bob"], "most common"),
        ("short\n", ["user", "add", "bob"], "at least 8"),
        ("", ["user", "add", "bob"], "standard input"),
    ] {
        let refused = add(input, &arguments);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(refused.stderr.contains(words), "{refused:?}");
    }
}

#[test]
fn sighup_stops_the_server_cleanly_unless_it_is_ignored() {
    let server = Program::new(&[]).superuser().start();
    hang_up(server.id());
    let ended = server.wait_for_exit();
    assert!(ended.status.success() && ended.stderr.contains("stopped"), "{ended:?}");
    let server = Program::new(&[]).superuser().ignoring_hangup().start();
    hang_up(server.id());
    server.request("GET", "/health").send().expect(200);
    assert!(server.stop().status.success());
}

fn hang_up(id: u32) {
    let id = rustix::process::Pid::from_raw(id.cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::HUP).unwrap();
}

/// Litestream, for example, keeps a read transaction open.
#[test]
fn a_stop_does_not_wait_for_another_programs_long_read() {
    let server = Program::new(&[]).superuser().start();
    #[expect(clippy::disallowed_methods, reason = "another program opens the database as it likes")]
    let reader = rusqlite::Connection::open(server.data_dir().join("usher.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM users").unwrap();
    let body = serde_json::json!({"username": "ann", "password": "quiet-otter-7"});
    server.request("POST", "/api/v1/users/").json(&body).send().expect(201);
    let began = std::time::Instant::now();
    assert!(server.stop().status.success());
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(4), "{took:?}");
}
