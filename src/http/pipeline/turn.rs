//! Owns whose turn it is on a connection: what the connection and the handler of its request tell each other, so that
//! no more is read than can be worked on. Must not know bytes or sockets.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, UPGRADE};
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
    /// Whatever comes, from now on: where a body was not read to its end, nobody here knows where that is.
    Everything,
}

/// One connection's turn. Lives on the connection's thread.
#[derive(Default)]
pub struct Turn {
    /// How many requests were handed over and are not answered yet.
    under_way: Cell<u32>,
    /// What may be handed over for them.
    body: Cell<Allowance>,
    /// Whether the one that is being answered has a body whose end was not read yet.
    unread: Cell<bool>,
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
        match self.body.get() {
            Allowance::Everything => Allowance::Everything,
            _ if self.under_way.get() == 0 => Allowance::Head,
            body => body,
        }
    }

    /// So many whole heads were handed over.
    pub fn begin(&self, heads: u32) {
        self.under_way.set(heads);
        self.body.set(Allowance::Nothing);
        self.unread.set(false);
    }

    /// So many bytes of the body were handed over.
    pub fn gave(&self, bytes: usize) {
        if let Allowance::Bytes(left) = self.body.get() {
            let left = left.saturating_sub(bytes as u64);
            self.body.set(if left == 0 { Allowance::Nothing } else { Allowance::Bytes(left) });
        }
    }

    /// A request goes to its handler, with a body or without.
    pub fn called(&self, has_body: bool) {
        self.unread.set(has_body);
    }

    /// The handler wants the body that the request's headers announce.
    pub fn take_body(&self, request: &HttpRequest) {
        if !self.unread.get() || self.body.get() == Allowance::Everything {
            return;
        }
        let allowance = match (request.chunked(), length(request.headers())) {
            (Ok(true), _) => Allowance::Piece,
            (_, Some(length)) if !is_websocket(request.headers()) => Allowance::Bytes(length),
            // A protocol that is not spoken here: actix takes all that follows for the body.
            _ => Allowance::Everything,
        };
        self.body.set(allowance);
        self.wake();
    }

    /// The handler has read the body to its end: what follows is the next request.
    pub fn body_ended(&self) {
        self.unread.set(false);
        if self.body.get() != Allowance::Everything {
            self.body.set(Allowance::Nothing);
        }
    }

    /// The body came to no end that can be understood: actix closes the connection when this one is answered.
    pub fn body_broke(&self) {
        self.unread.set(false);
        self.body.set(Allowance::Everything);
    }

    /// A request is answered; after the last of them the next may come. Whether none may, as a body was left unread.
    pub fn end(&self) -> bool {
        self.under_way.set(self.under_way.get().saturating_sub(1));
        let unread = self.unread.take();
        if unread {
            self.body.set(Allowance::Everything);
        } else if self.body.get() != Allowance::Everything {
            self.body.set(Allowance::Nothing);
        }
        self.wake();
        unread
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

fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}
