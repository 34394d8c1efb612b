//! Who waits for the end of a task, and how they get its output.

use super::Tasks;
use super::entry::{Course, Entry};
use crate::arena::Key;
use crate::trace::{self, Wait};
use crate::waiter::Waiter;
use std::any::Any;
use std::mem;
use std::task::{Context, Poll};

impl Tasks {
    /// Moves the output of a task that has ended into `output`, an `Option` of its result; it stays `None` when it was
    /// taken before.
    pub(in crate::task) fn poll_join(&self, key: Key, cx: &mut Context<'_>, output: &mut dyn Any) -> Poll<()> {
        let mut set = self.set.borrow_mut();
        let Some(entry) = set.live.get_mut(key) else { return Poll::Ready(()) };
        if entry.course != Course::Ended {
            let former = entry.joiner.become_who_polls(cx.waker(), self.home.stamp());
            drop(set);
            drop(former);
            // In another loop the key would name one of its own tasks.
            trace::waits_for(if trace::home() == self.home.stamp() { Wait::Task(key) } else { Wait::Unknown });
            return Poll::Pending;
        }
        let entry = set.live.remove(key);
        drop(set);
        if let Some(Entry { task: Some(mut task), .. }) = entry {
            task.take_output(output);
        }
        Poll::Ready(())
    }

    /// The handle is gone: the output is for nobody.
    pub(in crate::task) fn detach(&self, key: Key) {
        let mut set = self.set.borrow_mut();
        let Some(entry) = set.live.get_mut(key) else { return };
        entry.joinable = false;
        let joiner = mem::replace(&mut entry.joiner, Waiter::NOBODY);
        let ended = if entry.course == Course::Ended { set.live.remove(key) } else { None };
        drop(set);
        drop((joiner, ended));
    }
}
