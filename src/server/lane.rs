//! Owns the queue of connections that have sent requests ahead. Of each worker's, one at a time goes on, behind
//! everything else that is ready by then, and all together for half of the time at most: whoever sends one request and
//! waits for the answer does not wait for those.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long connections go on without a rest, and how long they rest then.
const STRETCH: Duration = Duration::from_millis(1);

thread_local! {
    static LANE: RefCell<Lane> = RefCell::default();
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Weak<Ticket>>,
    /// Whether somebody was called and has not gone on yet, or all rest.
    called: bool,
    /// When the present stretch began, and when somebody went on last.
    stretch: Option<(Instant, Instant)>,
}

impl Lane {
    /// Notes that somebody goes on; whether it is time to rest.
    fn is_tired(&mut self) -> bool {
        let now = Instant::now();
        let began = match self.stretch {
            Some((began, last)) if now - last < STRETCH => began,
            _ => now,
        };
        self.stretch = Some((began, now));
        now - began >= STRETCH
    }
}

/// A connection's place in the queue of its worker.
#[derive(Default)]
pub struct Ticket {
    state: Cell<State>,
    connection: Cell<Option<Waker>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Out,
    Waits,
    Called,
}

impl Ticket {
    /// Whether it is this connection's turn; it queues up if it has not, and is woken when it is.
    pub fn poll_turn(self: &Rc<Self>, cx: &Context<'_>) -> Poll<()> {
        if self.state.get() == State::Called {
            return Poll::Ready(());
        }
        self.connection.set(Some(cx.waker().clone()));
        if self.state.get() == State::Out {
            self.queue();
            if !LANE.with_borrow(|lane| lane.called) {
                call_next();
            }
        }
        Poll::Pending
    }

    /// It has gone on; `again`: there is more, so that it queues up behind the others.
    pub fn went(self: &Rc<Self>, again: bool) {
        self.state.set(State::Out);
        if again {
            self.queue();
        }
        if LANE.with_borrow_mut(Lane::is_tired) {
            actix_web::rt::spawn(async {
                actix_web::rt::time::sleep(STRETCH).await;
                call_next();
            });
        } else {
            call_next();
        }
    }

    fn queue(self: &Rc<Self>) {
        self.state.set(State::Waits);
        LANE.with_borrow_mut(|lane| lane.waiting.push_back(Rc::downgrade(self)));
    }
}

fn call_next() {
    let next = LANE.try_with(|lane| {
        let mut lane = lane.borrow_mut();
        let next = std::iter::from_fn(|| lane.waiting.pop_front()).find_map(|ticket| ticket.upgrade());
        lane.called = next.is_some();
        next
    });
    // Fails when the worker ends, and nobody goes on any more.
    if let Ok(Some(ticket)) = next {
        ticket.state.set(State::Called);
        if let Some(connection) = ticket.connection.take() {
            connection.wake();
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.state.get() == State::Called {
            call_next();
        }
    }
}
