//! New tasks for the loop of this thread, and new jobs for its pool.

mod blocking;

pub use blocking::{Blocking, pool, spawn_blocking, spawn_blocking_in};

use crate::arena::Key;
use crate::context;
use crate::pool::JobClass;
use crate::task::JoinHandle;
use crate::trace;
use std::io;
use std::panic::Location;
use std::rc::Rc;

/// Adds a task to the loop of this thread. It is polled behind those that are queued already, and runs whether or not its handle is awaited.
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

/// The key of the task that is being polled on this thread, as a trace, a dump and [`JoinHandle::key`] call it; `None` outside
/// of any poll, and in the future of `block_on`.
///
/// # Examples
/// ```
/// evloop_runtime::block_on(async {
///     let task = evloop_runtime::spawn(async { evloop_runtime::current() });
///     let key = task.key();
///     assert_eq!(task.await.unwrap(), Some(key));
///     assert_eq!(evloop_runtime::current(), None);
/// });
/// ```
#[must_use]
pub fn current() -> Option<Key> {
    Some(trace::running()).filter(|key| *key != Key::NONE)
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
    name: Option<Name<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum Name<'a> {
    Own(&'a str),
    Shared(&'a Rc<str>),
}

impl<'a> TaskBuilder<'a> {
    /// A task without a name.
    pub fn new() -> TaskBuilder<'a> {
        TaskBuilder::default()
    }

    /// What a dump and a trace call it.
    pub fn name(mut self, name: &'a str) -> TaskBuilder<'a> {
        self.name = Some(Name::Own(name));
        self
    }

    /// As [`name`](TaskBuilder::name), of one that many tasks have: it is shared, and not copied for each.
    pub fn shared_name(mut self, name: &'a Rc<str>) -> TaskBuilder<'a> {
        self.name = Some(Name::Shared(name));
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
        let name = self.name.map(|name| match name {
            Name::Own(name) => Rc::from(name),
            Name::Shared(name) => Rc::clone(name),
        });
        context::current().tasks.spawn_from(spawned_at, name, future)
    }
}

/// Runs a call to the file system on the pool, and makes one error of its own and the pool's.
pub(crate) async fn blocking_io<T, W>(work: W) -> io::Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> io::Result<T> + Send + 'static,
{
    blocking(JobClass::Files, work).await
}

/// Runs a look-up on the pool, as [`blocking_io`] does with a call to the file system.
pub(crate) async fn blocking_names<T, W>(work: W) -> io::Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> io::Result<T> + Send + 'static,
{
    blocking(JobClass::Names, work).await
}

async fn blocking<T, W>(class: JobClass, work: W) -> io::Result<T>
where
    T: Send + 'static,
    W: FnOnce() -> io::Result<T> + Send + 'static,
{
    match spawn_blocking_in(class, work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => error.resume_panic(),
        Err(cancelled) => Err(cancelled.into()),
    }
}
