//! The door for other threads: spawn on the loop, wake it, stop it.

use crate::board::Board;
use crate::context;
use crate::dump::Dump;
use crate::metrics::Metrics;
use crate::pool::Pool;
use crate::spawn::spawn;
use crate::sync::oneshot;
use crate::task::{Door, JoinError};
use std::fmt;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Reaches a loop from any thread, also after the loop has gone.
///
/// # Examples
/// ```
/// use evloop_runtime::{Handle, Runtime};
///
/// let runtime = Runtime::new()?;
/// let handle = runtime.enter(Handle::current);
/// let other = std::thread::spawn(move || {
///     // The closure travels; the future it makes is born on the loop's thread and need not be `Send`.
///     let sum = handle.spawn(|| async { 1 + 1 }).wait();
///     handle.stop();
///     sum.unwrap()
/// });
/// runtime.block_on(async { evloop_runtime::spawn_blocking(move || other.join().unwrap()).await }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Handle {
    door: Door,
    board: Arc<Board>,
    pool: Pool,
}

impl Handle {
    /// The door of this thread's loop.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[must_use]
    #[track_caller]
    pub fn current() -> Handle {
        context::with(|core| Handle {
            door: core.tasks.door(),
            board: Arc::clone(&core.board),
            pool: core.pool.clone(),
        })
    }

    /// Has the loop call `make` on its thread, and spawns the future that it makes. The task runs on if what is returned is
    /// dropped.
    #[track_caller]
    pub fn spawn<M, F>(&self, make: M) -> RemoteHandle<F::Output>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let spawned_at = Location::caller();
        let posted = self.door.post(move || {
            let future = async move { make().await }; // a panic of `make` is the task's
            let task = context::current().tasks.spawn_from(spawned_at, None, future);
            drop(spawn(async move { drop(sender.send(task.await)) }));
        });
        drop(posted); // a closure that comes back drops the sender, and that says it all
        RemoteHandle { receiver }
    }

    /// Has the loop's [`run`](crate::Runtime::run) end after its turn, as [`Runtime::stop`](crate::Runtime::stop).
    pub fn stop(&self) {
        drop(self.door.post(|| context::with(|core| core.stop.set(true))));
    }

    /// Has the loop turn once if it sleeps.
    pub fn wake(&self) {
        drop(self.door.post(|| ()));
    }

    /// The loop in numbers. It is not asked, so it may be blocked, or have ended: then these are its last.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{Handle, future::yield_now};
    ///
    /// evloop_runtime::block_on(async {
    ///     let handle = Handle::current();
    ///     yield_now().await;
    ///     let metrics = std::thread::spawn(move || handle.metrics()).join().unwrap();
    ///     assert!(metrics.turns > 0 && metrics.polls > 0);
    /// });
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::read(&self.board, &self.pool)
    }

    /// Each live task of the loop: see [`Runtime::dump`](crate::Runtime::dump). The loop takes it between two polls, so one that
    /// is blocked answers late, and one that is not run does not answer: what holds a loop is for a watchdog to tell.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{Handle, spawn_blocking};
    ///
    /// let dump = evloop_runtime::block_on(async {
    ///     let handle = Handle::current();
    ///     spawn_blocking(move || handle.dump().wait()).await.unwrap() // from another thread
    /// });
    /// assert_eq!(dump.unwrap().tasks.len(), 1, "the future of `block_on`");
    /// ```
    #[track_caller]
    pub fn dump(&self) -> RemoteHandle<Dump> {
        let (sender, receiver) = oneshot::channel();
        let posted = self.door.post(move || drop(sender.send(Ok(context::current().dump()))));
        drop(posted); // as in `spawn`
        RemoteHandle { receiver }
    }

    /// Whether the loop is still there.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.door.is_open()
    }
}

/// A claim on the output of a task on another thread's loop: to be awaited, or waited for.
///
/// It gives a [`JoinError`] when the task panicked, or when its loop ended before it.
///
/// # Cancel safety
/// Polling it again after another branch was taken loses nothing.
#[must_use = "dropping it detaches the task; say so with `drop` if that is meant"]
pub struct RemoteHandle<T> {
    receiver: oneshot::Receiver<Result<T, JoinError>>,
}

impl<T> RemoteHandle<T> {
    /// Blocks this thread until the task has ended.
    ///
    /// # Errors
    /// When the task panicked, or when its loop ended before it.
    ///
    /// # Panics
    /// When this thread is in a loop, which blocking would hold: await the handle there.
    pub fn wait(self) -> Result<T, JoinError> {
        assert!(!context::is_entered(), "this thread is in an event loop: await the handle instead of blocking on it");
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut this = pin!(self);
        loop {
            match this.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let received = Pin::new(&mut self.receiver).poll(cx);
        received.map(|received| received.unwrap_or_else(|_| Err(JoinError::cancelled())))
    }
}

impl<T> fmt::Debug for RemoteHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteHandle").finish_non_exhaustive()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
