//! Owns what one connection may do: it hands over one request at a time, in turn with all others, and is cut off when
//! it is slow. actix reads whatever a client has sent, up to 128 KiB of requests at once, works on all of them before
//! it looks at anybody else's, keeps them in memory meanwhile, and times only the first head of a connection; so what
//! stands between it and the socket gives it no more than it should work on. Knows
//! nothing of HTTP but what `head` tells.
//!
//! Clients see what they would see of actix's own server if they waited for each answer (`tests/reliability/sockets` holds
//! both side by side), with these differences, all of them on purpose. Heads have at most 32 KiB, not 128. Every head must
//! come in time, not only the first. Who takes nothing of an answer for long is cut off. A body that its handler gave up
//! ends the connection, and the answer says so. What follows a `Connection: close` is not answered. A connection on which
//! a client may still be sending is read for a moment before it is closed (`leave`), so that it is not reset.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use actix_web::rt::time::{Instant, Sleep, sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::pipeline::turn::{Allowance, Turn};
use crate::server::head::{Head, is_plain};
use crate::server::lane::Ticket;
use crate::server::leave::leave;
use crate::server::peers::Held;

/// How long a client may take to send a request's head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of an answer, or leave a connection in no state to go on.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take to close a connection that is closed for it.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The most requests that are handed over at once when a client has sent them ahead: their answers go out together,
/// which takes half the time.
const MAX_AT_ONCE: u32 = 16;
/// What a client hears whose head is larger; the words are the framework's.
const TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A connection to a client.
pub struct Connection {
    /// And its place among the others; there until it is dropped.
    stream: Option<(TcpStream, Held)>,
    turn: Rc<Turn>,
    /// What was read of the stream and may not be handed over yet; less than one read.
    behind: Vec<u8>,
    /// Its place among the connections that have more behind.
    ticket: Rc<Ticket>,
    head: Head,
    /// The same for the pieces of a body.
    piece: Head,
    /// Whether a piece was handed over and others come first now.
    rests: bool,
    /// Whether a head was too large.
    refused: bool,
    /// How long a head, what is behind, and the client's taking of an answer are waited for.
    for_head: Timer,
    for_turn: Timer,
    for_client: Timer,
}

impl Connection {
    pub fn new(stream: TcpStream, held: Held) -> Self {
        Self {
            stream: Some((stream, held)),
            turn: Rc::default(),
            behind: Vec::new(),
            ticket: Rc::default(),
            head: Head::default(),
            piece: Head::default(),
            rests: false,
            refused: false,
            for_head: Timer::default(),
            for_turn: Timer::default(),
            for_client: Timer::default(),
        }
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(&mut self.stream.as_mut().expect("only the end of the connection takes it").0)
    }

    /// What the handlers of its requests are told by.
    pub fn turn(&self) -> Rc<Turn> {
        Rc::clone(&self.turn)
    }

    /// How many of these bytes may be handed over now.
    fn portion(&mut self, bytes: &[u8]) -> usize {
        match self.turn.allowance() {
            Allowance::Nothing => 0,
            Allowance::Everything => bytes.len(),
            Allowance::Bytes(left) => {
                let given = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.turn.gave(given);
                given
            }
            Allowance::Piece => {
                let (given, ended) = self.piece.scan(bytes);
                self.rests = ended;
                given
            }
            Allowance::Head => {
                let (given, ended) = self.head.scan(bytes);
                if ended && !self.head.is_too_large() {
                    self.turn.begin(1);
                    self.piece = Head::default();
                    self.for_head.stop();
                }
                given
            }
        }
    }

    /// How many of these bytes, which a client has sent ahead, may be handed over now: whole requests without bodies,
    /// or else as much as of one that is waited for.
    fn portion_ahead(&mut self, bytes: &[u8]) -> usize {
        let (mut given, mut heads) = (0, 0);
        while self.head.length == 0 && heads < MAX_AT_ONCE {
            let (length, ended) = Head::default().scan(&bytes[given..]);
            if !ended || !is_plain(&bytes[given..given + length]) {
                break;
            }
            given += length;
            heads += 1;
        }
        if heads == 0 {
            return self.portion(bytes);
        }
        self.turn.begin(heads);
        given
    }

    /// Tells a client whose head is too large.
    fn refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.refused, true) {
            // Whoever sends so much need not listen; one try is enough, and none while an answer is still being taken.
            if !self.for_client.runs {
                let _ = self.stream().poll_write(cx, TOO_LARGE);
            }
        }
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }

    /// Whether nothing came that was not answered.
    fn is_idle(&self) -> bool {
        let begun = self.refused || self.head.length > 0 || !self.behind.is_empty();
        !begun && self.turn.allowance() == Allowance::Head
    }

    /// There is nothing to hand over now. A head that has begun must end in time, and so must what is held back.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.behind.is_empty() {
            self.turn.wait(cx.waker());
            return self.for_turn.run(cx, STALL_TIMEOUT);
        }
        self.for_turn.stop();
        match self.turn.allowance() {
            // The first head has a timer of actix's, which answers 408.
            Allowance::Head if self.head.length > 0 && self.head.last.is_some() => self.for_head.run(cx, HEAD_TIMEOUT),
            _ => Poll::Pending,
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.refused {
            return this.refuse(cx);
        }
        if std::mem::take(&mut this.rests) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.behind.is_empty() {
            let before = buf.filled().len();
            if this.stream().poll_read(cx, buf)?.is_pending() {
                return this.wait(cx);
            }
            let came = &buf.filled()[before..];
            let given = this.portion(came);
            if this.head.is_too_large() {
                buf.set_filled(before);
                return this.refuse(cx);
            }
            if given < came.len() {
                this.behind.extend_from_slice(&came[given..]);
                buf.set_filled(before + given);
                if given == 0 {
                    return this.wait(cx);
                }
            }
            return Poll::Ready(Ok(()));
        }
        let is_request = this.turn.allowance() == Allowance::Head;
        if is_request && this.ticket.poll_turn(cx).is_pending() {
            return this.for_turn.run(cx, STALL_TIMEOUT);
        }
        let mut behind = std::mem::take(&mut this.behind);
        let most = behind.len().min(buf.remaining());
        let given = if is_request { this.portion_ahead(&behind[..most]) } else { this.portion(&behind[..most]) };
        if this.head.is_too_large() {
            return this.refuse(cx);
        }
        buf.put_slice(&behind[..given]);
        behind.drain(..given);
        this.behind = behind;
        if is_request {
            this.ticket.went(!this.behind.is_empty());
        }
        if given == 0 {
            return this.wait(cx);
        }
        this.for_turn.stop();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.stream().poll_write(cx, bytes) {
            Poll::Ready(written) => {
                this.for_client.stop();
                Poll::Ready(written)
            }
            Poll::Pending => {
                ready!(this.for_client.run(cx, STALL_TIMEOUT))?;
                Poll::Pending
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream().poll_shutdown(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let idle = self.is_idle();
        if let Some((stream, held)) = self.stream.take().filter(|_| !idle) {
            leave(stream, held);
        }
    }
}

/// A time that runs while something is waited for.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    runs: bool,
}

impl Timer {
    /// Starts it unless it runs already; an error when the time is up.
    fn run(&mut self, cx: &mut Context<'_>, time: Duration) -> Poll<io::Result<()>> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(time)));
        if !std::mem::replace(&mut self.runs, true) {
            sleep.as_mut().reset(Instant::now() + time);
        }
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn stop(&mut self) {
        self.runs = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::peers::Peers;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A connection and its client, on a clock that jumps to the next timer when nothing else is to be done.
    fn pair() -> (Connection, TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, peer) = listener.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_nonblocking(true).unwrap();
        }
        let held = Peers::new(2, &[]).admit(peer.ip()).unwrap();
        (Connection::new(TcpStream::from_std(server).unwrap(), held), TcpStream::from_std(client).unwrap())
    }

    async fn read(connection: &mut Connection) -> io::Result<String> {
        let mut buffer = [0; 1024];
        let count = connection.read(&mut buffer).await?;
        Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_a_later_request_must_come_in_time_too() {
        let (mut connection, mut client) = pair();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), "GET / HTTP/1.1\r\n\r\n");
        connection.turn().end();
        client.write_all(b"GET").await.unwrap();
        assert_eq!(read(&mut connection).await.unwrap(), "GET");
        let begun = Instant::now();
        assert_eq!(read(&mut connection).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), HEAD_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_of_an_answer_is_cut_off() {
        let (mut connection, _client) = pair();
        let begun = Instant::now();
        let failed = connection.write_all(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= STALL_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_behind_a_request_waits_for_its_answer_and_not_for_ever() {
        for answered in [true, false] {
            let (mut connection, mut client) = pair();
            client.write_all(b"GET /1 HTTP/1.1\r\n\r\nGET /2").await.unwrap();
            assert_eq!(read(&mut connection).await.unwrap(), "GET /1 HTTP/1.1\r\n\r\n");
            if answered {
                connection.turn().end();
                assert_eq!(read(&mut connection).await.unwrap(), "GET /2");
            } else {
                assert_eq!(read(&mut connection).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            }
        }
    }
}
