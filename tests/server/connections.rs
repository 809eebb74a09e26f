//! Requests that a client sends ahead of their answers, in whatever pieces, and what one connection may not do.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::support::{Program, Server};

/// A request, and what its answer must be: the status and the search that the list repeats in no form, so the number
/// of the request, which the answer's body shows.
#[derive(Clone, Debug)]
struct Sent {
    bytes: Vec<u8>,
    status: u16,
    to_head: bool,
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
    // Bodies that look like heads, and like the ends of heads.
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
                // The log-in reads what comes as a form and misses both fields; GET throws its body away.
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
fn requests_that_are_sent_ahead_are_answered_in_order_however_they_are_cut() {
    let server = Server::with().set("workers", "1").start();
    let mut runner = TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let many = (prop::collection::vec(request(), 1..40), prop::collection::vec(1..6000_usize, 1..20));
    let outcome = runner.run(&many, |(requests, cuts)| {
        let mut connection = server.connect();
        let bytes = requests.iter().flat_map(|request| request.bytes.clone()).collect::<Vec<u8>>();
        let (mut rest, mut cuts) = (bytes.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            connection.write(piece);
            rest = behind;
        }
        for (n, request) in requests.iter().enumerate() {
            let answer = connection.read(request.to_head);
            let Some(answer) = answer else { return Err(TestCaseError::fail(format!("no answer to request {n}"))) };
            // A form that is no UTF-8 cannot be read.
            let statuses = if request.status == 422 { [422, 400] } else { [request.status; 2] };
            prop_assert!(statuses.contains(&answer.status), "request {n}: {answer:?}");
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn somebody_who_sends_thousands_of_requests_ahead_gets_every_answer() {
    let server = Server::with().set("workers", "1").start();
    let mut ahead = server.connect();
    let token = server.admin();
    let one = format!("GET /api/v1/users/whoami HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            // Somebody else is answered meanwhile.
            (0..50).all(|_| server.get("/health").send().status == 200)
        });
        ahead.write(one.repeat(3000).as_bytes());
        for n in 0..3000 {
            let answer = ahead.read(false).unwrap_or_else(|| panic!("no answer {n}"));
            assert_eq!(answer.json()["username"], Value::from("admin"), "{n}");
        }
        assert!(reader.join().unwrap());
    });
}

#[test]
fn heads_have_at_most_32_kibibytes() {
    let server = Server::start();
    let with = |bytes: usize| server.get("/health").header("x-large", "y".repeat(bytes)).try_send().unwrap().status;
    assert_eq!((with(30 << 10), with(33 << 10)), (200, 431));
}

/// With so few files that connections run out.
#[test]
#[cfg(unix)]
fn a_server_that_has_no_room_for_connections_says_so_and_recovers_when_they_end() {
    let server = Program::new(&[]).superuser().limit_files(192).start();
    let mut open: Vec<_> = (0..128).map(|_| server.connect()).collect();
    for connection in &mut open {
        connection.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(connection.read(false).unwrap().status, 200);
    }
    let refused = server.connect().read(false).unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    // Those that are open go on: also the database has the files that it needs.
    open[0].write(b"GET /health_check HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(open[0].read(false).unwrap().status, 200);
    open.clear();
    // The server notices in its own time.
    let answers = std::iter::from_fn(|| server.request("GET", "/health").try_send()).take(10_000);
    assert!(answers.map(|answer| answer.status).any(|status| status == 200));
}
