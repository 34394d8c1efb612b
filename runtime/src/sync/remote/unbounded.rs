//! The channel without a bound: one whose room never ends.

use std::panic::Location;
use std::task::{Context, Poll};

use super::{Receiver, Recv, RecvMany, SendError, Sender, TryRecvError, open};

/// A channel between threads without a bound: sending never waits, on a loop or elsewhere.
///
/// Nothing holds senders back, so memory grows for as long as they are quicker than the receiver. Where that can be, use
/// [`channel`](super::channel); else [`len`](UnboundedSender::len) tells how far it has come.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, sync::remote};
///
/// let (sender, mut receiver) = remote::unbounded();
/// std::thread::spawn(move || sender.send("from afar").unwrap());
/// assert_eq!(block_on(receiver.recv()), Some("from afar"));
/// ```
#[track_caller]
pub fn unbounded<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let (sender, receiver) = open(usize::MAX, Location::caller());
    (UnboundedSender { sender }, UnboundedReceiver { receiver })
}

/// A half that sends, from any thread; clones send to the same receiver. When the last is dropped, the receiver comes to
/// the end.
#[derive(Debug)]
pub struct UnboundedSender<T> {
    sender: Sender<T>,
}

impl<T> UnboundedSender<T> {
    /// Sends the value, at once.
    ///
    /// # Errors
    /// The value comes back when the receiver is closed or gone.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.sender.try_send(value).map_err(|error| SendError(error.into_inner()))
    }

    /// How many messages are there to be received.
    pub fn len(&self) -> usize {
        self.sender.len()
    }

    /// Whether there is no message to be received.
    pub fn is_empty(&self) -> bool {
        self.sender.is_empty()
    }

    /// Whether the receiver is closed or gone, so that a value would come back.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether both send to the same receiver.
    pub fn same_channel(&self, other: &UnboundedSender<T>) -> bool {
        self.sender.same_channel(&other.sender)
    }
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        UnboundedSender { sender: self.sender.clone() }
    }
}

/// The half that receives. When it is dropped, senders are given their values back.
#[derive(Debug)]
pub struct UnboundedReceiver<T> {
    receiver: Receiver<T>,
}

impl<T> UnboundedReceiver<T> {
    /// Gives the next message, as [`Receiver::recv`] does.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn recv(&mut self) -> Recv<'_, T> {
        self.receiver.recv()
    }

    /// As [`recv`](UnboundedReceiver::recv), for futures written by hand.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(cx)
    }

    /// Gives the next message if there is one.
    ///
    /// # Errors
    /// As those of [`Receiver::try_recv`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.receiver.try_recv()
    }

    /// Gives the next message, and blocks the thread until there is one, as [`Receiver::blocking_recv`] does.
    ///
    /// # Panics
    /// As that.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        self.receiver.blocking_recv()
    }

    /// Appends the messages that are there to `buffer`, up to `limit`, as [`Receiver::recv_many`] does.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn recv_many<'a>(&'a mut self, buffer: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T> {
        self.receiver.recv_many(buffer, limit)
    }

    /// Takes no more messages, as [`Receiver::close`] does.
    pub fn close(&mut self) {
        self.receiver.close();
    }

    /// How many messages are there to be received.
    pub fn len(&self) -> usize {
        self.receiver.len()
    }

    /// Whether there is no message to be received.
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }
}
