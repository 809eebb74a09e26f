//! Requests in pieces, pipelined requests, and the connection limits.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use needs::needs;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::client::{Connection, Response};
use crate::support::{Program, Server};

/// A request and the status of its response.
#[derive(Clone)]
struct Sent {
    bytes: Vec<u8>,
    status: u16,
    to_head: bool,
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start = &self.bytes[..self.bytes.len().min(100)];
        write!(f, "{:?} ({} bytes)", String::from_utf8_lossy(start), self.bytes.len())
    }
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn request() -> impl Strategy<Value = Sent> {
    let newline = prop_oneof![4 => Just("\r\n"), 1 => Just("\n")];
    // Some bodies look like heads or like the end of a head.
    let body = prop_oneof![
        Just(b"{}".to_vec()),
        Just(b"\r\n\r\n\r\n\r\n".to_vec()),
        Just(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(40)),
        Just(b"\n\n{\"username\": \"\n\n\"}".to_vec()),
        prop::collection::vec(any::<u8>(), 0..3000),
    ];
    let with_body = (body, prop_oneof![Just(0_usize), 1..50_usize], newline.clone(), prop::bool::ANY);
    prop_oneof![
        3 => newline.clone().prop_map(|n| (format!("GET /health HTTP/1.1{n}host: x{n}{n}"), 200, false)),
        1 => newline.clone().prop_map(|n| (format!("{n}{n}HEAD /health HTTP/1.1{n}host: x{n}{n}"), 200, true)),
        1 => newline.prop_map(|n| (format!("GET /nothing HTTP/1.1{n}host: x{n}x: {}{n}{n}", "y".repeat(9000)), 404, false)),
    ]
    .prop_map(|(head, status, to_head)| Sent { bytes: head.into_bytes(), status, to_head })
    .boxed()
    .prop_union(
        with_body
            .prop_map(|(body, chunk, n, wanted)| {
                // The sign-in reads the body as a form without the two fields; GET discards it.
                let (line, status) = if wanted { ("POST /api/v1/login", 422) } else { ("GET /health", 200) };
                let (length, body) = match chunk {
                    0 => (format!("content-length: {}", body.len()), body),
                    size => ("transfer-encoding: chunked".to_owned(), chunked(&body, size)),
                };
                let kind = "content-type: application/x-www-form-urlencoded";
                let head = format!("{line} HTTP/1.1{n}host: x{n}{kind}{n}{length}{n}{n}");
                Sent { bytes: [head.into_bytes(), body].concat(), status, to_head: false }
            })
            .boxed(),
    )
}

#[test]
fn requests_are_answered_in_order_in_any_fragmentation() {
    let server = Server::with().set("workers", "1").start();
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let many = (prop::collection::vec(request(), 1..40), prop::collection::vec(1..6000_usize, 1..20));
    let outcome = runner.run(&many, |(requests, cuts)| {
        let mut connection = server.connect();
        let mut cuts = cuts.iter().cycle();
        for request in &requests {
            let mut rest = request.bytes.as_slice();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                connection.write(piece);
                rest = behind;
            }
            let answer = connection.read(request.to_head);
            let Some(answer) = answer else {
                return Err(TestCaseError::fail(format!("no response to {request:?}")));
            };
            // A form that isn't UTF-8 can't be read.
            let statuses = if request.status == 422 { [422, 400] } else { [request.status; 2] };
            prop_assert!(statuses.contains(&answer.status), "{request:?}: {answer:?}");
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn a_pipelined_request_is_refused_and_the_connection_closed() {
    let server = Server::with().set("workers", "1").start();
    let token = server.admin();
    let paths = ["/health", "/api/v1/users/whoami", "/openapi.json", "/api/v1/users"];
    for (path, status) in paths.into_iter().zip([200, 200, 200, 307]) {
        for method in ["GET", "HEAD"] {
            let one = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
            let mut connection = server.connect();
            connection.write(one.repeat(3).as_bytes());
            let first = connection.read(method == "HEAD").unwrap();
            assert_eq!(first.status, status, "{method} {path}");
            let second = connection.read(false).unwrap();
            assert_eq!((second.status, second.header("connection")), (429, Some("close")), "{method} {path}");
            while let Some(next) = connection.read(false) {
                assert_eq!(next.status, 429, "{method} {path}");
            }
        }
    }
}

#[test]
fn a_client_that_pipelines_endlessly_delays_no_other_client() {
    let server = Server::with().set("workers", "1").start();
    let mut hostile: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let many = b"GET /health_check HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20_000);
    std::thread::scope(|scope| {
        for connection in &mut hostile {
            // Ends when the server closes the connection.
            scope.spawn(|| connection.write(&many));
        }
        assert!((0..50).all(|_| server.get("/health").send().status == 200));
    });
}

#[test]
fn heads_over_128_kibibytes_are_refused() {
    let server = Server::start();
    let with = |bytes: usize| server.get("/health").header("x-large", "y".repeat(bytes)).try_send().unwrap().status;
    assert_eq!((with(120 << 10), with(140 << 10)), (200, 431));
}

/// Sends a request and reads its response; `None` when the server has closed the connection.
fn ask(connection: &mut Connection) -> Option<Response> {
    connection.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    connection.read(false)
}

#[test]
#[cfg(unix)]
fn connections_over_the_limit_are_closed_until_others_end() {
    // Room for 32 connections, of which this machine may hold 29.
    let server = Program::new(&[]).superuser().limit_files(192).start();
    let mut open: Vec<_> = (0..29).map(|_| server.connect()).collect();
    for connection in &mut open {
        assert_eq!(ask(connection).unwrap().status, 200);
    }
    assert!(server.connect().read(false).is_none());
    // The database still has the file descriptors that it needs.
    open[0].write(b"GET /health_check HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(open[0].read(false).unwrap().status, 200);
    open.clear();
    // The server notices closed connections with a delay.
    let answers = std::iter::from_fn(|| Some(server.request("GET", "/health").try_send())).take(10_000);
    assert!(answers.flatten().any(|answer| answer.status == 200));
    assert!(server.log().contains("too many connections"), "{}", server.log());
}

/// An address of this machine that isn't loopback. Connecting a UDP socket sends nothing.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

#[needs(network)]
#[test]
#[cfg(unix)]
fn one_address_has_its_own_limit_and_others_are_still_answered() {
    // Room for 320 connections, of which one address may hold 10.
    let server = Program::new(&[]).superuser().env("USHER_BIND", "0.0.0.0:0").limit_files(1344).start();
    let address = SocketAddr::new(own_address(), server.address.port());
    let mut open: Vec<_> = (0..10).map(|_| Connection::open(address)).collect();
    for connection in &mut open {
        assert_eq!(ask(connection).unwrap().status, 200);
    }
    assert!(Connection::open(address).read(false).is_none());
    assert_eq!(server.request("GET", "/health").send().status, 200);
}
