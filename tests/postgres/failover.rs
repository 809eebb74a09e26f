//! A primary that dies under writes, and a synchronous standby that takes its place.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use usher::domain::secret::PasswordHash;
use usher::domain::user::User;
use usher::domain::username::Username;
use usher::store::users;

use crate::both::block_on;
use crate::support::Server;
use crate::support::ports::free_port;
use crate::support::postgres::{connect, new_data_directory, programs, shell};
use crate::support::wait::until;

/// Starts a primary at port `$1`, with a copy of the data directory `$3`, and its standby at port `$2`. Prints their
/// directory.
const START: &str = r#"
set -e
dir=$(mktemp -d -p /dev/shm 2> /dev/null || mktemp -d)
start() {
    "$bin/pg_ctl" -D "$dir/$1" -l "$dir/$1.log" -w start \
        -o "-p $2 -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c shared_buffers=16MB" > "$dir/out"
}
bin=$0
cp -a "$3" "$dir/a"
start a "$1"
"$bin/pg_basebackup" -h 127.0.0.1 -p "$1" -U usher -D "$dir/b" -R
start b "$2"
echo "$dir"
"#;
const KILL: &str = r#"kill -9 $(head -n 1 "$1/a/postmaster.pid")"#;
const PROMOTE: &str = r#""$0/pg_ctl" -D "$1/b" -w promote > /dev/null"#;
const END: &str = r#""$0/pg_ctl" -D "$1/b" -m immediate stop > /dev/null; rm -rf "$1""#;

struct Nodes {
    ports: [u16; 2],
    dir: String,
}

impl Nodes {
    fn start() -> Self {
        let ports = [free_port(), free_port()];
        let mut command = script(START);
        let made = command.args(ports.map(|port| port.to_string())).arg(new_data_directory()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { ports, dir: String::from_utf8(made.stdout).unwrap().trim().to_owned() }
    }

    fn run(&self, text: &str) {
        assert!(script(text).arg(&self.dir).status().unwrap().success(), "{text}");
    }

    fn node(&self, index: usize, database: &str) -> postgres::Client {
        connect(&format!("postgres://usher@127.0.0.1:{}/{database}", self.ports[index]))
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        let _ = script(END).arg(&self.dir).status();
    }
}

fn script(text: &str) -> Command {
    let mut command = shell();
    command.args(["-c", text]).arg(programs());
    command
}

#[test]
fn no_acknowledged_write_is_lost_when_the_primary_is_killed() {
    let nodes = Nodes::start();
    for sql in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()", "CREATE DATABASE usher"]
    {
        nodes.node(0, "postgres").batch_execute(sql).unwrap();
    }
    let [a, b] = nodes.ports;
    let address = format!("postgres://usher@127.0.0.1:{a},127.0.0.1:{b}/usher?sslmode=disable");
    let server = Server::with().set("database", &address).start();
    let (acknowledged, is_over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let count = || acknowledged.lock().unwrap().len();
    let wait_for = |more: usize| {
        let wanted = count() + more;
        until("nothing more is acknowledged", || {
            server.get("/health_check").send();
            count() >= wanted
        });
    };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (server, acknowledged, is_over) = (&server, &acknowledged, &is_over);
            scope.spawn(move || {
                for n in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("w{writer}-{n}");
                    let user = User::new(Username::parse(&name).unwrap(), true, false, server.clock.now());
                    let insert = server.app.db.write(move |c| users::insert(c, &user, &PasswordHash::new("x")));
                    if block_on(insert).is_ok() {
                        acknowledged.lock().unwrap().push(name);
                    }
                }
            });
        }
        wait_for(200);
        nodes.run(KILL);
        // The new primary has no standby of its own.
        for sql in ["ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()"] {
            nodes.node(1, "postgres").batch_execute(sql).unwrap();
        }
        nodes.run(PROMOTE);
        wait_for(200);
        is_over.store(true, Ordering::Relaxed);
    });
    let rows = nodes.node(1, "usher").query("SELECT username FROM users", &[]).unwrap();
    let kept: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost: Vec<&String> = acknowledged.iter().filter(|name| !kept.contains(name)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", acknowledged.len());
}
