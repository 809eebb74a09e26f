//! Owns whose turn it is on a connection: what the connection and the handler of its request tell each other, so that
//! no more is read than can be worked on. Must not know bytes or sockets.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::{HttpMessage, HttpRequest};

/// What a connection may hand over right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Allowance {
    /// The head of the next request.
    Head,
    /// Nothing, until the request under way is answered or its handler asks for the body.
    #[default]
    Nothing,
    /// So many bytes of the body.
    Bytes(u64),
    /// A piece of a body that comes in chunks and does not say how long it is.
    Piece,
}

/// One connection's turn. Lives on the connection's thread.
#[derive(Default)]
pub struct Turn {
    /// How many requests were handed over and are not answered yet.
    under_way: Cell<u32>,
    /// What may be handed over for them.
    body: Cell<Allowance>,
    /// The connection, if it waits.
    waiting: Cell<Option<Waker>>,
}

impl Turn {
    /// The turn of the connection that a request came on; there is none in a test without a connection.
    pub fn of(request: &HttpRequest) -> Option<&Rc<Self>> {
        request.conn_data::<Rc<Self>>()
    }

    /// What may be handed over.
    pub fn allowance(&self) -> Allowance {
        if self.under_way.get() == 0 { Allowance::Head } else { self.body.get() }
    }

    /// So many whole heads were handed over.
    pub fn begin(&self, heads: u32) {
        self.under_way.set(heads);
        self.body.set(Allowance::Nothing);
    }

    /// So many bytes of the body were handed over.
    pub fn gave(&self, bytes: usize) {
        if let Allowance::Bytes(left) = self.body.get() {
            let left = left.saturating_sub(bytes as u64);
            self.body.set(if left == 0 { Allowance::Nothing } else { Allowance::Bytes(left) });
        }
    }

    /// The handler wants the body that the request's headers announce.
    pub fn take_body(&self, request: &HttpRequest) {
        let allowance = match (request.chunked(), length(request.headers())) {
            (Ok(true), _) => Allowance::Piece,
            (_, Some(length)) if length > 0 => Allowance::Bytes(length),
            _ => return,
        };
        self.body.set(allowance);
        self.wake();
    }

    /// A request is answered; after the last of them the next may come.
    pub fn end(&self) {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        self.body.set(Allowance::Nothing);
        self.wake();
    }

    /// Wakes the connection when more may be handed over than now.
    pub fn wait(&self, connection: &Waker) {
        self.waiting.set(Some(connection.clone()));
    }

    fn wake(&self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}
