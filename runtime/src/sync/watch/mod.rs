//! The latest of a value, for many who look.
//!
//! Every change gives the value another version, and each receiver keeps the version that it has seen last. A change is
//! there when the two differ; nothing is queued, so a slow receiver costs nothing and sees the latest only.

mod wait;

pub use wait::{Changed, Closed, WaitFor};

use std::cell::{self, Cell, RefCell};
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;

use super::line::Line;
use crate::trace::Place;

/// A value within this thread that is watched: whoever has a [`Receiver`] sees the latest, and may wait for a change.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::join, sync::watch};
///
/// let (sender, mut receiver) = watch::channel("starting");
/// let watch = async {
///     receiver.changed().await.unwrap();
///     assert_eq!(*receiver.borrow_and_update(), "running");
///     assert!(receiver.changed().await.is_err(), "no sender is left");
/// };
/// let run = async move {
///     sender.send("running").unwrap();
/// };
/// block_on(join(watch, run));
/// ```
#[track_caller]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

struct Shared<T> {
    value: RefCell<T>,
    /// How often the value was changed.
    version: Cell<u64>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    /// Receivers that wait for a change, or for the end.
    watching: Line,
    /// Senders that wait until no receiver is left.
    closing: Line,
    made_at: Place,
}

impl<T> Shared<T> {
    #[track_caller]
    fn borrow(&self, seen: u64) -> Ref<'_, T> {
        let Ok(value) = self.value.try_borrow() else { panic!("the value of a watch is borrowed while it is changed") };
        Ref { value, is_new: self.version.get() != seen }
    }

    /// Changes the value, and tells those who wait if `change` says so.
    #[track_caller]
    fn change(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let Ok(mut value) = self.value.try_borrow_mut() else {
            panic!("the value of a watch is changed while it is borrowed");
        };
        let is_new = change(&mut value);
        drop(value);
        if is_new {
            self.version.set(self.version.get() + 1);
            self.watching.wake_all();
        }
        is_new
    }
}

/// A half that changes the value; clones change the same. When the last is dropped, receivers learn that no change will
/// come.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// One that has no receiver yet; [`subscribe`](Sender::subscribe) makes them.
    #[track_caller]
    pub fn new(value: T) -> Sender<T> {
        let shared = Shared {
            value: RefCell::new(value),
            version: Cell::new(0),
            senders: Cell::new(1),
            receivers: Cell::new(0),
            watching: Line::new(),
            closing: Line::new(),
            made_at: Location::caller(),
        };
        Sender { shared: Rc::new(shared) }
    }

    /// Puts another value in the place of the old, and tells all receivers.
    ///
    /// # Errors
    /// The value comes back when there is no receiver. [`send_replace`](Sender::send_replace) keeps it for those to
    /// come.
    ///
    /// # Panics
    /// When the value is borrowed: a [`Ref`] is for a look, and is not kept.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// As [`send`](Sender::send), also without receivers; gives the old value.
    ///
    /// # Panics
    /// As `send`.
    #[track_caller]
    pub fn send_replace(&self, mut value: T) -> T {
        self.shared.change(|place| {
            mem::swap(place, &mut value);
            true
        });
        value
    }

    /// Changes the value in its place, and tells all receivers.
    ///
    /// # Panics
    /// When the value is borrowed, or `change` comes back to this watch: the value is in its hands.
    #[track_caller]
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.shared.change(|value| {
            change(value);
            true
        });
    }

    /// Changes the value in its place, and tells all receivers if `change` says that it did. Gives what it said.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(5);
    /// let raise_to = |least: u32| sender.send_if_modified(|value| {
    ///     let raise = least > *value;
    ///     *value = least.max(*value);
    ///     raise
    /// });
    /// assert!(!raise_to(3));
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// assert!(raise_to(8));
    /// assert_eq!(receiver.has_changed(), Ok(true));
    /// ```
    ///
    /// # Panics
    /// As [`send_modify`](Sender::send_modify).
    #[track_caller]
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        self.shared.change(change)
    }

    /// The value, for a look.
    ///
    /// # Panics
    /// Within a closure that changes it.
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.shared.borrow(self.shared.version.get())
    }

    /// Another receiver, which has seen the value that is there now.
    pub fn subscribe(&self) -> Receiver<T> {
        self.shared.receivers.set(self.shared.receivers.get() + 1);
        Receiver { seen: self.shared.version.get(), shared: Rc::clone(&self.shared) }
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.get()
    }

    /// Whether there is no receiver.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver: the moment to stop working for them.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub fn closed(&self) -> Closed<'_, T> {
        Closed::new(&self.shared)
    }

    /// Whether both change the same value.
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Sender { shared: Rc::clone(&self.shared) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let left = self.shared.senders.get() - 1;
        self.shared.senders.set(left);
        if left == 0 {
            self.shared.watching.wake_all();
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("version", &self.shared.version.get())
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

/// A half that sees the value. A clone has seen what the original has.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    seen: u64,
}

impl<T> Receiver<T> {
    /// The value, for a look that does not count as seen.
    ///
    /// The value cannot be changed while it is borrowed, so a [`Ref`] is not kept across an `await`.
    ///
    /// # Panics
    /// Within a closure that changes it.
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.shared.borrow(self.seen)
    }

    /// The value, which is seen now: [`changed`](Receiver::changed) waits for the next.
    ///
    /// # Panics
    /// Within a closure that changes it.
    #[track_caller]
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let seen = mem::replace(&mut self.seen, self.shared.version.get());
        self.shared.borrow(seen)
    }

    /// Whether the value was changed since it was seen.
    ///
    /// # Errors
    /// When no sender is left; a last change may still be there to be seen.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        if self.shared.senders.get() == 0 { Err(RecvError(())) } else { Ok(self.is_new()) }
    }

    /// Takes the value as not seen, so that [`changed`](Receiver::changed) is ready at once.
    pub fn mark_changed(&mut self) {
        self.seen = self.shared.version.get().wrapping_sub(1);
    }

    /// Takes the value as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.version.get();
    }

    /// Waits until the value is one that was not seen, and counts it as seen.
    ///
    /// However often it was changed meanwhile, this is ready once. It takes one operation from the poll's budget.
    ///
    /// # Errors
    /// When no sender is left, and the last change was seen.
    ///
    /// # Cancel safety
    /// Nothing is lost: until it is ready, nothing counts as seen.
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed::new(self)
    }

    /// Waits until the value is as wanted, and gives it; at once, if it is so now. What was looked at counts as seen.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, future::join, sync::watch};
    ///
    /// let (sender, mut receiver) = watch::channel(0);
    /// let count = async {
    ///     for number in 1..10 {
    ///         sender.send(number).unwrap();
    ///     }
    /// };
    /// block_on(join(async { assert_eq!(*receiver.wait_for(|number| *number > 4).await.unwrap(), 9) }, count));
    /// ```
    ///
    /// # Errors
    /// When no sender is left, and the last value is not as wanted.
    ///
    /// # Panics
    /// When `wanted` changes the value.
    ///
    /// # Cancel safety
    /// Values that were not as wanted stay seen; nothing else is lost.
    pub fn wait_for<F: FnMut(&T) -> bool>(&mut self, wanted: F) -> WaitFor<'_, T, F> {
        WaitFor::new(self, wanted)
    }

    /// Whether both see the same value.
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        Rc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.receivers.set(self.shared.receivers.get() + 1);
        Receiver { shared: Rc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = self.shared.receivers.get() - 1;
        self.shared.receivers.set(left);
        if left == 0 {
            self.shared.closing.wake_all();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("version", &self.shared.version.get())
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// A look at the value of a watch, which cannot be changed meanwhile.
#[derive(Debug)]
pub struct Ref<'a, T> {
    value: cell::Ref<'a, T>,
    is_new: bool,
}

impl<T> Ref<'_, T> {
    /// Whether the receiver had not seen it before.
    pub fn has_changed(&self) -> bool {
        self.is_new
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
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
        f.write_str("the watch has no receiver")
    }
}

impl<T> std::error::Error for SendError<T> {}

/// No sender is left, so no change will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecvError(());

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the watch has no sender")
    }
}

impl std::error::Error for RecvError {}

#[cfg(test)]
mod tests;
