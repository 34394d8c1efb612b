//! New tasks for the loop of this thread, and new jobs for its pool.

use crate::arena::Key;
use crate::context;
use crate::pool::{Job, Pool, Refused};
use crate::sync::oneshot;
use crate::task::{JoinError, JoinHandle};
use crate::trace::{Wait, waits_for};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{fmt, io};

/// Adds a task to the loop of this thread. It is polled in the next batch, and runs whether or not its handle is awaited.
///
/// The future stays on this thread, so it need not be `Send`: it may hold an `Rc`, or borrow from one.
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use std::rc::Rc;
///
/// evloop_runtime::block_on(async {
///     let shared = Rc::new(5);
///     let theirs = Rc::clone(&shared);
///     let task = evloop_runtime::spawn(async move { *theirs + 1 });
///     assert_eq!(task.await.unwrap(), 6);
/// });
/// ```
/// A task cannot be sent to another thread:
/// ```compile_fail
/// evloop_runtime::block_on(async {
///     let task = evloop_runtime::spawn(async {});
///     std::thread::spawn(move || drop(task));
/// });
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let spawned_at = Location::caller();
    context::current().tasks.spawn_from(spawned_at, None, future)
}

/// A task to be spawned, with more to say of it than its future.
///
/// # Examples
/// ```
/// evloop_runtime::block_on(async {
///     let task = evloop_runtime::TaskBuilder::new().name("adder").spawn(async { 2 + 2 });
///     assert_eq!(task.await.unwrap(), 4);
/// });
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "a builder does nothing until `spawn`"]
pub struct TaskBuilder<'a> {
    name: Option<&'a str>,
}

impl<'a> TaskBuilder<'a> {
    /// A task without a name.
    pub fn new() -> TaskBuilder<'a> {
        TaskBuilder::default()
    }

    /// What a dump and a trace call it.
    pub fn name(mut self, name: &'a str) -> TaskBuilder<'a> {
        self.name = Some(name);
        self
    }

    /// As [`spawn`](crate::spawn()).
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let spawned_at = Location::caller();
        context::current().tasks.spawn_from(spawned_at, self.name, future)
    }
}

/// Has a thread of the loop's pool call `work`, which may block, and gives its result.
///
/// Other than tokio's, the queue before the pool is bounded: when it is full, this waits for a place. And dropping what
/// it returns takes the job back if it has not begun; one that has begun runs to its end, and its result is dropped.
///
/// # Errors
/// [`JoinError`], when `work` panicked, or when the loop ended before the job began.
///
/// # Panics
/// When this thread is in no loop; when awaited, if the system can start no thread and the pool has none.
///
/// # Examples
/// ```
/// evloop_runtime::block_on(async {
///     let sum = evloop_runtime::spawn_blocking(|| (1..=10).sum::<i32>()).await;
///     assert_eq!(sum.unwrap(), 55);
/// });
/// ```
///
/// # Cancel safety
/// Waiting may go on after another branch was taken. Dropped, it is as said above.
#[track_caller]
pub fn spawn_blocking<T, W>(work: W) -> Blocking<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let job: Job = Box::new(move || {
        if !sender.is_closed() {
            let result = catch_unwind(AssertUnwindSafe(work)).map_err(JoinError::panicked);
            drop(sender.send(result)); // who waited may have left meanwhile
        }
    });
    let pool = context::with(|core| core.pool.clone());
    match pool.submit(job) {
        Ok(()) => Blocking { receiver, outside: None },
        Err(refused) => {
            Blocking { receiver, outside: Some(Outside { pool, refused: Some(refused), place: Key::NONE }) }
        }
    }
}

/// A job of the blocking pool; see [`spawn_blocking`].
#[must_use = "dropping it takes the job back, if it has not begun"]
pub struct Blocking<T> {
    receiver: oneshot::Receiver<Result<T, JoinError>>,
    outside: Option<Outside>,
}

/// A job that found the queue full.
struct Outside {
    pool: Pool,
    refused: Option<Refused>,
    place: Key,
}

impl Outside {
    fn poll_enter(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let job = match self.refused.take() {
            Some(Refused::Full(job)) => job,
            Some(Refused::NoThread(_, error)) => panic!("cannot start a thread for blocking work: {error}"),
            None => return Poll::Ready(()),
        };
        match self.pool.submit_in_line(job, self.place, cx.waker()) {
            Ok(()) => {
                self.place = Key::NONE;
                Poll::Ready(())
            }
            Err((refused, place)) => {
                if place == Key::NONE {
                    cx.waker().wake_by_ref(); // no thread to be had: the next poll tells
                }
                (self.refused, self.place) = (Some(refused), place);
                Poll::Pending
            }
        }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        if self.place != Key::NONE {
            self.pool.leave(self.place);
        }
    }
}

impl<T> Future for Blocking<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outside) = &mut self.outside {
            if outside.poll_enter(cx).is_pending() {
                waits_for(Wait::Pool);
                return Poll::Pending;
            }
            self.outside = None;
        }
        let polled = Pin::new(&mut self.receiver).poll(cx);
        if polled.is_pending() {
            waits_for(Wait::Pool);
        }
        polled.map(|received| received.unwrap_or_else(|_| Err(JoinError::cancelled())))
    }
}

impl<T> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").field("waits_for_place", &self.outside.is_some()).finish_non_exhaustive()
    }
}

/// Runs an I/O call on the pool, and makes one error of its own and the pool's.
pub(crate) async fn blocking_io<T, W>(work: W) -> io::Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> io::Result<T> + Send + 'static,
{
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => error.resume_panic(),
        Err(cancelled) => Err(cancelled.into()),
    }
}
