//! The half that sends, from any thread.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Channel, Inner, SendError, TrySendError, blocking, wake};
use crate::arena::Key;
use crate::loom::Arc;
use crate::trace::{self, Wait};

/// A half that sends, from any thread; clones send to the same receiver. When the last is dropped, the receiver comes to
/// the end.
pub struct Sender<T> {
    pub(super) channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    /// Sends the value as soon as there is room. Who came first is served first, tasks and threads alike.
    ///
    /// # Errors
    /// The value comes back when the receiver is closed or gone.
    ///
    /// # Cancel safety
    /// The value was not sent, and is dropped; the place in line, or the room that was promised, goes to the next.
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send { channel: &self.channel, value: Some(value), place: None }
    }

    /// Sends the value if there is room, and nobody waits for it.
    ///
    /// # Errors
    /// The value comes back when there is no room, or when the receiver is closed or gone.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let receiver = self.channel.with(|Inner { state, receiver }| {
            state.try_push(value)?;
            Ok(receiver.take())
        })?;
        wake(receiver);
        Ok(())
    }

    /// Sends the value as soon as there is room, and blocks the thread until then.
    ///
    /// # Errors
    /// The value comes back when the receiver is closed or gone.
    ///
    /// # Panics
    /// Within a task when it would have to wait, for that would hold the loop: there, await [`send`](Sender::send).
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(value)) => Err(SendError(value)),
            Err(TrySendError::Full(value)) => blocking::wait(self.send(value)),
        }
    }

    /// Whether the receiver is closed or gone, so that a value would come back.
    pub fn is_closed(&self) -> bool {
        self.channel.with(|inner| inner.state.is_closed())
    }

    /// How many messages the channel may hold: what it was made with.
    pub fn capacity(&self) -> usize {
        self.channel.with(|inner| inner.state.capacity())
    }

    /// How many messages could be sent now without waiting; others may be quicker.
    pub fn room(&self) -> usize {
        self.channel.with(|inner| inner.state.room())
    }

    /// How many messages are there to be received.
    pub fn len(&self) -> usize {
        self.channel.with(|inner| inner.state.len())
    }

    /// Whether there is no message to be received.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both send to the same receiver.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.with(|inner| inner.state.senders += 1);
        Sender { channel: Arc::clone(&self.channel) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let receiver = self.channel.with(|Inner { state, receiver }| {
            state.senders -= 1;
            if state.senders == 0 { receiver.take() } else { None }
        });
        wake(receiver);
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
        let Send { channel, value, place } = self.get_mut();
        assert!(value.is_some(), "a send is not polled after it was ready");
        let (admitted, waker) = channel.with(|Inner { state, receiver }| {
            let (admitted, old) = state.poll_room(place, cx);
            if admitted != Poll::Ready(Ok(())) {
                return (admitted, old);
            }
            let unwanted = value.take().and_then(|value| state.fill(value));
            debug_assert!(unwanted.is_none(), "an open channel has a receiver");
            (admitted, receiver.take())
        });
        match admitted {
            Poll::Ready(Ok(())) => {
                wake(waker);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(())) => Poll::Ready(Err(SendError(value.take().expect("it was not sent")))),
            Poll::Pending => {
                drop(waker); // that of the task which polled before
                trace::waits_for(Wait::Send(channel.made_at));
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Send<'_, T> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let (own, next) = self.channel.with(|inner| inner.state.leave(place));
        drop(own);
        wake(next);
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").field("place", &self.place).finish_non_exhaustive()
    }
}
