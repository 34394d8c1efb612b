//! Many who read, or one who writes.
//!
//! A [`Gate`] with [`READERS_MAX`] permits: a reader takes one, a writer all. The value lies in an `Rc`: a reader has a
//! clone of it, and a writer, when all readers are gone, takes the one that is left out of the lock. So guards borrow
//! nothing of the lock, and owned ones are the same types as borrowed ones.

use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::mutex::TryLockError;
use super::semaphore::{Gate, Gated, Granted, Kind, Turn};

/// More readers wait; no loop has as many tasks.
const READERS_MAX: usize = u32::MAX as usize;

/// A value that many tasks may read, or one may change, also across an `await`.
///
/// All stand in one line, readers and writers: a writer waits for the readers before it, and readers who come after a
/// writer wait for it. So neither starves the other. A task that reads and asks to read again, while a writer waits,
/// waits for itself.
///
/// Where nothing is awaited while the value is used, a `RefCell` is enough on a loop and cheaper. It is not poisoned by
/// a panic, for the reason that [`Mutex`](super::Mutex) tells.
///
/// # Examples
/// ```
/// use evloop_runtime::{block_on, sync::RwLock};
///
/// let limits = RwLock::new((10, 100));
/// block_on(async {
///     {
///         let (one, other) = (limits.read().await, limits.read().await);
///         assert_eq!(one.0 * other.0, 100);
///     }
///     limits.write().await.0 = 20;
/// });
/// assert_eq!(limits.into_inner(), (20, 100));
/// ```
pub struct RwLock<T> {
    gate: Gate,
    /// Empty while a writer has it.
    value: Cell<Option<Rc<T>>>,
}

impl<T> Gated for RwLock<T> {
    fn gate(&self) -> &Gate {
        &self.gate
    }
}

/// A reader of a lock that is borrowed.
pub type RwLockReadGuard<'a, T> = ReadGuard<T, &'a RwLock<T>>;

/// A reader of a lock that it keeps alive.
pub type OwnedRwLockReadGuard<T> = ReadGuard<T, Rc<RwLock<T>>>;

/// The writer of a lock that is borrowed.
pub type RwLockWriteGuard<'a, T> = WriteGuard<T, &'a RwLock<T>>;

/// The writer of a lock that it keeps alive.
pub type OwnedRwLockWriteGuard<T> = WriteGuard<T, Rc<RwLock<T>>>;

const WHOLE: &str = "the value is in its lock alone, for no guard was leaked";

impl<T> RwLock<T> {
    /// One that is free. It allocates room for the value.
    #[track_caller]
    pub fn new(value: T) -> RwLock<T> {
        RwLock { gate: Gate::new(READERS_MAX, Kind::Lock(READERS_MAX)), value: Cell::new(Some(Rc::new(value))) }
    }

    /// Waits until no writer holds it, nor waits in front.
    ///
    /// It takes one operation from the poll's budget.
    ///
    /// # Cancel safety
    /// Nothing is lost but the place in line.
    pub fn read(&self) -> ReadLock<T, &RwLock<T>> {
        ReadLock { turn: Turn::new(self, 1) }
    }

    /// Waits until nobody holds it, nor waits in front.
    ///
    /// It takes one operation from the poll's budget.
    ///
    /// # Cancel safety
    /// Nothing is lost but the place in line; the readers who waited behind go on.
    pub fn write(&self) -> WriteLock<T, &RwLock<T>> {
        WriteLock { turn: Turn::new(self, READERS_MAX) }
    }

    /// As [`read`](RwLock::read), for a guard that may be kept anywhere on this thread.
    ///
    /// # Cancel safety
    /// As that of `read`.
    pub fn read_owned(self: Rc<Self>) -> ReadLock<T, Rc<RwLock<T>>> {
        ReadLock { turn: Turn::new(self, 1) }
    }

    /// As [`write`](RwLock::write), for a guard that may be kept anywhere on this thread.
    ///
    /// # Cancel safety
    /// As that of `write`.
    pub fn write_owned(self: Rc<Self>) -> WriteLock<T, Rc<RwLock<T>>> {
        WriteLock { turn: Turn::new(self, READERS_MAX) }
    }

    /// Reads if no writer holds it, and nobody waits.
    ///
    /// # Errors
    /// When it would have to wait.
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        ReadGuard::try_new(self)
    }

    /// Writes if nobody holds it, nor waits.
    ///
    /// # Errors
    /// When it would have to wait.
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        WriteGuard::try_new(self)
    }

    /// As [`try_read`](RwLock::try_read), for a guard that may be kept anywhere on this thread.
    ///
    /// # Errors
    /// When it would have to wait.
    pub fn try_read_owned(self: Rc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        ReadGuard::try_new(self)
    }

    /// As [`try_write`](RwLock::try_write), for a guard that may be kept anywhere on this thread.
    ///
    /// # Errors
    /// When it would have to wait.
    pub fn try_write_owned(self: Rc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        WriteGuard::try_new(self)
    }

    /// The value, without waiting: who has the lock to itself needs no guard.
    ///
    /// # Panics
    /// When a guard was leaked (`mem::forget`).
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut().as_mut().and_then(Rc::get_mut).expect(WHOLE)
    }

    /// The value, out of the lock.
    ///
    /// # Panics
    /// When a guard was leaked (`mem::forget`).
    pub fn into_inner(self) -> T {
        self.value.into_inner().and_then(Rc::into_inner).expect(WHOLE)
    }

    fn share(&self) -> Rc<T> {
        let value = self.value.take().expect("no writer holds what is read");
        self.value.set(Some(Rc::clone(&value)));
        value
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> Self {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        RwLock::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_read() {
            Ok(guard) => f.debug_struct("RwLock").field("value", &*guard).finish(),
            Err(_) => f.debug_struct("RwLock").field("value", &format_args!("<locked>")).finish(),
        }
    }
}

/// The future that [`RwLock::read`] and [`RwLock::read_owned`] return.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ReadLock<T, L: Deref<Target = RwLock<T>>> {
    turn: Turn<L>,
}

impl<T, L: Deref<Target = RwLock<T>>> Future for ReadLock<T, L> {
    type Output = ReadGuard<T, L>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let granted = ready!(Pin::new(&mut self.turn).poll(cx));
        Poll::Ready(ReadGuard::new(granted.expect("a lock is never closed")))
    }
}

impl<T, L: Deref<Target = RwLock<T>>> fmt::Debug for ReadLock<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadLock").finish_non_exhaustive()
    }
}

/// The future that [`RwLock::write`] and [`RwLock::write_owned`] return.
#[must_use = "futures do nothing unless they are awaited"]
pub struct WriteLock<T, L: Deref<Target = RwLock<T>>> {
    turn: Turn<L>,
}

impl<T, L: Deref<Target = RwLock<T>>> Future for WriteLock<T, L> {
    type Output = WriteGuard<T, L>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let granted = ready!(Pin::new(&mut self.turn).poll(cx));
        Poll::Ready(WriteGuard::new(granted.expect("a lock is never closed")))
    }
}

impl<T, L: Deref<Target = RwLock<T>>> fmt::Debug for WriteLock<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteLock").finish_non_exhaustive()
    }
}

/// The value of a [`RwLock`], to read. Nobody writes for as long as this lives.
#[must_use = "the lock is free again as soon as its guard is dropped"]
pub struct ReadGuard<T, L: Deref<Target = RwLock<T>>> {
    value: Rc<T>,
    /// Dropped last, so that a writer finds the value alone.
    _granted: Granted<L>,
}

impl<T, L: Deref<Target = RwLock<T>>> ReadGuard<T, L> {
    fn new(granted: Granted<L>) -> ReadGuard<T, L> {
        ReadGuard { value: granted.gated().share(), _granted: granted }
    }

    fn try_new(lock: L) -> Result<ReadGuard<T, L>, TryLockError> {
        Granted::try_new(lock, 1).map(ReadGuard::new).map_err(|_| TryLockError(()))
    }
}

impl<T, L: Deref<Target = RwLock<T>>> Deref for ReadGuard<T, L> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug, L: Deref<Target = RwLock<T>>> fmt::Debug for ReadGuard<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The value of a [`RwLock`], to change. Nobody else reads or writes for as long as this lives.
#[must_use = "the lock is free again as soon as its guard is dropped"]
pub struct WriteGuard<T, L: Deref<Target = RwLock<T>>> {
    /// Invariant: there, and the only one, until the drop.
    value: Option<Rc<T>>,
    /// There until the drop, which comes after the value was put back.
    granted: Option<Granted<L>>,
}

const HELD: &str = "a writer has the value alone until its guard is dropped";

impl<T, L: Deref<Target = RwLock<T>>> WriteGuard<T, L> {
    fn new(granted: Granted<L>) -> WriteGuard<T, L> {
        WriteGuard { value: granted.gated().value.take(), granted: Some(granted) }
    }

    fn try_new(lock: L) -> Result<WriteGuard<T, L>, TryLockError> {
        Granted::try_new(lock, READERS_MAX).map(WriteGuard::new).map_err(|_| TryLockError(()))
    }

    /// Goes on as a reader, without a moment in which another could write. Readers who wait in front come in with it.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::{RwLock, WriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.try_write().unwrap();
    /// *writer = 2;
    /// let reader = WriteGuard::downgrade(writer);
    /// assert_eq!((*reader, *lock.try_read().unwrap()), (2, 2));
    /// ```
    pub fn downgrade(mut guard: WriteGuard<T, L>) -> ReadGuard<T, L> {
        let mut granted = guard.granted.take().expect(HELD);
        granted.gated().value.set(guard.value.take());
        let value = granted.gated().share();
        granted.keep(1);
        ReadGuard { value, _granted: granted }
    }
}

impl<T, L: Deref<Target = RwLock<T>>> Deref for WriteGuard<T, L> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect(HELD)
    }
}

impl<T, L: Deref<Target = RwLock<T>>> DerefMut for WriteGuard<T, L> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().and_then(Rc::get_mut).expect(HELD)
    }
}

impl<T, L: Deref<Target = RwLock<T>>> Drop for WriteGuard<T, L> {
    fn drop(&mut self) {
        if let Some(granted) = &self.granted {
            granted.gated().value.set(self.value.take());
        }
    }
}

impl<T: fmt::Debug, L: Deref<Target = RwLock<T>>> fmt::Debug for WriteGuard<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests;
