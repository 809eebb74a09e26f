//! A network that drops packets silently: between usher and PostgreSQL, and between the nodes of PostgreSQL.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::namespaces::Network;
use crate::support::server::{ADMIN, PASSWORD};
use crate::support::{Response, Server};

/// "About 20 seconds", as docs/several-servers.md says, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(25);
const UNAVAILABLE: &str = "The database can't be used right now. Please try again.";

/// Starts a network with as many standbys, and usher. Every commit waits for a standby, if there is one.
fn start(standbys: u32) -> (Network, Server, String) {
    let network = Network::start(standbys);
    if standbys > 0 {
        let mut primary = network.nodes[0].client("postgres");
        for sql in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"] {
            primary.batch_execute(sql).unwrap();
        }
    }
    let server = Server::with().set("database", &network.address("postgres")).start();
    let admin = server.admin();
    (network, server, admin)
}

fn add(server: &Server, admin: &str, name: &str) -> Response {
    let body = json!({ "username": name, "password": PASSWORD });
    server.post("/api/v1/users/").bearer(admin).json(&body).send()
}

fn in_time<T>(work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let outcome = work();
    let took = began.elapsed();
    assert!(took < LIMIT, "it took {took:?}");
    outcome
}

/// Waits until `is_so` returns true. Asks seldom, because other tests run meanwhile.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    in_time(|| {
        while !is_so() {
            std::thread::park_timeout(Duration::from_millis(100));
        }
    });
}

fn wait_until_healthy(server: &Server) {
    wait_until(|| server.get("/health_check").send().status == 200);
}

/// The names of the users on a node, in the order in which they were made.
fn names(network: &Network, node: usize) -> Vec<String> {
    let rows = network.nodes[node].client("postgres").query("SELECT username FROM users ORDER BY id", &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until a commit waits for the standby.
fn wait_for_commit(network: &Network) {
    let mut primary = network.nodes[0].client("postgres");
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'usher' AND wait_event = 'SyncRep'";
    wait_until(|| !primary.query(waiting, &[]).unwrap().is_empty());
}

#[needs(network_namespaces)]
#[test]
fn while_packets_to_postgresql_are_dropped_all_requests_get_503_in_time() {
    let (mut network, server, admin) = start(0);
    network.cut_off(0);
    std::thread::scope(|scope| {
        let refused = |answer: Response| {
            assert_eq!(answer.status, 503);
            assert_eq!(answer.json(), json!({ "detail": UNAVAILABLE }));
        };
        for n in 0..4 {
            let (server, admin) = (&server, &admin);
            scope.spawn(move || refused(in_time(|| server.whoami(admin))));
            scope.spawn(move || refused(in_time(|| add(server, admin, &format!("user{n}")))));
            scope.spawn(move || refused(in_time(|| server.try_login(ADMIN.0, ADMIN.1))));
        }
        let health = in_time(|| server.get("/health_check").send()).expect(503).json();
        assert_eq!(health["db"], "The database server can't be reached");
    });
    // Connections that were lost aren't there any more, and opening others fails sooner.
    assert_eq!(in_time(|| add(&server, &admin, "again")).status, 503);
    network.connect(0);
    wait_until_healthy(&server);
    assert_eq!((server.whoami(&admin).status, add(&server, &admin, "later").status), (200, 201));
    assert_eq!(names(&network, 0), ["admin", "later"]);
}

#[needs(network_namespaces)]
#[test]
fn a_partition_between_the_nodes_delays_writes_and_acknowledges_none() {
    let (mut network, server, admin) = start(1);
    network.cut_nodes();
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| in_time(|| add(&server, &admin, "unknown")));
        wait_for_commit(&network);
        for n in 0..40 {
            let (server, admin) = (&server, &admin);
            scope.spawn(move || assert_eq!(in_time(|| add(server, admin, &format!("refused{n}"))).status, 503));
        }
        let answer = adding.join().unwrap();
        assert_eq!((answer.status, answer.json()), (503, json!({ "detail": UNAVAILABLE })));
    });
    assert_eq!(server.whoami(&admin).status, 200, "reads go on");
    std::thread::scope(|scope| {
        // The commit still waits for its standby, and has the lock that writes need.
        scope.spawn(|| assert_eq!(in_time(|| add(&server, &admin, "refused")).status, 503));
        let health = in_time(|| server.get("/health_check").send()).expect(503).json();
        assert_eq!(health["db"], "The database server can't be reached");
    });
    network.heal();
    wait_until_healthy(&server);
    assert_eq!(add(&server, &admin, "later").status, 201);
    for node in 0..2 {
        assert_eq!(names(&network, node), ["admin", "unknown", "later"]);
    }
}

#[needs(network_namespaces)]
#[test]
fn a_partition_in_the_middle_of_a_commit_gets_503_and_the_write_is_not_repeated() {
    let (mut network, server, admin) = start(1);
    network.cut_nodes();
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| in_time(|| add(&server, &admin, "ann")).status);
        wait_for_commit(&network);
        network.cut_usher_instead();
        // The standby has it now, and its primary has answered. That doesn't arrive.
        wait_until(|| names(&network, 0).len() == 2);
        assert!(!adding.is_finished());
        assert_eq!(adding.join().unwrap(), 503);
    });
    network.heal();
    wait_until_healthy(&server);
    for node in 0..2 {
        assert_eq!(names(&network, node), ["admin", "ann"]);
    }
    let entries = "SELECT count(*) FROM audit WHERE target_name = 'ann'";
    let entries: i64 = network.nodes[0].client("postgres").query_one(entries, &[]).unwrap().get(0);
    assert_eq!(entries, 1);
    assert_eq!(add(&server, &admin, "ann").status, 400, "the name is taken");
}

/// Promotes the standby, and what it acknowledges from now on waits for nobody.
fn promote(network: &Network) {
    let mut standby = network.nodes[1].client("postgres");
    for sql in ["ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()", "SELECT pg_promote()"] {
        standby.batch_execute(sql).unwrap();
    }
}

#[needs(network_namespaces)]
#[test]
fn an_old_primary_that_is_cut_off_from_the_new_one_acknowledges_nothing() {
    let (mut network, server, admin) = start(1);
    let (acknowledged, refused, is_over) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (server, admin, acknowledged, refused, is_over) = (&server, &admin, &acknowledged, &refused, &is_over);
            scope.spawn(move || {
                for n in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("w{writer}-{n}");
                    match in_time(|| add(server, admin, &name)).status {
                        201 => acknowledged.lock().unwrap().push(name),
                        503 => refused.lock().unwrap().push(name),
                        status => panic!("{status}"),
                    }
                }
            });
        }
        let wait_for = |list: &Mutex<Vec<String>>, count: usize| {
            let wanted = list.lock().unwrap().len() + count;
            wait_until(|| list.lock().unwrap().len() >= wanted);
        };
        wait_for(&acknowledged, 20);
        network.cut_nodes();
        promote(&network);
        // usher still reaches both, and both say that they accept writes.
        wait_for(&refused, 1);
        network.nodes[0].stop();
        wait_for(&acknowledged, 20);
        is_over.store(true, Ordering::Relaxed);
    });
    let kept = names(&network, 1);
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost: Vec<&String> = acknowledged.iter().filter(|name| !kept.contains(name)).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", acknowledged.len());
}

#[needs(network_namespaces)]
#[test]
fn usher_goes_on_at_the_new_primary_when_the_old_one_is_silent() {
    let (mut network, server, admin) = start(1);
    network.cut_off(0);
    promote(&network);
    wait_until(|| add(&server, &admin, "ann").status == 201);
    wait_until(|| server.whoami(&admin).status == 200);
    assert_eq!(names(&network, 1), ["admin", "ann"]);
    assert_eq!(names(&network, 0), ["admin"]);
}

#[needs(network_namespaces)]
#[test]
fn both_sides_end_connections_whose_packets_are_dropped_while_they_are_idle() {
    let (mut network, server, admin) = start(0);
    network.cut_off(0);
    let established = || {
        let mut ss = std::process::Command::new("ss");
        let sockets = ss.args(["-Htn", "state", "established", "dst", &network.nodes[0].host]).output().unwrap();
        assert!(sockets.status.success());
        !sockets.stdout.is_empty()
    };
    assert!(established());
    wait_until(|| !established());
    let mut client = network.nodes[0].client("postgres");
    let usher = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'usher'";
    wait_until(|| client.query(usher, &[]).unwrap().is_empty());
    network.connect(0);
    assert_eq!((server.whoami(&admin).status, add(&server, &admin, "ann").status), (200, 201), "at the first try");
}
