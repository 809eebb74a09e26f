//! A PostgreSQL that freezes, has no connection left, knows another password, or has a full disk.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use usher::domain::secret::PasswordHash;
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::users;

use crate::both::block_on;
use crate::support::ports::free_port;
use crate::support::postgres::{connect, new_data_directory, programs, shell};
use crate::support::server::PASSWORD;
use crate::support::wait::until;
use crate::support::{Program, Server};

/// Runs PostgreSQL at port `$1` with the options `$2` until standard input ends, in the directory `$3` or a new one,
/// with a copy of the data directory `$4`. As a service manager does, it starts it again when it fails.
const RUN: &str = r#"
set -e
dir=${3:-$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d)}
cp -a "$4" "$dir/data"
sed -i '1i host all app 127.0.0.1/32 scram-sha-256' "$dir/data/pg_hba.conf"
(
    trap 'kill -INT $child; wait $child; exit' TERM
    while :; do
        "$0/postgres" -D "$dir/data" -p "$1" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
            -c shared_buffers=16MB $2 >> "$dir/log" 2>&1 &
        child=$!
        wait $child || sleep 0.3
    done
) > /dev/null &
until "$0/pg_isready" -q -h 127.0.0.1 -p "$1"; do sleep 0.05; done
echo "$dir"
cat > /dev/null
kill -TERM $!
wait $! || true
[ -n "$3" ] || rm -rf "$dir"
"#;
/// Sends the signal `$1` to PostgreSQL in the directory `$2`, and to all of its processes.
const SIGNAL: &str = r#"
main=$(head -n 1 "$2/data/postmaster.pid")
kill "-$1" $main $(cat "/proc/$main/task/$main/children")
"#;
/// [`RUN`] on a file system of 160 MB that only this process sees.
const ON_SMALL_DISK: &str = r#"
dir=$(mktemp -d)
mount -t tmpfs -o size=160m tmpfs "$dir"
chown postgres "$dir"
runuser -u postgres -- sh -c "$3" "$0" "$1" "$2" "$dir" "$4"
umount "$dir"
rmdir "$dir"
"#;

pub struct Cluster {
    pub port: u16,
    dir: String,
    runner: Child,
}

impl Cluster {
    fn start(mut command: Command, port: u16) -> Self {
        let mut runner = command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut dir = String::new();
        BufReader::new(runner.stdout.take().unwrap()).read_line(&mut dir).unwrap();
        Self { port, dir: dir.trim().to_owned(), runner }
    }

    pub fn with(options: &str) -> Self {
        let port = free_port();
        let mut command = shell();
        command.args(["-c", RUN]).arg(programs()).arg(port.to_string()).args([options, "", &new_data_directory()]);
        Self::start(command, port)
    }

    fn on_small_disk(options: &str) -> Self {
        let port = free_port();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ON_SMALL_DISK]).arg(programs()).arg(port.to_string());
        command.args([options, RUN, &new_data_directory()]);
        Self::start(command, port)
    }

    fn address(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    pub fn client(&self) -> postgres::Client {
        connect(&self.address("usher"))
    }

    fn execute(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap();
    }

    /// Ends usher's connections, which can't be replaced, and waits until they have ended.
    fn end_connections(&self) {
        let mut client = self.client();
        until("usher's connections don't end", || {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'usher'";
            client.query(end, &[]).unwrap().is_empty()
        });
    }

    fn signal(&self, signal: &str) {
        let status = shell().args(["-c", SIGNAL, "sh", signal, &self.dir]).status().unwrap();
        assert!(status.success(), "{signal}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.runner.stdin.take());
        let _ = self.runner.wait();
    }
}

fn add(server: &Server, admin: &str, name: &str) -> u16 {
    let body = json!({ "username": name, "password": PASSWORD });
    server.post("/api/v1/users/").bearer(admin).json(&body).send().status
}

fn assert_refused(server: &Server, admin: &str) {
    let answer = server.whoami(admin);
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({ "detail": "The database can't be used right now. Please try again." }));
    assert_eq!(add(server, admin, "refused"), 503);
}

/// Waits until the server works again by itself. What was refused isn't made later.
fn assert_recovers(server: &Server, admin: &str, cluster: &Cluster) {
    server.recovers();
    assert_eq!((server.whoami(admin).status, add(server, admin, "later")), (200, 201));
    let names = cluster.client().query("SELECT username FROM users ORDER BY id", &[]).unwrap();
    let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["admin", "later"]);
}

#[test]
fn while_postgresql_is_frozen_requests_get_503_and_then_usher_goes_on_by_itself() {
    let cluster = Cluster::with("");
    let server = Server::with().set("database", &cluster.address("usher")).start();
    let admin = server.admin();
    cluster.signal("STOP");
    assert_refused(&server, &admin);
    cluster.signal("CONT");
    assert_recovers(&server, &admin, &cluster);
}

#[test]
fn without_a_free_connection_requests_get_503_and_then_usher_goes_on_by_itself() {
    let cluster = Cluster::with("-c max_connections=12 -c max_wal_senders=0 -c superuser_reserved_connections=1");
    cluster.execute(
        "CREATE ROLE app LOGIN; GRANT CREATE ON SCHEMA public TO app; ALTER ROLE app PASSWORD 'quiet otter 7'",
    );
    let server =
        Server::with().set("database", &cluster.address("app")).set("database_password", "quiet otter 7").start();
    let admin = server.admin();
    // All but one, which is for the superuser.
    cluster.execute("ALTER ROLE app CONNECTION LIMIT 0");
    cluster.end_connections();
    assert_refused(&server, &admin);
    let mut others = Vec::new();
    let config = cluster.address("usher");
    while let Ok(client) = postgres::Client::connect(&config, postgres::NoTls) {
        others.push(client);
    }
    // Only now, because usher always tries to connect again.
    others[0].batch_execute("ALTER ROLE app CONNECTION LIMIT -1").unwrap();
    assert_eq!(server.whoami(&admin).status, 503, "{} other connections", others.len());
    others.clear();
    assert_recovers(&server, &admin, &cluster);
}

#[test]
fn with_another_password_requests_get_503_and_then_usher_goes_on_by_itself() {
    let cluster = Cluster::with("");
    cluster.execute("CREATE ROLE app LOGIN PASSWORD 'quiet otter 7'; GRANT CREATE ON SCHEMA public TO app");
    let server =
        Server::with().set("database", &cluster.address("app")).set("database_password", "quiet otter 7").start();
    let admin = server.admin();
    cluster.execute("ALTER ROLE app PASSWORD 'another one'");
    assert_eq!(server.whoami(&admin).status, 200, "open connections go on");
    cluster.end_connections();
    assert_refused(&server, &admin);
    let health = server.get("/health_check").send().expect(503).json();
    assert_eq!(health["db"], "The database server can't be reached");
    cluster.execute("ALTER ROLE app PASSWORD 'quiet otter 7'");
    assert_recovers(&server, &admin, &cluster);
}

#[test]
fn the_log_says_why_no_connection_can_be_opened() {
    let cluster = Cluster::with("");
    cluster.execute("CREATE ROLE app LOGIN PASSWORD 'quiet otter 7'; GRANT CREATE ON SCHEMA public TO app");
    let server = Program::new(&[])
        .env("USHER_DATABASE", cluster.address("app"))
        .env("USHER_DATABASE_PASSWORD", "quiet otter 7")
        .start();
    cluster.execute("ALTER ROLE app PASSWORD 'another one'");
    cluster.end_connections();
    server.request("GET", "/health_check").send().expect(503);
    let log = server.log();
    assert!(log.contains("password authentication failed for user \"app\""), "{log}");
}

#[needs(root)]
#[test]
fn a_full_disk_of_postgresql_loses_nothing_acknowledged() {
    let cluster = Cluster::on_small_disk("-c max_wal_size=48MB -c min_wal_size=32MB");
    let server = Server::with().set("database", &cluster.address("usher")).start();
    let admin = server.admin();
    let fill = format!("{}/fill", cluster.dir);
    // It writes until the disk is full.
    let full = format!("COPY (SELECT repeat('x', 10000) FROM generate_series(1, 20000)) TO '{fill}'");
    assert!(cluster.client().batch_execute(&full).is_err());
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    while refused < 3 {
        let name = format!("user{}-{refused}", acknowledged.len());
        // PostgreSQL can't compress it.
        let picture: String = (0..800).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        let user = User::new(Username::parse(&name).unwrap(), true, false, server.clock.now());
        let user = User { profile_image: Some(picture), ..user };
        let insert = server.app.db.write(move |connection| users::insert(connection, &user, &PasswordHash::new("x")));
        match block_on(insert) {
            Ok(()) => acknowledged.push(name),
            Err(_) => refused += 1,
        }
        assert!(acknowledged.len() < 10_000, "the disk isn't full");
    }
    // Small rows still find room, until the table's pages are full.
    let mut numbers = 0..200;
    let status = loop {
        let name = format!("small{}", numbers.next().unwrap());
        match add(&server, &admin, &name) {
            201 => acknowledged.push(name),
            status => break status,
        }
    };
    assert!(status == 507 || status == 503, "{status}");
    let refused = format!("small{}", numbers.start - 1);
    let runner = cluster.runner.id().to_string();
    let removed = Command::new("nsenter").args(["--mount", "--target", &runner, "rm", &fill]).status();
    assert!(removed.unwrap().success());
    server.recovers();
    assert_eq!(add(&server, &admin, "later"), 201);
    let names = cluster.client().query("SELECT username FROM users ORDER BY id", &[]).unwrap();
    let names: Vec<String> = names.iter().map(|row| row.get(0)).collect();
    assert!(names.last().is_some_and(|last| last == "later") && !names.contains(&refused));
    let lost: Vec<&String> = acknowledged.iter().filter(|name| !names.contains(name)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", acknowledged.len());
}
