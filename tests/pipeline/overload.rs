//! More is asked than can be done: what can be answered is, and the rest is told so at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::Program;

/// A quarter of a second for each hash, so that eight seconds of them are soon asked for.
const COST: &str = "12";
const CLIENTS: usize = 80;

#[test]
fn passwords_that_would_wait_for_too_long_are_refused_while_others_wait_and_a_line_of_the_log_tells_of_many() {
    let server = Program::new(&[]).env("USHER_BCRYPT_COST", COST).env("USHER_THROTTLE", "false").start();
    let form = [("username", "nobody"), ("password", "quiet-otter-7")];
    let log_in = || server.request("POST", "/api/v1/login").form(&form);
    let mut clients: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
            stream.write_all(&log_in().bytes(false)).unwrap();
            stream
        })
        .collect();
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
