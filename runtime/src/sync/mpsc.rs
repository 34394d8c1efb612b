//! Many values, from many tasks to one, with a bound.
//!
//! A channel holds at most `capacity` messages. A sender that finds no room stands in line with its message in hand.
//! When the receiver takes a message, the place that became free is *promised* to the first in line, who is woken and
//! puts its message there; until then nobody else can have the place, so nobody overtakes. A sender that leaves instead
//! hands the promise on.
//!
//! All of it is cells of one thread. The receiver's waker stays in its [`Seat`] from one wait to the next, so a message
//! costs no operation on an atomic.

mod error;

pub use error::{SendError, TryRecvError, TrySendError};

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::{register, renew};
use crate::arena::{Key, Queue};
use crate::trace::{self, Wait};

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
    let channel = Rc::new(Channel {
        state: RefCell::new(State {
            capacity,
            messages: VecDeque::new(),
            line: Queue::new(),
            promised: 0,
            senders: 1,
            closed: false,
        }),
        seat: Seat::default(),
    });
    let sender = Sender { channel: Rc::clone(&channel) };
    (sender, Receiver { channel })
}

struct Channel<T> {
    state: RefCell<State<T>>,
    seat: Seat,
}

struct State<T> {
    capacity: usize,
    /// Invariant: with those promised, at most `capacity`; exactly as many while anyone stands in line.
    messages: VecDeque<T>,
    /// Senders that found no room. Who was in line and is no more has a place promised, unless the channel is closed.
    line: Queue<Waker>,
    /// Places kept for senders that were taken out of the line and have not come yet.
    promised: usize,
    senders: usize,
    /// Invariant: once it is set, nobody stands in line and no message comes.
    closed: bool,
}

impl<T> State<T> {
    /// Whether a place is free and not promised; then nobody stands in line.
    fn has_room(&self) -> bool {
        self.messages.len() + self.promised < self.capacity
    }

    /// Whether the messages that are here are the last.
    fn is_ended(&self) -> bool {
        self.closed || self.senders == 0
    }

    /// Promises a place that is free to the first in line, who is to be woken.
    fn promise(&mut self) -> Option<Waker> {
        let first = self.line.pop_front()?;
        self.promised += 1;
        Some(first)
    }

    /// A promised place is used or given up; there is room for one, now.
    fn redeem(&mut self) -> bool {
        debug_assert!(self.promised > 0, "who left the line of an open channel has a place promised");
        self.promised -= 1;
        self.has_room()
    }
}

impl<T> Channel<T> {
    fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.closed = true;
        let line = mem::take(&mut state.line);
        drop(state);
        drain(line).for_each(Waker::wake);
    }
}

fn drain(mut line: Queue<Waker>) -> impl Iterator<Item = Waker> {
    std::iter::from_fn(move || line.pop_front())
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
            let newer = self.waker.take();
            self.waker.set(newer.or(Some(waker)));
        }
    }
}

/// A half that sends; clones send to the same receiver. When the last is dropped, the receiver comes to the end.
pub struct Sender<T> {
    channel: Rc<Channel<T>>,
}

impl<T> Sender<T> {
    /// Sends the value as soon as there is room. Who came first is served first.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::mpsc};
    ///
    /// let (sender, mut receiver) = mpsc::channel(8);
    /// block_on(async {
    ///     sender.send("hello").await.unwrap();
    ///     assert_eq!(receiver.recv().await, Some("hello"));
    ///     drop(receiver);
    ///     assert_eq!(sender.send("anyone?").await.unwrap_err().0, "anyone?");
    /// });
    /// ```
    ///
    /// # Errors
    /// The value comes back when the receiver is closed or gone.
    ///
    /// # Cancel safety
    /// The value was not sent, and is dropped; the place in line, or the room that was promised, goes to the next. To
    /// keep the value, use [`try_send`](Sender::try_send).
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send { channel: &self.channel, value: Some(value), place: None }
    }

    /// Sends the value if there is room, and nobody waits for it.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::mpsc::{self, TrySendError};
    ///
    /// let (sender, receiver) = mpsc::channel(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    /// ```
    ///
    /// # Errors
    /// The value comes back when there is no room, or when the receiver is closed or gone.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut state = self.channel.state.borrow_mut();
        if state.closed {
            return Err(TrySendError::Closed(value));
        }
        if !state.has_room() {
            return Err(TrySendError::Full(value));
        }
        state.messages.push_back(value);
        drop(state);
        self.channel.seat.wake();
        Ok(())
    }

    /// Whether the receiver is closed or gone, so that a value would come back.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel::<u8>(1);
    /// assert!(!sender.is_closed());
    /// receiver.close();
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.channel.state.borrow().closed
    }

    /// How many messages the channel may hold: what it was made with, not what is free now (tokio's `max_capacity`).
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = evloop_runtime::sync::mpsc::channel(8);
    /// sender.try_send(1).unwrap();
    /// assert_eq!((sender.capacity(), receiver.capacity()), (8, 8));
    /// ```
    pub fn capacity(&self) -> usize {
        self.channel.state.borrow().capacity
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.state.borrow_mut().senders += 1;
        Sender { channel: Rc::clone(&self.channel) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.channel.state.borrow_mut();
        state.senders -= 1;
        let last = state.senders == 0;
        drop(state);
        if last {
            self.channel.seat.wake();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.debug("Sender", f)
    }
}

/// The future that [`Sender::send`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Send<'a, T> {
    channel: &'a Channel<T>,
    /// `None` after the end.
    value: Option<T>,
    /// Where it stands, or stood, in line. Invariant: `None` after the end.
    place: Option<Key>,
}

/// The value is never pinned, it only passes through.
impl<T> Unpin for Send<'_, T> {}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let value = this.value.take().expect("a send is not polled after it was ready");
        let mut state = this.channel.state.borrow_mut();
        if state.closed {
            this.place = None;
            return Poll::Ready(Err(SendError(value)));
        }
        let (admitted, old) = match this.place {
            None => (state.has_room(), None),
            Some(key) => match state.line.get_mut(key) {
                Some(waker) => (false, renew(waker, cx)),
                None => (state.redeem(), None),
            },
        };
        if admitted {
            this.place = None;
            state.messages.push_back(value);
            drop(state);
            this.channel.seat.wake();
            return Poll::Ready(Ok(()));
        }
        this.value = Some(value);
        this.place = this.place.or_else(|| Some(state.line.push_back(cx.waker().clone())));
        drop(state);
        drop(old);
        trace::waits_for(Wait::Send);
        Poll::Pending
    }
}

impl<T> Drop for Send<'_, T> {
    fn drop(&mut self) {
        let Some(key) = self.place else { return };
        let mut state = self.channel.state.borrow_mut();
        if state.closed {
            return;
        }
        let own = state.line.remove(key);
        let next = if own.is_none() {
            state.redeem();
            state.promise()
        } else {
            None
        };
        drop(state);
        drop(own);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").field("place", &self.place).finish_non_exhaustive()
    }
}

/// The half that receives. When it is dropped, senders are given their values back.
pub struct Receiver<T> {
    channel: Rc<Channel<T>>,
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
        let (empty, ended) = (state.messages.is_empty(), state.is_ended());
        drop(state);
        match (empty, ended) {
            (true, true) => Poll::Ready(None),
            (true, false) => {
                self.channel.seat.sit(cx);
                trace::waits_for(Wait::Receive);
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
        let mut state = self.channel.state.borrow_mut();
        let Some(message) = state.messages.pop_front() else {
            return Err(if state.is_ended() { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        let next = state.promise();
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
        Ok(message)
    }

    /// Takes no more messages: senders that wait, and those to come, are given their values back. What is in the
    /// channel can still be received.
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
        self.channel.state.borrow().messages.len()
    }

    /// Whether there is no message to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages the channel may hold, as [`Sender::capacity`] tells.
    pub fn capacity(&self) -> usize {
        self.channel.state.borrow().capacity
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.close();
        let messages = mem::take(&mut self.channel.state.borrow_mut().messages);
        drop(messages);
        drop(self.channel.seat.waker.take());
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.channel.debug("Receiver", f)
    }
}

impl<T> Channel<T> {
    fn debug(&self, half: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.borrow();
        f.debug_struct(half)
            .field("messages", &state.messages.len())
            .field("capacity", &state.capacity)
            .field("waiting", &state.line.len())
            .field("senders", &state.senders)
            .field("closed", &state.closed)
            .finish()
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

#[cfg(test)]
mod tests;
