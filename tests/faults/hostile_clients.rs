//! Hostile clients against the real program: other clients must be answered meanwhile, and memory must stay bounded.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::client::Client;
use super::long_or;
use crate::support::Program;

/// The number of honest clients. Every other one opens a connection for each request.
const HONEST: usize = 4;

/// Latencies of honest requests, in microseconds: the median and the 99th percentile.
#[derive(Clone, Copy, Debug)]
struct Latency {
    median: u128,
    p99: u128,
}

fn measure(address: SocketAddr, token: Option<&String>, requests: usize) -> Latency {
    let mut all: Vec<u128> = std::thread::scope(|scope| {
        let honest = (0..HONEST).map(|n| {
            scope.spawn(move || {
                let mut client = Client::with_token(address, token.cloned());
                let timed = |_| {
                    if n % 2 == 1 {
                        client = client.again(token.cloned());
                    }
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
    Latency { median: all[all.len() / 2], p99: all[all.len() * 99 / 100] }
}

/// The resident memory of the process in megabytes, now and at its peak.
fn memory(id: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// A kind of hostile client: what it sends on a new connection, and what it then repeats.
#[derive(Clone, Copy)]
struct Hostile {
    name: &'static str,
    /// The number of connections, per hundred idle ones.
    percent: usize,
    first: fn() -> Vec<u8>,
    then: fn() -> Vec<u8>,
    /// Whether the client half-closes after its first bytes.
    half_closes: bool,
    /// Whether the client reads responses.
    reads: bool,
}

const GET: &[u8] = b"GET /health HTTP/1.1\r\nhost: usher\r\n\r\n";
/// The smallest request that actix parses, to a handler that asks the database.
const TINY: &[u8] = b"GET /health_check HTTP/1.1\nhost:\n\n";
const REDIRECTED: &[u8] = b"GET /api/v1/users HTTP/1.1\r\n\r\n";
const POST: &[u8] =
    b"POST /api/v1/users/ HTTP/1.1\r\nhost: usher\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n";

/// The first of [`KINDS`] attack any server; the others target this one.
const COMMON: usize = 7;

const KINDS: [Hostile; 13] = [
    Hostile { name: "idle", percent: 100, first: Vec::new, then: Vec::new, half_closes: false, reads: true },
    Hostile {
        name: "heads that never end, a byte at a time",
        percent: 10,
        first: || b"GET /health HTTP/1.1\r\nx: ".to_vec(),
        then: || b"y".to_vec(),
        half_closes: false,
        reads: true,
    },
    Hostile {
        name: "the same after a whole request",
        percent: 10,
        first: || [GET, b"GET /health HTTP/1.1\r\nx: "].concat(),
        then: || b"y".to_vec(),
        half_closes: false,
        reads: true,
    },
    Hostile {
        name: "bodies that never end, a byte at a time",
        percent: 10,
        first: || POST.to_vec(),
        then: || b" ".to_vec(),
        half_closes: false,
        reads: true,
    },
    Hostile {
        name: "headers of 64 KiB and more",
        percent: 10,
        first: || b"GET /health HTTP/1.1\r\nx-huge: ".to_vec(),
        then: || vec![b'a'; 64 << 10],
        half_closes: false,
        reads: true,
    },
    Hostile {
        name: "fifty requests at once",
        percent: 10,
        first: || GET.repeat(50),
        then: || GET.repeat(50),
        half_closes: false,
        reads: true,
    },
    Hostile {
        name: "half a request and a closed half",
        percent: 10,
        first: || POST[..20].to_vec(),
        then: Vec::new,
        half_closes: true,
        reads: true,
    },
    Hostile {
        name: "three thousand requests at once",
        percent: 10,
        first: || GET.repeat(3000),
        then: || GET.repeat(3000),
        half_closes: false,
        reads: true,
    },
    Hostile {
        name: "thousands of small requests at once",
        percent: 10,
        first: || TINY.repeat(9000),
        then: || TINY.repeat(9000),
        half_closes: false,
        reads: true,
    },
    Hostile {
        name: "large answers that are not read",
        percent: 10,
        first: || b"GET /docs HTTP/1.1\r\nhost: usher\r\n\r\n".repeat(50),
        then: || b"GET /openapi.json HTTP/1.1\r\nhost: usher\r\n\r\n".repeat(50),
        half_closes: false,
        reads: false,
    },
    Hostile {
        name: "redirects, which have no body, that are not read",
        percent: 10,
        first: || REDIRECTED.repeat(2000),
        then: || REDIRECTED.repeat(2000),
        half_closes: false,
        reads: false,
    },
    Hostile {
        name: "JSON of 60,000 bytes that is refused",
        percent: 1,
        first: || [POST, b"[".as_slice(), &b"1,".repeat(29_999), b"]"].concat(),
        then: || [POST, b"[".as_slice(), &b"1,".repeat(29_999), b"]"].concat(),
        half_closes: false,
        reads: true,
    },
    Hostile {
        name: "connections that end as soon as they are made",
        percent: 10,
        first: Vec::new,
        then: Vec::new,
        half_closes: true,
        reads: true,
    },
];

/// A connection with its unsent bytes.
struct Peer {
    stream: TcpStream,
    unsent: Vec<u8>,
}

impl Peer {
    fn open(address: SocketAddr, kind: Hostile) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nonblocking(true).ok()?;
        let mut peer = Self { stream, unsent: (kind.first)() };
        peer.send();
        if kind.half_closes {
            let _ = peer.stream.shutdown(Shutdown::Write);
        }
        Some(peer)
    }

    fn send(&mut self) {
        if let Ok(sent) = self.stream.write(&self.unsent) {
            self.unsent.drain(..sent);
        }
    }

    /// Whether the connection is open. Discards received bytes.
    fn is_open(&mut self, kind: Hostile) -> bool {
        if !kind.reads {
            return true;
        }
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// Keeps `count` connections of a kind open, and replaces those that the server closes.
fn keep_open(
    address: SocketAddr,
    kind: Hostile,
    count: usize,
    pause: Duration,
    stop: &AtomicBool,
    reopened: &AtomicU64,
) {
    // Real clients would not share the server's cores.
    usher::platform::lower_thread_priority();
    let mut peers: Vec<Option<Peer>> = (0..count).map(|_| Peer::open(address, kind)).collect();
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(pause);
        for peer in &mut peers {
            if let Some(standing) = peer
                && standing.is_open(kind)
            {
                if standing.unsent.is_empty() {
                    standing.unsent = (kind.then)();
                }
                standing.send();
                continue;
            }
            reopened.fetch_add(1, Ordering::Relaxed);
            *peer = Peer::open(address, kind);
        }
    }
}

/// Measures honest clients during attacks of these kinds.
fn measure_during(address: SocketAddr, token: Option<&String>, kinds: &[Hostile], pause: Duration) -> (Latency, u64) {
    let (idle, requests) = (long_or("USHER_PEERS", 100), long_or("USHER_PEER_REQUESTS", 250));
    let (stop, reopened) = (AtomicBool::new(false), AtomicU64::new(0));
    let latency = std::thread::scope(|scope| {
        let (stop, reopened) = (&stop, &reopened);
        for kind in kinds {
            scope.spawn(move || keep_open(address, *kind, (idle * kind.percent).div_ceil(100), pause, stop, reopened));
        }
        std::thread::sleep(pause);
        let measured = measure(address, token, requests);
        stop.store(true, Ordering::Relaxed);
        measured
    });
    (latency, reopened.into_inner())
}

#[test]
fn hostile_clients_do_not_prevent_responses_to_others() {
    let pause = Duration::from_millis(long_or("USHER_PEER_MILLIS", 100));
    let each: bool = long_or("USHER_PEER_KINDS", false);
    let server = Program::new(&[]).superuser().env("USHER_LOG", "warn").start();
    let (address, id) = (server.address, server.id());
    let token = Client::admin(address).token;
    let requests = long_or("USHER_PEER_REQUESTS", 250);
    measure(address, token.as_ref(), requests / 5);
    let mut runs: Vec<(&str, &[Hostile])> = Vec::new();
    if each {
        runs.extend(KINDS.iter().map(|kind| (kind.name, std::slice::from_ref(kind))));
        runs.push(("idle, slow, large heads, fifty at once and half-closed", &KINDS[..COMMON]));
    }
    runs.push(("all of them", &KINDS));
    for (name, kinds) in runs {
        let alone = measure(address, token.as_ref(), requests);
        let (attacked, reopened) = measure_during(address, token.as_ref(), kinds, pause);
        let (now, peak) = memory(id);
        println!(
            "{name}: alone median {} µs, p99 {} µs; attacked median {} µs, p99 {} µs, {}.{} times; \
             {reopened} opened anew; {now} MB, at most {peak} MB so far",
            alone.median,
            alone.p99,
            attacked.median,
            attacked.p99,
            attacked.p99 / alone.p99,
            attacked.p99 * 10 / alone.p99 % 10
        );
        // Only in the long run, which is alone on the machine. Otherwise it is enough that everybody was answered.
        assert!(!each || attacked.p99 < 1_000_000, "{name}: others wait for {} µs", attacked.p99);
        assert!(peak < 250, "{peak} MB");
    }
}
