//! The one-allocation task: header, future, output, in an `Arc` that is its own waker.
//!
//! This is a room of unsafe code. What it must uphold:
//!
//! - **Invariant (home).** The stage is touched through a [`TaskRef`] only. A `TaskRef` is made where the task is spawned,
//!   is neither `Clone` nor `Send`, and gives out the stage to one caller at a time, because its methods take it by value
//!   or by `&mut`. Hence whoever touches the stage is at home, and is alone.
//! - **Invariant (empty).** Dropping a `TaskRef` empties the stage. Hence the last reference to the cell, which may be a
//!   stranger's waker, finds nothing to drop but the header, whose parts are `Send`.
//! - **Invariant (pinned).** The future is moved into the cell before the cell's address is known to anyone, and leaves it
//!   only by being dropped in place.

#![allow(unsafe_code, reason = "the stage is reached from a reference that strangers share, by the invariants above")]

use super::join::JoinError;
use super::mailbox::Home;
use super::state::State;
use super::tasks;
use crate::arena::Key;
use crate::trace;
use std::any::Any;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What any thread may see of a task.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) state: State,
    pub(super) key: Key,
    pub(super) home: Home,
}

/// A task as its wakers know it.
struct TaskCell<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

enum Stage<F: Future> {
    Future(F),
    Output(Result<F::Output, JoinError>),
    Empty,
}

/// What strangers reach may cross threads.
const _: () = {
    const fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<Header>();
};

// SAFETY: strangers reach the header, which is `Send` and `Sync`; by the invariants `home` and `empty` they neither touch
// nor drop what is in the stage.
unsafe impl<F: Future> Send for TaskCell<F> {}
// SAFETY: as above.
unsafe impl<F: Future> Sync for TaskCell<F> {}

impl<F: Future + 'static> Wake for TaskCell<F>
where
    F::Output: 'static,
{
    fn wake(self: Arc<Self>) {
        tasks::wake(&self.header);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        tasks::wake(&self.header);
    }
}

/// A cell whose future's type has been forgotten. The methods are called by [`TaskRef`] alone.
trait Run {
    fn header(&self) -> &Header;

    /// Polls the future; `true` when the stage has become the output.
    ///
    /// # Safety
    /// The count that this reference stands for is not given back: it stays with the caller, who has it from a reference of
    /// its own.
    unsafe fn run(self: Arc<Self>) -> bool;

    /// Drops the future, if there is one, and puts the error in its place.
    fn cancel(&self);

    /// Moves the output into `into`, an `Option<Result<F::Output, JoinError>>`.
    fn take_output(&self, into: &mut dyn Any);

    /// Drops what is there; a panic while doing so is its own and ends here.
    fn empty(&self);
}

impl<F: Future + 'static> Run for TaskCell<F>
where
    F::Output: 'static,
{
    fn header(&self) -> &Header {
        &self.header
    }

    unsafe fn run(self: Arc<Self>) -> bool {
        let cell = ManuallyDrop::new(self);
        // SAFETY: the pointer comes from an `Arc` that outlives the waker; neither gives its count back, since a
        // `ManuallyDrop` does not drop.
        let waker = ManuallyDrop::new(Waker::from(unsafe { Arc::from_raw(Arc::as_ptr(&cell)) }));
        trace::set_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: invariant `home`.
            let stage = unsafe { &mut *cell.stage.get() };
            let Stage::Future(future) = stage else { unreachable!("a task that has ended is not in the queue") };
            // SAFETY: invariant `pinned`.
            let future = unsafe { Pin::new_unchecked(future) };
            future.poll(&mut Context::from_waker(&waker))
        }));
        let output = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panic) => Err(JoinError::panicked(panic)),
        };
        cell.finish(output);
        true
    }

    fn cancel(&self) {
        self.finish(Err(JoinError::cancelled()));
    }

    fn take_output(&self, into: &mut dyn Any) {
        let into = into.downcast_mut().expect("a handle asks for the output type that its task was spawned with");
        // SAFETY: invariant `home`.
        let stage = unsafe { &mut *self.stage.get() };
        // Looked at before it is moved: a future stays where it is.
        if matches!(stage, Stage::Output(_))
            && let Stage::Output(output) = mem::replace(stage, Stage::Empty)
        {
            *into = Some(output);
        }
    }

    fn empty(&self) {
        if let Err(panic) = self.replace(Stage::Empty) {
            log::error!("dropping what a task left behind panicked: {}", JoinError::panicked(panic));
        }
    }
}

impl<F: Future> TaskCell<F> {
    /// Drops the future in its place, then keeps the output. A future that panics while it is dropped has panicked, and
    /// its output is dropped; a panic of that one, too, ends here.
    fn finish(&self, mut output: Result<F::Output, JoinError>) {
        if let Err(panic) = self.replace(Stage::Empty) {
            let dropped = mem::replace(&mut output, Err(JoinError::panicked(panic)));
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(dropped))) {
                log::error!("dropping the output of a task panicked: {}", JoinError::panicked(panic));
            }
        }
        // SAFETY: invariant `home`; the stage is empty, so nothing is dropped here.
        unsafe { *self.stage.get() = Stage::Output(output) };
    }

    /// Drops what is in the stage in its place, and puts `stage` there, whether or not the drop panics.
    fn replace(&self, stage: Stage<F>) -> Result<(), Box<dyn Any + Send>> {
        // SAFETY: invariant `home`.
        catch_unwind(AssertUnwindSafe(|| unsafe { *self.stage.get() = stage }))
    }
}

/// The one way to a task's stage: see the invariants above.
pub(super) struct TaskRef {
    cell: Arc<dyn Run>,
    /// Neither `Send` nor `Sync`.
    _home: PhantomData<*const ()>,
}

impl TaskRef {
    /// A task that has not been polled, and whose key is about to be pushed.
    pub(super) fn new<F>(key: Key, home: Home, future: F) -> TaskRef
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let header = Header { state: State::new(), key, home };
        let cell = Arc::new(TaskCell { header, stage: UnsafeCell::new(Stage::Future(future)) });
        TaskRef { cell, _home: PhantomData }
    }

    pub(super) fn header(&self) -> &Header {
        self.cell.header()
    }

    /// Polls the task once; `true` when it has ended.
    #[inline]
    pub(super) fn run(&mut self) -> bool {
        // SAFETY: the copy gives no count back, by the contract of `run`; this one lives on, and has the count.
        let cell = unsafe { ptr::read(&raw const self.cell) };
        // SAFETY: as above.
        unsafe { cell.run() }
    }

    /// Ends the task without polling it: its future is dropped.
    pub(super) fn cancel(&mut self) {
        self.cell.cancel();
    }

    /// Moves the output into `into`, an `Option` of the task's result; it stays `None` when it was taken before.
    pub(super) fn take_output(&mut self, into: &mut dyn Any) {
        self.cell.take_output(into);
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        self.cell.empty();
    }
}

impl std::fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.header().fmt(f)
    }
}
