//! The other end of a task: wait for it, ask after it, abort it, or let it go.

use super::abort::{AbortHandle, AbortOnDrop};
use super::tasks::{TaskRef, Tasks};
use crate::arena::Key;
use std::any::Any;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::{fmt, panic};

/// A claim on what a task will have brought about when it ends.
///
/// Awaiting it gives the task's output, or a [`JoinError`] when the task panicked or was aborted. Dropping it detaches the
/// task, which then runs on by itself. It stays on the thread of its loop, as the task does. The output lies where the future
/// was, so that memory is kept until the handle is dropped.
///
/// # Examples
/// ```
/// evloop_runtime::block_on(async {
///     let sum = evloop_runtime::spawn(async { 2 + 2 });
///     assert_eq!(sum.await.unwrap(), 4);
/// });
/// ```
///
/// # Cancel safety
/// Polling it again after another branch was taken loses nothing: the output stays with the task until it is taken.
#[must_use = "dropping a handle detaches its task; say so with `drop` if that is meant"]
pub struct JoinHandle<T> {
    tasks: Rc<Tasks>,
    task: TaskRef,
    output: PhantomData<fn() -> T>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(tasks: Rc<Tasks>, task: TaskRef) -> JoinHandle<T> {
        JoinHandle { tasks, task, output: PhantomData }
    }

    /// The task's key: what a trace and a dump call it.
    #[must_use]
    pub fn key(&self) -> Key {
        self.task.key
    }

    /// Whether the task has ended, in whatever way. An aborted task ends when it would have been polled next.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.has_ended()
    }

    /// Ends the task where it waits: when it would be polled next its future is dropped instead, and the handle
    /// gives a [`JoinError`] that says so. A task that has ended keeps its output.
    ///
    /// # Examples
    /// ```
    /// evloop_runtime::block_on(async {
    ///     let endless = evloop_runtime::spawn(std::future::pending::<()>());
    ///     endless.abort();
    ///     assert!(endless.await.unwrap_err().is_cancelled());
    /// });
    /// ```
    pub fn abort(&self) {
        self.tasks.abort(&self.task);
    }

    /// A way to end the task for somebody who does not wait for it.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle::new(Rc::clone(&self.tasks), self.key())
    }

    /// The same claim, which ends the task when it is dropped, where this handle would let it run on.
    pub fn abort_on_drop(self) -> AbortOnDrop<T> {
        AbortOnDrop::new(self)
    }

    /// Ends the task here: its future has been dropped when this returns, unless it is being polled. Then it ends with
    /// that poll.
    pub(super) fn end_now(&self) {
        self.tasks.end_now(&self.task);
    }

    /// The name that the task was given, if any.
    ///
    /// # Examples
    /// ```
    /// evloop_runtime::block_on(async {
    ///     let task = evloop_runtime::TaskBuilder::new().name("sweeper").spawn(async {});
    ///     assert_eq!(task.name().as_deref(), Some("sweeper"));
    /// #   task.await.unwrap();
    /// });
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<Rc<str>> {
        self.task.name.clone()
    }

    /// Lets the task count, or not, when the loop asks whether anything keeps it alive. A new task counts.
    pub fn set_referenced(&self, referenced: bool) {
        self.tasks.set_referenced(&self.task, referenced);
    }
}

impl<T: 'static> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// When polled again after it gave the output.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut output: Option<Self::Output> = None;
        match self.tasks.poll_join(&self.task, cx, &mut output) {
            Poll::Ready(()) => Poll::Ready(output.expect("a handle gives its output once")),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        self.tasks.detach(&self.task);
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("task", &self.key())
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// Why a task has no output.
pub struct JoinError(Kind);

enum Kind {
    Cancelled,
    Panicked(Box<dyn Any + Send>),
}

impl JoinError {
    pub(crate) fn cancelled() -> JoinError {
        JoinError(Kind::Cancelled)
    }

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> JoinError {
        JoinError(Kind::Panicked(payload))
    }

    /// Whether the task was aborted, or its loop ended before it did.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0, Kind::Cancelled)
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.0, Kind::Panicked(_))
    }

    /// Goes on with the task's panic in the caller.
    ///
    /// # Panics
    /// Always: with the task's own payload, or saying that it was cancelled.
    pub fn resume_panic(self) -> ! {
        match self.0 {
            Kind::Panicked(payload) => panic::resume_unwind(payload),
            Kind::Cancelled => panic!("the task was cancelled, there is no panic to go on with"),
        }
    }

    /// The payload of the task's panic.
    ///
    /// # Errors
    /// This error again, when the task did not panic.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self.0 {
            Kind::Panicked(payload) => Ok(payload),
            Kind::Cancelled => Err(self),
        }
    }

    /// What the task panicked with, if that is text, as it is after `panic!`.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        let Kind::Panicked(payload) = &self.0 else { return None };
        payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.panic_message()) {
            (Kind::Cancelled, _) => f.write_str("the task was cancelled"),
            (Kind::Panicked(_), Some(message)) => write!(f, "the task panicked: {message}"),
            (Kind::Panicked(_), None) => f.write_str("the task panicked"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        std::io::Error::other(error.to_string())
    }
}
