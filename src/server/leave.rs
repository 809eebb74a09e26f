//! Owns the end of connections on which a client may still be sending: closed then, a connection is reset, and the last
//! answer may be lost with it. So it is read for a while, and what comes is thrown away.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::pin::Pin;

use actix_web::rt::net::TcpStream;
use actix_web::rt::spawn;
use actix_web::rt::time::timeout;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::server::connection::CLOSE_TIMEOUT;
use crate::server::peers::Held;

/// How much is read and thrown away.
const MOST: usize = 1024 * 1024;

type Leaving = (TcpStream, Held);

thread_local! {
    /// Leads to the task of this worker that sees them off; a connection that is dropped may not start one.
    static DOOR: RefCell<Option<UnboundedSender<Leaving>>> = const { RefCell::new(None) };
}

/// Makes this worker ready for it.
pub fn prepare() {
    DOOR.with_borrow_mut(|door| {
        if door.is_some() {
            return;
        }
        let (sender, mut receiver) = unbounded_channel::<Leaving>();
        *door = Some(sender);
        spawn(async move {
            while let Some((stream, held)) = receiver.recv().await {
                spawn(see_off(stream, held));
            }
        });
    });
}

/// Closes a connection as soon as its client has, or does not go on.
pub fn leave(stream: TcpStream, held: Held) {
    // Fails when the worker ends, and the connection with it.
    let _ = DOOR.try_with(|door| door.borrow().as_ref().map(|door| door.send((stream, held))));
}

async fn see_off(mut stream: TcpStream, _held: Held) {
    let ended = std::future::poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx)).await;
    if ended.is_err() {
        return;
    }
    let read = async {
        let (mut left, mut bytes) = (MOST, [0; 4096]);
        while stream.readable().await.is_ok() {
            match stream.try_read(&mut bytes) {
                Ok(count) if count > 0 && count <= left => left -= count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    };
    // Whoever goes on for longer does not want to know.
    let _ = timeout(CLOSE_TIMEOUT, read).await;
}
