//! What a semaphore gives, and the future of it.

use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::gate::{Granted, Turn};
use super::{AcquireError, Semaphore, TryAcquireError};

/// Permits of a semaphore that is borrowed.
pub type SemaphorePermit<'a> = Permit<&'a Semaphore>;

/// Permits that keep their semaphore alive.
pub type OwnedSemaphorePermit = Permit<Rc<Semaphore>>;

/// Permits of a semaphore, which come back when this is dropped.
#[derive(Debug)]
#[must_use = "permits come back as soon as they are dropped"]
pub struct Permit<S: Deref<Target = Semaphore>> {
    granted: Granted<S>,
}

impl<S: Deref<Target = Semaphore>> Permit<S> {
    pub(super) fn try_new(semaphore: S, permits: usize) -> Result<Permit<S>, TryAcquireError> {
        Granted::try_new(semaphore, permits).map(|granted| Permit { granted })
    }

    /// How many they are.
    pub fn permits(&self) -> usize {
        self.granted.permits()
    }

    /// The semaphore they are of.
    pub fn semaphore(&self) -> &Semaphore {
        self.granted.gated()
    }

    /// Never gives them back: the semaphore has so many fewer.
    ///
    /// # Examples
    /// ```
    /// let semaphore = evloop_runtime::sync::Semaphore::new(2);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget(mut self) {
        self.granted.set_permits(0);
    }

    /// Takes the other's permits to its own, to be given back together.
    ///
    /// # Panics
    /// When they are of different semaphores.
    #[track_caller]
    pub fn merge(&mut self, mut other: Permit<S>) {
        assert!(std::ptr::eq(self.semaphore(), other.semaphore()), "permits of different semaphores are merged");
        self.granted.set_permits(self.permits() + other.permits());
        other.granted.set_permits(0);
    }
}

impl<S: Deref<Target = Semaphore> + Clone> Permit<S> {
    /// Parts so many from the rest, to be given back by themselves; `None` when there are fewer.
    ///
    /// # Examples
    /// ```
    /// let semaphore = evloop_runtime::sync::Semaphore::new(3);
    /// let mut all = semaphore.try_acquire_many(3).unwrap();
    /// drop(all.split(2));
    /// assert_eq!((all.permits(), semaphore.available_permits()), (1, 2));
    /// assert!(all.split(2).is_none());
    /// ```
    pub fn split(&mut self, permits: usize) -> Option<Permit<S>> {
        self.granted.split(permits).map(|granted| Permit { granted })
    }
}

/// The future that [`Semaphore::acquire`] and its sisters return.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Acquire<S: Deref<Target = Semaphore>> {
    turn: Turn<S>,
}

impl<S: Deref<Target = Semaphore>> Acquire<S> {
    pub(super) fn new(semaphore: S, permits: usize) -> Acquire<S> {
        Acquire { turn: Turn::new(semaphore, permits) }
    }
}

impl<S: Deref<Target = Semaphore>> Future for Acquire<S> {
    type Output = Result<Permit<S>, AcquireError>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let granted = ready!(Pin::new(&mut self.turn).poll(cx));
        Poll::Ready(granted.map(|granted| Permit { granted }))
    }
}
