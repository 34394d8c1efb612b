//! The half that sends: values at once, values that wait, and room that is kept for one.

use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use super::{Channel, SendError, TrySendError};
use crate::arena::Key;
use crate::trace::{self, Wait};

/// A half that sends; clones send to the same receiver. When the last is dropped, the receiver comes to the end.
pub struct Sender<T> {
    pub(super) channel: Rc<Channel<T>>,
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
        Send { admission: Admission::new(&self.channel), value: Some(value) }
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
        self.channel.state.borrow_mut().try_push(value)?;
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
        self.channel.state.borrow().is_closed()
    }

    /// How many messages the channel may hold: what it was made with (tokio's `max_capacity`).
    /// [`room`](Sender::room) is what is free now.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = evloop_runtime::sync::mpsc::channel(8);
    /// sender.try_send(1).unwrap();
    /// assert_eq!((sender.capacity(), receiver.capacity()), (8, 8));
    /// ```
    pub fn capacity(&self) -> usize {
        self.channel.state.borrow().capacity()
    }

    /// How many messages could be sent now without waiting (tokio's `capacity`).
    pub fn room(&self) -> usize {
        self.channel.state.borrow().room()
    }

    /// How many messages are there to be received.
    pub fn len(&self) -> usize {
        self.channel.state.borrow().len()
    }

    /// Whether there is no message to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for room as [`send`](Sender::send) does, and keeps it: what is sent there needs no wait and cannot fail. So
    /// a message is made when there is room for it, or several channels are filled together or not at all.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::mpsc};
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// block_on(async {
    ///     let permit = sender.reserve().await.unwrap();
    ///     assert!(sender.try_send("no room").is_err());
    ///     permit.send("made late");
    ///     assert_eq!(receiver.recv().await, Some("made late"));
    /// });
    /// ```
    ///
    /// # Errors
    /// When the receiver is closed or gone.
    ///
    /// # Cancel safety
    /// Nothing is lost but the place in line; the room that was promised goes to the next.
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve { admission: Admission::new(&self.channel) }
    }

    /// Keeps room for a message if there is any, and nobody waits for it.
    ///
    /// # Errors
    /// When there is no room, or when the receiver is closed or gone.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.channel.state.borrow_mut().try_reserve()?;
        Ok(Permit { channel: Some(&self.channel) })
    }

    /// Waits until the receiver is closed or gone: the moment to stop working for it.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn closed(&self) -> Closed<'_, T> {
        Closed { channel: &self.channel, place: None }
    }

    /// Whether both send to the same receiver.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Rc::ptr_eq(&self.channel, &other.channel)
    }

    /// A handle that does not keep the channel open.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::mpsc;
    ///
    /// let (sender, _receiver) = mpsc::channel(1);
    /// let weak = sender.downgrade();
    /// weak.upgrade().unwrap().try_send(1).unwrap();
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// ```
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { channel: Rc::downgrade(&self.channel) }
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

/// A sender that does not keep its channel open; made by [`Sender::downgrade`].
pub struct WeakSender<T> {
    channel: Weak<Channel<T>>,
}

impl<T> WeakSender<T> {
    /// The sender, unless the last of them is gone.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let channel = self.channel.upgrade()?;
        let mut state = channel.state.borrow_mut();
        if state.senders == 0 {
            return None;
        }
        state.senders += 1;
        drop(state);
        Some(Sender { channel })
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        WeakSender { channel: Weak::clone(&self.channel) }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}

/// One that wants room for a message: what [`Send`] and [`Reserve`] wait with.
struct Admission<'a, T> {
    channel: &'a Channel<T>,
    /// Where it stands, or stood, in line. Invariant: `None` after the end.
    place: Option<Key>,
}

impl<'a, T> Admission<'a, T> {
    fn new(channel: &'a Channel<T>) -> Admission<'a, T> {
        Admission { channel, place: None }
    }

    /// Reserves a place; `Err` when the channel is closed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        let (admitted, old) = self.channel.state.borrow_mut().poll_room(&mut self.place, cx);
        drop(old);
        if admitted.is_pending() {
            trace::waits_for(Wait::Send(self.channel.made_at));
        }
        admitted
    }
}

impl<T> Drop for Admission<'_, T> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let (own, next) = self.channel.state.borrow_mut().leave(place);
        drop(own);
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// The future that [`Sender::send`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Send<'a, T> {
    admission: Admission<'a, T>,
    /// `None` after the end.
    value: Option<T>,
}

/// The value is never pinned, it only passes through.
impl<T> Unpin for Send<'_, T> {}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(this.value.is_some(), "a send is not polled after it was ready");
        let admitted = ready!(this.admission.poll(cx));
        let value = this.value.take().expect("it was here just now");
        Poll::Ready(match admitted {
            Ok(()) => {
                Permit { channel: Some(this.admission.channel) }.send(value);
                Ok(())
            }
            Err(()) => Err(SendError(value)),
        })
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").field("place", &self.admission.place).finish_non_exhaustive()
    }
}

/// The future that [`Sender::reserve`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Reserve<'a, T> {
    admission: Admission<'a, T>,
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let admitted = ready!(self.admission.poll(cx));
        let channel = Some(self.admission.channel);
        Poll::Ready(admitted.map(|()| Permit { channel }).map_err(SendError))
    }
}

impl<T> fmt::Debug for Reserve<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").field("place", &self.admission.place).finish_non_exhaustive()
    }
}

/// Room for one message, given back when this is dropped. It stays good when the receiver is closed: the receiver then
/// comes to the end when all of these are used or dropped.
#[must_use = "the room is given back as soon as its permit is dropped"]
pub struct Permit<'a, T> {
    /// `None` once the room is used.
    channel: Option<&'a Channel<T>>,
}

impl<T> Permit<'_, T> {
    /// Sends the value. When the receiver is gone, it is dropped.
    pub fn send(mut self, value: T) {
        let Some(channel) = self.channel.take() else { unreachable!("only this takes it, and the permit with it") };
        let unwanted = channel.state.borrow_mut().fill(value);
        drop(unwanted);
        channel.seat.wake();
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        let Some(channel) = self.channel else { return };
        let mut state = channel.state.borrow_mut();
        let next = state.unreserve();
        let ended = state.is_ended();
        drop(state);
        if let Some(waker) = next {
            waker.wake();
        }
        if ended {
            channel.seat.wake();
        }
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
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
        if this.channel.state.borrow().is_closed() {
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
