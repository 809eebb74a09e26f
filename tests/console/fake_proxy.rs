//! A fake proxy between browser and server that passes requests on, hangs, or responds itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How the proxy treats requests to the API. It always passes on pages and files.
#[derive(Clone, Copy)]
pub enum Behavior {
    /// Passes requests to the server.
    PassOn,
    /// Never responds.
    Hang,
    /// Responds itself: status, media type and body.
    Respond(u16, &'static str, &'static str),
}

/// A proxy that runs until the tests end.
pub struct FakeProxy {
    pub url: String,
    behavior: Arc<Mutex<Behavior>>,
}

impl FakeProxy {
    /// Starts a proxy in front of `server` that passes everything on.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behavior = Arc::new(Mutex::new(Behavior::PassOn));
        let shared = Arc::clone(&behavior);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let behavior = Arc::clone(&shared);
                // Errors are ignored: the browser may disconnect at any time.
                std::thread::spawn(move || serve(&stream, server, &behavior));
            }
        });
        Self { url, behavior }
    }

    /// Changes the behavior for further requests.
    pub fn behave(&self, behavior: Behavior) {
        *self.behavior.lock().unwrap() = behavior;
    }
}

/// Serves one request of a connection.
fn serve(stream: &TcpStream, server: SocketAddr, behavior: &Mutex<Behavior>) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let at = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
        if let Some(number) = head[at..].to_ascii_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = head.split(' ').nth(1).unwrap_or_default();
    let is_api = path.starts_with("/api/") || path == "/health";
    let now = if is_api { *behavior.lock().unwrap() } else { Behavior::PassOn };
    match now {
        Behavior::PassOn => {
            let mut server = TcpStream::connect(server)?;
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1).replace("Connection: keep-alive\r\n", "");
            server.write_all(head.as_bytes())?;
            server.write_all(&body)?;
            io::copy(&mut server, &mut writer)?;
        }
        Behavior::Hang => {
            // Waits until the browser gives up.
            io::copy(&mut reader, &mut io::sink())?;
        }
        Behavior::Respond(status, kind, text) => {
            let length = text.len();
            write!(writer, "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n")?;
            write!(writer, "connection: close\r\n\r\n{text}")?;
        }
    }
    Ok(())
}
