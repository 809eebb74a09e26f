//! A small HTTP/1.1 client on a plain socket. It can send any method and any bytes, whole or in pieces.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than any response takes.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A request builder; [`Request::send`] sends the request on its own connection.
#[must_use]
pub struct Request {
    address: SocketAddr,
    method: String,
    path: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// Creates a request from `method` and `path`, without escaping either.
    pub fn new(address: SocketAddr, method: &str, path: impl AsRef<[u8]>) -> Self {
        let path = path.as_ref().to_vec();
        Self { address, method: method.to_owned(), path, headers: Vec::new(), body: None }
    }

    /// Adds a header. Names may repeat; values may be any bytes.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds `Authorization: Bearer`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Adds the `x-api-key` header.
    pub fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    /// Adds a `Cookie` header with one cookie.
    pub fn cookie(self, name: &str, value: &str) -> Self {
        self.header("Cookie", format!("{name}={value}"))
    }

    /// Sets a JSON body.
    pub fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// Sets a urlencoded body.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", body)
    }

    /// Sets a body with this content type.
    pub fn body(self, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        self.header("Content-Type", content_type).raw_body(body)
    }

    /// Sets a body without a content type.
    pub fn raw_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// Whether the response has no body.
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Sends the request on its own connection, which closes after the response.
    pub fn send(self) -> Response {
        self.try_send().unwrap_or_else(|| panic!("no answer to {} {:?}", self.method, self.path))
    }

    /// Like [`Request::send`], but returns `None` if the server closes the connection without a response.
    pub fn try_send(&self) -> Option<Response> {
        let mut connection = Connection::open(self.address);
        connection.write(&self.bytes(false));
        connection.read(self.is_head())
    }

    /// Sends the request on `connection`, which stays open.
    pub fn send_on(self, connection: &mut Connection) -> Response {
        connection.write(&self.bytes(true));
        connection.read(self.is_head()).unwrap_or_else(|| panic!("no answer on a connection that is kept"))
    }

    /// The bytes of the request. Adds `Host` and `Content-Length` if they are missing.
    pub fn bytes(&self, keep: bool) -> Vec<u8> {
        let mut bytes = [self.method.as_bytes(), b" ", &self.path, b" HTTP/1.1\r\n"].concat();
        let has = |wanted: &str| self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let mut own = String::new();
        if !has("host") {
            let _ = write!(own, "Host: {}\r\n", self.address);
        }
        if let Some(body) = self.body.as_ref().filter(|_| !has("content-length") && !has("transfer-encoding")) {
            let _ = write!(own, "Content-Length: {}\r\n", body.len());
        }
        if !keep && !has("connection") {
            own.push_str("Connection: close\r\n");
        }
        bytes.extend(own.into_bytes());
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"\r\n");
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// Lower-case names, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first header with this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The `Set-Cookie` header that sets this cookie.
    pub fn set_cookie(&self, cookie: &str) -> Option<&str> {
        let lines = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        lines.map(|(_, line)| line.as_str()).find(|line| line.split('=').next() == Some(cookie))
    }

    /// The value of a cookie that the response sets.
    pub fn cookie(&self, cookie: &str) -> Option<&str> {
        let line = self.set_cookie(cookie)?;
        line.split(';').next()?.split_once('=').map(|(_, value)| value.trim_matches('"'))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} with a body that is no JSON ({error}): {:?}", self.status, self.text()))
    }

    /// A string field of the JSON body.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        let body = self.json();
        body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
    }

    /// The message of an error response.
    #[track_caller]
    pub fn detail(&self) -> String {
        let detail = &self.json()["detail"];
        detail.as_str().map_or_else(|| detail.to_string(), ToOwned::to_owned)
    }

    /// The validation errors of a 422, each as `body.username string_too_short`.
    #[track_caller]
    pub fn validation_errors(&self) -> Vec<String> {
        assert_eq!(self.status, 422, "{}", self.text());
        let detail = self.json()["detail"].clone();
        let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let fault = |item: &Value| {
            let loc: Vec<String> = item["loc"].as_array().unwrap().iter().map(words).collect();
            format!("{} {}", loc.join("."), words(&item["type"]))
        };
        detail.as_array().unwrap().iter().map(fault).collect()
    }

    /// Asserts the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Asserts an error response with this status and message.
    #[track_caller]
    pub fn refused(self, status: u16, detail: &str) -> Self {
        assert_eq!((self.status, self.text()), (status, serde_json::json!({ "detail": detail }).to_string()));
        self
    }
}

/// A connection, for tests that need more than one request and response.
pub struct Connection {
    stream: TcpStream,
    /// Bytes that were read but not yet consumed.
    rest: Vec<u8>,
}

impl Connection {
    /// Waits until the server has sent something, without reading it.
    pub fn wait_for_response(&self) {
        self.stream.peek(&mut [0]).unwrap();
    }

    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap_or_else(|| panic!("nobody listens on {address}"))
    }

    /// Like [`Connection::open`], but returns `None` if the server refuses the connection.
    pub fn try_open(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.set_write_timeout(Some(TIMEOUT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Some(Self { stream, rest: Vec::new() })
    }

    /// Sets a longer read timeout.
    pub fn patient(self, patience: Duration) -> Self {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        self
    }

    /// Sends bytes. Ignores errors: the server may respond and close before it has read everything.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Closes the sending half. Responses can still be read.
    pub fn half_close(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads `100 Continue`. The server sends it once the handler of a request with `Expect: 100-continue` has started.
    pub fn read_continue(&mut self) {
        let end = self.until(|bytes| bytes.windows(4).position(|four| four == b"\r\n\r\n")).expect("100 Continue");
        let head: Vec<u8> = self.rest.drain(..end + 4).collect();
        assert!(head.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&head));
    }

    /// Reads the next response; `None` if the server closes the connection. `to_head`: the response to a HEAD has no
    /// body.
    pub fn read(&mut self, to_head: bool) -> Option<Response> {
        loop {
            let end = self.until(|bytes| bytes.windows(4).position(|four| four == b"\r\n\r\n"))?;
            let head = String::from_utf8_lossy(&self.rest[..end]).into_owned();
            self.rest.drain(..end + 4);
            let mut lines = head.split("\r\n");
            let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
            if (100..200).contains(&status) {
                continue;
            }
            let header = |line: &str| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            };
            let mut response = Response { status, headers: lines.filter_map(header).collect(), body: Vec::new() };
            if !to_head && status != 204 && status != 304 {
                response.body = self.read_body(&response)?;
            }
            return Some(response);
        }
    }

    fn read_body(&mut self, response: &Response) -> Option<Vec<u8>> {
        if response.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            let mut body = Vec::new();
            loop {
                let end = self.until(|bytes| bytes.windows(2).position(|two| two == b"\r\n"))?;
                let size = String::from_utf8_lossy(&self.rest[..end]).into_owned();
                let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
                let whole = end + 2 + size + 2;
                self.until(|bytes| (bytes.len() >= whole).then_some(0))?;
                body.extend(&self.rest[end + 2..whole - 2]);
                self.rest.drain(..whole);
                if size == 0 {
                    return Some(body);
                }
            }
        }
        let Some(length) = response.header("content-length") else {
            while self.fill() {}
            return Some(std::mem::take(&mut self.rest));
        };
        let length: usize = length.parse().ok()?;
        self.until(|bytes| (bytes.len() >= length).then_some(0))?;
        Some(self.rest.drain(..length).collect())
    }

    /// Whether the server has closed the connection. Reads until it closes or until the read timeout.
    pub fn is_closed(&mut self) -> bool {
        while self.fill() {}
        true
    }

    fn until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        loop {
            if let Some(at) = found(&self.rest) {
                return Some(at);
            }
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads more bytes; false at the end.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.rest.extend(&buffer[..count]);
                true
            }
            // Even with SA_RESTART, a signal ends a read that has a timeout.
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server was silent for {:?}", self.stream.read_timeout())
            }
            Err(_) => false,
        }
    }
}
