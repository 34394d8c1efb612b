//! The half that receives, on a loop or on a thread without one.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Channel, Inner, TryRecvError, blocking, wake};
use crate::loom::Arc;
use crate::sync::mpsc::drain;
use crate::sync::register;
use crate::trace::{self, Wait};

/// The half that receives. It may be moved to any thread; when it is dropped, senders are given their values back.
pub struct Receiver<T> {
    pub(super) channel: Arc<Channel<T>>,
}

impl<T> Receiver<T> {
    /// Gives the next message; `None` when there is none left and none will come: all senders are gone, or the channel
    /// is closed.
    ///
    /// Each message takes one operation from the poll's budget.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, no message has been taken.
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv { receiver: self }
    }

    /// As [`recv`](Receiver::recv), for futures written by hand.
    ///
    /// # Cancel safety
    /// Nothing is lost: no message has been taken when this is `Pending`.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_take(cx, |inner| {
            let message = inner.state.pop().ok();
            (message, inner.state.promise())
        })
        .map(|taken| {
            let (message, next) = taken?;
            wake(next);
            message
        })
    }

    /// Appends the messages that are there to `buffer`, up to `limit`, and tells how many; waits for one if there is
    /// none. Zero tells the end, or a `limit` of zero.
    ///
    /// All together take one lock, and one operation from the poll's budget.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, no message has been taken.
    pub fn recv_many<'a>(&'a mut self, buffer: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T> {
        RecvMany { receiver: self, buffer, limit }
    }

    /// As [`recv_many`](Receiver::recv_many), for futures written by hand.
    ///
    /// # Cancel safety
    /// Nothing is lost: no message has been taken when this is `Pending`.
    pub fn poll_recv_many(&mut self, cx: &mut Context<'_>, buffer: &mut Vec<T>, limit: usize) -> Poll<usize> {
        if limit == 0 {
            return Poll::Ready(0);
        }
        self.poll_take(cx, |inner| {
            let count = inner.state.pop_many(buffer, limit);
            let next: Vec<Waker> = std::iter::from_fn(|| inner.state.promise()).collect();
            (count, next)
        })
        .map(|taken| {
            let (count, next) = taken.unwrap_or_default();
            next.into_iter().for_each(Waker::wake);
            count
        })
    }

    /// Takes what is there, under the lock; `None` at the end.
    fn poll_take<R>(&mut self, cx: &mut Context<'_>, take: impl FnOnce(&mut Inner<T>) -> R) -> Poll<Option<R>> {
        enum Outcome<R> {
            Taken(Option<R>),
            Waits(Option<Waker>),
            Spent,
        }
        let outcome = self.channel.with(|inner| match (inner.state.len(), inner.state.is_ended()) {
            (0, true) => Outcome::Taken(None),
            (0, false) => Outcome::Waits(register(&mut inner.receiver, cx)),
            _ if trace::take_budget() => Outcome::Taken(Some(take(inner))),
            _ => Outcome::Spent,
        });
        match outcome {
            Outcome::Taken(taken) => return Poll::Ready(taken),
            Outcome::Waits(old) => {
                drop(old);
                trace::waits_for(Wait::Receive(self.channel.made_at));
            }
            Outcome::Spent => trace::next_turn(cx),
        }
        Poll::Pending
    }

    /// Gives the next message if there is one.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when one may still come, [`TryRecvError::Closed`] when none will.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let (message, next) = self.channel.with(|inner| (inner.state.pop(), inner.state.promise()));
        wake(next);
        message
    }

    /// Gives the next message, and blocks the thread until there is one; `None` at the end.
    ///
    /// # Panics
    /// Within a task when it would have to wait, for that would hold the loop: there, await [`recv`](Receiver::recv).
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        match self.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Closed) => None,
            Err(TryRecvError::Empty) => blocking::wait(self.recv()),
        }
    }

    /// Takes no more messages: senders that wait, and those to come, are given their values back. What is in the
    /// channel can still be received.
    pub fn close(&mut self) {
        let (line, own) = self.channel.with(|Inner { state, receiver }| {
            let line = state.close();
            (line, if state.is_ended() { receiver.take() } else { None })
        });
        drain(line).for_each(Waker::wake);
        wake(own);
    }

    /// How many messages are there to be received.
    pub fn len(&self) -> usize {
        self.channel.with(|inner| inner.state.len())
    }

    /// Whether there is no message to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the channel may hold: what it was made with.
    pub fn capacity(&self) -> usize {
        self.channel.with(|inner| inner.state.capacity())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let (line, messages, own) =
            self.channel.with(|inner| (inner.state.close(), inner.state.abandon(), inner.receiver.take()));
        drain(line).for_each(Waker::wake);
        drop(own);
        drop(messages); // last: also when that panics, nobody waits on
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.debug("Receiver", f)
    }
}

/// The future that [`Receiver::recv`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.get_mut().receiver.poll_recv(cx)
    }
}

/// The future that [`Receiver::recv_many`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct RecvMany<'a, T> {
    receiver: &'a mut Receiver<T>,
    buffer: &'a mut Vec<T>,
    limit: usize,
}

impl<T> Future for RecvMany<'_, T> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = self.get_mut();
        this.receiver.poll_recv_many(cx, this.buffer, this.limit)
    }
}
