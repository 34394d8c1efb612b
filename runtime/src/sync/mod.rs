//! Waiting for each other: news, values, locks, and the word to stop.
//!
//! | | carries | from whom to whom |
//! |---|---|---|
//! | [`Notify`] | nothing but the news | anyone on this thread to one waiter, or to all |
//! | [`CancellationToken`] | the word to stop, once | anyone on this thread to all, and to all below in a tree |
//! | [`Barrier`] | nothing | the last of so many to all of them |
//! | [`Semaphore`], [`Mutex`], [`RwLock`] | a permit, a value | who goes to who comes next |
//! | [`OnceCell`] | one value that is made once | who asks first to all |
//! | [`watch`] | the latest value | senders on this thread to all receivers |
//! | [`broadcast`] | many values, bounded | senders on this thread to all receivers, each value to each |
//! | [`mpsc`] | many values, bounded or not | many senders on this thread to one receiver |
//! | [`remote`] | many values, bounded or not | many senders on any threads to one receiver on any |
//! | [`oneshot`] | one value | any thread to any thread |
//!
//! Tasks never leave their thread, so what only tasks share needs no lock: nearly all of these are cells, and the
//! compiler keeps them at home. `oneshot` and `remote` alone may cross threads, which is how work and answers do. To
//! notify or cancel from afar, a task at home awaits one of these, and then notifies or cancels there.
//!
//! Two rules hold everywhere here. Nobody is woken, and no waker or value of the user is dropped, while a cell is
//! borrowed or a lock is held: either may run code that comes back in. And who waits stands in line: first come, first
//! served, and whoever is chosen and leaves hands on what it was chosen for.

mod line;

mod barrier;
pub mod broadcast;
mod cancel;
pub mod mpsc;
mod mutex;
mod notify;
mod once_cell;
pub mod oneshot;
pub mod remote;
mod rwlock;
mod semaphore;
pub mod watch;

pub use barrier::{Barrier, BarrierWait, BarrierWaitResult};
pub use cancel::{CancellationToken, Cancelled, DropGuard, RunUntilCancelled};
pub use mutex::{Guard, Lock, Mutex, MutexGuard, OwnedMutexGuard, TryLockError};
pub use notify::{Notified, Notify};
pub use once_cell::{GetOrInit, GetOrTryInit, OnceCell, SetError};
pub use rwlock::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, ReadGuard, ReadLock, RwLock, RwLockReadGuard};
pub use rwlock::{RwLockWriteGuard, WriteGuard, WriteLock};
pub use semaphore::TryAcquireError;
pub use semaphore::{Acquire, AcquireError, OwnedSemaphorePermit, Permit, Semaphore, SemaphorePermit};

use std::mem;
use std::task::{Context, Waker};

/// Makes `kept` wake the task that polls now. A waker that was for another task is given back, to be dropped when
/// nothing is borrowed; usually it is the same task, and nothing is cloned.
fn renew(kept: &mut Waker, cx: &Context<'_>) -> Option<Waker> {
    let same = kept.will_wake(cx.waker());
    (!same).then(|| mem::replace(kept, cx.waker().clone()))
}

/// As [`renew`], in a place that may be empty.
fn register(place: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match place {
        Some(kept) => renew(kept, cx),
        None => place.replace(cx.waker().clone()),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::fmt::{self, Write};

    /// Does something wherever something is written, as a log does that goes through a channel.
    struct Meddler<F>(F);

    impl<F: FnMut()> Write for Meddler<F> {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            (self.0)();
            Ok(())
        }
    }

    #[test]
    fn where_it_is_shown_may_come_back_to_it() {
        let token = CancellationToken::new();
        write!(Meddler(|| drop(token.child_token())), "{token:?}").unwrap();
        let semaphore = Semaphore::new(1);
        write!(Meddler(|| drop(semaphore.try_acquire())), "{semaphore:?}").unwrap();
        let notify = Notify::new();
        write!(Meddler(|| notify.notify_one()), "{notify:?}").unwrap();
        let (task, barrier) = (testing::Task::default(), Barrier::new(2));
        write!(Meddler(|| assert!(task.poll(&mut barrier.wait()).is_pending())), "{barrier:?}").unwrap();
        let (sender, _receiver) = mpsc::unbounded();
        write!(Meddler(|| sender.send(1).unwrap()), "{sender:?}").unwrap();
        let (sender, receiver) = broadcast::channel(1);
        write!(Meddler(|| assert!(sender.send(1).is_ok())), "{sender:?} {receiver:?}").unwrap();
        let (sender, receiver) = watch::channel(0);
        write!(Meddler(|| sender.send(1).unwrap()), "{sender:?} {receiver:?}").unwrap();
    }

    #[test]
    fn where_a_channel_between_threads_is_shown_may_come_back_to_it() {
        let (sender, receiver) = remote::unbounded();
        let (done, is_done) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            write!(Meddler(|| sender.send(1).unwrap()), "{sender:?}").unwrap();
            done.send(()).unwrap();
        });
        is_done.recv_timeout(std::time::Duration::from_secs(60)).expect("it waits for its own lock");
        thread.join().unwrap();
        assert!(!receiver.is_empty());
    }
}

#[cfg(test)]
mod testing {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::{Context, Poll, Wake, Waker};

    /// Stands for a task: polls with a waker of its own and counts how often that was woken.
    #[derive(Default)]
    pub(super) struct Task(Arc<Wakes>);

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    impl Task {
        pub(super) fn poll<F: Future + Unpin>(&self, future: &mut F) -> Poll<F::Output> {
            Pin::new(future).poll(&mut Context::from_waker(&self.waker()))
        }

        pub(super) fn waker(&self) -> Waker {
            Waker::from(Arc::clone(&self.0))
        }

        pub(super) fn wakes(&self) -> usize {
            self.0.0.load(Relaxed)
        }

        /// How many wakers of this task are kept somewhere.
        pub(super) fn wakers_kept(&self) -> usize {
            Arc::strong_count(&self.0) - 1
        }
    }
}
