//! Hostile peers against the real program: while they do their worst, others are answered, and memory stays bounded.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{ADMIN, Client, PASSWORD, Process};

/// How often slow senders send a byte.
const SLOWLY: Duration = Duration::from_millis(500);
/// How many honest clients there are, and how many requests each sends.
const HONEST: usize = 4;

/// Latencies of honest requests, in microseconds.
fn measure(address: SocketAddr, token: Option<&String>, requests: usize) -> (u128, u128) {
    let mut all: Vec<u128> = std::thread::scope(|scope| {
        let honest = (0..HONEST).map(|_| {
            scope.spawn(move || {
                let mut client = Client::with_token(address, token.cloned());
                let timed = |_| {
                    let begun = Instant::now();
                    let answer = client.get("/api/v1/users/whoami").unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                    begun.elapsed().as_micros()
                };
                (0..requests).map(timed).collect::<Vec<_>>()
            })
        });
        let honest: Vec<_> = honest.collect();
        honest.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    all.sort_unstable();
    (all[all.len() / 2], all[all.len() * 99 / 100])
}

/// Megabytes that the process has resident now, and at most so far.
fn memory(id: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Whether the connection still stands; what came is thrown away.
fn stands(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 4096];
    match stream.read(&mut buffer) {
        Ok(0) => false,
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// Keeps `count` connections open, opens those anew that the server closes, and does `act` to each once a round.
fn keep(
    address: SocketAddr,
    count: usize,
    stop: &AtomicBool,
    reopened: &AtomicU64,
    mut act: impl FnMut(&mut TcpStream, u64),
) {
    let mut peers: Vec<Option<TcpStream>> = (0..count).map(|_| connect(address)).collect();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        for peer in &mut peers {
            if let Some(stream) = peer
                && stands(stream)
            {
                act(stream, round);
                continue;
            }
            reopened.fetch_add(1, Ordering::Relaxed);
            *peer = connect(address);
        }
        std::thread::sleep(SLOWLY);
    }
}

#[test]
fn hostile_peers_keep_nobody_from_being_answered() {
    let many: usize = crate::long_or("USHER_PEERS", 100);
    let requests: usize = crate::long_or("USHER_PEER_REQUESTS", 250);
    let dir = TempDir::new().unwrap();
    let server = Process::start(dir.path());
    let (address, id) = (server.address, server.id());
    let token = Client::signed_in(address, ADMIN, PASSWORD).token;
    measure(address, token.as_ref(), requests / 5);
    let alone = measure(address, token.as_ref(), requests);
    let (before, _) = memory(id);

    let (stop, reopened) = (AtomicBool::new(false), AtomicU64::new(0));
    let few = many / 10;
    let head = b"POST /api/v1/users/ HTTP/1.1\r\nhost: usher\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n";
    let huge = format!("GET /health HTTP/1.1\r\nx-huge: {}", "a".repeat(64 << 10));
    let pipeline = "GET /health HTTP/1.1\r\nhost: usher\r\n\r\n".repeat(50);
    let under_attack = std::thread::scope(|scope| {
        let (stop, reopened) = (&stop, &reopened);
        // They send nothing.
        scope.spawn(move || keep(address, many, stop, reopened, |_, _| {}));
        // A head that never ends, a byte at a time.
        scope.spawn(move || {
            keep(address, few, stop, reopened, |peer, round| {
                let _ = peer.write(if round == 0 { b"GET /health HTTP/1.1\r\nx: " } else { b"y" });
            });
        });
        // A body that never ends, a byte at a time.
        scope.spawn(move || {
            keep(address, few, stop, reopened, |peer, round| {
                let _ = peer.write(if round == 0 { head } else { b" " });
            });
        });
        // Headers of 64 KiB and more.
        scope.spawn(move || keep(address, few, stop, reopened, |peer, _| drop(peer.write(huge.as_bytes()))));
        // Fifty requests at once; what comes back is read slowly.
        scope.spawn(move || keep(address, few, stop, reopened, |peer, _| drop(peer.write(pipeline.as_bytes()))));
        // Half a request, or a whole one, and then no more: the peer's half is closed, the server's is not.
        scope.spawn(move || {
            keep(address, few, stop, reopened, |peer, round| {
                let _ = peer.write(if round % 2 == 0 { &head[..20] } else { &head[..head.len() - 2] });
                let _ = peer.shutdown(Shutdown::Write);
            });
        });
        let measured = measure(address, token.as_ref(), requests);
        stop.store(true, Ordering::Relaxed);
        measured
    });
    let (after, peak) = memory(id);
    println!(
        "{many} idle and 5 × {few} hostile connections that act twice a second, {} times opened anew; {} requests each way: alone median {} µs, \
         p99 {} µs; under attack median {} µs, p99 {} µs; memory {before} MB before, {after} MB after, {peak} MB at most",
        reopened.load(Ordering::Relaxed),
        HONEST * requests,
        alone.0,
        alone.1,
        under_attack.0,
        under_attack.1
    );
    // A bound for busy machines; the figures of a quiet one are in docs/reliability.md.
    assert!(under_attack.1 < 1_000_000, "others wait for {} µs", under_attack.1);
    assert!(peak < 150, "{peak} MB");
}
