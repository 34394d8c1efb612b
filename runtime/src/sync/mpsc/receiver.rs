//! The half that receives: one message at a time, or all that are there.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::{Channel, TryRecvError};
use crate::trace::{self, Wait};

/// The half that receives. When it is dropped, senders are given their values back.
pub struct Receiver<T> {
    pub(super) channel: Rc<Channel<T>>,
}

impl<T> Receiver<T> {
    /// Gives the next message; `None` when there is none left and none will come: all senders are gone, or the channel
    /// is closed.
    ///
    /// Each message takes one operation from the poll's budget, so a channel that is never empty does not hold the
    /// loop.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::mpsc};
    ///
    /// let (sender, mut receiver) = mpsc::channel(2);
    /// sender.try_send(1).unwrap();
    /// drop(sender);
    /// block_on(async {
    ///     assert_eq!(receiver.recv().await, Some(1));
    ///     assert_eq!(receiver.recv().await, None);
    /// });
    /// ```
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, no message has been taken.
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv { receiver: self }
    }

    /// As [`recv`](Receiver::recv), for futures written by hand.
    ///
    /// After it was `Pending`, the task that polled last is woken when a message or the end comes.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::mpsc};
    /// use std::future::poll_fn;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(block_on(poll_fn(|cx| receiver.poll_recv(cx))), Some(1));
    /// ```
    ///
    /// # Cancel safety
    /// Nothing is lost: no message has been taken when this is `Pending`.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let state = self.channel.state.borrow();
        let (empty, ended) = (state.len() == 0, state.is_ended());
        drop(state);
        match (empty, ended) {
            (true, true) => Poll::Ready(None),
            (true, false) => {
                self.channel.seat.sit(cx);
                trace::waits_for(Wait::Receive(self.channel.made_at));
                Poll::Pending
            }
            (false, _) => {
                ready!(trace::poll_budget(cx));
                Poll::Ready(self.try_recv().ok())
            }
        }
    }

    /// Gives the next message if there is one.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::mpsc::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.try_send(1).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when one may still come, [`TryRecvError::Closed`] when none will.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let message = self.channel.state.borrow_mut().pop()?;
        self.channel.promise();
        Ok(message)
    }

    /// Appends the messages that are there to `buffer`, up to `limit`, and tells how many; waits for one if there is
    /// none. Zero tells the end, or a `limit` of zero.
    ///
    /// All together take one operation from the poll's budget.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::mpsc};
    ///
    /// let (sender, mut receiver) = mpsc::channel(8);
    /// (1..=5).for_each(|number| sender.try_send(number).unwrap());
    /// drop(sender);
    /// let mut numbers = Vec::new();
    /// block_on(async {
    ///     assert_eq!(receiver.recv_many(&mut numbers, 3).await, 3);
    ///     assert_eq!(receiver.recv_many(&mut numbers, 3).await, 2);
    ///     assert_eq!(receiver.recv_many(&mut numbers, 3).await, 0);
    /// });
    /// assert_eq!(numbers, [1, 2, 3, 4, 5]);
    /// ```
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
        let state = self.channel.state.borrow();
        let (empty, ended) = (state.len() == 0, state.is_ended());
        drop(state);
        if limit == 0 || (empty && ended) {
            return Poll::Ready(0);
        }
        if empty {
            self.channel.seat.sit(cx);
            trace::waits_for(Wait::Receive(self.channel.made_at));
            return Poll::Pending;
        }
        ready!(trace::poll_budget(cx));
        let count = self.channel.state.borrow_mut().pop_many(buffer, limit);
        self.channel.promise();
        Poll::Ready(count)
    }

    /// Takes no more messages: senders that wait, and those to come, are given their values back. What is in the
    /// channel, and what comes into room that was reserved before, can still be received.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::mpsc};
    ///
    /// let (sender, mut receiver) = mpsc::channel(2);
    /// sender.try_send("in time").unwrap();
    /// receiver.close();
    /// assert!(sender.try_send("late").is_err());
    /// block_on(async {
    ///     assert_eq!(receiver.recv().await, Some("in time"));
    ///     assert_eq!(receiver.recv().await, None);
    /// });
    /// ```
    pub fn close(&mut self) {
        self.channel.close();
        let ended = self.channel.state.borrow().is_ended();
        if ended {
            self.channel.seat.wake();
        }
    }

    /// How many messages are there to be received.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = evloop_runtime::sync::mpsc::channel(8);
    /// assert!(receiver.is_empty());
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.channel.state.borrow().len()
    }

    /// Whether there is no message to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the channel may hold, as [`Sender::capacity`](super::Sender::capacity) tells.
    pub fn capacity(&self) -> usize {
        self.channel.state.borrow().capacity()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.close();
        let messages = self.channel.state.borrow_mut().abandon();
        drop(messages);
        drop(self.channel.seat.waker.take());
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
