//! Owns what may stand between a browser and the server: it passes on what is asked, never answers, or answers itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of requests to the API; the pages and their files are always passed on.
#[derive(Clone, Copy)]
pub enum Mood {
    /// The server answers.
    Passing,
    /// Nobody ever answers.
    Hanging,
    /// Somebody else answers: a status, a media type and a body.
    Saying(u16, &'static str, &'static str),
}

/// In front of a server until the tests end.
pub struct Gate {
    pub url: String,
    mood: Arc<Mutex<Mood>>,
}

impl Gate {
    /// One in front of `server`, which passes everything on.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mood = Arc::new(Mutex::new(Mood::Passing));
        let shared = Arc::clone(&mood);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mood = Arc::clone(&shared);
                // A browser that goes away in the middle is none of the test's business.
                std::thread::spawn(move || serve(&stream, server, &mood));
            }
        });
        Self { url, mood }
    }

    /// From now on.
    pub fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }
}

/// One request of one connection.
fn serve(stream: &TcpStream, server: SocketAddr, mood: &Mutex<Mood>) -> io::Result<()> {
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
    let now = if is_api { *mood.lock().unwrap() } else { Mood::Passing };
    match now {
        Mood::Passing => {
            let mut server = TcpStream::connect(server)?;
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1).replace("Connection: keep-alive\r\n", "");
            server.write_all(head.as_bytes())?;
            server.write_all(&body)?;
            io::copy(&mut server, &mut writer)?;
        }
        Mood::Hanging => {
            // Until the browser gives up.
            io::copy(&mut reader, &mut io::sink())?;
        }
        Mood::Saying(status, kind, text) => {
            let length = text.len();
            write!(writer, "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n")?;
            write!(writer, "connection: close\r\n\r\n{text}")?;
        }
    }
    Ok(())
}
