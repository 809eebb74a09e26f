//! Owns what clients send: requests of every form that HTTP/1 knows, and of many that it forbids.

use std::fmt;

use proptest::prelude::*;

/// One request, or what somebody takes for one.
#[derive(Clone)]
pub struct Message {
    pub bytes: Vec<u8>,
    /// Whether its answer has no body, whatever it says.
    pub to_head: bool,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(&self.bytes);
        let shown: String = text.chars().take(300).collect();
        write!(f, "{shown:?} ({} bytes)", self.bytes.len())
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        let to_head = bytes.trim_ascii_start().starts_with(b"HEAD ");
        Self { bytes, to_head }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

/// Several on one connection, after all of which it goes on.
pub fn sound() -> impl Strategy<Value = Vec<Message>> {
    prop_oneof![4 => prop::collection::vec(one(), 0..6), 1 => prop::collection::vec(one(), 0..40)]
}

/// Several, of which the last is one after which nothing else may be understood; what follows it is part of it.
pub fn ended() -> impl Strategy<Value = Vec<Message>> {
    // Should it be understood after all, actix answers what follows the better the simpler it is.
    let behind = prop_oneof![4 => Just(0), 2 => 1..6_usize, 1 => Just(3000)];
    let wrong = (wrong(), behind).prop_map(|(wrong, behind)| {
        [wrong.bytes, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(behind)].concat().into()
    });
    (sound(), prop_oneof![1 => last(), 3 => wrong]).prop_map(|(mut messages, last): (_, Message)| {
        messages.push(last);
        messages
    })
}

fn newline() -> impl Strategy<Value = &'static str> {
    prop_oneof![5 => Just("\r\n"), 1 => Just("\n")]
}

/// A request after which the connection goes on.
fn one() -> BoxedStrategy<Message> {
    prop_oneof![4 => bodiless(), 4 => with_body(), 1 => refused_unread()].boxed()
}

fn bodiless() -> impl Strategy<Value = Message> {
    let line = prop::sample::select(vec![
        "GET /health HTTP/1.1",
        "GET /health HTTP/1.1",
        "HEAD /health HTTP/1.1",
        "GET /api/v1/session HTTP/1.1",
        "GET /api/v1/users/whoami HTTP/1.1",
        "GET /api/v1/users HTTP/1.1",
        "DELETE /api/v1/users/x HTTP/1.1",
        "POST /api/v1/login HTTP/1.1",
        "OPTIONS /health HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "TRACE /health HTTP/1.1",
        "GET http://x/health?a=b HTTP/1.1",
        "GET /nothing?%20=%zz HTTP/1.1",
        "GET /assets/console.js HTTP/1.1",
        "HEAD /docs HTTP/1.1",
    ]);
    let header = prop::sample::select(vec![
        "",
        "",
        "x: y",
        "x:",
        "x:  \t y \t",
        "upgrade: h2c",
        "connection: keep-alive",
        "connection: te",
        "te: trailers",
        "content-length: 0",
        "expect: 100-continue",
        "expect: something",
        "cookie: a=b; c",
        "authorization: Bearer x",
    ]);
    let before = prop_oneof![6 => Just(""), 1 => Just("\r\n"), 1 => Just("\n\r\n")];
    (line, header, before, newline(), 0..3_usize).prop_map(|(line, header, before, n, long)| {
        let header = if header.is_empty() { String::new() } else { format!("{header}{n}") };
        let long = if long == 2 { format!("x-long: {}{n}", "y".repeat(9000)) } else { String::new() };
        format!("{before}{line}{n}host: x{n}{header}{long}{n}").into()
    })
}

/// Bodies that look like heads and like the ends of heads, and others.
fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"{}".to_vec()),
        Just(b"username=a&password=b".to_vec()),
        Just(b"\r\n\r\n\r\n\r\n".to_vec()),
        Just(b"0\r\n\r\nGET /health HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
        Just(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(40)),
        prop::collection::vec(any::<u8>(), 0..3000),
        Just(vec![b' '; 65_536]),
        Just(vec![b'x'; 70_000]),
        Just(vec![b'x'; 200_000]),
    ]
}

fn chunked(body: &[u8], size: usize, form: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size) {
        let length = match form {
            0 => format!("{:x}\r\n", chunk.len()),
            1 => format!("{:X}\r\n", chunk.len()),
            2 => format!("00{:x}\r\n", chunk.len()),
            _ => format!("{:x};name=value\r\n", chunk.len()),
        };
        bytes.extend(length.into_bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

fn with_body() -> impl Strategy<Value = Message> {
    let line = prop::sample::select(vec![
        "POST /api/v1/login",
        "POST /api/v1/login",
        "POST /api/v1/users/",
        "PATCH /api/v1/users/x",
        "GET /health",
        "POST /health",
        "POST /nothing",
        "DELETE /api/v1/users/x",
    ]);
    let kind = prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded", "text/plain"]);
    let chunk = prop_oneof![Just(0_usize), 1..50_usize, 1000..100_000_usize];
    (line, kind, body(), chunk, 0..4_usize, newline(), prop::bool::weighted(0.2)).prop_map(
        |(line, kind, body, chunk, form, n, expects)| {
            let expects = if expects { format!("expect: 100-continue{n}") } else { String::new() };
            let (length, body) = match chunk {
                0 => (format!("Content-Length: {}", body.len()), body),
                size => ("Transfer-Encoding: chunked".to_owned(), chunked(&body, size, form)),
            };
            let head = format!("{line} HTTP/1.1{n}host: x{n}content-type: {kind}{n}{expects}{length}{n}{n}");
            [head.into_bytes(), body].concat().into()
        },
    )
}

/// Refused before its body is read, which ends the connection.
fn refused_unread() -> impl Strategy<Value = Message> {
    (body(), prop::bool::ANY).prop_map(|(body, is_chunked)| {
        let (length, body) = if is_chunked {
            ("transfer-encoding: chunked".to_owned(), chunked(&body, 5000, 0))
        } else {
            (format!("content-length: {}", body.len()), body)
        };
        let head = format!("POST /api/v1/login HTTP/1.1\r\nhost: x\r\nsec-fetch-site: cross-site\r\n{length}\r\n\r\n");
        [head.into_bytes(), body].concat().into()
    })
}

/// Something that ends a connection in order, or could.
fn last() -> BoxedStrategy<Message> {
    let heads = prop::sample::select(vec![
        // Of an older HTTP.
        "GET /health HTTP/1.0\r\n\r\n",
        "GET /health HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
        "POST /api/v1/login HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}",
        "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade\r\n\r\n",
        // To another protocol.
        "GET /health HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\r\nwhatever follows",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\nupgrade: WebSocket \r\ncontent-length: 2\r\n\r\n{} and more",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        "CONNECT /health HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}",
        "CONNECT /nothing HTTP/1.1\r\nhost: x\r\n\r\nwhatever follows",
    ]);
    let heads = heads.prop_map(|text| text.to_owned().into());
    // As long as a head may be with usher, and not longer.
    let long = (0..3_usize).prop_map(|less| {
        let before = "GET /health HTTP/1.1\r\nhost: x\r\nx: ";
        format!("{before}{}\r\n\r\n", "y".repeat(32 * 1024 - 2 - before.len() - less)).into()
    });
    prop_oneof![12 => heads, 1 => long].boxed()
}

/// Something that no server may understand, or that servers understand in different ways.
fn wrong() -> BoxedStrategy<Message> {
    let heads = prop::sample::select(vec![
        "POST /api/v1/login HTTP/1.0\r\n\r\n",
        "POST /api/v1/login HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /health\r\n\r\n",
        "GET /health HTTP/2.0\r\nhost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        // Two ways to say how long a body is.
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 5\r\n\r\n{}abc",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 2, 2\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: +2\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 0x2\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length:\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999999\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: \t 2 \t\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: identity\r\n\r\n{}",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: CHUNKED \r\n\r\n0\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\ncontent-length : 2\r\n\r\n{}",
        "GET /health HTTP/1.1\r\nhost: x\r\n content-length: 2\r\n\r\n{}",
        "GET /health HTTP/1.1\r\nhost: x\r\nx: y\r\n content-length: 2\r\n\r\n{}",
        "GET /health HTTP/1.1\r\nhost: x\r\nx: y\r\n\t\r\n\r\n",
        "GET /health HTTP/1.1\nhost: x\ncontent-length: 2\n\n{}",
        "GET /health HTTP/1.1\rhost: x\r\r",
        "GET /health HTTP/1.1\r\nhost: x\rcontent-length: 2\r\n\r\n{}",
        "GET /health HTTP/1.1\r\nhost: x\r\ncontent\0-length: 2\r\n\r\n{}",
        "GET /health HTTP/1.1\r\nhost: x\r\nx: a\0b\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\n\r\r\n\r\n",
        "GET /health HTTP/1.1\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        "GET  /health  HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /hea lth HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /health HTTP/1.1 \r\nhost: x\r\n\r\n",
        " GET /health HTTP/1.1\r\nhost: x\r\n\r\n",
        "get /health http/1.1\r\nhost: x\r\n\r\n",
        "\r\r\nGET /health HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nhost: x\r\n\r\n",
        // Chunks that are none.
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}0\r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\n{}\n0\n\n",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2 \r\n{}\r\n0 \r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2;\n\r\n{}\r\n0\r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n",
        "POST /nothing HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n",
        // Not even close.
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
        "\0\0\0\0",
        "hello\r\n\r\n",
        "{}",
    ]);
    let heads = heads.prop_map(|text| text.to_owned().into());
    let many = (90..100_usize).prop_map(|count| {
        let lines: String = (0..count).flat_map(|n| ["x-".to_owned(), n.to_string(), ": y\r\n".to_owned()]).collect();
        format!("GET /health HTTP/1.1\r\nhost: x\r\n{lines}\r\n").into()
    });
    let rubbish = prop::collection::vec(any::<u8>(), 0..200).prop_map(Message::from);
    prop_oneof![12 => heads, 1 => many, 1 => rubbish].boxed()
}
