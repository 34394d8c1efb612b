//! So many at a time.

mod gate;
mod permit;

pub use permit::{Acquire, OwnedSemaphorePermit, Permit, SemaphorePermit};

pub(super) use gate::{Gate, Gated, Granted, Kind, Turn};

use std::fmt;
use std::rc::Rc;

/// A number of permits. Tasks of this thread take them, wait for them in line, and give them back.
///
/// A permit comes back when its guard is dropped. Who came first is served first, also when it wants more than those
/// behind it: they wait with it, so that many small ones never starve a large one.
///
/// Unlike tokio's, it stays on its thread, and is a few stores instead of atomic operations.
///
/// # Examples
/// No more than two at a time:
/// ```
/// use evloop_runtime::{block_on, future::yield_now, spawn, sync::Semaphore};
/// use std::{cell::Cell, rc::Rc};
///
/// let (seats, busy) = (Rc::new(Semaphore::new(2)), Rc::new(Cell::new(0)));
/// block_on(async {
///     let guests = (0..10).map(|_| {
///         let (seats, busy) = (seats.clone(), busy.clone());
///         spawn(async move {
///             let _seat = seats.acquire().await.unwrap();
///             busy.set(busy.get() + 1);
///             assert!(busy.get() <= 2);
///             yield_now().await;
///             busy.set(busy.get() - 1);
///         })
///     });
///     for guest in guests.collect::<Vec<_>>() {
///         guest.await.unwrap();
///     }
/// });
/// ```
#[derive(Debug)]
pub struct Semaphore {
    gate: Gate,
}

impl Gated for Semaphore {
    fn gate(&self) -> &Gate {
        &self.gate
    }
}

impl Semaphore {
    /// The most permits that a semaphore is made with, or given at once. An eighth of what a `usize` holds: who adds so many
    /// eight times has too many, and a panic when they come together.
    pub const PERMITS_MAX: usize = usize::MAX >> 3;

    /// One with so many permits. It allocates when the first waiter comes.
    ///
    /// # Panics
    /// When there are more than [`PERMITS_MAX`](Semaphore::PERMITS_MAX).
    #[must_use]
    #[track_caller]
    pub const fn new(permits: usize) -> Semaphore {
        assert!(permits <= Semaphore::PERMITS_MAX, "a semaphore is made with more than PERMITS_MAX permits");
        Semaphore { gate: Gate::new(permits, Kind::Semaphore) }
    }

    /// Takes a permit as soon as there is one, and nobody waits who came before.
    ///
    /// It takes one operation from the poll's budget.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, sync::Semaphore};
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = block_on(semaphore.acquire()).unwrap();
    /// assert_eq!(semaphore.available_permits(), 0);
    /// drop(permit);
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Cancel safety
    /// Nothing is lost but the place in line: a permit that was granted already goes to the next.
    pub fn acquire(&self) -> Acquire<&Semaphore> {
        self.acquire_many(1)
    }

    /// As [`acquire`](Semaphore::acquire), so many at once. For as long as there are too few, those who came later wait
    /// too; for more than there will ever be, all wait for ever.
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Cancel safety
    /// As that of `acquire`.
    pub fn acquire_many(&self, permits: usize) -> Acquire<&Semaphore> {
        Acquire::new(self, permits)
    }

    /// As [`acquire`](Semaphore::acquire), for a permit that may be kept anywhere on this thread: given to a task, or
    /// put beside what it stands for.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, spawn, sync::Semaphore};
    /// use std::rc::Rc;
    ///
    /// let connections = Rc::new(Semaphore::new(100));
    /// block_on(async {
    ///     let permit = connections.clone().acquire_owned().await.unwrap();
    ///     spawn(async move {
    ///         // serve, then:
    ///         drop(permit);
    ///     }).await.unwrap();
    /// });
    /// assert_eq!(connections.available_permits(), 100);
    /// ```
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Cancel safety
    /// As that of `acquire`.
    pub fn acquire_owned(self: Rc<Self>) -> Acquire<Rc<Semaphore>> {
        self.acquire_many_owned(1)
    }

    /// [`acquire_many`](Semaphore::acquire_many) and [`acquire_owned`](Semaphore::acquire_owned) in one.
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Cancel safety
    /// As that of `acquire`.
    pub fn acquire_many_owned(self: Rc<Self>, permits: usize) -> Acquire<Rc<Semaphore>> {
        Acquire::new(self, permits)
    }

    /// Takes a permit if there is one and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`] when it would have to wait, [`TryAcquireError::Closed`] when it is closed.
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes so many permits if there are as many and nobody waits.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::sync::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(3);
    /// let two = semaphore.try_acquire_many(2).unwrap();
    /// assert_eq!(semaphore.try_acquire_many(2).unwrap_err(), TryAcquireError::NoPermits);
    /// drop(two);
    /// assert_eq!(semaphore.try_acquire_many(3).unwrap().permits(), 3);
    /// ```
    ///
    /// # Errors
    /// As those of [`try_acquire`](Semaphore::try_acquire).
    pub fn try_acquire_many(&self, permits: usize) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        Permit::try_new(self, permits)
    }

    /// As [`try_acquire`](Semaphore::try_acquire), for a permit that may be kept anywhere on this thread.
    ///
    /// # Errors
    /// As those of `try_acquire`.
    pub fn try_acquire_owned(self: Rc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Semaphore::try_acquire_many), for permits that may be kept anywhere on this thread.
    ///
    /// # Errors
    /// As those of `try_acquire`.
    pub fn try_acquire_many_owned(self: Rc<Self>, permits: usize) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        Permit::try_new(self, permits)
    }

    /// How many permits are free: neither held nor granted.
    pub fn available_permits(&self) -> usize {
        self.gate.permits()
    }

    /// Adds permits, for who waits or will come.
    ///
    /// # Panics
    /// When there are more than [`PERMITS_MAX`](Semaphore::PERMITS_MAX), or with those that are free more than a `usize`
    /// holds.
    #[track_caller]
    pub fn add_permits(&self, permits: usize) {
        assert!(permits <= Semaphore::PERMITS_MAX, "a semaphore is given more than PERMITS_MAX permits");
        self.gate.give(permits);
    }

    /// Takes away up to so many of the free permits for good, and tells how many. Those that are held come back.
    ///
    /// # Examples
    /// ```
    /// let semaphore = evloop_runtime::sync::Semaphore::new(3);
    /// assert_eq!(semaphore.forget_permits(2), 2);
    /// assert_eq!(semaphore.forget_permits(2), 1);
    /// semaphore.add_permits(1);
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget_permits(&self, permits: usize) -> usize {
        self.gate.forget(permits)
    }

    /// Refuses those who wait, and all who come. Permits that are held, or were granted before, stay good.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{block_on, future::join, sync::Semaphore};
    ///
    /// let semaphore = Semaphore::new(0);
    /// let (refused, ()) = block_on(join(semaphore.acquire(), async { semaphore.close() }));
    /// assert!(refused.is_err());
    /// ```
    pub fn close(&self) {
        self.gate.close();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }
}

/// The semaphore is closed: no permits are given any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcquireError(());

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed")
    }
}

impl std::error::Error for AcquireError {}

/// Why [`Semaphore::try_acquire`] gives no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAcquireError {
    /// There are too few, or others wait.
    NoPermits,
    /// The semaphore is closed.
    Closed,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::NoPermits => "the semaphore has no permits left",
            TryAcquireError::Closed => "the semaphore is closed",
        })
    }
}

impl std::error::Error for TryAcquireError {}

#[cfg(test)]
mod tests;
