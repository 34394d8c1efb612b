//! Tasks that belong to one piece of work: it ends when they have, and they end when it does.
//!
//! What asyncio has as `TaskGroup` and trio as nursery ("Notes on structured concurrency", N. J. Smith, 2018): whoever
//! calls a function that spawns need not ask what of it still runs afterwards, for nothing does.
//!
//! ```text
//!   group(body) ── polls ──► body ── TaskGroup::spawn ──► children, tasks of the loop
//!        ▲                                                     │
//!        └────────────── Parts: who has ended ◄────────────────┘
//! ```

mod error;
#[cfg(all(test, not(loom)))]
mod tests;

pub use error::{Failure, GroupError};

use crate::future::parts::Parts;
use crate::spawn::TaskBuilder;
use crate::sync::oneshot;
use crate::task::{AbortHandle, AbortOnDrop, JoinError};
use crate::trace::{self, Wait};
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// Runs `body`, and the children that it spawns in its group, to their common end.
///
/// The body is a future within this task; its children are tasks of this thread's loop.
///
/// - **It ends last.** Its value is there when the body and all children have ended. When something fails, the error
///   is there when all have ended likewise.
/// - **One fails, all end.** When a child gives an error or panics, or the body gives an error, the body is dropped, the
///   other children are aborted, and no new ones are taken. Who was ended so is no failure, nor is a child that was
///   aborted by itself. All who failed are told, in the order in which they ended: [`GroupError`].
/// - **It is dropped, all end.** When this future is dropped, because its task was aborted, a time-out passed or the body
///   panicked, then first the body is dropped and then the children, in the order in which they were spawned, before the
///   drop returns. So what the caller owns is still there while they go, and when somebody learns that the caller's task
///   has ended, they have gone.
///
/// What it cannot promise, and no group in Rust can: children may not borrow from the caller, they are `'static`, because
/// this future could be forgotten (`mem::forget`) instead of dropped, and then they would run on. And if a child itself
/// drops this future, from inside of its own poll, that child ends with this poll, after the drop.
///
/// # Examples
/// ```
/// use evloop_runtime::group;
///
/// async fn number(text: &'static str) -> Result<u32, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// evloop_runtime::block_on(async {
///     let sum = group(async |g| {
///         let one = g.spawn(number("1"));
///         let two = g.spawn(number("2"));
///         Ok(one.await.unwrap() + two.await.unwrap())
///     });
///     assert_eq!(sum.await.unwrap(), 3);
///
///     let failed = group(async |g| {
///         g.spawn(number("two"));
///         g.spawn(std::future::pending::<Result<(), _>>()); // is aborted
///         Ok(())
///     });
///     let error = failed.await.unwrap_err();
///     assert_eq!(error.failures().len(), 1);
///     assert!(error.to_string().ends_with("invalid digit found in string"));
/// });
/// ```
/// A child may not borrow from the caller:
/// ```compile_fail,E0373
/// evloop_runtime::block_on(async {
///     let name = String::from("mine");
///     let read = evloop_runtime::group(async |g| {
///         g.spawn(async { Ok::<_, ()>(name.len()) });
///         Ok(())
///     });
///     read.await.unwrap();
/// });
/// ```
///
/// # Errors
/// [`GroupError`], with all that failed.
///
/// # Cancel safety
/// Dropping it ends the body and all children, as said above.
pub fn group<T, E, F, B>(body: F) -> GroupScope<B, T, E>
where
    E: 'static,
    F: FnOnce(TaskGroup<E>) -> B,
    B: Future<Output = Result<T, E>>,
{
    let shared = Rc::new(Shared { children: Parts::new(), closed: Cell::new(false) });
    let group = TaskGroup { shared: Rc::clone(&shared) };
    let mut scope = GroupScope { body: None, value: None, failures: Vec::new(), shared };
    scope.body = Some(body(group)); // if it panics, what it has spawned ends with the scope
    scope
}

struct Shared<E> {
    children: Parts<Member<E>>,
    /// No more children are taken.
    closed: Cell<bool>,
}

/// Where the children of a [`group`] are spawned. It may be cloned and given to children, which spawn their siblings.
pub struct TaskGroup<E> {
    shared: Rc<Shared<E>>,
}

impl<E: 'static> TaskGroup<E> {
    /// Adds a child: a task of this thread's loop that the group waits for. The child's value is for whoever awaits the
    /// [`Child`], if anybody does; its error is the group's.
    ///
    /// When something in the group has failed, or the group has ended, the future is dropped at once.
    ///
    /// # Panics
    /// When this thread is in no loop.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Child<T>
    where
        T: 'static,
        F: Future<Output = Result<T, E>> + 'static,
    {
        self.spawn_with(TaskBuilder::new(), future)
    }

    /// Adds a child of which more is said, such as its name, by which a failure is told.
    ///
    /// # Panics
    /// When this thread is in no loop.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{TaskBuilder, group};
    ///
    /// evloop_runtime::block_on(async {
    ///     let failed = group(async |g| {
    ///         g.spawn_with(TaskBuilder::new().name("reader"), async { Err::<(), _>("no such file") });
    ///         Ok(())
    ///     });
    ///     assert_eq!(failed.await.unwrap_err().first().name(), Some("reader"));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_with<T, F>(&self, builder: TaskBuilder<'_>, future: F) -> Child<T>
    where
        T: 'static,
        F: Future<Output = Result<T, E>> + 'static,
    {
        let (sender, value) = oneshot::channel();
        if self.shared.closed.get() {
            return Child { value, task: None };
        }
        let handle = builder.spawn(async move {
            let value = future.await?;
            drop(sender.send(value)); // it comes back when nobody wants it
            Ok(())
        });
        let child = Child { value, task: Some(handle.abort_handle()) };
        let has_ended = handle.is_finished(); // when the loop is shutting down
        let name = handle.name();
        let member = Member { handle: handle.abort_on_drop(), name, spawned_at: Location::caller() };
        if has_ended {
            self.shared.children.insert(member);
        } else {
            self.shared.children.insert_pending(member);
        }
        child
    }

    /// Asks the children that there are now to end, as [`JoinHandle::abort`](crate::JoinHandle::abort) does. That is no
    /// failure: when the body ends well, so does the group.
    ///
    /// # Examples
    /// ```
    /// use evloop_runtime::{group, time::sleep};
    /// use std::time::Duration;
    ///
    /// evloop_runtime::block_on(async {
    ///     let work = group(async |g| {
    ///         g.spawn(std::future::pending::<Result<(), ()>>()); // a heartbeat
    ///         sleep(Duration::from_millis(1)).await; // the work
    ///         g.abort_all();
    ///         Ok("done")
    ///     });
    ///     assert_eq!(work.await.unwrap(), "done");
    /// });
    /// ```
    pub fn abort_all(&self) {
        self.shared.abort_all();
    }

    /// How many children have not ended, or have ended since the group was polled last.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.children.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.children.is_empty()
    }

    /// Whether no more children are taken: something has failed, or the group has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.get()
    }
}

impl<E: 'static> Shared<E> {
    fn abort_all(&self) {
        self.children.for_each(|child| child.handle.abort());
    }
}

impl<E> Clone for TaskGroup<E> {
    fn clone(&self) -> Self {
        TaskGroup { shared: Rc::clone(&self.shared) }
    }
}

impl<E> fmt::Debug for TaskGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("children", &self.shared.children.len())
            .field("closed", &self.shared.closed.get())
            .finish_non_exhaustive()
    }
}

/// A child as the group sees it: what is awaited is its failure, if it failed.
struct Member<E> {
    handle: AbortOnDrop<Result<(), E>>,
    name: Option<Rc<str>>,
    spawned_at: &'static Location<'static>,
}

impl<E: 'static> Future for Member<E> {
    type Output = Option<Failure<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let error = match ready!(Pin::new(&mut self.handle).poll(cx)) {
            Ok(Ok(())) => return Poll::Ready(None),
            Ok(Err(error)) => Ok(error),
            Err(cancelled) if cancelled.is_cancelled() => return Poll::Ready(None),
            Err(panic) => Err(panic),
        };
        Poll::Ready(Some(Failure::of_child(error, self.name.as_deref(), self.spawned_at)))
    }
}

/// The value that a child will give: what [`TaskGroup::spawn`] returns.
///
/// Dropping it changes nothing for the child.
///
/// # Errors
/// [`JoinError`], when the child ends without a value. It says that the child was cancelled even if it failed: how it
/// failed, the group tells.
///
/// # Cancel safety
/// Polling it again after another branch was taken loses nothing.
#[derive(Debug)]
pub struct Child<T> {
    value: oneshot::Receiver<T>,
    /// `None` when the group was closed.
    task: Option<AbortHandle>,
}

impl<T> Child<T> {
    /// Asks this child to end, as [`JoinHandle::abort`](crate::JoinHandle::abort) does. That is no failure.
    pub fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }

    /// Whether the child has ended, in whatever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(AbortHandle::is_finished)
    }
}

impl<T> Future for Child<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.value).poll(cx);
        if polled.is_pending()
            && let Some(task) = &self.task
        {
            trace::waits_rather_for(Wait::Task(task.key()));
        }
        polled.map(|value| value.map_err(|_| JoinError::cancelled()))
    }
}

pin_project! {
    /// The future that [`group`] returns.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct GroupScope<B, T, E> {
        // Until it is done, or something fails.
        #[pin]
        body: Option<B>,
        // The body's, while the children have not all ended.
        value: Option<T>,
        failures: Vec<Failure<E>>,
        shared: Rc<Shared<E>>,
    }

    impl<B, T, E> PinnedDrop for GroupScope<B, T, E> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.shared.closed.set(true);
            let _last = EndChildren(&this.shared.children); // also when the drop of the body panics
            this.body.set(None);
        }
    }
}

struct EndChildren<'a, E>(&'a Parts<Member<E>>);

impl<E> Drop for EndChildren<'_, E> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl<B, T, E> Future for GroupScope<B, T, E>
where
    E: 'static,
    B: Future<Output = Result<T, E>>,
{
    type Output = Result<T, GroupError<E>>;

    /// # Panics
    /// When it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The children first: when one has failed, the body does not go on.
        let shared = Rc::clone(&self.shared);
        let mut left = shared.children.begin(cx.waker());
        while let Some((_, failure)) = shared.children.next_done(&mut left) {
            if let Some(failure) = failure {
                self.as_mut().fail(failure);
            }
        }

        let mut this = self.as_mut().project();
        match this.body.as_mut().as_pin_mut().map(|body| body.poll(cx)) {
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(Err(error))) => self.as_mut().fail(Failure::of_body(error)),
            Some(Poll::Ready(Ok(value))) => {
                *this.value = Some(value);
                this.body.set(None);
            }
            None => {}
        }

        if let Some(first) = shared.children.with_first(|child| child.handle.key()) {
            trace::waits_for(Wait::AnyTask(first));
            return Poll::Pending;
        }
        shared.closed.set(true);
        let this = self.project();
        if this.failures.is_empty() {
            return Poll::Ready(Ok(this.value.take().expect("a group was polled after it was ready")));
        }
        *this.value = None;
        Poll::Ready(Err(GroupError::new(std::mem::take(this.failures))))
    }
}

impl<B, T, E: 'static> GroupScope<B, T, E> {
    /// With the first failure, drops the body and asks the children to end.
    fn fail(self: Pin<&mut Self>, failure: Failure<E>) {
        let mut this = self.project();
        this.failures.push(failure);
        if !this.shared.closed.replace(true) {
            this.body.set(None);
            this.shared.abort_all();
        }
    }
}

impl<B, T, E> fmt::Debug for GroupScope<B, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupScope").field("children", &self.shared.children.len()).finish_non_exhaustive()
    }
}
