//! Measures the slow commands, and how they slow down clients of the running server:
//! `cargo bench --bench long_commands`.
//!
//! Creates a Langflow database with 100,000 users and 25,000 API keys, imports it beside a running server, backs it up,
//! stops the server and restores the backup. While a command runs, one client changes its own account and one calls
//! `whoami`, each without pause. The slowest responses are printed.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and stops when it cannot go on")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

const USERS: u32 = 100_000;
/// One user in this many has an API key.
const KEYED: u32 = 4;
const HASH: &str = "$2b$12$cqZbkovU64WekS.FurFqYuNPObPC4ii7N/DRILUBZ6Vmd2wobD8/K";

fn main() {
    // `cargo test --benches` runs benchmarks too, with an argument that asks for a quick run.
    let users = if std::env::args().any(|argument| argument == "--bench") { USERS } else { 200 };
    let dir = tempfile::tempdir().unwrap();
    langflow(&dir.path().join("langflow.db"), users);
    let server = Server::start(dir.path());
    println!("{users} users, {} API keys", users / KEYED);
    println!("| command | took | slowest write meanwhile | slowest read meanwhile |\n|---|---|---|---|");
    beside(&server, dir.path(), &["import", "langflow", "langflow.db"]);
    beside(&server, dir.path(), &["backup", "backup.db.gz"]);
    drop(server);
    let took = run(dir.path(), &["restore", "backup.db.gz", "--yes"]);
    println!("| restore | {:.2} s | | |", took.as_secs_f64());
    let size = |name: &str| std::fs::metadata(dir.path().join(name)).unwrap().len() / 1024;
    println!("database {} KiB, backup {} KiB", size("data/usher.db"), size("backup.db.gz"));
}

/// Creates a database like Langflow 1.13's. The ids are random, as they are there.
fn langflow(path: &Path, users: u32) {
    #[expect(clippy::disallowed_methods, reason = "it is another program's database")]
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE user (id CHAR(32) PRIMARY KEY, username VARCHAR, password VARCHAR, profile_image VARCHAR,
                 is_active BOOLEAN, is_superuser BOOLEAN, create_at DATETIME, updated_at DATETIME, last_login_at DATETIME,
                 retired_at DATETIME, store_api_key VARCHAR, optins JSON);
             CREATE TABLE apikey (id CHAR(32) PRIMARY KEY, name VARCHAR, api_key VARCHAR, api_key_hash VARCHAR,
                 user_id CHAR(32), is_active BOOLEAN, total_uses INTEGER, last_used_at DATETIME, created_at DATETIME,
                 expires_at DATETIME);
             BEGIN",
        )
        .unwrap();
    let time = "2026-01-01 00:00:00.000001";
    for number in 0..users {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let sql = "INSERT INTO user VALUES (?, ?, ?, NULL, ?, 0, ?, ?, NULL, NULL, NULL, '{}')";
        let bound = params![id, format!("user{number:06}"), HASH, number % 10 != 0, time, time];
        connection.prepare_cached(sql).unwrap().execute(bound).unwrap();
        if number % KEYED == 0 {
            let sql = "INSERT INTO apikey VALUES (?, 'key', ?, NULL, ?, 1, 0, NULL, ?, NULL)";
            let key = format!("sk-{}", uuid::Uuid::new_v4().simple());
            let bound = params![uuid::Uuid::new_v4().simple().to_string(), key, id, time];
            connection.prepare_cached(sql).unwrap().execute(bound).unwrap();
        }
    }
    connection.execute_batch("COMMIT").unwrap();
}

fn usher(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command.current_dir(dir).env("USHER_DATA_DIR", "data").env("USHER_BIND", "127.0.0.1:0").env("USHER_LOG", "warn");
    command
}

/// Runs a command to its end and returns how long it took.
fn run(dir: &Path, arguments: &[&str]) -> Duration {
    let start = Instant::now();
    let ended = usher(dir).args(arguments).output().unwrap();
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    start.elapsed()
}

/// Runs a command while clients use the server.
fn beside(server: &Server, dir: &Path, arguments: &[&str]) {
    let over = Arc::new(AtomicBool::new(false));
    let client = |write: bool| {
        let (over, address, token, id) =
            (Arc::clone(&over), server.address.clone(), server.token.clone(), server.id.clone());
        thread::spawn(move || {
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let start = Instant::now();
                let (method, path, body) = if write {
                    ("PATCH", format!("/api/v1/users/{id}"), r#"{"profile_image":"a"}"#)
                } else {
                    ("GET", "/api/v1/users/whoami".to_owned(), "")
                };
                let (status, _) = ask(&address, method, &path, "application/json", &token, body);
                assert_eq!(status, 200, "{method}");
                slowest = slowest.max(start.elapsed());
            }
            slowest.as_secs_f64() * 1000.0
        })
    };
    let (writer, reader) = (client(true), client(false));
    let took = run(dir, arguments);
    over.store(true, Ordering::Relaxed);
    let (write, read) = (writer.join().unwrap(), reader.join().unwrap());
    println!("| {} | {:.2} s | {write:.0} ms | {read:.0} ms |", arguments[0], took.as_secs_f64());
}

struct Server {
    child: Child,
    address: String,
    token: String,
    id: String,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let mut command = usher(dir);
        command.env("USHER_SUPERUSER", "keeper").env("USHER_SUPERUSER_PASSWORD", "quiet-otter-7");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
        let address = ready["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let form = "username=keeper&password=quiet-otter-7";
        let (_, body) = ask(&address, "POST", "/api/v1/login", "application/x-www-form-urlencoded", "", form);
        let token = text(&body, "access_token");
        let (_, body) = ask(&address, "GET", "/api/v1/users/whoami", "application/json", &token, "");
        Self { child, address, token, id: text(&body, "id") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(body: &str, field: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body[field].as_str().unwrap().to_owned()
}

/// Sends one request on its own connection. Returns status and body.
fn ask(address: &str, method: &str, path: &str, content_type: &str, token: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
