//! One value, from any thread to any other.
//!
//! Both halves share one [`State`] under a lock. It begins as `Open`, and whoever acts first ends that: `send` makes it
//! `Sent`, the drop of the sender `Abandoned`, the receiver's `close` or drop `Closed`. Nothing leads out of these three
//! but the taking of the value. So there is one transition, [`end`], that both sides race for; the winner is given the
//! wakers and wakes the other side, after the lock is released.
//!
//! ```text
//!            send            .--> Sent(value) --- poll, try_recv --> Closed
//!   Open --- drop of Sender  +--> Abandoned
//!            close, drop     '--> Closed
//! ```
//!
//! The lock is held for a few stores, so the other side never waits long. Locked operations are what a oneshot costs, so
//! they are few: a half that has nothing left to say lets go of the state, and then its drop takes no lock; and a
//! receiver that is woken after the sender let go is the [`sole`] owner, which needs none either.

use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use super::register;
use crate::loom::{Arc, Mutex, lock};
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
    let shared = Arc::new(Mutex::new(State::Open(Waiting::default())));
    let sender = Sender { shared: Some(Arc::clone(&shared)), made_at };
    (sender, Receiver { shared: Some(shared), made_at })
}

type Shared<T> = Arc<Mutex<State<T>>>;

enum State<T> {
    /// Neither side has acted.
    Open(Waiting),
    /// The value is there, and the sender is gone.
    Sent(T),
    /// The sender is gone without a value.
    Abandoned,
    /// The receiver wants no value any more, or has taken it.
    Closed,
}

/// Who is to be woken when the channel is no longer open.
#[derive(Default)]
struct Waiting {
    receiver: Option<Waker>,
    sender: Option<Waker>,
}

/// Ends the open channel with `outcome` and gives those who waited; or gives `outcome` back when the other side was
/// first.
fn end<T>(shared: &Shared<T>, outcome: State<T>) -> Result<Waiting, State<T>> {
    let mut state = lock(shared);
    match &mut *state {
        State::Open(waiting) => {
            let waiting = mem::take(waiting);
            *state = outcome;
            Ok(waiting)
        }
        _ => Err(outcome),
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The half that sends. Dropping it tells the receiver that nothing will come.
pub struct Sender<T> {
    /// `None` once the value is sent.
    shared: Option<Shared<T>>,
    /// Beside what is shared, which so stays as small as it was.
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
        let Some(shared) = self.shared.take() else { unreachable!("only this takes it, and the sender with it") };
        match end(&shared, State::Sent(value)) {
            Ok(waiting) => {
                drop(shared); // before the wake, so that the receiver finds itself the sole owner
                wake(waiting.receiver);
                Ok(())
            }
            Err(State::Sent(value)) => Err(value),
            Err(_) => unreachable!("what comes back is what was given"),
        }
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
        self.shared.as_ref().is_some_and(|shared| matches!(*lock(shared), State::Closed))
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
        if let Some(Ok(waiting)) = self.shared.take().map(|shared| end(&shared, State::Abandoned)) {
            wake(waiting.receiver);
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
        let Some(shared) = &self.sender.shared else {
            return Poll::Ready(());
        };
        let mut state = lock(shared);
        let State::Open(waiting) = &mut *state else {
            return Poll::Ready(());
        };
        let old = register(&mut waiting.sender, cx);
        drop(state);
        drop(old);
        trace::waits_for(Wait::Oneshot(self.sender.made_at));
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
    shared: Option<Shared<T>>,
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
        if let Some(Ok(waiting)) = self.shared.as_ref().map(|shared| end(shared, State::Closed)) {
            wake(waiting.sender);
        }
    }

    /// Takes the outcome, once there is one: the value, or that there is none. Until then the task of `cx` will be woken.
    fn take(&mut self, cx: Option<&Context<'_>>) -> Poll<Option<T>> {
        let Some(shared) = self.shared.take() else {
            return Poll::Ready(None);
        };
        let shared = match sole(shared) {
            Ok(outcome) => return Poll::Ready(outcome.value()),
            Err(shared) => shared,
        };
        let mut state = lock(&shared);
        let State::Open(waiting) = &mut *state else {
            let outcome = mem::replace(&mut *state, State::Closed);
            return Poll::Ready(outcome.value());
        };
        let old = cx.and_then(|cx| register(&mut waiting.receiver, cx));
        drop(state);
        drop(old);
        self.shared = Some(shared);
        Poll::Pending
    }
}

/// The outcome without a lock, when the sender has let go: then it has acted, and the channel is not open.
///
/// The count never grows, so one that was seen to be one stays one; taking the state out by it synchronizes with the
/// sender's last act.
fn sole<T>(shared: Shared<T>) -> Result<State<T>, Shared<T>> {
    if Arc::strong_count(&shared) > 1 {
        return Err(shared); // asked first, for it is a plain load
    }
    Arc::try_unwrap(shared).map(|state| state.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl<T> State<T> {
    fn value(self) -> Option<T> {
        match self {
            State::Sent(value) => Some(value),
            _ => None,
        }
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
        self.close();
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
