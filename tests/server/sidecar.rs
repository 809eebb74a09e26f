//! usher as a sidecar: the port file, the parent process, and the lock on the data directory.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use needs::needs;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::process::mode;
use crate::support::{Program, Request};

#[test]
fn the_port_file_has_the_address_from_readiness_to_stop() {
    let dir = Arc::new(TempDir::new().unwrap());
    let path = dir.path().join("port.json");
    let server = Program::in_dir(&dir, &["--port-file", "port.json"]).superuser().start();
    let told: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(told, server.ready);
    assert_eq!(told["port"], server.address.port());
    assert_eq!(told["pid"], server.id());
    assert_eq!(mode(&path), 0o600);
    // A second server that can't start leaves the first one's port file alone.
    let second = Program::in_dir(&dir, &["--port-file", "port.json"]).finish();
    assert!(second.stderr.contains("another usher is running on"), "{second:?}");
    assert!(path.exists());
    assert!(server.stop().status.success());
    assert!(!path.exists());
}

#[test]
fn the_port_file_of_a_killed_server_is_replaced() {
    let dir = Arc::new(TempDir::new().unwrap());
    let path = dir.path().join("port.json");
    let start = || Program::in_dir(&dir, &["--port-file", "port.json"]).superuser().start();
    let killed = start();
    let stale = fs::read_to_string(&path).unwrap();
    killed.kill();
    assert_eq!(fs::read_to_string(&path).unwrap(), stale);
    let again = start();
    let told: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(told, again.ready);
    assert_ne!(told["pid"], serde_json::from_str::<Value>(&stale).unwrap()["pid"]);
}

#[test]
fn an_unwritable_or_foreign_port_file_prevents_the_start() {
    let dir = Arc::new(TempDir::new().unwrap());
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    for (path, words) in [
        ("absent/port.json", "its directory must exist"),
        ("/proc/port.json", "must be able to write there"),
        ("thesis.txt", "is not a port file"),
        (".", "is not a port file"),
    ] {
        let ended = Program::in_dir(&dir, &["--port-file", path]).superuser().finish();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        assert!(ended.stderr.contains("`port_file`") && ended.stderr.contains(words), "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert!(!dir.path().join("data/usher.db").exists());
    }
    assert_eq!(fs::read_to_string(dir.path().join("thesis.txt")).unwrap(), "years of work");
}

#[test]
fn only_one_of_many_servers_started_at_once_on_a_directory_runs() {
    let dir = Arc::new(TempDir::new().unwrap());
    let start = || {
        let program = Program::in_dir(&dir, &["--port-file", "port.json"]).superuser();
        std::thread::spawn(move || program.try_start())
    };
    let starting: Vec<_> = (0..6).map(|_| start()).collect();
    let mut running = Vec::new();
    for thread in starting {
        match thread.join().unwrap() {
            Ok(server) => running.push(server),
            Err(ended) => assert!(ended.stderr.contains("another usher is running on"), "{ended:?}"),
        }
    }
    let running = running.pop().filter(|_| running.is_empty()).expect("exactly one runs");
    running.request("GET", "/health_check").send().expect(200);
    let told: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("port.json")).unwrap()).unwrap();
    assert_eq!(told, running.ready);
}

/// A shell that starts usher and waits for it. It passes on usher's standard output.
fn host(dir: &TempDir, arguments: &str) -> std::process::Child {
    let script = format!("\"$USHER\" --port-file port.json {arguments} & wait");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env_clear().current_dir(dir.path()).env("USHER", env!("CARGO_BIN_EXE_usher"));
    shell.env("USHER_DATA_DIR", "data").env("USHER_BIND", "127.0.0.1:0").env("USHER_AUTO_LOGIN", "true");
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_server_stops_cleanly_when_its_parent_is_killed() {
    for arguments in ["--exit-with-parent", "--exit-with-parent=$$"] {
        let dir = TempDir::new().unwrap();
        let mut host = host(&dir, arguments);
        let mut output = BufReader::new(host.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let address = ready["url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        let answer = Request::new(address, "GET", "/api/v1/auto_login").try_send();
        host.kill().unwrap();
        let mut log = String::new();
        if answer.as_ref().is_none_or(|answer| answer.status != 200) {
            // The server exits with its parent, which closes the log.
            host.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            panic!("{arguments}: {answer:?}; the server's log: {log}");
        }
        // The pipe ends when every process has closed it.
        let (ended, waiting) = channel();
        std::thread::spawn(move || ended.send(output.read_to_end(&mut Vec::new())));
        waiting.recv_timeout(Duration::from_secs(30)).expect("the server ends").unwrap();
        host.wait().unwrap();
        assert!(!dir.path().join("port.json").exists());
        assert!(!dir.path().join("data/usher.db-wal").exists(), "it ended in order");
        host.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains("the parent process has exited"), "{log}");
    }
}

#[test]
fn a_server_does_not_start_if_its_parent_has_already_exited() {
    let mut short = Command::new("true").spawn().unwrap();
    let id = short.id();
    short.wait().unwrap();
    let ended = Program::new(&[&format!("--exit-with-parent={id}")]).superuser().finish();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("has already exited") && ended.stdout.is_empty(), "{ended:?}");
    assert!(!ended.stderr.contains("adminpw123"));
}

#[test]
fn the_exit_of_the_starting_thread_does_not_stop_the_server() {
    let start = || Program::new(&["--exit-with-parent"]).superuser().start();
    let server = std::thread::spawn(start).join().unwrap();
    server.request("GET", "/health").send().expect(200);
    let ended = server.stop();
    assert!(ended.status.success() && !ended.stderr.contains("has exited"), "{ended:?}");
}

/// The desktop example, running. It prints its lines on standard output.
struct Example {
    dir: TempDir,
    host: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Example {
    /// The command that runs the example in this directory.
    fn command(dir: &TempDir) -> Command {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/sidecar/host.py");
        let mut python = Command::new("python3");
        python.args([script, env!("CARGO_BIN_EXE_usher")]).arg(dir.path().join("app"));
        // The example passes its own variables on, so they must not look like settings.
        python.env_remove("USHER_BROWSER_TESTS");
        python
    }

    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let mut python = Self::command(&dir);
        let mut host = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(host.stdout.take().unwrap()).lines();
        Self { dir, host, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap_or_else(|| panic!("{}", self.log())).unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("app/usher.log")).unwrap()
    }

    fn port_file(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.dir.path().join("app/usher.json")).unwrap()).unwrap()
    }

    fn is_running(&mut self) {
        let first = self.line();
        let told = self.port_file();
        let (pid, url) = (&told["pid"], told["url"].as_str().unwrap());
        assert_eq!(first, format!("usher {pid} listens on {url}"));
        assert_eq!(self.line(), "signed in as local; press Enter to quit");
        // A client without the launch secret can't sign in.
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        Request::new(address, "GET", "/api/v1/auto_login").send().expect(403);
    }

    fn assert_nothing_left(&self) {
        let app = self.dir.path().join("app");
        assert!(!app.join("usher.json").exists() && !app.join("usher/usher.db-wal").exists());
    }
}

#[needs(python3)]
#[test]
fn the_example_starts_usher_signs_in_and_stops_it() {
    let mut example = Example::start();
    example.is_running();
    drop(example.host.stdin.take());
    assert_eq!(example.line(), "stopped");
    assert!(example.host.wait().unwrap().success());
    example.assert_nothing_left();
    assert!(!example.log().contains("has ended"), "{}", example.log());
}

#[needs(python3)]
#[test]
fn a_second_example_on_the_same_directory_exits_without_touching_the_first() {
    let mut example = Example::start();
    example.is_running();
    let told = example.port_file();
    let second = Example::command(&example.dir).stdin(Stdio::null()).output().unwrap();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(String::from_utf8_lossy(&second.stderr).contains("usher.log says why"), "{second:?}");
    assert!(example.log().contains("another usher is running on"), "{}", example.log());
    assert_eq!(example.port_file(), told);
    drop(example.host.stdin.take());
    assert_eq!(example.line(), "stopped");
    assert!(example.host.wait().unwrap().success());
}

#[needs(python3)]
#[test]
fn an_example_ignores_the_port_file_of_a_killed_one() {
    let mut example = Example::start();
    example.is_running();
    let usher = i32::try_from(example.port_file()["pid"].as_i64().unwrap()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(usher).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
    let stale = example.port_file();
    let second = Example::command(&example.dir).stdin(Stdio::null()).output().unwrap();
    assert!(second.status.success(), "{second:?}");
    let said = String::from_utf8_lossy(&second.stdout).into_owned();
    assert!(said.contains("signed in as local") && !said.contains(stale["url"].as_str().unwrap()), "{said}");
    example.host.kill().unwrap();
    example.host.wait().unwrap();
}

#[needs(python3)]
#[test]
fn usher_stops_when_the_example_is_killed() {
    let mut example = Example::start();
    example.is_running();
    let usher = i32::try_from(example.port_file()["pid"].as_i64().unwrap()).unwrap();
    let usher = rustix::process::Pid::from_raw(usher).unwrap();
    let usher = rustix::process::pidfd_open(usher, rustix::process::PidfdFlags::empty()).unwrap();
    example.host.kill().unwrap();
    example.host.wait().unwrap();
    let half_a_minute = rustix::event::Timespec { tv_sec: 30, tv_nsec: 0 };
    let mut ended = [rustix::event::PollFd::new(&usher, rustix::event::PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut ended, Some(&half_a_minute)), Ok(1), "{}", example.log());
    example.assert_nothing_left();
    assert!(example.log().contains("the parent process has exited"));
}
