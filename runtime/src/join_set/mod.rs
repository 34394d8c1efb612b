//! Tasks of one kind, waited for in the order in which they end.

use crate::future::parts::Parts;
use crate::spawn::TaskBuilder;
use crate::task::{AbortHandle, AbortOnDrop, JoinError, JoinHandle};
use crate::trace::{self, Wait};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Tasks with outputs of one type, whose ends are taken in the order in which they happen. Dropping it ends them all.
///
/// Joining costs the same whether there are ten tasks or a hundred thousand: a task that ends puts its key into a queue,
/// and the others are not looked at.
///
/// As tokio's, but for three things: it stays on its thread, as its tasks do; dropping it does not only ask the tasks to
/// end, their futures are gone when the drop returns (see [`AbortOnDrop`]); and where tasks belong to one piece of work
/// that fails as a whole, [`group`](crate::group()) is the better form.
///
/// A set in a task of a set ends within the end of that one, on the stack: so a thousand may lie one in the other, and not
/// many thousands.
///
/// # Examples
/// ```
/// use evloop_runtime::{JoinSet, time::sleep};
/// use std::time::Duration;
///
/// evloop_runtime::block_on(async {
///     let mut set = JoinSet::new();
///     for ms in [3, 1, 2] {
///         set.spawn(async move {
///             sleep(Duration::from_millis(ms)).await;
///             ms
///         });
///     }
///     let mut ended = Vec::new();
///     while let Some(ms) = set.join_next().await {
///         ended.push(ms.unwrap());
///     }
///     assert_eq!(ended, [1, 2, 3]);
/// });
/// ```
/// It stays on its thread:
/// ```compile_fail,E0277
/// let set = evloop_runtime::JoinSet::<()>::new();
/// std::thread::spawn(move || drop(set));
/// ```
pub struct JoinSet<T> {
    tasks: Parts<AbortOnDrop<T>>,
}

impl<T: 'static> JoinSet<T> {
    /// A set without tasks.
    #[must_use]
    pub fn new() -> JoinSet<T> {
        JoinSet { tasks: Parts::new() }
    }

    /// Adds a new task of this thread's loop, as [`spawn`](crate::spawn()) does.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(crate::spawn::spawn(future))
    }

    /// Adds a new task of which more is said, such as its name.
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{JoinSet, TaskBuilder};
    ///
    /// evloop_runtime::block_on(async {
    ///     let mut set = JoinSet::new();
    ///     set.spawn_with(TaskBuilder::new().name("adder"), async { 2 + 2 });
    ///     assert_eq!(set.join_next().await.unwrap().unwrap(), 4);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_with<F>(&mut self, builder: TaskBuilder<'_>, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(builder.spawn(future))
    }

    /// Adds a task that was spawned elsewhere. From now on it ends with the set.
    ///
    /// # Panics
    /// Not here, but in [`join_next`](JoinSet::join_next) when it comes to it: if the handle has given its output already.
    pub fn insert(&mut self, task: JoinHandle<T>) -> AbortHandle {
        let (abort, has_ended) = (task.abort_handle(), task.is_finished());
        let task = task.abort_on_drop();
        if has_ended {
            self.tasks.insert(task);
        } else {
            self.tasks.insert_pending(task);
        }
        abort
    }

    /// Waits until one of the tasks has ended and gives its output; `None` when the set is empty.
    ///
    /// # Cancel safety
    /// Nothing is lost: a task that has ended stays in the set until its output is given.
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext { tasks: &self.tasks }
    }

    /// Gives the output of a task that has ended, if there is one; also `None` when the set is empty.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let mut left = self.tasks.len(); // each once
        self.tasks.next_done(&mut left).map(|(_, output)| output)
    }

    /// Asks all tasks to end, as [`JoinHandle::abort`] does. They stay in the set until they are joined; those that had
    /// ended keep their outputs.
    pub fn abort_all(&self) {
        self.tasks.for_each(|task| task.abort());
    }

    /// Asks all tasks to end, and waits until they have. Their outputs are dropped.
    ///
    /// # Cancel safety
    /// The tasks end nevertheless, and stay in the set until they are joined.
    pub fn shutdown(&mut self) -> Shutdown<'_, T> {
        self.abort_all();
        Shutdown { tasks: &self.tasks }
    }

    /// Waits until all tasks have ended and gives their outputs, in the order in which they ended.
    ///
    /// # Cancel safety
    /// The tasks are dropped with the future, and so end; outputs are lost.
    pub fn join_all(self) -> JoinAllTasks<T> {
        JoinAllTasks { outputs: Vec::with_capacity(self.len()), set: self }
    }

    /// Lets all tasks go: they run on by themselves, and their outputs are dropped. The set is empty.
    pub fn detach_all(&mut self) {
        while let Some(task) = self.tasks.pop() {
            drop(task.into_handle());
        }
        self.tasks.clear(); // and forget who of them was woken
    }
}

impl<T> JoinSet<T> {
    /// How many tasks there are, with those that have ended and were not joined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl<T: 'static> Default for JoinSet<T> {
    fn default() -> Self {
        JoinSet::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

fn poll_next<T: 'static>(tasks: &Parts<AbortOnDrop<T>>, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
    let mut left = tasks.begin(cx.waker());
    if let Some((_, output)) = tasks.next_done(&mut left) {
        return Poll::Ready(Some(output));
    }
    match tasks.with_first(|task| task.key()) {
        None => Poll::Ready(None),
        Some(first) => {
            trace::waits_for(Wait::AnyTask(first));
            Poll::Pending
        }
    }
}

/// The future that [`JoinSet::join_next`] returns.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct JoinNext<'a, T> {
    tasks: &'a Parts<AbortOnDrop<T>>,
}

impl<T: 'static> Future for JoinNext<'_, T> {
    type Output = Option<Result<T, JoinError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_next(self.tasks, cx)
    }
}

/// The future that [`JoinSet::shutdown`] returns.
#[derive(Debug)]
#[must_use = "the tasks are asked to end, but only awaiting it tells when they have"]
pub struct Shutdown<'a, T> {
    tasks: &'a Parts<AbortOnDrop<T>>,
}

impl<T: 'static> Future for Shutdown<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        while std::task::ready!(poll_next(self.tasks, cx)).is_some() {}
        Poll::Ready(())
    }
}

/// The future that [`JoinSet::join_all`] returns.
#[must_use = "dropping it ends the tasks"]
pub struct JoinAllTasks<T> {
    set: JoinSet<T>,
    outputs: Vec<Result<T, JoinError>>,
}

// Outputs are not pinned.
impl<T> Unpin for JoinAllTasks<T> {}

impl<T: 'static> Future for JoinAllTasks<T> {
    type Output = Vec<Result<T, JoinError>>;

    /// Polled again after it was ready, it has no outputs more.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some(output) = std::task::ready!(poll_next(&self.set.tasks, cx)) {
            self.outputs.push(output);
        }
        Poll::Ready(std::mem::take(&mut self.outputs))
    }
}

impl<T> fmt::Debug for JoinAllTasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAllTasks").field("left", &self.set.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
