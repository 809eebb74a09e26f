//! The HTTP client of the health checks: one plain GET request. HTTPS isn't needed to reach a server on this machine.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use url::Url;

/// More than the largest response that is read, the description of the API.
const MAX_RESPONSE_BYTES: u64 = 1 << 20;

/// A response.
pub(super) struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Head and body, as they were sent.
    pub bytes: Vec<u8>,
}

/// The status of `/health_check` below `url`.
///
/// # Errors
/// If no HTTP server answers within `timeout`.
pub(super) fn health_status(url: &Url, timeout: Duration) -> io::Result<u16> {
    get(url, "/health_check", timeout).map(|response| response.status)
}

/// Requests `path` below `url` from the first address that can be connected to.
///
/// # Errors
/// If no HTTP server answers within `timeout`.
pub(super) fn get(url: &Url, path: &str, timeout: Duration) -> io::Result<HttpResponse> {
    let deadline = Instant::now() + timeout;
    let left = || match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let mut connected = Err(io::Error::from(io::ErrorKind::NotFound));
    for address in url.socket_addrs(|| None)? {
        connected = TcpStream::connect_timeout(&address, left()?);
        if connected.is_ok() {
            break;
        }
    }
    let mut stream = connected?;
    stream.set_write_timeout(Some(left()?))?;
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let base = url.path().trim_end_matches('/');
    write!(stream, "GET {base}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut bytes = Vec::new();
    let mut part = [0; 8192];
    while (bytes.len() as u64) < MAX_RESPONSE_BYTES {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut part)? {
            0 => break,
            read => bytes.extend_from_slice(part.get(..read).unwrap_or_default()),
        }
    }
    // "HTTP/1.1 200"
    let code = bytes.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = code.and_then(|code| std::str::from_utf8(code).ok()).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the response is not HTTP"))?;
    Ok(HttpResponse { status, bytes })
}
