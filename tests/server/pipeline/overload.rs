//! Overload: the server answers what it can and refuses the rest at once.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::net::TcpStream;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use usher::domain::secret::Secret;

use crate::support::Program;
use crate::support::requests::with;
use crate::support::server::ADMIN;

/// At this cost, a hash takes a quarter of a second, so 8 seconds of work are queued soon.
const COST: &str = "12";
const CLIENTS: usize = 80;

#[test]
fn a_full_hashing_queue_refuses_sign_ins_at_once_and_logs_a_summary() {
    let server = Program::new(&[]).env("USHER_BCRYPT_COST", COST).env("USHER_THROTTLE", "false").start();
    let form = [("username", "nobody"), ("password", "quiet-otter-7")];
    let log_in = || server.request("POST", "/api/v1/login").form(&form);
    let mut clients: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            stream.write_all(&log_in().bytes(false)).unwrap();
            stream
        })
        .collect();
    // The last one is refused as soon as a busy machine gets to it, and most of the others were before.
    clients[CLIENTS - 1].set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let (mut refused, mut silent) = (0, 0);
    while let (Some(mut client), 0..3) = (clients.pop(), silent) {
        let mut answer = String::new();
        if client.read_to_string(&mut answer).is_err() {
            silent += 1;
        } else if answer.starts_with("HTTP/1.1 503") {
            assert!(answer.contains("\r\nretry-after: 1\r\n") && answer.contains("busy"), "{answer}");
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused} refused");
    drop(clients);
    assert_eq!(server.request("GET", "/health").send().status, 200);
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains("overload")).count();
    assert!(lines > 0 && lines * 4 <= refused, "{refused} refused:\n{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn a_superuser_at_a_known_address_signs_in_during_a_flood_of_sign_ins() {
    let server = with(&[]).bcrypt_cost(10).start();
    server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).expect(200);
    let password = Secret::new("quiet-otter-7");
    let address = |n: usize| IpAddr::from([198, 51, 100, u8::try_from(n % 8).unwrap()]);
    let hasher = &server.app.hasher;
    let mut flood = Box::pin(join_all((0..1000).map(|n| hasher.hash(&password, address(n)))));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(poll_fn(|context| {
        assert!(flood.as_mut().poll(context).is_pending());
        Poll::Ready(())
    }));
    assert!(hasher.stats().refused.get() > 100, "the queue is full");
    assert_eq!(server.try_login_from("192.0.2.1", ADMIN.0, ADMIN.1).status, 200);
    assert!(hasher.waiting() > 10, "without waiting for the others");
}
