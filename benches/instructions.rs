//! Counts the instructions of a request with callgrind: `cargo bench --bench instructions`.
//!
//! Instructions hardly depend on what else the machine does, so a change shows that a timer would miss. The server runs
//! once for a few requests and once for many more; the difference is divided by the number of requests. Fails if a count
//! is more than 3 % above the one that is written down here. Prints what valgrind's CPU executes: clearing a buffer in
//! actix's parser counts 11,000 to 19,000 there, byte by byte.
//!
//! `-- --program PATH` counts another build, without comparing. Needs valgrind.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and stops when it cannot go on")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use serde_json::Value;

/// Instructions of each request, as counted when they last changed on purpose.
const RECORDED: [(&str, u64); 4] = [("health", 30_434), ("whoami", 45_417), ("list", 156_680), ("patch", 177_313)];
/// How far a count may be above the recorded one, in percent.
const TOLERANCE: u64 = 3;
/// How often a count that has grown is made again; the smallest counts. On a busy machine a run takes longer, and timers
/// and wake-ups add instructions.
const TRIES: u32 = 5;
/// The requests of the two runs. The first run warms up.
const FEW: u64 = 100;
const MANY: u64 = 1100;

struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts usher below the command `under`.
    fn start(under: &[&str], program: &Path, data_dir: &Path) -> Self {
        let mut words = under.iter().map(|word| (*word).into()).chain([program.as_os_str().to_owned()]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .current_dir(data_dir)
            .args(["--bind=127.0.0.1:0", "--throttle=false", "--log=off", "--workers=1", "--bcrypt-cost=10"])
            .args(["--access-token-seconds=604800", "--data-dir"])
            .arg(data_dir.join("data"))
            .env("USHER_SUPERUSER", "admin")
            .env("USHER_SUPERUSER_PASSWORD", "quiet-otter-7")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).unwrap();
        let address = ready["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        Self { child, address }
    }

    /// Stops the server in order and returns what it and valgrind wrote.
    fn stop(mut self) -> String {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        self.child.wait().unwrap();
        text
    }
}

/// Sends a request on an open connection and returns the body.
fn send(stream: &mut BufReader<TcpStream>, method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: usher\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.get_mut().write_all(format!("{head}{body}").as_bytes()).unwrap();
    let (mut line, mut status, mut length) = (String::new(), String::new(), 0);
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).unwrap();
        if status.is_empty() {
            status.clone_from(&line);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    assert!(status.contains(" 20"), "{method} {path}: {status}{body}");
    body
}

fn connect(server: &Server) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(&server.address).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

/// One kind of request: its name, method, path and body.
type Case = (&'static str, &'static str, String, String);

/// The instructions that the whole server executes for `count` requests.
fn instructions(program: &Path, data_dir: &Path, headers: &str, case: &Case, count: u64) -> u64 {
    let callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    let server = Server::start(&callgrind, program, data_dir);
    let mut stream = connect(&server);
    let (_, method, path, body) = case;
    for _ in 0..count {
        send(&mut stream, method, path, headers, body);
    }
    let text = server.stop();
    let collected = text.lines().find_map(|line| line.split_once("Collected : "));
    collected.unwrap_or_else(|| unreachable!("valgrind: {text}")).1.trim().parse().unwrap()
}

fn main() -> ExitCode {
    // `cargo test --benches` runs benchmarks too, without this argument.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let other =
        arguments.iter().position(|argument| argument == "--program").map(|at| PathBuf::from(&arguments[at + 1]));
    let program = other.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_usher").into());
    let program = std::path::absolute(program).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&[], &program, dir.path());
    let mut stream = connect(&server);
    let form = "username=admin&password=quiet-otter-7";
    let form_type = "Content-Type: application/x-www-form-urlencoded\r\n";
    let tokens: Value = serde_json::from_str(&send(&mut stream, "POST", "/api/v1/login", form_type, form)).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", tokens["access_token"].as_str().unwrap());
    let headers = format!("{bearer}Content-Type: application/json\r\n");
    let mut id = String::new();
    for number in 0..20 {
        let body = format!(r#"{{"username":"user-{number}","password":"quiet-otter-7"}}"#);
        let user: Value = serde_json::from_str(&send(&mut stream, "POST", "/api/v1/users/", &headers, &body)).unwrap();
        user["id"].as_str().unwrap().clone_into(&mut id);
    }
    drop(stream);
    server.stop();
    let cases: [Case; 4] = [
        ("health", "GET", "/health".into(), String::new()),
        ("whoami", "GET", "/api/v1/users/whoami".into(), String::new()),
        ("list", "GET", "/api/v1/users/?limit=10".into(), String::new()),
        ("patch", "PATCH", format!("/api/v1/users/{id}"), r#"{"profile_image":"picture.png"}"#.into()),
    ];
    let mut grown = false;
    for (case, (name, recorded)) in cases.iter().zip(RECORDED) {
        assert_eq!(case.0, name, "the cases are in the order of the recorded counts");
        let count = || {
            let few = instructions(&program, dir.path(), &headers, case, FEW);
            let many = instructions(&program, dir.path(), &headers, case, MANY);
            many.saturating_sub(few) / (MANY - FEW)
        };
        let has_grown = |counted: u64| other.is_none() && counted * 100 > recorded * (100 + TOLERANCE);
        let mut counted = count();
        for _ in 1..TRIES {
            if has_grown(counted) {
                counted = counted.min(count());
            }
        }
        let has_grown = has_grown(counted);
        grown |= has_grown;
        println!("{name:8} {counted:>8} instructions, recorded {recorded}{}", if has_grown { ": grown" } else { "" });
    }
    if grown { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
