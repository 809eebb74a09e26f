//! A private PostgreSQL for the tests of this program, which ends with it, and a database in it for each directory.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use usher::store::{Db, PostgresServer};

use super::ports::free_port;

/// Whether every server of this test program uses PostgreSQL.
pub const IS_ENGINE: bool = matches!(env!("CARGO_CRATE_NAME").as_bytes(), b"postgres");

/// Runs PostgreSQL until standard input ends, and deletes its files. They are in memory where that is possible: usher
/// refuses to run without `fsync`, which takes no time there.
const RUN: &str = r#"
set -e
dir=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d)
"$0/initdb" -D "$dir/data" -A trust -U usher -E UTF8 --locale=C.UTF-8 --no-sync > "$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
cp -a "$dir/data" "$dir/unused"
"$0/postgres" -D "$dir/data" -p "$1" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
    -c shared_buffers=16MB -c max_connections=400 -c autovacuum=off -c max_wal_size=128MB >> "$dir/log" 2>&1 &
until "$0/pg_isready" -q -h 127.0.0.1 -p "$1"; do sleep 0.05; done
echo "$dir"
cat > /dev/null
kill -INT $!
wait $! || true
rm -rf "$dir"
"#;
/// The database that others are copies of.
const TEMPLATE: &str = "template_usher";

struct Cluster {
    port: u16,
    dir: String,
    /// How databases are copied: files in memory faster than rows, with what PostgreSQL keeps for new connections.
    strategy: &'static str,
    /// Its standard input ends with this process.
    _shell: Child,
    databases: Mutex<Databases>,
}

struct Databases {
    /// Makes and drops databases.
    client: postgres::Client,
    made: u32,
    /// The directories that have one.
    of: Vec<(PathBuf, String)>,
}

/// Where PostgreSQL's programs are.
pub fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap();
    versions.map(|version| version.unwrap().path().join("bin")).find(|bin| bin.join("initdb").is_file()).unwrap()
}

/// A shell that isn't root's, because PostgreSQL refuses to run as root.
pub fn shell() -> Command {
    let mut command = Command::new(if rustix::process::geteuid().is_root() { "runuser" } else { "sh" });
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    command.current_dir("/");
    command
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let port = free_port();
        let mut command = shell();
        command.args(["-c", RUN]).arg(programs()).arg(port.to_string());
        let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut dir = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut dir).unwrap();
        assert!(!dir.is_empty(), "PostgreSQL doesn't start");
        let mut client = connect(&address(port, "postgres"));
        let version = client.query_one("SHOW server_version_num", &[]).unwrap();
        // Before version 15 there was only one strategy, this one.
        let strategy = if version.get::<_, &str>(0) >= "150000" { "STRATEGY file_copy" } else { "" };
        client.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).unwrap();
        let databases = Mutex::new(Databases { client, made: 0, of: Vec::new() });
        let cluster = Cluster { port, dir: dir.trim().to_owned(), strategy, _shell: shell, databases };
        let template = PostgresServer::parse(&cluster.address(TEMPLATE), None).unwrap();
        Db::open_postgres(&template, 1, true).unwrap().close();
        cluster
    })
}

impl Cluster {
    fn address(&self, database: &str) -> String {
        address(self.port, database)
    }
}

impl Databases {
    fn create(&mut self, sql: &str) -> String {
        self.made += 1;
        let name = format!("test{}", self.made);
        self.client.batch_execute(&format!("CREATE DATABASE {name} {sql}")).unwrap();
        name
    }
}

fn address(port: u16, database: &str) -> String {
    format!("postgres://usher@127.0.0.1:{port}/{database}?sslmode=disable")
}

/// A connection by other means than usher's.
pub fn connect(address: &str) -> postgres::Client {
    postgres::Client::connect(address, postgres::NoTls).unwrap()
}

/// The address of the database that belongs to a directory, with usher's tables. Drops those whose directories are
/// gone.
pub fn address_for(dir: &Path) -> String {
    let cluster = cluster();
    let mut databases = cluster.databases.lock().unwrap();
    if let Some((_, name)) = databases.of.iter().find(|(of, _)| of == dir) {
        return cluster.address(name);
    }
    let (kept, gone) = std::mem::take(&mut databases.of).into_iter().partition(|(of, _)| of.is_dir());
    databases.of = kept;
    for (_, name) in gone {
        databases.client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    }
    let name = databases.create(&format!("TEMPLATE {TEMPLATE} {}", cluster.strategy));
    databases.of.push((dir.to_owned(), name.clone()));
    cluster.address(&name)
}

/// A data directory of PostgreSQL as `initdb` makes it, for copies, which take less time.
pub fn new_data_directory() -> String {
    format!("{}/unused", cluster().dir)
}

/// The address of an empty database.
pub fn empty() -> String {
    let cluster = cluster();
    let name = cluster.databases.lock().unwrap().create("");
    cluster.address(&name)
}
