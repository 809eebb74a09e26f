//! The load generator: many keep-alive HTTP/1.1 connections on one thread. It sends prepared bytes and reads only the
//! status and the end of a response, because it shares the cores with the server that it measures.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// Writes the next request of a load into an empty buffer.
pub type Next<'a> = dyn FnMut(&mut Vec<u8>) + 'a;

/// How long a load waits for the last responses.
const LONGEST_FINISH: Duration = Duration::from_secs(30);

/// How requests are sent.
#[derive(Clone, Copy)]
pub struct Load {
    pub connections: usize,
    pub time: Duration,
    /// Requests per second, each on time or once a connection is free. With `None`, each connection sends the next
    /// request after each response. At a fixed rate, latency counts from when the request was due.
    pub rate: Option<u32>,
    /// After this many responses, the load ends early.
    pub answers: usize,
    /// At the end, wait for the responses that are left. Otherwise a slow server still works on them during the next
    /// server's turn, and they are missing from its latencies.
    pub finish: bool,
}

impl Load {
    /// Every connection sends the next request after each response.
    pub fn closed(connections: usize, time: Duration) -> Self {
        Self { connections, time, rate: None, answers: usize::MAX, finish: false }
    }
}

/// The responses to a load.
#[derive(Clone, Default)]
pub struct Outcome {
    pub seconds: f64,
    /// Microseconds from request to response, of responses with a 2xx status; sorted.
    pub micros: Vec<u32>,
    /// The times of 503 and 429 responses, sorted.
    pub refused: Vec<u32>,
    /// The number of other responses, with the first of them.
    pub failed: usize,
    pub first_failure: Option<String>,
    /// The longest time between two good responses, including the start and the end of the load.
    pub longest_gap: Duration,
    /// Connections that the server closed or refused.
    pub broken: usize,
}

impl Outcome {
    pub fn rate(&self) -> f64 {
        self.micros.len() as f64 / self.seconds
    }

    /// The latency in milliseconds at this quantile.
    pub fn percentile(&self, share: f64) -> f64 {
        percentile(&self.micros, share)
    }

    /// Adds the responses to another load.
    pub fn and(mut self, other: Self) -> Self {
        self.seconds += other.seconds;
        self.micros.extend(other.micros);
        self.micros.sort_unstable();
        self.refused.extend(other.refused);
        self.refused.sort_unstable();
        self.failed += other.failed;
        self.broken += other.broken;
        self.first_failure = self.first_failure.or(other.first_failure);
        self.longest_gap = self.longest_gap.max(other.longest_gap);
        self
    }
}

/// The latency in milliseconds at this quantile of sorted latencies.
pub fn percentile(sorted: &[u32], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(f64::NAN, |&micros| f64::from(micros) / 1000.0)
}

struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    sent: usize,
    answer: Vec<u8>,
    since: Option<Instant>,
}

/// Sends a load to the server at `address`.
pub fn run(address: SocketAddr, load: Load, next: &mut Next<'_>) -> io::Result<Outcome> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(1024);
    let mut connections: Vec<Connection> = Vec::with_capacity(load.connections);
    let mut outcome = Outcome::default();
    let start = Instant::now();
    let (end, mut last_good) = (start + load.time, start);
    let due = |number: u64, rate: u32| start + Duration::from_nanos(number * 1_000_000_000 / u64::from(rate));
    let mut idle: Vec<usize> = (0..load.connections).rev().collect();
    let mut number = 0;
    loop {
        let now = Instant::now();
        let over = now >= end || outcome.micros.len() >= load.answers;
        if over && (!load.finish || idle.len() == connections.len() || now >= end + LONGEST_FINISH) {
            break;
        }
        while let Some(&token) = idle.last().filter(|_| !over) {
            let since = match load.rate {
                Some(rate) if due(number, rate) > now => break,
                Some(rate) => due(number, rate),
                None => Instant::now(),
            };
            number += 1;
            idle.pop();
            // Opened when needed, in the order of tokens, because the server closes idle connections.
            if token == connections.len() {
                connections.push(Connection::open(address, &poll, token)?);
            }
            connections[token].ask(since, next);
        }
        let wait = match load.rate {
            Some(rate) if !idle.is_empty() => due(number, rate).saturating_duration_since(now),
            _ if over => end + LONGEST_FINISH - now,
            _ => end - now,
        };
        match poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for event in &events {
            let Token(token) = event.token();
            let connection = &mut connections[token];
            match connection.progress() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    let now = Instant::now();
                    let took = connection.since.take().map_or(0, |since| (now - since).as_micros());
                    let took = u32::try_from(took).unwrap_or(u32::MAX);
                    match status {
                        200..300 => {
                            outcome.micros.push(took);
                            outcome.longest_gap = outcome.longest_gap.max(now - last_good);
                            last_good = now;
                        }
                        429 | 503 => outcome.refused.push(took),
                        _ => outcome.fail(|| connection.described()),
                    }
                    connection.answer.clear();
                    idle.push(token);
                }
                Err(_) => {
                    // A connection that is closed while idle isn't broken.
                    if connection.since.is_some() {
                        outcome.broken += 1;
                        idle.push(token);
                    }
                    *connection = Connection::open(address, &poll, token)?;
                }
            }
        }
    }
    outcome.seconds = start.elapsed().as_secs_f64();
    outcome.longest_gap = outcome.longest_gap.max(last_good.elapsed());
    outcome.micros.sort_unstable();
    outcome.refused.sort_unstable();
    Ok(outcome)
}

impl Outcome {
    fn fail(&mut self, describe: impl FnOnce() -> String) {
        self.failed += 1;
        if self.first_failure.is_none() {
            self.first_failure = Some(describe());
        }
    }
}

impl Connection {
    fn open(address: SocketAddr, poll: &Poll, token: usize) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        poll.registry().register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, request: Vec::new(), sent: 0, answer: Vec::new(), since: None })
    }

    fn ask(&mut self, since: Instant, next: &mut Next<'_>) {
        self.request.clear();
        self.sent = 0;
        next(&mut self.request);
        self.since = Some(since);
        // The socket reports when the rest can be written, and also when it is broken.
        let _ = self.send();
    }

    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.request.len() {
            match self.stream.write(&self.request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes and reads as much as possible. Returns the status once a response is complete.
    fn progress(&mut self) -> io::Result<Option<u16>> {
        self.send()?;
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.answer.extend_from_slice(&bytes[..count]);
                    // After a short read the socket is empty; another read would only report that.
                    if count < bytes.len() {
                        break;
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(if self.since.is_some() { whole(&self.answer) } else { None })
    }

    fn described(&self) -> String {
        let request = String::from_utf8_lossy(&self.request);
        let line = request.lines().next().unwrap_or_default().to_owned();
        format!("{line} → {}", String::from_utf8_lossy(&self.answer))
    }
}

/// The status of a complete response.
pub fn whole(answer: &[u8]) -> Option<u16> {
    let head = memchr::memmem::find(answer, b"\r\n\r\n")?;
    let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
    let body = &answer[head + 4..];
    let whole = match header(&answer[..head], b"content-length:") {
        Some(length) => body.len() >= std::str::from_utf8(length).ok()?.trim().parse::<usize>().ok()?,
        None if header(&answer[..head], b"transfer-encoding:").is_some() => body.ends_with(b"\r\n0\r\n\r\n"),
        None => true,
    };
    whole.then_some(status)
}

fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Sends one request on its own connection. Returns the status and the whole response.
pub fn once(address: SocketAddr, request: &[u8]) -> io::Result<(u16, String)> {
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    stream.write_all(request)?;
    let (mut answer, mut bytes) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some(status) = whole(&answer) {
            return Ok((status, String::from_utf8_lossy(&answer).into_owned()));
        }
        match stream.read(&mut bytes)? {
            0 => return Err(io::Error::new(ErrorKind::UnexpectedEof, String::from_utf8_lossy(&answer))),
            count => answer.extend_from_slice(&bytes[..count]),
        }
    }
}

/// The bytes of a request, and of its body, given as content type and text.
pub fn request(method: &str, path: &str, token: Option<&str>, body: Option<(&str, &str)>) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let body = body.map_or_else(
        || "\r\n".to_owned(),
        |(kind, body)| format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
    );
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}{body}").into_bytes()
}
