//! Every message to every receiver, with a bound.
//!
//! Messages have numbers, and lie in a ring of the last `capacity`. Each receiver keeps the number of the message that it
//! will take next. A sender never waits: when the ring is full, the oldest message goes, and a receiver that had not
//! taken it learns at its next turn how many it has missed.
//!
//! Each message keeps how many receivers have yet to take it. The last of them takes the message itself, the others
//! take clones; so a message is gone as soon as nobody wants it. A message lies in an `Rc`, because it is cloned when
//! nothing is borrowed: a `Clone` is foreign code, and may come back to the channel.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::line::Line;
use crate::arena::Key;
use crate::trace::{self, Place, Wait};

/// A channel within this thread that keeps the last `capacity` messages for receivers that have not taken them.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, sync::broadcast::{self, RecvError}};
///
/// let (sender, mut one) = broadcast::channel(2);
/// let mut other = sender.subscribe();
/// block_on(async {
///     sender.send("tick").unwrap();
///     assert_eq!((one.recv().await, other.recv().await), (Ok("tick"), Ok("tick")));
///
///     for number in ["1", "2", "3"] {
///         sender.send(number).unwrap();
///     }
///     assert_eq!(one.recv().await, Err(RecvError::Lagged(1)));
///     assert_eq!(one.recv().await, Ok("2"));
/// });
/// ```
///
/// # Panics
/// When `capacity` is zero.
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(capacity);
    let receiver = sender.subscribe();
    (sender, receiver)
}

struct Channel<T> {
    state: RefCell<State<T>>,
    /// Receivers that wait for a message.
    waiting: Line,
    /// Senders that wait until no receiver is left.
    closing: Line,
    made_at: Place,
}

struct State<T> {
    capacity: usize,
    /// Invariant: at most `capacity`, and each is wanted by one receiver at least.
    ring: VecDeque<Message<T>>,
    /// The number of the message that will be sent next.
    next: u64,
    senders: usize,
    receivers: usize,
}

struct Message<T> {
    value: Rc<T>,
    /// How many receivers have not taken it. Invariant: not fewer than of the message before, so what is no longer
    /// wanted is always at the front.
    wanted_by: usize,
}

impl<T> State<T> {
    /// The number of the oldest message that is kept.
    fn oldest(&self) -> u64 {
        self.next - self.ring.len() as u64
    }

    /// Takes the message of that number for one receiver, or tells why there is none.
    fn take(&mut self, number: &mut u64) -> Result<Rc<T>, TryRecvError> {
        let oldest = self.oldest();
        if *number < oldest {
            let missed = oldest - *number;
            *number = oldest;
            return Err(TryRecvError::Lagged(missed));
        }
        let at = usize::try_from(*number - oldest).unwrap_or(usize::MAX);
        let Some(message) = self.ring.get_mut(at) else {
            return Err(if self.senders == 0 { TryRecvError::Closed } else { TryRecvError::Empty });
        };
        *number += 1;
        message.wanted_by -= 1;
        if message.wanted_by > 0 {
            return Ok(Rc::clone(&message.value));
        }
        debug_assert_eq!(at, 0, "what is no longer wanted is at the front");
        Ok(self.ring.pop_front().expect("it was found just now").value)
    }

    /// A receiver that would have taken that number next goes; gives the messages that nobody else wants.
    fn forgo(&mut self, number: u64) -> Vec<Message<T>> {
        self.receivers -= 1;
        let skipped = usize::try_from(number.saturating_sub(self.oldest())).unwrap_or(usize::MAX);
        self.ring.iter_mut().skip(skipped).for_each(|message| message.wanted_by -= 1);
        let unwanted = self.ring.iter().take_while(|message| message.wanted_by == 0).count();
        self.ring.drain(..unwanted).collect()
    }
}

/// A half that sends; clones send to the same receivers. When the last is dropped, receivers come to the end.
pub struct Sender<T> {
    channel: Rc<Channel<T>>,
}

impl<T> Sender<T> {
    /// One that has no receiver yet; [`subscribe`](Sender::subscribe) makes them.
    ///
    /// # Panics
    /// When `capacity` is zero.
    #[track_caller]
    pub fn new(capacity: usize) -> Sender<T> {
        assert!(capacity > 0, "a broadcast needs room for one message at least, but its capacity is 0");
        let state = State { capacity, ring: VecDeque::new(), next: 0, senders: 1, receivers: 0 };
        let (state, made_at) = (RefCell::new(state), Location::caller());
        Sender { channel: Rc::new(Channel { state, waiting: Line::new(), closing: Line::new(), made_at }) }
    }

    /// Sends a message to all receivers there are, and tells how many. It never waits; when the ring is full, the oldest
    /// message is dropped.
    ///
    /// # Errors
    /// The value comes back when there is no receiver.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        if self.receiver_count() == 0 {
            return Err(SendError(value));
        }
        let value = Rc::new(value);
        let mut state = self.channel.state.borrow_mut();
        let receivers = state.receivers;
        let oldest = if state.ring.len() == state.capacity { state.ring.pop_front() } else { None };
        state.ring.push_back(Message { value, wanted_by: receivers });
        state.next += 1;
        drop(state);
        self.channel.waiting.wake_all();
        drop(oldest); // last: also when that panics, nobody waits on
        Ok(receivers)
    }

    /// Another receiver, of the messages that are sent from now on.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::broadcast::{self, TryRecvError};
    ///
    /// let (sender, _first) = broadcast::channel(8);
    /// sender.send("before").unwrap();
    /// let mut late = sender.subscribe();
    /// assert_eq!(late.try_recv(), Err(TryRecvError::Empty));
    /// sender.send("after").unwrap();
    /// assert_eq!(late.try_recv(), Ok("after"));
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(&self.channel)
    }

    /// How many messages are kept for receivers that have not taken them.
    pub fn len(&self) -> usize {
        self.channel.state.borrow().ring.len()
    }

    /// Whether every receiver has taken every message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.channel.state.borrow().receivers
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn closed(&self) -> Closed<'_, T> {
        Closed { channel: &self.channel, place: None }
    }

    /// Whether both send to the same receivers.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Rc::ptr_eq(&self.channel, &other.channel)
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
            self.channel.waiting.wake_all();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capacity = self.channel.state.borrow().capacity;
        f.debug_struct("Sender")
            .field("messages", &self.len())
            .field("capacity", &capacity)
            .field("receivers", &self.receiver_count())
            .finish()
    }
}

/// A half that receives every message that was sent since it was made.
pub struct Receiver<T> {
    channel: Rc<Channel<T>>,
    /// The number of the message that it takes next.
    next: u64,
}

impl<T> Receiver<T> {
    fn new(channel: &Rc<Channel<T>>) -> Receiver<T> {
        let mut state = channel.state.borrow_mut();
        state.receivers += 1;
        Receiver { next: state.next, channel: Rc::clone(channel) }
    }

    /// Another receiver, of the messages that are sent from now on; not of those that this one has yet to take.
    #[must_use]
    pub fn resubscribe(&self) -> Receiver<T> {
        Receiver::new(&self.channel)
    }

    /// How many messages it has yet to take, those that are lost included.
    pub fn len(&self) -> usize {
        usize::try_from(self.channel.state.borrow().next - self.next).unwrap_or(usize::MAX)
    }

    /// Whether it has taken every message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no sender is left; messages may still be there.
    pub fn is_closed(&self) -> bool {
        self.channel.state.borrow().senders == 0
    }

    /// Whether both receive from the same senders.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Rc::ptr_eq(&self.channel, &other.channel)
    }
}

impl<T: Clone> Receiver<T> {
    /// Gives the next message.
    ///
    /// Each takes one operation from the poll's budget.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] once, when messages were dropped that it had not taken, with their number; the oldest that
    /// is kept comes next. [`RecvError::Closed`] when no sender and no message is left.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, no message has been taken.
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv { receiver: self, place: None }
    }

    /// Gives the next message, if it is there.
    ///
    /// # Errors
    /// As those of [`recv`](Receiver::recv), and [`TryRecvError::Empty`] when there is none now.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let value = self.channel.state.borrow_mut().take(&mut self.next)?;
        Ok(Rc::try_unwrap(value).unwrap_or_else(|shared| T::clone(&shared)))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.channel.state.borrow_mut();
        let unwanted = state.forgo(self.next);
        let last = state.receivers == 0;
        drop(state);
        drop(unwanted);
        if last {
            self.channel.closing.wake_all();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("messages", &self.len()).field("closed", &self.is_closed()).finish()
    }
}

/// The future that [`Receiver::recv`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    place: Option<Key>,
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.receiver.is_empty() && !this.receiver.is_closed() {
            this.receiver.channel.waiting.stand(&mut this.place, cx);
            trace::waits_for(Wait::Receive(this.receiver.channel.made_at));
            return Poll::Pending;
        }
        ready!(trace::poll_budget(cx));
        Poll::Ready(this.receiver.try_recv().map_err(|error| match error {
            TryRecvError::Lagged(missed) => RecvError::Lagged(missed),
            TryRecvError::Closed => RecvError::Closed,
            TryRecvError::Empty => unreachable!("there is a message, or the end"),
        }))
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        self.receiver.channel.waiting.leave(&mut self.place);
    }
}

/// The future that [`Sender::closed`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Closed<'a, T> {
    channel: &'a Channel<T>,
    place: Option<Key>,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.channel.state.borrow().receivers == 0 {
            return Poll::Ready(());
        }
        this.channel.closing.stand(&mut this.place, cx);
        trace::waits_for(Wait::Cancel(this.channel.made_at));
        Poll::Pending
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        self.channel.closing.leave(&mut self.place);
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}

/// There is no receiver; the value that was not sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the broadcast has no receiver")
    }
}

impl<T> std::error::Error for SendError<T> {}

/// Why [`Receiver::recv`] gives no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvError {
    /// So many were lost, because it was too slow. It goes on with the oldest that is kept.
    Lagged(u64),
    /// None will come.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Lagged(missed) => write!(f, "the receiver was too slow and missed {missed} messages"),
            RecvError::Closed => f.write_str("the broadcast is closed"),
        }
    }
}

impl std::error::Error for RecvError {}

/// Why [`Receiver::try_recv`] gives no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is none now.
    Empty,
    /// So many were lost, because it was too slow. It goes on with the oldest that is kept.
    Lagged(u64),
    /// None will come.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryRecvError::Empty => f.write_str("the broadcast is empty"),
            TryRecvError::Lagged(missed) => RecvError::Lagged(*missed).fmt(f),
            TryRecvError::Closed => RecvError::Closed.fmt(f),
        }
    }
}

impl std::error::Error for TryRecvError {}

#[cfg(test)]
mod tests;
