//! A small site that echoes requests, as a page and as JSON.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::support::Response;

/// A site that runs until the test ends.
pub struct Echo {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Echo {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || answer(stream));
            }
        });
        Self { address, asked }
    }

    /// The number of requests that reached the site.
    pub fn request_count(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Responds with the request line and the headers, in a page that is also JSON.
fn answer(stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = Vec::new();
    loop {
        let mut header = Vec::new();
        reader.read_until(b'\n', &mut header).ok()?;
        let header = String::from_utf8_lossy(&header);
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(Ok(0), |(_, value)| value.parse());
    std::io::copy(&mut reader.take(length.ok()?), &mut std::io::sink()).ok()?;
    let body = json!({ "line": line.trim_end(), "headers": headers }).to_string();
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html";
    write!(&stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()
}

/// The values of a header that the site received.
pub fn received(answer: &Response, name: &str) -> Vec<String> {
    let body = answer.json();
    let headers = body["headers"].as_array().unwrap().iter();
    headers.filter(|header| header[0] == name).map(|header| header[1].as_str().unwrap().to_owned()).collect()
}

/// The names of all headers that the site received.
pub fn header_names(answer: &Response) -> Vec<String> {
    let body = answer.json();
    body["headers"].as_array().unwrap().iter().map(|header| header[0].as_str().unwrap().to_owned()).collect()
}
