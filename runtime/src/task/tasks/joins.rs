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
            match trace::task_of(cx.waker(), self.home.stamp()) {
                Some(own) => {
                    let former = mem::replace(&mut entry.joiner, Waiter::Task(own));
                    drop(set);
                    drop(former);
                }
                None if entry.joiner.will_wake(cx.waker()) => drop(set),
                None => {
                    drop(set);
                    return self.join_by_waker(key, cx, output);
                }
            }
            self.note_join(key);
            return Poll::Pending;
        }
        let entry = set.live.remove(key);
        drop(set);
        if let Some(Entry { task: Some(mut task), .. }) = entry {
            task.take_output(output);
        }
        Poll::Ready(())
    }

    /// [`poll_join`](Tasks::poll_join) by somebody who is no task of this loop, or polls with a waker of their own.
    #[inline(never)]
    fn join_by_waker(&self, key: Key, cx: &mut Context<'_>, output: &mut dyn Any) -> Poll<()> {
        let waker = cx.waker().clone(); // which may be the code of others, and wake or spawn
        let mut set = self.set.borrow_mut();
        let Some(entry) = set.live.get_mut(key).filter(|entry| entry.course != Course::Ended) else {
            drop(set);
            return self.poll_join(key, cx, output); // which it has ended
        };
        let former = mem::replace(&mut entry.joiner, Waiter::Waker(waker));
        drop(set);
        drop(former);
        self.note_join(key);
        Poll::Pending
    }

    fn note_join(&self, key: Key) {
        // In another loop the key would name one of its own tasks.
        trace::waits_for(if trace::home() == self.home.stamp() { Wait::Task(key) } else { Wait::Unknown });
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
