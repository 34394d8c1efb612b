//! The future of `block_on`: a task like others, but for where its future lives and where its output goes.

use super::super::address::Address;
use super::super::home::Home;
use super::super::stage::Stage;
use super::{Task, TaskInfo, TaskRef, Tasks};
use crate::arena::Key;
use crate::trace::{self, Why};
use std::any::Any;
use std::cell::Cell;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Its place among the tasks of a loop.
pub(super) struct Root {
    pub(super) task: TaskRef,
    /// There is such a future.
    lives: Cell<bool>,
}

/// Nothing is played here: the future is on the stack of who called `block_on`, and is polled there.
struct Elsewhere;

impl Stage for Elsewhere {
    fn poll(self: Pin<&mut Self>, _: Address) -> bool {
        unreachable!("who runs a batch polls it")
    }

    fn cancel(self: Pin<&mut Self>) {}

    fn take_output(self: Pin<&mut Self>, _: &mut dyn Any) {}

    fn empty(self: Pin<&mut Self>) {}
}

impl Root {
    pub(super) fn new(home: Home) -> Root {
        let address = home.address(Key::NONE);
        let make = |acts| Task::new(Key::NONE, address, None, Location::caller(), Key::NONE, acts);
        Root { task: TaskRef::new(|| Elsewhere, make), lives: Cell::new(false) }
    }
}

impl Tasks {
    /// What is known of the future of `block_on`, while there is one: as of a task, but it has no name and was spawned nowhere.
    pub(crate) fn root_info(&self) -> Option<TaskInfo> {
        self.root.lives.get().then(|| self.root.task.info())
    }

    /// The future of `block_on` is no more.
    pub(crate) fn forget_root(&self) {
        self.root.lives.set(false);
    }

    /// Has the root, which is a new one, polled, as if it had been woken.
    pub(crate) fn wake_root(&self) {
        let Root { task, lives } = &self.root;
        lives.set(true);
        task.waits_for.set(None);
        task.waits_also_for.set(None);
        task.polls.set(0);
        self.queue(task, Why::OUTSIDE);
    }

    /// Polls the future of `block_on`.
    pub(crate) fn poll_root<F: Future>(&self, why: Why, future: Pin<&mut F>) -> Poll<F::Output> {
        let task = &self.root.task;
        self.begin_poll(task, why);
        let waker = task.address.waker();
        trace::set_waker(waker.data());
        let polled = future.poll(&mut Context::from_waker(&waker));
        self.end_poll(task, polled.is_ready());
        polled
    }
}
