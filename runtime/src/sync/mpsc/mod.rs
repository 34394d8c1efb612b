//! Many values, from many tasks to one, with a bound or without.
//!
//! A channel holds at most `capacity` messages. A sender that finds no room stands in line with its message in hand.
//! When the receiver takes a message, the place that became free is *promised* to the first in line, who is woken and
//! puts its message there; until then nobody else can have the place, so nobody overtakes. A sender that leaves instead
//! hands the promise on. `state.rs` draws it.
//!
//! All of it is cells of one thread. The receiver's waker stays in its [`Seat`] from one wait to the next, so a message
//! costs no operation on an atomic.

mod error;
mod receiver;
mod sender;
mod state;
mod unbounded;

pub use error::{SendError, TryRecvError, TrySendError};
pub use receiver::{Receiver, Recv, RecvMany};
pub use sender::{Closed, Permit, Reserve, Send, Sender, WeakSender};
pub use unbounded::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded};

pub(super) use state::{State, drain};

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Waker};

use super::line::Line;
use super::register;
use crate::trace::Place;

/// A channel within this thread that holds up to `capacity` messages.
///
/// Room for them is allocated as it is needed.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::join, sync::mpsc};
///
/// let (sender, mut receiver) = mpsc::channel(1);
/// let send = async move {
///     for word in ["tick", "tock"] {
///         sender.send(word).await.unwrap();
///     }
/// };
/// let receive = async {
///     let mut words = Vec::new();
///     while let Some(word) = receiver.recv().await {
///         words.push(word);
///     }
///     words
/// };
/// assert_eq!(block_on(join(send, receive)).1, ["tick", "tock"]);
/// ```
///
/// # Panics
/// When `capacity` is zero.
#[track_caller]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a channel needs room for one message at least, but its capacity is 0");
    open(capacity, Location::caller())
}

fn open<T>(capacity: usize, made_at: Place) -> (Sender<T>, Receiver<T>) {
    let state = RefCell::new(State::new(capacity));
    let channel = Rc::new(Channel { state, seat: Seat::default(), closing: Line::new(), made_at });
    let sender = Sender { channel: Rc::clone(&channel) };
    (sender, Receiver { channel })
}

struct Channel<T> {
    state: RefCell<State<T>>,
    seat: Seat,
    /// Senders that wait until the channel is closed.
    closing: Line,
    made_at: Place,
}

impl<T> Channel<T> {
    fn close(&self) {
        let line = self.state.borrow_mut().close();
        drain(line).for_each(Waker::wake);
        self.closing.wake_all();
    }

    /// Promises the places that are free, and wakes those who are to have them, one after the other.
    fn promise(&self) {
        while let Some(waker) = self.promise_first() {
            waker.wake();
        }
    }

    fn promise_first(&self) -> Option<Waker> {
        self.state.borrow_mut().promise()
    }

    fn debug(&self, half: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self.state.borrow().figures();
        figures.debug(half, f)
    }
}

/// Where the receiver waits. Its waker stays when it is woken, and serves again if the same task waits the next time.
#[derive(Default)]
struct Seat {
    taken: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Seat {
    fn sit(&self, cx: &Context<'_>) {
        let mut waker = self.waker.take();
        let old = register(&mut waker, cx);
        self.waker.set(waker);
        self.taken.set(true);
        drop(old); // last, for what it drops may be the last sender
    }

    fn wake(&self) {
        if !self.taken.replace(false) {
            return;
        }
        if let Some(waker) = self.waker.take() {
            waker.wake_by_ref();
            // The wake may have run the receiver at once, which then sits here again: the newer waker stays.
            if let newer @ Some(_) = self.waker.replace(Some(waker)) {
                drop(self.waker.replace(newer)); // in its place first, for what this drops may send
            }
        }
    }
}

#[cfg(test)]
mod tests;
