//! The state of a channel: messages, and the line of senders that found no room. Nothing in it borrows or locks, so the
//! channel of one thread and that between threads are the same machine.
//!
//! A place for a message is in one of four states:
//!
//! ```text
//!           try_push
//!   .----------------------------> taken by a message
//!   |                                    ^
//!   |   promise              poll_room   |  fill
//! free --------> promised -----------> reserved
//!   ^               | leave              | unreserve
//!   '---------------+--------------------'
//! ```
//!
//! Whatever wakes is handed out, and is woken when the state is free again.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::task::{Context, Poll, Waker};

use super::{TryRecvError, TrySendError};
use crate::arena::{Key, Queue};
use crate::sync::renew;

#[derive(Debug)]
pub(in crate::sync) struct State<T> {
    capacity: usize,
    /// Invariant: with places promised and reserved at most `capacity`; exactly as many while anyone stands in line.
    messages: VecDeque<T>,
    /// Senders that found no room. Who was in line and is no more has a place promised, unless the channel is closed.
    line: Queue<Waker>,
    /// Places kept for senders that were taken out of the line and have not come yet. Means nothing once it is closed.
    promised: usize,
    /// Places that senders have and have not filled. These are good also when the channel is closed.
    reserved: usize,
    pub(in crate::sync) senders: usize,
    /// Invariant: once it is set, nobody stands in line, and no message comes but into places that were reserved.
    closed: bool,
    /// Nobody will take a message. Invariant: then it is closed, and there are no messages.
    abandoned: bool,
}

impl<T> State<T> {
    /// The state of a channel with one sender and a receiver.
    pub(in crate::sync) fn new(capacity: usize) -> State<T> {
        State {
            capacity,
            messages: VecDeque::new(),
            line: Queue::new(),
            promised: 0,
            reserved: 0,
            senders: 1,
            closed: false,
            abandoned: false,
        }
    }

    pub(in crate::sync) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many messages are there.
    pub(in crate::sync) fn len(&self) -> usize {
        self.messages.len()
    }

    /// What is shown of it.
    pub(in crate::sync) fn figures(&self) -> Figures {
        let State { capacity, senders, closed, .. } = *self;
        Figures { messages: self.messages.len(), capacity, waiting: self.line.len(), senders, closed }
    }

    /// How many places are free: neither taken, nor promised, nor reserved.
    pub(in crate::sync) fn room(&self) -> usize {
        self.capacity - self.messages.len() - self.promised - self.reserved
    }

    pub(in crate::sync) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the messages that are here are the last.
    pub(in crate::sync) fn is_ended(&self) -> bool {
        (self.closed || self.senders == 0) && self.reserved == 0
    }

    /// Puts a message in, if there is room and nobody waits for it.
    pub(in crate::sync) fn try_push(&mut self, value: T) -> Result<(), TrySendError<T>> {
        if self.closed {
            return Err(TrySendError::Closed(value));
        }
        if self.room() == 0 {
            return Err(TrySendError::Full(value));
        }
        self.messages.push_back(value);
        Ok(())
    }

    /// Reserves a place if there is room and nobody waits for it.
    pub(in crate::sync) fn try_reserve(&mut self) -> Result<(), TrySendError<()>> {
        if self.closed {
            return Err(TrySendError::Closed(()));
        }
        if self.room() == 0 {
            return Err(TrySendError::Full(()));
        }
        self.reserved += 1;
        Ok(())
    }

    /// Reserves a place for one that stands there in line, or has not come yet; else it stands in line. `Err` when the
    /// channel is closed. A waker comes back that is to be dropped outside.
    pub(in crate::sync) fn poll_room(
        &mut self,
        place: &mut Option<Key>,
        cx: &Context<'_>,
    ) -> (Poll<Result<(), ()>>, Option<Waker>) {
        if self.closed {
            *place = None;
            return (Poll::Ready(Err(())), None);
        }
        match *place {
            None if self.room() == 0 => {
                *place = Some(self.line.push_back(cx.waker().clone()));
                return (Poll::Pending, None);
            }
            None => {}
            Some(key) => {
                if let Some(waker) = self.line.get_mut(key) {
                    return (Poll::Pending, renew(waker, cx));
                }
                debug_assert!(self.promised > 0, "who left the line of an open channel has a place promised");
                self.promised -= 1;
            }
        }
        *place = None;
        self.reserved += 1;
        (Poll::Ready(Ok(())), None)
    }

    /// One that stands there in line, or has a place promised, goes away. Gives what is to be dropped, and what is to be
    /// woken, outside.
    pub(in crate::sync) fn leave(&mut self, place: Key) -> (Option<Waker>, Option<Waker>) {
        if self.closed {
            return (None, None);
        }
        let own = self.line.remove(place);
        if own.is_some() {
            return (own, None);
        }
        self.promised -= 1;
        (None, self.promise())
    }

    /// Puts a message into a place that was reserved; it comes back when nobody will take it.
    pub(in crate::sync) fn fill(&mut self, value: T) -> Option<T> {
        self.reserved -= 1;
        if self.abandoned {
            return Some(value);
        }
        self.messages.push_back(value);
        None
    }

    /// Gives up a place that was reserved. Gives who is to be woken for it.
    pub(in crate::sync) fn unreserve(&mut self) -> Option<Waker> {
        self.reserved -= 1;
        self.promise()
    }

    /// Promises a place, if one is free, to the first in line, who is to be woken.
    pub(in crate::sync) fn promise(&mut self) -> Option<Waker> {
        if self.room() == 0 {
            return None;
        }
        let first = self.line.pop_front()?;
        self.promised += 1;
        Some(first)
    }

    /// Takes the next message out. Its place is free, and [`promise`](State::promise) is to be called.
    pub(in crate::sync) fn pop(&mut self) -> Result<T, TryRecvError> {
        let ended = self.is_ended();
        self.messages.pop_front().ok_or(if ended { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    /// Takes up to so many messages out, and tells how many. `promise` is to be called for each.
    pub(in crate::sync) fn pop_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        let count = limit.min(self.messages.len());
        buffer.extend(self.messages.drain(..count));
        count
    }

    /// Takes no more messages. Gives those who stood in line, to be woken.
    pub(in crate::sync) fn close(&mut self) -> Queue<Waker> {
        self.closed = true;
        mem::take(&mut self.line)
    }

    /// The receiver is gone. Gives the messages, to be dropped outside.
    pub(in crate::sync) fn abandon(&mut self) -> VecDeque<T> {
        debug_assert!(self.closed, "a receiver closes its channel before it goes");
        self.abandoned = true;
        mem::take(&mut self.messages)
    }
}

/// What is shown of a state, apart from it: where a formatter writes is foreign code, and may come back to the channel.
pub(in crate::sync) struct Figures {
    messages: usize,
    capacity: usize,
    waiting: usize,
    senders: usize,
    closed: bool,
}

impl Figures {
    pub(in crate::sync) fn debug(&self, half: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(half)
            .field("messages", &self.messages)
            .field("capacity", &self.capacity)
            .field("waiting", &self.waiting)
            .field("senders", &self.senders)
            .field("closed", &self.closed)
            .finish()
    }
}

/// Those who stand in a line that is over, from the first on.
pub(in crate::sync) fn drain(mut line: Queue<Waker>) -> impl Iterator<Item = Waker> {
    std::iter::from_fn(move || line.pop_front())
}
