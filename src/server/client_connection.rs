//! One client connection: whether it is idle, and whether the client sends requests ahead.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::web::Bytes;

use crate::platform::client_socket::ClientSocket;

/// One open connection. Its worker and the sweep of idle connections share it.
#[derive(Debug)]
pub struct ClientConnection {
    socket: Option<ClientSocket>,
    opened: Instant,
    /// How many handlers run for it.
    handlers: AtomicU32,
    /// When it last completed a request, in milliseconds since it was opened.
    active_at: AtomicU64,
    /// Whether a response was completed and the connection's task has run on without a pause since.
    just_answered: AtomicBool,
    /// Whether the client has sent a request ahead.
    sent_ahead: AtomicBool,
}

/// One running handler. While it exists, the connection isn't idle.
#[derive(Debug)]
pub struct HandlerGuard(Arc<ClientConnection>);

/// A response body that tells its connection when it ends.
pub struct ResponseBody {
    body: BoxBody,
    connection: Option<Arc<ClientConnection>>,
}

impl ClientConnection {
    /// A connection that was opened now. Without a socket, for tests, it can't be shut down.
    pub fn new(socket: Option<ClientSocket>) -> Arc<Self> {
        Arc::new(Self {
            socket,
            opened: Instant::now(),
            handlers: AtomicU32::new(0),
            active_at: AtomicU64::new(0),
            just_answered: AtomicBool::new(false),
            sent_ahead: AtomicBool::new(false),
        })
    }

    /// Lets a handler run; `None` if the client sent the request before it could have read the previous response.
    ///
    /// actix parses all that a client has sent while a handler runs, and a parsed request takes 8 KB. So a connection
    /// that sends requests ahead must not run another handler, and its client must not send more.
    pub fn begin(self: &Arc<Self>) -> Option<HandlerGuard> {
        if self.just_answered.load(Ordering::Relaxed) && !self.sent_ahead.swap(true, Ordering::Relaxed) {
            if let Some(socket) = &self.socket {
                socket.stop_reading();
            }
            log::debug!("a connection is closed because its client sends requests ahead");
        }
        if self.sent_ahead.load(Ordering::Relaxed) {
            return None;
        }
        self.handlers.fetch_add(1, Ordering::Relaxed);
        Some(HandlerGuard(Arc::clone(self)))
    }

    /// Watches for the end of this response, which a request that was sent ahead follows at once.
    pub fn watch(self: &Arc<Self>, response: ServiceResponse<BoxBody>) -> ServiceResponse<ResponseBody> {
        response.map_body(|_, body| {
            let is_empty = matches!(body.size(), BodySize::None | BodySize::Sized(0));
            if is_empty {
                self.answered();
            }
            ResponseBody { body, connection: (!is_empty).then(|| Arc::clone(self)) }
        })
    }

    /// Marks the connection until its task pauses. actix takes a request that it has already read without a pause. It
    /// sends the response before it pauses, so a client that waits for the response is never too early.
    fn answered(self: &Arc<Self>) {
        self.just_answered.store(true, Ordering::Relaxed);
        let connection = Arc::clone(self);
        actix_web::rt::spawn(async move { connection.just_answered.store(false, Ordering::Relaxed) });
    }

    /// Whether no handler runs, and no request was completed for this long.
    pub fn is_idle(&self, now: Instant, longest: Duration) -> bool {
        let active_at = Duration::from_millis(self.active_at.load(Ordering::Relaxed));
        let idle = now.saturating_duration_since(self.opened).saturating_sub(active_at);
        idle >= longest && self.handlers.load(Ordering::Relaxed) == 0
    }

    /// Ends the connection in both directions.
    pub fn shut_down(&self) {
        if let Some(socket) = &self.socket {
            socket.shut_down();
        }
    }
}

impl ResponseBody {
    /// A body that no connection waits for.
    pub fn unwatched(body: BoxBody) -> Self {
        Self { body, connection: None }
    }
}

impl MessageBody for ResponseBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = Pin::new(&mut self.body).poll_next(cx);
        if matches!(next, Poll::Ready(None))
            && let Some(connection) = self.connection.take()
        {
            connection.answered();
        }
        next
    }
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        let active_at = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.active_at.store(active_at, Ordering::Relaxed);
        self.0.handlers.fetch_sub(1, Ordering::Relaxed);
    }
}
