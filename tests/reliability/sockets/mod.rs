//! What clients see of the connection layer: the same as of actix's own server. One client sends what it likes in
//! whatever pieces to usher, and another sends the same to actix, waiting for each answer before it goes on; both servers
//! serve the same application, and the answers are held side by side. Who does not wait for answers of actix's server
//! gets others now and then: it lets the `Connection: close` of a later request end an earlier one, goes on after it, and
//! forgets requests that were sent ahead when the client closes its half.

mod bare;
mod messages;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::bare::Bare;
use self::messages::Message;
use crate::long_or;
use crate::support::Server;

/// How many exchanges run side by side: they wait for both servers, and not for the processor.
const AT_ONCE: u64 = 4;

/// What one client sends on one connection.
#[derive(Clone, Debug)]
struct Exchange {
    messages: Vec<Message>,
    /// Where it is cut into pieces: their lengths, again and again.
    pieces: Vec<usize>,
    /// Whether the server gets a moment for each piece.
    pauses: bool,
    end: End,
}

/// How a client lets the server know that it is done.
#[derive(Clone, Copy, Debug)]
enum End {
    /// With a last request that says so.
    Says,
    /// It closes its half of the connection.
    HalfCloses,
    /// The same after so many bytes of a thousand.
    BreaksOff(usize),
}

const GOODBYE: &[u8] = b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

impl Exchange {
    /// What is sent, message by message; the last one may be cut off.
    fn parts(&self) -> Vec<Message> {
        let mut parts = self.messages.clone();
        match self.end {
            End::Says => parts.push(GOODBYE.to_vec().into()),
            End::HalfCloses => {}
            End::BreaksOff(part) => {
                let mut left = parts.iter().map(|part| part.bytes.len()).sum::<usize>() * part / 1000;
                for part in &mut parts {
                    part.bytes.truncate(left);
                    left -= part.bytes.len();
                }
                parts.retain(|part| !part.bytes.is_empty());
            }
        }
        parts
    }

    fn half_closes(&self) -> bool {
        !matches!(self.end, End::Says)
    }
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let pieces = prop_oneof![
        2 => Just(vec![usize::MAX]),
        3 => prop::collection::vec(1..6000_usize, 1..20),
        1 => prop::collection::vec(1..40_usize, 1..20),
    ];
    let in_order = messages::sound().prop_map(|messages| (messages, End::Says));
    let end = prop_oneof![2 => Just(End::HalfCloses), 1 => (0..1000_usize).prop_map(End::BreaksOff)];
    let otherwise = prop_oneof![1 => messages::sound(), 2 => messages::ended()];
    (prop_oneof![in_order, (otherwise, end)], pieces, prop::bool::weighted(0.2))
        .prop_map(|((messages, end), pieces, pauses)| Exchange { messages, pieces, pauses, end })
}

/// What came back: the bytes until the end, and whether the connection ended in order.
#[derive(Debug, PartialEq)]
struct Outcome {
    answers: Vec<String>,
    in_order: bool,
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    stream
}

/// Reads until there is a whole answer, or until the server closes; whether it has not.
fn read_one(stream: &mut TcpStream, bytes: &mut Vec<u8>, to_head: bool) -> bool {
    let mut from = bytes.len();
    loop {
        if let Some(head) = bytes[from..].windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[from..from + head]).to_ascii_lowercase();
            let behind = from + head + 4;
            if text.starts_with("http/1.1 1") {
                from = behind;
                continue;
            }
            let length = text.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            if bytes.len() >= behind + if to_head { 0 } else { length.unwrap_or(0) } {
                return true;
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return false,
            Ok(count) => bytes.extend(&buffer[..count]),
        }
    }
}

/// The last bytes, and whether the connection ended in order.
fn read_rest(stream: &mut TcpStream, mut bytes: Vec<u8>) -> Outcome {
    let in_order = match stream.read_to_end(&mut bytes) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
        Err(error) => panic!("after {:?}: {error}", String::from_utf8_lossy(&bytes)),
    };
    Outcome { answers: answers(&bytes), in_order }
}

/// Sends one message after the other, each when the one before is answered.
fn one_by_one(address: SocketAddr, exchange: &Exchange) -> Outcome {
    let (mut stream, mut bytes) = (connect(address), Vec::new());
    let parts = exchange.parts();
    for (n, part) in parts.iter().enumerate() {
        let sent = stream.write_all(&part.bytes);
        if n + 1 == parts.len() || sent.is_err() || !read_one(&mut stream, &mut bytes, part.to_head) {
            break;
        }
    }
    if exchange.half_closes() {
        let _ = stream.shutdown(Shutdown::Write);
    }
    read_rest(&mut stream, bytes)
}

/// Sends everything and reads meanwhile.
fn at_once(address: SocketAddr, exchange: &Exchange) -> Outcome {
    let mut stream = connect(address);
    let mut reading = stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || read_rest(&mut reading, Vec::new()));
        let all = exchange.parts().into_iter().flat_map(|part| part.bytes).collect::<Vec<u8>>();
        let (mut rest, mut pieces) = (all.as_slice(), exchange.pieces.iter().cycle());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
            // A server that does not want to hear more may close.
            if stream.write_all(piece).is_err() {
                break;
            }
            rest = behind;
            if exchange.pauses && all.len() - rest.len() < 20_000 {
                std::thread::sleep(Duration::from_micros(300));
            }
        }
        if exchange.half_closes() {
            let _ = stream.shutdown(Shutdown::Write);
        }
        reader.join().unwrap()
    })
}

/// The answers one by one, without what is new each time; headers in the order of the alphabet.
fn answers(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let all = text.split("HTTP/1.").skip(1).map(|answer| {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, "(no end)"));
        let mut lines: Vec<&str> = head.split("\r\n").collect();
        lines.retain(|line| !line.starts_with("date: ") && !line.starts_with("x-request-id: "));
        lines[1..].sort_unstable();
        format!("{}\n\n{body}", lines.join("\n"))
    });
    all.collect()
}

/// Whether the answers are the same. A connection that actix resets may have lost the last of them; usher resets none.
fn is_as_good(usher: &Outcome, bare: &Outcome) -> bool {
    let same = usher.answers == bare.answers || !bare.in_order && usher.answers.starts_with(&bare.answers);
    same && usher.in_order
}

#[test]
fn clients_see_what_they_would_see_of_actix() {
    let server = Server::with().set("workers", "1").start();
    let bare = Bare::start(&server.app);
    let cases: u64 = long_or("USHER_SOCKET_CASES", 200);
    let seed: u8 = long_or("USHER_SOCKET_SEED", 0);
    std::thread::scope(|scope| {
        for mine in 0..AT_ONCE {
            let (usher, bare) = (server.address, bare.address);
            scope.spawn(move || {
                let config = Config {
                    cases: u32::try_from(cases / AT_ONCE).unwrap(),
                    failure_persistence: None,
                    max_shrink_iters: 300,
                    ..Config::default()
                };
                let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed ^ u8::try_from(mine).unwrap(); 32]);
                let outcome = TestRunner::new_with_rng(config, rng).run(&exchange(), |exchange| {
                    let (bare, usher) = (one_by_one(bare, &exchange), at_once(usher, &exchange));
                    if !is_as_good(&usher, &bare) {
                        return Err(TestCaseError::fail(format!("actix: {bare:#?}\nusher: {usher:#?}")));
                    }
                    Ok(())
                });
                outcome.unwrap_or_else(|failure| panic!("{failure}"));
            });
        }
    });
    println!("{cases} exchanges, alike");
}

#[test]
fn a_head_that_is_too_large_is_refused_as_actix_refuses_larger_ones() {
    let server = Server::start();
    let bare = Bare::start(&server.app);
    let head = |bytes: usize| [b"GET /health HTTP/1.1\r\nhost: x\r\nx: ".to_vec(), vec![b'y'; bytes]].concat();
    for before in [0, 3] {
        let exchange = |bytes: usize| Exchange {
            messages: vec![b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(before).into(), head(bytes).into()],
            pieces: vec![2000],
            pauses: false,
            end: End::HalfCloses,
        };
        let (theirs, ours) =
            (at_once(bare.address, &exchange(200 << 10)), at_once(server.address, &exchange(33 << 10)));
        // After other answers actix does not say that it closes.
        let words =
            |all: &Outcome| all.answers.iter().map(|text| text.replace("connection: close\n", "")).collect::<Vec<_>>();
        assert_eq!(words(&theirs), words(&ours));
        assert!(theirs.answers.last().unwrap().starts_with("1 431 "));
        let whole = Exchange { end: End::Says, ..exchange(33 << 10) };
        assert_eq!(at_once(server.address, &whole), Outcome { in_order: true, ..ours });
    }
}

#[test]
fn a_client_that_reads_slowly_gets_every_byte() {
    let server = Server::with().set("workers", "1").start();
    let bare = Bare::start(&server.app);
    let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(60);
    let read = |address| {
        let mut stream = connect(address);
        stream.write_all(&[request.as_slice(), GOODBYE].concat()).unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 100_000]);
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => return answers(&bytes),
                count => bytes.extend(&buffer[..count]),
            }
            std::thread::yield_now();
        }
    };
    let (theirs, ours) = (read(bare.address), read(server.address));
    assert_eq!(ours.len(), 61);
    let bodies =
        |all: &[String]| all.iter().map(|answer| answer.split_once("\n\n").unwrap().1.to_owned()).collect::<Vec<_>>();
    assert!(bodies(&theirs) == bodies(&ours), "bodies differ");
}

/// A body is left unread when it is far too large: what comes behind is never taken for a request.
#[test]
fn nothing_behind_a_body_that_was_given_up_is_a_request() {
    let server = Server::start();
    let chunk = [b"100000\r\n".to_vec(), vec![b'x'; 1 << 20], b"\r\n".to_vec()].concat();
    for (length, body) in [("transfer-encoding: chunked", chunk.as_slice()), ("content-length: 99999999", &chunk)] {
        let head = format!("POST /api/v1/login HTTP/1.1\r\nhost: x\r\n{length}\r\n\r\n");
        let behind = [b"\r\n0\r\n\r\n".as_slice(), &GOODBYE.repeat(3)].concat();
        let all = [head.as_bytes(), &body.repeat(17), &behind].concat();
        let exchange =
            Exchange { messages: vec![all.into()], pieces: vec![60_000], pauses: false, end: End::HalfCloses };
        let answers = at_once(server.address, &exchange).answers;
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(answers[0].starts_with("1 413 ") && answers[0].contains("connection: close"), "{answers:?}");
    }
}
