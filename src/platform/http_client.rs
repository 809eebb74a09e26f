//! A small HTTP client: one request on a connection of its own, with a deadline. For health checks and webhooks.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use url::{Host, Position, Url};

/// A request.
#[derive(Debug)]
pub struct HttpRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The `http` or `https` address.
    pub url: &'a Url,
    /// Headers besides `Host`, `Connection` and `Content-Length`.
    pub headers: &'a [(&'a str, String)],
    /// The body.
    pub body: &'a [u8],
}

/// A response.
#[derive(Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// Head and body, as they were sent.
    pub bytes: Vec<u8>,
}

/// Sends a request and reads at least `max_bytes` of the response, if it has so many. Doesn't follow redirects.
///
/// # Errors
/// If no HTTP server answers within `timeout`, or its certificate isn't valid.
pub fn send(request: &HttpRequest<'_>, max_bytes: usize, timeout: Duration) -> io::Result<HttpResponse> {
    let deadline = Instant::now() + timeout;
    let response = connect(request.url, deadline).and_then(|stream| match request.url.scheme() {
        "https" => exchange(request, max_bytes, encrypted(stream, request.url)?),
        _ => exchange(request, max_bytes, stream),
    });
    response.map_err(|error| match error.kind() {
        // A socket whose time is over says "Resource temporarily unavailable".
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            let reason = format!("no answer within {} s", timeout.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, reason)
        }
        _ => error,
    })
}

/// A connection whose reads and writes fail after the deadline.
struct DeadlineStream {
    stream: TcpStream,
    deadline: Instant,
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    }
}

impl Read for DeadlineStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer)
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Connects to the first address that accepts.
fn connect(url: &Url, deadline: Instant) -> io::Result<DeadlineStream> {
    let mut connected = Err(io::Error::from(io::ErrorKind::NotFound));
    let addresses = url.socket_addrs(|| None)?;
    for address in addresses.as_slice().to_socket_addrs()? {
        connected = TcpStream::connect_timeout(&address, left(deadline)?);
        if connected.is_ok() {
            break;
        }
    }
    connected.map(|stream| DeadlineStream { stream, deadline })
}

/// Encrypts a connection. The server's certificate must be valid by the system's certificate authorities.
fn encrypted(stream: DeadlineStream, url: &Url) -> io::Result<StreamOwned<ClientConnection, DeadlineStream>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
        Some(Host::Ipv4(address)) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        Some(Host::Ipv6(address)) => ServerName::IpAddress(std::net::IpAddr::from(address).into()),
        None => return Err(io::Error::other("the URL has no host")),
    };
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn exchange(request: &HttpRequest<'_>, max_bytes: usize, mut stream: impl Read + Write) -> io::Result<HttpResponse> {
    let HttpRequest { method, url, headers, body } = request;
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let target = &url[Position::BeforePath..Position::AfterQuery];
    let mut message = Vec::new();
    write!(message, "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n")?;
    for (name, value) in *headers {
        write!(message, "{name}: {value}\r\n")?;
    }
    if !body.is_empty() {
        write!(message, "Content-Length: {}\r\n", body.len())?;
    }
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(body);
    stream.write_all(&message)?;
    stream.flush()?;
    let mut bytes = Vec::new();
    let mut part = [0; 8192];
    while bytes.len() < max_bytes {
        match stream.read(&mut part)? {
            0 => break,
            read => bytes.extend_from_slice(part.get(..read).unwrap_or_default()),
        }
    }
    // "HTTP/1.1 200"
    let status = bytes.get(..12).filter(|line| line.starts_with(b"HTTP/1."));
    let status = status.and_then(|line| std::str::from_utf8(&line[9..]).ok()).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("the response is not HTTP"))?;
    Ok(HttpResponse { status, bytes })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_that_accepts_and_says_nothing_is_named_as_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let request = HttpRequest { method: "GET", url: &url, headers: &[], body: b"" };
        let error = send(&request, 12, Duration::from_secs(1)).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::TimedOut, "no answer within 1 s"));
    }
}
