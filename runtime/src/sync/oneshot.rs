//! One value, from any thread to any other.
//!
//! Both halves share one piece of memory. It begins as `Open`, and whoever acts first ends that: `send` makes it `Sent`, the drop
//! of the sender `Abandoned`, the receiver's `close` or drop `Closed`. Nothing leads out of these three but the taking of the
//! value. So there is one transition that both sides race for, and the winner wakes the other side.
//!
//! ```text
//!            send            .--> Sent(value) --- poll, try_recv --> taken
//!   Open --- drop of Sender  +--> Abandoned
//!            close, drop     '--> Closed
//! ```
//!
//! How the two share it without a lock is in [`mod@halves`].

mod halves;

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use self::halves::{ReceiveHalf, SendHalf, halves};
use crate::trace::{self, Place, Wait};

/// A channel for one value.
///
/// Both halves may go to any thread if the value may; the receiver is a future.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, sync::oneshot};
///
/// let (sender, receiver) = oneshot::channel();
/// let thread = std::thread::spawn(move || sender.send(6 * 7));
/// assert_eq!(block_on(receiver), Ok(42));
/// assert_eq!(thread.join().unwrap(), Ok(()));
/// ```
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    channel_from(Location::caller())
}

/// [`channel`], on behalf of another place in the source.
pub(crate) fn channel_from<T>(made_at: Place) -> (Sender<T>, Receiver<T>) {
    let (send, receive) = halves();
    (Sender { half: Some(send), made_at }, Receiver { half: Some(receive), made_at })
}

/// The half that sends. Dropping it tells the receiver that nothing will come.
pub struct Sender<T> {
    /// `None` once the value is sent.
    half: Option<SendHalf<T>>,
    made_at: Place,
}

impl<T> Sender<T> {
    /// Sends the value. It does not wait: the value lies ready until the receiver takes it.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send("unheard"), Err("unheard"));
    /// ```
    ///
    /// # Errors
    /// The value, when the receiver is closed or gone. `Ok` does not promise that it will be received: the receiver may
    /// be dropped with the value in it.
    pub fn send(mut self, value: T) -> Result<(), T> {
        let Some(half) = self.half.take() else { unreachable!("only this takes it, and the sender with it") };
        half.send(value)
    }

    /// Whether the receiver is closed or gone, so that a value would come back.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::oneshot;
    ///
    /// let (sender, receiver) = oneshot::channel::<u8>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.half.as_ref().is_some_and(SendHalf::is_closed)
    }

    /// Waits until the receiver is closed or gone: the moment to stop working for it.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, future::join, sync::oneshot};
    ///
    /// let (mut sender, receiver) = oneshot::channel::<u8>();
    /// block_on(join(sender.closed(), async { drop(receiver) }));
    /// ```
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn closed(&mut self) -> Closed<'_, T> {
        Closed { sender: self }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(half) = self.half.take() {
            half.abandon();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The future that [`Sender::closed`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Closed<'a, T> {
    sender: &'a mut Sender<T>,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let sender = &mut *self.get_mut().sender;
        if !sender.half.as_mut().is_some_and(|half| half.wait(cx)) {
            return Poll::Ready(());
        }
        trace::waits_for(Wait::Oneshot(sender.made_at));
        Poll::Pending
    }
}

/// The half that receives: a future of the value. Dropping it tells the sender that nobody will take it.
///
/// # Cancel safety
/// Awaiting `&mut receiver` loses nothing when it is dropped half-way. Dropping the receiver itself drops a value that
/// was sent and not taken.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Receiver<T> {
    /// `None` once the outcome is known.
    half: Option<ReceiveHalf<T>>,
    made_at: Place,
}

impl<T> Receiver<T> {
    /// The value, if it is there.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::oneshot::{self, TryRecvError};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when it may still come, [`TryRecvError::Closed`] when it will not.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.take(None) {
            Poll::Ready(value) => value.ok_or(TryRecvError::Closed),
            Poll::Pending => Err(TryRecvError::Empty),
        }
    }

    /// Refuses a value from now on. One that was sent before can still be taken.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::oneshot};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// receiver.close();
    /// assert_eq!(sender.send("late"), Err("late"));
    /// assert!(block_on(receiver).is_err());
    /// ```
    pub fn close(&mut self) {
        if let Some(half) = &mut self.half {
            half.close();
        }
    }

    /// Takes the outcome, once there is one: the value, or that there is none. Until then the task of `cx` will be woken.
    fn take(&mut self, cx: Option<&Context<'_>>) -> Poll<Option<T>> {
        let Some(half) = &mut self.half else {
            return Poll::Ready(None);
        };
        let is_open = match cx {
            Some(cx) => half.wait(cx),
            None => half.is_open(),
        };
        if is_open { Poll::Pending } else { Poll::Ready(self.half.take().and_then(ReceiveHalf::into_value)) }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.take(Some(cx));
        if outcome.is_pending() {
            trace::waits_for(Wait::Oneshot(self.made_at));
        }
        outcome.map(|value| value.ok_or(RecvError))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if let Some(half) = self.half.take() {
            half.refuse();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// No value will come: the sender was dropped, the receiver was closed, or the value was taken before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the oneshot is closed")
    }
}

impl std::error::Error for RecvError {}

/// Why [`Receiver::try_recv`] has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// It was not sent yet.
    Empty,
    /// It will not come.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "the oneshot has no value yet",
            TryRecvError::Closed => "the oneshot is closed",
        })
    }
}

impl std::error::Error for TryRecvError {}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests;
