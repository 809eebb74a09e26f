//! Measures whether the time of a failed sign-in reveals anything to an attacker: `cargo bench --bench login_times`.
//!
//! Starts usher with its defaults (cost 12) but without throttling, and measures 200 sign-ins of each kind, in turn: an
//! unknown name, a wrong password, and the right and a wrong password of an inactive account. Prints the medians. Fails
//! if one differs by more than 5 % from that of a wrong password.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and stops when it cannot go on")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 200;

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    // `cargo test --benches` runs benchmarks too, with an argument that asks for a quick run.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_usher"))
        .current_dir(&dir)
        .args(["--bind", "127.0.0.1:0", "--throttle=false", "--log", "off", "--data-dir"])
        .arg(dir.path().join("data"))
        .env("USHER_SUPERUSER", "admin")
        .env("USHER_SUPERUSER_PASSWORD", "adminpw123")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let _server = Server(child);
    let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
    let address = ready["url"].as_str().unwrap().trim_start_matches("http://").to_owned();

    let sign_up = r#"{"username":"waiting","password":"quiet-otter-7"}"#;
    assert_eq!(post(&address, "/api/v1/users/", "application/json", sign_up), 201);
    let tries = [
        ("wrong password", "username=admin&password=quiet-otter-8", 401),
        ("unknown name", "username=nobody&password=quiet-otter-8", 401),
        ("inactive, wrong password", "username=waiting&password=quiet-otter-8", 401),
        ("inactive, right password", "username=waiting&password=quiet-otter-7", 400),
    ];
    let mut times = vec![Vec::new(); tries.len()];
    // In turn, so that other load on the machine affects all kinds.
    for _ in 0..rounds {
        for ((_, form, status), times) in tries.iter().zip(&mut times) {
            let start = Instant::now();
            assert_eq!(post(&address, "/api/v1/login", "application/x-www-form-urlencoded", form), *status);
            times.push(start.elapsed());
        }
    }
    let medians: Vec<Duration> = times
        .iter_mut()
        .map(|times| {
            times.sort_unstable();
            times[times.len() / 2]
        })
        .collect();
    println!("| sign-in | median of {rounds} | of a wrong password's |\n|---|---|---|");
    for ((name, ..), median) in tries.iter().zip(&medians) {
        let ratio = median.as_secs_f64() / medians[0].as_secs_f64();
        println!("| {name} | {:.1} ms | {ratio:.3} |", median.as_secs_f64() * 1000.0);
        assert!(rounds < ROUNDS || (ratio - 1.0).abs() < 0.05, "the time of a sign-in reveals: {name}");
    }
}

fn post(address: &str, path: &str, content_type: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
