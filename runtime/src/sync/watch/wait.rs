//! The futures of a watch: a change, a value as wanted, the end.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Receiver, RecvError, Ref, Shared};
use crate::arena::Key;
use crate::trace::{self, Wait};

impl<T> Receiver<T> {
    pub(super) fn is_new(&self) -> bool {
        self.shared.version.get() != self.seen
    }

    /// Whether there is a change, or the end. Else the task waits.
    fn poll_news(&self, place: &mut Option<Key>, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_new() || self.shared.senders.get() == 0 {
            ready!(trace::poll_budget(cx));
            return Poll::Ready(());
        }
        self.shared.watching.stand(place, cx);
        trace::waits_for(Wait::Change(self.shared.made_at));
        Poll::Pending
    }
}

/// The future that [`Receiver::changed`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Changed<'a, T> {
    receiver: &'a mut Receiver<T>,
    place: Option<Key>,
}

impl<'a, T> Changed<'a, T> {
    pub(super) fn new(receiver: &'a mut Receiver<T>) -> Changed<'a, T> {
        Changed { receiver, place: None }
    }
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(this.receiver.poll_news(&mut this.place, cx));
        let is_new = this.receiver.is_new();
        this.receiver.mark_unchanged();
        Poll::Ready(if is_new { Ok(()) } else { Err(RecvError(())) })
    }
}

impl<T> Drop for Changed<'_, T> {
    fn drop(&mut self) {
        self.receiver.shared.watching.leave(&mut self.place);
    }
}

/// The future that [`Receiver::wait_for`] returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct WaitFor<'a, T, F> {
    /// `None` after the end.
    receiver: Option<&'a mut Receiver<T>>,
    place: Option<Key>,
    wanted: F,
    /// Whether the value was looked at once; from then on, only changes are.
    looked: bool,
}

impl<'a, T, F> WaitFor<'a, T, F> {
    pub(super) fn new(receiver: &'a mut Receiver<T>, wanted: F) -> WaitFor<'a, T, F> {
        WaitFor { receiver: Some(receiver), place: None, wanted, looked: false }
    }

    /// Waits no more, and gives up the receiver.
    fn end(&mut self) -> Option<&'a mut Receiver<T>> {
        let receiver = self.receiver.take()?;
        receiver.shared.watching.leave(&mut self.place);
        Some(receiver)
    }
}

/// Nothing in it is pinned.
impl<T, F> Unpin for WaitFor<'_, T, F> {}

impl<'a, T, F: FnMut(&T) -> bool> Future for WaitFor<'a, T, F> {
    type Output = Result<Ref<'a, T>, RecvError>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let receiver = this.receiver.as_mut().expect("wait_for is not polled after it was ready");
        loop {
            if mem::replace(&mut this.looked, true) {
                ready!(receiver.poll_news(&mut this.place, cx));
                if !receiver.is_new() {
                    this.end();
                    return Poll::Ready(Err(RecvError(())));
                }
            }
            if (this.wanted)(&receiver.borrow_and_update()) {
                let receiver: &'a Receiver<T> = this.end().expect("it was here just now");
                return Poll::Ready(Ok(receiver.borrow()));
            }
        }
    }
}

impl<T, F> Drop for WaitFor<'_, T, F> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T, F> fmt::Debug for WaitFor<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor").field("receiver", &self.receiver).finish_non_exhaustive()
    }
}

/// The future that [`Sender::closed`](super::Sender::closed) returns.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Closed<'a, T> {
    shared: &'a Shared<T>,
    place: Option<Key>,
}

impl<'a, T> Closed<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>) -> Closed<'a, T> {
        Closed { shared, place: None }
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.shared.receivers.get() == 0 {
            return Poll::Ready(());
        }
        this.shared.closing.stand(&mut this.place, cx);
        trace::waits_for(Wait::Cancel(this.shared.made_at));
        Poll::Pending
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        self.shared.closing.leave(&mut self.place);
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}
