//! Many values, from any thread to one receiver: [`mpsc`](super::mpsc) with a lock around it.
//!
//! Senders may be on loops and on threads that have none: on a loop they [`send`](Sender::send), elsewhere they use
//! [`blocking_send`](Sender::blocking_send), and everywhere [`try_send`](Sender::try_send). All stand in one line, first
//! come, first served. The receiver is awaited on a loop, or blocks a thread that has none.
//!
//! The state is the machine of `mpsc/state.rs`, beside it the waker of the receiver, both under one lock, which is held
//! for a few stores. A receiver sees under the lock that there is no message and leaves its waker there; a sender adds
//! a message under the same lock and takes the waker away: so either the receiver sees the message, or the sender sees
//! the waker. loom checks that sentence, and its likes for room and for the end.

mod blocking;
mod receiver;
mod sender;
mod unbounded;

pub use super::mpsc::{SendError, TryRecvError, TrySendError};
pub use receiver::{Receiver, Recv, RecvMany};
pub use sender::{Send, Sender};
pub use unbounded::{UnboundedReceiver, UnboundedSender, unbounded};

use std::fmt;
use std::panic::Location;
use std::task::Waker;

use super::mpsc::State;
use crate::loom::{Arc, Mutex, lock};
use crate::trace::Place;

/// A channel between threads that holds up to `capacity` messages.
///
/// Room for them is allocated as it is needed. A message costs two locks that are rarely waited for, and wakes a loop
/// that sleeps; between tasks of one thread [`mpsc`](super::mpsc) costs neither.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, sync::remote};
///
/// let (sender, mut receiver) = remote::channel(2);
/// let thread = std::thread::spawn(move || {
///     for number in 1..=10 {
///         sender.blocking_send(number).unwrap(); // the loop is not that far yet? then wait
///     }
/// });
/// let sum = block_on(async {
///     let mut sum = 0;
///     while let Some(number) = receiver.recv().await {
///         sum += number;
///     }
///     sum
/// });
/// assert_eq!(sum, 55);
/// thread.join().unwrap();
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
    let inner = Mutex::new(Inner { state: State::new(capacity), receiver: None });
    let channel = Arc::new(Channel { inner, made_at });
    let sender = Sender { channel: Arc::clone(&channel) };
    (sender, Receiver { channel })
}

struct Channel<T> {
    inner: Mutex<Inner<T>>,
    made_at: Place,
}

struct Inner<T> {
    state: State<T>,
    /// The receiver that waits. Invariant: when a message or the end has come, it is taken under the same lock.
    receiver: Option<Waker>,
}

impl<T> Channel<T> {
    /// Looks at, or changes, the state. What is to be woken or dropped is handed out.
    fn with<R>(&self, act: impl FnOnce(&mut Inner<T>) -> R) -> R {
        act(&mut lock(&self.inner))
    }

    fn debug(&self, half: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = self.with(|inner| inner.state.figures());
        figures.debug(half, f)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
