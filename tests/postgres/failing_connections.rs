//! Connections to PostgreSQL that are refused, end, or bring no answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;

use crate::support::Server;
use crate::support::postgres::{connect, empty};
use crate::support::server::PASSWORD;

const PASS: u8 = 0;
/// Connections end, and new ones are refused.
const CUT: u8 = 1;
/// Connections stay open, and nothing arrives.
const STALL: u8 = 2;
/// The next COMMIT arrives, but its response doesn't.
const LOSE_COMMIT: u8 = 3;

/// A proxy in front of PostgreSQL.
struct Network {
    address: String,
    state: Arc<AtomicU8>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Network {
    /// Starts a proxy in front of this database.
    fn before(database: &str) -> Self {
        let (start, rest) = database.split_once("@127.0.0.1:").unwrap();
        let (port, path) = rest.split_once('/').unwrap();
        let upstream: u16 = port.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{start}@127.0.0.1:{}/{path}", listener.local_addr().unwrap().port());
        let (state, connections) = (Arc::new(AtomicU8::new(PASS)), Arc::new(Mutex::new(Vec::new())));
        let network = Self { address, state: Arc::clone(&state), connections: Arc::clone(&connections) };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if state.load(Ordering::SeqCst) == CUT {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else { continue };
                let clone = |stream: &TcpStream| stream.try_clone().unwrap();
                connections.lock().unwrap().extend([clone(&client), clone(&server)]);
                let (one, other) = (Arc::clone(&state), Arc::clone(&state));
                let (to, back) = ((clone(&client), clone(&server)), (server, client));
                thread::spawn(move || copy(to.0, to.1, true, &one));
                thread::spawn(move || copy(back.0, back.1, false, &other));
            }
        });
        network
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::SeqCst);
        if state == CUT {
            self.connections.lock().unwrap().drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, is_client: bool, state: &AtomicU8) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        while state.load(Ordering::SeqCst) == STALL {
            thread::park_timeout(std::time::Duration::from_millis(1));
        }
        let commits = is_client && buffer[..count].windows(7).any(|bytes| bytes == b"COMMIT\0");
        if commits && state.compare_exchange(LOSE_COMMIT, PASS, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            // PostgreSQL commits; usher only sees the end of the connection.
            let _ = from.shutdown(Shutdown::Both);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn server() -> (String, Network, Server, String) {
    let database = empty();
    let network = Network::before(&database);
    let server = Server::with().set("database", &network.address).start();
    let admin = server.admin();
    (database, network, server, admin)
}

#[test]
fn while_postgresql_is_unreachable_requests_get_503_with_a_message() {
    let (_, network, server, admin) = server();
    network.set(CUT);
    let answer = server.whoami(&admin);
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json(), json!({ "detail": "The database can't be used right now. Please try again." }));
    let health = server.get("/health_check").send().expect(503).json();
    assert_eq!(health["db"], "The database server can't be reached");
    network.set(PASS);
    server.recovers();
    assert_eq!(server.whoami(&admin).status, 200);
}

#[test]
fn a_network_that_is_silent_delays_requests_for_a_while_and_blocks_none_for_ever() {
    let (database, network, server, admin) = server();
    network.set(STALL);
    assert_eq!(server.whoami(&admin).status, 503);
    let body = json!({ "username": "ann", "password": PASSWORD });
    assert_eq!(server.post("/api/v1/users/").json(&body).send().status, 503);
    network.set(PASS);
    server.recovers();
    assert_eq!(server.whoami(&admin).status, 200);
    let users: i64 = connect(&database).query_one("SELECT count(*) FROM users", &[]).unwrap().get(0);
    assert_eq!(users, 1, "what was refused isn't made later");
}

#[test]
fn a_commit_whose_answer_is_lost_gets_503_and_is_not_repeated() {
    let (database, network, server, admin) = server();
    network.set(LOSE_COMMIT);
    let body = json!({ "username": "ann", "password": PASSWORD });
    assert_eq!(server.post("/api/v1/users/").json(&body).send().status, 503);
    server.recovers();
    assert_eq!(server.whoami(&admin).status, 200);
    let count = |sql: &str| connect(&database).query_one(sql, &[]).unwrap().get::<_, i64>(0);
    assert_eq!(count("SELECT count(*) FROM users WHERE username = 'ann'"), 1);
    assert_eq!(count("SELECT count(*) FROM audit WHERE target_name = 'ann'"), 1);
}

#[test]
fn a_server_without_postgresql_fails_to_start_and_hides_the_password() {
    let address = "postgres://usher@127.0.0.1:1/usher?sslmode=disable";
    let server = Server::with().set("database", address).set("database_password", "hunter22");
    let Err(error) = server.try_start() else { panic!("it started") };
    let error = error.to_string();
    assert!(error.starts_with("`database` can't be used") && !error.contains("hunter22"), "{error}");
}

#[test]
fn tls_is_on_unless_it_is_turned_off() {
    let address = empty().replace("?sslmode=disable", "?sslrootcert=/nowhere.pem");
    let Err(error) = Server::with().set("database", &address).try_start() else { panic!("it started") };
    assert!(error.to_string().contains("/nowhere.pem"), "{error}");
    let Err(error) = Server::with().set("database", &empty().replace("disable", "prefer")).try_start() else {
        panic!("it started")
    };
    assert!(error.to_string().starts_with("`database`: the option `sslmode=prefer` isn't supported"), "{error}");
    let address = empty().replace("?sslmode=disable", "");
    let Err(error) = Server::with().set("database", &address).try_start() else { panic!("it started") };
    // This PostgreSQL has no certificate, and usher doesn't go on without.
    assert!(error.to_string().contains("TLS"), "{error}");
}
