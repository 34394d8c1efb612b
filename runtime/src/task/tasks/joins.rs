//! Who waits for the end of a task, and how they get its output.

use super::{TaskRef, Tasks};
use crate::trace::{self, Wait};
use crate::waiter::Waiter;
use std::any::Any;
use std::task::{Context, Poll, Waker};

impl Tasks {
    /// Moves the output of a task that has ended into `output`, an `Option` of its result; it stays `None` when it was
    /// taken before.
    pub(in crate::task) fn poll_join(&self, task: &TaskRef, cx: &mut Context<'_>, output: &mut dyn Any) -> Poll<()> {
        if !task.has_ended() {
            match trace::task_of(cx.waker(), self.home.stamp()) {
                Some(own) => drop(task.joiner.replace(Waiter::Task(own))),
                None => join_by_waker(task, cx.waker()),
            }
        }
        if task.has_ended() {
            if task.joinable.replace(false) {
                self.forget(task);
                task.take_output(output);
            }
            return Poll::Ready(());
        }
        // In another loop the key would name one of its own tasks.
        trace::waits_for(if trace::home() == self.home.stamp() { Wait::Task(task.key) } else { Wait::Unknown });
        Poll::Pending
    }

    /// The handle is gone: the output, unless it has been given, is for nobody.
    #[inline]
    pub(in crate::task) fn detach(&self, task: &TaskRef) {
        if task.joinable.replace(false) {
            self.leave(task);
        }
    }

    #[cold]
    #[inline(never)]
    fn leave(&self, task: &TaskRef) {
        let joiner = task.joiner.replace(Waiter::NOBODY);
        if task.has_ended() {
            self.forget(task);
            task.drop_output();
        }
        drop(joiner);
    }
}

/// For somebody who is no task of the loop, or polls with a waker of their own. To clone that, or to drop the former, may be the
/// code of others, in which the task may end.
#[inline(never)]
fn join_by_waker(task: &TaskRef, waker: &Waker) {
    let former = task.joiner.replace(Waiter::NOBODY);
    if former.will_wake(waker) {
        task.joiner.set(former);
        return;
    }
    let waker = waker.clone();
    if !task.has_ended() {
        task.joiner.set(Waiter::Waker(waker));
    }
    drop(former);
}
