//! One at a time.
//!
//! The value lies in a box. Who has the lock has the box: it is taken out of the mutex, and put back before the permit
//! of the [`Gate`] is given back. So a guard needs no borrow of the mutex, an owned one is the same type as a borrowed
//! one, and nothing is checked when the value is used.

use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::semaphore::{Gate, Gated, Granted, Kind, Turn};

/// A value that one task at a time may use, also across an `await`.
///
/// Where nothing is awaited while the value is used, a `RefCell` is enough on a loop and cheaper. This is for what must
/// stay whole over several awaits. Who asked first is served first.
///
/// **It is not poisoned by a panic.** A panic ends one task, and its handle tells so; the guard is dropped, and the next
/// finds the value as the panic left it. To refuse it from then on would turn one task's panic into everyone's.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, future::{join, yield_now}, sync::Mutex};
///
/// let total = Mutex::new(0);
/// let add = async || {
///     let mut total = total.lock().await;
///     let seen = *total;
///     yield_now().await; // nobody comes between
///     *total = seen + 1;
/// };
/// block_on(join(add(), add()));
/// assert_eq!(total.into_inner(), 2);
/// ```
pub struct Mutex<T> {
    gate: Gate,
    /// Empty while a guard has it.
    value: Cell<Option<Box<T>>>,
}

impl<T> Gated for Mutex<T> {
    fn gate(&self) -> &Gate {
        &self.gate
    }
}

/// The lock of a mutex that is borrowed.
pub type MutexGuard<'a, T> = Guard<T, &'a Mutex<T>>;

/// The lock of a mutex that it keeps alive.
pub type OwnedMutexGuard<T> = Guard<T, Rc<Mutex<T>>>;

const WHOLE: &str = "the value is in its mutex, for no guard was leaked";

impl<T> Mutex<T> {
    /// One that is free. It allocates room for the value.
    #[track_caller]
    pub fn new(value: T) -> Mutex<T> {
        Mutex { gate: Gate::new(1, Kind::Lock(1)), value: Cell::new(Some(Box::new(value))) }
    }

    /// Waits for the lock, which is held for as long as the guard lives.
    ///
    /// A task that waits for a lock which it holds itself waits for ever. It takes one operation from the poll's
    /// budget.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::Mutex};
    ///
    /// let words = Mutex::new(vec!["tick"]);
    /// block_on(async {
    ///     words.lock().await.push("tock");
    ///     assert_eq!(*words.lock().await, ["tick", "tock"]);
    /// });
    /// ```
    ///
    /// # Cancel safety
    /// Nothing is lost but the place in line: a lock that was granted already goes to the next.
    pub fn lock(&self) -> Lock<T, &Mutex<T>> {
        Lock { turn: Turn::new(self, 1) }
    }

    /// As [`lock`](Mutex::lock), for a guard that may be kept anywhere on this thread.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, spawn, sync::Mutex};
    /// use std::rc::Rc;
    ///
    /// let log = Rc::new(Mutex::new(String::new()));
    /// block_on(async {
    ///     let mut guard = log.clone().lock_owned().await;
    ///     spawn(async move { guard.push_str("done") }).await.unwrap();
    ///     assert_eq!(*log.lock().await, "done");
    /// });
    /// ```
    ///
    /// # Cancel safety
    /// As that of `lock`.
    pub fn lock_owned(self: Rc<Self>) -> Lock<T, Rc<Mutex<T>>> {
        Lock { turn: Turn::new(self, 1) }
    }

    /// Takes the lock if it is free and nobody waits.
    ///
    /// # Errors
    /// When it would have to wait.
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        Guard::try_new(self)
    }

    /// As [`try_lock`](Mutex::try_lock), for a guard that may be kept anywhere on this thread.
    ///
    /// # Errors
    /// When it would have to wait.
    pub fn try_lock_owned(self: Rc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        Guard::try_new(self)
    }

    /// The value, without waiting: who has the mutex to itself needs no lock.
    ///
    /// # Panics
    /// When a guard was leaked (`mem::forget`), for the value is with it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().as_mut().expect(WHOLE)
    }

    /// The value, out of the mutex.
    ///
    /// # Panics
    /// When a guard was leaked (`mem::forget`), for the value is with it.
    pub fn into_inner(self) -> T {
        *self.value.into_inner().expect(WHOLE)
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Ok(guard) => f.debug_struct("Mutex").field("value", &*guard).finish(),
            Err(_) => f.debug_struct("Mutex").field("value", &format_args!("<locked>")).finish(),
        }
    }
}

/// The future that [`Mutex::lock`] and [`Mutex::lock_owned`] return.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Lock<T, M: Deref<Target = Mutex<T>>> {
    turn: Turn<M>,
}

impl<T, M: Deref<Target = Mutex<T>>> Future for Lock<T, M> {
    type Output = Guard<T, M>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let granted = ready!(Pin::new(&mut self.turn).poll(cx));
        Poll::Ready(Guard::new(granted.expect("a mutex is never closed")))
    }
}

impl<T, M: Deref<Target = Mutex<T>>> fmt::Debug for Lock<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// The value of a [`Mutex`], which is locked for as long as this lives.
#[must_use = "the lock is free again as soon as its guard is dropped"]
pub struct Guard<T, M: Deref<Target = Mutex<T>>> {
    /// Invariant: there until the drop.
    value: Option<Box<T>>,
    /// Dropped after the value was put back.
    granted: Granted<M>,
}

const HELD: &str = "a guard has the value until it is dropped";

impl<T, M: Deref<Target = Mutex<T>>> Guard<T, M> {
    fn new(granted: Granted<M>) -> Guard<T, M> {
        Guard { value: granted.gated().value.take(), granted }
    }

    fn try_new(mutex: M) -> Result<Guard<T, M>, TryLockError> {
        Granted::try_new(mutex, 1).map(Guard::new).map_err(|_| TryLockError(()))
    }

    /// The mutex that it locks.
    pub fn mutex(guard: &Guard<T, M>) -> &M {
        guard.granted.gated()
    }
}

impl<T, M: Deref<Target = Mutex<T>>> Deref for Guard<T, M> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect(HELD)
    }
}

impl<T, M: Deref<Target = Mutex<T>>> DerefMut for Guard<T, M> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect(HELD)
    }
}

impl<T, M: Deref<Target = Mutex<T>>> Drop for Guard<T, M> {
    fn drop(&mut self) {
        self.granted.gated().value.set(self.value.take());
    }
}

impl<T: fmt::Debug, M: Deref<Target = Mutex<T>>> fmt::Debug for Guard<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The lock is not free now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryLockError(pub(super) ());

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is held, or waited for")
    }
}

impl std::error::Error for TryLockError {}

#[cfg(test)]
mod tests;
