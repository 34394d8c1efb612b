//! Work that blocks, on the pool of this thread's loop.

use crate::arena::Key;
use crate::context;
use crate::observer::JobTimes;
use crate::pool::{Job, JobClass, Pool, Refused, Ticket};
use crate::sync::oneshot;
use crate::task::JoinError;
use crate::trace::{Wait, waits_for, waits_rather_for};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use std::{fmt, mem};

/// Has a thread of the loop's pool call `work`, which may block, and gives its result.
///
/// Other than tokio's, the queue before the pool is bounded: when it is full, this waits for a place. And dropping what
/// it returns takes the job back if it has not begun, as [`Blocking::cancel`] does; one that has begun runs to its end, and
/// its result is dropped.
///
/// # Errors
/// [`JoinError`], when `work` panicked, or when it was cancelled or the loop ended before the job began.
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
    spawn_blocking_in(JobClass::General, work)
}

/// As [`spawn_blocking`], with the queue and the threads of another class of jobs.
///
/// # Panics
/// As [`spawn_blocking`].
///
/// # Examples
/// ```
/// use evloop_runtime::{JobClass, spawn_blocking_in};
///
/// evloop_runtime::block_on(async {
///     let entries = spawn_blocking_in(JobClass::Files, || std::fs::read_dir("/").map(Iterator::count)).await;
///     assert!(entries.unwrap().unwrap() > 0);
/// });
/// ```
///
/// # Cancel safety
/// As [`spawn_blocking`].
#[track_caller]
pub fn spawn_blocking_in<T, W>(class: JobClass, work: W) -> Blocking<T>
where
    T: Send + 'static,
    W: FnOnce() -> T + Send + 'static,
{
    let (pool, observed) = context::with(|core| (core.pool.clone(), core.observers.any()));
    let (sender, receiver) = oneshot::channel();
    let submitted = observed.then(Instant::now); // the clock is read for those who look on, and for nobody else
    let job: Job = Box::new(move || {
        let began = submitted.map(|submitted| (submitted, Instant::now()));
        let result = catch_unwind(AssertUnwindSafe(work)).map_err(JoinError::panicked);
        let times = began.map(|(submitted, began)| JobTimes::new(class, submitted, began, Instant::now()));
        drop(sender.send((result, times))); // who waited may have left meanwhile
    });
    let stage = match pool.submit(class, job) {
        Ok(ticket) => Stage::Inside(ticket),
        Err(refused) => Stage::Outside { class, refused, place: Key::NONE },
    };
    Blocking { receiver, pool, stage }
}

/// The pool of this thread's loop, which may then be looked at from any thread: [`Pool::load`].
///
/// # Panics
/// When this thread is in no loop.
///
/// # Examples
/// ```
/// use evloop_runtime::{spawn, spawn_blocking};
///
/// evloop_runtime::block_on(async {
///     let pool = evloop_runtime::pool();
///     spawn_blocking(|| ()).await.unwrap();
///     let load = std::thread::spawn(move || pool.load()).join().unwrap();
///     assert_eq!((load.general.submitted, load.names.submitted), (1, 0));
/// });
/// ```
#[must_use]
#[track_caller]
pub fn pool() -> Pool {
    context::with(|core| core.pool.clone())
}

/// A job of the blocking pool; see [`spawn_blocking`].
#[must_use = "dropping it takes the job back, if it has not begun"]
pub struct Blocking<T> {
    receiver: oneshot::Receiver<(Result<T, JoinError>, Option<JobTimes>)>,
    pool: Pool,
    stage: Stage,
}

/// Where a job is, as far as its owner knows.
enum Stage {
    /// It found the queue full, or no thread. Invariant: `place` is one in the line, or [`Key::NONE`].
    Outside { class: JobClass, refused: Refused, place: Key },
    /// The pool has it, or had it.
    Inside(Ticket),
    /// It has ended, or was taken back.
    Over,
}

impl<T> Blocking<T> {
    /// Takes the job back, if it has not begun, and tells whether it was. What it would have called is then dropped, its place
    /// in the queue is free, and awaiting this gives a [`JoinError`] that [is cancelled](JoinError::is_cancelled).
    ///
    /// `false`: it has begun, and runs to its end (libuv's `EBUSY`), or it has ended, or its loop has.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::engine::PoolLimits;
    /// use evloop_runtime::{Runtime, spawn_blocking};
    /// use std::sync::mpsc;
    ///
    /// let limits = PoolLimits { threads_max: 1, ..PoolLimits::default() };
    /// Runtime::builder().pool(limits).build()?.block_on(async {
    ///     let (open, wait) = mpsc::channel::<()>();
    ///     let first = spawn_blocking(move || wait.recv());
    ///     let mut behind = spawn_blocking(|| unreachable!());
    ///     assert!(behind.cancel());
    ///     assert!(behind.await.unwrap_err().is_cancelled());
    ///     drop(open);
    ///     first.await.unwrap().unwrap_err();
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn cancel(&mut self) -> bool {
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Outside { class, refused, place } => {
                drop(refused);
                if place != Key::NONE {
                    self.pool.leave(class, place);
                }
                true
            }
            Stage::Inside(ticket) => self.pool.cancel(ticket).is_some(),
            Stage::Over => false,
        }
    }

    /// Lets the job be done for nobody; its result is dropped. One that has found the queue full is a task until there is
    /// room.
    ///
    /// # Panics
    /// When there was no room, and this thread is in no loop.
    ///
    /// # Examples
    /// ```
    /// use std::sync::mpsc;
    ///
    /// evloop_runtime::block_on(async {
    ///     let (sender, receiver) = mpsc::channel();
    ///     evloop_runtime::spawn_blocking(move || sender.send("done")).detach();
    ///     assert_eq!(evloop_runtime::spawn_blocking(move || receiver.recv()).await.unwrap(), Ok("done"));
    /// });
    /// ```
    #[track_caller]
    pub fn detach(mut self)
    where
        T: 'static,
    {
        match self.stage {
            Stage::Outside { .. } => drop(super::spawn(self)),
            Stage::Inside(_) | Stage::Over => self.stage = Stage::Over,
        }
    }

    /// Has the pool take the job, if it has not yet.
    fn poll_enter(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (class, refused, place) = match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Outside { class, refused, place } => (class, refused, place),
            entered => {
                self.stage = entered;
                return Poll::Ready(());
            }
        };
        let job = match refused {
            Refused::Full(job) => job,
            Refused::NoThread(_, error) => panic!("cannot start a thread for blocking work: {error}"),
        };
        match self.pool.submit_in_line(class, job, place, cx.waker()) {
            Ok(ticket) => {
                self.stage = Stage::Inside(ticket);
                Poll::Ready(())
            }
            Err((refused, place)) => {
                if place == Key::NONE {
                    cx.waker().wake_by_ref(); // no thread to be had: the next poll tells
                }
                self.stage = Stage::Outside { class, refused, place };
                Poll::Pending
            }
        }
    }
}

impl<T> Future for Blocking<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = match self.poll_enter(cx) {
            Poll::Ready(()) => Pin::new(&mut self.receiver).poll(cx),
            Poll::Pending => Poll::Pending,
        };
        match polled {
            Poll::Ready(received) => {
                self.stage = Stage::Over;
                let (result, times) = received.unwrap_or_else(|_| (Err(JoinError::cancelled()), None));
                if let Some(times) = times.filter(|_| context::is_entered()) {
                    context::current().observers.tell(|observer| observer.job(&times));
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                match &self.stage {
                    Stage::Outside { class, .. } => waits_for(Wait::Pool(*class, Key::NONE)),
                    Stage::Inside(ticket) => waits_rather_for(Wait::Pool(ticket.class(), ticket.key())),
                    Stage::Over => {} // it could not be taken back, and its end comes by the channel
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Blocking<T> {
    fn drop(&mut self) {
        self.receiver.close(); // so that the end of the job wakes nobody
        self.cancel();
    }
}

impl<T> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits_for_place = matches!(self.stage, Stage::Outside { .. });
        f.debug_struct("Blocking").field("waits_for_place", &waits_for_place).finish_non_exhaustive()
    }
}
