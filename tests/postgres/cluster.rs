//! A private PostgreSQL for the tests of this program, which ends with it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use usher::store::{Db, Options, PostgresServer};

/// Runs PostgreSQL until standard input ends, and deletes its files.
const RUN: &str = r#"
set -e
dir=$(mktemp -d)
"$0/initdb" -D "$dir" -A trust -U usher -E UTF8 --locale=C.UTF-8 --no-sync > "$dir.log" 2>&1
"$0/postgres" -D "$dir" -p "$1" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
    -c shared_buffers=16MB -c max_connections=200 >> "$dir.log" 2>&1 &
until "$0/pg_isready" -q -h 127.0.0.1 -p "$1"; do sleep 0.05; done
echo ready
cat > /dev/null
kill -INT $!
wait $! || true
rm -rf "$dir" "$dir.log"
"#;

struct Cluster {
    port: u16,
    /// Its standard input ends with this process.
    _shell: Child,
}

fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    versions.map(|version| version.unwrap().path().join("bin")).find(|bin| bin.join("initdb").is_file()).unwrap()
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // PostgreSQL refuses to run as root.
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", RUN]).arg(programs()).arg(port.to_string()).current_dir("/");
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "PostgreSQL doesn't start");
        Cluster { port, _shell: shell }
    })
}

/// An empty database of its own.
pub fn server() -> PostgresServer {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster();
    let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let address = |database: &str| format!("postgres://usher@127.0.0.1:{}/{database}?sslmode=disable", cluster.port);
    let mut admin = postgres::Client::connect(&address("postgres"), postgres::NoTls).unwrap();
    admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    PostgresServer::parse(&address(&name), None).unwrap()
}

/// A database on each engine. The first is SQLite's.
pub fn both() -> (tempfile::TempDir, [Db; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { data_dir: dir.path().to_owned(), readers: 2, create: true };
    let databases = [Db::open(&options).unwrap(), Db::open_postgres(&server(), 2).unwrap()];
    (dir, databases)
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
