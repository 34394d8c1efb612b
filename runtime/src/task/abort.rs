//! Ways to end a task without waiting for it: by a word, or with whoever holds it.

use super::join::{JoinError, JoinHandle};
use super::tasks::Tasks;
use crate::arena::Key;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// Ends a task, or asks after it, and has no claim on its output: [`JoinHandle::abort_handle`] gives one.
///
/// It may be cloned and outlive the task. Dropping it does nothing.
///
/// # Examples
/// ```
/// evloop_runtime::block_on(async {
///     let task = evloop_runtime::spawn(std::future::pending::<()>());
///     let stop = task.abort_handle();
///     drop(evloop_runtime::spawn(async move { stop.abort() }));
///     assert!(task.await.unwrap_err().is_cancelled());
/// });
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    tasks: Rc<Tasks>,
    key: Key,
}

impl AbortHandle {
    pub(super) fn new(tasks: Rc<Tasks>, key: Key) -> AbortHandle {
        AbortHandle { tasks, key }
    }

    /// The task's key: what a trace and a dump call it.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key
    }

    /// Whether the task has ended, in whatever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.tasks.task(self.key).is_none_or(|task| task.has_ended())
    }

    /// Ends the task where it waits: see [`JoinHandle::abort`].
    pub fn abort(&self) {
        if let Some(task) = self.tasks.task(self.key) {
            self.tasks.abort(&task);
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("task", &self.key)
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// A claim on a task's output that ends the task when it is dropped: [`JoinHandle::abort_on_drop`] gives one.
///
/// Dropping it does more than [`abort`](JoinHandle::abort), which only asks: the task's future has been dropped when the
/// drop returns. But for one case: a task that is being polled right now, because it drops its own handle, ends with
/// that poll.
///
/// # Examples
/// ```
/// use std::rc::Rc;
///
/// evloop_runtime::block_on(async {
///     let shared = Rc::new(());
///     let theirs = Rc::clone(&shared);
///     let task = evloop_runtime::spawn(async move {
///         let _theirs = theirs;
///         std::future::pending::<()>().await;
///     });
///     drop(task.abort_on_drop());
///     assert_eq!(Rc::strong_count(&shared), 1);
/// });
/// ```
///
/// # Cancel safety
/// Polling it again after another branch was taken loses nothing; as a branch, give `&mut handle`, or the task ends when
/// the branch loses.
#[must_use = "dropping it ends its task at once"]
pub struct AbortOnDrop<T> {
    /// Taken by `into_handle` alone, which consumes this.
    handle: Option<JoinHandle<T>>,
}

impl<T> AbortOnDrop<T> {
    pub(super) fn new(handle: JoinHandle<T>) -> AbortOnDrop<T> {
        AbortOnDrop { handle: Some(handle) }
    }

    /// The plain handle again, whose drop lets the task run on.
    pub fn into_handle(mut self) -> JoinHandle<T> {
        self.handle.take().expect("only this takes it, and ends with that")
    }
}

impl<T> std::ops::Deref for AbortOnDrop<T> {
    type Target = JoinHandle<T>;

    fn deref(&self) -> &JoinHandle<T> {
        self.handle.as_ref().expect("who takes it has no more use of this")
    }
}

impl<T: 'static> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    /// # Panics
    /// When polled again after it gave the output.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(self.handle.as_mut().expect("who takes it has no more use of this")).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            handle.end_now();
        }
    }
}

impl<T> fmt::Debug for AbortOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AbortOnDrop").field(&self.handle).finish()
    }
}
